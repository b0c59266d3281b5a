"""What is known of every network: `embedseg backbones` prints it.

Parameters and multiply-accumulates are of the network as `build_network(name)` makes it (16
embedding dimensions, one class, coordinates) at 1x3x256x512, stored here because counting all of
them takes seconds; a test counts again. "Use when" is a judgement of the structure, not a
measurement.
"""

import functools
import importlib
import inspect
from typing import NamedTuple

from embedseg.models.context import CONTEXTS

ESN = "MIT (Efficient-Segmentation-Networks)"
FAST = "Apache-2.0 (Fast_Seg)"
UNKNOWN = "not recorded"


class Entry(NamedTuple):
    """Millions of parameters, GMAC, licence of the code the idea comes with, and advice."""

    parameters: float
    gmac: float
    licence: str
    when: str


NETWORKS: dict[str, Entry] = {
    "attention-unet": Entry(34.88, 133.2, UNKNOWN, "a U-Net drags clutter along its skips"),
    "banet": Entry(0.067, 0.505, "no original code", "tiny models; borders as attention"),
    "basenet": Entry(1.573, 5.293, "MIT (RTS)", "a plain encoder to compare with"),
    "bisenet": Entry(12.99, 11.22, FAST, "real time on large pictures, wide context"),
    "c3net": Entry(0.261, 1.383, "MIT (c3_sinet)", "edge devices, street scenes"),
    "ccnet": Entry(66.71, 143.4, "MIT", "far context matters and a GPU is there"),
    "cgnet": Entry(0.586, 2.669, ESN, "small models, cluttered scenes"),
    "contextnet": Entry(0.927, 1.081, ESN, "fastest on large pictures, large objects"),
    "dabnet": Entry(0.846, 3.532, ESN, "small models with a wide view"),
    "deeplabv2": Entry(43.11, 94.10, "non-commercial (AdaptSegNet)", "domain adaptation baselines"),
    "deeplabv3plus": Entry(40.40, 36.22, UNKNOWN, "a strong known baseline, own ResNet weights"),
    "dfanet": Entry(1.840, 0.752, FAST, "very few operations, moderate size"),
    "dfn": Entry(87.67, 134.1, "MIT (TorchSeg)", "touching objects: border network, GPU"),
    "dfseg": Entry(18.58, 6.127, FAST, "real time on a GPU"),
    "edanet": Entry(0.826, 3.604, "pictures of code only", "small models, dense reuse of maps"),
    "encnet": Entry(33.78, 74.84, "MIT", "several classes that depend on the scene"),
    "enet": Entry(0.359, 1.052, ESN, "lanes, small models, full-resolution decoder"),
    "erfnet": Entry(2.0652, 6.665, "CC-BY-NC", "first choice of the light networks"),
    "esnet": Entry(1.664, 6.151, "MIT", "like erfnet, larger kernels"),
    "espnet": Entry(0.272, 1.487, ESN, "tiny models"),
    "espnetv2": Entry(1.336, 2.325, ESN, "phones: depthwise convolutions"),
    "extremec3net": Entry(0.041, 0.431, "MIT", "the smallest: one large object in view"),
    "fast-scnn": Entry(1.188, 1.079, ESN, "fastest on large pictures"),
    "fpenet": Entry(0.117, 0.428, ESN, "tiny models, features at 1/2"),
    "fssnet": Entry(0.176, 0.657, ESN, "tiny models, learned full-resolution decoder"),
    "galdnet": Entry(47.83, 103.5, "MIT", "small objects beside large ones, GPU"),
    "highresnet": Entry(0.276, 35.99, "Apache-2.0 (NiftyNet)", "thin structures, volumes"),
    "icnet": Entry(47.54, 8.748, FAST, "large pictures, quality at three scales"),
    "lanenet": Entry(0.542, 1.530, "no original code", "lanes: one encoder, two branches"),
    "lednet": Entry(0.963, 3.452, "MIT", "small models"),
    "linknet": Entry(11.54, 5.738, ESN, "fast U-Net-like, own ResNet-18 weights"),
    "portraitnet": Entry(2.083, 1.114, "no licence file", "phones, full-resolution decoder"),
    "pspnet": Entry(46.87, 93.68, FAST, "scene context, GPU"),
    "r2unet": Entry(39.09, 305.1, UNKNOWN, "few images, time to spare"),
    "segnet": Entry(29.45, 81.46, ESN, "comparison with older work"),
    "sinet": Entry(0.143, 0.846, "MIT", "tiny models, one large object in view"),
    "sqnet": Entry(16.26, 35.94, ESN, "without norms: any batch size"),
    "swiftnet": Entry(11.83, 7.506, "GPL-3", "real time with own ResNet-18 weights"),
    "unet": Entry(7.764, 24.32, "none (UNet-family)", "first choice for few images"),
    "unet++": Entry(9.047, 59.76, "none (UNet-family)", "small objects, deep supervision"),
    "unet-efficientnet-lite0": Entry(3.828, 3.041, "Apache-2.0", "few images: ImageNet weights"),
    "unet3+": Entry(27.02, 401.6, UNKNOWN, "every level sees all scales; the slowest"),
    "vnet": Entry(14.59, 47.73, "Apache-2.0 (NiftyNet)", "volumes"),
}
TIMM = "embedseg.models.timm_unet"
ANY = ("timm:ENCODER", "Apache-2.0", "a convolutional encoder of timm you know (extra `timm`)")
HEAD = ("name", "params", "GMAC", "stride", "dims", "licence of the original code", "use when")


@functools.cache
def rows() -> tuple[tuple[str, ...], ...]:
    """Return the fields of HEAD, then the paper, for every network; stride is the features'."""
    import torch

    from embedseg.models import MODELS

    found: list[tuple[str, ...]] = []
    for name, builder in MODELS.items():
        entry = NETWORKS[name]
        known = inspect.signature(builder).parameters
        options = {"pretrained": False} if "pretrained" in known else {}
        with torch.device("meta"):
            stride = builder(**options).stride
        found.append(
            (
                name,
                f"{entry.parameters:.2f} M",
                f"{entry.gmac:.1f}",
                f"1/{stride}" if stride > 1 else "1",
                "2D 3D" if "ndim" in known else "2D",
                entry.licence,
                entry.when,
                paper(builder.__module__),
            )
        )
    return tuple(found)


def paper(module: str) -> str:
    """Return the first line of a network's file: its name and its paper."""
    text = inspect.getdoc(importlib.import_module(module)) or ""
    return text.splitlines()[0].rstrip(".")


def table() -> str:
    """Return the networks as aligned text, each followed by its paper."""
    every = rows()
    lines = [HEAD, *(row[:-1] for row in every)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEAD) - 1)]
    out = ["  ".join([*map(str.ljust, HEAD, widths), HEAD[-1]])]
    for row in every:
        out.append("  ".join([*map(str.ljust, row[:-2], widths), row[-2]]))
        out.append(f"    {row[-1]}")
    return "\n".join([*out, f"{ANY[0]}  {ANY[2]}", f"    {paper(TIMM)}"])


def describe(name: str) -> str:
    """Return one network's fields, description and options; ValueError for an unknown name."""
    from embedseg.models import find_builder

    builder = find_builder(name)
    found = [row for row in rows() if row[0] == name]
    fields = found[0] if found else (name, "", "", "", "2D", ANY[1], ANY[2], paper(TIMM))
    pairs = zip((*HEAD, "paper"), fields, strict=True)
    facts = [f"{key:<30}{value}" for key, value in pairs if value]
    parameters = inspect.signature(builder).parameters.values()
    options = [f"    {p.name}={p.default!r}" for p in parameters if p.name != "in_channels"]
    context = "    context=None   one of " + ", ".join(CONTEXTS)
    text = inspect.getdoc(getattr(builder, "func", builder)) or ""
    return "\n".join([*facts, "", text, "", "options:", *options, context])
