"""One lane from the runs of its stroke: a robust curve through the runs' middles, with its ends.

A stroke of half width r with round ends is r longer than its lane at either end, and near an end
its runs are cut slantwise, so that their middles lie beside the lane. So a first fit finds r and
which runs are outliers; the ends are moved in by r; a second fit leaves out the runs next to the
ends. At the border of the image a stroke is not ended but cut: there the curve goes on to the
border. Rows and columns are those of the label image; x, y those of the original image; u, v those
of the plane that the homography leads to, in which the curve is u = f(v).
"""

import numpy as np

from embedseg.jit import kernel
from embedseg.lanes.robust import evaluate, fit, refit, weighted_median

OUTLIER = 3.0  # half widths from the curve from which on a run does not tell where the lane ends
REST = 0.5  # share of the runs that the second fit needs at least


@kernel
def trace(runs, shape, scale, to_plane, to_image, form, step):  # type: ignore[no-untyped-def]
    """Return points (k, 2) of x, y on the lane, from top to bottom.

    `runs` (3, m): row, first, last column; `shape` (H, W) of the label image; `scale` (sy, sx) from
    it to the original image; `to_plane`, `to_image` (3, 3): homography of the original image and
    its inverse; `form` (kind, functions, smoothing) of the curve. Points lie on the rows y that are
    multiples of `step`, and at both ends.
    """
    row, middle = runs[0] * 1.0, (runs[1] + runs[2]) / 2.0
    length = runs[2] - runs[1] + 1.0
    u, v, unit = _project(row, middle, scale, to_plane)
    seen = unit > 0.0
    if not seen.any():
        return np.empty((0, 2))
    row, middle, length = row[seen], middle[seen], length[seen]
    u, v, unit = u[seen], v[seen], unit[seen]
    low, half = v.min(), max((v.max() - v.min()) / 2.0, 1e-12)
    t = (v - low) / half - 1.0
    kind, smoothing = int(form[0]), form[2]
    n = _terms(kind, int(form[1]), row)
    coefficients = fit(t, u, length, unit * slant(row, middle, length), kind, n, smoothing)

    curve = (coefficients, kind, low, half)
    path = (row, middle, scale, to_plane, to_image)
    slope = _columns(row + 0.5, curve, path) - _columns(row - 0.5, curve, path)
    tilt = np.sqrt(1.0 + slope**2)
    radius = weighted_median(length / 2.0 / tilt, length)
    offset = np.abs(u - evaluate(t, coefficients, kind)) / unit / tilt
    near = offset <= OUTLIER * max(radius, 1.0)
    if not near.any():
        near[:] = True
    cut = (runs[1][seen] == 0) | (runs[2][seen] == shape[1] - 1)
    top, bottom, inner = _ends(row, near, cut, radius, shape[0])
    if inner.sum() >= max(REST * near.sum(), n + 1.0):
        coefficients = refit(t, u, length * inner, unit * tilt, (kind, smoothing), coefficients)
    rows = _rows((top + 0.5) * scale[0] - 0.5, (bottom + 0.5) * scale[0] - 0.5, step)
    points = _points((rows + 0.5) / scale[0] - 0.5, (coefficients, kind, low, half), path)
    return _inside(points, shape[1] * scale[1])


@kernel
def slant(row, middle, weight):  # type: ignore[no-untyped-def]
    """Return how many columns one pixel across the lane is, from a straight line: >= 1."""
    total = weight.sum()
    dy = row - np.dot(weight, row) / total
    slope = np.dot(weight * dy, middle) / max(np.dot(weight * dy, dy), 1e-12)
    return np.sqrt(1.0 + slope**2)


@kernel
def _terms(kind, n, row):  # type: ignore[no-untyped-def]
    """Return how many functions the data carries: at most one for each row, for a spline >= 4."""
    rows = 1
    for i in range(1, len(row)):
        rows += row[i] != row[i - 1]
    return max(n, 4) if kind == 1 else min(n, rows)


@kernel
def _project(row, column, scale, to_plane):  # type: ignore[no-untyped-def]
    """Return u, v, and how far u moves for one column; that is 0 for points behind the plane."""
    x, y = (column + 0.5) * scale[1] - 0.5, (row + 0.5) * scale[0] - 0.5
    w = to_plane[2, 0] * x + to_plane[2, 1] * y + to_plane[2, 2]
    safe = np.where(w > 1e-12, w, 1.0)
    u = (to_plane[0, 0] * x + to_plane[0, 1] * y + to_plane[0, 2]) / safe
    v = (to_plane[1, 0] * x + to_plane[1, 1] * y + to_plane[1, 2]) / safe
    unit = np.abs(to_plane[0, 0] - u * to_plane[2, 0]) / safe * scale[1]
    return u, v, np.where(w > 1e-12, unit, 0.0)


@kernel
def _points(rows, curve, path):  # type: ignore[no-untyped-def]
    """Return points (k, 2) of x, y of the curve at rows of the label image."""
    coefficients, kind, low, half = curve
    row, middle, scale, to_plane, to_image = path
    _, v, _ = _project(rows, np.interp(rows, row, middle), scale, to_plane)
    u = evaluate((v - low) / half - 1.0, coefficients, kind)
    w = to_image[2, 0] * u + to_image[2, 1] * v + to_image[2, 2]
    points = np.empty((len(rows), 2))
    points[:, 0] = (to_image[0, 0] * u + to_image[0, 1] * v + to_image[0, 2]) / w
    points[:, 1] = (to_image[1, 0] * u + to_image[1, 1] * v + to_image[1, 2]) / w
    return points


@kernel
def _columns(rows, curve, path):  # type: ignore[no-untyped-def]
    """Return the columns of the curve at rows of the label image."""
    return (_points(rows, curve, path)[:, 0] + 0.5) / path[2][1] - 0.5


@kernel
def _ends(row, near, cut, radius, height):  # type: ignore[no-untyped-def]
    """Return the first and last row of the lane, and which runs its ends leave unharmed."""
    top, bottom = row[near].min(), row[near].max()
    inner = near & ~cut
    top_cut, bottom_cut = top == 0, bottom == height - 1
    for i in range(len(row)):
        if near[i] and cut[i]:
            top_cut |= row[i] == top
            bottom_cut |= row[i] == bottom
    if not top_cut:
        inner &= row >= top + 2.0 * radius
    if not bottom_cut:
        inner &= row <= bottom - 2.0 * radius
    begin = top - 0.5 + (0.0 if top_cut else max(radius - 1.0, 0.0))
    end = bottom + 0.5 - (0.0 if bottom_cut else max(radius - 1.0, 0.0))
    if begin > end or (top == bottom and not (top_cut or bottom_cut)):
        begin = end = (top + bottom) / 2.0
    return begin, end, inner


@kernel
def _rows(first, last, step):  # type: ignore[no-untyped-def]
    """Return first, the multiples of step between, and last; one row where they are the same."""
    begin, end = np.floor(first / step) + 1.0, np.ceil(last / step) - 1.0
    between = max(int(end - begin) + 1, 0)
    rows = np.empty(between + 2)
    rows[0] = first
    for i in range(between):
        rows[i + 1] = (begin + i) * step
    rows[-1] = last
    return rows if last > first else rows[:1]


@kernel
def _inside(points, width):  # type: ignore[no-untyped-def]
    """Return the longest way of the curve with x in [-1/2, width - 1/2], ends on the border.

    A lane that leaves the picture does not come back: what does is a curve led astray.
    """
    low, high = -0.5, width - 0.5
    begin, end, first = 0, -1, 0
    for i in range(len(points)):
        if not low <= points[i, 0] <= high:
            first = i + 1
        elif i - first > end - begin:
            begin, end = first, i
    if end < begin:
        return points[:0]
    out = points[max(begin - 1, 0) : min(end + 2, len(points))].copy()
    if begin > 0:
        _to_border(out, np.int64(0), np.int64(1), low, high)  # no constants: see pieces.py
    if end < len(points) - 1:
        _to_border(out, len(out) - 1, len(out) - 2, low, high)
    return out


@kernel
def _to_border(points, outer, inner, low, high):  # type: ignore[no-untyped-def]
    """Move the outer point along its segment to the border that it lies beyond."""
    border = low if points[outer, 0] < low else high
    share = (border - points[inner, 0]) / (points[outer, 0] - points[inner, 0])
    points[outer] = points[inner] + share * (points[outer] - points[inner])
