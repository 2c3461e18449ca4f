"""Columns and units of a cycler's file that are chosen by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.units import CURRENT_MA, POTENTIAL_V, TIME_S, factor

UNITS = {"time": TIME_S, "potential": POTENTIAL_V, "current": CURRENT_MA}
TAKEN_AS = {"time": "s", "potential": "V", "current": "mA"}
OFFERED_UNITS = {
    "time": ("s", "ms", "min", "h"),
    "potential": ("V", "mV"),
    "current": ("mA", "A", "µA", "nA"),
}


class ColumnsNotToldError(AlloyError):
    """Time or potential cannot be told from a file's columns: somebody has to choose.

    Attributes
    ----------
    path : Path
    names : tuple of str
        The file's columns.
    """

    def __init__(self, message: str, path: Path, names: Sequence[str]) -> None:
        super().__init__(message)
        self.path, self.names = path, tuple(filter(None, names))

    def __reduce__(self) -> tuple[Any, ...]:
        """For its way from another process: an exception is made anew from its message alone."""
        return type(self), (str(self), self.path, self.names)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is chosen by hand, by "time", "potential" and "current".

    Attributes
    ----------
    columns : mapping of str to str
        Names of columns as the file writes them.
    units : mapping of str to str
        Units of these columns; without one that of the column's name, else s, V and mA.

    Raises
    ------
    AlloyError
        If it names another quantity, or a unit that is not one of it.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = (self.columns.keys() | self.units.keys()) - UNITS.keys()
        if unknown:
            raise AlloyError(f"There is no quantity {min(unknown)}; choose {', '.join(UNITS)}.")
        for key, unit in self.units.items():
            if factor(unit, UNITS[key]) is None:
                raise AlloyError(
                    f"{unit} is no unit of {key}; give {', '.join(OFFERED_UNITS[key])}."
                )

    def keys(self) -> dict[str, str]:
        """The same by the keys of recording.toml: time_column, time_unit, ..."""
        columns = {f"{q}_column": name for q, name in self.columns.items()}
        return columns | {f"{q}_unit": unit for q, unit in self.units.items()}
