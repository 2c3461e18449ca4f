"""Checked access to the keys of a TOML file."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_lithium_alloy.core.errors import AlloyError


def load_toml(file: Path) -> dict[str, Any]:
    """What a TOML file holds.

    Raises
    ------
    AlloyError
        If it cannot be opened or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise AlloyError(f"{file} cannot be opened ({error.strerror}); check its path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AlloyError(f"{file.name} is not valid TOML ({error}); correct it there.") from error


@dataclass(frozen=True, eq=False)
class Section:
    """One table of a TOML file; its errors name the file, the table and the key."""

    file: Path
    name: str
    values: dict[str, Any]

    def only(self, known: Iterable[str]) -> None:
        """Raise AlloyError for a key that is not known, naming the nearest one that is."""
        known = list(known)
        for key in self.values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
                raise AlloyError(
                    f"{self.file.name}: there is no key {key}{self.within}; did you mean {near}?"
                )

    @property
    def within(self) -> str:
        """Where its keys are, for errors."""
        return f" under {self.name}" if self.name else ""

    def error(self, key: str, wanted: str) -> AlloyError:
        """The error for a key whose value is not what is wanted."""
        given = "missing" if key not in self.values else repr(self.values[key])
        return AlloyError(f"{self.file.name}: {key}{self.within} is {given}; give {wanted}.")

    def number(self, key: str, *, positive: bool = False) -> float | None:
        """A finite number, or None where the key is absent."""
        value = self.values.get(key)
        if value is None:
            return None
        wanted = "a positive number" if positive else "a number"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(key, wanted)
        if not math.isfinite(value) or (positive and value <= 0):
            raise self.error(key, wanted)
        return float(value)

    def required_number(self, key: str, *, positive: bool = False) -> float:
        """A finite number that must be there."""
        value = self.number(key, positive=positive)
        if value is None:
            raise self.error(key, "a positive number" if positive else "a number")
        return value

    def integer(self, key: str, *, least: int) -> int | None:
        """A whole number of at least `least`, or None where the key is absent."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(key, f"a whole number from {least}")
        return value

    def text(self, key: str) -> str | None:
        """A text, or None where the key is absent."""
        value = self.values.get(key)
        if value is not None and not (isinstance(value, str) and value):
            raise self.error(key, "a text in quotation marks")
        return value

    def choice(self, key: str, options: Iterable[str], default: str) -> str:
        """One of the options."""
        value = self.values.get(key, default)
        if value not in (known := list(options)):
            raise self.error(key, f"one of {', '.join(known)}")
        return str(value)

    def path(self, key: str) -> Path | None:
        """A path, relative to the file's folder, or None where the key is absent."""
        value = self.text(key)
        return None if value is None else self.file.parent / Path(value).expanduser()

    def table(self, key: str) -> Section | None:
        """A table within this one, or None where the key is absent."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(key, f"a table [{key}]")
        return Section(self.file, f"[{key}]", value)

    def tables(self, key: str) -> list[Section]:
        """An array of tables within this one; empty where the key is absent."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.error(key, f"tables [[{key}]]")
        return [Section(self.file, f"[[{key}]] number {i}", v) for i, v in enumerate(value, 1)]
