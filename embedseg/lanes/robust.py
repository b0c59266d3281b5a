"""Robust least squares of one curve u = f(v): a polynomial or a smoothing spline.

f(v) = sum_j c_j B_j(t), t = v shifted and scaled to [-1, 1] over the data. B are the Legendre
polynomials up to a degree, or uniform cubic B-splines with a penalty on the second differences of
their coefficients (P-splines: Eilers & Marx, Statistical Science 1996):

    minimise  sum_i w_i rho(u_i - f(v_i)) + smoothing (sum_i w_i) sum_j (c_j - 2c_{j+1} + c_{j+2})^2

by iteratively re-weighted least squares: first L1 (bounded influence), then Tukey's biweight with a
scale from the residuals, so that points far off the curve weigh nothing. All in compiled code.
"""

import numpy as np

from embedseg.lanes.jit import kernel

L1_ROUNDS = 4
TUKEY_ROUNDS = 4
TUKEY = 4.685  # 95% efficiency for normal residuals
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
def solve(t, u, weight, kind, n, smoothing):  # type: ignore[no-untyped-def]
    """Return the coefficients of the weighted, penalised least squares fit."""
    normal, right, row = np.zeros((n, n)), np.zeros(n), np.empty(n)
    total = 0.0
    for i in range(len(t)):
        if weight[i] <= 0.0:
            continue
        basis(t[i], kind, row)
        total += weight[i]
        for j in range(n):
            right[j] += weight[i] * row[j] * u[i]
            for k in range(n):
                normal[j, k] += weight[i] * row[j] * row[k]
    if kind == 1:
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
    """Return the coefficients of the robust fit.

    `unit`: for each point the change of u that counts as one pixel: residuals are measured in
    pixels, and those below one are never outliers.
    """
    weight = weight / unit**2
    coefficients = solve(t, u, weight, kind, n, smoothing)
    if len(t) <= n:
        return coefficients
    for step in range(L1_ROUNDS + TUKEY_ROUNDS):
        residual = np.abs(u - evaluate(t, coefficients, kind)) / unit
        if step < L1_ROUNDS:
            robust = weight / np.maximum(residual, 1.0)
        else:
            scale = max(MAD * weighted_median(residual, weight), 1.0) * TUKEY
            robust = weight * np.maximum(1.0 - (residual / scale) ** 2, 0.0) ** 2
        coefficients = solve(t, u, robust, kind, n, smoothing)
    return coefficients


@kernel
def weighted_median(values, weight):  # type: ignore[no-untyped-def]
    """Return the smallest value with at least half of the weight at or below it."""
    order = np.argsort(values)
    half, below = weight.sum() / 2.0, 0.0
    for i in order:
        below += weight[i]
        if below >= half:
            return values[i]
    return values[order[-1]]
