"""Stacked U-Nets: they begin as the one U-Net whose weights they take, and learn to differ."""

from pathlib import Path

import pytest
import torch

from embedseg.inference.spec import ModelSpec
from embedseg.model import save_weights
from embedseg.models import EmbeddingNet, build_network
from embedseg.training.initial import initialise

FORM = {"width": 4, "depth": 2, "stem_stride": 2}


@pytest.fixture
def one(tmp_path: Path) -> tuple[EmbeddingNet, Path]:
    """A U-Net whose norms have seen pictures, and the file of its weights."""
    torch.manual_seed(0)
    network = build_network("unet", embedding_dim=4, seed_head=True, options=FORM)
    for _ in range(3):
        network(torch.rand(2, 3, 32, 48))
    file = tmp_path / "one.safetensors"
    spec = ModelSpec(backbone="unet", options=FORM, embedding_dim=4, seed_head=True)
    save_weights(file, network.state_dict(), spec)
    return network.eval(), file


def stacked(**options: object) -> EmbeddingNet:
    torch.manual_seed(1)
    return build_network("stacked-unet", embedding_dim=4, seed_head=True, options=FORM | options)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("stages", [2, 3])
def test_it_begins_as_the_one(one, stages: int, deep: bool, caplog) -> None:
    network, file = one
    several = stacked(stages=stages, deep_supervision=deep)
    with caplog.at_level("INFO"):
        initialise(several, str(file))
    given, own = len(network.state_dict()), len(several.state_dict())
    assert f"{own} of {own} weights taken" in caplog.text and f"(of its {given})" in caplog.text
    image = torch.rand(1, 3, 37, 50)
    with torch.no_grad():
        expected, found = network(image), several.eval()(image)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)


def test_the_second_learns_to_see_the_first(one) -> None:
    several = stacked(deep_supervision=True)
    initialise(several, str(one[1]))
    image = torch.rand(2, 3, 32, 32)
    kernel = several.backbone.stages[1].down[0][0].weight
    blocks = 6 * FORM["stem_stride"] ** 2  # image and coordinates
    assert (kernel[:, blocks:] == 0).all() and (kernel[:, :blocks] != 0).any()
    outputs = several(image)
    assert outputs["embedding_sides"].shape == (2, 2, 4, 32, 32)
    assert "seed_sides" not in outputs
    outputs["embedding"].square().sum().backward()
    assert kernel.grad[:, blocks:].abs().max() > 0
    with torch.no_grad():
        kernel -= 1e-2 * kernel.grad
        kernel.grad = None
    several.zero_grad()
    several(image)["embedding"].square().sum().backward()
    first = several.backbone.stages[0].down[0][0].weight.grad
    assert first.abs().max() > 0  # the way from the output to the first stage is open


def test_sides_are_the_heads_own_outputs() -> None:
    several = stacked(stages=3, deep_supervision=True)
    image = torch.rand(2, 3, 32, 32)
    outputs = several(image)
    features = several.backbone(torch.cat([image, several._position(image)], 1))
    for name in ("embedding", "semantic"):
        sides, head = outputs[f"{name}_sides"], several.heads[name]
        torch.testing.assert_close(sides[0], outputs[name])
        for side, own, feature in zip(sides, head.heads, features, strict=True):
            torch.testing.assert_close(side, own(feature))


def test_weights_of_another_kind_are_left_as_they_are() -> None:
    several = stacked()
    state = {"conv1.weight": torch.ones(4, 3, 3, 3)}
    assert several.backbone.adopted(state, several.state_dict()) == state


def test_one_stage_is_a_unet() -> None:
    with pytest.raises(ValueError, match="one stage is a unet"):
        stacked(stages=1)
