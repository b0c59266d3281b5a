"""Compiled minimum spanning tree of a few thousand points under mutual reachability.

The mutual reachability of two points is the largest of their distance and their core distances; a
point's core distance is that to its k-th neighbour (Campello, Moulavi, Sander, PAKDD 2013). The
tree is that of Prim (Bell System Technical Journal 36, 1957) over all pairs, which are taken twice
and never stored: O(M^2 E) time, O(M) memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.climbing import copy
from clustering.jit import helper, kernel
from clustering.kernels import FIRST, I32, distances
from clustering.masks import F32, I64

INFINITE = np.int32(0x7F800000)  # float32's infinity as bits, which order numbers >= 0 as they are

Edges = NDArray[np.float64]


def spanning_tree(points: F32, rank: int) -> Edges:
    """Return the edges (M - 1, 3) of the tree of finite points (E, M): two points and their reach.

    They ascend by mutual reachability; core distances are those to the rank-th neighbour,
    1 <= rank < M, where a point is none of its own neighbours but points equal to it are.
    """
    count = points.shape[1]
    core = np.empty(count, np.float32)
    ends = np.empty((count - 1, 2), np.int32)
    squared = np.empty(count - 1, np.float32)
    grow(np.ascontiguousarray(points), rank, core.view(np.int32), ends, squared.view(np.int32))
    order = np.argsort(squared, kind="stable")
    return np.column_stack([ends[order], np.sqrt(squared[order].astype(np.float64))])


def single_linkage(edges: Edges) -> Edges:
    """Return the dendrogram (M - 1, 4) of ascending edges (M - 1, 3), in the layout of scipy's."""
    tree = np.empty((len(edges), 4))
    join(edges, np.arange(2 * len(edges) + 1), tree)
    return tree


@kernel
def join(edges: Edges, parent: I64, tree: Edges) -> None:
    """Join the two clusters of each edge; parent (2 M - 1,) holds every node itself at first."""
    count = len(edges) + 1
    for row in range(len(edges)):
        size = 0.0
        for side in range(2):
            node = np.int64(edges[row, side])
            while parent[node] != node:
                parent[node] = parent[parent[node]]
                node = parent[node]
            parent[node] = count + row
            tree[row, side] = node
            size += 1.0 if node < count else tree[node - count, 3]
        tree[row, 2] = edges[row, 2]
        tree[row, 3] = size


@kernel
def grow(points: F32, rank: int, core: I32, ends: I32, reach: I32) -> None:
    """Set core (M,), and ends (M - 1, 2) and reach (M - 1,) of the edges in the order of growth.

    Squared distances are compared as bits: minima of integers are taken many at a time.
    """
    count = points.shape[1]
    squared = np.empty(count, np.float32)
    bits = squared.view(np.int32)
    at = np.empty(len(points), np.float32)
    for point in range(count):
        copy(points[:, point], at)
        distances(points, FIRST, count, at, squared)
        core[point] = smallest(bits, rank + 1)  # the first is the point itself
    best = np.full(count, INFINITE)  # squared reach of each point from the tree
    source = np.zeros(count, np.int32)
    inside = np.zeros(count, np.int32)  # of the tree: more than any reach
    last = np.int32(0)
    for edge in range(count - 1):
        inside[last] = INFINITE + 1
        copy(points[:, last], at)
        distances(points, FIRST, count, at, squared)
        nearest = INFINITE + 1
        for other in range(count):
            new = max(bits[other], core[other], core[last])
            nearer = new < best[other]
            best[other] = new if nearer else best[other]
            source[other] = last if nearer else source[other]
            nearest = min(nearest, max(best[other], inside[other]))
        last = np.int32(0)
        while max(best[last], inside[last]) != nearest:
            last += np.int32(1)
        ends[edge, 0] = source[last]
        ends[edge, 1] = last
        reach[edge] = nearest


@helper
def smallest(numbers: I32, rank: int) -> np.int32:
    """Return the rank-th smallest of numbers from 0 to INFINITE, by halving the range.

    It ends where just `rank` numbers lie below, half way down: the answer is the largest of them.
    """
    low, high = np.int32(0), INFINITE
    count: Any = np.int32(0)
    while low < high and count != rank:
        middle = np.int32(low + (high - low) // 2)
        count = np.int32(0)
        for value in numbers:
            count += np.int32(value <= middle)
        if count >= rank:
            high = middle
        else:
            low = np.int32(middle + 1)
    largest = np.int32(0)
    for value in numbers:
        largest = max(largest, value if value <= high else np.int32(0))
    return largest
