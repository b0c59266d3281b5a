"""The Lovasz extension against its definition: the largest value over all orders of the pixels."""

from itertools import permutations

import pytest
import torch

from embedseg.losses import lovasz_softmax_loss
from embedseg.losses.lovasz import _extension
from tests.losses.oracles import jaccard_loss_of, lovasz_extension


@pytest.mark.parametrize("truth", ["011010", "100000", "111110", "000000", "111111"])
def test_equals_the_maximum_over_all_orders(truth: str) -> None:
    """For a submodular set function the extension is the support function of its base polytope."""
    flags = [c == "1" for c in truth]
    generator = torch.Generator().manual_seed(int(truth, 2))
    errors = torch.rand(6, generator=generator, dtype=torch.float64)
    best = max(lovasz_extension(errors.tolist(), flags, order) for order in permutations(range(6)))
    found = _extension(errors[None, None], torch.tensor(flags)[None, None], per_image=False)
    assert float(found) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("wrong", [set(), {0}, {1, 2}, {0, 3, 4}, {0, 1, 2, 3, 4, 5}])
def test_equals_the_jaccard_loss_at_corners(wrong: set[int]) -> None:
    truth = [True, True, True, False, False, False]
    errors = torch.tensor([float(i in wrong) for i in range(6)])
    found = _extension(errors[None, None], torch.tensor(truth)[None, None], per_image=False)
    assert float(found) == pytest.approx(jaccard_loss_of(wrong, truth))


def test_large_pictures_keep_their_precision() -> None:
    """In float32 the weights of a million pixels still sum to the loss of an all-wrong picture."""
    target = (torch.arange(1 << 20) % 7 == 0).long()[None]
    logits = torch.where(target == 1, -30.0, 30.0)[None]
    assert float(lovasz_softmax_loss(logits, target)) == pytest.approx(1, abs=1e-6)
