"""Long work as generators: they yield (done, total) and return their result."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")
Progress = tuple[int, int]
"""Pieces of work done and pieces in all."""

Work = Generator[Progress, None, Result]
"""Long work: iterate for progress, close to cancel; the result is its return value."""


def finish(work: Work[Result]) -> Result:
    """Run long work to its end and return its result, ignoring its progress."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: Result = stop.value
            return result


def part(work: Work[Result], begin: int, end: int, total: int) -> Work[Result]:
    """Run one piece of larger work, its progress mapped to begin..end of total."""
    while True:
        try:
            done, of = next(work)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        yield begin + int((end - begin) * done / max(of, 1)), total
