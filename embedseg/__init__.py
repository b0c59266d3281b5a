"""Instance segmentation by learned pixel embeddings.

import embedseg
model = embedseg.load("runs/leaves")
result = model.segment("plant.png")
result.labels, result.embedding
result.save("out/")
"""

from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedseg.device import Amp
    from embedseg.ensemble import Ensemble
    from embedseg.model import Model

__version__ = "0.1.0"


@overload
def load(
    path: "str | Path",
    *,
    device: str = ...,
    amp: "Amp" = ...,
    tta: str | None = ...,
    scales: "Sequence[float] | None" = ...,
) -> "Model": ...
@overload
def load(
    path: "list[str] | list[Path] | list[str | Path]",
    *,
    device: str = ...,
    amp: "Amp" = ...,
    tta: str | None = ...,
    scales: "Sequence[float] | None" = ...,
) -> "Ensemble": ...
def load(
    path: "str | Path | list[str] | list[Path] | list[str | Path]",
    *,
    device: str = "auto",
    amp: "Amp" = "auto",
    tta: str | None = None,
    scales: "Sequence[float] | None" = None,
) -> "Model | Ensemble":
    """Load a trained model: a run folder of `embedseg train`, a .safetensors file or a name.

    A name is that of a model that ships with the package: see `embedseg models`. A list of models
    becomes one, whose members' outputs are joined.
    `device`: "auto", "cpu", "cuda:0", "mps"; `amp`: "auto", "off", "bf16", "fp16".
    `tta`: test-time augmentation, "none", "flips" (4 views) or "d4" (8); `scales`: of the working
    size, as (0.8, 1, 1.25). None of either is what tuning chose, else none and 1.
    Raises `embedseg.io.InputError` when there is no usable model at `path`, ValueError for views
    that do not exist or models that cannot be joined.
    """
    from dataclasses import replace

    from embedseg.model import Model  # torch is only loaded when a model is

    if isinstance(path, list | tuple):
        from embedseg.ensemble import Ensemble

        model: Any = Ensemble.load(path, device=device, amp=amp)
    else:
        model = Model.load(path, device=device, amp=amp)
    if isinstance(scales, str | int | float):
        raise ValueError(f"scales are a list of numbers, such as [{scales}], got {scales!r}")
    views = {"tta": tta, "tta_scales": None if scales is None else tuple(scales)}
    model.spec = replace(model.spec, **{k: v for k, v in views.items() if v is not None})
    return model  # type: ignore[no-any-return]  # a Model or an Ensemble
