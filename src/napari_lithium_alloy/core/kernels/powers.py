"""Power laws fitted to few values."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _squares_left(
    log: Doubles, values: Doubles, powers: Doubles, left: Doubles, scale: Doubles
) -> None:
    """Least squares of values = a exp(m log) for evenly spaced powers m: what is left, and a."""
    shape, step = np.empty_like(log), np.empty_like(log)
    for t in range(len(log)):
        shape[t] = math.exp(powers[0] * log[t])
        step[t] = math.exp((powers[1] - powers[0]) * log[t])
    for p in range(len(powers)):
        product = square = total = 0.0
        for t in range(len(log)):
            product += shape[t] * values[t]
            square += shape[t] * shape[t]
        scale[p] = product / square
        for t in range(len(log)):
            rest = values[t] - scale[p] * shape[t]
            total += rest * rest
            shape[t] *= step[t]
        left[p] = total


@njit(nogil=True, cache=True, error_model="numpy")
def _second_of_inverse(a: float, b: float, c: float) -> float:
    """Last entry of the pseudo-inverse of (a b, b c)."""
    whole, determinant = a + c, a * c - b * b
    if determinant > 1e-15 * whole * whole:
        return a / determinant
    return c / (whole * whole) if whole > 0 else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def fit_power(
    log: Doubles, values: Doubles, powers: Doubles, least_variance: float
) -> tuple[float, float]:
    """Power m of values = a exp(m log) by least squares, and its standard deviation.

    Parameters
    ----------
    log, values : (T,) array
    powers : (P,) array
        Evenly spaced, among which it is looked for.
    least_variance : float
        Of a value; that of what is left counts where it is larger.
    """
    left, scale = np.empty(len(powers)), np.empty(len(powers))
    _squares_left(log, values, powers, left, scale)
    k = min(max(int(left.argmin()), 1), len(powers) - 2)
    bend = left[k - 1] - 2 * left[k] + left[k + 1]
    shift = 0.5 * (left[k - 1] - left[k + 1]) / bend if bend > 0 else 0.0
    a = b = c = 0.0
    for t in range(len(log)):
        shape = math.exp(powers[k] * log[t])
        slope = scale[k] * shape * log[t]
        a += shape * shape
        b += shape * slope
        c += slope * slope
    variance = max(least_variance, left[k] / max(len(log) - 2, 1))
    power = powers[k] + min(max(shift, -1.0), 1.0) * (powers[1] - powers[0])
    return power, math.sqrt(_second_of_inverse(a, b, c) * variance)
