"""Room for copies of frames."""

from __future__ import annotations

import math
import os
import tempfile
import weakref
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError

IN_MEMORY_BYTES = 128 * 2**20
"""Larger copies of frames lie in a temporary file."""
WRITTEN_BYTES = 2**18
"""At once: the system takes twice as long for much more, or much less."""


class Room:
    """An array to be written and read, in memory or mapped from a file.

    Attributes
    ----------
    values : numpy.ndarray
        It outlives the room, whose file is closed when it is left.
    """

    def __init__(self, values: NDArray[Any], file: BinaryIO | None = None) -> None:
        self.values, self._file = values, file
        self._close = None if file is None else weakref.finalize(self, file.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._close is not None:
            self._close()

    def put(self, rows: NDArray[Any], frame: int, first: int = 0) -> None:
        """Write rows of a frame, from the row `first` on; many threads may.

        They go to a file as such: the first touch of a page of its map costs ten times that.
        """
        place = self.values[frame, first : first + len(rows)]
        if self._file is None or not hasattr(os, "pwrite"):
            place[:] = rows
            return
        left = np.ascontiguousarray(rows, place.dtype).reshape(-1).view(np.uint8).data
        at = (frame * self.values.shape[1] + first) * self.values[0, 0].nbytes
        while left:
            written = os.pwrite(self._file.fileno(), left[:WRITTEN_BYTES], at)
            left, at = left[written:], at + written


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Room:
    """Room in memory or, for a large array, in a file that vanishes with it."""
    size = math.prod(shape) * dtype.itemsize
    if size <= IN_MEMORY_BYTES:
        return Room(np.empty(shape, dtype))
    file = tempfile.TemporaryFile(prefix="lithium-alloy-", buffering=0)  # noqa: SIM115
    try:
        reserve(file.fileno(), size, Path(tempfile.gettempdir()))
        return Room(np.memmap(file, dtype=dtype, mode="r+", shape=shape), file)
    except BaseException:
        file.close()
        raise


def reserve(file: int, size: int, folder: Path) -> None:
    """Make a file so large, so that no page of its map lacks room later.

    Raises
    ------
    AlloyError
        If the disk has not that much room.
    """
    if not hasattr(os, "posix_fallocate"):
        os.truncate(file, size)
        return
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        raise AlloyError(
            f"A copy of the frames needs {size / 1e9:.1f} GB, which {folder} does not have "
            f"({error.strerror}); make room there, or write the results to another disk."
        ) from error
