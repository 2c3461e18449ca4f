"""Columns of numbers in text files, with their units in the header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.io.units import TIME_S, factor

UNIT_IN_HEADER = re.compile(
    r"^(?P<name>.*?)\s*(?:[/_ ]\s*(?P<a>[^/\s_\[\]()]+)|[\[(](?P<b>.*?)[\])])$"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class TextTable:
    """A text file's header and its rows, still text."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    decimal_comma: bool = False

    def numbers(self, column: int) -> FloatArray:
        """(N,) numbers of a column.

        Raises
        ------
        AlloyError
            If a value is not a number.
        """
        texts = [row[column].strip() for row in self.rows]
        if self.decimal_comma:
            texts = [t.replace(",", ".") for t in texts]
        try:
            return np.array([float(t) if t else np.nan for t in texts])
        except ValueError as error:
            raise AlloyError(
                f"{self.path.name}: the column {self.header[column]} holds something that is not "
                f"a number ({error}); correct it."
            ) from error

    def find(self, names: Sequence[str], units: dict[str, float]) -> tuple[int, float] | None:
        """The first column of one of these names, in the order of names, and its unit's factor."""
        split = [split_unit(h) for h in self.header]
        for name in names:
            for k, (column, unit) in enumerate(split):
                by = factor(unit, units)
                if by is not None and column == name:
                    return k, by
        return None


def split_unit(header: str) -> tuple[str, str]:
    """Name and unit of "time/s", "potential_v", "Voltage [V]", "Current(A)", "<I>/mA"."""
    found = UNIT_IN_HEADER.match(header.strip())
    if found is None:
        return header.strip().lower(), ""
    unit = found["a"] or found["b"] or ""
    return found["name"].strip(" /_").lower(), unit


def read_text(path: Path) -> str:
    """A file's text, whatever a cycler encodes it in.

    Raises
    ------
    AlloyError
        If there is no such file, or it is not text.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise AlloyError(f"{path} cannot be opened ({error.strerror}); check its path.") from error
    if b"\0" in raw[:1000]:
        raise AlloyError(f"{path.name} is not a text file; export it as text (CSV).")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse_table(text: str, path: Path, *, delimiter: str | None = None) -> TextTable:
    """The table that starts at the first line that is neither empty nor a comment.

    Raises
    ------
    AlloyError
        If there is no header or no row under it.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise AlloyError(f"{path.name} is empty; give a table with a header.")
    if delimiter is None:
        delimiter = max("\t;,", key=lines[0].count)
    records = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter))
    header = tuple(h.strip() for h in records[0])
    rows = tuple(tuple(r) for r in records[1:] if len(r) >= len(header) - (header[-1] == ""))
    if not rows:
        raise AlloyError(f"{path.name} has a header but no rows under it; check the file.")
    sample = rows[0]
    comma = delimiter != "," and any(
        re.fullmatch(r"\s*[-+]?\d+,\d+(E[-+]?\d+)?\s*", v, re.I) for v in sample
    )
    return TextTable(path=path, header=header, rows=rows, decimal_comma=comma)


def read_times(path: Path) -> FloatArray:
    """(N,) seconds from the column time_s, or the first column named time with its unit.

    Raises
    ------
    AlloyError
        If the file cannot be read or has no such column.
    """
    table = parse_table(read_text(path), path)
    for k, header in enumerate(table.header):
        name, unit = split_unit(header)
        by = factor(unit, TIME_S)
        if name.startswith("time") and by is not None:
            return table.numbers(k) * by
    raise AlloyError(
        f"{path.name} has no column time_s, only {', '.join(table.header)}; "
        "name the column of the times in seconds time_s."
    )
