"""Robust least squares of one curve u = f(v): a polynomial or a smoothing spline.

f(v) = sum_j c_j B_j(t), t = v shifted and scaled to [-1, 1] over the data. B are the Legendre
polynomials up to a degree, or uniform cubic B-splines with a penalty on the second differences of
their coefficients (P-splines: Eilers & Marx, Statistical Science 1996):

    minimise  sum_i w_i rho(u_i - f(v_i)) + smoothing (sum_i w_i) sum_j (c_j - 2c_{j+1} + c_{j+2})^2

by iteratively re-weighted least squares: first L1 (bounded influence), then Tukey's biweight with a
scale from the residuals, so that points far off the curve weigh nothing. All in compiled code.

The degree of a polynomial is the lowest that explains the points: one more is taken only where it
lowers the truncated cost, the weighted mean of min(r / REACH, 1)^2 over residuals r in pixels, by
MUCH, or by SOME and to RATIO of it. So a few stray points at an end bend no curve into a hook.
"""

import numpy as np

from embedseg.jit import kernel

L1_ROUNDS = 4
TUKEY_ROUNDS = 3
TUKEY = 4.685  # 95% efficiency for normal residuals
REACH = 4.0  # px; points farther from a curve count as outliers when degrees are compared
MUCH = 0.05  # of the truncated cost: a twentieth of the points comes within REACH
SOME = 0.003  # of the truncated cost: that of points 0.2 px off
RATIO = 0.7
MAD = 1.4826  # from the median absolute deviation to a standard deviation
RIDGE = 1e-9  # of the largest diagonal entry, so that a lack of data is no singular matrix


@kernel
def basis(t, kind, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the values of its basis functions at t; kind 0 Legendre, 1 cubic B-spline."""
    n = len(out)
    out[:] = 0.0
    if kind == 0:
        out[0] = 1.0
        if n > 1:
            out[1] = t
        for j in range(2, n):
            out[j] = ((2 * j - 1) * t * out[j - 1] - (j - 1) * out[j - 2]) / j
        return
    pieces = n - 3
    place = min(max((t + 1.0) / 2.0, 0.0), 1.0) * pieces
    first = min(int(place), pieces - 1)
    s = (t + 1.0) / 2.0 * pieces - first  # beyond the data the last cubic piece goes on
    out[first] = (1.0 - s) ** 3 / 6.0
    out[first + 1] = (3.0 * s**3 - 6.0 * s**2 + 4.0) / 6.0
    out[first + 2] = (-3.0 * s**3 + 3.0 * s**2 + 3.0 * s + 1.0) / 6.0
    out[first + 3] = s**3 / 6.0


@kernel
def _penalise(normal, strength):  # type: ignore[no-untyped-def]
    """Add the squares of the second differences of the coefficients to the normal matrix."""
    for j in range(len(normal) - 2):
        for a in range(3):
            for b in range(3):
                both = (1.0 - 3.0 * (a == 1)) * (1.0 - 3.0 * (b == 1))
                normal[j + a, j + b] += strength * both


@kernel
def table(t, kind, n):  # type: ignore[no-untyped-def]
    """Return (n, len(t)): the value of each basis function at each t."""
    out, row = np.empty((n, len(t))), np.empty(n)
    for i in range(len(t)):
        basis(t[i], kind, row)
        out[:, i] = row
    return out


@kernel
def solve(values, u, weight, kind, smoothing):  # type: ignore[no-untyped-def]
    """Return the coefficients of the weighted, penalised least squares fit; `values` of `table`."""
    n, count = values.shape
    normal, right = np.zeros((n, n)), np.zeros(n)
    weighted = np.empty(count)
    total = 0.0
    for j in range(n):
        for i in range(count):
            weighted[i] = weight[i] * values[j, i]
        right[j] = np.dot(weighted, u)
        for k in range(j + 1):
            normal[j, k] = normal[k, j] = np.dot(weighted, values[k])
    if kind == 1:
        for i in range(count):
            total += weight[i]
        _penalise(normal, smoothing * total)
    ridge = RIDGE * np.max(np.diag(normal)) + 1e-300
    for j in range(n):
        normal[j, j] += ridge
    return np.linalg.solve(normal, right)


@kernel
def evaluate(t, coefficients, kind):  # type: ignore[no-untyped-def]
    """Return f at each t."""
    out, row = np.empty(len(t)), np.empty(len(coefficients))
    for i in range(len(t)):
        basis(t[i], kind, row)
        out[i] = np.dot(row, coefficients)
    return out


@kernel
def fit(t, u, weight, unit, kind, n, smoothing):  # type: ignore[no-untyped-def]
    """Return the coefficients of the robust fit: n of a spline, at most n of a polynomial.

    `unit`: for each point the change of u that counts as one pixel: residuals are measured in
    pixels, and those below one are never outliers.
    """
    scaled, values = weight / unit**2, table(t, kind, n)
    if kind == 1:
        return _robust(values, u, scaled, unit, kind, smoothing)
    few = min(n, 2)
    best = _robust(values[:few], u, scaled, unit, kind, smoothing)
    cost = _cost(values[:few], u, weight, unit, best)
    for k in range(few + 1, n + 1):
        if cost < SOME:
            break
        trial = _robust(values[:k], u, scaled, unit, kind, smoothing)
        lower = _cost(values[:k], u, weight, unit, trial)
        if lower < cost - MUCH or (lower < cost - SOME and lower < RATIO * cost):
            best, cost = trial, lower
    return best


@kernel
def refit(t, u, weight, unit, form, near):  # type: ignore[no-untyped-def]
    """Return the coefficients of a fit of the same form near one that is known, robust as it.

    `form` (kind, smoothing); `near`: the coefficients known.
    """
    kind, smoothing = form
    values, scaled = table(t, kind, len(near)), weight / unit**2
    for _ in range(TUKEY_ROUNDS - 1):
        near = _biweight(values, u, scaled, unit, kind, smoothing, near)
    return near


@kernel
def _robust(values, u, weight, unit, kind, smoothing):  # type: ignore[no-untyped-def]
    """Return the coefficients after L1 and Tukey rounds; of few points those of least squares."""
    coefficients = solve(values, u, weight, kind, smoothing)
    if values.shape[1] <= values.shape[0]:
        return coefficients
    for _ in range(L1_ROUNDS):
        residual = _residual(values, u, unit, coefficients)
        coefficients = solve(values, u, weight / np.maximum(residual, 1.0), kind, smoothing)
    for _ in range(TUKEY_ROUNDS):
        coefficients = _biweight(values, u, weight, unit, kind, smoothing, coefficients)
    return coefficients


@kernel
def _biweight(values, u, weight, unit, kind, smoothing, coefficients):  # type: ignore[no-untyped-def]
    """Return the coefficients after a round of Tukey's biweight."""
    residual = _residual(values, u, unit, coefficients)
    scale = max(MAD * weighted_median(residual, weight), 1.0) * TUKEY
    robust = weight * np.maximum(1.0 - (residual / scale) ** 2, 0.0) ** 2
    return solve(values, u, robust, kind, smoothing)


@kernel
def _residual(values, u, unit, coefficients):  # type: ignore[no-untyped-def]
    """Return how many pixels each point is off the curve."""
    out = u.copy()
    for j in range(len(coefficients)):
        out -= coefficients[j] * values[j]
    return np.abs(out) / unit


@kernel
def _cost(values, u, weight, unit, coefficients):  # type: ignore[no-untyped-def]
    """Return the truncated cost, 0 to 1."""
    residual = np.minimum(_residual(values, u, unit, coefficients) / REACH, 1.0)
    return np.dot(weight, residual**2) / weight.sum()


@kernel
def weighted_median(values, weight):  # type: ignore[no-untyped-def]
    """Return the smallest value with at least half of the weight at or below it."""
    values, weight, count = values.copy(), weight.copy(), len(values)
    half, below = weight.sum() / 2.0, 0.0
    while True:  # by halving the values that it can still be
        pivot, less, equal = values[count // 2], 0.0, 0.0
        for i in range(count):
            if values[i] < pivot:
                less += weight[i]
            elif values[i] == pivot:
                equal += weight[i]
        lower = below + less >= half
        if not lower and below + less + equal >= half:
            return pivot
        kept = _keep(values, weight, count, pivot, lower)
        if kept == 0:
            return pivot
        below += 0.0 if lower else less + equal
        count = kept


@kernel
def _keep(values, weight, count, pivot, lower):  # type: ignore[no-untyped-def]
    """Move those of the first values that are below, or above, the pivot to the front; how many."""
    kept = 0
    for i in range(count):
        if values[i] != pivot and (values[i] < pivot) == lower:
            values[kept], weight[kept] = values[i], weight[i]
            kept += 1
    return kept
