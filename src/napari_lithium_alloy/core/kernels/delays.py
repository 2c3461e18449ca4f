"""How much the point spread and smoothing delay the crossing of each pixel."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_REACH = 2
"""Pixels on each side that a second derivative needs."""


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
    psf, smoothing, in_time = blur[0] ** 2, blur[1] ** 2, blur[2] ** 2
    if height < 2 * _REACH + 1 or width < 2 * _REACH + 1:
        return
    for y in range(rows[0], rows[1]):
        # At the edges, the derivatives of the nearest pixel that has all its neighbours.
        v = min(max(y, _REACH), height - 1 - _REACH)
        for x in range(width):
            u = min(max(x, _REACH), width - 1 - _REACH)
            here = time[v, u]
            gy = (time[v + 1, u] - time[v - 1, u]) / 2
            gx = (time[v, u + 1] - time[v, u - 1]) / 2
            gyy = (time[v + 2, u] - 2 * here + time[v - 2, u]) / 4
            gxx = (time[v, u + 2] - 2 * here + time[v, u - 2]) / 4
            upper = time[v - 1, u + 1] - time[v - 1, u - 1]
            gyx = (time[v + 1, u + 1] - time[v + 1, u - 1] - upper) / 4
            square = gy * gy + gx * gx
            across = 0.0
            if square > 0:
                across = (gy * gy * gyy + 2 * gy * gx * gyx + gx * gx * gxx) / square
            along = gyy + gxx - across
            steepness = abs(slope[y, x])
            delay = smoothing / 2 * (along + across)
            if psf > 0 and steepness > 0:
                seen = rise[y, x] / (steepness * math.sqrt(2 * math.pi))
                own = max(seen * seen - in_time, 0.05 * seen * seen)
                share = min(psf * square / own, 1.0)
                delay += psf / 2 * (along + across * (1 - share))
                brighter = rise[y, x] ** 2 / (4 * math.pi) * math.asin(share) / steepness
                brighter *= math.sqrt(own) / seen
                delay += brighter if falls else -brighter
            out[y, x] = delay if math.isfinite(delay) else 0.0
