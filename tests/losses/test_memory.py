"""No loss makes maps of (classes x pixels) in float64 or of integers, 8 bytes a number."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from embedseg.losses import LOSSES, border_distance_maps, signed_distance_maps

BINARY = {"bce", "lovasz_hinge"}
SORTED = {"lovasz_softmax", "band"}  # a sort returns the places of its values, int64
B, K, SIDE = 2, 5, 12
WIDE = (torch.float64, torch.int64, torch.complex64)


class Watch(TorchDispatchMode):
    """Collects the dtypes of all tensors, of at least `size` numbers, that operations return."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.found: set[torch.dtype] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.untyped_storage().nbytes() >= (
                self.size * leaf.element_size()
            ):
                self.found.add(leaf.dtype)
        return result


def test_the_watch_sees_a_one_hot() -> None:
    y = torch.zeros(B, SIDE * SIDE, dtype=torch.long)
    with Watch(B * K * SIDE * SIDE) as watch:
        torch.nn.functional.one_hot(y, K).double()
    assert watch.found == {torch.int64, torch.float64}


@pytest.mark.parametrize("name", sorted(set(LOSSES) - BINARY))
def test_no_wide_maps(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(-1, K, (B, SIDE, SIDE), generator=generator)
    logits = torch.randn(B, K, SIDE, SIDE, generator=generator, requires_grad=True)
    extra: dict[str, Any] = {}
    if name == "instance_cross_entropy":
        extra["instances"] = target
    if name == "refine":
        extra["image"] = torch.rand(B, 3, SIDE, SIDE, generator=generator)
    with Watch(B * K * SIDE * SIDE) as watch:
        LOSSES[name](logits, target, **extra).backward()
    assert torch.float32 in watch.found or name in {"cross_entropy"}
    allowed = {torch.int64} if name in SORTED else set()
    assert not watch.found & set(WIDE) - allowed


@pytest.mark.parametrize("function", [signed_distance_maps, border_distance_maps])
def test_maps_are_float32(function: Callable[..., Any]) -> None:
    assert function(torch.randint(0, 3, (9, 9)).numpy(), 3).dtype == "float32"
