"""A mounted picture is completed by its mirror image, and its window is where it was."""

import numpy as np
import pytest
import torch

from embedseg.inference.joint import joint_outputs
from embedseg.inference.mount import mount
from embedseg.inference.segment import picture_batch, run_network
from embedseg.inference.spec import ModelSpec
from embedseg.inference.views import VIEWS

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(7, 20), (20, 13), (20, 20), (31, 6), (1, 3)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_window_shows_the_picture(size: tuple[int, int], stride: int) -> None:
    image = RNG.integers(0, 255, (*size, 3)).astype(np.uint8)
    mounted, (rows, columns) = mount(image, 20, stride)
    assert mounted.shape[:2] == tuple(max(20, side) for side in size)
    whole = tuple(slice(s.start * stride, s.stop * stride) for s in (rows, columns))
    np.testing.assert_array_equal(mounted[whole][: size[0], : size[1]], image)
    assert (rows.stop - rows.start, columns.stop - columns.start) == tuple(
        -(-side // stride) for side in size
    )


def test_what_is_missing_is_mirrored_on_both_sides() -> None:
    image = np.arange(4, dtype=np.uint8).reshape(1, 4, 1).repeat(3, 2).repeat(8, 0)
    mounted, _ = mount(image, 8)
    assert mounted[3, :, 0].tolist() == [2, 1, 0, 1, 2, 3, 2, 1]
    same, window = mount(image, 0)
    assert same is image and window == (slice(0, 8), slice(0, 4))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("tta", VIEWS)
def test_a_network_sees_squares_and_its_outputs_fit_the_picture(stride: int, tta: str) -> None:
    shapes = set()

    def network(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        shapes.add(tuple(batch.shape[2:]))
        seen = batch[..., ::stride, ::stride].float() / 255
        return {"embedding": seen, "semantic": seen[:, :1]}

    spec = ModelSpec(
        backbone="unet", embedding_dim=3, working_size=32, training_size=32, output_stride=stride
    )
    image = RNG.integers(0, 255, (24, 32, 3)).astype(np.uint8)
    outputs = joint_outputs(image, [(network, spec)], tta=tta)
    assert shapes == {(32, 32)}
    count = len(VIEWS[tta])
    assert outputs["embedding"].shape == (3 * count, 24 // stride, 32 // stride)
    if stride == 1:
        wanted = torch.from_numpy(image).permute(2, 0, 1) / 255
        for part in outputs["embedding"].split(3):
            assert torch.allclose(part * count**0.5, wanted, atol=1e-6)
    assert run_network(image, network, spec)["semantic"].shape == (1, 24 // stride, 32 // stride)
    assert picture_batch(image, spec)[0].shape == (1, 3, 32, 32)
