"""Networks by name: `build_network("unet")` returns one with an embedding and a semantic head."""

from collections.abc import Callable
from typing import Any

from embedseg.models.backbone import Backbone
from embedseg.models.efficientnet_lite0 import unet_efficientnet_lite0
from embedseg.models.enet import enet
from embedseg.models.erfnet import erfnet
from embedseg.models.network import EmbeddingNet, build_network
from embedseg.models.unet import unet

MODELS: dict[str, Callable[..., Any]] = {
    "enet": enet,
    "erfnet": erfnet,
    "unet": unet,
    "unet-efficientnet-lite0": unet_efficientnet_lite0,
}

__all__ = ["MODELS", "Backbone", "EmbeddingNet", "build_network"]
