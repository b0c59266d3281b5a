"""What a network costs: parameters, multiply-accumulates, memory of a forward pass, seconds."""

import statistics
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from embedseg.data import Dataset
from embedseg.inference.segment import segment, working_shape
from embedseg.inference.spec import ModelSpec
from embedseg.metrics import Scores, score_images
from embedseg.model import Model, build_from_spec
from embedseg.models.macs import count_macs


def count(spec: ModelSpec, shape: tuple[int, ...]) -> dict[str, float]:
    """Return parameters, and MACs and memory of one picture of `shape` as the network sees it.

    The memory is the most, in bytes, that weights, input and intermediate float32 tensors take
    together in a forward pass; it is computed on tensors without contents, so it does not depend
    on the machine, nor count the scratch space of its convolutions. Raises ValueError where
    the network cannot be built.
    """
    size = [max(s, spec.training_size) for s in working_shape(shape, spec.working_size)]
    with torch.device("meta"):
        network = build_from_spec(spec).eval()
        image = torch.empty(1, spec.in_channels, *size)
    parameters = sum(p.numel() for p in network.parameters())
    macs = count_macs(network, network, image)
    held = sum(t.nbytes for t in (*network.parameters(), *network.buffers(), image))
    with torch.no_grad(), _Peak() as peak:
        network(image)
    return {"parameters": parameters, "macs": macs, "memory": held + peak.most}


class _Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes that tensors made within this context took at one time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        given = {id(t.untyped_storage()) for t in tree_leaves((args, kwargs)) if _is_tensor(t)}
        for tensor in filter(_is_tensor, tree_leaves(out)):
            storage = tensor.untyped_storage()
            if id(storage) not in given | self.known:
                self.known.add(id(storage))
                self._add(storage.nbytes())
                weakref.finalize(storage, self._drop, id(storage), storage.nbytes())
        return out

    def _add(self, size: int) -> None:
        self.now += size
        self.most = max(self.most, self.now)

    def _drop(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def score_and_time(
    model: Model, samples: Dataset, clock: Callable[[], float] = time.perf_counter
) -> tuple[Scores, dict[str, float]]:
    """Segment and score `samples`; also return medians over them, in seconds by `clock`.

    "seconds": picture to labels; "network_seconds": the network's part of it. The first picture
    is segmented once before, so that nothing is compiled within the measurement.
    """
    whole: list[float] = []
    network: list[float] = []

    def timed(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        start = clock()
        outputs = model(batch)
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        network.append(clock() - start)
        return outputs

    pairs = []
    for index, sample in enumerate([samples[0], *samples]):
        start = clock()
        result = segment(sample.image, timed, model.spec, name=sample.name)
        whole.append(clock() - start)
        if index:
            pairs.append((sample.name, result.labels, sample.labels, result.scores))
    seconds = {"seconds": whole, "network_seconds": network}
    return score_images(pairs), {k: statistics.median(v[1:]) for k, v in seconds.items()}
