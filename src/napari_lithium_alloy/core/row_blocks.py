"""Work on a picture a block of rows at a time, in as many threads as there are processors."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from napari_lithium_alloy.core.progress import Work

Rows = tuple[int, int]
"""First row, and that after the last."""


def by_rows(function: Callable[[Rows], object], n_rows: int, *, most: int = 128) -> Work[None]:
    """Call a function that lets other threads run for blocks of at most `most` rows."""
    workers = os.cpu_count() or 1
    size = max(1, min(most, -(-n_rows // workers)))
    blocks = [(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]
    with ThreadPoolExecutor(workers) as pool:
        tasks = [pool.submit(function, block) for block in blocks]
        try:
            for done, task in enumerate(tasks, start=1):
                task.result()
                yield done, len(tasks)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
