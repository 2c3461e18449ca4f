"""Potential and current from cycler files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.io.text_tables import TextTable, parse_table, read_text
from napari_lithium_alloy.io.units import CURRENT_MA, POTENTIAL_V, TIME_S

TIME_NAMES = ("time", "test time", "elapsed time", "t")
POTENTIAL_NAMES = ("ewe", "<ewe>", "ecell", "potential", "voltage", "e", "u")
CURRENT_NAMES = ("<i>", "i", "current")
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".mpt")
MPT_HEADER_LINES = re.compile(r"^Nb header lines\s*:\s*(\d+)", re.MULTILINE)


def read_potential(path: Path | str, *, clock_offset_s: float = 0.0) -> PotentialCurve:
    """Potential and current against time, from text with units in its header or BioLogic .mpt.

    Parameters
    ----------
    path : Path or str
    clock_offset_s : float
        Cycler time minus recording time, seconds.

    Returns
    -------
    PotentialCurve
        In seconds, volts and milliamperes, whatever the file's units.

    Raises
    ------
    AlloyError
        If the file is of another kind, or lacks time or potential with a unit.
    """
    file = Path(path)
    if file.exists() and file.suffix.lower() not in TEXT_SUFFIXES:
        raise AlloyError(
            f"{file.name} is not a cycler file that is read: give CSV, TSV or text with units in "
            "its header (time/s, potential_v, I/mA), or BioLogic .mpt."
        )
    text = read_text(file)
    found = MPT_HEADER_LINES.search(text[:2000])
    table = _mpt(text, int(found[1]), file) if found else parse_table(text, file)
    times_s = _column(table, TIME_NAMES, TIME_S)
    potential_v = _column(table, POTENTIAL_NAMES, POTENTIAL_V)
    if times_s is None or potential_v is None:
        wanted = "time, such as time/s" if times_s is None else "potential, such as Ewe/V"
        raise AlloyError(
            f"{file.name} has no column of {wanted}, with its unit; "
            f"its columns are: {', '.join(filter(None, table.header))}."
        )
    current_ma = _column(table, CURRENT_NAMES, CURRENT_MA)
    _check_rising(times_s, file)
    return PotentialCurve(
        times_s=times_s,
        potential_v=potential_v,
        current_ma=current_ma,
        clock_offset_s=clock_offset_s,
        source=str(file),
    )


def _mpt(text: str, header_lines: int, file: Path) -> TextTable:
    """The table under an EC-Lab header, whose last line names the columns."""
    lines = text.splitlines()[header_lines - 1 :]
    return parse_table("\n".join(lines), file, delimiter="\t")


def _column(table: TextTable, names: tuple[str, ...], units: dict[str, float]) -> FloatArray | None:
    found = table.find(names, units)
    return None if found is None else table.numbers(found[0]) * found[1]


def _check_rising(times_s: FloatArray, file: Path) -> None:
    if not np.isfinite(times_s).all():
        row = int(np.flatnonzero(~np.isfinite(times_s))[0]) + 1
        raise AlloyError(f"{file.name}: row {row} has no time; remove it or fill it in.")
    falls = np.flatnonzero(np.diff(times_s) < 0)
    if falls.size:
        row = int(falls[0]) + 2
        raise AlloyError(
            f"{file.name}: times must not fall, but that of row {row} ({times_s[row - 1]:g} s) is "
            f"below that of row {row - 1} ({times_s[row - 2]:g} s); export one run."
        )
