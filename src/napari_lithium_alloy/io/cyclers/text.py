"""The table in a cycler's text file: BioLogic .mpt, Gamry .DTA, CH Instruments, and plain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.cyclers.choice import UNITS
from napari_lithium_alloy.io.cyclers.columns import looks_like_header
from napari_lithium_alloy.io.numerals import to_number, to_stamp, writes_day_first
from napari_lithium_alloy.io.text_tables import (
    TextTable,
    delimiters_in,
    parse_table,
    read_text,
    split_line,
    table_at,
)
from napari_lithium_alloy.io.units import factor

SUFFIXES = (".csv", ".tsv", ".txt", ".mpt", ".dta", ".dat", ".asc")
PREAMBLE_LINES = 500
LEAST_UNITS = 2
"""Units that a line needs to be one of units."""
BIOLOGIC = re.compile(r"^Nb header lines\s*:\s*(\d+)", re.MULTILINE)
BIOLOGIC_START = re.compile(r"^Acquisition started on\s*:\s*(.+)", re.MULTILINE)
GAMRY = "EXPLAIN"
GAMRY_CURVE = re.compile(r"^(OCV)?CURVE\d*\s+TABLE", re.IGNORECASE)
GAMRY_START = re.compile(r"^(DATE|TIME)\tLABEL\t([^\t\n]+)", re.MULTILINE)
CHI_START = re.compile(r"^([A-Z][a-z]{2})[a-z]*\.? (\d{1,2}), (\d{4})\s+(\d{1,2}:\d{2}:\d{2})")
CHI_SETTING = re.compile(r"^([^=\n]+?)\s*=\s*([^\n]+?)\s*$", re.MULTILINE)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read(path: Path, columns: Mapping[str, str]) -> tuple[TextTable, datetime | None]:
    """The table of a text file, and when its clock was zero if its head says so.

    Parameters
    ----------
    path : Path
    columns : mapping of str to str
        Names of chosen columns; may be empty.

    Raises
    ------
    AlloyError
        If the file is not text, is empty, holds no table, or is cut short.
    """
    text = read_text(path)
    head = text[:4000]
    announced = BIOLOGIC.search(head)
    if announced:
        return _biologic(text, int(announced[1]), path)
    if head.startswith(GAMRY):
        return _gamry(text, path)
    table = _plain(text, path, columns)
    return (_chi(table, head) if CHI_START.match(head) else table), _chi_start(head)


def _plain(text: str, path: Path, columns: Mapping[str, str]) -> TextTable:
    """The table under the first line that names time and potential, or the chosen columns."""
    lines = text.splitlines()
    for at, line in enumerate(lines[:PREAMBLE_LINES]):
        for delimiter in delimiters_in(line):
            fields = split_line(line, delimiter)
            if looks_like_header(fields, columns):
                return table_at(lines, path, at=at, delimiter=delimiter)
    above = _line_over_numbers(lines)
    if above is None:
        above = _line_over_columns(lines)
    if above is None:
        return parse_table(text, path)
    delimiter = delimiters_in(lines[above])[0]
    return _named(table_at(lines, path, at=above, delimiter=delimiter), lines[:above], delimiter)


def _named(table: TextTable, over: Sequence[str], delimiter: str) -> TextTable:
    """The table with the names of the line above where its header is a line of units."""
    units, above = table.header, next((line for line in reversed(over) if line.strip()), "")
    names = split_line(above, delimiter)
    if sum(map(_is_unit, units)) < LEAST_UNITS or len(names) < len(units):
        return table
    pairs = zip(names, units, strict=False)
    return replace(table, header=tuple(f"{n}/{u}" if n and u else n or u for n, u in pairs))


def _is_unit(text: str) -> bool:
    return any(factor(text, units) is not None for units in UNITS.values())


def _line_over_numbers(lines: Sequence[str]) -> int | None:
    """The last written line over the first one that starts with two numbers."""
    last = None
    for at, line in enumerate(lines[:PREAMBLE_LINES]):
        if not line.strip() or line.startswith("#"):
            continue
        fields = split_line(line, delimiters_in(line)[0])
        if len(fields) > 1 and all(_is_number(f) for f in fields[:2]):
            return last
        last = at
    return None


def _line_over_columns(lines: Sequence[str]) -> int | None:
    """The first of the most lines in a row that have the same number of columns, over one."""
    best, run, begin, before = None, 0, 0, 1
    for at, line in enumerate(lines[:PREAMBLE_LINES]):
        n = len(split_line(line, delimiters_in(line)[0]))
        if n != before:
            begin, before = at, n
        if n > 1 and at - begin > run:
            best, run = begin, at - begin
    return best


def _is_number(text: str) -> bool:
    try:
        to_number(text, decimal_comma="," in text)
    except ValueError:
        return False
    return bool(text)


def _biologic(text: str, header_lines: int, path: Path) -> tuple[TextTable, datetime | None]:
    """The table under an EC-Lab head, whose last line names the columns; months come first."""
    lines = text.splitlines()
    if len(lines) < header_lines:
        raise AlloyError(
            f"{path.name} announces {header_lines} lines of header but has {len(lines)} lines in "
            "all: it is cut short; export it again."
        )
    table = table_at(lines, path, at=header_lines - 1, delimiter="\t")
    started = BIOLOGIC_START.search("\n".join(lines[:header_lines]))
    return table, _stamp(started[1], writes_day_first([started[1]])) if started else None


def _gamry(text: str, path: Path) -> tuple[TextTable, datetime | None]:
    """All curves of a Gamry file, or its open-circuit curve if there is no other."""
    lines = text.splitlines()
    found = [(at, m) for at, line in enumerate(lines) if (m := GAMRY_CURVE.match(line))]
    starts = [at for at, m in found if not m[1]] or [at for at, _ in found]
    if not starts:
        raise AlloyError(f"{path.name} holds no CURVE table; export a run that has one.")
    curves = [_gamry_curve(lines, at, path) for at in starts]
    table = replace(
        curves[0],
        rows=tuple(row for c in curves for row in c.rows),
        lines=tuple(line for c in curves for line in c.lines),
    )
    label = dict(GAMRY_START.findall(text[:20000]))
    stamp = f"{label.get('DATE', '')} {label.get('TIME', '')}"
    return table, _stamp(stamp, writes_day_first(text[:20000].split()) or None)


def _gamry_curve(lines: Sequence[str], at: int, path: Path) -> TextTable:
    """One curve: names, units, then rows that start with a tab."""
    end = next((k for k in range(at + 3, len(lines)) if not lines[k].startswith("\t")), len(lines))
    if end <= at + 3:
        raise AlloyError(f"{path.name}: line {at + 1} starts a curve without points; remove it.")
    table = table_at(lines[:end], path, at=at + 1, delimiter="\t")
    units = table.rows[0]
    named = zip(table.header, units, strict=False)
    header = [f"{name}/{unit.split()[0]}" if unit.strip() else name for name, unit in named]
    return replace(table, header=tuple(header), rows=table.rows[1:], lines=table.lines[1:])


def _chi(table: TextTable, head: str) -> TextTable:
    """A chronopotentiogram of one segment with the current its head gives.

    CH Instruments writes no column of current there; with more segments the current is not known.
    """
    setting = dict(CHI_SETTING.findall(head))
    kind = "Anodic" if setting.get("Init P/N", "N").startswith("P") else "Cathodic"
    name = f"{kind} Current (A)"
    if name not in setting or setting.get("Segment") != "1":
        return table
    sign = "-" if kind == "Anodic" and float(setting[name]) > 0 else ""
    return replace(
        table,
        header=(*table.header, name),
        rows=tuple((*row[: len(table.header)], sign + setting[name]) for row in table.rows),
    )


def _chi_start(head: str) -> datetime | None:
    found = CHI_START.match(head)
    if found is None or found[1] not in MONTHS:
        return None
    month = MONTHS.index(found[1]) + 1
    return _stamp(f"{found[3]}-{month:02}-{int(found[2]):02} {found[4]}", None)


def _stamp(text: str, day_first: bool | None) -> datetime | None:
    """A date of a file's head; None where it says none."""
    try:
        return to_stamp(text, day_first=day_first)
    except ValueError:
        return None
