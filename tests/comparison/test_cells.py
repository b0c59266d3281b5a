"""The grid of a comparison: how values are cut, what a cell changes, what is refused."""

from pathlib import Path

import pytest

from embedseg.comparison.budget import with_budget
from embedseg.comparison.cells import cell_config, named_cells, read_cells, split_values
from embedseg.io import InputError
from embedseg.training.config import NetworkConfig, TrainConfig


def test_commas_in_brackets_and_quotes_do_not_cut() -> None:
    assert split_values("enet, unet") == ["enet", "unet"]
    assert split_values("{dice: 1, boundary: 0.01},focal") == ["{dice: 1, boundary: 0.01}", "focal"]
    assert split_values("[1, [2, 3]],'a,b'") == ["[1, [2, 3]]", "'a,b'"]
    assert split_values("'a(b',c,\"]\"") == ["'a(b'", "c", '"]"']
    for wrong in ("a,", "{a: 1", "'a", "a]"):
        with pytest.raises(ValueError, match="cannot cut"):
            split_values(wrong)


def test_product_of_all_that_varies(tmp_path: Path) -> None:
    file = tmp_path / "cells.yaml"
    file.write_text("wide: {network.options: {width: 48}}\nslow: {optimizer: {ema: 0.9}}\n")
    (tmp_path / "losses.yaml").write_text("both: {loss: {dice: 1, seed: 0.5}}\n")
    (both,) = named_cells(tmp_path / "losses.yaml")
    assert cell_config(both, []).loss.foreground == {"dice": 1.0}
    assert cell_config(both, []).loss.seed == 0.5
    cells = read_cells(["backbone=enet,unet", "loss.seed=0.5,1"], file)
    assert [c.name for c in cells[:3]] == [
        "wide, enet, seed=0.5", "wide, enet, seed=1", "wide, unet, seed=0.5",
    ]  # fmt: skip
    assert len(cells) == 8 and len({c.folder for c in cells}) == 8
    assert cells[-1].options == {
        "optimizer.ema": "0.9", "network.backbone": "unet", "loss.seed": "1",
    }  # fmt: skip


def test_a_cell_reaches_the_configuration() -> None:
    base = ["--config", "leaves", "--batch", "3"]
    losses = read_cells(["loss=focal,{dice: 1, boundary: 0.01},bce + 2e-1*lovasz_hinge"])
    assert [c.name for c in losses] == ["focal", "dice + 0.01 boundary", "bce + 0.2 lovasz_hinge"]
    assert cell_config(losses[2], base).loss.foreground == {"bce": 1.0, "lovasz_hinge": 0.2}
    assert cell_config(losses[0], base).loss.foreground == {"focal": 1.0}
    mixed = cell_config(losses[1], base)
    assert mixed.loss.foreground == {"dice": 1.0, "boundary": 0.01}
    assert mixed.batch == 3 and mixed.network.options["width"] == 22


def test_options_of_the_base_do_not_go_to_another_backbone() -> None:
    base = ["--config", "leaves"]
    unet, enet = read_cells(["network.backbone=unet,enet"])
    assert cell_config(unet, base).network.options["width"] == 22
    assert cell_config(unet, base).network.init == "leaf"
    assert cell_config(enet, base).network == NetworkConfig(backbone="enet")


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        (["backbon=enet"], "did you mean 'network.backbone'|choose from"),
        (["loss.sed=1,2"], "did you mean 'loss.seed'"),
        (["backbone"], "has no values"),
        (["seed=0,1"], "cannot vary"),
        (["backbone=enet", "network.backbone=unet"], "varies twice"),
        (["backbone=enet,enet"], "comes twice"),
        (["loss=dice,{dice: 1.0}"], "comes twice"),
        (["loss=dice + dice"], "is no sum"),
        (["loss=dice 0.1"], "is no sum"),
        ([], "nothing varies"),
    ],
)
def test_refused(vary: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_cells(vary)


@pytest.mark.parametrize("text", ["- 1", "{a: 1}", "a: [", "\x00"])
def test_unusable_cell_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=r"c\.yaml"):
        named_cells(tmp_path / "c.yaml")


def test_budget() -> None:
    timed = with_budget(TrainConfig(patience=3), minutes=2, steps=0)
    assert (timed.epochs, timed.time_limit, timed.validate_every, timed.patience) == (0, 2, 0, 0)
    assert not timed.tune, "the images it would be tuned on are those that are scored"
    for steps in (7, 20, 300, 1009):
        config = with_budget(TrainConfig(), minutes=0, steps=steps)
        assert config.epochs * config.steps_per_epoch == steps and config.time_limit == 0
    for minutes, steps in ((1, 5), (-1, 0), (0, -5)):
        with pytest.raises(ValueError, match="--minutes or --steps"):
            with_budget(TrainConfig(), minutes=minutes, steps=steps)
