"""The embedding network around a backbone: coordinates, padding, strides, refusals."""

import math

import pytest
import torch
from torch import Tensor, nn

from embedseg.models import Backbone, EmbeddingNet, build_network
from embedseg.models.blocks import Layers, space_to_depth, unpool
from embedseg.models.heads import pointwise_head
from embedseg.models.network import RARE


class Identity(Backbone):
    """Returns the padded input itself at 1/stride."""

    def __init__(self, channels: int, stride: int = 1, divisor: int = 8) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels
        self.stride, self.divisor = stride, divisor
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return x[..., :: self.stride, :: self.stride]

    def make_head(self, channels: int) -> nn.Module:
        return pointwise_head(self.out_channels, channels, Layers())


def test_coordinates_span_the_image_and_not_its_padding() -> None:
    backbone = Identity(4)
    EmbeddingNet(backbone)(torch.zeros(2, 1, 5, 9))
    x, y, radius = backbone.seen[0][1, 1:]
    assert x.shape == (8, 16)
    assert torch.allclose(x[0, :9], torch.linspace(-1, 1, 9))
    assert torch.allclose(y[:5, 0], torch.linspace(-1, 1, 5))
    assert x[2, 4] == y[2, 4] == radius[2, 4] == 0
    assert radius[0, 0] == pytest.approx(2**0.5)
    assert torch.equal(x[:, 9:], torch.ones(8, 7))  # the border is repeated


def test_three_coordinates_and_a_radius_in_3d() -> None:
    backbone = Identity(5)
    backbone.ndim = 3
    net = EmbeddingNet(backbone)
    net._check(torch.zeros(1, 1, 2, 3, 4))
    maps = net._position(torch.zeros(1, 1, 2, 3, 4))[0]
    assert maps.shape == (4, 2, 3, 4)
    assert maps[0, 0, 0].tolist() == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert maps[2, :, 0, 0].tolist() == [-1, 1]


def test_waves_are_the_same_at_a_place_whatever_the_size() -> None:
    net = EmbeddingNet(Identity(9), coordinates=False, waves=(8.0, 32.0))
    small, large = (net._position(torch.zeros(1, 1, s, 2 * s))[0] for s in (16, 64))
    assert small.shape == (8, 16, 32)
    assert torch.allclose(small, large[:, :16, :32])
    assert torch.allclose(small[:4, :8], small[:4, 8:], atol=1e-5)  # wavelength 8 along y
    assert torch.allclose(small[0, 0, :8], torch.sin(torch.arange(8) * torch.pi / 4), atol=1e-6)
    assert torch.allclose(small[4:6].square().sum(0), torch.ones(16, 32))  # sine and cosine
    with pytest.raises(ValueError, match="wavelengths of at least 2 pixels"):
        EmbeddingNet(Identity(9), coordinates=False, waves=(8.0, 1.0))


def test_coordinate_maps_are_kept_for_a_size_and_not_saved() -> None:
    net = EmbeddingNet(Identity(4))
    first = net._position(torch.zeros(1, 1, 5, 9))
    second = net._position(torch.zeros(3, 1, 5, 9))
    assert first.data_ptr() == second.data_ptr()
    assert not any("maps" in key for key in net.state_dict())
    for width in range(2, 40):
        net._position(torch.zeros(1, 1, 2, width))
    assert len(net._maps) <= 8


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 31)])
def test_outputs_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    out = EmbeddingNet(Identity(4), embedding_dim=5, classes=3)(torch.rand(2, 1, *size))
    assert out["embedding"].shape == (2, 5, *size)
    assert out["semantic"].shape == (2, 3, *size)


def test_coarse_outputs_round_the_size_up_and_lie_on_the_same_grid() -> None:
    net = EmbeddingNet(Identity(1, stride=4), coordinates=False, output_stride=4)
    with torch.no_grad():
        for head in net.heads.values():
            head.weight.fill_(1)
            head.bias.zero_()
    image = torch.rand(1, 1, 9, 13)
    out = net(image)["semantic"]
    assert out.shape == (1, 1, 3, 4)
    assert torch.equal(out, image[..., ::4, ::4])


def test_learned_decoder_reaches_any_stride() -> None:
    for output_stride in (1, 2, 4):
        net = EmbeddingNet(Identity(6, stride=8), decoder="learned", output_stride=output_stride)
        out = net(torch.rand(1, 3, 17, 23))["embedding"]
        assert out.shape[2:] == (-(-17 // output_stride), -(-23 // output_stride))


def test_bilinear_decoder_interpolates_one_convolution() -> None:
    net = EmbeddingNet(Identity(4, stride=4, divisor=4), decoder="bilinear")
    out = net(torch.rand(1, 1, 8, 12))["embedding"]
    coarse = net.heads["embedding"].last(net.backbone.seen[0][..., ::4, ::4])
    want = torch.nn.functional.interpolate(coarse, (8, 12), mode="bilinear", align_corners=False)
    assert torch.allclose(out, want)


def test_learned_decoder_sees_single_pixels_of_the_image() -> None:
    torch.manual_seed(0)
    net = EmbeddingNet(Identity(4, stride=8), decoder="learned").eval()
    image = torch.zeros(1, 1, 16, 16)
    changed = image.clone()
    changed[..., 5, 6] = 1  # off the grid that the features were taken from
    assert not torch.equal(net(image)["embedding"], net(changed)["embedding"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build_network("ernet"), "unknown model 'ernet'; did you mean 'e"),
        (lambda: build_network("unet", options={"widht": 8}), "unknown unet option 'widht'"),
        (lambda: build_network("unet", options={"in_channels": 8}), "unknown unet option"),
        (lambda: build_network("unet", options={"norm": "bach"}), "did you mean 'batch'"),
        (lambda: build_network("unet", options={"stem_stride": 3}), "stem_stride"),
        (lambda: build_network("unet", embedding_dim=0), "embedding_dim must be >= 1"),
        (lambda: build_network("unet", in_channels=0), "in_channels must be >= 1, got 0"),
        (lambda: build_network("unet", waves=[4, math.nan]), "at least 2 pixels, got .4, nan"),
        (lambda: build_network("unet", waves=[math.inf]), "at least 2 pixels, got .inf"),
        (lambda: build_network("unet", output_stride=2), "output_stride of UNet"),
        (lambda: build_network("unet", decoder="learned"), "decoder='learned'"),
        (lambda: build_network("unet", decoder="bilinear"), "decoder='bilinear'"),
        (lambda: build_network("lednet", decoder="published"), "at least 2 output channels, got 1"),
        (lambda: build_network("sinet", decoder="published"), "at least 2 output channels, got 1"),
        (lambda: build_network("enet", options={"ndim": 3}), "enet has no 3D form"),
        (lambda: EmbeddingNet(Identity(3)), "leaves none for the image"),
        (lambda: EmbeddingNet(Identity(4))(torch.zeros(1, 3, 8, 8)), "image must be"),
        (lambda: EmbeddingNet(Identity(4))(torch.zeros(1, 8, 8)), "image must be"),
    ],
)
def test_refusals_say_what_to_do(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_unpool_puts_maxima_back() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4) * torch.tensor([1.0, -1.0, 1.0, -1.0])
    pooled, places = torch.nn.functional.max_pool2d(x, 2, return_indices=True)
    back = unpool(pooled, places)
    assert back[0, 0].tolist() == [[0, 0, 0, 0], [4, 0, 6, 0], [0, 0, 0, 0], [12, 0, 14, 0]]
    assert torch.equal(back, torch.nn.functional.max_unpool2d(pooled, places, 2))


def test_space_to_depth_keeps_every_value_in_2d_and_3d() -> None:
    x = torch.arange(2 * 4 * 6.0).view(1, 2, 4, 6)
    assert torch.equal(space_to_depth(x, 2), torch.nn.functional.pixel_unshuffle(x, 2))
    v = torch.arange(8.0 * 4).view(1, 1, 4, 2, 4)
    out = space_to_depth(v, 2)
    assert out.shape == (1, 8, 2, 1, 2)
    assert out[0, :, 1, 0, 1].tolist() == v[0, 0, 2:, :, 2:].flatten().tolist()


@pytest.mark.parametrize("name", ["unet", "enet", "erfnet", "unet++"])
def test_an_untrained_centre_head_is_silent_and_can_learn(name: str) -> None:
    torch.manual_seed(0)
    net = build_network(name, centre_head=True, embedding_dim=4)
    found = net(torch.rand(2, 3, 64, 64))["centre"]
    assert torch.equal(found, torch.full_like(found, RARE))
    found.square().mean().backward()
    head = [p.grad for p in net.heads["centre"].parameters()]
    assert any(g is not None and g.abs().max() > 0 for g in head)
    body = [p.grad for p in net.backbone.parameters() if p.grad is not None]
    assert all(g.abs().max() == 0 for g in body)  # learned features are left in peace


def test_side_heads_that_serve_the_training_rest_in_prediction() -> None:
    options = {"width": 4, "depth": 2, "deep_supervision": True}
    net = build_network("unet3+", decoder="published", options=options)
    called = []
    for index, head in enumerate(net.heads["embedding"].heads):
        head.register_forward_hook(lambda *_, index=index: called.append(index))
    image = torch.rand(2, 3, 64, 64)
    net(image)
    assert sorted(called) == list(range(len(net.heads["embedding"].heads)))  # each of them once
    called.clear()
    net.eval()(image)
    assert called == [0]
