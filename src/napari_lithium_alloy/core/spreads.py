"""Spread of many values of which a minority are outliers."""

from __future__ import annotations

import numpy as np

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray
from napari_lithium_alloy.core.smoothing import robust_sd

SAMPLED_ROWS = 256
"""Of a large field, enough to know a spread to a few thousandths."""


def some_rows(height: int) -> slice:
    """Evenly spread rows of a large field, all of a small one."""
    return slice(None, None, max(1, height // SAMPLED_ROWS))


def enough_rows(where: BoolArray) -> slice:
    """The same, if they hold as many of some pixels as a row is wide; else all."""
    rows = some_rows(len(where))
    return rows if np.count_nonzero(where[rows]) >= where.shape[1] else slice(None)


def spread_within(image: Float32Array, where: BoolArray) -> float:
    """`robust_sd` of the pixels of some rows of a large field, of all if these hold few."""
    rows = enough_rows(where)
    return robust_sd(image[rows][where[rows]])
