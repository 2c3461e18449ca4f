"""Counts of a frame as light relative to a reference, and its absorbance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.logarithm import log32

_ZERO = np.float32(0)
_NAN = np.float32(np.nan)
_PER_DECADE = np.float32(-1 / np.log(10))


@njit(nogil=True, cache=True, error_model="numpy")
def ratios(
    counts: NDArray[Any],
    dark: NDArray[np.float32],
    reference: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Counts less dark over the reference."""
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            out[y, x] = (np.float32(counts[y, x]) - dark[y, x]) / reference[y, x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def absorbances(
    counts: NDArray[Any],
    dark: NDArray[np.float32],
    reference: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Minus the decadic logarithm of `ratios`; NaN where no light is left."""
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            ratio = (np.float32(counts[y, x]) - dark[y, x]) / reference[y, x]
            lit = (ratio > _ZERO) & (ratio < np.float32(np.inf))
            out[y, x] = _PER_DECADE * log32(ratio) if lit else _NAN
