"""How much memory work may use, and what an analysis needs."""

from __future__ import annotations

import ctypes
import functools
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from napari_lithium_alloy.core.recording import Recording

SHARE = 0.25
"""Of the machine's memory that is used unless something else is said."""
HELD_PLANES = 45
"""Pictures of single precision that results are, at most, while the last parts are made."""
LEAST_PLANES = 61
"""Of the largest part, which is made however little memory may be used."""
LARGEST_PLANES = 96
"""Of the two largest parts that run at the same time."""
BASE_BYTES = 250e6
"""Of the program itself with its compiled loops."""
ARENAS, MAPPED_BYTES, KEPT_BYTES = -8, -3, -1
"""M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc's mallopt."""
LARGEST_MAPPED_BYTES = 2**25
"""Arrays from here on are always given back when freed: the most that glibc allows."""
MOST_KEPT_BYTES = 2**30


def default_memory() -> float:
    """Bytes that may be used where nothing else is said: a quarter of the machine's."""
    return SHARE * allowed_bytes()


def allowed_bytes() -> float:
    """Memory of the machine, or as much of it as a container or a scheduler allows; bytes."""
    return min(float(psutil.virtual_memory().total), _limit())


def _limit() -> float:
    """What a container or a cluster's scheduler lets this process use."""
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = Path(place)
        if limit.is_file():
            text = limit.read_text().strip()
            return float(text) if text.isdigit() else math.inf
    return math.inf


def room_planes(recording: Recording, memory_bytes: float | None = None) -> float:
    """Pictures of single precision that parts of an analysis may hold together, beside results."""
    limit = default_memory() if memory_bytes is None else memory_bytes
    return (limit - BASE_BYTES) / _plane_bytes(recording) - HELD_PLANES


def needed_memory(recording: Recording, memory_bytes: float | None = None) -> float:
    """About the most an analysis holds, beside mapped files; bytes."""
    room = min(max(room_planes(recording, memory_bytes), LEAST_PLANES), LARGEST_PLANES)
    return BASE_BYTES + (HELD_PLANES + room) * _plane_bytes(recording)


def _plane_bytes(recording: Recording) -> float:
    return 4.0 * math.prod(recording.field_shape)


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let this process keep the memory of freed arrays for new ones, until it is left (glibc).

    Given back and asked for again, each page is cleared by the system first: an eighth of the time
    of an analysis, and more under a hypervisor, which takes the pages back as well.
    """
    set_option = _of_glibc("mallopt")
    if set_option is None:
        yield
        return
    set_option(ARENAS, 1)  # what one thread freed is then there for all
    set_option(MAPPED_BYTES, LARGEST_MAPPED_BYTES)
    set_option(KEPT_BYTES, MOST_KEPT_BYTES)
    try:
        yield
    finally:
        # What glibc comes to by itself once such an array was freed.
        set_option(KEPT_BYTES, 2 * LARGEST_MAPPED_BYTES)
        give_back()


def give_back() -> None:
    """Give freed memory back to the system, where the C library keeps it (glibc)."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@functools.cache
def _of_glibc(name: str) -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), name, None)
