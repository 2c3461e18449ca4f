"""Means over squares of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz"}
_COUNTED = 1e-9
Corner = tuple[int, int]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_row(
    values: NDArray[Any],
    known: NDArray[np.bool_],
    sign: float,
    sums: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:
    for x in range(len(values)):
        sums[x] += sign * np.float64(values[x]) if known[x] else 0.0
        counts[x] += sign if known[x] else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def extreme_squares(
    values: NDArray[Any], known: NDArray[np.bool_], side: int, share: float
) -> tuple[float, Corner, float, Corner]:
    """Lowest and highest mean of the known values in a square, and the first pixel of that square.

    Squares of which less than a share is known do not count; without any, the lowest is inf.
    """
    height, width = values.shape
    least = share * side * side - _COUNTED
    sums, counts = np.zeros((2, width))
    lowest, low_at, highest, high_at = np.inf, (0, 0), -np.inf, (0, 0)
    for y in range(height):
        _add_row(values[y], known[y], 1.0, sums, counts)
        if y >= side:
            _add_row(values[y - side], known[y - side], -1.0, sums, counts)
        if y < side - 1:
            continue
        total = count = 0.0
        for x in range(width):
            total += sums[x] - (sums[x - side] if x >= side else 0.0)
            count += counts[x] - (counts[x - side] if x >= side else 0.0)
            if x < side - 1 or count < least:
                continue
            mean = total / count
            if mean < lowest:
                lowest, low_at = mean, (y - side + 1, x - side + 1)
            if mean > highest:
                highest, high_at = mean, (y - side + 1, x - side + 1)
    return lowest, low_at, highest, high_at
