"""How much memory work may use, and what an analysis needs."""

from __future__ import annotations

import ctypes
import functools
import math
import sys
from collections.abc import Callable

import psutil

from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.row_blocks import thread_count

SHARE = 0.25
"""Of the machine's memory that is used unless something else is said."""
PART_PLANES = 45
"""Pictures of single precision that a part of an analysis holds at once, at most."""
BASE_BYTES = 250e6
"""Of the program itself with its compiled loops."""


def default_memory() -> float:
    """Bytes that may be used where nothing else is said: a quarter of the machine's."""
    return SHARE * float(psutil.virtual_memory().total)


def part_bytes(recording: Recording) -> float:
    """About what one part of an analysis holds, beside mapped files."""
    return PART_PLANES * 4.0 * math.prod(recording.field_shape)


def parts_at_once(recording: Recording, memory_bytes: float | None = None) -> int:
    """How many parts of an analysis run at the same time: as memory and processors allow."""
    limit = default_memory() if memory_bytes is None else memory_bytes
    fit = int((limit - BASE_BYTES) // part_bytes(recording))
    return max(1, min(fit, thread_count()))


def needed_memory(recording: Recording, memory_bytes: float | None = None) -> float:
    """About the most an analysis holds, beside mapped files; bytes."""
    return BASE_BYTES + parts_at_once(recording, memory_bytes) * part_bytes(recording)


def give_back() -> None:
    """Give freed memory back to the system, where the C library keeps it (glibc)."""
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
