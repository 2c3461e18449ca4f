"""Pixels in discs: painted, or as runs of which none overlaps another."""

from __future__ import annotations

import math
from typing import Any

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
def _running_sums(image: NDArray[Any], rows: tuple[int, int], out: Doubles) -> None:
    """Sums of the first 0, 1, ... pixels of some rows."""
    for y in range(rows[0], rows[1]):
        total, line = 0.0, out[y - rows[0]]
        line[0] = 0
        for x in range(image.shape[1]):
            total += image[y, x]
            line[x + 1] = total


@njit(nogil=True, cache=True, error_model="numpy")
def sums_in_band(
    image: NDArray[Any],
    corner: tuple[int, int],
    width: int,
    band: tuple[int, int],
    runs: Runs,
    begin: NDArray[np.int64],
    out: Doubles,
) -> None:
    """Sums of a picture over runs of pixels in some rows, which are few enough to stay at hand.

    Parameters
    ----------
    image : (Y, X) array
        A part of a field.
    corner : tuple
        Its first row and column.
    width : int
        Of the field.
    band : tuple
        The rows, of the field.
    runs : (M, 2) int32 array
        Flat indices in the field.
    begin : (n, 2) int64 array
        First run of each draw in these rows, and that after its last.
    out : (n,) float64 array
    """
    top, bottom = max(band[0] - corner[0], 0), min(band[1] - corner[0], image.shape[0])
    if top >= bottom:
        out[:] = 0
        return
    last = image.shape[1]
    sums = np.empty((bottom - top, last + 1))
    _running_sums(image, (top, bottom), sums)
    for d in range(len(begin)):
        total = 0.0
        for i in range(begin[d, 0], begin[d, 1]):
            row = runs[i, 0] // width
            y, origin = row - corner[0] - top, row * width + corner[1]
            if 0 <= y < len(sums):
                left = min(max(runs[i, 0] - origin, 0), last)
                right = min(max(runs[i, 1] - origin, 0), last)
                total += sums[y, right] - sums[y, left]
        out[d] = total
