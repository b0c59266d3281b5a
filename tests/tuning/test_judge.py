"""Scores of settings: on the outputs' own grid and at full size, of every kind of output."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from clustering import ThresholdClustering
from embedseg.data import Sample
from embedseg.inference.segment import segment_outputs
from embedseg.inference.spec import ModelSpec
from embedseg.metrics import score_image
from embedseg.tuning import judge as module
from embedseg.tuning.figures import parts_of, score
from embedseg.tuning.judge import Judge, look_at
from embedseg.tuning.space import Setting, axes_of, moved, start_of
from tests.scenes import discs

THRESHOLD = ModelSpec(
    backbone="unet", output_stride=4, seed_head=True, min_size=1, clusterer="threshold"
)


class Perfect:
    """A network of stride 4 that knows the true labels, which it is shown as a picture."""

    def __init__(self, spec: ModelSpec = THRESHOLD) -> None:
        self.spec = spec

    def outputs(self, image: np.ndarray, name: str = "") -> dict[str, torch.Tensor]:
        labels = torch.from_numpy(image[::4, ::4, 0].astype(np.float32))
        sure = 20 * (labels > 0).float()[None] - 10
        return {"embedding": 5 * labels[None], "semantic": sure, "seed": sure}


def sample(height: int = 64, *, name: str = "a") -> Sample:
    labels = discs(0)[1].astype(np.int32)[:height]
    return Sample(np.repeat(labels[..., None], 3, 2).astype(np.uint8), labels, name=name)


def judged(model: Perfect, samples: list[Sample], folder: Path, metric: str = "map") -> Judge:
    return Judge(look_at(model, samples, folder), axes_of(model.spec), model.spec, metric)


@pytest.mark.parametrize("height", [64, 40])
def test_perfect_outputs_of_a_stride_are_perfect_on_their_own_grid(
    tmp_path: Path, height: int
) -> None:
    judge = judged(Perfect(), [sample(height)], tmp_path)
    assert judge.seen[0].truth.shape == (height, 64)
    assert score(judge.parts(start_of(judge.axes))) == 1
    full = score(judge.at_full_size(start_of(judge.axes)))
    assert full == segmented(judge, Perfect(), sample(height)) < 1
    assert judge.count == 1


def segmented(judge: Judge, model: Perfect, shown: Sample) -> float:
    """The score of what `Model.segment` finds."""
    labels = segment_outputs(model.outputs(shown.image), shown.image, model.spec).labels
    return score(parts_of([score_image("a", labels, shown.labels)], judge.metric))


def with_size(judge: Judge, pixels: int) -> Setting:
    place = [axis.name for axis in judge.axes].index("min_size")
    return moved(start_of(judge.axes), place, pixels)


def test_clusters_are_found_once_for_settings_that_share_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, fit = [], ThresholdClustering.fit_image

    def counted(self: ThresholdClustering, *args: object, **maps: object) -> object:
        found.append(self)
        return fit(self, *args, **maps)

    monkeypatch.setattr(ThresholdClustering, "fit_image", counted)
    samples = [sample(), sample(40, name="b")]
    judge, bar = judged(Perfect(), samples, tmp_path), Mock()
    judge.bar = bar
    start = start_of(judge.axes)
    other = moved(start, 0, 0.7)
    for setting in (start, start, with_size(judge, 4), with_size(judge, 10**6)):
        scores = judge.parts(setting).num[:, 0] / judge.parts(setting).den[:, 0]
        assert scores.tolist() == [float(setting != with_size(judge, 10**6))] * 2
    assert (len(found), judge.count, bar.update.call_count) == (2, 3, 3)
    judge.parts(other)
    judge.parts(with_size(judge, 8))
    assert len(found) == 4
    monkeypatch.setattr(module, "KEPT", 1)
    judge.parts(moved(start, 0, 0.6))
    judge.parts(with_size(judge, 16))
    assert len(found) == 8, "more than KEPT are forgotten, the oldest first"


def test_outputs_that_memory_has_no_room_for_lie_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [sample(name=name) for name in "abc"]
    whole = look_at(Perfect(), samples, tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(module, "MEMORY", 2 * sum(v.nbytes for v in whole[0].outputs.values()))
    seen = look_at(Perfect(), samples, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3, "those of the last one"
    for ours, theirs in zip(seen, whole, strict=True):
        stored = ours.name == "c"
        for key, value in ours.outputs.items():
            assert isinstance(value, np.memmap) == stored
            np.testing.assert_array_equal(value, theirs.outputs[key])


class Heads(Perfect):
    """Outputs of each kind of model; with other maps than these it would find all discs."""

    def outputs(self, image: np.ndarray, name: str = "") -> dict[str, torch.Tensor]:
        labels = torch.from_numpy(image[..., 0].astype(np.float32))
        inside = 20 * (labels > 0).float()[None] - 10
        found = {"embedding": 5 * labels[None], "semantic": inside}
        if self.spec.classes > 1:
            odd = (labels % 2 == 1).float()
            found["semantic"] = torch.stack(
                [-inside[0], inside[0] + 9 * odd - 4, inside[0] - 9 * odd + 4]
            )
        if self.spec.centre_head:
            rows, columns = torch.meshgrid(*map(torch.arange, labels.shape), indexing="ij")
            heat = torch.full_like(labels, 0.01)
            for id_ in labels.unique()[1:-1]:  # the last disc has no peak
                y, x = (v[labels == id_].float().mean() for v in (rows, columns))
                near = torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 40)
                heat = torch.maximum(heat, near.clamp(max=0.99))
            found["centre"] = torch.logit(heat)[None]
        if self.spec.method == "spatial":
            found["embedding"] = torch.stack([labels, 0 * labels])
            found |= {"seed": inside, "log_precision": torch.full((2, *labels.shape), -3.0)}
        return found


KINDS = {
    "centres": ModelSpec(
        backbone="unet", centre_head=True, clusterer="centres", embedding_dim=1, min_size=9
    ),
    "spatial": ModelSpec(
        backbone="unet", method="spatial", seed_head=True, clusterer="spatial", embedding_dim=2
    ),
    "classes": ModelSpec(backbone="unet", classes=3, clusterer="threshold", embedding_dim=1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_scored_as_it_is_segmented(tmp_path: Path, kind: str) -> None:
    model, shown = Heads(KINDS[kind]), sample()
    judge = judged(model, [shown], tmp_path, "sbd")
    start = start_of(judge.axes)
    want = segmented(judge, model, shown)
    assert want == 1 if kind == "classes" else 0.3 < want < 0.9
    for setting in (start, with_size(judge, judge.axes[-3].values[0])):  # the second reads clusters
        assert score(judge.at_full_size(setting)) == score(judge.parts(setting)) == want
