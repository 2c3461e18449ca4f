"""Sums over the pixels that two pictures have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def pair_sums(
    a: NDArray[Any],
    b: NDArray[Any],
    common: NDArray[np.bool_],
    origin: tuple[float, float],
    scale: tuple[float, float],
    rows: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Per row: sums of a, b, a^2, b^2 and ab, each less its origin and times its scale."""
    for y in range(rows[0], rows[1]):
        sa = sb = saa = sbb = sab = 0.0
        first, second, there = a[y], b[y], common[y]
        for x in range(len(first)):
            p = (first[x] - origin[0]) * scale[0] if there[x] else 0.0
            q = (second[x] - origin[1]) * scale[1] if there[x] else 0.0
            sa += p
            sb += q
            saa += p * p
            sbb += q * q
            sab += p * q
        row = (sa, sb, saa, sbb, sab)
        for i in range(5):
            out[y, i] = row[i]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def products_in_rows(
    a: NDArray[Any], b: NDArray[Any], rows: tuple[int, int], out: NDArray[np.float64]
) -> None:
    """Per row: the sum of two pictures' products."""
    for y in range(rows[0], rows[1]):
        first, second, total = a[y], b[y], 0.0
        for x in range(len(first)):
            total += np.float64(first[x]) * np.float64(second[x])
        out[y] = total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def largest_in_rows(
    image: NDArray[Any],
    common: NDArray[np.bool_],
    rows: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Per row: the largest size of a value."""
    for y in range(rows[0], rows[1]):
        line, there, largest = image[y], common[y], 0.0
        for x in range(len(line)):
            size = abs(np.float64(line[x])) if there[x] else 0.0
            largest = size if size > largest else largest
        out[y] = largest


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def sums_and_ends(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    known: NDArray[np.bool_],
    rows: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Per row: sums of a, b, a^2, b^2 and ab, and the lowest and highest values of both."""
    endless = np.float32(np.inf)
    for y in range(rows[0], rows[1]):
        sa = sb = saa = sbb = sab = 0.0
        low_a = low_b = endless
        high_a = high_b = -endless
        first, second, there = a[y], b[y], known[y]
        for x in range(len(first)):
            p = np.float64(first[x]) if there[x] else 0.0
            q = np.float64(second[x]) if there[x] else 0.0
            sa += p
            sb += q
            saa += p * p
            sbb += q * q
            sab += p * q
        for x in range(len(first)):
            u, v = (first[x], second[x]) if there[x] else (endless, endless)
            low_a, low_b = u if u < low_a else low_a, v if v < low_b else low_b
            u, v = (first[x], second[x]) if there[x] else (-endless, -endless)
            high_a, high_b = u if u > high_a else high_a, v if v > high_b else high_b
        sums = (sa, sb, saa, sbb, sab)
        for i in range(5):
            out[y, i] = sums[i]
        ends = (low_a, low_b, high_a, high_b)
        for i in range(4):
            out[y, 5 + i] = ends[i]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def agreement_in_rows(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    known: NDArray[np.bool_],
    about: tuple[float, float],
    thresholds: tuple[float, float],
    rows: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Per row: sums of squares, and of products, of what differs from two numbers; and more.

    How many pixels differ from both in the same direction; sums of each picture where the other
    reaches its threshold.
    """
    for y in range(rows[0], rows[1]):
        saa = sbb = sab = same = one = other = 0.0
        first, second, there = a[y], b[y], known[y]
        for x in range(len(first)):
            p = first[x] - about[0] if there[x] else 0.0
            q = second[x] - about[1] if there[x] else 0.0
            saa += p * p
            sbb += q * q
            sab += p * q
            same += 1.0 if p * q > 0 else 0.0
            one += first[x] if there[x] and second[x] >= thresholds[1] else 0.0
            other += second[x] if there[x] and first[x] >= thresholds[0] else 0.0
        row = (saa, sbb, sab, same, one, other)
        for i in range(6):
            out[y, i] = row[i]


@njit(nogil=True, cache=True, error_model="numpy")
def mark_levels(
    image: NDArray[Any],
    valid: NDArray[np.bool_],
    levels: NDArray[np.float64],
    bits: NDArray[np.uint64],
) -> int:
    """Mark the pixels of each value; how many values there are, or -1 where too many.

    Parameters
    ----------
    image : (Y, X) array
    valid : (Y, X) bool array
        Others are not marked.
    levels : (K,) float64 array
        Out: the values, as they come.
    bits : (K, Y, W) uint64 array
        In: 0; out: a bit a pixel.
    """
    n = 0
    one = np.uint64(1)
    words = np.zeros(len(levels), np.uint64)
    for y in range(image.shape[0]):
        for word in range(bits.shape[2]):
            words[:] = 0
            begin = 64 * word
            for x in range(begin, min(begin + 64, image.shape[1])):
                value = image[y, x]
                if not (valid[y, x] and np.isfinite(value)):
                    continue
                k = 0
                while k < n and levels[k] != value:
                    k += 1
                if k == n:
                    if n == len(levels):
                        return -1
                    levels[n] = value
                    n += 1
                words[k] |= one << np.uint64(x - begin)
            for k in range(n):
                bits[k, y, word] = words[k]
    return n
