"""One entry to all cycler files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.io.cyclers import binary, text, workbooks
from napari_lithium_alloy.io.cyclers.columns import Readings, Table, readings_of

QUANTITIES = ("time", "potential", "current")


def read_potential(
    path: Path | str,
    *,
    clock_offset_s: float = 0.0,
    columns: Mapping[str, str] | None = None,
) -> PotentialCurve:
    """Potential and current against time, from a cycler's file.

    BioLogic .mpt and .mpr (extra biologic), Gamry .DTA, CH Instruments text, Neware CSV, Excel,
    .nda and .ndax (extra neware), Landt and Arbin CSV and Excel, Battery Data Format CSV, and any
    CSV or TSV with units in its header, with decimal points or commas.

    Parameters
    ----------
    path : Path or str
    clock_offset_s : float
        Cycler time minus recording time, seconds.
    columns : mapping of str to str, optional
        Names of the columns of "time", "potential" and "current" as the file writes them, for
        those that are not to be told by their names. Where such a name has no unit, s, V and mA
        are meant.

    Returns
    -------
    PotentialCurve
        In seconds, volts and milliamperes, whatever the file's units, with the columns they are
        from and the start the file gives. Points at the same time (a change of step) are kept.

    Raises
    ------
    AlloyError
        If the file is of another kind, damaged, lacks time or potential with a unit, or its times
        fall; the sentence names file, line and column.
    """
    file = Path(path)
    chosen = dict(columns or {})
    unknown = chosen.keys() - set(QUANTITIES)
    if unknown:
        raise AlloyError(f"There is no quantity {min(unknown)}; choose time, potential, current.")
    table, readings = _read(file, chosen)
    _check(table, readings)
    return PotentialCurve(
        times_s=readings.times_s,
        potential_v=readings.potential_v,
        current_ma=readings.current_ma,
        clock_offset_s=clock_offset_s,
        source=str(file),
        columns=readings.columns,
        started=readings.started,
    )


def _read(file: Path, columns: Mapping[str, str]) -> tuple[Table, Readings]:
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
    return table, readings_of(table, columns, started=started)


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
