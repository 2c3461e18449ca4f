"""Columns of numbers in text files, with their units in the header."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.io.numerals import to_number, uses_decimal_comma
from napari_lithium_alloy.io.units import TIME_S, factor

UNIT_IN_HEADER = re.compile(
    r"^(?P<name>.*?)\s*(?:[/_ ]\s*(?P<a>[^/\s_\[\]()]+)|[\[(](?P<b>[^\[\]()]*)[\])])$"
)
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a"))
SPACES = " "
"""The delimiter of columns that any number of spaces or tabs keeps apart."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TextTable:
    """A file's header and the rows under it, still text, each with its line in the file."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def where(self, row: int) -> str:
        """What to call a row in a sentence."""
        return f"line {self.lines[row]}"

    def texts(self, column: int) -> list[str]:
        """(N,) texts of a column, stripped."""
        return [row[column].strip() for row in self.rows]

    def sample(self, column: int) -> str:
        """The first text of a column that is not empty, or an empty one."""
        return next((t for row in self.rows if (t := row[column].strip())), "")

    def numbers(self, column: int) -> FloatArray:
        """(N,) numbers of a column, NaN where it is empty.

        Raises
        ------
        AlloyError
            If a value is not a number.
        """
        comma = uses_decimal_comma(self.texts(column))
        return self.values(column, lambda t: to_number(t, decimal_comma=comma), "a number")

    def values(self, column: int, read: Callable[[str], float], wanted: str) -> FloatArray:
        """(N,) values of a column as `read` understands its texts.

        Raises
        ------
        AlloyError
            Where `read` raises ValueError.
        """
        texts = self.texts(column)
        found = np.empty(len(texts))
        for row, text in enumerate(texts):
            try:
                found[row] = read(text)
            except ValueError as error:
                raise AlloyError(
                    f"{self.path.name}: {self.where(row)}, column {self.header[column]}, holds "
                    f"{text[:40]!r}, which is not {wanted}; correct it."
                ) from error
        return found


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
    not_text = AlloyError(f"{path.name} is not a text file; export it as text (CSV).")
    marked = BYTE_ORDER_MARKS.get(raw[:2])
    if marked is None and raw[:4096].translate(None, CONTROL_BYTES) != raw[:4096]:
        raise not_text
    if marked is not None:
        try:
            return raw.decode(marked)
        except UnicodeDecodeError as error:
            raise not_text from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def delimiters_in(line: str) -> list[str]:
    """Delimiters a header's line may have, the likeliest first."""
    found = sorted((d for d in "\t;," if d in line), key=line.count, reverse=True)
    return found or [SPACES]


def split_line(line: str, delimiter: str) -> tuple[str, ...]:
    """The stripped fields of one line."""
    if delimiter == SPACES:
        return tuple(line.split())
    return tuple(f.strip().strip('"').strip() for f in line.rstrip().split(delimiter))


def parse_table(text: str, path: Path) -> TextTable:
    """The table that starts at the first line that is neither empty nor a comment.

    Raises
    ------
    AlloyError
        If there is no header or no row under it, or a row is cut short.
    """
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if line.strip() and not line.startswith("#"):
            return table_at(lines, path, at=at, delimiter=delimiters_in(line)[0])
    raise AlloyError(f"{path.name} is empty; give a table with a header.")


def table_at(lines: Sequence[str], path: Path, *, at: int, delimiter: str) -> TextTable:
    """The table whose header is line `at`, counted from 0.

    Raises
    ------
    AlloyError
        If no row is under it, or a row is cut short or too long.
    """
    header = split_line(lines[at], delimiter)
    rows: list[tuple[str, ...]] = []
    numbers: list[int] = []
    for number, row in _records(lines, path, at + 1, delimiter):
        if rows and len(row) < min(len(rows[0]), len(header)):
            raise AlloyError(
                f"{path.name}: line {number} ends after {len(row)} of {len(header)} columns, "
                f"before {header[len(row)]}; complete or remove it."
            )
        if any(f.strip() for f in row[len(header) :]):
            raise AlloyError(
                f"{path.name}: line {number} has {len(row)} values, but there are {len(header)} "
                "columns; the comma must not be both the decimal mark and the separator."
            )
        rows.append(row)
        numbers.append(number)
    if not rows:
        raise AlloyError(f"{path.name} has a header but no rows under it; check the file.")
    width = min(len(rows[0]), len(header))
    return TextTable(path=path, header=header[:width], rows=tuple(rows), lines=tuple(numbers))


def _records(
    lines: Sequence[str], path: Path, start: int, delimiter: str
) -> list[tuple[int, tuple[str, ...]]]:
    """Line numbers, counted from 1, and fields of the rows from line `start` on."""
    under = [line if not line.startswith("#") else "" for line in lines[start:]]
    if delimiter == SPACES:
        split = ((k, line.split()) for k, line in enumerate(under, start + 1))
        return [(k, tuple(fields)) for k, fields in split if fields]
    reader = csv.reader(under, delimiter=delimiter)
    found = []
    try:
        for fields in reader:
            if any(f.strip() for f in fields):
                found.append((start + reader.line_num, tuple(fields)))
    except csv.Error as error:
        raise AlloyError(
            f"{path.name}: line {start + reader.line_num} cannot be split into columns ({error}); "
            "correct it."
        ) from error
    return found


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
