"""Sums over one region of some frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.frame_sums import Asked, add_quality
from napari_lithium_alloy.core.kernels.logarithm import EXPONENT_BITS, TWO_THIRDS_BITS, log32

_FAST = {"reassoc", "contract", "nsz"}
_ZERO = np.float32(0)
_ONE = np.float32(1)
_FOLDS = 5
"""Products of 2^5 numbers around 1 are far from the ends of single precision."""
_ROWS = 16
_LN_2 = float(np.log(2))
_LN_2_A_BIT = _LN_2 / 2**23
_AT_ONCE = 512
_QUARTER, _HALF, _THREE_QUARTERS = _AT_ONCE // 4, _AT_ONCE // 2, 3 * _AT_ONCE // 4
_MOST = np.float32(2.0**30)
_LEAST_BITS = (1 / _MOST).view(np.int32)
"""Four numbers between these have a product that single precision holds."""
_MANTISSA_BITS = np.int32(23)
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


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_lit(row: NDArray[Any], dark: Floats, weight: Floats, out: NDArray[np.float64]) -> bool:
    """Add the sums of so many pixels; False and nothing where one has no light or no weight.

    The logarithm's is that of products of four, whose powers of two are taken from them.
    """
    light = weighted = _ZERO
    product, powers, least = _ONE, np.int32(0), _LEAST_BITS
    for x in range(_QUARTER):
        a = np.float32(row[x]) - dark[x]
        b = np.float32(row[x + _QUARTER]) - dark[x + _QUARTER]
        c = np.float32(row[x + _HALF]) - dark[x + _HALF]
        d = np.float32(row[x + _THREE_QUARTERS]) - dark[x + _THREE_QUARTERS]
        light += (a + b) + (c + d)
        a *= weight[x]
        b *= weight[x + _QUARTER]
        c *= weight[x + _HALF]
        d *= weight[x + _THREE_QUARTERS]
        weighted += (a + b) + (c + d)
        # Positive numbers have the order of their bits, and those of others are below 0.
        first = min(np.float32(a).view(np.int32), np.float32(b).view(np.int32))
        second = min(np.float32(c).view(np.int32), np.float32(d).view(np.int32))
        least = min(least, min(first, second))
        bits = np.float32((a * b) * (c * d)).view(np.int32)
        power = np.int32(np.int32(bits - TWO_THIRDS_BITS) >> _MANTISSA_BITS)
        powers = np.int32(powers + power)
        product *= np.int32(bits - np.int32(power << _MANTISSA_BITS)).view(np.float32)
    if least < _LEAST_BITS or not weighted < _MOST:
        return False
    out[0] += float(light)
    out[1] += float(weighted)
    out[2] += float(log32(product)) + _LN_2 * powers
    out[4] += _AT_ONCE
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _add_row(
    row: NDArray[Any], dark: Floats, weight: Floats, room: Floats, out: NDArray[np.float64]
) -> None:
    """Add a row's sums."""
    width = len(row)
    for first in range(0, width, _AT_ONCE):
        end = min(first + _AT_ONCE, width)
        some, under, times = row[first:end], dark[first:end], weight[first:end]
        if len(some) == _AT_ONCE and _add_lit(some, under, times, out):
            continue
        own = room[: len(some)]
        _sum_row(some, under, times, own, out)
        out[2] += _sum_logarithms(own)


@njit(nogil=True, cache=True, error_model="numpy")
def aperture_sums(
    counts: NDArray[Any],
    dark: Floats,
    weight: Floats,
    squares: bool,
    out: NDArray[np.float64],
    asked: Asked,
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
    asked : tuple
        What else is told of the same counts (`quality_sums`), of no or of all frames.
    """
    out[:] = 0
    room = np.empty(_AT_ONCE, np.float32)
    height = counts.shape[1]
    for first in range(0, height, _ROWS):
        end = min(first + _ROWS, height)
        for t in range(len(counts)):
            if len(asked[2]) > 0:
                add_quality(counts[t], (first, end), asked[0], asked[1], asked[2][t])
            for y in range(first, end):
                _add_row(counts[t, y], dark[y], weight[y], room, out[t])
                if squares:
                    _add_squares(counts[t, y], dark[y], weight[y], out[t])
