"""Sums over one region of one frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.logarithm import log32

_ZERO = np.float32(0)
_ONE = np.float32(1)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def aperture_sums(
    counts: NDArray[Any], dark: NDArray[np.float32], weight: NDArray[np.float32]
) -> tuple[float, float, float, float, float]:
    """Sums of light, of light times weight, and of the latter's logarithm and its square.

    Sums within a row are of single precision, in several lanes; those over rows of double.

    Parameters
    ----------
    counts : (Y, X) array
    dark : (Y, X) float32 array
    weight : (Y, X) float32 array
        0 outside the region; below 0 inside where only the light counts.

    Returns
    -------
    light, weighted, logarithm, squares, lit : float
        The four sums, and over how many pixels, those with light, the logarithm's are.
    """
    light, weighted, logarithm, squares, lit = 0.0, 0.0, 0.0, 0.0, 0.0
    for y in range(counts.shape[0]):
        row_light = row_weighted = row_logarithm = row_squares = row_lit = _ZERO
        for x in range(counts.shape[1]):
            w = weight[y, x]
            value = np.float32(counts[y, x]) - dark[y, x]
            row_light += value if w != _ZERO else _ZERO
            row_weighted += value * w if w > _ZERO else _ZERO
            known = (w > _ZERO) & (value > _ZERO)
            logged = log32(value * w) if known else _ZERO
            row_logarithm += logged
            row_squares += logged * logged
            row_lit += _ONE if known else _ZERO
        light += float(row_light)
        weighted += float(row_weighted)
        logarithm += float(row_logarithm)
        squares += float(row_squares)
        lit += float(row_lit)
    return light, weighted, logarithm, squares, lit
