r"""Losses of pixels without labels: SPOCO, Wolny et al., CVPR 2022, arXiv:2103.14572.

U are the unlabelled pixels, mu_k the mean embedding of the labelled instance k (1..C) and

    phi_a(e) = exp(-ln 2 |e - a|^2 / delta_v^2)        the soft mask of anchor a; 1/2 at delta_v

Beside the discriminative loss of the labelled instances the paper minimises

    push   = 1/C sum_k 1/|U| sum_{i in U} [delta_d - |mu_k - e_i|]+^2
    object = 1/C sum_k (1 - Dice(phi_{mu_k}, S_k))
    agree  = 1/A sum_a (1 - Dice(phi_a of the student, phi_a of the teacher))   over U

with Dice(p, q) = 2 sum pq / (sum p^2 + sum q^2). The teacher is the student averaged over time and
sees the picture in other colours. The anchors are drawn one after the other from the part of U that
no earlier anchor covers (nearer than delta_v to it for the student or the teacher), until 5% of U
is left or there are 20. Our own: at most PIXELS of U are drawn for `push` and `agree`.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

ANCHORS = 20  # most anchors of an image, and
UNCOVERED = 0.05  # the share of U at which no more are drawn: both of the authors' code
PIXELS = 8192  # of U that take part, for speed


class SparseTerms(NamedTuple):
    """The sum of the three terms, and each."""

    total: Tensor
    push: Tensor
    object: Tensor
    agree: Tensor


def sparse_loss(
    embedding: Tensor,
    teacher: Tensor,
    labels: Tensor,
    *,
    delta_v: float = 0.5,
    delta_d: float = 1.5,
    generator: torch.Generator | None = None,
) -> SparseTerms:
    """Return the losses that unlabelled pixels, labels below 0, take part in.

    `embedding`, `teacher` (B, E, *S), of which no gradient reaches the second; `labels` (B, *S).
    Each term is the mean over the images that have what it needs, else 0, attached to the graph.
    `generator` draws pixels and anchors.
    """
    found: dict[str, list[Tensor]] = {"push": [], "object": [], "agree": []}
    flat = (embedding.float().flatten(2), teacher.detach().float().flatten(2), labels.flatten(1))
    for e, taught, ids in zip(*flat, strict=True):
        means, own = instance_means(e, ids)
        if len(means):
            found["object"].append((1 - dice(soft_masks(means, e, delta_v), own)).mean())
        free = drawn((ids < 0).nonzero()[:, 0], PIXELS, generator)
        if len(free):
            e, taught = e[:, free], taught[:, free]
            at = draw_anchors(e.detach(), taught, delta_v, generator)
            masks = (soft_masks(each[:, at].T, each, delta_v) for each in (e, taught))
            found["agree"].append((1 - dice(*masks)).mean())
        if len(free) and len(means):
            tiny = torch.finfo(e.dtype).eps  # a finite gradient at distance 0
            away = (squared(means, e) + tiny).sqrt()
            found["push"].append((delta_d - away).relu().square().mean())
    zero = embedding.sum() * 0
    terms = {name: torch.stack(v).mean() if v else zero for name, v in found.items()}
    return SparseTerms(sum(terms.values(), start=zero), **terms)


def drawn(places: Tensor, most: int, generator: torch.Generator | None) -> Tensor:
    """Return at most that many of `places` (N,)."""
    if len(places) <= most:
        return places
    return places[torch.randperm(len(places), generator=generator)[:most].to(places.device)]


@torch.no_grad()
def draw_anchors(
    student: Tensor, teacher: Tensor, delta_v: float, generator: torch.Generator | None
) -> list[int]:
    """Return the pixels of (E, N) embeddings whose neighbourhoods cover all but a few of them."""
    left = torch.ones(student.shape[1], dtype=torch.bool, device=student.device)
    chosen: list[int] = []
    while len(chosen) < ANCHORS and int(left.sum()) > UNCOVERED * len(left):
        places = left.nonzero()[:, 0]
        at = int(places[int(torch.randint(len(places), (), generator=generator))])
        chosen.append(at)
        for e in (student, teacher):
            left &= (e - e[:, at, None]).square().sum(0) >= delta_v**2
        left[at] = False
    return chosen


def instance_means(e: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means (C, E) of the instances of ids (N,) and their masks (C, N)."""
    inside = ids > 0
    numbers, index = torch.unique(ids[inside], return_inverse=True)
    sums = e.new_zeros(len(numbers), len(e)).index_add_(0, index, e[:, inside].T)
    counts = torch.bincount(index, minlength=len(numbers))
    return sums / counts[:, None], (numbers[:, None] == ids).to(e.dtype)


def soft_masks(anchors: Tensor, e: Tensor, delta_v: float) -> Tensor:
    """Return phi (A, N) of anchors (A, E) among pixels (E, N)."""
    return torch.exp(-(math.log(2) / delta_v**2) * squared(anchors, e))


def squared(anchors: Tensor, e: Tensor) -> Tensor:
    """Return |a - e|^2 = |a|^2 - 2 a.e + |e|^2 (A, N), seen from the anchors' mean."""
    origin = anchors.detach().mean(0)
    a, e = anchors - origin, e - origin[:, None]
    with torch.autocast(e.device.type, enabled=False):  # a product in half precision is too coarse
        return (a.square().sum(1)[:, None] - 2 * a @ e + e.square().sum(0)).clamp(min=0)


def dice(p: Tensor, q: Tensor) -> Tensor:
    """Return Dice (A,) of masks (A, N)."""
    return 2 * (p * q).sum(1) / (p.square().sum(1) + q.square().sum(1)).clamp(min=1e-6)
