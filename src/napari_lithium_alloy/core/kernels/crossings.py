"""First sustained crossings of pixels, or of square cells of pixels, streamed through time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_ZERO = np.int32(0)
_ONE = np.int32(1)
LEAST = 1e-3
"""Light below this is taken as this where a crossing is interpolated."""


_FAST = {"reassoc", "contract", "nsz"}
_FOUR = 4
"""Usual side of a cell; loops that know it are three times as fast."""


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def sum_of_cells(strip: Any, cell: int, totals: Any) -> None:
    """Sums of a line over cells; the last takes what is left over."""
    last = totals.shape[0] - 1
    n = min(last + 1, strip.shape[0] // cell)
    totals[last] = 0
    if cell == _FOUR:
        for c in range(n):
            k = _FOUR * c
            totals[c] = strip[k] + strip[k + 1] + strip[k + 2] + strip[k + 3]
    else:
        for c in range(n):
            totals[c] = strip[c * cell]
        for x in range(1, cell):
            for c in range(n):
                totals[c] += strip[c * cell + x]
    for x in range(n * cell, strip.shape[0]):
        totals[last] += strip[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sum_of_rows(rows: tuple[Any, Any, Any, Any], strip: Any) -> None:
    a, b, c, d = rows
    for x in range(strip.shape[0]):
        strip[x] = np.float32(a[x]) + np.float32(b[x]) + np.float32(c[x]) + np.float32(d[x])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def cell_row(
    counts: NDArray[Any], top: int, bottom: int, cell: int, strip: Any, totals: Any
) -> None:
    """Sums of one frame's counts over a row of cells; the last takes what is left over."""
    first, later = counts[top], top + 1
    if bottom - top >= _FOUR:
        _sum_of_rows((first, counts[top + 1], counts[top + 2], counts[top + 3]), strip)
        later = top + _FOUR
    else:
        for x in range(first.shape[0]):
            strip[x] = np.float32(first[x])
    for y in range(later, bottom):
        row = counts[y]
        for x in range(row.shape[0]):
            strip[x] += np.float32(row[x])
    sum_of_cells(strip, cell, totals)


@njit(nogil=True, cache=True, error_model="numpy")
def first_crossings(
    counts: NDArray[Any],
    factor: NDArray[np.float32],
    levels: tuple[NDArray[np.float32], NDArray[np.float32]],
    cell: int,
    falls: bool,
    needed: int,
    rows: tuple[int, int],
    own: tuple[NDArray[np.int32], NDArray[np.int32]],
    run: NDArray[np.int32],
    frame: NDArray[np.int32],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
) -> None:
    """Where each cell's summed counts first cross a threshold and stay for `needed` frames.

    Branches are written as choices, so that the loop over cells becomes vector instructions.

    Parameters
    ----------
    counts : (T, Y, X) array
    factor : (T,) float32 array
        Light is counts less dark times it.
    levels : two (Y // cell, X // cell) float32 arrays
        Threshold of the light, and dark counts, summed over a cell.
    cell : int
        Side of a cell, pixels; a last cell takes the rows and columns that are left over.
    falls : bool
        Whether counts fall.
    needed : int
        Frames.
    rows : (int, int)
        First row of cells, and that after the last.
    own : two (Y // cell, X // cell) int32 arrays
        First frame of each cell that is looked at, and that after the last.
    run : (rows, X // cell) int32 array
        In: 0. Out: above 0 where there is a crossing; one in the last frames may be of fewer.
    frame : (rows, X // cell) int32 array
        Out: the first frame beyond the threshold.
    before, after : (rows, X // cell) float32 arrays
        Out: the sums of light of the frame before it and of that frame.
    """
    n_rows, n_columns = levels[0].shape
    sign = np.float32(-1) if falls else np.float32(1)
    enough = np.int32(needed)
    strip = np.empty(counts.shape[2], dtype=np.float32)
    totals = np.empty(n_columns, dtype=np.float32)
    last = np.zeros((rows[1] - rows[0], n_columns), dtype=np.float32)
    for t in range(counts.shape[0]):
        now, gain = np.int32(t), factor[t]
        for r in range(rows[0], rows[1]):
            bottom = counts.shape[1] if r == n_rows - 1 else (r + 1) * cell
            cell_row(counts[t], r * cell, bottom, cell, strip, totals)
            i = r - rows[0]
            level, under, previous = levels[0][r], levels[1][r], last[i]
            runs, frames, lows, highs = run[i], frame[i], before[i], after[i]
            begin, end = own[0][r], own[1][r]
            for c in range(n_columns):
                total, length = gain * (totals[c] - under[c]), runs[c]
                beyond = (sign * total >= sign * level[c]) & (now >= begin[c])
                ended = (length >= enough) | (now >= end[c])
                beyond &= now < end[c]
                starts = beyond & (length == _ZERO)
                frames[c] = now if starts else frames[c]
                lows[c] = previous[c] if starts else lows[c]
                highs[c] = total if starts else highs[c]
                grown = length + _ONE if beyond else _ZERO
                runs[c] = length if ended else grown
                previous[c] = total


@njit(nogil=True, cache=True, error_model="numpy")
def cell_times(
    counts: NDArray[Any],
    factor: NDArray[np.float32],
    times: NDArray[np.float64],
    levels: tuple[NDArray[np.float32], NDArray[np.float32]],
    own: tuple[NDArray[np.int32], NDArray[np.int32]],
    crossing: tuple[int, int],
    falls: bool,
    row: int,
    out: NDArray[np.float32],
) -> None:
    """When the cells of one row first cross, the logarithm of light straight between frames.

    The first time where a cell starts beyond its threshold; NaN where it never crosses.
    `levels` are the threshold of light and the dark counts summed over a cell, `own` its first
    frame and that after its last, `crossing` the side of a cell and the frames it has to stay.
    """
    n = out.shape[0]
    run = np.zeros((1, n), dtype=np.int32)
    frame = np.zeros((1, n), dtype=np.int32)
    before = np.zeros((1, n), dtype=np.float32)
    after = np.zeros((1, n), dtype=np.float32)
    rows = (row, row + 1)
    first_crossings(
        counts, factor, levels, crossing[0], falls, crossing[1], rows, own, run, frame, before,
        after,
    )  # fmt: skip
    for c in range(n):
        t = frame[0, c]
        if run[0, c] == 0:
            out[c] = np.nan
        elif t == own[0][row, c]:
            out[c] = times[t]
        else:
            low = math.log(max(before[0, c], LEAST))
            high = math.log(max(after[0, c], LEAST))
            level = math.log(max(levels[0][row, c], LEAST))
            out[c] = times[t - 1] + (times[t] - times[t - 1]) * (level - low) / (high - low)


@njit(nogil=True, cache=True, error_model="numpy")
def slopes_around(
    counts: NDArray[Any],
    factor: NDArray[np.float32],
    times: NDArray[np.float64],
    frame: NDArray[np.int32],
    dark: NDArray[np.float32],
    light: tuple[float, bool],
    rows: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """Slope of each pixel's logarithm of light over the (up to) four frames around `frame`.

    Positive the way that is looked for; `light` is the least light of which a logarithm is
    taken, and whether light falls.
    """
    n = counts.shape[0]
    sign = -1.0 if light[1] else 1.0
    for y in range(rows[0], rows[1]):
        for x in range(counts.shape[2]):
            first, last = max(frame[y, x] - 2, 0), min(frame[y, x] + 1, n - 1)
            low = factor[first] * (np.float32(counts[first, y, x]) - dark[y, x])
            high = factor[last] * (np.float32(counts[last, y, x]) - dark[y, x])
            change = math.log(max(high, light[0])) - math.log(max(low, light[0]))
            out[y, x] = sign * change / (times[last] - times[first])
