"""The shape of a generated rosette: where its leaves stand and how each one is cut.

A leaf is a strip along a curved axis: at the distance s from the plant's centre it reaches from
-w_left(s) to +w_right(s) across. The two half-widths come from tables: a petiole that widens into
a blade, the product of two powers, with waves and with teeth that point to the tip. The youngest
leaves begin behind the centre and hide it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GOLDEN_ANGLE: float = np.pi * (3 - 5**0.5)  # between one leaf and the next, as in real rosettes
STEPS: int = 96  # entries of a table of half-widths
LONGEST_PETIOLE: float = 0.68  # part of a leaf's length
THINNEST: float = 0.8  # half-width in pixels; an 8-connected line never breaks at this width
AGE = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 1.0)  # from the oldest leaf to the youngest ...
LENGTH = (0.40, 0.55, 0.85, 1.0, 0.80, 0.45, 0.20)  # ... length relative to the longest leaf
PETIOLE = (0.55, 0.50, 0.42, 0.38, 0.32, 0.22, 0.12)  # ... part of the length that is petiole
ASPECT = (0.95, 0.80, 0.62, 0.55, 0.55, 0.60, 0.65)  # ... width of the blade over its length


@dataclass(frozen=True, eq=False)
class Leaf:
    """One leaf: lengths in pixels, `angle` in radians clockwise from x, age 0 oldest to 1 youngest.

    `root` (x, y) is where its axis begins, from the plant's centre; `half_widths` (2, STEPS): left
    and right, evenly spaced in s from 0 to `length`; `bend` is the sideways shift of the tip,
    positive to the right.
    """

    root: tuple[float, float]
    angle: float
    length: float
    petiole: float
    width: float
    bend: float
    age: float
    half_widths: NDArray[np.float32]


def rosette(rng: np.random.Generator, radius: float, count: int) -> list[Leaf]:
    """Draw `count` leaves, the oldest (lowest) first; the longest reaches about `radius` pixels."""
    ages = np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5])
    turn = GOLDEN_ANGLE * rng.choice([-1, 1])
    angles = rng.uniform(0, 2 * np.pi) + turn * np.arange(count) + rng.normal(0, 0.18, count)
    lengths = radius * np.interp(ages, AGE, LENGTH) * rng.uniform(0.8, 1.12, count)
    petioles = np.interp(ages, AGE, PETIOLE) * rng.uniform(0.75, 1.2, count) * rng.uniform(0.7, 1.3)
    petioles = np.minimum(petioles, LONGEST_PETIOLE)
    aspects = np.interp(ages, AGE, ASPECT) * rng.uniform(0.85, 1.15, count) * rng.uniform(0.8, 1.25)
    habit = _Habit(
        slender=rng.uniform(0.022, 0.04),
        toothed=rng.uniform(0.0, 1.0),
        wavy=rng.uniform(0.02, 0.12),
    )
    roots = _roots(rng, radius, ages, angles, lengths)
    return [
        _leaf(rng, root, angle, length, length * part, aspect, habit, age)
        for root, (angle, length, part, aspect, age) in zip(
            roots,
            np.stack([angles, lengths, petioles, aspects, ages], axis=1).tolist(),
            strict=True,
        )
    ]


@dataclass(frozen=True)
class _Habit:
    """What a plant's leaves have in common.

    `slender` is a petiole's thickness as a part of the leaf's length; `toothed` and `wavy` are the
    depths of teeth and waves at the blade's edge, as parts of its width (teeth: of 0.3 times it).
    """

    slender: float
    toothed: float
    wavy: float


def _roots(
    rng: np.random.Generator,
    radius: float,
    ages: NDArray[np.float64],
    angles: NDArray[np.float64],
    lengths: NDArray[np.float64],
) -> list[tuple[float, float]]:
    """Return where the leaves begin: near the centre, the youngest up to half a length behind."""
    back = lengths * np.interp(ages, (0.8, 1.0), (0.0, 0.5)) * rng.uniform(0, 1, len(ages))
    x, y = rng.normal(0, 0.012 * radius, (2, len(ages))) - back * (np.cos(angles), np.sin(angles))
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _leaf(
    rng: np.random.Generator,
    root: tuple[float, float],
    angle: float,
    length: float,
    petiole: float,
    aspect: float,
    habit: _Habit,
    age: float,
) -> Leaf:
    width = aspect * (length - petiole)
    thin = max(THINNEST, 0.5 * habit.slender * length + 0.3)
    s = np.linspace(0.0, length, STEPS)
    u = np.clip((s - petiole) / (length - petiole), 0.0, 1.0)
    blade = _blade(u, rng)
    teeth = habit.toothed * min(1.0, 4 * age) * rng.uniform(0.5, 1.0)
    sides = [0.5 * width * blade * _edge(u, teeth, habit.wavy, rng) for _ in range(2)]
    stalk = thin * np.interp(s, (0, 0.1 * length, petiole, length), (1.5, 1.0, 0.9, 0.0))
    stalk = np.maximum(stalk, np.where(u < 0.95, THINNEST, 0.0))
    half = np.stack([np.maximum(side, stalk) for side in sides]).astype(np.float32)
    bend = float(rng.normal(0, 0.06)) * length
    return Leaf(root, angle, length, petiole, width, bend, age, half)


def _blade(u: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return u^a (1 - u)^b with maximum 1: b near 1/2 rounds the tip, a above 1 tapers the foot."""
    a, b = rng.uniform(0.35, 1.2), rng.uniform(0.35, 0.65)
    peak = a / (a + b)
    blade: NDArray[np.float64] = u**a * (1 - u) ** b / (peak**a * (1 - peak) ** b)
    return blade


def _edge(
    u: NDArray[np.float64], teeth: float, wavy: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return factors near 1: two waves, and teeth that rise slowly and fall towards the tip."""
    number = rng.integers(3, 6)
    phase = (u * number + rng.uniform(0, 1)) % 1.0
    saw = np.interp(phase, (0.0, 0.75, 1.0), (0.0, 1.0, 0.0)) - 0.5
    turns = [u * rng.uniform(*cycles) + rng.uniform(0, 1) for cycles in ((1.0, 2.5), (2.5, 5.0))]
    waves = np.sin(2 * np.pi * turns[0]) + 0.6 * np.sin(2 * np.pi * turns[1])
    fade = np.interp(u, (0.0, 0.15, 0.7, 0.92), (0.3, 1.0, 0.8, 0.0))
    return 1 + fade * (0.3 * teeth * saw + wavy * waves)
