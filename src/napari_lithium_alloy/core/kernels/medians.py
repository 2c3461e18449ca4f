"""Medians of many values, by counting their leading bits."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Keys = NDArray[np.uint32]
_BITS = 11
_MASK = np.uint32(2**_BITS - 1)
_SIGN, _ALL = np.uint32(2**31), np.uint32(2**32 - 1)
_INFINITE = np.uint32(0x7F800000)


@njit(nogil=True, cache=True, error_model="numpy")
def _ranked(keys: Keys, n: int, rank: int, counts: NDArray[np.int64]) -> np.uint32:
    """The key of a rank among the first n, which come out of order; `counts` is room."""
    for shift in (np.uint32(22), np.uint32(11), np.uint32(0)):
        counts[:] = 0
        for i in range(n):
            counts[(keys[i] >> shift) & _MASK] += 1
        digit = 0
        while rank >= counts[digit]:
            rank -= counts[digit]
            digit += 1
        kept = 0
        for i in range(n):
            if (keys[i] >> shift) & _MASK == digit:
                keys[kept] = keys[i]
                kept += 1
        n = kept
    return np.uint32(keys[0])


@njit(nogil=True, cache=True, error_model="numpy")
def _highest_below(keys: Keys, mask: np.uint32, limit: np.uint32) -> tuple[int, np.uint32]:
    """How many keys, of which the bits of a mask count, are below a limit, and the highest."""
    n, highest = 0, np.uint32(0)
    for key in keys:
        own = np.uint32(key & mask)
        n += int(own < limit)
        highest = max(highest, own if own < limit else np.uint32(0))
    return n, highest


@njit(nogil=True, cache=True, error_model="numpy")
def median_of_sizes(values: NDArray[np.float32]) -> float:
    """Median of the sizes of at least one value, as numpy's; NaN if one is not known."""
    bits, size = values.view(np.uint32), ~_SIGN
    counts = np.zeros(2**_BITS, dtype=np.int64)
    shift, unknown = np.uint32(20), False
    for key in bits:
        own = key & size
        unknown |= own > _INFINITE
        counts[own >> shift] += 1
    if unknown:
        return np.nan
    rank, digit = bits.shape[0] // 2, 0
    while rank >= counts[digit]:
        rank -= counts[digit]
        digit += 1
    some = np.empty(counts[digit], dtype=np.uint32)
    n = 0
    for key in bits:
        if (key & size) >> shift == digit:
            some[n] = key & size
            n += 1
    both = np.empty(2, dtype=np.uint32)
    both[:] = _ranked(some, n, rank, counts)
    if bits.shape[0] % 2 == 0:
        below, highest = _highest_below(bits, size, both[1])
        if below == bits.shape[0] // 2:
            both[0] = highest
    middle = both.view(np.float32)
    return float((middle[0] + middle[1]) / np.float32(2))


@njit(nogil=True, cache=True, error_model="numpy")
def median_of(
    values: NDArray[np.float32], keys: tuple[Keys, Keys], counts: NDArray[np.int64]
) -> float:
    """Median of at least one known value; `keys` and `counts` are room, these of 2048."""
    n = values.shape[0]
    bits = values.view(np.uint32)
    own, kept = keys[0][:n], keys[1][:n]
    for i in range(n):
        bit = bits[i] if values[i] != 0 else np.uint32(0)  # no zero is negative
        own[i] = bit ^ (_ALL if bit & _SIGN else _SIGN)
        kept[i] = own[i]
    both = np.empty(2, dtype=np.uint32)
    both[:] = _ranked(own, n, n // 2, counts)
    if n % 2 == 0:
        below, highest = _highest_below(kept, _ALL, both[1])
        if below == n // 2:
            both[0] = highest
    for i in range(2):
        both[i] ^= _SIGN if both[i] & _SIGN else _ALL
    middle = both.view(np.float32)
    return float((middle[0] + middle[1]) / 2)
