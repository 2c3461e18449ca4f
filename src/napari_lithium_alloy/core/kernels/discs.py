"""Pixels in discs: painted, or as runs of which none overlaps another."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Runs = NDArray[np.int32]


@njit(nogil=True, cache=True, error_model="numpy")
def paint_discs(centres: Doubles, radii: Doubles, mask: NDArray[np.float32]) -> None:
    """Put 1 where a pixel lies in any disc."""
    height, width = mask.shape
    for i in range(len(centres)):
        y, x, r = centres[i, 0], centres[i, 1], radii[i]
        for row in range(max(0, int(y - r) - 1), min(height, int(y + r) + 2)):
            for column in range(max(0, int(x - r) - 1), min(width, int(x + r) + 2)):
                if (row - y) ** 2 + (column - x) ** 2 <= r * r:
                    mask[row, column] = 1


@njit(nogil=True, cache=True, error_model="numpy")
def _list_runs(
    centres: Doubles, radii: Doubles, shape: tuple[int, int], out: NDArray[np.int64]
) -> int:
    """Runs of pixels in each row of each disc, as first pixel x 2^20 + length; how many."""
    n = 0
    for i in range(len(centres)):
        y, x, r = centres[i, 0], centres[i, 1], radii[i]
        for row in range(max(0, int(y - r) - 1), min(shape[0], int(y + r) + 2)):
            rest = r * r - (row - y) ** 2
            if rest < 0:
                continue
            half = math.sqrt(rest)
            left = max(math.ceil(x - half), 0)
            right = min(math.floor(x + half), shape[1] - 1)
            if right >= left:
                out[n] = (np.int64(row * shape[1] + left) << 20) + right - left + 1
                n += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def disc_runs(centres: Doubles, radii: Doubles, shape: tuple[int, int]) -> Runs:
    """(M, 2) flat index of the first pixel of each run in any disc, and that after its last."""
    most = 0
    for i in range(len(centres)):
        most += 2 * int(radii[i]) + 5
    listed = np.empty(most, np.int64)
    n = _list_runs(centres, radii, shape, listed)
    listed = np.sort(listed[:n])
    out, k = np.empty((n, 2), np.int32), -1
    for i in range(n):
        first = listed[i] >> 20
        end = first + (listed[i] & 1048575)
        if k >= 0 and first <= out[k, 1] and first // shape[1] == out[k, 0] // shape[1]:
            out[k, 1] = max(out[k, 1], end)
        else:
            k += 1
            out[k, 0], out[k, 1] = first, end
    return out[: k + 1].copy()


@njit(nogil=True, cache=True, error_model="numpy")
def running_sums(image: NDArray[np.float64], rows: tuple[int, int], out: Doubles) -> None:
    """(Y, X + 1) sums of a row's first 0, 1, ... pixels."""
    for y in range(rows[0], rows[1]):
        total = 0.0
        out[y, 0] = 0
        for x in range(image.shape[1]):
            total += image[y, x]
            out[y, x + 1] = total


@njit(nogil=True, cache=True, error_model="numpy")
def sum_in_runs(sums: Doubles, corner: tuple[int, int], width: int, runs: Runs) -> float:
    """Sum of a picture over runs of pixels of a field so wide, of which it is a part.

    `sums` are its running ones, `corner` is its first row and column.
    """
    total, last = 0.0, sums.shape[1] - 1
    for i in range(len(runs)):
        row = runs[i, 0] // width
        y = row - corner[0]
        if 0 <= y < len(sums):
            left = min(max(runs[i, 0] - row * width - corner[1], 0), last)
            right = min(max(runs[i, 1] - row * width - corner[1], 0), last)
            total += sums[y, right] - sums[y, left]
    return total
