"""Sums over one region of some frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.logarithm import EXPONENT_BITS, TWO_THIRDS_BITS, log32

_FAST = {"reassoc", "contract", "nsz"}
_ZERO = np.float32(0)
_ONE = np.float32(1)
_FOLDS = 5
"""Products of 2^5 numbers around 1 are far from the ends of single precision."""
_ROWS = 16
_LN_2_A_BIT = float(np.log(2) / 2**23)
Floats = NDArray[np.float32]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sum_logarithms(values: Floats) -> float:
    """Sum of the logarithms of positive normal numbers, which are changed.

    It is that of products of many numbers around 1, besides the powers of two taken from them.
    """
    bits = values.view(np.int32)
    powers = _ZERO
    for x in range(len(bits)):
        exponent = np.int32(bits[x] - TWO_THIRDS_BITS) & EXPONENT_BITS
        powers += np.float32(exponent)
        bits[x] = np.int32(bits[x] - exponent)
    n = len(values)
    for _ in range(_FOLDS):
        half = n // 2
        first, second = values[:half], values[n - half : n]
        for x in range(half):
            first[x] *= second[x]
        n -= half
    logarithm = _ZERO
    for x in range(n):
        logarithm += log32(values[x])
    return float(logarithm) + _LN_2_A_BIT * float(powers)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sum_row(
    row: NDArray[Any], dark: Floats, weight: Floats, room: Floats, out: NDArray[np.float64]
) -> None:
    """Add a row's sums of light, of light times weight, and pixels with light; leave these.

    All but these are left as 1. What is summed is used twice: else the compiler adds under a
    condition, which it does pixel by pixel.
    """
    light = weighted = _ZERO
    lit = np.uint32(0)
    for x in range(len(room)):
        w = weight[x]
        value = np.float32(row[x]) - dark[x]
        inside = value if w != _ZERO else _ZERO
        times = inside * w if w > _ZERO else _ZERO
        known = (w > _ZERO) & (inside > _ZERO)
        light += inside
        weighted += times
        lit += np.uint32(known)
        room[x] = times if known else _ONE
    out[0] += float(light)
    out[1] += float(weighted)
    out[4] += float(lit)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_squares(row: NDArray[Any], dark: Floats, weight: Floats, out: NDArray[np.float64]) -> None:
    squares = _ZERO
    for x in range(len(row)):
        value = (np.float32(row[x]) - dark[x]) * weight[x]
        logged = log32(value) if (weight[x] > _ZERO) & (value > _ZERO) else _ZERO
        squares += logged * logged
    out[3] += float(squares)


@njit(nogil=True, cache=True, error_model="numpy")
def aperture_sums(
    counts: NDArray[Any], dark: Floats, weight: Floats, squares: bool, out: NDArray[np.float64]
) -> None:
    """Sums of light, of light times weight, and of the latter's logarithm and its square.

    Sums within a row are of single precision, in several lanes; those over rows of double. A
    few rows of all frames are gone through at a time, so that what is the same in all frames
    stays at hand.

    Parameters
    ----------
    counts : (T, Y, X) array
    dark : (Y, X) float32 array
    weight : (Y, X) float32 array
        0 outside the region; below 0 inside where only the light counts.
    squares : bool
        Whether the squares are summed, too.
    out : (T, 5) float64 array
        Out: the four sums, and over how many pixels, those with light, the logarithm's are.
    """
    out[:] = 0
    room = np.empty(counts.shape[2], np.float32)
    height = counts.shape[1]
    for first in range(0, height, _ROWS):
        for t in range(len(counts)):
            for y in range(first, min(first + _ROWS, height)):
                _sum_row(counts[t, y], dark[y], weight[y], room, out[t])
                out[t, 2] += _sum_logarithms(room)
                if squares:
                    _add_squares(counts[t, y], dark[y], weight[y], out[t])
