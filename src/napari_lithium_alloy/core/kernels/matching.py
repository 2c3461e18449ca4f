"""Sums of products that a matched filter takes."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Spectrum = NDArray[np.complex64]
Floats = NDArray[np.float32]
_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def sum_of_products(first: Spectrum, second: Spectrum, out: Spectrum) -> None:
    """(Y, X) sum over images of products of two (K, Y, X) spectra."""
    for y in range(out.shape[0]):
        out[y] = 0
        for k in range(first.shape[0]):
            a, b, row = first[k, y], second[k, y], out[y]
            for x in range(out.shape[1]):
                row[x] += a[x] * b[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def match_at(
    loss: Floats, weight: Floats, patch: Floats, places: NDArray[np.int64], out: Floats
) -> None:
    """Sum of images times weight times a template (K, n, n) about each place (N, 2)."""
    half = patch.shape[1] // 2
    height, width = weight.shape
    for i in range(len(places)):
        y, x = places[i]
        top, bottom = max(y - half, 0), min(y + half + 1, height)
        left, right = max(x - half, 0), min(x + half + 1, width)
        total = 0.0
        for row in range(top, bottom):
            w = weight[row, left:right]
            for k in range(len(loss)):
                line = loss[k, row, left:right]
                own = patch[k, row - y + half, left - x + half : right - x + half]
                part = np.float32(0)
                for j in range(len(w)):
                    part += line[j] * own[j] * w[j]
                total += float(part)
        out[i] = total
