"""Work on a picture a block of rows at a time, in as many threads as there are processors."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from napari_lithium_alloy.core.progress import Work

Item = TypeVar("Item")
Result = TypeVar("Result")
FEW = 512
"""Rows of a block where each takes some microseconds: a block costs fifty more by itself."""
AHEAD = 2
"""Results that are made ahead, beside those of which each thread makes one."""
Rows = tuple[int, int]
"""First row, and that after the last."""


def by_rows(function: Callable[[Rows], object], n_rows: int, *, most: int = 128) -> Work[None]:
    """Call a function that lets other threads run for blocks of at most `most` rows.

    When the work is given up, blocks that were not begun are not. Called in one of the threads it
    uses, it does all blocks there: they would wait for each other.
    """
    size = max(1, min(most, -(-n_rows // thread_count())))
    blocks = [(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]
    if _is_one_of_them():
        for done, block in enumerate(blocks, start=1):
            function(block)
            yield done, len(blocks)
        return
    threads = _threads(os.getpid(), thread_count())
    tasks = [threads.submit(function, block) for block in blocks]
    try:
        for done, task in enumerate(tasks, start=1):
            task.result()
            yield done, len(tasks)
    finally:
        for task in tasks:
            task.cancel()
        wait(tasks)


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, most: int | None = None
) -> Iterator[Result]:
    """What a function that lets other threads run makes of each item, a few made ahead.

    At most `most` are made before they are asked for, so that work on one result and the making
    of the next go on at the same time. As `by_rows`, in one of the threads it makes each when it
    is asked for.
    """
    if _is_one_of_them():
        yield from map(function, items)
        return
    most = thread_count() + AHEAD if most is None else most
    threads = _threads(os.getpid(), thread_count())
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(threads.submit(function, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for task in waiting:
            task.cancel()
        wait(waiting)


def both(one: Callable[[], Result], other: Callable[[], Item]) -> tuple[Result, Item]:
    """What two functions that let other threads run give, made at the same time."""
    if _is_one_of_them():
        return one(), other()
    task = _threads(os.getpid(), thread_count()).submit(other)
    try:
        return one(), task.result()
    finally:
        task.cancel()
        wait([task])


def each(function: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Call a function that lets other threads run with each item."""
    for _ in in_order(function, items):
        pass


_limit: int | None = None
_NAME = "rows-"


def use_threads(n: int | None) -> None:
    """Let this process work in so many threads from now on; None: as many as processors.

    Results do not depend on it. Processes that share a machine use fewer each.
    """
    global _limit
    _limit = n if n is None else max(1, n)


def thread_count() -> int:
    """Threads that this process works in."""
    return processors() if _limit is None else _limit


def free_threads() -> int:
    """Threads that work called here may use: in one of the threads, that one."""
    return 1 if _is_one_of_them() else thread_count()


def _is_one_of_them() -> bool:
    return threading.current_thread().name.startswith(_NAME)


def processors() -> int:
    """Processors this process may use, which a cluster's scheduler may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


@functools.cache
def _threads(process: int, n: int) -> ThreadPoolExecutor:
    """One pool a process: a forked one would wait for threads it does not have."""
    return ThreadPoolExecutor(n, thread_name_prefix=f"{_NAME}{process}")
