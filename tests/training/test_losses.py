"""Every loss of `embedseg losses` trains by its name in the configuration, with what it reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedseg.inference.spec import ModelSpec
from embedseg.losses import (
    LOSSES,
    SIDE_LOSSES,
    border_distance_maps,
    boundary_loss,
    deep_supervision,
    discriminative_loss,
    signed_distance_maps,
)
from embedseg.model import Model, build_from_spec, save_weights
from embedseg.training import run_folder
from embedseg.training.distributed import World
from embedseg.training.job import Job, prepare
from embedseg.training.loop import step, train
from embedseg.training.objective import Objective
from embedseg.training.options import read_config
from embedseg.training.sampling import loader
from tests.training.test_runs import arguments, rows

DEEP = "--network.options={depth: 2, width: 4, deep_supervision: true}"
STEM = "--network.options={depth: 2, width: 4, stem_stride: 2}"
NAMES = [*LOSSES, *SIDE_LOSSES]


def job(scenes: Path, *more: str) -> Job:
    config = read_config(arguments(scenes, Path("unused"), *more))
    return prepare(config, World(), torch.device("cpu"))


def batch(found: Job) -> dict[str, torch.Tensor]:
    return next(iter(loader(found.stream, first=0, last=1, batch=2)))


def outputs(found: Job, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return found.network(data["image"].float() / 255)


@pytest.mark.parametrize("name", NAMES)
def test_two_steps(scenes: Path, name: str) -> None:
    """The term is there by its own name, finite, and moves the weights."""
    more = ["--network.backbone=unet++", DEEP] if name == "deep_supervision" else []
    more += ["--loss.dice=1"] if name == "deep_supervision" else []
    found = job(scenes, f"--loss.{name}=1", "--loss.embedding=0.5", *more)
    before = {k: v.clone() for k, v in found.network.state_dict().items()}
    for data in loader(found.stream, first=0, last=2, batch=2):
        terms = step(found, found.network, data)
        assert name in terms or name == "discriminative"
        assert all(value.isfinite() for value in terms.values())
    after = found.network.state_dict()
    heads = {name.split(".")[1] for name in after if name.startswith("training_heads.")}
    changed = {key for key in after if not torch.equal(after[key], before[key])}
    for head in heads:
        assert any(key.startswith(f"training_heads.{head}") for key in changed)
    expected = name not in SIDE_LOSSES or name in ("consistency", "deep_supervision")
    gradients = [p.grad for p in found.network.heads["semantic"].parameters()]
    assert any(g is not None and bool(g.any()) for g in gradients) == expected


def test_run_logs_each_term_and_follows_the_schedule(scenes: Path, tmp_path: Path) -> None:
    """The total of an epoch is the sum of its terms with the published factors of that epoch."""
    own = tmp_path / "own.yaml"
    own.write_text("loss: {generalised_dice: 1, boundary: 1e-2, embedding: 0, schedule: rebalance}")
    run = train(read_config(["--config", str(own), *arguments(scenes, tmp_path / "run")]))
    for row, (region, boundary) in zip(
        rows(run), [(1.0, 0.01), (0.99, 0.02), (0.98, 0.03)], strict=True
    ):
        total = region * float(row["generalised_dice"]) + boundary * float(row["boundary"])
        assert float(row["loss"]) == pytest.approx(total, rel=1e-4, abs=1e-5)
        assert [float(row["factor_generalised_dice"]), float(row["factor_boundary"])] == [
            region,
            boundary,
        ]
    again = read_config(["--config", str(run / "config.yaml"), "--run", str(tmp_path / "again")])
    assert dict(again.loss.foreground) == {"generalised_dice": 1.0, "boundary": 0.01}


def test_schedules_differ(scenes: Path) -> None:
    factors = {}
    for schedule in ("constant", "add", "rebalance"):
        objective = job(
            scenes, "--loss={dice: 1, boundary: 0.01}", f"--loss.schedule={schedule}"
        ).objective
        objective.set_epoch(95)
        factors[schedule] = [round(objective.factors[n], 9) for n in ("dice", "boundary")]
    assert factors == {"constant": [1, 0.01], "add": [1, 0.96], "rebalance": [0.1, 0.96]}


@pytest.mark.parametrize("stride", [1, 2])
def test_maps_come_from_the_worker(scenes: Path, stride: int) -> None:
    """They are those of the classes at the outputs' stride, ignored pixels included."""
    options = [STEM, "--network.output_stride=2"] if stride > 1 else []
    found = job(
        scenes, "--loss={boundary: 1, hausdorff: 1, bce: 1}", "--loss.spacing=[1.0, 2.5]", *options
    )
    data = batch(found)
    small = data["semantic"][:, ::stride, ::stride].numpy()
    for name, function in (
        ("distance", signed_distance_maps), ("border_distance", border_distance_maps),
    ):  # fmt: skip
        expected = np.stack([function(image, 1, spacing=(1.0, 2.5)) for image in small])
        np.testing.assert_array_equal(data[name], expected)
        assert data[name].dtype == torch.float32
    out = outputs(found, data)
    _, terms = found.objective(out, data)
    own = boundary_loss(
        out["semantic"], torch.from_numpy(small), spacing=(1.0, 2.5), per_image=True
    )
    assert torch.allclose(terms["boundary"], own, atol=1e-6)


def test_weighted_boundary_has_maps_of_both_classes(scenes: Path) -> None:
    spec = "{boundary: 1, generalised_dice_boundary: 1, keywords: {boundary: {weight: [0, 1]}}}"
    found = job(scenes, f"--loss={spec}")
    data = batch(found)
    assert data["distance"].shape[1] == 2
    out = outputs(found, data)
    _, terms = found.objective(out, data)
    own = boundary_loss(out["semantic"], data["semantic"], per_image=True)
    assert torch.allclose(terms["boundary"], own, atol=1e-6)  # weight [0, 1]: the foreground


def test_maps_are_kept_where_the_geometry_is_still(scenes: Path) -> None:
    still = ["--augment.rotation=0", "--augment.scale=[1, 1]", "--augment.random_crop=false"]
    assert job(scenes, "--loss.boundary=1", *still).stream.targets.maps["distance"].room > 0
    assert job(scenes, "--loss.boundary=1").stream.targets.maps["distance"].room == 0


def test_clean_view_differs_in_colours_alone(scenes: Path) -> None:
    found = job(scenes, "--loss.consistency=1", "--copy_paste=1", "--augment.noise=0")
    calm = job(
        scenes, "--loss.consistency=1", "--copy_paste=1", "--augment.noise=0",
        *(f"--augment.{n}=0" for n in ("brightness", "contrast", "saturation", "hue", "blur")),
    )  # fmt: skip
    loud, quiet = batch(found), batch(calm)
    assert torch.equal(loud["labels"], quiet["labels"])
    assert torch.equal(loud["clean"], quiet["clean"])
    assert torch.equal(quiet["image"], quiet["clean"])
    assert not torch.equal(loud["image"], loud["clean"])


def test_consistency_of_a_still_view_is_zero(scenes: Path) -> None:
    options = ["--network.options={width: 4, depth: 2, norm: group}"]
    quiet = [f"--augment.{n}=0" for n in
             ("brightness", "contrast", "saturation", "hue", "blur", "noise")]  # fmt: skip
    same = job(scenes, "--loss.consistency=1", *options, *quiet)
    assert float(step(same, same.network, batch(same))["consistency"]) == 0
    loud = job(scenes, "--loss.consistency=1", *options)
    assert float(step(loud, loud.network, batch(loud))["consistency"]) > 0


@pytest.mark.parametrize(("backbone", "first"), [("unet++", 0), ("unet3+", 1)])
def test_deep_supervision_of_both_heads(scenes: Path, backbone: str, first: int) -> None:
    """Each side output but the main one; that of UNet++ is the mean of all, so none is."""
    options = [f"--network.backbone={backbone}", DEEP, "--network.seed_head=false"]
    found = job(scenes, "--loss={cross_entropy: 2, deep_supervision: 0.4}", *options)
    data = batch(found)
    out = outputs(found, data)
    total, terms = found.objective(out, data)
    main, _ = Objective(
        delta_v=0.5, delta_d=1.5, alpha=1, beta=1, gamma=0.001, embedding=1, seed=1,
        foreground={"cross_entropy": 2}, options={},
    )({k: v for k, v in out.items() if "sides" not in k}, data)  # fmt: skip
    assert torch.equal(out["semantic_sides"][0], out["semantic"]) == bool(first)
    embeddings, logits = (list(out[f"{n}_sides"])[first:] for n in ("embedding", "semantic"))
    near = deep_supervision(embeddings, data["labels"], discriminative_loss)[0]
    far = deep_supervision(
        logits,
        data["semantic"],
        lambda z, y: 2 * LOSSES["cross_entropy"](z, y, per_image=True),
    )[0]
    assert torch.allclose(terms["deep_supervision"], near + far, rtol=1e-5)
    assert torch.allclose(total, main + 0.4 * (near + far), rtol=1e-5)


def test_refine_reads_the_picture_in_0_to_1(scenes: Path) -> None:
    found = job(scenes, "--loss={refine: 1, bce: 1}", STEM, "--network.output_stride=2")
    data = batch(found)
    out = outputs(found, data)
    _, terms = found.objective(out, data)
    own = LOSSES["refine"](
        out["semantic"], data["semantic"][:, ::2, ::2], per_image=True,
        image=data["image"][:, :, ::2, ::2].float() / 255,
    )  # fmt: skip
    assert torch.allclose(terms["refine"], own)


def test_training_heads_are_kept_and_silent_in_use(scenes: Path, tmp_path: Path) -> None:
    found = job(scenes, "--loss={dice: 1, border: 0.1, semantic_encoding: 0.2}")
    assert found.spec.training_heads == ("border", "presence")
    assert ModelSpec.from_json(found.spec.to_json()) == found.spec
    file = tmp_path / "model.safetensors"
    save_weights(file, found.network.state_dict(), found.spec)
    model = Model.load(file, device="cpu")
    assert set(model(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))) == {
        "embedding", "semantic", "seed",
    }  # fmt: skip
    plain = build_from_spec(replace(found.spec, training_heads=()))
    assert set(found.network.state_dict()) > set(plain.state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss.boundery=1"], "unknown loss 'boundery'; did you mean 'boundary'"),
        (["--loss={dise: 1}"], "unknown loss 'dise'; did you mean 'dice'"),
        (["--loss={dice: 1, foreground: {dice: 1}}"], "choose one place"),
        (["--loss.dice=1", "--loss.keywords={dise: {}}"], "did you mean 'dice'"),
        (["--loss.dice=1", "--loss.keywords={dice: {smoth: 1}}"], "did you mean 'smooth'"),
        (["--loss.dice=1", "--loss.keywords={dice: {smooth: x}}"], "must be a number, got 'x'"),
        (["--loss.dice=1", "--loss.keywords={dice: {weight: a}}"], "must be a list of numbers or"),
        (["--loss.focal=1", "--loss.keywords={focal: {alpha: []}}"], "a number or null, got"),
        (["--loss.options={push_neighbours: x}"], "push_neighbours must be a number or null"),
        (["--loss.options={delta_v: 0.3}"], "set --loss.delta_v"),
        (["--loss.boundary=1", "--loss.keywords={boundary: {distance: 1}}"], "from the data"),
        (["--loss.boundary=1", "--loss.keywords={boundary: {spacing: [1, 1]}}"], "loss.spacing"),
        (["--loss.dice=1", "--loss.schedule=add"], "needs 'boundary' in the loss"),
        (["--loss.deep_supervision=1"], "needs side outputs"),
        (["--network.backbone=unet3+", DEEP], "option deep_supervision; add deep_supervision"),
        (["--network.backbone=dfn", "--network.options={border: true}"], "option border; add bord"),
        (["--network.backbone=encnet", "--network.options={presence: 1}"], "add semantic_encoding"),
        (["--loss={}", "--loss.foreground={}"], "the loss is empty"),
    ],
)
def test_refused_before_any_work(
    scenes: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(read_config(arguments(scenes, tmp_path / "no", *options)))
    assert not (tmp_path / "no").exists()


def test_config_file_in_short_form(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "optimizer: {learning_rate: 1e-3}\n"
        "loss: {dice: 1, boundary: 1e-2, delta_v: 0.3, keywords: {boundary: {weight: [0, 1]}}}\n"
    )
    config = read_config(["--config", str(file), "--loss.schedule=add"])
    assert dict(config.loss.foreground) == {"dice": 1.0, "boundary": 0.01}
    assert config.loss.keywords == {"boundary": {"weight": [0, 1]}}
    assert (config.loss.delta_v, config.loss.schedule) == (0.3, "add")
    assert config.optimizer.learning_rate == 0.001
    text = run_folder.dump(config)
    (tmp_path / "resolved.yaml").write_text(text)
    assert read_config(["--config", str(tmp_path / "resolved.yaml")]) == config
    over = read_config(["--config", str(file), "--loss.focal", "2", "--loss.dice=1"])
    assert dict(over.loss.foreground) == {"focal": 2.0, "dice": 1.0}
    assert over.loss.delta_v == 0.3
