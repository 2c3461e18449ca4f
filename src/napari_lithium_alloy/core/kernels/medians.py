"""Medians of many values, by counting their leading bits."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_BITS = 11
_MASK = np.uint32(2**_BITS - 1)


@njit(nogil=True, cache=True, error_model="numpy")
def _ranked(bits: NDArray[np.uint32], rank: int) -> np.uint32:
    """The value of a rank; `bits` come out of order."""
    n = bits.shape[0]
    counts = np.empty(2**_BITS, dtype=np.int64)
    for shift in (22, 11, 0):
        counts[:] = 0
        for i in range(n):
            counts[(bits[i] >> np.uint32(shift)) & _MASK] += 1
        digit = 0
        while rank >= counts[digit]:
            rank -= counts[digit]
            digit += 1
        kept = 0
        for i in range(n):
            if (bits[i] >> np.uint32(shift)) & _MASK == digit:
                bits[kept] = bits[i]
                kept += 1
        n = kept
    return np.uint32(bits[0])


@njit(nogil=True, cache=True, error_model="numpy")
def median_of_sizes(sizes: NDArray[np.float32]) -> float:
    """Median of at least one value, none of them negative or unknown, as numpy's."""
    n = sizes.shape[0]
    out = np.empty(2, dtype=np.uint32)
    bits = (sizes + np.float32(0)).view(np.uint32)
    out[1] = _ranked(bits.copy(), n // 2)
    out[0] = out[1] if n % 2 else _ranked(bits, n // 2 - 1)
    both = out.view(np.float32)
    return float((both[0] + both[1]) / np.float32(2))
