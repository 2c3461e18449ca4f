"""Room for copies of frames."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError

IN_MEMORY_BYTES = 128 * 2**20
"""Larger copies of frames lie in a temporary file."""


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array in memory or, if it is large, in a file that vanishes with it."""
    if math.prod(shape) * dtype.itemsize <= IN_MEMORY_BYTES:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="lithium-alloy-") as file:
        reserve(file.fileno(), math.prod(shape) * dtype.itemsize, Path(tempfile.gettempdir()))
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)


def reserve(file: int, size: int, folder: Path) -> None:
    """Make a file so large, so that no page of its map lacks room later.

    Raises
    ------
    AlloyError
        If the disk has not that much room.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        raise AlloyError(
            f"A copy of the frames needs {size / 1e9:.1f} GB, which {folder} does not have "
            f"({error.strerror}); make room there, or write the results to another disk."
        ) from error
