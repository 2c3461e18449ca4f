"""SHA-256 of inputs, for provenance."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from napari_lithium_alloy.core.errors import AlloyError

READ_BYTES = 2**20
HASHED_BYTES = 2**23
"""Of a mapped file at once: other threads wait for this one, and it for them, after each."""
LOW_PRIORITY = 10


class Hashes:
    """SHA-256 of files and folders, made beside other work; given up when it is left.

    Parameters
    ----------
    paths : sequence of Path
        Those that do not exist are left out.
    mapped : mapping of Path to memoryview, optional
        All bytes of files that are in memory maps, and need not be read.
    """

    def __init__(
        self, paths: Sequence[Path], mapped: Mapping[Path, memoryview] | None = None
    ) -> None:
        self.paths = [p for p in paths if p.exists()]
        self.mapped = {p.resolve(): content for p, content in (mapped or {}).items()}
        self.stopped = threading.Event()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="sha256", initializer=_step_back)
        self.found: list[Future[str]] = []

    def __enter__(self) -> Self:
        self.found = [self.pool.submit(self._of, p) for p in self.paths]
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

    def _of(self, path: Path) -> str:
        content = self.mapped.get(path.resolve())
        if content is None:
            return sha256_of(path, self.stopped)
        blocks = (content[i : i + HASHED_BYTES] for i in range(0, len(content), HASHED_BYTES))
        return _sha256(blocks, self.stopped)


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
    room = memoryview(bytearray(READ_BYTES))
    with path.open("rb", buffering=0) as file:
        return _sha256((room[:n] for n in iter(lambda: file.readinto(room), 0)), stopped)


def _sha256(blocks: Iterable[memoryview], stopped: threading.Event | None) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        if stopped is not None and stopped.is_set():
            break
        digest.update(block)
    return digest.hexdigest()
