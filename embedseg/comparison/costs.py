"""What a network costs: parameters, multiply-accumulates, memory of a forward pass, seconds."""

import statistics
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from embedseg.data import Dataset
from embedseg.inference.joint import Member
from embedseg.inference.segmenter import Segmenter
from embedseg.inference.spec import ModelSpec
from embedseg.metrics import Scores, score_images
from embedseg.model import Model, build_from_spec
from embedseg.models.macs import count_macs


def count(spec: ModelSpec, batches: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return parameters, and MACs and memory of the forward passes of `batches` (B, C, h, w).

    MACs are summed over the passes; the memory is that of the one that takes most: the most, in
    bytes, that weights, input and intermediate float32 tensors take together; it is computed on
    tensors without contents, so it does not depend on the machine, nor count the scratch space of
    its convolutions. Raises ValueError where the network cannot be built.
    """
    with torch.device("meta"):
        network = build_from_spec(spec).eval()
        images = [torch.empty(*shape) for shape in batches]
    weights = [*network.parameters(), *network.buffers()]
    macs, memory = 0, 0
    for image in images:
        macs += count_macs(network, network, image)
        with torch.no_grad(), _Peak() as peak:
            network(image)
        memory = max(memory, sum(t.nbytes for t in (*weights, image)) + peak.most)
    parameters = sum(p.numel() for p in network.parameters())
    return {"parameters": parameters, "macs": macs, "memory": memory}


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


class _Watched(Segmenter):
    """A model whose forward passes are timed; `seconds` and `batches` grow with each pass."""

    def __init__(self, model: Model, clock: Callable[[], float]) -> None:
        self.spec, self.model, self.clock = model.spec, model, clock
        self.seconds = 0.0
        self.batches: list[tuple[int, ...]] = []

    def members(self) -> list[Member]:
        """Return the watched network with its spec."""
        return [(self.look, self.spec)]

    def look(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the model's outputs for `batch`."""
        start = self.clock()
        outputs = self.model(batch)
        if self.model.device.type == "cuda":
            torch.cuda.synchronize(self.model.device)
        self.seconds += self.clock() - start
        self.batches.append(tuple(batch.shape))
        return outputs


def score_and_time(
    model: Model, samples: Dataset, clock: Callable[[], float] = time.perf_counter
) -> tuple[Scores, dict[str, float]]:
    """Segment `samples` as `model.segment` does and score them; also return what a picture costs.

    "seconds": picture to labels, "network_seconds": all of the network's passes in it, both medians
    over the samples, by `clock`; the rest as `count` of the passes of the first picture, which is
    segmented once before, so that nothing is compiled within the measurement.
    """
    whole: list[float] = []
    network: list[float] = []
    first = _Watched(model, clock)
    first.segment(samples[0].image)
    pairs = []
    for sample in samples:
        watched = _Watched(model, clock)
        start = clock()
        result = watched.segment(sample.image)
        whole.append(clock() - start)
        network.append(watched.seconds)
        pairs.append((sample.name, result.labels, sample.labels, result.scores))
    seconds = {"seconds": whole, "network_seconds": network}
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    return score_images(pairs), count(model.spec, first.batches) | medians
