"""Medians of few values, and of many such lists at once, side by side."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
LANES = 32
"""Lists, which are columns, whose values go through the processor together."""
Lanes = NDArray[np.float32]
"""(N, LANES), or (LANES,) array."""


@njit(nogil=True, cache=True, error_model="numpy")
def _part_at(values: Doubles, n: int, k: int) -> None:
    """Put the first n values into such an order that none before the k-th is above it."""
    low, high = 0, n - 1
    while low < high:
        pivot, i, j = values[k], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        low = i if j < k else low
        high = j if k < i else high


@njit(nogil=True, cache=True, error_model="numpy")
def middle_of(values: Doubles, n: int) -> float:
    """Median of the first n values, which may be put into another order; NaN of none."""
    if n == 0:
        return math.nan
    k = n // 2
    _part_at(values, n, k)
    if n % 2:
        return float(values[k])
    return float((values[:k].max() + values[k]) / 2)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"nsz"})
def _sort(values: Lanes, pairs: NDArray[np.int32]) -> None:
    """Sort each column of values of which none is unknown."""
    for p in range(len(pairs)):
        one, other = values[pairs[p, 0]], values[pairs[p, 1]]
        for k in range(LANES):
            a, b = one[k], other[k]
            one[k] = a if a < b else b
            other[k] = b if a < b else a


@njit(nogil=True, cache=True, error_model="numpy")
def middles_of(values: Lanes, n: int, pairs: NDArray[np.int32], out: Lanes) -> None:
    """Medians of the first n values of each column, which are sorted; of those known, if any is."""
    unknown = np.zeros(LANES, np.int32)
    for i in range(n):
        for k in range(LANES):
            unknown[k] += np.int32(math.isnan(values[i, k]))
    if unknown.any():
        room = np.empty(n)
        for k in range(LANES):
            known = 0
            for i in range(n):
                if not math.isnan(values[i, k]):
                    room[known] = values[i, k]
                    known += 1
            out[k] = middle_of(room, known)
        return
    values[n:] = np.float32(math.inf)
    _sort(values, pairs)
    half = np.float32(0.5)
    for k in range(LANES):
        out[k] = half * (values[(n - 1) // 2, k] + values[n // 2, k])
