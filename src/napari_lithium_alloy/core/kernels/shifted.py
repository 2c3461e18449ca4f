"""Two maps under all shifts: their products, sums over these, and which shifts count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz"}
_BINS = 4096
Doubles = NDArray[np.float64]
Floats = NDArray[Any]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def cross_power(first: Floats, second: Floats, out: Floats) -> None:
    """One transform times the other's conjugate, as real and imaginary numbers in turn."""
    for y in range(first.shape[0]):
        a, b, line = first[y], second[y], out[y]
        for x in range(len(line) // 2):
            real, imaginary = 2 * x, 2 * x + 1
            line[real] = a[real] * b[real] + a[imaginary] * b[imaginary]
            line[imaginary] = a[imaginary] * b[real] - a[real] * b[imaginary]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def spread_of(a: Floats, b: Floats, overlap: Doubles, least: float) -> float:
    """Sum of products over overlaps, of shifts with at least so large an overlap."""
    total = 0.0
    for y in range(len(a)):
        first, second, common = a[y], b[y], overlap[y]
        row = 0.0
        for x in range(len(first)):
            share = first[x] * second[x] / max(common[x], 1.0)
            row += share if common[x] >= least else 0.0
        total += row
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def sums_in_rings(own: Floats, overlap: Doubles, length: Doubles, out: Doubles) -> None:
    """Add a map's products with itself, and pixels in common, to rings of shifts of one length."""
    for y in range(len(own)):
        for x in range(own.shape[1]):
            ring = int(np.rint(length[y, x]))
            out[0, ring] += own[y, x]
            out[1, ring] += overlap[y, x]


@njit(nogil=True, cache=True, error_model="numpy")
def usable_sizes(
    correlation: Doubles,
    overlap: Doubles,
    length: Doubles,
    limits: tuple[float, float],
    out: Doubles,
) -> int:
    """List sizes of r of shifts of at least an overlap and beyond a length; how many there are."""
    n = 0
    for y in range(len(correlation)):
        for x in range(correlation.shape[1]):
            out[n] = abs(correlation[y, x])
            n += 1 if overlap[y, x] >= limits[0] and length[y, x] > limits[1] else 0
            if n == len(out):
                return n
    return n


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def mean_square(values: Doubles) -> float:
    """Mean of squares."""
    total = 0.0
    for i in range(len(values)):
        total += values[i] * values[i]
    return total / len(values)


@njit(nogil=True, cache=True, error_model="numpy")
def quantile_of(values: Doubles, share: float) -> float:
    """Quantile of values of which none is negative, straight between the two it lies between."""
    step = _BINS / max(values.max(), 1e-300)
    counts = np.zeros(_BINS + 1, np.int64)
    for i in range(len(values)):
        counts[int(values[i] * step)] += 1
    at = share * (len(values) - 1)
    first = int(at)
    last = min(first + 1, len(values) - 1)
    low, below = 0, 0
    while below + counts[low] <= first:
        below += counts[low]
        low += 1
    high, up_to = low, below + counts[low]
    while up_to <= last:
        high += 1
        up_to += counts[high]
    some, n = np.empty(up_to - below), 0
    for i in range(len(values)):
        if low <= int(values[i] * step) <= high:
            some[n] = values[i]
            n += 1
    some.sort()
    a, b = some[first - below], some[last - below]
    return float(a + (b - a) * (at - first))
