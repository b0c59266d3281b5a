"""A view of the foreground pixels of an embedding that stays on its device.

It offers what `pixels.Pixels` does, by torch: a few thousand vectors at most go to the host, where
the sample is climbed or clustered, and labels come back from the pass over all pixels; the
embedding itself never leaves.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clustering.pixels import NO_SHAPE, Candidates, Nearest, rows

NOTHING = np.empty(0, np.float32)  # distances that were not kept
NOWHERE = (rows(np.zeros((1, 1), np.float32)).layout(), NO_SHAPE, np.float32(0))  # no neighbours
MEMORY = 1 << 26  # numbers that one step of a pass may hold


@dataclass(frozen=True)
class TensorPixels:
    """The pixels (N,) at these places of values (E, P); `mask` (*S) of an image, if it is one."""

    values: Tensor
    place: Tensor
    mask: Tensor | None = None

    def __len__(self) -> int:
        return len(self.place)

    @property
    def dims(self) -> int:
        """The number of coordinates of a pixel."""
        return len(self.values)

    def take(self, ranks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the coordinates (E, M) of the pixels of these ranks (M,)."""
        chosen = torch.from_numpy(ranks).to(self.values.device)
        points = self.values[:, self.place[chosen]].float()
        taken: NDArray[np.float32] = points.contiguous().cpu().numpy()
        return taken

    def candidates(self, ranks: NDArray[np.int64], step: float) -> Candidates:
        """Return starts of a climb: see `pixels.Pixels.candidates`. Borders are found at once."""
        points = self.take(ranks)
        places = np.zeros(len(ranks), np.int64)
        if step <= 0 or self.mask is None:
            return Candidates(points, np.zeros(len(ranks), np.bool_), places, NOWHERE)
        place = self.place[torch.from_numpy(ranks).to(self.values.device)]
        vectors = self.values[:, place].float()
        steep = torch.zeros(len(place), dtype=torch.bool, device=place.device)
        flat, stride = self.mask.flatten(), 1
        for size in reversed(self.mask.shape):
            at = place // stride % size
            for way, inside in ((-stride, at > 0), (stride, at + 1 < size)):
                there = torch.where(inside, place + way, place)
                gap = ((self.values[:, there].float() - vectors) ** 2).sum(dim=0)
                steep |= flat[there] & ~(gap < step**2)
            stride *= size
        return Candidates(points, steep.cpu().numpy(), places, NOWHERE)

    def to_centres(
        self,
        centres: NDArray[np.float32],
        reach: NDArray[np.float32],
        first_within: bool,
        n_threads: int | None,  # noqa: ARG002  (the same call as that of Pixels)
        keep: bool = False,  # noqa: ARG002
        groups: NDArray[np.int32] | None = None,  # noqa: ARG002
    ) -> Nearest:
        """Assign every pixel to a centre: see `pixels.Pixels.to_centres`.

        The order of additions is fixed, so results repeat.
        """
        device = self.values.device
        targets = torch.from_numpy(centres).to(device)
        limits = torch.from_numpy(np.array(reach)).to(device)
        step = max(MEMORY // (3 * len(centres) + 2 * self.dims), 1)
        exact = torch.float32 if device.type == "mps" else torch.float64
        sums = torch.zeros(len(centres), self.dims + 1, dtype=exact, device=device)
        bad = torch.zeros((), dtype=torch.int64, device=device)
        labels = torch.empty(len(self), dtype=torch.int32, device=device)
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            points = self.values[:, self.place[part]].float().T.contiguous()
            nearest, inside = _decide(points, targets, limits, first_within)
            bad += (~torch.isfinite(points).all(dim=1)).sum()
            labels[part] = torch.where(inside, nearest, ~nearest).int()
            member = torch.zeros(len(points), len(centres), dtype=exact, device=device)
            member.scatter_(1, nearest[:, None], inside[:, None].to(exact))
            ones = torch.ones(len(points), 1, dtype=exact, device=device)
            sums += member.T @ torch.cat([points.to(exact), ones], dim=1)
        total = sums.cpu().numpy().astype(np.float64)
        counts = total[:, -1].round().astype(np.int64)
        return Nearest(labels.cpu().numpy(), total[:, :-1], counts, int(bad), NOTHING)

    def join(
        self,
        found: Nearest,  # noqa: ARG002  (the same call as that of Pixels)
        centres: NDArray[np.float32],
        fresh: NDArray[np.float32],
        distance: float,
        n_threads: int | None,
    ) -> Nearest:
        """Return what `to_centres` finds for the centres (C, E) and the fresh ones (A, E)."""
        both = np.concatenate([centres, fresh])
        return self.to_centres(both, np.full(len(both), distance, np.float32), False, n_threads)


def _decide(
    points: Tensor, centres: Tensor, limits: Tensor, first_within: bool
) -> tuple[Tensor, Tensor]:
    """Return for points (N, E) the nearest centre, or the first within its limit, and if within."""
    gaps = torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = gaps.argmin(dim=1)
    within = gaps <= limits
    if first_within:
        order = torch.arange(len(centres), device=centres.device)
        first = torch.where(within, order, len(centres)).amin(dim=1)
        nearest = torch.where(first < len(centres), first, nearest)
    return nearest, within.gather(1, nearest[:, None])[:, 0]


def device_pixels(embedding: Tensor, mask: Tensor | None) -> TensorPixels:
    """Return the view of the True pixels of mask (*S) in embedding (E, *S), or of all."""
    values = embedding.detach().flatten(1)
    if mask is None:
        return TensorPixels(values, torch.arange(values.shape[1], device=values.device))
    mask = mask.to(values.device)
    return TensorPixels(values, mask.flatten().nonzero()[:, 0], mask)
