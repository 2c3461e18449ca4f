"""The processes a batch runs on: a local cluster, or one that is there."""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask

from napari_lithium_alloy.batch_worker import MEMORY
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.row_blocks import processors

NEEDED = ("distributed", "pyarrow")
LEAST_BYTES = 2 * 1024**3
"""Memory an analysis is known to do with."""
START_BYTES = 512 * 1024**2
SHARE = 4
"""A batch takes a quarter of the machine's memory unless told otherwise."""
LONG_S = 20
SETTINGS = {
    # Its resident memory counts the pages of mapped stacks: no reason to pause or kill a worker.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.preload": ["napari_lithium_alloy.batch_worker"],
    "distributed.worker.multiprocessing-method": "spawn",
    "distributed.comm.timeouts.connect": "30s",
}


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Processes of a local cluster.

    Attributes
    ----------
    n, threads : int
        Processes, and threads in each.
    memory_bytes : int
        Of each of them.
    """

    n: int
    threads: int = 1
    memory_bytes: int

    @classmethod
    def chosen(
        cls, n: int | None = None, threads: int = 1, memory_bytes: int | None = None
    ) -> Workers:
        """By default one a processor, and together a quarter of the machine's memory.

        Each has 2 GiB at least, so there are fewer of them where memory is short.

        Raises
        ------
        AlloyError
            If a worker could not even start with that memory.
        """
        if memory_bytes is not None and memory_bytes < START_BYTES:
            raise AlloyError("A worker needs 512 MiB to start, and more to analyse; give it 2GB.")
        total = machine_bytes()
        if n is None:
            each = memory_bytes or LEAST_BYTES
            n = max(1, min(processors() // max(threads, 1), total // each))
        memory = memory_bytes or max(total // SHARE // n, LEAST_BYTES)
        return cls(n=n, threads=threads, memory_bytes=memory)

    def __str__(self) -> str:
        """As it is said before a batch starts."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        gb = self.memory_bytes / 1024**3
        return f"{self.n} worker{'s' if self.n > 1 else ''} of {threads}, up to {gb:.1f} GiB each"


def machine_bytes() -> int:
    """Memory of this machine, or of the container it is."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT)


def check_installed() -> None:
    """Raise AlloyError where what a batch needs is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise AlloyError(
            f"A batch needs {' and '.join(missing)}; install it with pip install "
            "'napari-lithium-alloy[cluster]'."
        )


@contextmanager
def local_cluster(workers: Workers) -> Iterator[Any]:
    """A client of a cluster on this machine, which ends with the block."""
    from distributed import Client, LocalCluster

    with (
        dask.config.set(SETTINGS),
        tempfile.TemporaryDirectory(prefix="lithium-alloy-") as folder,
        LocalCluster(
            n_workers=workers.n,
            threads_per_worker=1,  # a worker takes one task, in as many threads as it may
            processes=True,
            memory_limit=workers.memory_bytes,
            dashboard_address=None,
            host="127.0.0.1",
            local_directory=folder,
            silence_logs=logging.CRITICAL,
            env={MEMORY: str(workers.memory_bytes)},
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def cluster_at(address: str) -> Iterator[Any]:
    """A client of the cluster whose scheduler is at an address, such as tcp://10.0.0.1:8786.

    Or of one whose scheduler has written its address to a .json file (`--scheduler-file`).

    Raises
    ------
    AlloyError
        If no scheduler answers.
    """
    from distributed import Client

    written = address.endswith(".json")
    where = {"scheduler_file": address} if written else {"address": address}
    if written and not Path(address).is_file():  # a client would wait for it forever
        raise AlloyError(f"{address} is not there; give the scheduler's --scheduler-file.")
    try:
        client = Client(**where, timeout=LONG_S, set_as_default=False)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise AlloyError(
            f"No scheduler answers at {address}; start one (docs/cluster.md) and give the address "
            "it prints."
        ) from error
    with client:
        yield client
