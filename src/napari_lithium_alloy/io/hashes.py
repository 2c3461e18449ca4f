"""SHA-256 of inputs, for provenance."""

from __future__ import annotations

import hashlib
from pathlib import Path

from napari_lithium_alloy.core.errors import AlloyError


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file; of a folder, over the names and contents of all files in it.

    Raises
    ------
    AlloyError
        If it cannot be read.
    """
    where = Path(path)
    try:
        if not where.is_dir():
            return _sha256_of_file(where)
        digest = hashlib.sha256()
        for file in sorted(p for p in where.rglob("*") if p.is_file()):
            name = file.relative_to(where).as_posix()
            digest.update(f"{name}\0{_sha256_of_file(file)}\n".encode())
        return digest.hexdigest()
    except OSError as error:
        raise AlloyError(f"{where} cannot be read ({error.strerror}); check its path.") from error


def _sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
