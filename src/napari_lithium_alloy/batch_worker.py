"""Loaded by every worker of a local cluster as it starts (dask's preload)."""

from __future__ import annotations

import os
import signal
from typing import Any

MEMORY = "LITHIUM_ALLOY_WORKER_MEMORY"
"""Environment variable: bytes of its own that a worker may have."""


def dask_setup(_worker: Any) -> None:
    """Leave Ctrl-C to the process that started the cluster, and bound the worker's memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit = int(os.environ.get(MEMORY, "0"))
    if limit:
        _limit_memory(limit)


def _limit_memory(n_bytes: int) -> None:
    """Refuse memory above a limit: that one analysis fails with a MemoryError.

    distributed's own limit kills the worker, and counts the pages of a mapped stack, which the
    system takes back whenever it needs them.
    """
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (n_bytes, hard))
