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


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def blurred_rises(
    onset: NDArray[np.float32],
    at: NDArray[np.float32],
    rise: NDArray[np.float32],
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
    n, side = at.shape[1], spread.shape[0]
    first, second, mean, narrow, wide, apart, apart2 = np.empty((7, n), np.float32)
    in_time = np.float32(widths[1] ** 2)
    sign = _HALF if falls else -_HALF
    for y in range(rows[0], rows[1]):
        first[:], second[:], mean[:], apart[:], apart2[:] = 0, 0, 0, 0, 0
        steep = slope[y]
        steep[:] = 0
        for x in range(n):
            width = widths[0][y, x]
            narrow[x] = _ONE / width
            wide[x] = _ONE / np.sqrt(width * width + in_time)
        now = at[y]
        for i in range(side):
            for j in range(side):
                q = spread[i, j]
                if q == 0:
                    continue
                near = onset[y + i, j : j + n]
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
                    rate = _A1 + a * (
                        _TWO * _A2 + a * (np.float32(3) * _A3 + a * np.float32(4) * _A4)
                    )
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
            width = widths[0][y, x]
            square = width * width + max(apart2[x] - apart[x] * apart[x], np.float32(0))
            brighter = sign * rise[y, x] * variance * np.sqrt(square / (square + in_time))
            level[y, x] = _HALF + mean[x] - brighter
            steep[x] *= wide[x]
