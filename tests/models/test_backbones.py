"""What every network must do, whatever its name."""

import copy
import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from embedseg.models import MODELS, EmbeddingNet, build_network
from embedseg.models.float32_conv import Float32Conv2d, needs_float32
from embedseg.models.heads import SideHeads
from embedseg.models.macs import count_macs


class Row(NamedTuple):
    """One published form: 19 classes, RGB; GMAC at 1x3x256x512."""

    name: str
    options: dict[str, Any]
    parameters: int
    gmac: float | None
    note: str = ""
    classes: int = 19
    size: tuple[int, int] = (256, 512)


# name, builder options, parameters, GMAC, note, classes
HEAD = "without {} of an encoder head that the form never calls"
WIDE: dict[str, Any] = {"width": 64, "max_width": 1024}
CEIL = "the published maps of 256x512 are 33x65, ours of 257x513"
ODD = (257, 513)
RES = {"depth": 18, "width": 8}
DEEP = {"deep_supervision": True}
ROWS = [
    Row("attention-unet", {}, 34_878_573, 132.9, classes=1),
    Row("enet", {}, 357_990, 1.03, HEAD.format("2,432")),
    Row("erfnet", {}, 2_064_191, 6.65, HEAD.format("2,451")),
    Row("esnet", {}, 1_659_071, 6.01, HEAD.format("2,451")),
    Row("fssnet", {}, 175_881, 0.65),
    Row("linknet", {}, 11_535_699, 5.44),
    Row("cgnet", {}, 496_306, 1.69),
    Row("contextnet", {}, 876_563, 0.42),
    Row("dabnet", {}, 756_643, 2.56),
    Row("edanet", {}, 689_485, 2.21),
    Row("espnet", {}, 201_542, 0.84),
    Row("espnet", {"q": 8}, 363_462, 1.17),
    Row("espnet", {"q": 8, "light": False}, 349_449, None, classes=20),
    Row("fast-scnn", {}, 1_138_051, 0.42),
    Row("fpenet", {}, 115_125, 0.36),
    Row("lanenet", {}, 540_590, None, "enet with stages 3 to 5 twice"),
    Row("lednet", {}, 922_821, 2.80),
    Row("banet", {}, 62_146, None, "no reference: our own count of our reading", classes=1),
    Row("basenet", {}, 1_598_079, 5.86),
    Row("bisenet", {}, 13_042_643, 10.22),
    Row("c3net", {}, 191_614, None, classes=20),
    Row("espnetv2", {}, 1_252_058, 1.41, "without 480 of activations that the form never calls"),
    Row("espnetv2", {"scale": 1.0}, 340_558, None, "without 224 likewise", classes=20),
    Row("extremec3net", {}, 37_738, 0.334, "0.128 at 224x224", classes=1),
    Row("portraitnet", {}, 2_080_760, 0.944, "0.963 with the edge head", classes=2),
    Row("portraitnet", {"grouped": True}, 1_905_400, None, classes=2),
    Row("sinet", {}, 86_910, 0.167, "0.064 at 224x224", classes=2),
    Row("sinet", {"form": "cityscapes"}, 119_418, None),
    Row("ccnet", DEEP, 71_287_911, 158.7, CEIL, size=ODD),
    Row("deeplabv2", DEEP, 44_601_560, None, "all four dilations", size=ODD),
    Row(
        "deeplabv2", DEEP | {"dilations": (6, 12)}, 43_550_860, 94.8, "without dead ones", size=ODD
    ),
    Row("deeplabv3plus", {}, 40_351_667, None, "no reference: our own count"),
    Row("dfanet", DEEP, 2_503_089, 3.89, "without 193,000 of a classifier"),
    Row("dfn", DEEP | {"border": True}, 90_209_467, 138.6, "without 8,421 that are never called"),
    Row("dfseg", {"version": "v1"}, 9_220_659, 2.26, "without 513,000 of a classifier"),
    Row("dfseg", {}, 18_674_739, 5.78, "without 513,000 of a classifier"),
    Row("encnet", DEEP | {"presence": 19}, 35_996_505, None),
    Row("encnet", DEEP | {"presence": 19, "depth": 101}, 54_988_633, None),
    Row("galdnet", DEEP, 52_402_662, None),
    Row("galdnet", DEEP | {"depth": 101}, 71_394_790, None),
    Row("highresnet", {"last_norm": True}, 275_814, None),
    Row("icnet", DEEP, 47_489_184, None),
    Row("icnet", {}, 47_484_320, 8.20, "rounded up within, as 256x512", size=(258, 514)),
    Row("pspnet", DEEP, 51_445_222, None),
    Row("pspnet", {}, 46_715_347, 96.2, CEIL, size=ODD),
    Row("swiftnet", {}, 11_797_071, 6.47),
    Row("vnet", {}, 14_588_691, None, "no reference: our own count"),
    Row("r2unet", {}, 39_091_393, 305.0, classes=1),
    Row("r2unet", {"attention": True}, 39_442_925, 307.1, classes=1),
    Row("segnet", {}, 29_453_971, 81.4),
    Row("sqnet", {}, 16_262_771, 36.0),
    Row("unet", {}, 7_763_635, 24.22, "our default: no biases, norms in the decoder too"),
    Row("unet", {"form": "shawnbit"}, 7_764_659, 24.22),
    Row("unet", {"form": "shawnbit"} | WIDE, 31_040_851, 96.49),
    Row("unet", {"form": "leejunhyun"} | WIDE, 34_527_041, 130.7, classes=1),
    Row("unet", {"form": "zju"} | WIDE, 39_396_033, 109.3, classes=1),
    Row("unet", {"form": "bilinear", "width": 64}, 13_396_499, 62.0, "no dead 1,393,600"),
    Row("unet++", {"form": "shawnbit"} | DEEP, 9_048_620, 59.89),
    Row("unet++", {"form": "shawnbit"} | DEEP | WIDE, 36_170_764, 238.7),
    Row("unet++", {"form": "zju"} | DEEP | WIDE, 47_176_132, 270.3, classes=1),
    Row("unet3+", {}, 26_971_777, 395.3, classes=1),
    Row("unet3+", DEEP, 26_989_637, 395.4, classes=1),
    Row("unet3+", DEEP | {"presence": True}, 26_991_687, 395.4, classes=1),
    Row("unet-efficientnet-lite0", {"pretrained": False}, 3_827_539, None, "decoder of our own"),
]

# Options that make a network small, for tests that compute; the published width where absent.
TINY: dict[str, Any] = {"width": 4, "depth": 2}
SMALL: dict[str, dict[str, Any]] = {
    "attention-unet": TINY,
    "linknet": {"width": 8},
    "segnet": {"width": 4},
    "sqnet": {"width": 0.1},
    "cgnet": {"blocks": (2, 2)},
    "edanet": {"growth": 8},
    "banet": {"width": 32},
    "bisenet": {"width": 8},
    "espnetv2": {"scale": 0.5},
    **dict.fromkeys(("ccnet", "deeplabv2", "galdnet", "icnet", "pspnet"), RES | DEEP),
    "deeplabv3plus": RES,
    "dfanet": DEEP,
    "dfn": RES | DEEP | {"border": True},
    "dfseg": {"width": 8, "version": "v1"},
    "encnet": RES | DEEP | {"presence": 5},
    "swiftnet": {"width": 8},
    "vnet": {"width": 2},
    "r2unet": TINY | {"attention": True},
    "unet": TINY,
    "unet++": TINY | DEEP,
    "unet3+": TINY | DEEP | {"presence": True},
    "unet-efficientnet-lite0": {"pretrained": False, "width": 0.2},
}

NAMES = sorted(MODELS)
# torch 2.13 exports them for the size of the example alone: their poolings and halvings give sizes
# that its symbolic shapes cannot compare
EXPORTED_FOR_ONE_SIZE = ("espnetv2", "sqnet")


def small(name: str, **options: Any) -> EmbeddingNet:
    """The network at small width, seeded."""
    torch.manual_seed(0)
    return build_network(name, embedding_dim=4, options=SMALL.get(name, {}) | options)


def fails_in_bfloat16(layer: nn.Module) -> bool:
    """Tell whether the layer must not be left to mixed precision on a processor."""
    return isinstance(layer, nn.Conv2d) and needs_float32(
        layer.kernel_size, layer.groups, max(layer.dilation)
    )


def test_every_network_has_a_published_row() -> None:
    assert {row.name for row in ROWS} == set(MODELS)


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda r: "-".join([r.name, *map(str, r.options.values())])
)
def test_published_form(row: Row) -> None:
    with torch.device("meta"):  # shapes only: no memory, little time
        backbone = MODELS[row.name](**row.options).eval()
        head = backbone.make_head(row.classes).eval()
        image = torch.empty(1, 3, *row.size)
    net = nn.ModuleList([backbone, head])
    assert sum(p.numel() for p in net.parameters()) == row.parameters

    def published(x: torch.Tensor) -> None:
        features = backbone(x)
        maps = features if torch.is_tensor(features) else features[0]
        coarse = tuple(math.ceil(s / backbone.stride) for s in row.size)
        assert maps.shape == (1, backbone.out_channels, *coarse)
        full = tuple(s * backbone.stride for s in coarse)
        # the published counts have the side heads, which only the training needs
        outputs = head.sides(features) if isinstance(head, SideHeads) else [head(features)]
        assert outputs[0].shape == (1, row.classes, *full)

    macs = count_macs(published, net, image)
    assert row.gmac is None or macs / 1e9 == pytest.approx(row.gmac, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_embedding_form(name: str) -> None:
    net, twin = small(name), small(name)
    for (key, a), b in zip(net.state_dict().items(), twin.state_dict().values(), strict=True):
        assert torch.equal(a, b), f"{key} differs between two builds with one seed"
    assert all(isinstance(m, Float32Conv2d) for m in net.modules() if fails_in_bfloat16(m))

    out = net(torch.randn(2, 3, 33, 47))
    sum(v.square().mean() for v in out.values()).backward()
    for key, p in net.named_parameters():
        assert p.grad is not None, f"{key} takes no part"
        assert torch.isfinite(p.grad).all(), key

    twin.load_state_dict(copy.deepcopy(net.state_dict()), strict=True)
    net.eval()
    twin.eval()
    for size in [(17, 23), (64, 64)]:
        image = torch.randn(1, 3, *size)
        with torch.no_grad():
            first, second = net(image), twin(image)
        assert first["embedding"].shape == (1, 4, *size)
        assert first["semantic"].shape == (1, 1, *size)
        for key, value in first.items():
            assert torch.isfinite(value).all()
            assert torch.equal(value, second[key]), f"{key} differs after a state-dict round trip"


@pytest.mark.parametrize("name", NAMES)
def test_group_norm_at_native_stride(name: str) -> None:
    torch.manual_seed(0)
    options = SMALL.get(name, {}) | {"norm": "group"}
    backbone = MODELS[name](**options)
    batch = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    assert not any(isinstance(m, batch) for m in backbone.modules())
    net = EmbeddingNet(backbone, coordinates=False, output_stride=backbone.stride)
    with torch.no_grad():
        out = net(torch.randn(1, 3, 17, 23))  # in training mode, one image
    coarse = tuple(math.ceil(s / backbone.stride) for s in (17, 23))
    assert out["embedding"].shape[2:] == coarse
    assert all(torch.isfinite(v).all() for v in out.values())


@pytest.mark.parametrize("name", NAMES)
def test_three_dimensions_or_a_refusal(name: str) -> None:
    try:
        net = small(name, ndim=3)
    except ValueError as error:
        assert "3D" in str(error) or "ndim" in str(error)
        return
    with torch.no_grad():
        out = net.eval()(torch.randn(1, 3, 5, 17, 9))
    assert out["embedding"].shape == (1, 4, 5, 17, 9)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_export(name: str) -> None:
    """For any size, but for the listed exceptions, which are exported for one size."""
    net = small(name).eval()
    free = {"image": {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}}
    shapes = None if name in EXPORTED_FOR_ONE_SIZE else free
    program = torch.export.export(net, (torch.randn(1, 3, 100, 131),), dynamic_shapes=shapes)
    for size in [(77, 65), (128, 160)] if shapes else [(100, 131)]:
        image = torch.randn(1, 3, *size)
        with torch.no_grad():
            want, got = net(image), program.module()(image)
        for key, value in want.items():
            assert torch.allclose(value, got[key], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(256, 512), (251, 333), (64, 64)])
@pytest.mark.parametrize("name", NAMES)
def test_full_width(name: str, size: tuple[int, int]) -> None:
    options = {"pretrained": False} if "pretrained" in SMALL.get(name, {}) else {}
    torch.manual_seed(0)
    net = build_network(name, options=options).eval()
    with torch.no_grad():
        out = net(torch.rand(1, 3, *size))
    assert out["embedding"].shape == (1, 16, *size)
    assert all(torch.isfinite(v).all() for v in out.values())
