"""Wall times and private memory of calls, and lines of the table of speeds."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

LOOK_S = 0.05


@dataclass(frozen=True)
class Row:
    """One line of the table; `megabytes` is the most private memory held meanwhile."""

    name: str
    seconds: float
    ratio: float
    baseline: str
    megabytes: float | None = None


def median_s(function: Callable[[], Any], *, runs: int = 5) -> float:
    """Median wall time of a call, after one that does not count."""
    function()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_mb(function: Callable[[], Any]) -> float:
    """Private memory that a call adds at most, megabytes (Linux)."""
    with PeakMemory() as peak:
        function()
    return (peak.most - peak.before) / 1e6


class PeakMemory:
    """Most private memory of this process while it is entered, bytes; mapped files don't count."""

    def __enter__(self) -> Self:
        self.before = self.most = private_bytes()
        self.on = True
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def _look(self) -> None:
        while self.on:
            self.most = max(self.most, private_bytes())
            time.sleep(LOOK_S)

    def __exit__(self, *_: object) -> None:
        self.on = False
        self.thread.join()


def private_bytes() -> float:
    """Anonymous memory of this process (Linux), else 0."""
    status = Path("/proc/self/status")
    found = re.search(r"RssAnon:\s+(\d+)", status.read_text()) if status.is_file() else None
    return 1024.0 * int(found[1]) if found else 0.0
