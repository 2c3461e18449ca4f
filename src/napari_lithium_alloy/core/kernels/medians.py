"""Medians of many values, by counting them in bins that get finer around the middle.

The bits of floating-point numbers, read as whole ones, are in the order of the numbers.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Keys = NDArray[np.uint32]
BINS = 2**11
_SIGN, _ALL = np.uint32(2**31), np.uint32(2**32 - 1)
_FIRST = np.uint32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def _extent(keys: Keys) -> tuple[np.uint32, np.uint32]:
    """Lowest and highest."""
    low, high = _ALL, _FIRST
    for i in range(keys.shape[0]):
        low = keys[i] if keys[i] < low else low
        high = keys[i] if keys[i] > high else high
    return low, high


@njit(nogil=True, cache=True, error_model="numpy")
def _ranked(keys: Keys, rank: int, room: Keys, counts: NDArray[np.int64]) -> np.uint32:
    """The key of a rank; `room` for as many, and `counts`, are overwritten."""
    some, n = keys, keys.shape[0]
    while True:
        low, high = _extent(some[:n])
        if low == high:
            return np.uint32(low)
        shift = _FIRST
        while (high - low) >> shift >= counts.shape[0]:
            shift = np.uint32(shift + np.uint32(1))
        counts[:] = 0
        for i in range(n):
            counts[np.uint32(some[i] - low) >> shift] += 1
        own = 0
        while rank >= counts[own]:
            rank -= counts[own]
            own += 1
        kept = 0
        for i in range(n):
            key = some[i]
            room[kept] = key
            kept += np.uint32(key - low) >> shift == own
        some, n = room, kept


@njit(nogil=True, cache=True, error_model="numpy")
def _highest_below(keys: Keys, limit: np.uint32) -> tuple[int, np.uint32]:
    """How many keys are below a limit, and the highest of them."""
    n, highest = _FIRST, _FIRST
    for i in range(keys.shape[0]):
        below = keys[i] if keys[i] < limit else _FIRST
        n = np.uint32(n + np.uint32(keys[i] < limit))
        highest = below if below > highest else highest
    return int(n), highest


@njit(nogil=True, cache=True, error_model="numpy")
def _middles(keys: Keys, room: Keys, counts: NDArray[np.int64]) -> Keys:
    """(2,) the keys in the middle, which are the same one if their number is odd."""
    half = keys.shape[0] // 2
    both = np.empty(2, dtype=np.uint32)
    both[:] = _ranked(keys, half, room, counts)
    if keys.shape[0] % 2 == 0:
        below, highest = _highest_below(keys, both[1])
        if below == half:
            both[0] = highest
    return both


@njit(nogil=True, cache=True, error_model="numpy")
def median_of(
    values: NDArray[np.float32], rooms: tuple[Keys, Keys], counts: NDArray[np.int64]
) -> float:
    """Median of at least one known value; `rooms` for as many, and `counts`, are overwritten."""
    n = values.shape[0]
    bits, keys = values.view(np.uint32), rooms[0][:n]
    for i in range(n):
        bit = bits[i] if values[i] != 0 else _FIRST  # no zero is negative
        keys[i] = bit ^ (_ALL if bit & _SIGN else _SIGN)
    both = _middles(keys, rooms[1], counts)
    for i in range(2):
        both[i] ^= _SIGN if both[i] & _SIGN else _ALL
    middles = both.view(np.float32)
    return float((middles[0] + middles[1]) / 2)
