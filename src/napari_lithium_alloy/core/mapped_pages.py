"""Pages of a memory map made known many at a time, which costs a sixth of one after the other."""

from __future__ import annotations

import contextlib
import mmap
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.memory import allowed_bytes
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.row_blocks import Rows, by_rows

POPULATE_READ = 22
"""Linux's advice MADV_POPULATE_READ, of 5.14 and later; Python has no name for it."""
AT_ONCE_BYTES = 2**26
MOST_SHARE = 0.5
"""Of the memory there is, that a map may be large for its pages to stay until they are used."""


def know_pages(frames: NDArray[Any] | None) -> Work[None]:
    """Make known where in memory the pages of mapped frames (T, Y, X) are, which are read then.

    Frames that are not mapped are left alone, as are those that memory does not hold.
    """
    whole = None if frames is None else _map_of(frames)
    if whole is None or frames is None or frames.nbytes > MOST_SHARE * allowed_bytes():
        return
    begin = np.frombuffer(whole, np.uint8).ctypes.data
    first = (frames.ctypes.data - begin) // mmap.PAGESIZE * mmap.PAGESIZE
    stop = min(frames.ctypes.data - begin + frames.nbytes, len(whole))

    def know(parts: Rows) -> None:
        for at in range(first + parts[0] * AT_ONCE_BYTES, stop, AT_ONCE_BYTES)[
            : parts[1] - parts[0]
        ]:
            # Older systems do not know the advice.
            with contextlib.suppress(OSError):
                whole.madvise(POPULATE_READ, at, min(AT_ONCE_BYTES, stop - at))

    yield from by_rows(know, -(-(stop - first) // AT_ONCE_BYTES), most=1)


def _map_of(frames: NDArray[Any]) -> mmap.mmap | None:
    """The memory map that frames lie in one after the other, if they do."""
    if sys.platform != "linux" or not frames.flags.c_contiguous:
        return None
    base: Any = frames
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None
