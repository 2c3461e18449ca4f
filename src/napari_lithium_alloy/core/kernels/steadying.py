"""Counts made light, and moved by parts of a pixel, row after row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.lane_medians import middle_of
from napari_lithium_alloy.core.steadying import REACH_PX

_TAPS = 2 * REACH_PX
_FAST = {"reassoc", "contract", "nsz"}
_TILE = 32
"""Rows moved one after the other; an even number."""
_LARGEST = np.finfo(np.float32).max
CLIPPED, UNKNOWN = 1, 2
LEAST_SHARE = 0.01
"""Of a pixel's light that a clipped or unknown one must have, to make it one too."""

Place = tuple[int, int]
"""Row and column."""
Maps = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]
"""Dark and flat (one row where all are alike), bad pixels, and rows that have any."""
Levels = tuple[np.float32, np.float32, np.float32]
"""Factor on the light, counts from which a pixel is clipped (NaN: none), and its light then."""
Taps = tuple[int, float, NDArray[np.float32]]
"""Whole step to the first pixel that counts, part of a pixel beyond that, and the weights."""


@njit(nogil=True, cache=True, error_model="numpy")
def _repaired(counts: NDArray[Any], at: Place, origin: Place, maps: Maps) -> np.float32:
    """Median of a bad pixel's good neighbours; its own light without any."""
    around = np.empty(8)
    n = 0
    dark = maps[0]
    for i in range(max(at[0] - 1, 0), min(at[0] + 2, counts.shape[0])):
        for j in range(max(at[1] - 1, 0), min(at[1] + 2, counts.shape[1])):
            y, x = i + origin[0], j + origin[1]
            light = np.float32(counts[i, j]) - dark[min(y, dark.shape[0] - 1), x]
            if not maps[2][y, x] and not np.isnan(light):
                around[n] = light
                n += 1
    if n:
        return np.float32(middle_of(around, n))
    y, x = at[0] + origin[0], at[1] + origin[1]
    return np.float32(np.float32(counts[at]) - dark[min(y, dark.shape[0] - 1), x])


@njit(nogil=True, cache=True, error_model="numpy")
def _light_of_row(
    counts: NDArray[Any],
    row: int,
    origin: Place,
    maps: Maps,
    factor: np.float32,
    out: NDArray[np.float32],
) -> None:
    """Light of one row of a part of the frame that begins at `origin`."""
    dark, flat, bad, bad_rows = maps
    width = counts.shape[1]
    y, left, right = row + origin[0], origin[1], origin[1] + width
    line = counts[row]
    darks = dark[min(y, dark.shape[0] - 1), left:right]
    flats = flat[min(y, flat.shape[0] - 1), left:right]
    for x in range(width):
        out[x] = np.float32(line[x]) - darks[x]
    if bad_rows[y]:
        for x in range(width):
            if bad[y, x + left]:
                out[x] = _repaired(counts, (row, x), origin, maps)
    for x in range(width):
        out[x] = out[x] / flats[x] * factor


@njit(nogil=True, cache=True, error_model="numpy")
def _marks_of_row(
    counts: NDArray[Any],
    row: int,
    origin: Place,
    maps: Maps,
    limit: np.float32,
    light: NDArray[np.float32],
    marks: NDArray[np.uint8],
) -> bool:
    """Mark clipped and unknown pixels, whose light becomes 0, where there are any."""
    line, y = counts[row], row + origin[0]
    odd = 0
    marks[:] = 0
    for x in range(line.shape[0]):
        # Without a branch the loop is vectors.
        odd += int((np.float32(line[x]) >= limit) | (not abs(light[x]) <= _LARGEST))
    if not odd:
        return False
    for x in range(line.shape[0]):
        if not abs(light[x]) <= _LARGEST:
            marks[x] = UNKNOWN
            light[x] = 0
        if np.float32(line[x]) >= limit and not maps[2][y, x + origin[1]]:
            marks[x] |= CLIPPED
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def light_of_rows(
    counts: NDArray[Any],
    origin: Place,
    maps: Maps,
    levels: Levels,
    start: Place,
    out: NDArray[np.float32],
) -> None:
    """Light of what lies at `start` in a part of the frame, which begins at `origin`.

    Clipped pixels take the light that levels name.
    """
    height, width = out.shape
    row = np.empty(counts.shape[1], dtype=np.float32)
    for y in range(height):
        _light_of_row(counts, y + start[0], origin, maps, levels[0], row)
        line = counts[y + start[0]]
        bad = maps[2][y + start[0] + origin[0]]
        for x in range(width):
            i = x + start[1]
            clipped = np.float32(line[i]) >= levels[1] and not bad[i + origin[1]]
            out[y, x] = levels[2] if clipped else row[i]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _two_down(
    rows: NDArray[np.float32], first: int, weights: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Weighted sums of `_TAPS` rows from `first` on, and of those from the next one on.

    Two at once, since it is reading the rows that takes time. Weights have a 0 at either end.
    """
    for x in range(out.shape[1]):
        one = other = np.float32(0)
        for k in range(_TAPS + 1):
            light = rows[first + k, x]
            one += weights[k + 1] * light
            other += weights[k] * light
        out[0, x], out[1, x] = one, other


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _along(
    line: NDArray[np.float32], weights: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Weighted sums of `_TAPS` neighbours to the right; so many, as known, are vectors."""
    for x in range(out.shape[0]):
        total = np.float32(0)
        for k in range(_TAPS):
            total += weights[k] * line[x + k]
        out[x] = total


@njit(nogil=True, cache=True, error_model="numpy")
def _mark_touched(
    upper: NDArray[np.uint8],
    lower: NDArray[np.uint8],
    parts: tuple[float, float],
    step: int,
    light: np.float32,
    out: NDArray[np.float32],
) -> None:
    """Mark what takes light, by linear interpolation, from marked pixels of two rows."""
    last = upper.shape[0] - 1
    down, along = parts
    for x in range(out.shape[0]):
        i = min(max(x + step, 0), last)
        j = min(max(x + step + 1, 0), last)
        clipped = unknown = 0.0
        for mark, share in (
            (upper[i], (1 - down) * (1 - along)),
            (upper[j], (1 - down) * along),
            (lower[i], down * (1 - along)),
            (lower[j], down * along),
        ):
            clipped += share if mark & CLIPPED else 0.0
            unknown += share if mark & UNKNOWN else 0.0
        if clipped > LEAST_SHARE:
            out[x] = light
        elif unknown > LEAST_SHARE:
            out[x] = np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def _copy(line: NDArray[Any], out: NDArray[Any]) -> None:
    """A slice that is assigned takes a second longer to compile, for the message if it fails."""
    for x in range(out.shape[0]):
        out[x] = line[x]


@njit(nogil=True, cache=True, error_model="numpy")
def moved_rows(
    counts: NDArray[Any],
    origin: Place,
    maps: Maps,
    levels: Levels,
    down: Taps,
    along: Taps,
    out: NDArray[np.float32],
) -> None:
    """Light of a part of the frame between its pixels; beyond the part its border.

    Parameters
    ----------
    counts : (Y, X) array
        The part of the frame that is needed.
    origin : Place
        Where it begins in the frame.
    maps, levels : tuples
        What turns counts into light.
    down, along : Taps
        The step from a pixel of `out` to those of the part that count for it.
    out : (Y, X) float32 array
    """
    height, width = counts.shape
    again = _TAPS - 1
    # The row after the last is added with the weight 0.
    rows = np.zeros((_TILE + again, out.shape[1] + again), dtype=np.float32)
    marks = np.empty((len(rows), width), dtype=np.uint8)
    marked = np.empty(len(rows), dtype=np.bool_)
    light = np.empty(width, dtype=np.float32)
    two = np.empty((2, rows.shape[1]), dtype=np.float32)
    weights = np.zeros(_TAPS + 2, dtype=np.float32)
    _copy(down[2], weights[1:-1])
    near = _TAPS // 2 - 1
    left = min(max(-along[0], 0), rows.shape[1])
    right = max(min(width - along[0], rows.shape[1]), left)
    for tile in range(0, out.shape[0], _TILE):
        known = again if tile else 0
        for i in range(known):
            _copy(rows[_TILE + i], rows[i])
            _copy(marks[_TILE + i], marks[i])
            marked[i] = marked[_TILE + i]
        for i in range(known, min(_TILE, out.shape[0] - tile) + again):
            y = min(max(down[0] + tile + i, 0), height - 1)
            _light_of_row(counts, y, origin, maps, levels[0], light)
            marked[i] = _marks_of_row(counts, y, origin, maps, levels[1], light, marks[i])
            _copy(light[left + along[0] :], rows[i, left:right])
            for x in range(left):
                rows[i, x] = light[0]
            for x in range(right, rows.shape[1]):
                rows[i, x] = light[width - 1]
        for first in range(0, min(_TILE, out.shape[0] - tile), 2):
            _two_down(rows, first, weights, two)
            for i in range(first, min(first + 2, out.shape[0] - tile)):
                own = out[tile + i]
                _along(two[i - first], along[2], own)
                if marked[i + near] or marked[i + near + 1]:
                    parts, step = (down[1], along[1]), along[0] + near
                    _mark_touched(marks[i + near], marks[i + near + 1], parts, step, levels[2], own)


@njit(nogil=True, cache=True, error_model="numpy")
def whole_numbers(
    light: NDArray[np.float32],
    scale: np.float32,
    ends: tuple[np.float32, np.float32],
    ceiling: np.float32,
    out: NDArray[np.uint16],
) -> None:
    """Light as whole numbers of `scale`; `ends` are those of no light and of a clipped pixel.

    Light from `ceiling` on (NaN: none) is clipped; light that is not known becomes 0.
    """
    zero, highest = ends
    for y in range(light.shape[0]):
        line, own = light[y], out[y]
        for x in range(line.shape[0]):
            number = np.rint(line[x] / scale + zero)
            number = min(max(number, np.float32(0)), highest - np.float32(1))
            number = highest if line[x] >= ceiling else number
            own[x] = np.uint16(number if number == number else np.float32(0))
