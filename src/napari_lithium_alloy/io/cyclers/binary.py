"""Binary files of BioLogic (.mpr) and Neware (.nda, .ndax), read by optional libraries."""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.io.cyclers.steps import steps_in_time

BIOLOGIC_SUFFIXES = (".mpr",)
NEWARE_SUFFIXES = (".nda", ".ndax")
DAMAGE = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError),
    *(RuntimeError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error),
    *(ExpatError, ParseError),
)
"""What readers of a binary format raise when a file is cut short or of a newer version."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ArrayTable:
    """Columns of numbers from a binary file."""

    path: Path
    columns: Mapping[str, FloatArray]

    @property
    def header(self) -> tuple[str, ...]:
        """Its columns' names with their units."""
        return tuple(self.columns)

    def where(self, row: int) -> str:
        """What to call a row in a sentence."""
        return f"point {row + 1}"

    def numbers(self, column: int) -> FloatArray:
        """(N,) numbers of a column."""
        return self.columns[self.header[column]]

    def texts(self, column: int) -> list[str]:
        """(N,) texts of a column."""
        return [str(v) for v in self.numbers(column)]

    def sample(self, column: int) -> str:
        """The first value of a column."""
        return str(self.numbers(column)[0])

    def values(self, column: int, _read: Callable[[str], float], _wanted: str, /) -> FloatArray:
        """(N,) numbers of a column: they are numbers already, and nothing is left to read."""
        return self.numbers(column)


def read_biologic(path: Path) -> tuple[ArrayTable, datetime | None]:
    """Columns of a BioLogic .mpr file, and when acquisition started if its log says so.

    Galvanostatic cycling stores charge, not current: EC-Lab's <I>/mA is the charge of each
    interval over its duration, and is made the same way here.

    Raises
    ------
    AlloyError
        If the optional library is missing, or the file is damaged or of an unknown kind.
    """
    try:
        from galvani import BioLogic
    except ImportError as error:
        raise _missing_extra(path, "biologic", "export it from EC-Lab as text (.mpt)") from error
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = BioLogic.MPRfile(file)
    except DAMAGE as error:
        raise _damaged(path, error, "export it from EC-Lab as text (.mpt)") from error
    data = content.data
    columns = {n: np.asarray(data[n], dtype=float) for n in data.dtype.names if n != "flags"}
    if not len(data):
        raise AlloyError(f"{path.name} has no points; check the file.")
    if {"dq/mA.h", "time/s"} <= columns.keys() and not {"<I>/mA", "I/mA"} & columns.keys():
        columns["<I>/mA"] = _mean_current_ma(columns["dq/mA.h"], columns["time/s"])
    return ArrayTable(path=path, columns=columns), getattr(content, "timestamp", None)


def _mean_current_ma(charge_mah: FloatArray, times_s: FloatArray) -> FloatArray:
    """(N,) mean current of the interval before each point; 0 where it has no duration."""
    current = np.zeros(len(times_s))
    spans = np.diff(times_s)
    np.divide(charge_mah[1:] * 3600, spans, out=current[1:], where=spans > 0)
    return current


def read_neware(path: Path) -> tuple[ArrayTable, datetime | None]:
    """Columns of a Neware .nda or .ndax file, and when its clock was zero (local time).

    Raises
    ------
    AlloyError
        If the optional library is missing, or the file is damaged or of an unknown kind.
    """
    try:
        import NewareNDA
    except ImportError as error:
        raise _missing_extra(path, "neware", "export it from BTSDA as CSV or Excel") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = NewareNDA.read(str(path), log_level="CRITICAL")
    except DAMAGE as error:
        raise _damaged(path, error, "export it from BTSDA as CSV or Excel") from error
    if not len(frame):
        raise AlloyError(f"{path.name} has no points; check the file.")
    times_s, started = _test_times(frame)
    columns = {
        "Test Time/s": times_s,
        "Voltage/V": frame["Voltage"].to_numpy(dtype=float),
        "Current(mA)": frame["Current(mA)"].to_numpy(dtype=float),
    }
    return ArrayTable(path=path, columns=columns), started


def _test_times(frame: Any) -> tuple[FloatArray, datetime]:
    """Seconds since the first point, from its dates and the time within each step."""
    dates = frame["Timestamp"].dt.tz_localize(None)
    since_s = (dates - dates.iloc[0]).dt.total_seconds().to_numpy()
    within_s = frame["Time"].to_numpy(dtype=float)
    steps = frame["Step"].to_numpy()
    return steps_in_time(within_s, since_s, steps), dates.iloc[0].to_pydatetime()


def _missing_extra(path: Path, extra: str, instead: str) -> AlloyError:
    return AlloyError(
        f'{path.name} needs the extra {extra}: pip install "napari-lithium-alloy[{extra}]", '
        f"or {instead}."
    )


def _damaged(path: Path, error: Exception, instead: str) -> AlloyError:
    reason = " ".join(str(error).split())[:100] or type(error).__name__
    return AlloyError(
        f"{path.name} is cut short, damaged or of a kind that is not known ({reason}); {instead}."
    )
