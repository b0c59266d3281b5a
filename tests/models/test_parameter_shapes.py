"""Networks have the same multiset of parameter shapes as those of the package pytorchcv."""

import importlib
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from embedseg.models import MODELS

pytest.importorskip("pytorchcv")

# our name, our options, their module and function, and what they have beside ours
DEEP = {"deep_supervision": True}
EQUAL: list[tuple[str, dict[str, Any], str]] = [
    ("cgnet", {}, "cgnet.cgnet_cityscapes"),
    ("contextnet", {}, "contextnet.ctxnet_cityscapes"),
    ("dabnet", {}, "dabnet.dabnet_cityscapes"),
    ("edanet", {}, "edanet.edanet_cityscapes"),
    ("erfnet", {}, "erfnet.erfnet_cityscapes"),
    ("fast-scnn", {}, "fastscnn.fastscnn_cityscapes"),
    ("fpenet", {}, "fpenet.fpenet_cityscapes"),
    ("icnet", DEEP, "icnet.icnet_resnetd50b_cityscapes"),
    ("lednet", {}, "lednet.lednet_cityscapes"),
    ("linknet", {}, "linknet.linknet_cityscapes"),
    ("segnet", {}, "segnet.segnet_cityscapes"),
    ("sinet", {"form": "cityscapes"}, "sinet.sinet_cityscapes"),
    ("sqnet", {}, "sqnet.sqnet_cityscapes"),
    ("unet", {"form": "bilinear", "width": 64}, "unet.unet_cityscapes"),
]


def ours(name: str, options: dict[str, Any]) -> Counter[tuple[int, ...]]:
    with torch.device("meta"):
        backbone = MODELS[name](**options)
        net = nn.ModuleList([backbone, backbone.make_head(19)])
    return Counter(tuple(p.shape) for p in net.parameters())


def keep_names(self: nn.Sequential, index: int) -> None:
    """Delete from a Sequential as torch did when that package was written: names stay."""
    del self._modules[list(self._modules)[index]]


def theirs(path: str) -> Counter[tuple[int, ...]]:
    module, function = path.split(".")
    builder = getattr(importlib.import_module(f"pytorchcv.models.{module}"), function)
    aux = {"aux": True} if module == "icnet" else {"aux": False}
    with torch.device("meta"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Sequential, "__delitem__", keep_names)
        net = builder(num_classes=19, **aux)
    return Counter(tuple(p.shape) for p in net.parameters())


@pytest.mark.parametrize(("name", "options", "path"), EQUAL, ids=lambda v: str(v))
def test_same_shapes(name: str, options: dict[str, Any], path: str) -> None:
    assert ours(name, options) == theirs(path)


def test_enet_differs_by_shared_slopes() -> None:
    """They give every PReLU of an encoder block its own slope; the reference count shares one."""
    assert theirs("enet.enet_cityscapes") - ours("enet", {}) == Counter({(1,): 70})


def test_esnet_differs_by_shared_norms() -> None:
    """They give each parallel branch its own norm; the authors share one."""
    assert theirs("esnet.esnet_cityscapes") - ours("esnet", {}) == Counter({(128,): 12})
