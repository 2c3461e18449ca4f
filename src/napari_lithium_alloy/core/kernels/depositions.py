"""Sums over a deposition's frames, and peaks of images, a block of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.marks import list_marked

Floats = NDArray[np.float32]
Counts = NDArray[np.uint16]
_AT_ONCE = 1024
"""Pixels of a row that stay at hand with all sums over them."""
_LARGEST = np.finfo(np.float32).max
_NEAR = (2, 4, 8, 16)
"""Pixels around a peak of noise in which mostly one is higher."""


@njit(nogil=True, cache=True, error_model="numpy")
def _add_light(
    row: NDArray[Any], dark: Floats, factor: np.float32, out: Floats, total: Floats
) -> None:
    """Fill in a row's light, none of which is missing, and add it to a sum."""
    for x in range(len(out)):
        light = (np.float32(row[x]) - dark[x]) * factor
        out[x] = light
        total[x] += light


@njit(nogil=True, cache=True, error_model="numpy")
def _light_of(row: NDArray[Any], dark: Floats, factor: np.float32, out: Floats) -> bool:
    """Fill in a row's light; whether any of it is missing."""
    known = 0
    for x in range(len(out)):
        out[x] = (np.float32(row[x]) - dark[x]) * factor
    for x in range(len(out)):
        known += 1 if abs(out[x]) <= _LARGEST else 0
    return known < len(out)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_bend(a: Floats, b: Floats, c: Floats, usual: np.float32, gap: bool, out: Floats) -> None:
    two = np.float32(2)
    for x in range(len(c)):
        bend = c[x] - two * b[x] + a[x] - usual
        out[x] += bend * bend if not gap or np.isfinite(bend) else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_known(light: Floats, gap: bool, out: Floats, missing: Counts) -> None:
    if gap:
        for x in range(len(light)):
            if np.isfinite(light[x]):
                out[x] += light[x]
            else:
                missing[x] += 1
    else:
        for x in range(len(light)):
            out[x] += light[x]


@njit(nogil=True, cache=True, error_model="numpy")
def add_frames(
    counts: NDArray[Any],
    before: int,
    dark: Floats,
    factor: Floats,
    whole: bool,
    part_of: NDArray[np.int64],
    n_early: int,
    usual: Floats,
    bends: NDArray[np.bool_],
    rows: tuple[int, int],
    light: Floats,
    early: Floats,
    squares: Floats,
    missing: Counts,
    gaps: NDArray[np.bool_],
) -> None:
    """Add frames to sums, as `DepositionSums` holds them.

    Parameters
    ----------
    counts : (T, Y, X) array
        Frames one after the other, the first `before` of which are added already.
    before : int
    dark : (Y, X) float32 array
    factor : (T,) float32 array
        Light is counts less dark times it.
    whole : bool
        Whether counts are whole numbers, none of which is missing.
    part_of : (T - before,) int array
        The part each new frame belongs to.
    n_early : int
        How many of the new frames belong to the first few.
    usual : (T,) float32 array
        Second difference that all pixels have in common, of each frame with the two before.
    bends : (T,) bool array
        Whether that of a frame counts.
    rows : (int, int)
    light, early, squares, missing, gaps : arrays
        Sums that are added to.
    """
    n, width = len(counts), counts.shape[2]
    room = np.empty((3, min(width, _AT_ONCE)), np.float32)
    gap = np.zeros(3, np.bool_)
    for y in range(rows[0], rows[1]):
        for first in range(0, width, _AT_ONCE):
            some = slice(first, min(first + _AT_ONCE, width))
            under, bent = dark[y, some], squares[y, some]
            own = slice(0, len(under))
            for t in range(n):
                now, row = room[t % 3, own], counts[t, y, some]
                k = part_of[max(t - before, 0)]
                if whole and t >= before:
                    _add_light(row, under, factor[t], now, light[k, y, some])
                else:
                    gap[t % 3] = _light_of(row, under, factor[t], now)
                    gaps[y] |= gap[t % 3]
                    if t >= before:
                        _add_known(now, gap[t % 3], light[k, y, some], missing[k, y, some])
                if before <= t < before + n_early:
                    _add_known(now, gap[t % 3], early[y, some], missing[-1, y, some])
                if bends[t]:
                    a, b = room[(t - 2) % 3, own], room[(t - 1) % 3, own]
                    _add_bend(a, b, now, usual[t], gap[0] or gap[1] or gap[2], bent)


@njit(nogil=True, cache=True, error_model="numpy")
def relative_losses(
    light: Floats,
    missing: Counts,
    gaps: NDArray[np.bool_],
    counts: Floats,
    shares: Floats,
    early: Floats,
    film: Floats,
    sign: np.float32,
    rows: tuple[int, int],
    darkening: Floats,
) -> None:
    """Sums of light become losses against the mean over all; the loss of that against the first.

    `counts` and `shares` are the frames of each part, and their share of all.
    """
    n, width = len(light), light.shape[2]
    mean = np.empty(width, np.float32)
    zero, one = np.float32(0), np.float32(1)
    for y in range(rows[0], rows[1]):
        mean[:] = 0
        for k in range(n):
            for x in range(width):
                there = max(counts[k] - np.float32(missing[k, y, x]), one) if gaps[y] else counts[k]
                light[k, y, x] /= there
                mean[x] += shares[k] * light[k, y, x]
        for k in range(n):
            for x in range(width):
                loss = sign * (light[k, y, x] - mean[x]) / film[y, x]
                light[k, y, x] = loss if np.isfinite(loss) else zero
        for x in range(width):
            loss = sign * (mean[x] - early[y, x]) / film[y, x]
            darkening[y, x] = loss if np.isfinite(loss) else zero


@njit(nogil=True, cache=True, error_model="numpy")
def _list_maxima(
    three: tuple[Floats, Floats, Floats],
    least: np.float32,
    marks: NDArray[np.uint8],
    out: NDArray[np.int64],
) -> int:
    """List where a row of three is high enough and no lower than beside it; how many.

    All is compared first, as without a branch that loop is vectors.
    """
    above, row, below = three
    last = len(row) - 1
    for x in range(1, last):
        value = row[x]
        beside = (value >= row[x - 1]) & (value >= row[x + 1])
        marks[x] = beside & (value >= above[x]) & (value >= below[x]) & (value >= least)
    for x in (0, last):
        value = row[x]
        beside = value >= row[max(x - 1, 0)] and value >= row[min(x + 1, last)]
        marks[x] = beside and value >= above[x] and value >= below[x] and value >= least
    n: int = list_marked(marks, out)
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def _is_lower_slope(image: Floats, y: int, x: int, level: np.float32) -> bool:
    """Whether a square around a pixel, all of it over a level, holds a higher one."""
    value = image[y, x]
    for near in _NEAR:
        lowest, highest = value, value
        left, right = max(x - near, 0), min(x + near + 1, image.shape[1])
        for b in range(max(y - near, 0), min(y + near + 1, image.shape[0])):
            for v in image[b, left:right]:
                lowest, highest = min(lowest, v), max(highest, v)
        if lowest <= level:
            return False
        if highest > value:
            return True
    return False


@njit(nogil=True, cache=True, error_model="numpy")
def high_peaks(
    image: Floats,
    least: float,
    lowest: float,
    rows: tuple[int, int],
    seen: NDArray[np.int32],
    out: NDArray[np.bool_],
) -> None:
    """Mark peaks in some rows that rise so far above the highest saddle to a higher one.

    Of pixels of the same value the first is the higher. From each peak its surroundings are
    flooded down to so far below it, which soon ends at a higher pixel if there is one.

    Parameters
    ----------
    image : (Y, X) float32 array
    least : float
    lowest : float
        Of the image.
    rows : (int, int)
    seen : (Y X,) int32 array
        Room, 0 at first.
    out : (Y, X) bool array
    """
    height, width = image.shape
    values, stack = image.ravel(), np.empty(1024, np.int32)
    marks, listed = np.empty(width, np.uint8), np.empty(width, np.int64)
    high_enough = np.float32(lowest + max(least, 0.0))
    for y in range(rows[0], rows[1]):
        three = image[max(y - 1, 0)], image[y], image[min(y + 1, height - 1)]
        for x in listed[: _list_maxima(three, high_enough, marks, listed)]:
            level = image[y, x] - np.float32(least)
            if _is_lower_slope(image, y, x, level) or not _first_around(image, y, x):
                continue
            start = y * width + x
            stack[0], n, alone = start, 1, True
            seen[start] = start + 1
            while n and alone:
                n -= 1
                at = stack[n]
                b0, c0 = at // width, at % width
                for b in range(max(b0 - 1, 0), min(b0 + 2, height)):
                    for c in range(max(c0 - 1, 0), min(c0 + 2, width)):
                        j = b * width + c
                        if seen[j] == start + 1 or values[j] <= level:
                            continue
                        if values[j] > image[y, x] or (values[j] == image[y, x] and j < start):
                            alone = False
                        seen[j] = start + 1
                        if n == len(stack):
                            stack = np.concatenate((stack, np.empty_like(stack)))
                        stack[n] = j
                        n += 1
            out[y, x] = alone


@njit(nogil=True, cache=True, error_model="numpy")
def _first_around(image: Floats, y: int, x: int) -> bool:
    """Whether no neighbour is higher, or as high and before it."""
    height, width = image.shape
    for b in range(max(y - 1, 0), min(y + 2, height)):
        for c in range(max(x - 1, 0), min(x + 2, width)):
            before = b < y or (b == y and c < x)
            if image[b, c] > image[y, x] or (before and image[b, c] == image[y, x]):
                return False
    return True
