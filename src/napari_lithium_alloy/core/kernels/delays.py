"""How much the point spread and smoothing delay the crossing of each pixel."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_REACH = 2
"""Pixels on each side that a second derivative needs."""
_FAST = {"reassoc", "contract", "nsz"}
_LARGEST = np.finfo(np.float32).max
_TINY = np.finfo(np.float32).tiny
_QUARTER_TURN = np.float32(math.pi / 2)
# Abramowitz and Stegun 4.4.46 for the arc sine, right to 1e-7 and, unlike the library's, vectors.
_ASIN = tuple(
    np.float32(a)
    for a in (
        1.5707963050, -0.2145988016, 0.0889789874, -0.0501743046,
        0.0308918810, -0.0170881256, 0.0066700901, -0.0012624911,
    )
)  # fmt: skip
_A0, _A1, _A2, _A3, _A4, _A5, _A6, _A7 = _ASIN
_ZERO, _HALF, _ONE, _TWO, _FOUR = (np.float32(n) for n in (0, 0.5, 1, 2, 4))
_LEAST_OWN = np.float32(0.05)
"""Of the square of the width seen, that is at least the rise's own."""
_FLATTEST = np.float32(1 / math.sqrt(2 * math.pi))
_BRIGHTER = np.float32(1 / (4 * math.pi))
Line = NDArray[np.float32]
Blur = tuple[np.float32, np.float32, np.float32]
"""Variances of the point spread, of the smoothing in space and of that in time."""


@njit(inline="always")
def _asin(x: np.float32) -> np.float32:
    """Of a number from 0 to 1."""
    series = _A0 + x * (_A1 + x * (_A2 + x * (_A3 + x * (_A4 + x * (_A5 + x * (_A6 + x * _A7))))))
    return np.float32(_QUARTER_TURN - np.sqrt(_ONE - x) * series)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _delays_of_row(
    around: tuple[Line, Line, Line, Line, Line],
    slope: Line,
    rise: Line,
    blur: Blur,
    falls: bool,
    out: Line,
) -> None:
    """Of the pixels of a row that have two rows and columns on each side."""
    above2, above, row, below, below2 = around
    psf, smoothing, in_time = blur
    sign = _ONE if falls else -_ONE
    for x in range(out.shape[0]):
        here = row[x + 2]
        gy = _HALF * (below[x + 2] - above[x + 2])
        gx = _HALF * (row[x + 3] - row[x + 1])
        gyy = (below2[x + 2] - _TWO * here + above2[x + 2]) / _FOUR
        gxx = (row[x + 4] - _TWO * here + row[x]) / _FOUR
        gyx = (below[x + 3] - below[x + 1] - above[x + 3] + above[x + 1]) / _FOUR
        square = gy * gy + gx * gx
        across = (gy * gy * gyy + _TWO * gy * gx * gyx + gx * gx * gxx) / max(square, _TINY)
        along = gyy + gxx - across
        delay = _HALF * smoothing * (along + across)
        steepness = abs(slope[x])
        inverse = _ONE / max(steepness, _TINY)
        seen = rise[x] * inverse * _FLATTEST
        own = max(seen * seen - in_time, _LEAST_OWN * seen * seen)
        share = min(psf * square / own, _ONE)
        brighter = _BRIGHTER * rise[x] * rise[x] * _asin(share) * inverse
        brighter *= np.sqrt(own) / seen
        spread = _HALF * psf * (along + across * (_ONE - share)) + sign * brighter
        delay += spread if steepness > _ZERO else _ZERO
        out[x] = delay if abs(delay) <= _LARGEST else _ZERO


@njit(nogil=True, cache=True, error_model="numpy")
def delays(
    time: NDArray[np.float32],
    slope: NDArray[np.float32],
    rise: NDArray[np.float32],
    blur: tuple[float, float, float],
    falls: bool,
    rows: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """Delay of the half-rise crossing; see `core.crossing.blur_delay_s`.

    Parameters
    ----------
    time : (Y, X) float32 array
        A smooth map of crossing times, NaN where it is not known.
    slope, rise : (Y, X) float32 arrays
        Natural logarithms.
    blur : (float, float, float)
        Standard deviations of the point spread (pixels) and of the smoothing in space (pixels)
        and in time (the unit of the times).
    falls : bool
        Whether counts fall.
    rows : (int, int)
        First row, and that after the last.
    out : (Y, X) float32 array
        Out; 0 where it cannot be told.
    """
    height, width = time.shape
    if height < 2 * _REACH + 1 or width < 2 * _REACH + 1:
        return
    variances = np.float32(blur[0] ** 2), np.float32(blur[1] ** 2), np.float32(blur[2] ** 2)
    for y in range(rows[0], rows[1]):
        # At the edges, the derivatives of the nearest pixel that has all its neighbours.
        v = min(max(y, _REACH), height - 1 - _REACH)
        around = time[v - 2], time[v - 1], time[v], time[v + 1], time[v + 2]
        inner = slice(_REACH, width - _REACH)
        _delays_of_row(around, slope[y, inner], rise[y, inner], variances, falls, out[y, inner])
        for x in (0, 1, width - 2, width - 1):
            u = min(max(x, _REACH), width - 1 - _REACH) - _REACH
            five = (
                around[0][u : u + 5], around[1][u : u + 5], around[2][u : u + 5],
                around[3][u : u + 5], around[4][u : u + 5],
            )  # fmt: skip
            one = slice(x, x + 1)
            _delays_of_row(five, slope[y, one], rise[y, one], variances, falls, out[y, one])
