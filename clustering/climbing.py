"""Compiled hill climbing: the modes of the density of a few thousand weighted points."""

import numpy as np

from clustering.jit import helper, kernel
from clustering.kernels import distances

STOP = 0.25  # of the squared bandwidth: a path this near to a known mode ends there


@helper
def shifted(points, weights, own, at, limit, gaussian, squared, inside, moved):
    """Set `moved` to the weighted mean of the points within the limit of `at`.

    Returns the weight of those among the first `own` points, whatever the kernel.
    """
    count = points.shape[1]
    distances(points, 0, count, at, squared)
    size = 0
    mass = 0.0
    for i in range(count):
        inside[size] = i
        size += squared[i] <= limit
    total = 0.0
    for k in range(size):
        i = inside[k]
        if i < own:
            mass += weights[i]
        factor = np.exp(-2 * squared[i] / limit) if gaussian else np.float32(1)
        squared[k] = factor * weights[i]  # k <= i: the distance of i has been read
        total += squared[k]
    if total > 0:
        for axis in range(len(moved)):
            row = points[axis]
            step = np.float32(0)
            for k in range(size):
                step += squared[k] * (row[inside[k]] - at[axis])
            moved[axis] = at[axis] + step / total
    return mass


@helper
def squared_gap(a, b):
    """Return |a - b|^2."""
    total = np.float32(0)
    for axis in range(len(a)):
        total += (a[axis] - b[axis]) ** 2
    return total


@helper
def claim(points, at, reach, squared, claimed):
    """Mark the points nearer to `at` than the square root of `reach`."""
    distances(points, 0, points.shape[1], at, squared)
    for i in range(points.shape[1]):
        claimed[i] |= squared[i] <= reach


@kernel
def within(points, centres, limit, near):
    """Mark in near (M,) the points (E, M) within the limit of a centre (C, E); return how many."""
    squared = np.empty(points.shape[1], np.float32)
    for centre in range(len(centres)):
        claim(points, centres[centre], limit, squared, near)
    count = 0
    for value in near:
        count += value
    return count


@kernel
def choose(modes, masses, order, known, limit, least):
    """Return the indices of the modes to keep, in this order, the first `known` ones left out.

    A mode is kept if its mass is at least `least` and no known or kept mode lies within the limit.
    """
    kept = np.empty(known + len(order), np.int64)
    kept[:known] = np.arange(known)
    size = known
    for mode in order:
        near = masses[mode] < least
        for other in kept[:size]:
            near |= squared_gap(modes[mode], modes[other]) <= limit
        if not near:
            kept[size] = mode
            size += 1
    return kept[known:size]


@kernel
def climb(
    points, weights, own, limit, gaussian, rounds, still, floor, modes, known, masses
):  # fmt: skip
    """Climb from the first `own` of the points (E, M); write the modes after the `known` ones.

    A point near a known mode or near where an earlier climb began or ended is passed over, and so
    is one with less than `floor` within the limit. modes (L, E) holds `known` modes and room for
    more; masses (L,) takes the weight of own points within the limit of each. Returns the number of
    modes. Modes found may be near to each other: see `choose`.
    """
    dims, count = points.shape
    squared = np.empty(count, np.float32)
    inside = np.empty(count + 1, np.int64)
    at = np.empty(dims, np.float32)
    moved = np.empty(dims, np.float32)
    claimed = np.zeros(count, np.bool_)
    for mode in range(known):
        claim(points, modes[mode], STOP * limit, squared, claimed)
    found = known
    for seed in range(own):
        if claimed[seed] or found == len(modes):
            continue
        at[:] = points[:, seed]
        claim(points, at, STOP * limit, squared, claimed)
        arrived = False
        for step in range(rounds):
            mass = shifted(points, weights, own, at, limit, gaussian, squared, inside, moved)
            if step == 0 and mass < floor:
                arrived = True
                break
            length = squared_gap(at, moved)
            at[:] = moved
            for mode in range(found):
                arrived |= squared_gap(at, modes[mode]) <= STOP * limit
            if arrived or length <= still:
                break
        if not arrived:
            modes[found] = at
            masses[found] = mass
            found += 1
            claim(points, at, STOP * limit, squared, claimed)
    return found
