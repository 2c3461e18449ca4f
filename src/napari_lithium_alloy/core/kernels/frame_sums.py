"""Sums over whole frames: their light by tiles, their sharpness, their clipped pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.logarithm import log32

_FAST = {"reassoc", "contract", "nsz"}
_ZERO = np.float32(0)
_ONE = np.float32(1)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def quality_sums(counts: NDArray[Any], limit: float) -> tuple[float, float, float]:
    """Sum of counts, sum of squared differences two rows apart, number of pixels at a limit.

    Sums within a row are of single precision, those over rows of double.
    """
    height, width = counts.shape
    total, squares, clipped = 0.0, 0.0, 0.0
    most = np.float32(limit)
    for y in range(height):
        row = counts[y]
        row_total = row_clipped = _ZERO
        for x in range(width):
            value = np.float32(row[x])
            row_total += value
            row_clipped += _ONE if value >= most else _ZERO
        total += float(row_total)
        clipped += float(row_clipped)
        if y >= 2:
            before = counts[y - 2]
            row_squares = _ZERO
            for x in range(width):
                step = np.float32(row[x]) - np.float32(before[x])
                row_squares += step * step
            squares += float(row_squares)
    return total, squares, clipped


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def tile_logs(
    counts: NDArray[Any],
    dark: NDArray[np.float32],
    weight: NDArray[np.float32],
    film: NDArray[np.bool_],
    shift: tuple[int, int],
    every: int,
    edges: tuple[NDArray[np.int64], NDArray[np.int64]],
    sums: NDArray[np.float64],
    pixels: NDArray[np.float64],
) -> None:
    """Sums of the logarithm of light over tiles of a frame, and how many pixels they are of.

    Parameters
    ----------
    counts : (Y, X) array
    dark, weight : (Y, X) float32 arrays
        Light is counts less dark, times the weight; pixels of weight 0 do not count.
    film : (Y, X) bool array
        Where there is film, before it moved.
    shift : (int, int)
        Rows and columns by which it has moved.
    every : int
        Each so manieth row counts.
    edges : two int arrays
        First row (column) of each tile, and that after the last.
    sums, pixels : (tiles, tiles) float64 arrays
        Out.
    """
    height, width = counts.shape
    rows, columns = edges
    for i in range(rows.shape[0] - 1):
        first = rows[i] + (every - rows[i] % every) % every
        for y in range(first, rows[i + 1], every):
            v = y - shift[0]
            if v < 0 or v >= height:
                continue
            for j in range(columns.shape[0] - 1):
                left = max(columns[j], shift[1])
                right = min(columns[j + 1], width + shift[1])
                n = max(right - left, 0)
                seen, under = counts[y, left : left + n], dark[y, left : left + n]
                scale = weight[y, left : left + n]
                inside = film[v, left - shift[1] : left - shift[1] + n]
                row_sum = row_pixels = _ZERO
                for x in range(n):
                    value = (np.float32(seen[x]) - under[x]) * scale[x]
                    lit = inside[x] & (value > _ZERO) & (value < np.float32(np.inf))
                    row_sum += log32(value) if lit else _ZERO
                    row_pixels += _ONE if lit else _ZERO
                sums[i, j] += float(row_sum)
                pixels[i, j] += float(row_pixels)
