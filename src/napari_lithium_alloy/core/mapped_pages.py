"""Memory maps that memory holds: their pages known many at a time, and their files' bytes.

Pages that are made known one after the other, as they are looked at, cost six times as much.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import sys
from collections.abc import Callable
from pathlib import Path
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
    whole, _ = _map_of(frames)
    if whole is None or frames is None:
        return
    begin, advise = np.frombuffer(whole, np.uint8).ctypes.data, _advice()
    first = (frames.ctypes.data - begin) // mmap.PAGESIZE * mmap.PAGESIZE
    stop = min(frames.ctypes.data - begin + frames.nbytes, len(whole))

    def know(parts: Rows) -> None:
        at = first + parts[0] * AT_ONCE_BYTES
        # Where it fails, as on older systems, which do not know the advice, nothing is lost.
        advise(begin + at, min((parts[1] - parts[0]) * AT_ONCE_BYTES, stop - at), POPULATE_READ)

    yield from by_rows(know, -(-(stop - first) // AT_ONCE_BYTES), most=1)


def mapped_file(frames: NDArray[Any] | None) -> dict[Path, memoryview]:
    """The file of such frames and all its bytes, which need not be read; else nothing."""
    whole, file = _map_of(frames)
    if whole is None or file is None or not file.is_file():
        return {}
    return {file: memoryview(whole)} if file.stat().st_size == len(whole) else {}


@functools.cache
def _advice() -> Callable[[int, int, int], int]:
    """The system's `madvise`; that of `mmap` lets all other threads wait meanwhile."""
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    return advise


def _map_of(frames: NDArray[Any] | None) -> tuple[mmap.mmap | None, Path | None]:
    """The memory map that frames lie in one after the other, if memory holds them; its file."""
    if sys.platform != "linux" or frames is None or not frames.flags.c_contiguous:
        return None, None
    if frames.nbytes > MOST_SHARE * allowed_bytes():
        return None, None
    base: Any = frames
    name: str | None = None
    while isinstance(base, np.ndarray):
        base, name = base.base, getattr(base, "filename", None)
    if not isinstance(base, mmap.mmap):
        return None, None
    return base, None if name is None else Path(name)
