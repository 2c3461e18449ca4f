"""What an interrupted analysis left, for the next one to go on from."""

from __future__ import annotations

import contextlib
import json
import pickle
import platform
import shutil
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import psutil

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.provenance import to_plain
from napari_lithium_alloy.core.scratch import WRITTEN_BYTES, Room, reserve
from napari_lithium_alloy.io.plain_pickle import dump, from_bytes
from napari_lithium_alloy.io.tables import whole_file

FOLDER = ".unfinished"
MADE_FROM, LOCK = "made_from.json", "lock.json"
ON_DISK = "on disk"
"""Of an array that any computer can read."""


class Unfinished:
    """A folder of pieces, each written whole or not at all.

    Of a folder made from anything else, nothing is used.

    Parameters
    ----------
    out : Path
        Folder of the results; it is made.
    made_from : mapping
        All that the pieces depend on.
    shared : bool
        Whether processes on other computers read its arrays, which then have to be on the disk.

    Attributes
    ----------
    folder : Path

    Raises
    ------
    AlloyError
        If the folder cannot be written.
    """

    def __init__(self, out: Path, made_from: Mapping[str, Any], *, shared: bool = False) -> None:
        self.out, self.folder = out, out / FOLDER
        self.made = not out.exists()
        self._arrays: dict[str, tuple[list[Any], np.memmap]] = {}
        self._shared = shared
        self._left, self._saving = False, threading.Lock()
        try:
            goes_on = was_left(out, made_from)
            _check_alone(self.folder / LOCK)
            if not goes_on:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True, exist_ok=True)
                with whole_file(self.folder / MADE_FROM) as temporary:
                    temporary.write_text(_told(made_from), encoding="utf-8")
        except OSError as error:
            raise AlloyError(
                f"{out} cannot be written ({error.strerror}); choose another folder."
            ) from error

    def load(self, name: str) -> Any | None:
        """What was kept under a name; None: nothing that can be used."""
        path = self._path(name)
        try:
            content = path.read_bytes()
            if len(content) < 4 or _sum_bytes(zlib.crc32(content[:-4])) != content[-4:]:
                raise EOFError
            return from_bytes(content)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, pickle.UnpicklingError):
            path.unlink(missing_ok=True)
            return None

    def save(self, name: str, value: Any) -> None:
        """Keep a value; where there is no room for it, it has to be made again after all.

        A thread that ends after its analysis was given up keeps nothing: the next one may be made
        from other files.
        """
        with self._saving, contextlib.suppress(OSError):
            if not self._left:
                self._write(self._path(name), value)

    def has(self, name: str) -> bool:
        """Whether something is kept under a name."""
        return self._path(name).is_file()

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Room, bool]:
        """Room for a large array in a file of its own, and whether it was finished before.

        Raises
        ------
        AlloyError
            If there is no room for it.
        """
        path, what = self.folder / f"{name}.raw", [list(shape), str(dtype)]
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        before = self.load(name)
        usable = before in ([*what, _this_start()], [*what, ON_DISK])
        if usable and path.is_file() and path.stat().st_size == size:
            return Room(np.memmap(path, dtype=dtype, mode="r", shape=shape)), True
        path.unlink(missing_ok=True)
        file = path.open("x+b", buffering=0)
        try:
            reserve(file.fileno(), size, self.folder)
            array = np.memmap(file, dtype=dtype, mode="r+", shape=shape)
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
        self._arrays[name] = what, array
        return Room(array, file), False

    def finished(self, name: str) -> None:
        """Say that an array is written.

        Not on the disk yet, it is of no use once this computer has started anew.
        """
        what, array = self._arrays.pop(name)
        if self._shared:
            array.flush()
        self.save(name, [*what, ON_DISK if self._shared else _this_start()])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other analyses out while this one makes arrays and pieces.

        Raises
        ------
        AlloyError
            If another one is at it.
        """
        lock = self.folder / LOCK
        _check_alone(lock)
        lock.unlink(missing_ok=True)
        try:
            with lock.open("x", encoding="utf-8") as file:
                json.dump(_this_process(), file)
        except FileExistsError:
            _check_alone(lock)
        except OSError as error:
            raise AlloyError(
                f"{lock.parent} cannot be written ({error.strerror}); choose another folder."
            ) from error
        try:
            yield
        finally:
            with self._saving:
                self._left = True
            lock.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove it: the results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear_if_empty(self) -> None:
        """Remove it if nothing is kept in it, and the folder of the results if it is then empty."""
        if not any(self.folder.glob("*.piece")):
            self.clear()
            if self.made and not any(self.out.iterdir()):
                self.out.rmdir()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.piece"

    def _write(self, path: Path, value: Any) -> None:
        with whole_file(path) as temporary, temporary.open("wb", buffering=0) as file:
            checked = _Checked(file)
            dump(value, checked)
            file.write(_sum_bytes(checked.sum))


class _Checked:
    """A file that a sum is made of as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sum = file, 0

    def write(self, data: Any, /) -> None:
        """Write all of some bytes."""
        rest = memoryview(data).cast("B")
        self.sum = zlib.crc32(rest, self.sum)
        while rest:
            rest = rest[self._file.write(rest[:WRITTEN_BYTES]) :]


def _sum_bytes(checksum: int) -> bytes:
    return checksum.to_bytes(4, "big")


def was_left(out: Path, made_from: Mapping[str, Any]) -> bool:
    """Whether an interrupted analysis of the same kind left something in a folder."""
    key = out / FOLDER / MADE_FROM
    return key.is_file() and key.read_text(encoding="utf-8") == _told(made_from)


def _told(made_from: Mapping[str, Any]) -> str:
    return json.dumps(to_plain(dict(made_from)), indent=1, sort_keys=True)


def _this_process() -> dict[str, Any]:
    me = psutil.Process()
    return {"computer": platform.node(), "process": me.pid, "since": me.create_time()}


def _check_alone(lock: Path) -> None:
    """Raise AlloyError where another process that still runs holds a lock."""
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if holder == _this_process():
        return
    here = holder.get("computer") == platform.node()
    if here:
        try:
            running = psutil.Process(holder["process"]).create_time() == holder["since"]
        except (psutil.Error, KeyError):
            running = False
        if not running:
            return
    who = f"process {holder.get('process')}" + ("" if here else f" on {holder.get('computer')}")
    gone = "" if here else f" If it has ended, remove {lock}."
    raise AlloyError(
        f"Another analysis ({who}) writes its results to {lock.parent.parent}; wait for it, or "
        f"choose another folder.{gone}"
    )


def _this_start() -> str:
    """What tells the time since this computer started from those before."""
    told = Path("/proc/sys/kernel/random/boot_id")
    return told.read_text().strip() if told.is_file() else f"{psutil.boot_time():.0f}"


def state_of(paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Path, size and time of last change of files, and of all files in folders."""
    files = [
        file
        for path in paths
        for file in (sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path])
    ]
    found = []
    for file in files:
        if file.exists():
            about = file.stat()
            found.append((str(file.resolve()), about.st_size, about.st_mtime_ns))
    return found
