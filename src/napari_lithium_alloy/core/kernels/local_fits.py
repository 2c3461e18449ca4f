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
LANES = 32
"""Pixels beside each other whose lines are summed up at once."""
_DARK, _LEVEL, _AT, _FROM, _TO, _ROOM = 5, 6, 7, 8, 9, 10
"""Where their dark counts, thresholds and times lie, after five sums of each."""
_CUT = np.float32(REACH**2 / 16)
_C0, _C1, _C2, _C3, _C4, _C5 = (np.float32(1 / math.factorial(k)) for k in range(6))
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
Row = tuple[NDArray[Any], NDArray[np.float32], NDArray[np.float64], int]
"""(T, Y, X) counts, logarithm of the gain and time of each frame, and a row of pixels."""
Picture = NDArray[np.float32]
Levels = tuple[Picture, Picture, Picture]
"""Dark counts, threshold and rise."""
Own = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Span of each pixel."""
Found = tuple[Picture, Picture, Picture]
"""Time of each pixel's line, what is missing there to the threshold, and slope."""


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _log_light(count: Any, light: Light) -> np.float32:
    return np.float32(light[2] * log32(max(np.float32(count) - light[0], light[1])))


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _line_of_sums(sums: Any, sigma: float) -> tuple[float, float, bool]:
    """Level and slope of a line by sums of weights and light, and whether they tell one."""
    s0, s1, s2 = float(sums[0]), float(sums[1]), float(sums[2])
    v0, v1 = float(sums[3]), float(sums[4])
    spread = s0 * s2 - s1 * s1
    told = spread > LEAST_SPREAD * s0 * s0 * sigma * sigma
    inverse = 1 / spread if told else 0.0
    return (s2 * v0 - s1 * v1) * inverse, (s0 * v1 - s1 * v0) * inverse, told


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
    level, slope, told = _line_of_sums((s0, s1, s2, v0, v1), sigma)
    if told:
        return level, slope, start
    t = min(max(start, first + 1), n - 1)
    while t < n - 1 and times[t] < at:
        t += 1
    low = _log_light(counts[t - 1, y, x], light) + gain[t - 1]
    slope = (_log_light(counts[t, y, x], light) + gain[t] - low) / (times[t] - times[t - 1])
    return low + slope * (at - times[t - 1]), slope, start


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _far(rise: np.float32, noise: float) -> float:
    """How far from its threshold a pixel's light is not on the slope."""
    return max(FAR * float(rise), 3 * noise)


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _step(times: NDArray[np.float64], span: Span, sigma: float, gap: float) -> float:
    """Along time, of a pixel whose light is so far from its threshold."""
    step = max(sigma, float(times[span[1] - 1] - times[span[0]]) / (span[1] - span[0] - 1))
    return step if gap > 0 else -step


@njit(nogil=True, cache=True, error_model="numpy")
def _nearest_line(
    row: Row,
    x: int,
    span: Span,
    at: float,
    sigma: float,
    light: Light,
    aim: tuple[float, float],
) -> tuple[float, float, float]:
    """Time, what is missing to the threshold there, and slope.

    A pixel whose light is far from its threshold walks along time until it comes near, or has
    passed it: its surroundings alloyed at another time. `aim` is the threshold and how far is
    far.
    """
    counts, gain, times, y = row
    first, last = times[span[0]], times[span[1] - 1]
    level, slope, start = _line(counts, gain, times, (y, x), span, at, span[0], sigma, light)
    gap = aim[0] - level
    was = gap
    step = _step(times, span, sigma, gap)
    while abs(gap) > aim[1] and gap * was > 0 and first <= at + step <= last:
        at += step
        level, slope, start = _line(counts, gain, times, (y, x), span, at, start, sigma, light)
        was, gap = gap, aim[0] - level
    return at, gap, slope


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _mix(one: float, other: float, share: float) -> float:
    """Between two values, or the one of them that is known."""
    if math.isnan(one):
        return other
    if math.isnan(other):
        return one
    return one + share * (other - one)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_frame(
    row: NDArray[Any],
    now: np.float32,
    scale: np.float32,
    light: tuple[np.float32, np.float32, np.float32],
    room: NDArray[np.float32],
) -> None:
    """Add a frame's light, over the thresholds, to the sums of pixels beside each other.

    `now` is the frame's time, `scale` 1 / (16 variances) of the weights, `light` the least light,
    its sign and the logarithm of the frame's gain. One place for all, of a known size: else the
    loop is no vector instructions.
    """
    least, sign, gain = light
    for i in range(LANES):
        d = now - room[_AT * LANES + i]
        z = scale * d * d
        # exp(-8 z) as the eighth power of a series.
        weight = _C0 - z * (_C1 - z * (_C2 - z * (_C3 - z * (_C4 - z * _C5))))
        weight *= weight
        weight *= weight
        weight *= weight
        counts = (z <= _CUT) & (now >= room[_FROM * LANES + i]) & (now <= room[_TO * LANES + i])
        weight = weight if counts else np.float32(0)
        above = sign * log32(max(np.float32(row[i]) - room[_DARK * LANES + i], least))
        value = weight * (above + gain - room[_LEVEL * LANES + i])
        room[i] += weight
        room[LANES + i] += weight * d
        room[2 * LANES + i] += weight * d * d
        room[3 * LANES + i] += value
        room[4 * LANES + i] += value * d


@njit(nogil=True, cache=True, error_model="numpy")
def _add_frames_near(
    row: Row,
    levels: Levels,
    own: Own,
    light: tuple[np.float32, np.float32],
    sigma: float,
    columns: NDArray[np.int32],
    asked: NDArray[np.float64],
    start: int,
    rooms: tuple[NDArray[np.float32], NDArray[Any]],
) -> int:
    """Weighted sums of the light of up to `LANES` pixels of a row around the times asked for.

    Returns the first frame that counts for any of them.
    """
    counts, gain, times, y = row
    room, picked = rooms
    n, reach = len(times), REACH * sigma
    first = last = asked[columns[0]]
    for x in columns:
        first, last = min(first, asked[x]), max(last, asked[x])
    while start > 0 and times[start - 1] >= first - reach:
        start -= 1
    while start < n - 1 and times[start] < first - reach:
        start += 1
    origin = times[start]
    room[:] = 0
    for i in range(len(columns)):
        x = columns[i]
        room[_DARK * LANES + i], room[_LEVEL * LANES + i] = levels[0][y, x], levels[1][y, x]
        room[_AT * LANES + i] = asked[x] - origin
        room[_FROM * LANES + i] = times[own[0][y, x]] - origin
        room[_TO * LANES + i] = times[own[1][y, x] - 1] - origin
    scale = np.float32(1 / (16 * sigma * sigma))
    together = columns[-1] - columns[0] == LANES - 1
    t = start
    while t < n and times[t] <= last + reach:
        now, level = np.float32(times[t] - origin), (light[0], light[1], gain[t])
        if together:
            _add_frame(counts[t, y, columns[0] :], now, scale, level, room)
        else:
            for i in range(len(columns)):
                picked[i] = counts[t, y, columns[i]]
            _add_frame(picked, now, scale, level, room)
        t += 1
    return start


@njit(nogil=True, cache=True, error_model="numpy")
def _guesses_of_row(
    cells: NDArray[np.float32],
    place: tuple[int, int],
    y: int,
    middles: tuple[NDArray[np.float64], Own],
    looked: NDArray[np.bool_],
    out: NDArray[np.float64],
) -> None:
    """When each pixel of a row is thought to rise, between the times of the cells around it.

    In the middle of its own frames where none of them has a time; NaN where it is not looked at.
    """
    row, cell = place
    times, own = middles
    last = cells.shape[1] - 1
    v = min((y + 0.5) / cell - 0.5 - row, 0.5)
    upper = 0 if v < 0 else 1
    between = np.empty(last + 1, dtype=np.float64)
    for c in range(last + 1):
        between[c] = _mix(cells[upper, c], cells[upper + 1, c], v + 1 - upper)
    for x in range(out.shape[0]):
        if not looked[min(x // cell, last)]:
            out[x] = np.nan
            continue
        u = min(max((x + 0.5) / cell - 0.5, 0.0), float(last))
        j = int(u)
        out[x] = _mix(between[j], between[min(j + 1, last)], u - j)
        if math.isnan(out[x]):
            out[x] = _middle(times, own, y, x)


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _middle(times: NDArray[np.float64], own: Own, y: int, x: int) -> float:
    """Of a pixel's own frames."""
    return float(times[own[0][y, x]] + times[own[1][y, x] - 1]) / 2


@njit(nogil=True, cache=True, error_model="numpy")
def _lines_together(
    row: Row,
    levels: Levels,
    own: Own,
    light: tuple[np.float32, np.float32],
    weights: tuple[float, float],
    columns: NDArray[np.int32],
    asked: tuple[NDArray[np.float64], NDArray[np.float32]],
    start: int,
    rooms: tuple[NDArray[np.float32], NDArray[Any]],
    found: Found,
    far: NDArray[np.int32],
) -> tuple[int, int]:
    """Lines of up to `LANES` pixels of a row; those still far from their threshold go on to `far`.

    `asked` are the times asked for, moved on for those pixels, and how far each pixel was from
    its threshold before, 0 at first. Returns the first frame that counts, and how many are far.
    """
    times, y = row[2:]
    ahead, was = asked
    time, missing, slope = found
    start = _add_frames_near(row, levels, own, light, weights[0], columns, ahead, start, rooms)
    n = 0
    for i in range(len(columns)):
        x = columns[i]
        level, rate, told = _line_of_sums(rooms[0][i::LANES], weights[0])
        span = own[0][y, x], own[1][y, x]
        limit = _far(levels[2][y, x], weights[1])
        if not told:
            of_pixel = np.float32(levels[0][y, x]), light[0], light[1]
            aim = float(levels[1][y, x]), limit
            time[y, x], missing[y, x], slope[y, x] = _nearest_line(
                row, x, span, ahead[x], weights[0], of_pixel, aim
            )
            continue
        time[y, x], missing[y, x], slope[y, x] = ahead[x], -level, rate
        after = ahead[x] + _step(times, span, weights[0], -level)
        goes_on = abs(level) > limit and -level * was[x] >= 0
        if goes_on and times[span[0]] <= after <= times[span[1] - 1]:
            ahead[x], far[n] = after, x
            n += 1
        was[x] = -level
    return start, n


@njit(nogil=True, cache=True, error_model="numpy")
def _lines_of_row(
    row: Row,
    levels: Levels,
    own: Own,
    light: tuple[np.float32, np.float32],
    weights: tuple[float, float],
    guesses: NDArray[np.float64],
    found: Found,
) -> None:
    """Lines of a row of pixels around the times they are thought to rise; NaN: of the others none.

    A pixel whose light is far from its threshold walks along time, see `_nearest_line`; those
    that walk are taken together.
    """
    times, y = row[2:]
    was = np.zeros(len(guesses), dtype=np.float32)
    rooms = np.empty(_ROOM * LANES, dtype=np.float32), np.empty(LANES, dtype=row[0].dtype)
    columns, n = np.empty(len(guesses), dtype=np.int32), 0
    for x in range(len(guesses)):
        if math.isnan(guesses[x]):
            found[0][y, x], found[1][y, x], found[2][y, x] = _middle(times, own, y, x), 0, 0
        else:
            columns[n] = x
            n += 1
    start = 0
    while n:
        left = 0
        for k in range(0, n, LANES):
            some = columns[k : min(k + LANES, n)].copy()
            start, more = _lines_together(
                row, levels, own, light, weights, some, (guesses, was), start, rooms, found,
                columns[left:],
            )  # fmt: skip
            left += more
        n = left


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
    height, width = counts.shape[1:]
    cell = crossing[0]
    guesses = np.empty(width, dtype=np.float64)
    least = np.float32(light[0])
    sign = np.float32(-1) if light[1] else np.float32(1)
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
            bottom = height if r == n_rows else r * cell
            for y in range((r - 1) * cell, bottom):
                _guesses_of_row(cells, (r - 1, cell), y, (times, own[:2]), looked[r - 1], guesses)
                row = counts, gain[1], times, y
                _lines_of_row(row, levels, own[:2], (least, sign), weights, guesses, found)
