"""Several models as one: their aligned outputs are joined, then clustered once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from embedseg.device import Amp
from embedseg.inference.joint import check_members, joint_outputs
from embedseg.inference.result import Segmentation
from embedseg.inference.segment import check_foreground, segment_outputs
from embedseg.model import Model, picture_of


class Ensemble:
    """Models of one task, for `segment`; the first one's spec says how outputs become instances.

    See `embedseg.inference.joint`: embeddings are concatenated, probabilities averaged. Raises
    ValueError where the models' classes differ.
    """

    def __init__(self, members: Sequence[Model]) -> None:
        check_members([member.spec for member in members])
        self.members = list(members)
        first = self.members[0]
        self.spec, self.device, self.amp = first.spec, first.device, first.amp
        self.device_reason, self.name = first.device_reason, "+".join(m.name for m in members)

    @classmethod
    def load(cls, paths: Sequence[str | Path], *, device: str = "auto", amp: Amp = "auto") -> Self:
        """Load several run folders, files or names of shipped models."""
        return cls([Model.load(path, device=device, amp=amp) for path in paths])

    def outputs(self, image: NDArray[np.uint8], name: str = "image") -> dict[str, torch.Tensor]:
        """Return the joint outputs for a picture (H, W, 3), in the views that the spec names."""
        return joint_outputs(
            image,
            [(member, member.spec) for member in self.members],
            tta=self.spec.tta,
            scales=self.spec.tta_scales,
            name=name,
        )

    def segment(
        self,
        image: str | Path | NDArray[np.uint8],
        *,
        foreground: NDArray[Any] | None = None,
        clusterer: Any = None,
    ) -> Segmentation:
        """Segment a file or an (H, W, 3) uint8 array, as `Model.segment` does."""
        image, name = picture_of(image)
        check_foreground(image, foreground)
        return segment_outputs(
            self.outputs(image, name),
            image,
            self.spec,
            foreground=foreground,
            clusterer=clusterer,
            name=name,
        )
