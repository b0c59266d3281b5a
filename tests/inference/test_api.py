"""The Python API: what it takes, and what it says of what it does not take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import MeanShift as SklearnMeanShift

import clustering
import embedseg
from embedseg.evaluate import evaluate_folders, evaluate_model
from embedseg.inference.segment import check_foreground
from embedseg.inference.spec import ModelSpec
from embedseg.io import read_image, write_image
from embedseg.metrics import average_precision, foreground_dice
from embedseg.metrics.culane import culane_image
from embedseg.model import Model
from embedseg.predict import predict_files
from embedseg.viz.colors import BACKGROUND_COLOR
from embedseg.viz.explorer_data import resize_labels
from tests.scenes import discs


@pytest.fixture
def model(tiny_run: Path) -> Model:
    return embedseg.load(tiny_run, device="cpu", amp="off")


def test_an_unknown_precision_is_refused(tiny_run: Path) -> None:
    for amp in ("fp32", None):
        with pytest.raises(ValueError, match=r"unknown amp .* choose from: auto, bf16, fp16, off"):
            embedseg.load(tiny_run, device="cpu", amp=amp)  # type: ignore[call-overload]


def test_a_tuple_of_models_is_a_list_of_them(tiny_run: Path) -> None:
    both = embedseg.load((tiny_run, tiny_run), device="cpu", amp="off")  # type: ignore[call-overload]
    assert len(both.members()) == 2
    with pytest.raises(ValueError, match="no model was named"):
        embedseg.load([])


@pytest.mark.parametrize("scales", [1.5, "1"])
def test_scales_that_are_no_list(tiny_run: Path, scales: Any) -> None:
    with pytest.raises(ValueError, match="scales are a list of numbers"):
        embedseg.load(tiny_run, device="cpu", amp="off", scales=scales)


@pytest.mark.parametrize(
    "batch",
    [torch.zeros(1, 3, 32, 32), torch.zeros(3, 32, 32, dtype=torch.uint8), np.zeros(3), None],
    ids=["float", "no batch", "numpy", "none"],
)
def test_a_batch_is_uint8(model: Model, batch: Any) -> None:
    with pytest.raises(ValueError, match=r"a batch is a uint8 tensor \(B, 3, H, W\)"):
        model(batch)
    assert set(model(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))) >= {"embedding", "semantic"}


@pytest.mark.parametrize("clusterer", ["dbscan", SklearnMeanShift(), clustering.MeanShift])
def test_a_clusterer_reads_images(model: Model, clusterer: Any) -> None:
    with pytest.raises(ValueError, match="clusterer must be an estimator such as clustering"):
        model.segment(discs(0)[0], clusterer=clusterer)
    assert len(model.segment(discs(0)[0], clusterer=clustering.MeanShift(bandwidth=1.0))) > 0


def test_a_foreground_is_a_mask() -> None:
    picture, mask = np.zeros((2, 2, 3), np.uint8), np.array([[0, 1], [1, 0]])
    for good in (mask, mask.astype(bool), mask.astype(np.float32), mask * 7):
        check_foreground(picture, good)
    for bad in (mask * 0.3, mask * np.nan, -mask):
        with pytest.raises(ValueError, match="foreground must be a mask"):
            check_foreground(picture, bad)


def test_files_are_named_as_text_as_well(
    model: Model, tiny_run: Path, scenes: Path, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.png", discs(0)[0])
    out = str(tmp_path / "out")
    for pictures in ([str(tmp_path / "a.png")], str(tmp_path / "a.png"), tmp_path.glob("*.png")):
        assert predict_files(model, pictures, out, products="labels").instances.keys() == {"a"}
    assert not list(Path(out).glob("*overlay*"))
    scores, _ = evaluate_folders(f"{out}/a_labels.tif", str(scenes / "labels" / "scene0.png"))
    assert scores.summary["SBD"] > 0.5
    names = str(tiny_run / "val.txt")
    listed = Path(names).read_text().split()
    assert len(evaluate_model(model, f"folder:{scenes}", names)[0].images) == len(listed)


def test_scores_refuse_what_they_cannot_mean() -> None:
    labels = np.array([[0, 1], [2, 2]])
    for threshold in (0, 50, float("nan")):
        with pytest.raises(ValueError, match="threshold must be in"):
            average_precision(labels, labels, threshold=threshold)
    with pytest.raises(ValueError, match="threshold must be in"):
        culane_image([], [], threshold=50)
    with pytest.raises(ValueError, match="labels must be integers"):
        foreground_dice(labels * 0.01, labels)
    with pytest.raises(ValueError, match="labels must be >= -1"):
        foreground_dice(labels, labels - 2)
    with pytest.raises(ValueError, match=r"below 2\*\*63"):
        average_precision(labels.astype(np.uint64) + np.uint64(2**63), labels)


def test_products_are_named_alone_or_in_a_list(model: Model, tmp_path: Path) -> None:
    files = model.segment(discs(0)[0]).save(tmp_path, "labels")
    assert [path.name for path in files] == ["image_labels.tif", "image_summary.csv"]
    with pytest.raises(ValueError, match="unknown product 'label'"):
        model.segment(discs(0)[0]).save(tmp_path, "label")


def test_the_colours_of_an_embedding_stand_where_instances_are(
    model: Model, tmp_path: Path
) -> None:
    image, truth = discs(0)
    given = truth > 0
    given[:20] = True  # in the eyes of the network mostly background
    found = model.segment(image, foreground=given)
    assert found.labels[:20].all()
    picture = read_image(found.save(tmp_path, "pca")[0])
    shown = (picture != BACKGROUND_COLOR).any(-1)
    np.testing.assert_array_equal(shown, resize_labels(found.labels, shown.shape) > 0)


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("method", "discriminate", "discriminative"),
        ("clusterer", "meanshift", "mean_shift"),
        ("components", "larges", "largest"),
        ("tta", "flip", "flips"),
    ],
)
def test_a_setting_that_does_not_exist_is_named(name: str, value: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"unknown .* '{value}'; did you mean '{meant}'"):
        ModelSpec(backbone="unet", **{name: value})
