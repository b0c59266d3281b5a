"""What a worker computes of a sample beside image and labels, because the losses ask for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedseg.data import AugmentConfig
from embedseg.data.centres import centre_map
from embedseg.losses import LOSSES, DistanceCache
from embedseg.losses._module import keywords
from embedseg.training.config import TrainConfig

LIGHT = (  # of AugmentConfig
    "brightness", "contrast", "saturation", "hue", "blur", "noise", "shadow", "rain", "motion",
)  # fmt: skip
CACHE = 256  # megabytes a worker keeps of maps, where labels come back
MAPS = ("distance", "border_distance")  # keywords of losses that ask for maps


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Distance maps by their name in a batch, at every `stride`-th pixel, and the clean view.

    Their unit is the pixel at that stride, times the configured spacing. `clean` asks for the
    picture with the same geometry and its own colours, `centres` for the map of centres.
    """

    stride: int = 1
    maps: Mapping[str, DistanceCache]
    clean: bool = False
    centres: bool = False

    def of(self, semantic: NDArray[np.int64], labels: NDArray[np.int32]) -> dict[str, torch.Tensor]:
        """Return the maps at the stride, -1 where ignored.

        They are (C, *T) for the classes (*S), and "centre" (*T) for the labels (*S).
        """
        grid = tuple(slice(None, None, self.stride) for _ in semantic.shape)
        seen = semantic[grid]
        found = {name: torch.from_numpy(maps(seen).copy()) for name, maps in self.maps.items()}
        if self.centres:
            found["centre"] = torch.from_numpy(centre_map(labels[grid]))
        return found


def targets_of(config: TrainConfig) -> Targets:
    """Return what the losses of this configuration read."""
    loss, stride = config.loss, config.network.output_stride
    room = CACHE if same_geometry(config.augment) and not config.copy_paste else 0
    named: dict[str, Callable[..., Any]] = {k: LOSSES[k] for k in loss.foreground if k in LOSSES}
    maps: dict[str, DistanceCache] = {}
    for kind in MAPS:
        users = [name for name, function in named.items() if kind in keywords(function)]
        weighted = any("weight" in loss.keywords.get(name, {}) for name in users)
        if users:
            maps[kind] = DistanceCache(
                2 if weighted and config.network.classes == 1 else config.network.classes,
                spacing=loss.spacing or None,
                signed=kind == "distance",
                megabytes=room,
            )
    centres = config.network.centre_head
    return Targets(stride=stride, maps=maps, clean=taught(config), centres=centres)


def taught(config: TrainConfig) -> bool:
    """Return whether a teacher looks at the clean view."""
    return "consistency" in config.loss.foreground or config.labels == "sparse"


def same_geometry(config: AugmentConfig) -> bool:
    """Return whether the labels of a sample stay the same, flips apart."""
    low, high = config.scale
    moving = config.rotation, config.translation, config.random_crop, config.elastic
    return not any(moving) and low == high


def calm(config: AugmentConfig) -> AugmentConfig:
    """Return `config` without changes of light and weather."""
    off: dict[str, Any] = dict.fromkeys(LIGHT, 0.0)
    return replace(config, **off)
