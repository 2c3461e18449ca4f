"""Where labels over time are kept: in memory while small, else in a Zarr on disk."""

from __future__ import annotations

import math
import tempfile
import weakref
from typing import Any

import numpy as np

LARGEST_IN_MEMORY = 512 * 2**20


def make_labels(shape: tuple[int, ...]) -> Any:
    """(K, Y, X) int32 zeros; a Zarr on disk lives as long as the array is used."""
    if 4 * math.prod(shape) <= LARGEST_IN_MEMORY:
        return np.zeros(shape, dtype=np.int32)
    import zarr

    folder = tempfile.TemporaryDirectory(prefix="lithium-alloy-labels-")
    labels = zarr.create_array(
        store=folder.name, shape=shape, chunks=(1, *shape[1:]), dtype="int32", fill_value=0
    )
    weakref.finalize(labels, folder.cleanup)
    return labels
