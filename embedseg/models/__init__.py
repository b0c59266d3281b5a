"""Networks by name: `build_network("unet")` returns one with an embedding and a semantic head."""

from collections.abc import Callable
from typing import Any

from embedseg.models.attention_unet import attention_unet
from embedseg.models.backbone import Backbone
from embedseg.models.efficientnet_lite0 import unet_efficientnet_lite0
from embedseg.models.enet import enet
from embedseg.models.erfnet import erfnet
from embedseg.models.esnet import esnet
from embedseg.models.network import EmbeddingNet, build_network
from embedseg.models.r2unet import r2unet
from embedseg.models.unet import unet
from embedseg.models.unet_3plus import unet_3plus
from embedseg.models.unet_plusplus import unet_plusplus

MODELS: dict[str, Callable[..., Any]] = {
    "attention-unet": attention_unet,
    "enet": enet,
    "erfnet": erfnet,
    "esnet": esnet,
    "r2unet": r2unet,
    "unet": unet,
    "unet++": unet_plusplus,
    "unet3+": unet_3plus,
    "unet-efficientnet-lite0": unet_efficientnet_lite0,
}

__all__ = ["MODELS", "Backbone", "EmbeddingNet", "build_network"]
