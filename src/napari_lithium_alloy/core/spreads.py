"""Spread of many values of which a minority are outliers."""

from __future__ import annotations

import numpy as np

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.smoothing import MAD_TO_SD, robust_sd


def spread_of(values: FloatArray | Float32Array) -> float:
    """`robust_sd`, several times faster for many values of single precision."""
    from napari_lithium_alloy.core.kernels.medians import median_of_sizes

    if values.dtype != np.float32 or not values.size:
        return robust_sd(values)
    median = median_of_sizes(np.ascontiguousarray(values).reshape(-1))
    return MAD_TO_SD * float(median)
