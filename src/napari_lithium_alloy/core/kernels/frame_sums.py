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
_ROWS = 16
Asked = tuple[Any, int, NDArray[np.float64]]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _number_over(counts: NDArray[Any], level: Any) -> float:
    number = np.uint32(0)
    for x in range(len(counts)):
        number = np.uint32(number + np.uint32(counts[x] > level))
    return float(number)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_steps(row: NDArray[Any], before: NDArray[Any], out: NDArray[np.float64]) -> None:
    """Add a row's sum, and that of the squared differences to one before."""
    total = squares = _ZERO
    for x in range(len(row)):
        value = np.float32(row[x])
        step = value - np.float32(before[x])
        total += value
        squares += step * step
    out[0] += float(total)
    out[1] += float(squares)


@njit(nogil=True, cache=True, error_model="numpy")
def add_quality(
    frame: NDArray[Any], rows: tuple[int, int], level: Any, every: int, out: NDArray[np.float64]
) -> None:
    """Add some rows of a frame to its sums (`quality_sums`)."""
    # One after another and first, which brings them into the processor's cache.
    out[2] += _number_over(frame[rows[0] : rows[1]].reshape(-1), level)
    for y in range(-(-rows[0] // every) * every, rows[1], every):
        _add_steps(frame[y], frame[y - 2 if y >= 2 else y], out)


@njit(nogil=True, cache=True, error_model="numpy")
def quality_sums(counts: NDArray[Any], asked: Asked) -> None:
    """Sum of counts, sum of squared differences two rows apart, number of pixels over a level.

    Sums within a row are of single precision, those over rows of double.

    Parameters
    ----------
    counts : (T, Y, X) array
    asked : tuple
        The level, a number of the type of counts; each so manieth row that the two sums are told
        from; and (T, 3) float64 array, to which the three are added.
    """
    level, every, out = asked
    height = counts.shape[1]
    for t in range(len(counts)):
        for first in range(0, height, _ROWS):
            add_quality(counts[t], (first, min(first + _ROWS, height)), level, every, out[t])


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
