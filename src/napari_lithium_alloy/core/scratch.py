"""Room for copies of frames."""

from __future__ import annotations

import math
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

IN_MEMORY_BYTES = 128 * 2**20
"""Larger copies of frames lie in a temporary file."""


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array in memory or, if it is large, in a file that vanishes with it."""
    if math.prod(shape) * dtype.itemsize <= IN_MEMORY_BYTES:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="lithium-alloy-") as file:
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
