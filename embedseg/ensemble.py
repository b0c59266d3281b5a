"""Several models as one: their aligned outputs are joined, then clustered once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from embedseg.device import Amp
from embedseg.inference.joint import Member, check_members
from embedseg.inference.segmenter import Segmenter
from embedseg.model import Model


class Ensemble(Segmenter):
    """Models of one task, for `segment`; the first one's spec says how outputs become instances.

    See `embedseg.inference.joint`: embeddings are concatenated, probabilities averaged. Raises
    ValueError where the models' classes, methods or looks differ.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        check_members([model.spec for model in models])
        if len({bool(model.spec.zoom) for model in models}) > 1:
            raise ValueError(
                "models that look twice (data.zoom) and models that see whole pictures cannot be "
                "joined: one kind would see what it never learned from; name runs of one kind"
            )
        self.models = list(models)
        first = self.models[0]
        self.spec, self.device, self.amp = first.spec, first.device, first.amp
        self.device_reason, self.name = first.device_reason, "+".join(m.name for m in models)

    @classmethod
    def load(cls, paths: Sequence[str | Path], *, device: str = "auto", amp: Amp = "auto") -> Self:
        """Load several run folders, files or names of shipped models; ValueError for none."""
        if not paths:
            raise ValueError("no model was named; give one or more run folders, files or names")
        return cls([Model.load(path, device=device, amp=amp) for path in paths])

    @property
    def prepared(self) -> bool:
        """Whether an engine prepares a network anew for another number of threads."""
        return any(model.prepared for model in self.models)

    def members(self) -> list[Member]:
        """Return each network with its own spec."""
        return [(model, model.spec) for model in self.models]
