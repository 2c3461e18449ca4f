"""Which columns of a cycler's table are time, potential and current."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.io.cyclers.choice import TAKEN_AS, UNITS, Choice, ColumnsNotToldError
from napari_lithium_alloy.io.cyclers.steps import steps_in_time
from napari_lithium_alloy.io.numerals import (
    CLOCK,
    STAMP,
    clock_seconds,
    to_number,
    to_stamp,
    writes_day_first,
)
from napari_lithium_alloy.io.text_tables import split_unit
from napari_lithium_alloy.io.units import POTENTIAL_V, TIME_S, factor

TEST_TIMES = (
    *("test time", "testtime", "total time", "cumulative time", "elapsed time"),
    *("corrected time", "running time", "runtime", "time", "t"),
)
STAMPS = (
    *("date time", "datetime", "date time iso", "unix time", "absolute time", "real time"),
    *("realtime", "system time", "sys time", "systime", "timestamp", "date"),
)
STEP_TIMES = ("step time", "steptime", "relative time")
TIMES = (*TEST_TIMES, *STAMPS, *STEP_TIMES)
POTENTIALS = (
    *("ewe", "<ewe>", "ecell", "vf", "working electrode potential", "we(1).potential"),
    *("potential", "voltage", "cell voltage", "e", "u"),
)
CURRENTS = (
    *("<i>", "i", "im", "current", "cur", "working electrode current", "we(1).current"),
    *("cathodic current", "anodic current"),
)
AGAINST = re.compile(r"\s+vs\.?\s+[^\s)\]]+", re.IGNORECASE)
BRACKET = re.compile(r"\s*[\[(][^\])]*[\])]$")
Clock = tuple[FloatArray, str, datetime | None]
"""Times in s, the column they are from, and when they were zero."""


class Table(Protocol):
    """What is asked of a table, whatever file it is from."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def header(self) -> tuple[str, ...]:
        """Its columns' names with their units."""

    def where(self, row: int) -> str:
        """What to call a row in a sentence."""

    def sample(self, column: int) -> str:
        """The first text of a column that is not empty."""

    def texts(self, column: int) -> list[str]:
        """(N,) texts of a column."""

    def numbers(self, column: int) -> FloatArray:
        """(N,) numbers of a column."""

    def values(self, column: int, read: Callable[[str], float], wanted: str, /) -> FloatArray:
        """(N,) values of a column as `read` understands its texts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Readings:
    """Time, potential and current of a table, and where each comes from."""

    times_s: FloatArray
    potential_v: FloatArray
    current_ma: FloatArray | None
    columns: dict[str, str]
    started: datetime | None


def looks_like_header(fields: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Whether the fields of a line name a time and a potential, or all the chosen columns."""
    if columns:
        return set(columns.values()) <= set(fields)
    has_time = any(_bare_name(f) in TIMES or _name(f, TIME_S) in TIMES for f in fields)
    return has_time and _find(fields, POTENTIALS, POTENTIAL_V) is not None


def readings_of(table: Table, choice: Choice, *, started: datetime | None = None) -> Readings:
    """Time, potential and current of a table, in s, V and mA.

    Parameters
    ----------
    table : Table
    choice : Choice
        Columns that are not to be told by their names.
    started : datetime.datetime or None
        When the clock was zero; a column of dates in the table says it better.

    Raises
    ------
    ColumnsNotToldError
        If none can be told to be time or potential.
    AlloyError
        If a chosen column is missing, or one holds something else.
    """
    potential = _chosen(table, "potential", choice) or _column(table, POTENTIALS, "potential")
    current = _chosen(table, "current", choice) or _column(table, CURRENTS, "current")
    if potential is None:
        raise _missing(table, "potential", "Ewe/V")
    times_s, time_column, zero = _times(table, choice)
    names = {"time": time_column, "potential": potential[1]}
    return Readings(
        times_s=times_s,
        potential_v=potential[0],
        current_ma=None if current is None else current[0],
        columns=names if current is None else {**names, "current": current[1]},
        started=zero or started,
    )


def told_columns(table: Table) -> dict[str, str]:
    """Names of the columns told to be "time", "potential" and "current", as far as they are."""
    times = _columns_named(table, TIMES)
    told = {"time": table.header[times[0]]} if times else {}
    for key, names in (("potential", POTENTIALS), ("current", CURRENTS)):
        found = _find(table.header, names, UNITS[key])
        told |= {} if found is None else {key: table.header[found[0]]}
    return told


def _split(header: str, units: dict[str, float]) -> tuple[str, float | None]:
    """A header's name, and its unit's factor if it is one of these."""
    name, unit = split_unit(AGAINST.sub("", header))
    return _spaced(name), factor(unit, units)


def _name(header: str, units: dict[str, float]) -> str:
    """A header's name if its unit is one of these, else an empty one."""
    name, by = _split(header, units)
    return "" if by is None else name


def _bare_name(header: str) -> str:
    """A header's name without what stands in brackets after it."""
    return _spaced(BRACKET.sub("", header.strip()))


def _spaced(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split())


def _find(
    header: Sequence[str], names: Sequence[str], units: dict[str, float]
) -> tuple[int, float] | None:
    """The first column of one of these names, in the order of names, and its unit's factor."""
    named = [_split(h, units) for h in header]
    for name in names:
        for k, (found, by) in enumerate(named):
            if found == name and by is not None:
                return k, by
    return None


def _column(table: Table, names: Sequence[str], key: str) -> tuple[FloatArray, str] | None:
    filled = [h if table.sample(k) else "" for k, h in enumerate(table.header)]
    found = _find(filled, names, UNITS[key])
    return found and (table.numbers(found[0]) * found[1], table.header[found[0]])


def _chosen(table: Table, key: str, choice: Choice) -> tuple[FloatArray, str] | None:
    """Numbers of the column chosen for time, potential or current, if one was."""
    if key not in choice.columns:
        return None
    name = choice.columns[key]
    if name not in table.header:
        raise AlloyError(
            f"{table.path.name} has no column {name}; "
            f"its columns are: {', '.join(filter(None, table.header))}."
        )
    k = table.header.index(name)
    by = _split(name, UNITS[key])[1]
    if key in choice.units or by is None:
        unit = choice.units.get(key, TAKEN_AS[key])
        by = cast(float, factor(unit, UNITS[key]))
        name = f"{name} (taken as {unit})"
    return table.numbers(k) * by, name


def _missing(table: Table, key: str, example: str) -> ColumnsNotToldError:
    return ColumnsNotToldError(
        f"{table.path.name} has no column of {key}, such as {example}, with its unit; "
        f"choose one by {key}_column under [potential] of recording.toml: "
        f"its columns are: {', '.join(filter(None, table.header))}.",
        table.path,
        table.header,
    )


def _times(table: Table, choice: Choice) -> Clock:
    """Times in s, their column, and when they were zero.

    The time of the whole test is best. One that starts anew with each step is placed by dates.
    """
    if "time" in choice.columns:
        return _with_start(table, _chosen_times(table, choice))
    test = _first_clock(table, TEST_TIMES)
    if test is not None and not (np.diff(test[0]) < 0).any():
        return _with_start(table, test)
    steps, dates = test or _first_clock(table, STEP_TIMES), _first_clock(table, STAMPS)
    if steps is None or dates is None:
        only = steps or dates
        if only is None:
            raise _missing(table, "time", "time/s")
        return only
    return steps_in_time(steps[0], dates[0]), f"{steps[1]} placed by {dates[1]}", dates[2]


def _chosen_times(table: Table, choice: Choice) -> Clock:
    name = choice.columns["time"]
    if name in table.header and "time" not in choice.units:
        clock = _clock(table, table.header.index(name))
        if clock is not None:
            return clock
    times_s, column = cast(tuple[FloatArray, str], _chosen(table, "time", choice))
    return times_s, column, None


def _with_start(table: Table, clock: Clock) -> Clock:
    """The clock, its start from a column of dates if the table has one."""
    times_s, column, zero = clock
    for k in _columns_named(table, STAMPS) if zero is None else ():
        start = _stamp_of(table, k)
        if start is not None:
            return times_s, column, start - timedelta(seconds=float(times_s[0]))
    return clock


def _columns_named(table: Table, names: Sequence[str]) -> list[int]:
    """Columns of these names, in the order of names, whatever stands for their unit."""
    found = [{_bare_name(h), _name(h, TIME_S)} for h in table.header]
    return [k for name in names for k, these in enumerate(found) if name in these]


def _first_clock(table: Table, names: Sequence[str]) -> Clock | None:
    clocks = (_clock(table, k) for k in _columns_named(table, names))
    return next((c for c in clocks if c is not None), None)


def _clock(table: Table, k: int) -> Clock | None:
    """Seconds of a column of dates, of hh:mm:ss, or of numbers with their unit."""
    name, sample = table.header[k], table.sample(k)
    start = _stamp_of(table, k)
    if start is not None and STAMP.match(sample):
        day_first = writes_day_first(table.texts(k)) or None
        since = table.values(
            k, lambda t: (to_stamp(t, day_first=day_first) - start).total_seconds(), "a date"
        )
        return since, name, start
    if CLOCK.fullmatch(sample):
        return table.values(k, clock_seconds, "a time such as 01:30:00"), f"{name} (h:m:s)", None
    by = _split(name, TIME_S)[1]
    if by is None:
        return None
    times_s = table.numbers(k) * by
    if start is not None:
        return times_s - times_s[0], name, start
    return times_s, name, None


def _stamp_of(table: Table, k: int) -> datetime | None:
    """The first date of a column, or None."""
    sample = table.sample(k)
    found = STAMP.match(sample)
    try:
        if found is not None and found["h"]:
            return to_stamp(sample, day_first=writes_day_first(table.texts(k)) or None)
        if _name(table.header[k], TIME_S).startswith("unix"):
            return datetime.fromtimestamp(to_number(sample), UTC)
    except ValueError:
        return None
    return None
