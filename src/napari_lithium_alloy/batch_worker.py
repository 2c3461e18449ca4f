"""Loaded by every worker of a local cluster as it starts (dask's preload)."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

MEMORY = "LITHIUM_ALLOY_WORKER_MEMORY"
"""Environment variable: bytes of its own that a worker may have."""


EVERY_S = 0.2
STATUS = Path("/proc/self/status")


def dask_setup(_worker: Any) -> None:
    """Leave Ctrl-C to the process that started the cluster, and bound the worker's memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit = int(os.environ.get(MEMORY, "0"))
    if limit:
        watch_memory(limit)


def watch_memory(n_bytes: int) -> None:
    """End this process when its own memory exceeds a limit (on Linux): another takes its place.

    Its own is what it has allocated and used. distributed's limit counts the pages of a mapped
    stack, too, which the system takes back whenever it needs them. A limit of the system would
    refuse the worker's messages as well as the analysis's arrays, and it would hang.
    """
    if STATUS.is_file():
        threading.Thread(target=_watch, args=(n_bytes,), daemon=True).start()


def _watch(n_bytes: int) -> None:
    while own_bytes() <= n_bytes:
        time.sleep(EVERY_S)
    sys.stderr.write(
        f"a worker that took more than {n_bytes / 1024**3:.1f} GiB was ended; --memory gives more\n"
    )
    sys.stderr.flush()
    os._exit(1)


def own_bytes() -> int:
    """Memory of this process that is no file's."""
    (line,) = (s for s in STATUS.read_text().splitlines() if s.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024
