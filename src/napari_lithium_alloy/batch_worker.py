"""Loaded by every worker of a local cluster as it starts (dask's preload)."""

from __future__ import annotations

import importlib
import os
import signal
from pathlib import Path
from typing import Any

MEMORY = "LITHIUM_ALLOY_WORKER_MEMORY"
"""Environment variable: bytes that the analyses of a worker may have."""


def dask_setup(_worker: Any) -> None:
    """Leave Ctrl-C to the process that started the cluster, and bound the worker's memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit = int(os.environ.get(MEMORY, "0"))
    if limit:
        importlib.import_module("napari_lithium_alloy.batch_tasks")
        limit_memory(limit)


def limit_memory(n_bytes: int) -> None:
    """Refuse memory above what the process has now and so much more, on Linux.

    An analysis that needs more fails with a MemoryError, alone. distributed's own limit would kill
    the worker, and count the pages of a mapped stack, which the system takes back whenever it
    needs them. What the worker itself needs is beside the limit: without room for a message it
    would neither work nor end.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return
    import resource

    (line,) = (s for s in status.read_text().splitlines() if s.startswith("VmData:"))
    has = int(line.split()[1]) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (has + n_bytes, hard))
