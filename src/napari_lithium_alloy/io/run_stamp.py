"""What a folder of results was made from: whether it still is what an analysis would give."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_lithium_alloy import __version__
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.io.hashes import sha256_of
from napari_lithium_alloy.io.recording_file import inputs_of
from napari_lithium_alloy.io.results import PROVENANCE
from napari_lithium_alloy.io.tables import whole_file


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An input as the file system shows it."""

    path: str
    size: int
    mtime_ns: int
    files: int = 1


def stamp_of(out: Path) -> Path:
    """The stamp's file, beside the folder of results."""
    return out.with_name(f"{out.name}.json")


def seen_inputs(experiment: Experiment, out: Path) -> list[Seen]:
    """Inputs of an experiment, their paths relative to the results'.

    Raises
    ------
    AlloyError
        If one cannot be read.
    """
    return [_seen(path, out) for path in inputs_of(experiment)]


def _seen(path: Path, out: Path) -> Seen:
    try:
        files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
        stats = [p.stat() for p in files]
    except OSError as error:
        raise AlloyError(f"{path} cannot be read ({error.strerror}); check its path.") from error
    return Seen(
        path=relative(path, out),
        size=sum(s.st_size for s in stats),
        mtime_ns=max((s.st_mtime_ns for s in stats), default=0),
        files=len(files),
    )


def relative(path: Path, out: Path) -> str:
    """So that a study may be moved with its recordings."""
    try:
        return Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix()
    except ValueError:  # on another drive
        return str(path.resolve())


def write_stamp(
    out: Path, seen: Sequence[Seen], recording_name: str | None, notes: Iterable[str]
) -> None:
    """Remember what the results in `out` were made from: hashes are those of its provenance."""
    known = json.loads((out / PROVENANCE).read_text(encoding="utf-8"))["inputs"]
    record = {
        "version": __version__,
        "recording_name": recording_name,
        "inputs": [{**vars(s), "sha256": i["sha256"]} for s, i in zip(seen, known, strict=True)],
        "files": sorted(p.name for p in out.iterdir() if p.is_file()),
        "notes": list(notes),
    }
    _write(stamp_of(out), record)


def _write(path: Path, record: dict[str, Any]) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def current_notes(
    out: Path, experiment: Experiment, recording_name: str | None
) -> list[str] | None:
    """The notes of results that are what an analysis would give now; None: they are not.

    They are where version, choice of recording and every input's SHA-256 are the same (parameters
    stand in recording.toml, an input). An input of the same size and time of change is taken as
    unchanged, as git does: a study's terabytes are not read to find nothing to do.
    """
    stamp = _read(stamp_of(out))
    if stamp is None or stamp.get("version") != __version__:
        return None
    if stamp.get("recording_name") != recording_name:
        return None
    if not all((out / name).is_file() for name in stamp["files"]):
        return None
    seen = seen_inputs(experiment, out)
    known = {i["path"]: i for i in stamp["inputs"]}
    if set(known) != {s.path for s in seen}:
        return None
    changed = [s for s in seen if {**vars(s), "sha256": known[s.path]["sha256"]} != known[s.path]]
    paths = {relative(p, out): p for p in inputs_of(experiment)}
    if any(sha256_of(paths[s.path]) != known[s.path]["sha256"] for s in changed):
        return None
    if changed:
        stamp["inputs"] = [{**vars(s), "sha256": known[s.path]["sha256"]} for s in seen]
        _write(stamp_of(out), stamp)
    return [str(note) for note in stamp["notes"]]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None
