"""The runs of a label image: for each instance and row, where it begins and ends."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedseg.jit import announce, kernel

FLAT = 8.0  # columns for each row


class Runs(NamedTuple):
    """Horizontal runs of instances, in the order of the ids, then from top to bottom.

    `first`, `last`: columns, both included; `start[i]:start[i + 1]` are the runs of `ids[i]`.
    """

    ids: NDArray[np.int64]
    start: NDArray[np.int64]
    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def of(self, index: int) -> NDArray[np.int64]:
        """Return (3, m): row, first and last column of the runs of `ids[index]`."""
        part = slice(self.start[index], self.start[index + 1])
        return np.stack([self.row[part], self.first[part], self.last[part]])

    def pixels(self) -> NDArray[np.int64]:
        """Return how many pixels each instance has."""
        return _by_instance(np.add, self.last - self.first + 1, self.start)

    def renumbered(self, number: NDArray[np.int64]) -> "Runs":
        """Return the runs under other numbers, one for each run; those of number 0 are left out."""
        order = np.argsort(number, kind="stable")
        order = order[np.count_nonzero(number <= 0) :]
        edge = np.flatnonzero(np.diff(number[order], prepend=0))
        start = np.append(edge, len(order))
        return Runs(
            number[order][edge], start, self.row[order], self.first[order], self.last[order]
        )

    def flat(self) -> NDArray[np.bool_]:
        """Tell which instances span more than FLAT columns for each row: those have no x = f(y)."""
        columns = _by_instance(np.maximum, self.last, self.start) - _by_instance(
            np.minimum, self.first, self.start
        )
        rows = self.row[self.start[1:] - 1] - self.row[self.start[:-1]]
        return np.asarray((columns + 1) / (rows + 1) > FLAT)


def _by_instance(
    reduce: np.ufunc, values: NDArray[np.int64], start: NDArray[np.int64]
) -> NDArray[np.int64]:
    if len(start) == 1:
        return np.zeros(0, np.int64)
    return np.asarray(reduce.reduceat(values, start[:-1]))


def find_runs(labels: NDArray[np.int32]) -> Runs:
    """Return the runs of the labels >= 1."""
    flat = np.ascontiguousarray(labels).ravel()
    place = np.flatnonzero(flat > 0)
    announce(_scan)
    found = _scan(flat[place], place, labels.shape[1])
    order = np.argsort(found[0], kind="stable")
    label, row, first, last = found[:, order]
    edge = np.flatnonzero(np.diff(label, prepend=0))
    return Runs(label[edge], np.append(edge, len(label)), row, first, last)


@kernel
def _scan(label, place, width):  # type: ignore[no-untyped-def]
    """Return (4, n): label, row, first and last column of each run of the pixels at `place`."""
    found = np.empty((4, len(place)), np.int64)
    count = -1
    for i in range(len(place)):
        row = place[i] // width
        goes_on = i > 0 and place[i] == place[i - 1] + 1 and label[i] == label[i - 1]
        if not goes_on or row != found[1, count]:
            count += 1
            found[0, count], found[1, count] = label[i], row
            found[2, count] = place[i] - row * width
        found[3, count] = place[i] - row * width
    return found[:, : count + 1]
