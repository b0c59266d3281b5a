"""Outputs of a stride above 1, and other grids: instances lie where the labels were."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from embedseg.ensemble import Ensemble
from embedseg.inference.segment import segment
from embedseg.inference.segmenter import Segmenter
from embedseg.inference.spec import ModelSpec
from embedseg.resizing import resize_image
from embedseg.training.objective import _thinned

RADIUS = 12


def scene(shape: tuple[int, int]) -> NDArray[np.int32]:
    """Return discs, each a label."""
    rows, columns = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    centres = [(y, x) for y in range(20, shape[0] - 15, 36) for x in range(20, shape[1] - 15, 36)]
    for number, (y, x) in enumerate(centres, 1):
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= RADIUS**2] = number
    return labels


def oracle(labels: NDArray[np.int32], stride: int):
    """Return a network that gives just what training would show it: every stride-th pixel."""

    def network(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        size = [math.ceil(side / stride) for side in batch.shape[2:]]
        like = torch.zeros(1, 1, *size)
        truth = _thinned(torch.from_numpy(labels)[None], like)[0]
        embedding = torch.stack([truth.float() * 5, torch.zeros_like(truth).float()])
        return {
            "embedding": embedding[None],
            "semantic": torch.where(truth > 0, 9.0, -9.0)[None, None],
        }

    return network


@pytest.mark.parametrize("shape", [(128, 128), (121, 129)])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("given", [False, True])
def test_instances_do_not_move_with_the_stride(
    shape: tuple[int, int], stride: int, given: bool
) -> None:
    labels = scene(shape)
    spec = ModelSpec(
        backbone="unet", working_size=max(shape), output_stride=stride, min_size=1, embedding_dim=2
    )
    image = np.zeros((*shape, 3), np.uint8)
    mask = labels > 0 if given else None
    found = segment(image, oracle(labels, stride), spec, foreground=mask).labels
    assert len(np.unique(found)) == len(np.unique(labels))
    if given or stride == 1:
        assert np.array_equal(found > 0, labels > 0)
    for number in np.unique(labels[labels > 0]):
        own = found == found[labels == number][np.argmax(found[labels == number] > 0)]
        true = np.argwhere(labels == number).mean(0)
        assert np.abs(np.argwhere(own).mean(0) - true).max() < 0.25


def test_the_area_of_a_picture_chooses_its_filter() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 100, 3), np.uint8)
    for size, area in (((25, 25), True), ((10, 300), False), ((20, 90), True)):
        how = cv2.INTER_AREA if area else cv2.INTER_LINEAR
        wanted = cv2.resize(noise, size[::-1], interpolation=how)
        assert np.array_equal(resize_image(noise, size), wanted)
    assert resize_image(noise, (20, 100)) is noise


class Fixed(Segmenter):
    """A segmenter of one network."""

    def __init__(self, network, spec: ModelSpec) -> None:
        self.network, self.spec = network, spec

    def members(self):
        return [(self.network, self.spec)]


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_smallest_object_is_counted_in_pixels_of_the_working_size(scale: float) -> None:
    """At a single scale the outputs stay on their own grid."""
    labels = scene((64, 64))  # a disc of 441 pixels

    def network(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        size = tuple(batch.shape[2:])
        small = torch.nn.functional.interpolate(torch.from_numpy(labels)[None, None].float(), size)
        embedding = torch.cat([small * 5, small * 0], 1)
        return {"embedding": embedding, "semantic": torch.where(small > 0, 9.0, -9.0)}

    image = np.zeros((64, 64, 3), np.uint8)
    spec = ModelSpec(backbone="unet", working_size=64, embedding_dim=2, tta_scales=(scale,))
    for least, count in ((300, 1), (600, 0)):
        model = Fixed(network, replace(spec, min_size=least))
        assert len(model.segment(image)) == count


def test_models_of_other_looks_are_not_joined(tiny_run) -> None:
    import embedseg

    one, two = (embedseg.load(tiny_run, device="cpu", amp="off") for _ in range(2))
    Ensemble([one, two])
    two.spec = replace(two.spec, zoom=1.2)
    with pytest.raises(ValueError, match="look twice"):
        Ensemble([one, two])
