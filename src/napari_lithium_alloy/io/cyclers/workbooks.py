"""The table in an Excel workbook of Arbin, Landt, Neware and others."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.cyclers.choice import ColumnsNotToldError
from napari_lithium_alloy.io.cyclers.columns import looks_like_header
from napari_lithium_alloy.io.text_tables import TextTable

SUFFIXES = (".xlsx", ".xlsm")
PREAMBLE_ROWS = 60
SUMMARIES = "statistic"
"""Start of the names of Arbin's sheets that hold one row a cycle or step."""
DAMAGE = (
    *(AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(ParseError, zipfile.BadZipFile, zlib.error),
)
"""What openpyxl raises for a file that is no workbook, or a broken one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WorkbookTable(TextTable):
    """Rows of one or more sheets under the same header."""

    sheets: tuple[str, ...]

    def where(self, row: int) -> str:
        """What to call a row in a sentence."""
        return f"sheet {self.sheets[row]}, line {self.lines[row]}"


def read(path: Path, columns: Mapping[str, str]) -> WorkbookTable:
    """The first sheet with time and potential, and those that continue it under the same header.

    Raises
    ------
    ColumnsNotToldError
        If no sheet has such a header.
    AlloyError
        If the file is no workbook.
    """
    header: tuple[str, ...] = ()
    widest: tuple[str, ...] = ()
    rows, lines, names = [], [], []
    current = None
    for sheet, number, fields in _rows(path):
        if number <= PREAMBLE_ROWS and looks_like_header(fields, columns):
            header = header or fields
            current = sheet if fields == header else None
        elif current == sheet and any(fields):
            rows.append((*fields, *[""] * len(header))[: len(header)])
            lines.append(number)
            names.append(sheet)
        elif number <= PREAMBLE_ROWS:
            widest = max(widest, tuple(filter(None, fields)), key=len)
    if not rows:
        raise ColumnsNotToldError(
            f"{path.name} has no sheet with rows under columns of time and potential with their "
            "units, such as Test_Time(s) and Voltage(V); choose them by time_column and "
            "potential_column under [potential] of recording.toml: its columns are: "
            f"{', '.join(header or widest)}.",
            path,
            header or widest,
        )
    return WorkbookTable(
        path=path, header=header, rows=tuple(rows), lines=tuple(lines), sheets=tuple(names)
    )


def _rows(path: Path) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Sheet, number from 1, and texts of every row but those of summaries."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            for sheet in book.worksheets:
                if sheet.title.lower().startswith(SUMMARIES):
                    continue
                for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                    yield sheet.title, number, tuple(_text(c) for c in cells)
        finally:
            book.close()
    except DAMAGE as error:
        raise AlloyError(
            f"{path.name} cannot be read as an Excel workbook ({error}); save it as .xlsx or CSV."
        ) from error


def _text(cell: Any) -> str:
    """A cell as a text file would have it."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(cell.total_seconds(), 60)
        return f"{int(minutes // 60)}:{int(minutes % 60):02}:{seconds:06.3f}"
    return str(cell).strip()
