"""Compiled hill climbing: the modes of the density of a few thousand weighted points."""

from typing import Any

import numpy as np

from clustering.borders import steep
from clustering.jit import helper, kernel, routine
from clustering.kernels import FIRST, distances
from clustering.masks import F32, I64, Flags

STOP = 0.25  # of the squared bandwidth: a path this near to a known mode ends there
ROUNDS = 100  # steps of one climb, at most
STILL = 1e-6  # of the squared bandwidth: a squared step below this ends a climb
TRACE = 0.01  # of the squared bandwidth: a path this near to where an earlier one went ends there
AFTER = 2  # steps of a path that leave no trace; most paths are that short
TRACES = 2048  # places of earlier paths that are remembered, at most


@kernel
def climb(points: F32, weights: F32, founders: Any, rule: Any, modes: F32, masses: Any) -> int:
    """Climb from the first `own` of the points (E, M); write the modes after the known ones.

    founders: barred (own,), places (own,) and the image of `borders.steep`, which reads no pixel
    outside its mask. A barred point is no start, nor is one on a border, which is barred then.
    rule: the squared bandwidth, whether the kernel is Gaussian, the least weight of own points
    within the bandwidth of a start, the number of modes that are known. A point near a known mode
    or near where an earlier climb began or ended is no start. modes (L, E) holds the known modes
    and room for more; masses (L,) takes the weight of the own points within the bandwidth of each.
    Returns the number of modes. They may be near to each other: see `choose`.
    """
    limit, _, _, known = rule
    barred, places, image = founders
    own = len(barred)
    dims, count = points.shape
    squared = np.empty(count, np.float32)
    claimed = np.zeros(count, np.bool_)
    at = np.empty(dims, np.float32)
    inside = np.empty(count + 1, np.int64)
    traces, walked = np.empty((TRACES, dims), np.float32), 0
    for mode in range(known):
        mark(points, modes[mode], STOP * limit, squared, claimed)
    found = known
    for start in range(own):
        if claimed[start] or barred[start] or found == len(modes):
            continue
        if steep(image, places[start]):
            barred[start] = True
            continue
        copy(points[:, start], at)
        mark(points, at, STOP * limit, squared, claimed)  # leaves the distances to the start
        known_places = (modes[:found], traces, walked)
        mass, walked = ascend((points, weights, own), at, rule, known_places, squared, inside)
        if mass > 0:
            copy(at, modes[found])
            masses[found] = mass
            found += 1
            mark(points, at, STOP * limit, squared, claimed)
    return found


@helper
def ascend(
    density: Any, at: F32, rule: Any, places: Any, squared: F32, inside: I64
) -> tuple[float, int]:
    """Move `at` to the mode above it and return its mass; 0 where that is a known one or too small.

    One step goes to the mean of the points within the bandwidth, by weight and kernel. `squared`
    holds the distances of the points to `at`. places: the known modes, the traces of earlier paths
    and their number; those of this path are written after them. Returns their number, too.
    """
    points, weights, own = density
    limit, gaussian, least, _ = rule
    modes, traces, before = places
    mass, walked = 0.0, before
    for turn in range(ROUNDS):
        if turn > 0:
            distances(points, FIRST, points.shape[1], at, squared)
        size, mass = weigh(squared, weights, own, limit, gaussian, inside)
        if mass < least:
            return 0.0, walked
        least = 0.0
        if shift(points, squared, inside, size, at) <= STILL * limit:
            return mass, walked
        late = turn >= AFTER
        if hits(at, modes, STOP * limit) or (late and hits(at, traces[:before], TRACE * limit)):
            return 0.0, walked
        if late and walked < len(traces):
            copy(at, traces[walked])
            walked += 1
    return mass, walked


@helper
def hits(at: F32, places: F32, reach: float) -> bool:
    """Tell whether one of the places (L, E) lies nearer to `at` than the square root of reach."""
    for place in range(len(places)):  # noqa: SIM110  (numba compiles no generator)
        if squared_gap(at, places[place]) <= reach:
            return True
    return False


@kernel
def settle(points: F32, weights: F32, at: F32, limit: float, rounds: int, still: float) -> int:
    """Move `at` to the mode of the points (E, M) above it, flat kernel; return the rounds taken.

    Points of weight 0 do not exist. It ends at a squared step of `still` or after `rounds`.
    """
    count = points.shape[1]
    squared = np.empty(count, np.float32)
    inside = np.empty(count + 1, np.int64)
    for turn in range(rounds):
        distances(points, FIRST, count, at, squared)
        size, _ = weigh(squared, weights, count, limit, False, inside)
        if shift(points, squared, inside, size, at) <= still:
            return turn + 1
    return rounds


@helper
def weigh(
    squared: F32, weights: F32, own: int, limit: float, gaussian: bool, inside: I64
) -> tuple[int, float]:
    """List the points within the limit; put what they weigh in the mean in front of `squared`.

    Returns their number and the weight of the own ones among them.
    """
    size = 0
    for i in range(len(squared)):
        inside[size] = i
        size += squared[i] <= limit
    mass = 0.0
    for k in range(size):
        i = inside[k]
        if i < own:
            mass += weights[i]
        factor = np.exp(-2 * squared[i] / limit) if gaussian else np.float32(1)
        squared[k] = factor * weights[i]  # k <= i: the distance of i has been read
    return size, mass


@helper
def shift(points: F32, factors: F32, inside: I64, size: int, at: F32) -> float:
    """Move `at` to the mean of the listed points; return the squared length of the step."""
    total = np.float32(0)
    for k in range(size):
        total += factors[k]
    length = np.float32(0)
    for axis in range(len(at)):
        row = points[axis]
        step = np.float32(0)
        for k in range(size):
            step += factors[k] * (row[inside[k]] - at[axis])
        if total > 0:
            step /= total
            at[axis] += step
            length += step * step
    return length


@helper
def copy(source: F32, target: F32) -> None:
    """Copy one vector; an assignment of slices takes numba a second more to compile."""
    for axis in range(len(target)):
        target[axis] = source[axis]


@routine
def squared_gap(a: F32, b: F32) -> float:
    """Return |a - b|^2."""
    total = np.float32(0)
    for axis in range(len(a)):
        total += (a[axis] - b[axis]) ** 2
    return total


@routine
def mark(points: F32, at: F32, reach: float, squared: F32, marked: Flags) -> None:
    """Mark the points nearer to `at` than the square root of `reach`."""
    distances(points, FIRST, points.shape[1], at, squared)
    for i in range(points.shape[1]):
        marked[i] |= squared[i] <= reach


@kernel
def within(points: F32, centres: F32, limit: float, near: Flags) -> int:
    """Mark in near (M,) the points (E, M) within the limit of a centre (C, E); return how many."""
    squared = np.empty(points.shape[1], np.float32)
    for centre in range(len(centres)):
        mark(points, centres[centre], np.float64(limit), squared, near)
    count = 0
    for value in near:
        count += value
    return count


@kernel
def choose(modes: F32, masses: Any, order: I64, known: int, limit: float, least: float) -> I64:
    """Return the indices of the modes to keep, in this order, the first `known` ones left out.

    A mode is kept if its mass is at least `least` and no known or kept mode lies within the limit.
    """
    kept = np.empty(known + len(order), np.int64)
    for mode in range(known):
        kept[mode] = mode
    size = known
    for mode in order:
        near = masses[mode] < least
        for other in kept[:size]:
            near |= squared_gap(modes[mode], modes[other]) <= limit
        if not near:
            kept[size] = mode
            size += 1
    return kept[known:size]
