"""Pixels in discs: painted, or as runs of which none overlaps another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
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
    centres: Doubles, radii: Doubles, shape: tuple[int, int], begin: Ints, out: Runs
) -> None:
    """(M, 2) first and last column of the runs of all discs, by rows; where each row's end.

    `begin` holds in: where those of each row begin.
    """
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
                k = begin[row]
                while k > 0 and out[k - 1, 0] > left and out[k - 1, 2] == row:
                    out[k] = out[k - 1]
                    k -= 1
                out[k, 0], out[k, 1], out[k, 2] = left, right, row
                begin[row] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def disc_runs(centres: Doubles, radii: Doubles, shape: tuple[int, int]) -> Runs:
    """(M, 2) flat index of the first pixel of each run in any disc, and that after its last."""
    begin = np.zeros(shape[0] + 1, np.int64)
    for i in range(len(centres)):
        y, r = centres[i, 0], radii[i]
        for row in range(max(0, int(y - r) - 1), min(shape[0], int(y + r) + 2)):
            begin[row + 1] += 1
    begin = np.cumsum(begin)
    listed = np.full((begin[-1], 3), -1, np.int32)
    starts = begin.copy()
    _list_runs(centres, radii, shape, begin, listed)
    out, n = np.empty((len(listed), 2), np.int32), 0
    for row in range(shape[0]):
        opened = n
        for k in range(starts[row], begin[row]):
            first, end = row * shape[1] + listed[k, 0], row * shape[1] + listed[k, 1] + 1
            if n > opened and first <= out[n - 1, 1]:
                out[n - 1, 1] = max(out[n - 1, 1], end)
            else:
                out[n, 0], out[n, 1] = first, end
                n += 1
    return out[:n].copy()


@njit(nogil=True, cache=True, error_model="numpy")
def _running_sums(
    image: NDArray[Any], corner: tuple[int, int], width: int, band: tuple[int, int], out: Doubles
) -> None:
    """Sums of a picture over the first 0, 1, ... pixels of some rows of the field around it."""
    total, n = 0.0, 0
    for row in range(band[0], band[1]):
        y = row - corner[0]
        inside = 0 <= y < image.shape[0]
        out[n : n + (corner[1] if inside else width)] = total
        if inside:
            n += corner[1]
            for x in range(image.shape[1]):
                out[n + x] = total
                total += image[y, x]
            out[n + image.shape[1] : n + width - corner[1]] = total
            n += width - corner[1]
        else:
            n += width
    out[n] = total


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
    out[:] = 0
    if band[1] <= corner[0] or band[0] >= corner[0] + image.shape[0]:
        return
    sums = np.empty((band[1] - band[0]) * width + 1)
    _running_sums(image, corner, width, band, sums)
    origin = band[0] * width
    for d in range(len(begin)):
        total = 0.0
        for i in range(begin[d, 0], begin[d, 1]):
            total += sums[runs[i, 1] - origin] - sums[runs[i, 0] - origin]
        out[d] = total
