"""The light that a map of onsets would show through the point spread."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz", "arcp"}
# Abramowitz and Stegun 7.1.27 for the error function, in standard deviations of a normal
# distribution: right to 5e-4, and without an exponential, so that loops become vectors.
_A1, _A2, _A3, _A4 = (
    np.float32(a / 2 ** (k / 2))
    for k, a in ((1, 0.278393), (2, 0.230389), (3, 0.000972), (4, 0.078108))
)
_HALF, _ONE, _TWO = np.float32(0.5), np.float32(1), np.float32(2)


_BLOCK = 64
"""Pixels of a row that are looked at if one of them is asked for."""
Line = NDArray[np.float32]


@njit(nogil=True, cache=True, error_model="numpy")
def _runs(asked: NDArray[np.bool_], runs: NDArray[np.int64]) -> int:
    """First pixels, and those after the last, of runs of blocks with pixels that are asked for."""
    n = 0
    for left in range(0, len(asked), _BLOCK):
        right = min(left + _BLOCK, len(asked))
        some = 0
        for x in range(left, right):
            some += 1 if asked[x] else 0
        if some and n and runs[n - 1, 1] == left:
            runs[n - 1, 1] = right
        elif some:
            runs[n, 0], runs[n, 1] = left, right
            n += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _rises_of_run(
    onset: NDArray[np.float32],
    place: tuple[int, int],
    now: Line,
    rise: Line,
    width: Line,
    in_time: np.float32,
    spread: NDArray[np.float32],
    sign: np.float32,
    rooms: NDArray[np.float32],
    level: Line,
    steep: Line,
) -> None:
    """Of a run of pixels from a place on, at which `onset` begins to reach around them."""
    n, side = len(now), spread.shape[0]
    y, left = place
    first, second, mean = rooms[0, :n], rooms[1, :n], rooms[2, :n]
    narrow, wide = rooms[3, :n], rooms[4, :n]
    apart, apart2 = rooms[5, :n], rooms[6, :n]
    first[:], second[:], mean[:], apart[:], apart2[:], steep[:] = 0, 0, 0, 0, 0, 0
    for x in range(n):
        narrow[x] = _ONE / width[x]
        wide[x] = _ONE / np.sqrt(width[x] * width[x] + in_time)
    for i in range(side):
        for j in range(side):
            q = spread[i, j]
            if q == 0:
                continue
            near = onset[y + i, left + j : left + j + n]
            for x in range(n):
                since = now[x] - near[x]
                apart[x] += q * since
                apart2[x] += q * since * since
                u, v = since * wide[x], since * narrow[x]
                a, b = abs(u), abs(v)
                base = _ONE + a * (_A1 + a * (_A2 + a * (_A3 + a * _A4)))
                other = _ONE + b * (_A1 + b * (_A2 + b * (_A3 + b * _A4)))
                # One division for both: it takes as long as all the rest.
                both = _ONE / (base * other)
                inverse = both * other
                fourth = inverse * inverse
                fourth *= fourth
                rate = _A1 + a * (_TWO * _A2 + a * (np.float32(3) * _A3 + a * np.float32(4) * _A4))
                mean[x] += q * math.copysign(_HALF - _HALF * fourth, u)
                steep[x] += q * _TWO * rate * fourth * inverse
                fourth = both * base
                fourth *= fourth
                fourth *= fourth
                half = math.copysign(_HALF - _HALF * fourth, v)
                first[x] += q * half
                second[x] += q * half * half
    for x in range(n):
        # Brighter than its mean logarithm says, and less so where time is smoothed too.
        variance = second[x] - first[x] * first[x]
        square = width[x] * width[x] + max(apart2[x] - apart[x] * apart[x], np.float32(0))
        brighter = sign * rise[x] * variance * np.sqrt(square / (square + in_time))
        level[x] = _HALF + mean[x] - brighter
        steep[x] *= wide[x]


@njit(nogil=True, cache=True, error_model="numpy")
def blurred_rises(
    onset: NDArray[np.float32],
    at: NDArray[np.float32],
    rise: NDArray[np.float32],
    asked: NDArray[np.bool_],
    widths: tuple[NDArray[np.float32], float],
    spread: NDArray[np.float32],
    falls: bool,
    rows: tuple[int, int],
    level: NDArray[np.float32],
    slope: NDArray[np.float32],
) -> None:
    """Levels and slopes (shares of the rise) at a time of each pixel; see `core.refinement`.

    Parameters
    ----------
    onset : (Y + 2 h, X + 2 h) float32 array
        With h more pixels on each side.
    at : (Y, X) float32 array
        Times asked for.
    rise : (Y, X) float32 array
        Natural logarithms.
    asked : (Y, X) bool array
        Pixels of which levels are asked for; those far from them get 0.
    widths : ((Y, X) float32 array, float)
        Standard deviations of the rises, and of the smoothing of light in time.
    spread : (2 h + 1, 2 h + 1) float32 array
        The point spread, summing to 1; pixels where it is 0 are not looked at.
    falls : bool
        Whether counts fall.
    rows : (int, int)
        First row, and that after the last.
    level, slope : (Y, X) float32 arrays
        Out.
    """
    n = at.shape[1]
    rooms = np.empty((7, n), dtype=np.float32)
    runs = np.empty((n // _BLOCK + 1, 2), dtype=np.int64)
    in_time = np.float32(widths[1] ** 2)
    sign = _HALF if falls else -_HALF
    for y in range(rows[0], rows[1]):
        level[y], slope[y] = 0, 0
        for r in range(_runs(asked[y], runs)):
            here = slice(runs[r, 0], runs[r, 1])
            _rises_of_run(
                onset, (y, runs[r, 0]), at[y, here], rise[y, here], widths[0][y, here],
                in_time, spread, sign, rooms, level[y, here], slope[y, here],
            )  # fmt: skip
