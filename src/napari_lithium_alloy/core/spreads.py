"""Spread of many values of which a minority are outliers."""

from __future__ import annotations

import numpy as np

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.smoothing import MAD_TO_SD, robust_sd

SAMPLED_ROWS = 256
"""Of a large field, enough to know a spread to a few thousandths."""


def some_rows(height: int) -> slice:
    """Evenly spread rows of a large field, all of a small one."""
    return slice(None, None, max(1, height // SAMPLED_ROWS))


def spread_within(image: Float32Array, where: BoolArray) -> float:
    """`spread_of` the pixels of some rows of a large field, of all if these hold few."""
    rows = some_rows(len(image))
    sample = image[rows][where[rows]]
    return spread_of(sample if sample.size >= image.shape[1] else image[where])


def spread_of(values: FloatArray | Float32Array) -> float:
    """`robust_sd`, several times faster for many values of single precision."""
    from napari_lithium_alloy.core.kernels.medians import median_of_sizes

    if values.dtype != np.float32 or not values.size:
        return robust_sd(values)
    median = median_of_sizes(np.ascontiguousarray(values).reshape(-1))
    return MAD_TO_SD * float(median)
