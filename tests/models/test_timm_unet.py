"""timm's encoders, by a small stand-in with timm's documented interface, and the real one."""

import sys
import types

import pytest
import torch
from torch import nn

from embedseg.models import build_network
from embedseg.models.catalogue import describe, table
from embedseg.models.timm_unet import unet_timm

PYRAMIDS = {
    "resnet9": ([8, 16, 24], [2, 4, 8]),
    "convnext_nano": ([8, 16], [4, 8]),
    "vgg3": ([4, 8, 16], [1, 2, 4]),
    "vit_tiny": ([8, 8], [16, 16]),
}


class Info:
    def __init__(self, channels, strides):
        self._channels, self._strides = channels, strides

    def channels(self):
        return self._channels

    def reduction(self):
        return self._strides


class Encoder(nn.Module):
    """Strided convolutions; the maps of "convnext_nano" come with the channels last."""

    def __init__(self, name, in_chans, pretrained):
        super().__init__()
        channels, strides = PYRAMIDS[name]
        self.feature_info, self.turned = Info(channels, strides), name == "convnext_nano"
        inputs, steps = [in_chans, *channels], [strides[0], *(2 for _ in strides[1:])]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, s, s) for i, o, s in zip(inputs, channels, steps, strict=False)
        )
        if pretrained:  # timm repeats the kernels over RGB, times 3 / in_chans
            rgb = torch.arange(3.0) + 1
            repeated = rgb.repeat(in_chans)[:in_chans] * 3 / in_chans
            nn.init.zeros_(self.convs[0].weight).add_(repeated[:, None, None])

    def forward(self, x):
        maps = []
        for conv in self.convs:
            x = conv(x).relu()
            maps.append(x.permute(0, 2, 3, 1) if self.turned else x)
        return maps


@pytest.fixture
def timm(monkeypatch):
    """A module `timm` with create_model, is_model and list_models."""
    module = types.ModuleType("timm")

    def create_model(name, *, pretrained, features_only, in_chans):
        assert features_only
        with torch.no_grad():
            return Encoder(name, in_chans, pretrained)

    module.create_model, module.is_model = create_model, PYRAMIDS.__contains__
    module.list_models = lambda: list(PYRAMIDS)
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


@pytest.mark.parametrize("name", ["resnet9", "convnext_nano", "vgg3"])
def test_it_serves_as_any_network_does(timm, name) -> None:
    torch.manual_seed(0)
    net = build_network(f"timm:{name}", embedding_dim=4, seed_head=True)
    assert net.backbone.stride == 2
    out = net(torch.randn(2, 3, 33, 47))
    assert out["embedding"].shape == (2, 4, 33, 47)
    sum(v.square().mean() for v in out.values()).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key


def test_the_maps_meet_at_their_own_stride(timm) -> None:
    net = unet_timm("resnet9")
    assert net.factors == [2, 2]
    assert net.order == [1, 0]
    assert [step[0].in_channels for step in net.steps] == [24 + 16, 48 + 8]
    bare = unet_timm("convnext_nano", width=0.5)
    assert bare.factors == [2, 2]
    assert bare.order == [0, None]
    assert bare.out_channels == 16
    fine = unet_timm("vgg3")
    assert fine.factors == [2]
    assert fine.order == [1]


def test_pretrained_kernels_do_not_read_coordinates(timm) -> None:
    net = build_network("timm:resnet9", options={"pretrained": True})
    kernel = net.backbone.encoder.convs[0].weight
    assert kernel.shape[1] == 6
    torch.testing.assert_close(kernel[0, :, 0, 0], torch.tensor([1.0, 2, 3, 0, 0, 0]))


def test_refusals_are_one_sentence(timm, monkeypatch) -> None:
    with pytest.raises(ValueError, match=r"timm has no model 'resnet8'; did you mean resnet9\?"):
        build_network("timm:resnet8")
    with pytest.raises(ValueError, match=r"strides \[16, 16\], which is no pyramid"):
        build_network("timm:vit_tiny")
    with pytest.raises(ValueError, match="unknown timm:resnet9 option 'depth'"):
        build_network("timm:resnet9", options={"depth": 3})
    with pytest.raises(ValueError, match="no 3D form"):
        build_network("timm:resnet9", options={"ndim": 3})

    def broken(*args, **keywords):
        raise RuntimeError("features_only not implemented for this.\nmore")

    timm.create_model = broken
    with pytest.raises(ValueError, match=r"into an encoder \(features_only not implemented") as e:
        build_network("timm:resnet9")
    assert "more" not in str(e.value)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No", name="timm"), r"timm:a needs timm; install .*\[timm\]"),
        (
            ModuleNotFoundError("No", name="torchvision.ops"),
            "needs torchvision, which timm imports",
        ),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            "versions of torch, torchvision",
        ),
    ],
)
def test_without_timm_or_its_torchvision_it_says_what_to_install(monkeypatch, error, said) -> None:
    def refuse(name):
        raise error

    monkeypatch.setattr("embedseg.models.timm_unet.importlib.import_module", refuse)
    with pytest.raises(ValueError, match=said):
        build_network("timm:a")


def test_the_list_names_it() -> None:
    assert "timm:ENCODER" in table().splitlines()[-2]
    text = describe("timm:resnet50")
    assert "pretrained=False" in text
    assert "encoder=" not in text


def test_with_the_real_timm() -> None:
    pytest.importorskip("timm", reason="needs timm and torchvision", exc_type=ImportError)
    torch.manual_seed(0)
    net = build_network("timm:resnet18", embedding_dim=4).eval()
    with torch.no_grad():
        assert net(torch.randn(1, 3, 40, 65))["embedding"].shape == (1, 4, 40, 65)
    assert "backbone.encoder.layer1.0.conv1.weight" in net.state_dict()
