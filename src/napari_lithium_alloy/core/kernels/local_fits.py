"""Straight lines through each pixel's light around the time it is thought to alloy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.crossings import cell_times
from napari_lithium_alloy.core.kernels.logarithm import log32

_FAST = {"reassoc", "contract", "nsz"}
_STEPS = 512
REACH = 2.5
"""Frames count up to this many standard deviations of the weights."""
_WEIGHTS = np.exp(-0.5 * (np.arange(_STEPS + 2) * REACH / _STEPS) ** 2).astype(np.float32)
LEAST_SPREAD = 1e-3
"""Of the times of the frames that count, in units of the weights' variance."""
FAR = 0.45
"""A level further from the threshold than this share of the rise is not on the slope."""

Gain = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(T,) by which what exceeds the dark counts is multiplied, and its signed logarithm."""
Light = tuple[np.float32, np.float32, np.float32]
"""Dark counts, the least light of which a logarithm is taken, and -1 where light falls, else 1."""
Span = tuple[int, int]
"""First frame that is looked at, and that after the last."""


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _log_light(count: Any, light: Light) -> np.float32:
    return np.float32(light[2] * log32(max(np.float32(count) - light[0], light[1])))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _line(
    counts: NDArray[Any],
    gain: NDArray[np.float32],
    times: NDArray[np.float64],
    pixel: tuple[int, int],
    span: Span,
    at: float,
    start: int,
    sigma: float,
    light: Light,
) -> tuple[float, float, int]:
    """Level and slope of a pixel's light at a time, and the first frame that counts.

    Weights fall off as a Gaussian in time; with too few frames for a line in reach it is that
    through the two nearest.
    """
    first, n = span
    y, x = pixel
    reach = REACH * sigma
    scale = _STEPS / reach
    while start > first and times[start - 1] >= at - reach:
        start -= 1
    while start < n - 1 and times[start] < at - reach:
        start += 1
    s0 = s1 = s2 = v0 = v1 = 0.0
    t = start
    while t < n and times[t] <= at + reach:
        d = times[t] - at
        weight = _WEIGHTS[int(abs(d) * scale + 0.5)]
        value = weight * (_log_light(counts[t, y, x], light) + gain[t])
        s0 += weight
        s1 += weight * d
        s2 += weight * d * d
        v0 += value
        v1 += value * d
        t += 1
    spread = s0 * s2 - s1 * s1
    if spread > LEAST_SPREAD * s0 * s0 * sigma * sigma:
        inverse = 1 / spread
        return (s2 * v0 - s1 * v1) * inverse, (s0 * v1 - s1 * v0) * inverse, start
    t = min(max(start, first + 1), n - 1)
    while t < n - 1 and times[t] < at:
        t += 1
    low = _log_light(counts[t - 1, y, x], light) + gain[t - 1]
    slope = (_log_light(counts[t, y, x], light) + gain[t] - low) / (times[t] - times[t - 1])
    return low + slope * (at - times[t - 1]), slope, start


@njit(nogil=True, cache=True, error_model="numpy")
def _nearest_line(
    counts: NDArray[Any],
    gain: NDArray[np.float32],
    times: NDArray[np.float64],
    pixel: tuple[int, int],
    span: Span,
    at: float,
    start: int,
    sigma: float,
    light: Light,
    aim: tuple[float, float],
) -> tuple[float, float, float, int]:
    """Time, what is missing to the threshold there, slope, and the first frame that counts.

    A pixel whose light is far from its threshold walks along time until it comes near, or has
    passed it: its surroundings alloyed at another time. `aim` is the threshold and how far is
    far, `gain` the logarithm of what light is multiplied by in each frame.
    """
    first, last = times[span[0]], times[span[1] - 1]
    start = min(max(start, span[0]), span[1] - 1)
    level, slope, start = _line(counts, gain, times, pixel, span, at, start, sigma, light)
    gap = aim[0] - level
    was = gap
    way = max(sigma, (last - first) / (span[1] - span[0] - 1))
    way = way if gap > 0 else -way
    while abs(gap) > aim[1] and gap * was > 0 and first <= at + way <= last:
        at += way
        level, slope, start = _line(counts, gain, times, pixel, span, at, start, sigma, light)
        was, gap = gap, aim[0] - level
    return at, gap, slope, start


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _mix(one: float, other: float, share: float) -> float:
    """Between two values, or the one of them that is known."""
    if math.isnan(one):
        return other
    if math.isnan(other):
        return one
    return one + share * (other - one)


@njit(nogil=True, cache=True, error_model="numpy")
def _lines_of_row(
    counts: NDArray[Any],
    gain: NDArray[np.float32],
    times: NDArray[np.float64],
    levels: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    own: tuple[NDArray[np.int32], NDArray[np.int32]],
    light: tuple[float, bool],
    weights: tuple[float, float],
    cells: NDArray[np.float32],
    place: tuple[int, int],
    looked: NDArray[np.bool_],
    found: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Lines of one row of cells, whose times and those of its neighbours are `cells`."""
    row, cell = place
    dark, threshold, rise = levels
    time, missing, slope = found
    least = np.float32(light[0])
    sign = np.float32(-1) if light[1] else np.float32(1)
    bottom = counts.shape[1] if (row + 2) * cell > counts.shape[1] else (row + 1) * cell
    between = np.empty(cells.shape[1], dtype=np.float64)
    last = cells.shape[1] - 1
    for y in range(row * cell, bottom):
        v = min((y + 0.5) / cell - 0.5 - row, 0.5)
        upper = 0 if v < 0 else 1
        for c in range(last + 1):
            between[c] = _mix(cells[upper, c], cells[upper + 1, c], v + 1 - upper)
        start = 0
        for x in range(counts.shape[2]):
            if not looked[min(x // cell, last)]:
                time[y, x] = (times[own[0][y, x]] + times[own[1][y, x] - 1]) / 2
                missing[y, x], slope[y, x] = 0, 0
                continue
            u = min(max((x + 0.5) / cell - 0.5, 0.0), float(last))
            j = int(u)
            at = _mix(between[j], between[min(j + 1, last)], u - j)
            of_pixel = (np.float32(dark[y, x]), least, sign)
            aim = (float(threshold[y, x]), max(FAR * rise[y, x], 3 * weights[1]))
            span = (own[0][y, x], own[1][y, x])
            if math.isnan(at):
                at = (times[span[0]] + times[span[1] - 1]) / 2
            here, gap, rate, start = _nearest_line(
                counts, gain, times, (y, x), span, at, start, weights[0], of_pixel, aim
            )
            time[y, x], missing[y, x], slope[y, x] = here, gap, rate


@njit(nogil=True, cache=True, error_model="numpy")
def lines_from_cells(
    counts: NDArray[Any],
    gain: Gain,
    times: NDArray[np.float64],
    cell_levels: tuple[NDArray[np.float32], NDArray[np.float32]],
    levels: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    own: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]],
    light: tuple[float, bool],
    weights: tuple[float, float],
    crossing: tuple[int, int],
    looked: NDArray[np.bool_],
    rows: tuple[int, int],
    cell_time: NDArray[np.float32],
    found: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Find when each cell crosses, and fit a line to each of its pixels around that time.

    Both are done for one row of cells after the other, while its counts are in the cache.

    Parameters
    ----------
    counts : (T, Y, X) array
    gain : Gain
    times : (T,) array
    cell_levels : two (Y // cell, X // cell) float32 arrays
        Threshold of light and dark counts, summed over a cell.
    levels : three (Y, X) float32 arrays
        Dark counts; threshold and rise, in logarithms of light and positive the way looked for.
    own : four int32 arrays
        First frame that is looked at and that after the last, of pixels and of cells; at least
        two lie between them.
    light : (float, bool)
        Least light of which a logarithm is taken, and whether light falls.
    weights : (float, float)
        Standard deviation of the weights in time, and that of a line's level from noise.
    crossing : (int, int)
        Side of a cell, pixels, and frames it has to stay beyond its threshold.
    looked : (Y // cell, X // cell) bool array
        Cells whose pixels get lines; those of others are flat, in the middle of their frames.
    rows : (int, int)
        First row of cells, and that after the last.
    cell_time : (Y // cell, X // cell) float32 array
        Out: the cells' times; NaN where there is none.
    found : three (Y, X) float32 arrays
        Out: the time of each pixel's line; what is missing there to its threshold; its slope.
    """
    n_rows, n_columns = cell_time.shape
    # Rows before, at and after the one whose lines are fitted.
    cells = np.full((3, n_columns), np.nan, dtype=np.float32)
    for r in range(max(rows[0] - 1, 0), rows[1] + 1):
        cells[0], cells[1] = cells[1], cells[2]
        cells[2] = np.nan
        if r < n_rows:
            cell_times(
                counts, gain[0], times, cell_levels, own[2:], crossing, light[1], r, cells[2]
            )
        if rows[0] <= r < rows[1]:
            cell_time[r] = cells[2]
        if r > rows[0]:
            place = (r - 1, crossing[0])
            _lines_of_row(
                counts,
                gain[1],
                times,
                levels,
                own[:2],
                light,
                weights,
                cells,
                place,
                looked[r - 1],
                found,
            )
