"""Order and ranks of many values: a radix sort, which takes a few passes over them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_BITS = 11
_MASK = np.uint32(2**_BITS - 1)
_SIGN, _ALL = np.uint32(2**31), np.uint32(2**32 - 1)


@njit(nogil=True, cache=True, error_model="numpy")
def order_of(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """Indices of finite values from the lowest to the highest, equal ones as they come."""
    n = len(values)
    bits = (values + np.float32(0)).view(np.uint32)  # no zero is negative
    keys, order = np.empty((2, n), np.uint32), np.empty((2, n), np.int32)
    counts = np.zeros((3, 2**_BITS), np.int64)
    for i in range(n):
        key = np.uint32(bits[i] ^ (_ALL if bits[i] & _SIGN else _SIGN))
        keys[0, i] = key
        order[0, i] = i
        for p in range(3):
            counts[p, (key >> np.uint32(_BITS * p)) & _MASK] += 1
    for p in range(3):
        begin = np.cumsum(counts[p]) - counts[p]
        now, then = p % 2, (p + 1) % 2
        for i in range(n):
            key = keys[now, i]
            digit = (key >> np.uint32(_BITS * p)) & _MASK
            at = begin[digit]
            begin[digit] += 1
            keys[then, at] = key
            order[then, at] = order[now, i]
    out: NDArray[np.int32] = order[1]
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def average_ranks(values: NDArray[np.float32], out: NDArray[np.float64]) -> None:
    """Ranks of finite values from 1; equal ones share the mean of theirs."""
    order, n, first = order_of(values), len(values), 0
    while first < n:
        last = first + 1
        while last < n and values[order[last]] == values[order[first]]:
            last += 1
        for i in range(first, last):
            out[order[i]] = 0.5 * (first + 1 + last)
        first = last
