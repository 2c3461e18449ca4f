"""Quantiles of many values, without sorting them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_lithium_alloy.core.photometry import Float32Array


def quantiles_of(values: Float32Array, shares: Sequence[float]) -> list[float]:
    """Quantiles of finite values, straight between the two that each lies between.

    The same as NumPy's, several times faster.
    """
    at = np.asarray(shares, dtype=float) * (len(values) - 1)
    first = np.floor(at).astype(np.int64)
    low, high = _at(values, first), _at(values, np.minimum(first + 1, len(values) - 1))
    beyond, step = at - first, high - low
    near_low, near_high = low + step * beyond, high - step * (1 - beyond)
    found: list[float] = np.where(beyond < 0.5, near_low, near_high).tolist()
    return found


def median_of(values: Float32Array) -> float:
    """Median of finite values, of single precision."""
    middle = np.array([(len(values) - 1) // 2, len(values) // 2])
    return float(np.mean(_at(values, middle)))


def _at(values: Float32Array, places: np.ndarray) -> Float32Array:
    from napari_lithium_alloy.core.kernels.ranking import values_in_order

    distinct, of = np.unique(places, return_inverse=True)
    return np.asarray(values_in_order(np.ascontiguousarray(values), distinct)[of])
