"""Weighted sums over time of the light of pixels beside each other, and the lines they make.

What is summed up of a row of pixels lies in one array, its room, one line of it after the other: a
loop over `LANES` pixels of one array becomes a few vector instructions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.logarithm import log32

_FAST = {"reassoc", "contract", "nsz"}
REACH = 2.5
"""Frames count up to this many standard deviations of the weights."""
LANES = 16
"""Pixels that are summed up at once, over frames that count for any of them."""
ROOM = 10
"""Lines of a room: five sums, then dark counts, thresholds, times, first and last frames."""
LEAST_SPREAD = 1e-3
"""Of the times of the frames that count, in units of the weights' variance."""
_CUT = np.float32(REACH**2 / 16)
_C0, _C1, _C2, _C3, _C4, _C5 = (np.float32(1 / math.factorial(k)) for k in range(6))
_ZERO, _ONE = np.float32(0), np.float32(1)
Line = NDArray[np.float32]
Times = NDArray[np.float64]
Frames = NDArray[np.int32]


@njit(nogil=True, cache=True, error_model="numpy")
def find_spans(at: Times, times: Times, reach: float, spans: NDArray[np.int64]) -> None:
    """First frame that counts for any of `LANES` pixels, and that after the last, of each so many.

    None where no pixel has a time.
    """
    start = 0
    for g in range(spans.shape[0]):
        first, last = np.inf, -np.inf
        for x in range(g * LANES, (g + 1) * LANES):
            first = at[x] if at[x] < first else first
            last = at[x] if at[x] > last else last
        if first > last:
            spans[g, 0] = spans[g, 1] = start
            continue
        while start > 0 and times[start - 1] >= first - reach:
            start -= 1
        while start < len(times) - 1 and times[start] < first - reach:
            start += 1
        stop = start
        while stop < len(times) and times[stop] <= last + reach:
            stop += 1
        spans[g, 0], spans[g, 1] = start, stop


@njit(nogil=True, cache=True, error_model="numpy")
def begin(at: Times, dark: Line, level: Line, first: Frames, last: Frames, room: Line) -> None:
    """No sums yet, and what they need of pixels; no frames where a pixel has no time."""
    n = at.shape[0]
    room[: 5 * n] = _ZERO
    room[5 * n : 6 * n] = dark
    room[6 * n : 7 * n] = level
    times, firsts, lasts = room[7 * n : 8 * n], room[8 * n : 9 * n], room[9 * n :]
    for x in range(n):
        times[x] = np.float32(at[x]) if at[x] == at[x] else _ZERO
    for x in range(n):
        firsts[x] = np.float32(first[x])
    for x in range(n):
        lasts[x] = np.float32(last[x]) if at[x] == at[x] else -_ONE


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add(
    line: NDArray[Any],
    frame: tuple[np.float32, np.float32, np.float32],
    light: tuple[np.float32, np.float32],
    scale: np.float32,
    spans: NDArray[np.int64],
    room: Line,
) -> None:
    t, now, gain = frame
    least, sign = light
    # Places are unsigned: those that may be negative keep a loop from being vectors.
    n = np.uintp(room.shape[0] // ROOM)
    s1, s2, v0, v1 = n, n + n, n + n + n, n + n + n + n
    dark, level, at, own, end = v1 + n, v1 + s2, v1 + v0, v1 + v1, v1 + v1 + n
    for g in range(spans.shape[0]):
        if t < spans[g, 0] or t >= spans[g, 1]:
            continue
        left = np.uintp(g * LANES)
        for k in range(LANES):
            x = left + np.uintp(k)
            d = now - room[at + x]
            z = scale * d * d
            # exp(-8 z) as the eighth power of a series.
            weight = _C0 - z * (_C1 - z * (_C2 - z * (_C3 - z * (_C4 - z * _C5))))
            weight *= weight
            weight *= weight
            weight *= weight
            counts = (z <= _CUT) & (t >= room[own + x]) & (t < room[end + x])
            weight = weight if counts else _ZERO
            above = sign * log32(max(np.float32(line[x]) - room[dark + x], least))
            value = weight * (above + gain - room[level + x])
            room[x] += weight
            room[s1 + x] += weight * d
            room[s2 + x] += weight * d * d
            room[v0 + x] += value
            room[v1 + x] += value * d


@njit(nogil=True, cache=True, error_model="numpy")
def add_frame(
    line: NDArray[Any],
    frame: tuple[int, float, np.float32],
    light: tuple[np.float32, np.float32],
    sigma: float,
    spans: NDArray[np.int64],
    room: Line,
) -> None:
    """Add a frame's light, over the thresholds, to the sums of the pixels whose own it is.

    Parameters
    ----------
    line : (X,) array
        Counts, of a multiple of `LANES` pixels.
    frame : (int, float, float)
        Its number, its time and the logarithm of its gain.
    light : (float, float)
        The least light of which a logarithm is taken, and the sign of logarithms.
    sigma : float
        Standard deviation of the weights.
    spans : (X // LANES, 2) array
        As `find_spans` finds them.
    room : (ROOM * X,) array
    """
    t, now, gain = frame
    scale = np.float32(1 / (16 * sigma * sigma))
    _add(line, (np.float32(t), np.float32(now), np.float32(gain)), light, scale, spans, room)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def solve(room: Line, sigma: float) -> None:
    """Put levels over the thresholds, slopes, and 1 where there is a line, in the sums' places."""
    least = LEAST_SPREAD * sigma * sigma
    n = np.uintp(room.shape[0] // ROOM)
    for k in range(room.shape[0] // ROOM):
        x = np.uintp(k)
        s0, s1, s2 = float(room[x]), float(room[n + x]), float(room[n + n + x])
        v0, v1 = float(room[n + n + n + x]), float(room[n + n + n + n + x])
        spread = s0 * s2 - s1 * s1
        told = spread > least * s0 * s0
        inverse = 1.0 / (spread if told else 1.0)
        room[x] = np.float32((s2 * v0 - s1 * v1) * inverse)
        room[n + x] = np.float32((s0 * v1 - s1 * v0) * inverse)
        room[n + n + x] = _ONE if told else _ZERO


@njit(nogil=True, cache=True, error_model="numpy")
def keep(at: Times, room: Line, time: Line, missing: Line, slope: Line) -> None:
    """Keep times, what is missing to the thresholds, and slopes of pixels that have a time."""
    n = at.shape[0]
    levels, rates = room[:n], room[n : 2 * n]
    for x in range(n):
        time[x] = np.float32(at[x]) if at[x] == at[x] else time[x]
    for x in range(n):
        missing[x] = -levels[x] if at[x] == at[x] else missing[x]
    for x in range(n):
        slope[x] = rates[x] if at[x] == at[x] else slope[x]


@njit(nogil=True, cache=True, error_model="numpy")
def mark_odd(
    at: Times, room: Line, rise: Line, far: tuple[float, float], odd: NDArray[np.uint8]
) -> None:
    """Pixels that have a time but no line, or a level far from their threshold.

    `far` is the share of the rise that is, and at least what is.
    """
    n = at.shape[0]
    levels, told = room[:n], room[2 * n : 3 * n]
    share, least = np.float32(far[0]), np.float32(far[1])
    for x in range(n):
        away = abs(levels[x]) > max(share * rise[x], least)
        odd[x] = (away | (told[x] < _ONE)) & (at[x] == at[x])
