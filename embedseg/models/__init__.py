"""Networks by name: `build_network("unet")` returns one with an embedding and a semantic head."""

from collections.abc import Callable
from functools import partial
from typing import Any

from embedseg.models.attention_unet import attention_unet
from embedseg.models.backbone import Backbone
from embedseg.models.banet import banet
from embedseg.models.basenet import basenet
from embedseg.models.bisenet import bisenet
from embedseg.models.c3net import c3net
from embedseg.models.ccnet import ccnet
from embedseg.models.cgnet import cgnet
from embedseg.models.contextnet import contextnet
from embedseg.models.dabnet import dabnet
from embedseg.models.deeplabv2 import deeplabv2
from embedseg.models.deeplabv3plus import deeplabv3plus
from embedseg.models.dfanet import dfanet
from embedseg.models.dfn import dfn
from embedseg.models.dfseg import dfseg
from embedseg.models.edanet import edanet
from embedseg.models.efficientnet_lite0 import unet_efficientnet_lite0
from embedseg.models.encnet import encnet
from embedseg.models.enet import enet
from embedseg.models.erfnet import erfnet
from embedseg.models.esnet import esnet
from embedseg.models.espnet import espnet
from embedseg.models.espnetv2 import espnetv2
from embedseg.models.extremec3net import extremec3net
from embedseg.models.fast_scnn import fast_scnn
from embedseg.models.fpenet import fpenet
from embedseg.models.fssnet import fssnet
from embedseg.models.galdnet import galdnet
from embedseg.models.highresnet import highresnet
from embedseg.models.icnet import icnet
from embedseg.models.lanenet import lanenet
from embedseg.models.lednet import lednet
from embedseg.models.linknet import linknet
from embedseg.models.network import EmbeddingNet, build_network
from embedseg.models.portraitnet import portraitnet
from embedseg.models.pspnet import pspnet
from embedseg.models.r2unet import r2unet
from embedseg.models.segnet import segnet
from embedseg.models.sinet import sinet
from embedseg.models.sqnet import sqnet
from embedseg.models.swiftnet import swiftnet
from embedseg.models.timm_unet import PREFIX, unet_timm
from embedseg.models.unet import unet
from embedseg.models.unet_3plus import unet_3plus
from embedseg.models.unet_plusplus import unet_plusplus
from embedseg.models.vnet import vnet
from embedseg.names import unknown

MODELS: dict[str, Callable[..., Any]] = {
    "attention-unet": attention_unet,
    "banet": banet,
    "basenet": basenet,
    "bisenet": bisenet,
    "c3net": c3net,
    "ccnet": ccnet,
    "cgnet": cgnet,
    "contextnet": contextnet,
    "dabnet": dabnet,
    "deeplabv2": deeplabv2,
    "deeplabv3plus": deeplabv3plus,
    "dfanet": dfanet,
    "dfn": dfn,
    "dfseg": dfseg,
    "edanet": edanet,
    "encnet": encnet,
    "enet": enet,
    "erfnet": erfnet,
    "esnet": esnet,
    "espnet": espnet,
    "espnetv2": espnetv2,
    "extremec3net": extremec3net,
    "fast-scnn": fast_scnn,
    "fpenet": fpenet,
    "fssnet": fssnet,
    "galdnet": galdnet,
    "highresnet": highresnet,
    "icnet": icnet,
    "lanenet": lanenet,
    "lednet": lednet,
    "linknet": linknet,
    "portraitnet": portraitnet,
    "pspnet": pspnet,
    "r2unet": r2unet,
    "segnet": segnet,
    "sinet": sinet,
    "sqnet": sqnet,
    "swiftnet": swiftnet,
    "unet": unet,
    "unet++": unet_plusplus,
    "unet-efficientnet-lite0": unet_efficientnet_lite0,
    "unet3+": unet_3plus,
    "vnet": vnet,
}


def find_builder(name: str) -> Callable[..., Any]:
    """Return the builder of a name of MODELS, or of "timm:ENCODER"; ValueError for another."""
    if name.startswith(PREFIX):
        return partial(unet_timm, name.removeprefix(PREFIX))
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    return MODELS[name]


__all__ = ["MODELS", "Backbone", "EmbeddingNet", "build_network", "find_builder"]
