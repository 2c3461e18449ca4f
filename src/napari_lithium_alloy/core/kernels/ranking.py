"""Order and ranks of many values: a radix sort, which takes a few passes over them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_MOST_BITS = 12
_TOLD_BITS = 20
_SIGN, _ALL = np.uint32(2**31), np.uint32(2**32 - 1)
Keys = NDArray[np.uint32]
Order = NDArray[np.int32]


@njit(nogil=True, cache=True, error_model="numpy")
def _keys(values: NDArray[np.float32], out: Keys) -> np.uint32:
    """Whole numbers in the order of finite values, from 0 on; the highest."""
    bits = (values + np.float32(0)).view(np.uint32)  # no zero is negative
    low, high = _ALL, np.uint32(0)
    for i in range(len(values)):
        key = np.uint32(bits[i] ^ (_ALL if bits[i] & _SIGN else _SIGN))
        out[i] = key
        low, high = min(low, key), max(high, key)
    for i in range(len(values)):
        out[i] -= low
    return np.uint32(high - low)


@njit(nogil=True, cache=True, error_model="numpy")
def _pass(
    keys: Keys, order: Order, digit: tuple[int, int], new_keys: Keys, new_order: Order
) -> None:
    """Sort by one digit, of (bits below it, bits), equal ones as they come."""
    shift, mask = np.uint32(digit[0]), np.uint32(2 ** digit[1] - 1)
    counts = np.zeros(2 ** digit[1], np.int64)
    for i in range(len(keys)):
        counts[(keys[i] >> shift) & mask] += 1
    begin = np.cumsum(counts) - counts
    for i in range(len(keys)):
        key = keys[i]
        at = begin[(key >> shift) & mask]
        begin[(key >> shift) & mask] += 1
        new_keys[at] = key
        new_order[at] = order[i]


@njit(nogil=True, cache=True, error_model="numpy")
def sorted_keys(values: NDArray[np.float32]) -> tuple[Keys, Order]:
    """Keys and indices of finite values from the lowest to the highest, equal ones as they come."""
    n = len(values)
    keys, order = np.empty((2, n), np.uint32), np.empty((2, n), np.int32)
    highest, bits = int(_keys(values, keys[0])) if n else 0, 1
    while 2**bits <= highest:
        bits += 1
    passes = -(-bits // _MOST_BITS)
    each = -(-bits // passes)
    for i in range(n):
        order[0, i] = i
    for p in range(passes):
        now, then = p % 2, (p + 1) % 2
        _pass(keys[now], order[now], (p * each, each), keys[then], order[then])
    return keys[passes % 2], order[passes % 2]


@njit(nogil=True, cache=True, error_model="numpy")
def average_ranks(values: NDArray[np.float32], out: NDArray[np.float64]) -> None:
    """Ranks of finite values from 1; equal ones share the mean of theirs."""
    keys, order = sorted_keys(values)
    n, first = len(values), 0
    while first < n:
        last = first + 1
        while last < n and keys[last] == keys[first]:
            last += 1
        for i in range(first, last):
            out[order[i]] = 0.5 * (first + 1 + last)
        first = last


@njit(nogil=True, cache=True, error_model="numpy")
def _key(value: np.float32) -> np.uint32:
    """A whole number in the order of finite values."""
    bits = np.float32(value + np.float32(0)).view(np.uint32)  # no zero is negative
    return np.uint32(bits ^ (_ALL if bits & _SIGN else _SIGN))


@njit(nogil=True, cache=True, error_model="numpy")
def _key_range(image: NDArray[np.float32], known: NDArray[np.bool_]) -> tuple[np.uint32, np.uint32]:
    """Lowest and highest key of a picture's known values."""
    low, high = _ALL, np.uint32(0)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if known[y, x]:
                key = _key(image[y, x])
                low, high = min(low, key), max(high, key)
    return low, high


@njit(nogil=True, cache=True, error_model="numpy")
def _shares(counts: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Share of what is counted that comes before each place, half of its own with it."""
    shares, below, n = np.empty(len(counts), np.float32), 0, counts.sum()
    for k in range(len(counts)):
        shares[k] = (below + 0.5 * counts[k]) / n
        below += counts[k]
    return shares


@njit(nogil=True, cache=True, error_model="numpy")
def shares_below(
    image: NDArray[np.float32], known: NDArray[np.bool_], out: NDArray[np.float32]
) -> None:
    """Share of a picture's known values below each, half of its equals among them; else NaN.

    Values that are about a millionth of their range apart count as equal: what is counted then
    stays at hand.
    """
    out[:] = np.nan
    low, high = _key_range(image, known)
    if low > high:
        return
    shift = np.uint32(0)
    while ((high - low) >> shift) >> np.uint32(_TOLD_BITS):
        shift += np.uint32(1)
    counts = np.zeros(((high - low) >> shift) + 1, np.uint32)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if known[y, x]:
                counts[(_key(image[y, x]) - low) >> shift] += np.uint32(1)
    shares = _shares(counts)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if known[y, x]:
                out[y, x] = shares[(_key(image[y, x]) - low) >> shift]
