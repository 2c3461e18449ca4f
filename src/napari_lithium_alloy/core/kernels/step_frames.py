"""Frames of the levels on both sides of a boundary between two steps, in each pixel."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Frames = NDArray[np.int32]
Times = NDArray[np.float64]


@njit(nogil=True, cache=True, error_model="numpy")
def _frame(times: Times, first: NDArray[np.int64], interval: float, time: float) -> int:
    """The first frame that is not earlier than a time; see `frames_beside`."""
    place = (time - times[0]) / interval
    if place < 0:
        return 0
    if place >= len(first):
        place = len(first) - 1.0
    t = first[int(place)]
    while t < len(times) and times[t] < time:
        t += 1
    return int(t)


@njit(nogil=True, cache=True, error_model="numpy")
def frames_beside(
    stands: tuple[Picture, Picture, Picture],
    inside: NDArray[np.bool_],
    times: Times,
    first: NDArray[np.int64],
    given: tuple[float, float],
    levels: tuple[int, int, float],
    rows: tuple[int, int],
    out: tuple[Frames, Frames, Frames, Frames],
) -> None:
    """First frame of the level after the step before, that after its last, and so of the next.

    Parameters
    ----------
    stands : three (Y, X) float32 arrays
        When places begin to stand between the steps and when they end, both times the third.
    inside : (Y, X) bool array
        Where that is known.
    times : (T,) array
        Of frames.
    first : (N,) array
        The first frame that is not earlier than so many intervals after the first one.
    given : (float, float)
        When places leave the step before, and enter that after.
    levels : (int, int, float)
        Frames of the levels after the step before and before that after, and their interval.
    rows : (int, int)
        First row, and that after the last.
    out : four (Y, X) int32 arrays
        The first frame of the one level, that after its last, and those of the other.
    """
    before, after, interval = levels
    last = len(times)
    wide, long = (before + 0.5) * interval, (after + 0.5) * interval
    # Most places stand at the given boundary, and are told without a look at the times.
    a, b, c, d = given[0], given[1], given[0] - wide, given[1] + long
    at = (
        _frame(times, first, interval, a), _frame(times, first, interval, b),
        _frame(times, first, interval, c), _frame(times, first, interval, d),
    )  # fmt: skip
    most = max(before, after) * interval
    for y in range(rows[0], rows[1]):
        for x in range(inside.shape[1]):
            leave, enter = given
            begin, end = -math.inf, math.inf
            if inside[y, x]:
                share = 1 / float(stands[2][y, x])
                begin, end = share * stands[0][y, x], share * stands[1][y, x]
                room = min(most, (end - begin) / 2)
                leave = min(max(leave, begin + room), end - room)
                enter = min(max(enter, begin + room), end - room)
            # Of a level beside a pause, none of the frames beyond it.
            earliest, latest = max(begin, leave - wide), min(end, enter + long)
            stop = at[0] if leave == a else _frame(times, first, interval, leave)
            start = at[1] if enter == b else _frame(times, first, interval, enter)
            top = at[2] if earliest == c else _frame(times, first, interval, earliest)
            base = at[3] if latest == d else _frame(times, first, interval, latest)
            stop, start = max(stop, 1), min(start, last - 1)
            out[0][y, x], out[1][y, x] = min(max(top, stop - before), stop - 1), stop
            out[2][y, x], out[3][y, x] = start, max(min(base, start + after), start + 1)
