"""SHA-256 of inputs, for provenance."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from napari_lithium_alloy.core.errors import AlloyError

BLOCK_BYTES = 2**20
LOW_PRIORITY = 10


class Hashes:
    """SHA-256 of files and folders, made beside other work; given up when it is left.

    Parameters
    ----------
    paths : sequence of Path
        Those that do not exist are left out.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = [p for p in paths if p.exists()]
        self.stopped = threading.Event()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="sha256", initializer=_step_back)
        self.found: list[Future[str]] = []

    def __enter__(self) -> Self:
        self.found = [self.pool.submit(sha256_of, p, self.stopped) for p in self.paths]
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.pool.shutdown(wait=False, cancel_futures=True)

    def all(self) -> dict[Path, str]:
        """Of every path, once all are known.

        Raises
        ------
        AlloyError
            If one cannot be read.
        """
        return {p: f.result() for p, f in zip(self.paths, self.found, strict=True)}


def _step_back() -> None:
    """Let this thread have what processors the other threads leave, where threads have a rank."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):  # a sandbox may not allow it; hashes are made all the same
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)


def sha256_of(path: Path | str, stopped: threading.Event | None = None) -> str:
    """SHA-256 of a file; of a folder, over the names and contents of all files in it.

    Parameters
    ----------
    path : Path or str
    stopped : threading.Event, optional
        Once it is set, reading ends and the hash is of no use.

    Raises
    ------
    AlloyError
        If it cannot be read.
    """
    where = Path(path)
    try:
        if not where.is_dir():
            return _sha256_of_file(where, stopped)
        digest = hashlib.sha256()
        for file in sorted(p for p in where.rglob("*") if p.is_file()):
            name = file.relative_to(where).as_posix()
            digest.update(f"{name}\0{_sha256_of_file(file, stopped)}\n".encode())
        return digest.hexdigest()
    except OSError as error:
        raise AlloyError(f"{where} cannot be read ({error.strerror}); check its path.") from error


def _sha256_of_file(path: Path, stopped: threading.Event | None) -> str:
    digest, room = hashlib.sha256(), memoryview(bytearray(BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        while (count := file.readinto(room)) and not (stopped and stopped.is_set()):
            digest.update(room[:count])
    return digest.hexdigest()
