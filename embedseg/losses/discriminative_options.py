"""The named options of the discriminative loss, and which of them contradict each other."""

import math
from collections.abc import Mapping
from typing import Literal, get_args

from embedseg.names import unknown

Hinge = Literal["paper", "lanenet"]
Normalization = Literal["paper", "released"]
Norm = Literal["l1", "l2"]
Distance = Literal["euclidean", "cosine"]
Backend = Literal["auto", "torch", "numba"]
_MAX_NEIGHBOUR_DISTANCE = 100  # pixels; the search looks at every offset within it
NUMBERS = ("delta_v", "delta_d", "alpha", "beta", "gamma", "size_weighting")


def push_margin(delta_d: float, hinge: Hinge) -> float:
    """Return the distance beyond which means are not pushed."""
    return delta_d if hinge == "lanenet" else 2 * delta_d


def named(*values: float) -> dict[str, float]:
    """Return the numbers of the loss, in the order of NUMBERS, by their names."""
    return dict(zip(NUMBERS, values, strict=True))


def check_options(
    numbers: Mapping[str, float],
    hinge: Hinge,
    normalization: Normalization,
    norm: Norm,
    distance: Distance,
    push_neighbours: float | None,
    backend: Backend,
) -> None:
    """Refuse unknown names, margins that cannot be met, and options that contradict each other.

    `numbers` are delta_v, delta_d, gamma and the others that must be finite, by name.
    """
    for kind, value, choices in (
        ("hinge", hinge, get_args(Hinge)),
        ("normalization", normalization, get_args(Normalization)),
        ("norm", norm, get_args(Norm)),
        ("distance", distance, get_args(Distance)),
        ("backend", backend, get_args(Backend)),
    ):
        if value not in choices:
            raise unknown(kind, value, choices)
    for name, number in numbers.items():
        if not abs(number) < math.inf:
            raise ValueError(f"{name} must be a finite number, got {number}")
    delta_v, delta_d = numbers["delta_v"], numbers["delta_d"]
    _check_margins(delta_v, delta_d, push_margin(delta_d, hinge), distance)
    _check_contradictions(numbers["gamma"], normalization, norm, distance, push_neighbours)


def _check_margins(delta_v: float, delta_d: float, margin: float, distance: Distance) -> None:
    """Refuse margins that no embedding could meet."""
    if delta_v < 0:
        raise ValueError(f"delta_v must be >= 0, got {delta_v}; the paper uses 0.5")
    if delta_d <= 0:
        raise ValueError(f"delta_d must be > 0, got {delta_d}; the paper uses 1.5")
    if distance == "cosine" and margin > 2:
        raise ValueError(
            f"distance='cosine' is at most 2 but the push margin is {margin} (delta_d={delta_d}); "
            "lower delta_d, for instance to 0.5 with delta_v=0.1"
        )


def _check_contradictions(
    gamma: float, normalization: str, norm: str, distance: str, push_neighbours: float | None
) -> None:
    """Refuse options of which one would be ignored."""
    if normalization == "released" and gamma != 0:
        raise ValueError(
            f"normalization='released' has no regulariser but gamma is {gamma}; pass gamma=0"
        )
    if distance == "cosine" and norm != "l2":
        raise ValueError(f"norm={norm!r} has no effect with distance='cosine'; leave norm='l2'")
    if push_neighbours is not None and not 1 <= push_neighbours <= _MAX_NEIGHBOUR_DISTANCE:
        raise ValueError(
            f"push_neighbours must be a distance of 1 to {_MAX_NEIGHBOUR_DISTANCE} pixels, "
            f"got {push_neighbours}; None pushes all instances"
        )
