"""The file of a study: recordings and the conditions they were made under."""

from __future__ import annotations

import difflib
import glob
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.replicates import CELL, CURRENT_DENSITY, RECORDING
from napari_lithium_alloy.core.tables import STUDIES, TABLES
from napari_lithium_alloy.io.recording_file import FILE_NAME
from napari_lithium_alloy.io.toml_keys import Section, load_toml

Condition = float | int | str | bool
OWN_KEYS = ("path", "glob", "name", CELL, "recording_name")
"""Keys of a recording that are no conditions."""
CLOSE = 0.72
_TAKEN = {c for columns in (*TABLES.values(), *STUDIES.values()) for c in columns}
_TAKEN = (_TAKEN | {RECORDING, "mode"}) - {CURRENT_DENSITY, CELL}


@dataclass(frozen=True, kw_only=True)
class StudyEntry:
    """One recording of a study.

    Attributes
    ----------
    name : str
        What tables call it in their column `recording`.
    path : Path
        recording.toml, an image file, or a folder.
    cell : str
        The cell it was made of: recordings of one cell are no replicates of each other.
    recording_name : str or None
        Which of several, such as "epi"; None: trans, else epi.
    conditions : dict
        By name, in the file's order.
    """

    name: str
    path: Path
    cell: str
    recording_name: str | None = None
    conditions: dict[str, Condition] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Name of the folder of its results."""
        return re.sub(r"[^\w.+-]+", "_", self.name).strip("._") or "_"


@dataclass(frozen=True, kw_only=True)
class Study:
    """Recordings and their conditions.

    Attributes
    ----------
    name : str
    entries : tuple of StudyEntry
        In the file's order; names and folders are unique.
    """

    name: str
    entries: tuple[StudyEntry, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of all conditions, the current density first."""
        named = dict.fromkeys(c for e in self.entries for c in e.conditions)
        return tuple(dict.fromkeys([CURRENT_DENSITY, *named]))


def read_study(path: Path | str) -> Study:
    """Read a study's file; paths and globs in it are relative to it.

    Raises
    ------
    AlloyError
        If it cannot be read, a key is of the wrong kind, or recordings cannot be told apart.
    """
    file = Path(path).expanduser()
    top = Section(file, "", load_toml(file))
    top.only(("name", "recordings"))
    sections = top.tables("recordings")
    if not sections:
        raise AlloyError(f"{file.name} names no recordings; give path or glob in [[recordings]].")
    found = [one for section in sections for one in _found(section)]
    entries = _named(found)
    _check_kinds(file, entries)
    _check_apart(file, entries)
    return Study(name=top.text("name") or file.stem, entries=tuple(entries))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A recording that may have no name yet."""

    path: Path
    name: str | None
    cell: str | None
    recording_name: str | None
    conditions: dict[str, Condition]


def _found(section: Section) -> list[_Found]:
    path, pattern, name = section.path("path"), section.text("glob"), section.text("name")
    if (path is None) == (pattern is None):
        raise AlloyError(f"{section.file.name}: give one of path and glob{section.within}.")
    if pattern is not None and name is not None:
        raise AlloyError(
            f"{section.file.name}: name{section.within} would name every recording of glob alike; "
            "leave it out, or give path."
        )
    recording_name, cell = section.text("recording_name"), _cell(section)
    conditions = _conditions(section)
    return [
        _Found(path=one, name=name, cell=cell, recording_name=recording_name, conditions=conditions)
        for one in ([path] if path else _matches(section, pattern or ""))
    ]


def _cell(section: Section) -> str | None:
    """The cell's name; a number is one, too."""
    value = section.values.get(CELL)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return section.text(CELL)


def _matches(section: Section, pattern: str) -> list[Path]:
    whole = section.file.parent / Path(pattern).expanduser()
    paths = [Path(p) for p in sorted(glob.glob(str(whole), recursive=True))]  # noqa: PTH207 - "/"
    if not paths:
        raise section.error("glob", "a pattern that some file matches")
    return paths


def _conditions(section: Section) -> dict[str, Condition]:
    conditions = {k: v for k, v in section.values.items() if k not in OWN_KEYS}
    for key, value in conditions.items():
        if key in _TAKEN:
            raise AlloyError(
                f"{section.file.name}: {key}{section.within} is the name of a column of the "
                "tables; call this condition something else."
            )
        if not isinstance(value, (str, bool, int, float)) or not _finite(value):
            raise section.error(key, "a number, a text, or true or false")
        near = difflib.get_close_matches(
            key, (CURRENT_DENSITY, "recording_name"), n=1, cutoff=CLOSE
        )
        if near and near[0] != key:
            raise AlloyError(
                f"{section.file.name}: {key}{section.within}: did you mean {near[0]}? Else call "
                "this condition something less alike."
            )
    if CURRENT_DENSITY in conditions:
        section.required_number(CURRENT_DENSITY, positive=True)
    return conditions


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _named(found: Sequence[_Found]) -> list[StudyEntry]:
    """Entries; those without a name have the end of their path that tells them apart."""
    parts = {one.path: _parts(one.path) for one in found if one.name is None}
    longest = max((len(p) for p in parts.values()), default=1)
    tails: dict[Path, str] = {}
    for length in range(1, longest + 1):
        tails = {path: "/".join(p[-length:]) for path, p in parts.items()}
        if len(set(tails.values())) == len(tails):
            break
    several = Counter(one.path for one in found)
    entries = []
    for one in found:
        name = one.name or tails[one.path]
        if one.name is None and several[one.path] > 1 and one.recording_name:
            name += f" {one.recording_name}"
        entries.append(
            StudyEntry(
                name=name,
                path=one.path,
                cell=one.cell or (one.name or tails[one.path]),
                recording_name=one.recording_name,
                conditions=one.conditions,
            )
        )
    return entries


def _parts(path: Path) -> tuple[str, ...]:
    """Folders and name of a recording without what is the same for all."""
    whole = path.resolve()
    parts = whole.parts[1:-1] if whole.name == FILE_NAME else whole.parts[1:]
    last = parts[-1] if parts else whole.name
    for ending in (".recording.toml", ".ome.tif", ".ome.tiff", whole.suffix):
        if ending and last.lower().endswith(ending) and not whole.is_dir():
            last = last[: -len(ending)]
            break
    return (*parts[:-1], last)


def _check_apart(file: Path, entries: Iterable[StudyEntry]) -> None:
    seen: dict[str, StudyEntry] = {}
    for entry in entries:
        other = seen.setdefault(entry.folder.casefold(), entry)
        if other is not entry:
            raise AlloyError(
                f"{file.name}: {other.path} and {entry.path} are both called {entry.name}; give "
                "one of them a name of its own, or leave it out if it is there twice."
            )


def _check_kinds(file: Path, entries: Sequence[StudyEntry]) -> None:
    kinds: dict[str, str] = {}
    for entry in entries:
        for key, value in entry.conditions.items():
            kind = kinds.setdefault(key, kind_of(value))
            if kind != kind_of(value):
                raise AlloyError(
                    f"{file.name}: {key} is {kind} of one recording and {value!r} of "
                    f"{entry.name}; give the same kind for all."
                )


def kind_of(value: Condition) -> str:
    """What a condition is, in words."""
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, (int, float)) else "a text"
