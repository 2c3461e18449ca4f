"""One entry to all cycler files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import cast

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.io.cyclers import binary, text, workbooks
from napari_lithium_alloy.io.cyclers.choice import UNITS, Choice, ColumnsNotToldError
from napari_lithium_alloy.io.cyclers.columns import Readings, Table, readings_of, told_columns

QUANTITIES = tuple(UNITS)


def read_potential(
    path: Path | str,
    *,
    clock_offset_s: float = 0.0,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> PotentialCurve:
    """Potential and current against time, from a cycler's file.

    BioLogic .mpt and .mpr (extra biologic), Gamry .DTA, CH Instruments text, Neware CSV, Excel,
    .nda and .ndax (extra neware), Landt and Arbin CSV and Excel, Battery Data Format CSV, and any
    CSV or TSV with units in its header, with decimal points or commas.

    Parameters
    ----------
    path : Path or str
    clock_offset_s : float
        Cycler time at the recording's time 0, seconds.
    columns : mapping of str to str, optional
        Names of the columns of "time", "potential" and "current" as the file writes them, for
        those that are not to be told by their names.
    units : mapping of str to str, optional
        Units of these columns; without one that of the column's name, else s, V and mA.

    Returns
    -------
    PotentialCurve
        In seconds, volts and milliamperes, whatever the file's units, with the columns they are
        from and the start the file gives. Points at the same time (a change of step) are kept.

    Raises
    ------
    ColumnsNotToldError
        If no column can be told to be time or potential with its unit.
    AlloyError
        If the file is of another kind or damaged, or its times fall; the sentence names file,
        line and column.
    """
    file = Path(path)
    choice = Choice(columns=dict(columns or {}), units=dict(units or {}))
    table, started = _table(file, choice.columns)
    readings = readings_of(table, choice, started=started)
    _check(table, readings)
    return PotentialCurve(
        times_s=readings.times_s,
        potential_v=readings.potential_v,
        current_ma=readings.current_ma,
        clock_offset_s=clock_offset_s,
        source=str(file),
        columns=readings.columns,
        chosen=choice.keys(),
        started=readings.started,
    )


def columns_of(path: Path | str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of the columns of a cycler's file, and those told to be time, potential, current.

    Raises
    ------
    AlloyError
        If the file is of another kind or damaged.
    """
    try:
        table, _ = _table(Path(path), {})
    except ColumnsNotToldError as error:
        return error.names, {}
    return tuple(filter(None, table.header)), told_columns(table)


def _table(file: Path, columns: Mapping[str, str]) -> tuple[Table, datetime | None]:
    """The table of a file, and when its clock was zero if its head says so."""
    suffix = file.suffix.lower()
    if not file.is_file():
        raise AlloyError(f"{file} cannot be opened (there is no such file); check its path.")
    table: Table
    started = None
    if suffix in binary.BIOLOGIC_SUFFIXES:
        table, started = binary.read_biologic(file)
    elif suffix in binary.NEWARE_SUFFIXES:
        table, started = binary.read_neware(file)
    elif suffix in workbooks.SUFFIXES:
        table = workbooks.read(file, columns)
    elif suffix in text.SUFFIXES:
        table, started = text.read(file, columns)
    else:
        raise AlloyError(
            f"{file.name} is not a cycler file that is read: give CSV, TSV, text or Excel (.xlsx) "
            "with units in its header (time/s, Ewe/V, I/mA), .mpt, .mpr, .DTA, .nda or .ndax."
        )
    return table, started


def _check(table: Table, readings: Readings) -> None:
    """Raise AlloyError where a value is missing or the time falls."""
    measured = {
        "time": readings.times_s,
        "potential": readings.potential_v,
        "current": readings.current_ma,
    }
    for quantity, column in readings.columns.items():
        lacking = np.flatnonzero(~np.isfinite(cast(FloatArray, measured[quantity])))
        if lacking.size:
            raise AlloyError(
                f"{table.path.name}: {table.where(int(lacking[0]))} has no {quantity} in column "
                f"{column}; remove it or fill it in."
            )
    times_s, column = readings.times_s, readings.columns["time"]
    falls = np.flatnonzero(np.diff(times_s) < 0)
    if falls.size:
        row = int(falls[0]) + 1
        raise AlloyError(
            f"{table.path.name}: times must not fall, but that of {table.where(row)}, column "
            f"{column} ({times_s[row]:g} s), is below the one before it ({times_s[row - 1]:g} s); "
            "export one run, or choose another time_column under [potential]."
        )
