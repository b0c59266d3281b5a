"""The three published schedules of a boundary loss beside a region loss."""

from collections.abc import Mapping
from typing import Literal

Schedule = Literal["constant", "add", "rebalance"]


def boundary_weights(
    schedule: Schedule,
    epoch: int,
    *,
    region: float = 1.0,
    boundary: float = 0.01,
    step: float = 0.01,
    floor: float = 0.1,
) -> tuple[float, float]:
    """Return the factors of the region and the boundary loss in `epoch` = 0, 1, 2, ...

    Formula: constant (r, b); add (r, b + e s); rebalance (max(f, r - e s), b + e s)
    Paper: arXiv:1812.07032 and its code: r = 1, b = s = 0.01, f = 0.1; constant with b = 0.1

    >>> boundary_weights("rebalance", 2)
    (0.98, 0.03)
    """
    if schedule not in ("constant", "add", "rebalance"):
        raise ValueError(f"schedule is {schedule!r}; choose from: constant, add, rebalance")
    if epoch < 0:
        raise ValueError(f"epoch must be >= 0, got {epoch}")
    if schedule == "constant":
        return region, boundary
    grown = round(boundary + epoch * step, 12)
    if schedule == "add":
        return region, grown
    return max(min(floor, region), round(region - epoch * step, 12)), grown


def scheduled(
    spec: Mapping[str, float], schedule: Schedule, epoch: int, *, step: float = 0.01
) -> dict[str, float]:
    """Return `spec` with its factors in `epoch`: "boundary" may grow, the others fade together.

    The factors in `spec` are those of epoch 0. With "rebalance" all losses but "boundary" are
    scaled alike, so that one of factor 1 follows the published steps.
    """
    if "boundary" not in spec:
        raise ValueError(f"a boundary schedule needs 'boundary' in the loss, got {sorted(spec)}")
    region, boundary = boundary_weights(schedule, epoch, boundary=spec["boundary"], step=step)
    return {k: boundary if k == "boundary" else region * v for k, v in spec.items()}
