"""What one model and several models as one have in common: a picture in, its instances out."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedseg.inference.joint import Member, joint_outputs
from embedseg.inference.result import Segmentation
from embedseg.inference.segment import check_foreground, segment_outputs
from embedseg.inference.spec import ModelSpec
from embedseg.inference.zoom import zoomed_outputs
from embedseg.io import InputError, read_image


class Segmenter(ABC):
    """Networks whose outputs are joined and clustered once, as `spec` says."""

    spec: ModelSpec

    @abstractmethod
    def members(self) -> list[Member]:
        """Return each network with its own spec."""

    def outputs(
        self,
        image: NDArray[np.uint8],
        name: str = "image",
        foreground: NDArray[Any] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return the outputs for a picture (H, W, 3), joined over members and the spec's views.

        Of models that look twice the second look takes in a given `foreground` (H, W) as well.
        """
        spec, members = self.spec, self.members()
        if not spec.zoom:
            return joint_outputs(image, members, tta=spec.tta, scales=spec.tta_scales, name=name)
        near = [(n, unscaled(s) if s.working_size == spec.working_size else s) for n, s in members]
        return zoomed_outputs(
            image,
            spec,
            lambda whole: joint_outputs(whole, members[:1], name=name),
            lambda part: joint_outputs(
                part, near, tta=spec.tta, scales=spec.tta_scales, name=name, keep_grid=False
            ),
            foreground,
        )

    def segment(
        self,
        image: str | Path | NDArray[np.uint8],
        *,
        foreground: NDArray[Any] | None = None,
        clusterer: Any = None,
    ) -> Segmentation:
        """Segment a file or a uint8 array, (H, W, 3), (H, W) grey or (H, W, 4) with alpha.

        See `embedseg.inference.segment.segment`. Raises InputError for anything else.
        """
        image, name = picture_of(image)
        check_foreground(image, foreground)
        return segment_outputs(
            self.outputs(image, name, foreground),
            image,
            self.spec,
            foreground=foreground,
            clusterer=clusterer,
            name=name,
        )


def unscaled(spec: ModelSpec) -> ModelSpec:
    """Return `spec` for pictures that have the right size already."""
    return replace(spec, working_size=0, zoom=0.0)


def picture_of(image: str | Path | NDArray[np.uint8]) -> tuple[NDArray[np.uint8], str]:
    """Return a picture (H, W, 3), read if it is a file, and its name: the stem, or "image".

    Of an array grey is repeated and alpha dropped, as files are read. Raises InputError for what is
    no uint8 picture.
    """
    if isinstance(image, str | Path):
        return read_image(Path(image)), Path(image).stem
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = (
            f"an array of {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
        )
        raise InputError(
            f"a picture is a file's path or a uint8 array (H, W, 3) of 0 to 255, got {kind}; scale "
            "it to 0..255 and convert it, or give the path"
        )
    grey = image[..., None] if image.ndim == 2 else image
    if grey.ndim != 3 or grey.shape[2] not in (1, 3, 4) or not image.size:
        raise InputError(
            f"a picture is a uint8 array (H, W, 3), got one of shape {image.shape}; put the "
            "channels last and give one picture at a time"
        )
    colours = np.repeat(grey, 3, axis=2) if grey.shape[2] == 1 else grey[..., :3]
    return colours, "image"
