"""Straight lines through each pixel's light around the time it is thought to alloy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.crossings import cell_times
from napari_lithium_alloy.core.kernels.line_sums import (
    LANES,
    LEAST_SPREAD,
    REACH,
    ROOM,
    add_frame,
    begin,
    find_spans,
    keep,
    mark_odd,
    solve,
)
from napari_lithium_alloy.core.kernels.logarithm import log32

_FAST = {"reassoc", "contract", "nsz"}
_STEPS = 512
_WEIGHTS = np.exp(-0.5 * (np.arange(_STEPS + 2) * REACH / _STEPS) ** 2).astype(np.float32)
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
Asked = tuple[NDArray[np.float64], NDArray[np.float32]]
"""Times asked for of a row, and how far each pixel was from its threshold before."""
Rooms = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Sums of a row, see `line_sums`, and counts of it."""
Weights = tuple[float, float]
"""Standard deviation of the weights in time, and that of a line's level from noise."""


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
    earliest = np.int64(span[0])
    level, slope, start = _line(counts, gain, times, (y, x), span, at, earliest, sigma, light)
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


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _middle(times: NDArray[np.float64], own: Own, y: int, x: int) -> float:
    """Of a pixel's own frames."""
    return float(times[own[0][y, x]] + times[own[1][y, x] - 1]) / 2


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _between(
    line: NDArray[np.float64],
    at: NDArray[np.int32],
    share: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """As `_mix`, between values of a line and those after them."""
    for x in range(out.shape[0]):
        one, other = line[at[x]], line[at[x] + 1]
        known = other if one != one else one
        after = known if other != other else other
        out[x] = known + share[x] * (after - known)


@njit(nogil=True, cache=True, error_model="numpy")
def _guesses_of_row(
    cells: NDArray[np.float32],
    place: tuple[int, int],
    y: int,
    middles: tuple[NDArray[np.float64], Own],
    wanted: NDArray[np.bool_],
    across: tuple[NDArray[np.int32], NDArray[np.float64]],
    out: NDArray[np.float64],
) -> None:
    """When each pixel of a row is thought to rise, between the times of the cells around it.

    In the middle of its own frames where none of them has a time; NaN where it is not wanted.
    `across` are the cell before each pixel of a row and its share of the way to the next one.
    """
    row, cell = place
    times, own = middles
    n, width = cells.shape[1], out.shape[0]
    v = min((y + 0.5) / cell - 0.5 - row, 0.5)
    upper = 0 if v < 0 else 1
    line = np.empty(n + 1, dtype=np.float64)
    for c in range(n):
        line[c] = _mix(cells[upper, c], cells[upper + 1, c], v + 1 - upper)
    line[n] = line[n - 1]
    _between(line, across[0], across[1], out)
    for x in range(width):
        if math.isnan(out[x]):
            out[x] = _middle(times, own, y, x)
    for x in range(width):
        out[x] = out[x] if wanted[x] else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _places_across(width: int, n: int, cell: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The cell before each pixel of a row, and the pixel's share of the way to the next one."""
    at, share = np.empty(width, dtype=np.int32), np.empty(width, dtype=np.float64)
    for x in range(width):
        u = min(max((x + 0.5) / cell - 0.5, 0.0), float(n - 1))
        at[x] = int(u)
        share[x] = u - int(u)
    return at, share


@njit(nogil=True, cache=True, error_model="numpy")
def _line_of_lane(
    row: Row,
    levels: Levels,
    own: Own,
    light: tuple[np.float32, np.float32],
    weights: Weights,
    asked: Asked,
    line: tuple[float, float, bool],
    x: int,
    found: Found,
) -> None:
    """Keep the line of a pixel, and when to ask next if it is far from its threshold; else NaN."""
    times, y = row[2:]
    ahead, was = asked
    level, rate, told = line
    span, at = (own[0][y, x], own[1][y, x]), ahead[x]
    limit, ahead[x] = _far(levels[2][y, x], weights[1]), np.nan
    if not told:
        of_pixel = np.float32(levels[0][y, x]), light[0], light[1]
        found[0][y, x], found[1][y, x], found[2][y, x] = _nearest_line(
            row, x, span, at, weights[0], of_pixel, (float(levels[1][y, x]), limit)
        )
        return
    found[0][y, x], found[1][y, x], found[2][y, x] = at, -level, rate
    before, was[x] = was[x], -level
    after = at + _step(times, span, weights[0], -level)
    if abs(level) > limit and -level * before >= 0:
        ahead[x] = after if times[span[0]] <= after <= times[span[1] - 1] else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _add_frames(
    row: Row,
    light: tuple[np.float32, np.float32],
    sigma: float,
    spans: NDArray[np.int64],
    room: NDArray[np.float32],
) -> None:
    """Add a row's frames to its sums one after the other, so that memory is read as it lies."""
    counts, gain, times, y = row
    for t in range(spans[:, 0].min(), spans[:, 1].max()):
        add_frame(counts[t, y], (t, times[t], gain[t]), light, sigma, spans, room)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_picked(
    row: Row,
    light: tuple[np.float32, np.float32],
    sigma: float,
    every: int,
    columns: NDArray[np.int32],
    spans: NDArray[np.int64],
    room: NDArray[np.float32],
    picked: NDArray[np.float32],
) -> None:
    """Add every so many-th frame to the sums of some pixels of a row."""
    counts, gain, times, y = row
    for t in range(spans[:, 0].min(), spans[:, 1].max(), every):
        line = counts[t, y]
        for i in range(len(columns)):
            picked[i] = np.float32(line[columns[i]])
        add_frame(picked, (t, times[t], gain[t]), light, sigma, spans, room)


@njit(nogil=True, cache=True, error_model="numpy")
def _lines_beside(
    row: Row,
    levels: Levels,
    own: Own,
    light: tuple[np.float32, np.float32],
    weights: Weights,
    asked: Asked,
    rooms: Rooms,
    found: Found,
) -> None:
    """Lines of the pixels of a row that have a time, and when to ask next; else NaN."""
    times, y = row[2:]
    n = len(asked[0]) // LANES * LANES
    at, room = asked[0][:n], rooms[0][: ROOM * n]
    spans, odd = np.empty((n // LANES, 2), dtype=np.int64), np.zeros(n, dtype=np.uint8)
    find_spans(at, times, REACH * weights[0], spans)
    pixels = levels[0][y, :n], levels[1][y, :n], own[0][y, :n], own[1][y, :n]
    begin(at, *pixels, room)
    _add_frames(row, light, weights[0], spans, room)
    solve(room, weights[0])
    keep(at, room, found[0][y, :n], found[1][y, :n], found[2][y, :n])
    mark_odd(at, room, levels[2][y, :n], (FAR, 3 * weights[1]), odd)
    for x in range(n):
        if odd[x]:
            line = float(room[x]), float(room[n + x]), room[2 * n + x] > 0
            _line_of_lane(row, levels, own, light, weights, asked, line, x, found)
        else:
            at[x] = np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _lines_of_some(
    row: Row,
    levels: Levels,
    own: Own,
    light: tuple[np.float32, np.float32],
    weights: Weights,
    every: int,
    asked: Asked,
    columns: NDArray[np.int32],
    rooms: Rooms,
    found: Found,
) -> None:
    """As `_lines_beside`, of some pixels and with every so many-th frame."""
    times, y = row[2:]
    n = -(-len(columns) // LANES) * LANES
    at, room = np.full(n, np.nan), rooms[0][: ROOM * n]
    pixels = np.zeros((2, n), dtype=np.float32)
    frames = np.zeros((2, n), dtype=np.int32)
    for i in range(len(columns)):
        x = columns[i]
        at[i], pixels[0, i], pixels[1, i] = asked[0][x], levels[0][y, x], levels[1][y, x]
        frames[0, i], frames[1, i] = own[0][y, x], own[1][y, x]
    spans = np.empty((n // LANES, 2), dtype=np.int64)
    find_spans(at, times, REACH * weights[0], spans)
    begin(at, pixels[0], pixels[1], frames[0], frames[1], room)
    _add_picked(row, light, weights[0], every, columns, spans, room, rooms[1][:n])
    solve(room, weights[0])
    for i in range(len(columns)):
        line = float(room[i]), float(room[n + i]), room[2 * n + i] > 0
        x = np.int64(columns[i])
        _line_of_lane(row, levels, own, light, weights, asked, line, x, found)


@njit(nogil=True, cache=True, error_model="numpy")
def _with_times(at: NDArray[np.float64], columns: NDArray[np.int32]) -> int:
    """List the columns of pixels that have a time; how many they are."""
    n = 0
    for x in range(len(at)):
        columns[n] = x
        n += 0 if math.isnan(at[x]) else 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def _lines_of_row(
    row: Row,
    levels: Levels,
    own: Own,
    light: tuple[np.float32, np.float32],
    weights: Weights,
    every: int,
    guesses: NDArray[np.float64],
    rooms: Rooms,
    found: Found,
) -> None:
    """Lines of a row of pixels around the times they are thought to rise; NaN: of the others none.

    A pixel whose light is far from its threshold walks along time, see `_nearest_line`; those
    that walk are taken together, and every so many-th frame tells them where to.
    """
    times, y = row[2:]
    width = len(guesses)
    for x in range(width):
        if math.isnan(guesses[x]):
            found[0][y, x], found[1][y, x], found[2][y, x] = _middle(times, own, y, x), 0, 0
    asked = guesses, np.zeros(width, dtype=np.float32)
    if width >= LANES:
        _lines_beside(row, levels, own, light, weights, asked, rooms, found)
    columns = np.empty(width + 1, dtype=np.int32)
    n = _with_times(guesses, columns)
    far = columns[:n].copy()
    while n:
        how = every, asked, columns[:n], rooms, found
        _lines_of_some(row, levels, own, light, weights, *how)
        n = _with_times(guesses, columns)
    if every > 1 and len(far):
        for x in far:
            guesses[x], asked[1][x] = found[0][y, x], 0
        each = np.int64(1)  # a number in the code would be another type
        _lines_of_some(row, levels, own, light, weights, each, asked, far, rooms, found)


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
    every: int,
    crossing: tuple[int, int],
    wanted: NDArray[np.bool_],
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
    every : int
        Of so many frames one is looked at where a pixel walks along time.
    crossing : (int, int)
        Side of a cell, pixels, and frames it has to stay beyond its threshold.
    wanted : (Y, X) bool array
        Pixels that get lines; those of others are flat, in the middle of their frames.
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
    guesses, across = np.empty(width, dtype=np.float64), _places_across(width, n_columns, cell)
    most = -(-width // LANES) * LANES
    rooms = np.empty(ROOM * most, dtype=np.float32), np.zeros(most, dtype=np.float32)
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
                middles = times, own[:2]
                _guesses_of_row(cells, (r - 1, cell), y, middles, wanted[y], across, guesses)
                row = counts, gain[1], times, y
                how = (least, sign), weights, every
                _lines_of_row(row, levels, own[:2], *how, guesses, rooms, found)
