"""What an interrupted analysis left, for the next one to go on from."""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.provenance import to_plain
from napari_lithium_alloy.io.plain_pickle import from_bytes, to_bytes

FOLDER = ".unfinished"
MADE_FROM = "made_from.json"


class Unfinished:
    """A folder of pieces, each written whole or not at all.

    Of a folder made from anything else, nothing is used.

    Parameters
    ----------
    out : Path
        Folder of the results; it is made.
    made_from : mapping
        All that the pieces depend on.

    Attributes
    ----------
    folder : Path
    goes_on : bool
        Whether an interrupted analysis of the same kind left it.

    Raises
    ------
    AlloyError
        If the folder cannot be written.
    """

    def __init__(self, out: Path, made_from: Mapping[str, Any]) -> None:
        self.out, self.folder = out, out / FOLDER
        self.made = not out.exists()
        self._arrays: dict[str, list[Any]] = {}
        self.goes_on = was_left(out, made_from)
        try:
            if not self.goes_on:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True, exist_ok=True)
                self._write(self.folder / MADE_FROM, _told(made_from).encode())
        except OSError as error:
            raise AlloyError(
                f"{out} cannot be written ({error.strerror}); choose another folder."
            ) from error

    def load(self, name: str) -> Any | None:
        """What was kept under a name; None: nothing that can be used."""
        path = self._path(name)
        try:
            return from_bytes(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, EOFError, pickle.UnpicklingError):
            path.unlink(missing_ok=True)
            return None

    def save(self, name: str, value: Any) -> None:
        """Keep a value."""
        self._write(self._path(name), to_bytes(value))

    def has(self, name: str) -> bool:
        """Whether something is kept under a name."""
        return self._path(name).is_file()

    def array(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], bool]:
        """A large array in a file of its own, and whether it was finished before.

        Raises
        ------
        AlloyError
            If there is no room for it.
        """
        path, what = self.folder / f"{name}.raw", [list(shape), str(dtype)]
        if self.load(name) == what and path.is_file():
            return np.memmap(path, dtype=dtype, mode="r", shape=shape), True
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        free = shutil.disk_usage(self.folder).free
        if path.is_file():
            free += path.stat().st_size
        if size > free:
            raise AlloyError(
                f"A copy of the corrected frames needs {size / 1e9:.1f} GB, but {self.folder} has "
                f"{free / 1e9:.1f} GB left; make room, or write the results to another disk."
            )
        self._arrays[name] = what
        return np.memmap(path, dtype=dtype, mode="w+", shape=shape), False

    def finished(self, name: str) -> None:
        """Say that an array is written."""
        self.save(name, self._arrays[name])

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

    def _write(self, path: Path, content: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)


def was_left(out: Path, made_from: Mapping[str, Any]) -> bool:
    """Whether an interrupted analysis of the same kind left something in a folder."""
    key = out / FOLDER / MADE_FROM
    return key.is_file() and key.read_text(encoding="utf-8") == _told(made_from)


def _told(made_from: Mapping[str, Any]) -> str:
    return json.dumps(to_plain(dict(made_from)), indent=1, sort_keys=True)


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
