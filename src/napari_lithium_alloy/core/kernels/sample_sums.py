"""Sums over two samples, a stretch of them at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

STRETCH = 2**14
_FAST = {"reassoc", "contract", "nsz"}
Doubles = NDArray[np.float64]
Some = tuple[int, int]
"""First stretch, and that after the last."""


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def sums_and_sizes(values: NDArray[Any], some: Some, out: Doubles) -> None:
    """(S, 2) sum of each stretch's values and the largest of their sizes."""
    for s in range(some[0], some[1]):
        part = values[s * STRETCH : (s + 1) * STRETCH]
        total = largest = 0.0
        for i in range(len(part)):
            value = np.float64(part[i])
            total += value
            largest = max(largest, abs(value))
        out[s, 0], out[s, 1] = total, largest


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def centred_products(
    a: NDArray[Any],
    b: NDArray[Any],
    means: tuple[float, float],
    scale: tuple[float, float],
    some: Some,
    out: Doubles,
) -> None:
    """(S, 3) sums of a^2, b^2 and ab of each stretch, each less its mean and times its scale."""
    for s in range(some[0], some[1]):
        first, second = a[s * STRETCH : (s + 1) * STRETCH], b[s * STRETCH : (s + 1) * STRETCH]
        aa = bb = ab = 0.0
        for i in range(len(first)):
            p = (np.float64(first[i]) - means[0]) * scale[0]
            q = (np.float64(second[i]) - means[1]) * scale[1]
            aa += p * p
            bb += q * q
            ab += p * q
        out[s, 0], out[s, 1], out[s, 2] = aa, bb, ab
