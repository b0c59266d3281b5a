"""What of a configuration goes along with a network that is named beside it, and what does not."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg.io import InputError, read_labels, write_labels
from embedseg.training.config import NetworkConfig, TrainConfig
from embedseg.training.distributed import World
from embedseg.training.job import prepare
from embedseg.training.options import read_config, resumed_config
from tests.scenes import write_folder

WIDE = "{width: 8, depth: 2}"


def test_a_preset_is_taken_whole() -> None:
    network = read_config(["--config", "leaves"]).network
    assert network.init == "leaf" and network.options["width"] == 22
    same = read_config(["--config", "leaves", "--network.backbone", "unet"]).network
    assert same == network


@pytest.mark.parametrize("form", [["--config", "leaves"], ["--config=leaves"]])
def test_another_backbone_takes_neither_options_nor_weights(form: list[str]) -> None:
    network = read_config([*form, "--backbone", "erfnet"]).network
    assert network == NetworkConfig(backbone="erfnet")
    kept = read_config([*form, "--network.backbone=erfnet", "--network.init", "own.pth"]).network
    assert kept.init == "own.pth" and kept.options == {}
    named = read_config([*form, "--backbone=unet3+", f"--network.options={WIDE}"]).network
    assert named.options == {"width": 8, "depth": 2} and named.init == ""
    nested = read_config([*form, "--backbone=unet3+", "--network.options.width=8"]).network
    assert nested.options["width"] == 8


def test_a_configuration_leaves_nothing_to_the_next() -> None:
    words = ["--data=leaves:2"]
    first = read_config(words)
    first.network.options["width"] = 3
    read_config(["--config", "leaves", "--loss={dice: 1}", f"--network.options={WIDE}"])
    with pytest.raises(SystemExit):
        read_config([*words, "--batch=many"])
    assert read_config(words).network == NetworkConfig()
    assert read_config(words).loss == TrainConfig().loss


def test_a_run_is_repeated_with_its_own_network(tmp_path: Path) -> None:
    own = tmp_path / "config.yaml"
    own.write_text(f"network: {{backbone: unet, options: {WIDE}, init: leaf, embedding_dim: 8}}\n")
    assert read_config(["--config", str(own)]).network.options == {"width": 8, "depth": 2}


@pytest.mark.parametrize("form", [["--config", "leaves"], ["--config=leaves"]])
def test_options_count_before_and_behind_a_file(form: list[str]) -> None:
    words = ["--epochs", "3", "--batch=1"]
    for config in (read_config([*words, *form]), read_config([*form, *words])):
        assert (config.epochs, config.batch, config.data.zoom) == (3, 1, 1.2)
    network = read_config(["--backbone", "enet", *form]).network
    assert network == NetworkConfig(backbone="enet")


def test_a_blank_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_config([" "])
    assert "unknown argument ' '" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch.yaml", "no such configuration file"),
        ("folder/leaves", "no such configuration file"),
        ("leafs", "did you mean 'leaves'.* demo, lanes, leaves, nuclei"),
    ],
)
def test_a_configuration_that_is_not_there_is_named(name: str, message: str) -> None:
    for words in (["--config", name], [f"--config={name}"]):
        with pytest.raises(ValueError, match=message):
            read_config(words)


def test_a_configuration_without_a_name_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_config(["--epochs=2", "--config"])
    assert "--config: expected one argument" in capsys.readouterr().err


def test_a_run_that_goes_on_begins_from_where_it_was_started(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(InputError, match="not a run folder"):
        resumed_config(run)
    (run / "env.json").write_text(json.dumps({"folder": str(tmp_path)}))
    (tmp_path / "own.pth").touch()
    (tmp_path / "d").mkdir()
    for init, seen in (("own.pth", str(tmp_path / "own.pth")), ("leaf", "leaf"), ("", "")):
        (run / "config.yaml").write_text(
            f"network: {{init: '{init}'}}\ndata: {{train: 'folder:d'}}"
        )
        config = resumed_config(run)
        assert (config.network.init, config.run) == (seen, str(run))
        assert (config.data.train, config.data.val) == (f"folder:{tmp_path / 'd'}", "")


@pytest.mark.parametrize("more", [[], ["--backbone", "enet"], ["--network.embedding_dim=8"]])
def test_the_leaf_recipe_builds(more: list[str]) -> None:
    small = ["--data", "leaves:4,1,size=48", "--data.working_size=32", "--augment.size=32"]
    words = ["--config", "leaves", *small, "--device=cpu", *more]
    job = prepare(read_config(words), World(), torch.device("cpu"))
    assert job.spec.zoom == 1.2


def test_classes_without_an_output_are_named(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", count=4)
    (data / "semantic").mkdir()
    for file in (data / "labels").iterdir():
        classes = read_labels(file) % 3
        classes[:3] = 255  # ignored
        write_labels(data / "semantic" / file.name, classes)
    small = ["--data.working_size=32", "--augment.size=32", "--device=cpu"]
    words = [f"--data=folder:{data}", *small, "--network.options={width: 4, depth: 2}"]
    for classes in (1, 2):
        with pytest.raises(InputError, match=r"classes 0 to 2; set --network.classes 3"):
            config = read_config([*words, f"--network.classes={classes}"])
            prepare(config, World(), torch.device("cpu"))
    prepare(read_config([*words, "--network.classes=3"]), World(), torch.device("cpu"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--network.seed_head=false", "--loss.seed=2"], "loss.seed 2.0 does nothing without netw"),
        (["--loss.centre=1"], "loss.centre 1.0 does nothing without network.centre_head"),
        (["--loss.unlabelled=2"], "loss.unlabelled 2.0 does nothing without labels sparse"),
        (["--loss.schedule_step=0.1"], "loss.schedule_step 0.1 does nothing without loss.sched"),
        (["--loss.spacing=[1, 2]"], "loss.spacing (1.0, 2.0) does nothing without loss.boundary"),
        (["--augment.fill=[9, 9, 9]"], "augment.fill (9, 9, 9) does nothing without augment.bor"),
        (["--optimizer.name=adam", "--optimizer.weight_decay=0.1"], "without optimizer.name adamw"),
    ],
)
def test_numbers_that_nothing_reads_are_told(
    words: list[str], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    small = ["--data=leaves:4,1,size=48", "--data.working_size=32", "--augment.size=32"]
    prepare(read_config([*small, "--device=cpu", *words]), World(), torch.device("cpu"))
    assert any(sentence in message for message in caplog.messages)
    caplog.clear()
    prepare(read_config([*small, "--device=cpu"]), World(), torch.device("cpu"))
    assert not any("does nothing" in message for message in caplog.messages)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--network.classes=3", "'leaves0-00000' has no classes and other images have; put them"),
        ("--copy_paste=0.5", "'leaves0-00000' has no classes .* or set copy_paste to 0"),
    ],
)
def test_images_without_classes_are_not_mixed_with_others(
    tmp_path: Path, option: str, message: str
) -> None:
    data = write_folder(tmp_path / "data", count=2)
    (data / "semantic").mkdir()
    for file in (data / "labels").iterdir():
        write_labels(data / "semantic" / file.name, np.minimum(read_labels(file), 1))
    words = ["--data", f"leaves:2 + folder:{data}", "--val=leaves:2,1", "--device=cpu", option]
    with pytest.raises(InputError, match=message):
        prepare(read_config(words), World(), torch.device("cpu"))
