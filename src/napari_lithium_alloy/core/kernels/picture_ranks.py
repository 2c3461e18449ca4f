"""Ranks of a picture's known values, counted block by block of its rows."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Keys = tuple[np.uint32, np.uint32]
"""The lowest key, and how many of the last bits do not count."""
Picture = NDArray[np.float32]
_SIGN, _ALL = np.uint32(2**31), np.uint32(2**32 - 1)
_INFINITE = np.uint32(0x7F800000)
_LAST = np.int32(31)


@njit(nogil=True, cache=True, error_model="numpy")
def key_bounds(image: Picture, rows: tuple[int, int]) -> tuple[int, int, int]:
    """How many finite values some rows hold, and their lowest and highest keys.

    Keys are whole numbers in the order of the values.
    """
    n, low, high = np.int64(0), _ALL, np.uint32(0)
    for y in range(rows[0], rows[1]):
        signed, bits = image[y].view(np.int32), image[y].view(np.uint32)
        own = np.uint32(0)
        for x in range(len(bits)):
            known = (bits[x] & _INFINITE) != _INFINITE
            key = np.uint32(bits[x] ^ (np.uint32(signed[x] >> _LAST) | _SIGN))
            own += np.uint32(known)
            low = min(low, key if known else _ALL)
            high = max(high, key if known else np.uint32(0))
        n += np.int64(own)
    return int(n), int(low), int(high)


@njit(nogil=True, cache=True, error_model="numpy")
def _bins(row: Picture, keys: Keys, last: np.uint32, out: NDArray[np.uint32]) -> None:
    """Which bin each value is in; the last, if it is not finite."""
    signed, bits, (low, shift) = row.view(np.int32), row.view(np.uint32), keys
    for x in range(len(bits)):
        known = (bits[x] & _INFINITE) != _INFINITE
        key = np.uint32(bits[x] ^ (np.uint32(signed[x] >> _LAST) | _SIGN))
        out[x] = np.uint32((key - low) >> shift) if known else last


@njit(nogil=True, cache=True, error_model="numpy")
def count_keys(
    image: Picture, rows: tuple[int, int], keys: Keys, counts: NDArray[np.int64]
) -> None:
    """Add the finite values of some rows to (bins + 1,) counts; the others to the last."""
    room, last = np.empty(image.shape[1], np.uint32), np.uint32(len(counts) - 1)
    for y in range(rows[0], rows[1]):
        _bins(image[y], keys, last, room)
        for x in range(len(room)):
            counts[room[x]] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def list_bins(
    image: Picture, rows: tuple[int, int], keys: Keys, wanted: NDArray[np.bool_], out: Picture
) -> int:
    """List the values in wanted ones of (bins + 1) bins; how many they are."""
    room, last, n = np.empty(image.shape[1], np.uint32), np.uint32(len(wanted) - 1), 0
    for y in range(rows[0], rows[1]):
        _bins(image[y], keys, last, room)
        for x in range(len(room)):
            if wanted[room[x]]:
                out[n] = image[y, x]
                n += 1
    return n
