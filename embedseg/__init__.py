"""Instance segmentation by learned pixel embeddings.

import embedseg
model = embedseg.load("runs/leaves")
result = model.segment("plant.png")
result.labels, result.embedding
result.save("out/")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from embedseg.device import Amp
    from embedseg.model import Model

__version__ = "0.1.0"


def load(path: "str | Path", *, device: str = "auto", amp: "Amp" = "auto") -> "Model":
    """Load a trained model: a run folder of `embedseg train`, a .safetensors file or a name.

    A name is that of a model that ships with the package: see `embedseg models`.

    `device`: "auto", "cpu", "cuda:0", "mps"; `amp`: "auto", "off", "bf16", "fp16". Raises
    `embedseg.io.InputError` when there is no usable model at `path`.
    """
    from embedseg.model import Model  # torch is only loaded when a model is

    return Model.load(path, device=device, amp=amp)
