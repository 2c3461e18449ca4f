"""Work on a picture a block of rows at a time, in as many threads as there are processors."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from napari_lithium_alloy.core.progress import Work

Rows = tuple[int, int]
"""First row, and that after the last."""


def by_rows(function: Callable[[Rows], object], n_rows: int, *, most: int = 128) -> Work[None]:
    """Call a function that lets other threads run for blocks of at most `most` rows.

    When the work is given up, blocks that were not begun are not.
    """
    size = max(1, min(most, -(-n_rows // _workers())))
    blocks = [(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]
    threads = _threads(os.getpid())
    tasks = [threads.submit(function, block) for block in blocks]
    try:
        for done, task in enumerate(tasks, start=1):
            task.result()
            yield done, len(tasks)
    finally:
        for task in tasks:
            task.cancel()
        wait(tasks)


def _workers() -> int:
    return os.cpu_count() or 1


@functools.cache
def _threads(process: int) -> ThreadPoolExecutor:
    """One pool a process: a forked one would wait for threads it does not have."""
    return ThreadPoolExecutor(_workers(), thread_name_prefix=f"rows-{process}")
