"""UV-vis spectra as spectrometers and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray, IntArray
from napari_lithium_alloy.io.numerals import to_number
from napari_lithium_alloy.io.text_tables import (
    TextTable,
    delimiters_in,
    read_text,
    split_line,
    split_unit,
    table_at,
)
from napari_lithium_alloy.io.units import LENGTH_UM, factor

MeasuredAs = Literal["transmittance", "absorbance", "reflectance"]
Told = tuple[MeasuredAs, bool, str]
"""What a column holds, whether in per cent, and what else its header names."""

PREAMBLE_LINES = 500
NM_PER_UM = 1e3
FRACTION_BELOW = 1.5
"""Above it a transmittance without a unit can only be in per cent."""
PERCENT = re.compile(r"%|\bper ?cent\b", re.IGNORECASE)
WAVELENGTHS = ("wavelength", "wave length", "wavelengths", "lambda", "wl", "λ")
WORDS: dict[MeasuredAs, tuple[str, ...]] = {
    "transmittance": ("transmittance", "transmission", "trans", "t"),
    "absorbance": ("absorbance", "abs", "optical density", "od", "a"),
    "reflectance": ("reflectance", "reflection", "refl", "r"),
}
NO_UNIT = ("", "a.u.", "au", "a.u", "arb. units", "-", "1", "o.d.")
JASCO_DATA, JASCO_X, JASCO_Y = "XYDATA", "XUNITS", "YUNITS"
JASCO_NM = "NANOMETERS"


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrum:
    """Transmittance or reflectance against wavelength.

    Attributes
    ----------
    name : str
        The file's stem, and the column's own name where it has one or there are several.
    quantity : {"transmittance", "reflectance"}
    measured_as : {"transmittance", "absorbance", "reflectance"}
        What the file holds; an absorbance A is the transmittance 10^-A.
    wavelength_nm : numpy.ndarray
        (N,) rising.
    value : numpy.ndarray
        (N,) fractions, 1 for all light.
    source : str
        The file.
    notes : tuple of str
        What the reader had to decide.
    """

    name: str
    quantity: Literal["transmittance", "reflectance"]
    measured_as: MeasuredAs
    wavelength_nm: FloatArray
    value: FloatArray
    source: str = ""
    notes: tuple[str, ...] = ()

    def at(self, wavelength_nm: float) -> float:
        """The fraction at a wavelength, linearly interpolated; NaN outside the spectrum."""
        return float(
            np.interp(wavelength_nm, self.wavelength_nm, self.value, left=np.nan, right=np.nan)
        )


def read_spectra(path: Path | str) -> tuple[Spectrum, ...]:
    """The spectra of a text file (CSV, TSV, ...), a column each.

    The header says what a column is: a wavelength (nm unless it says another length) and %T, T,
    A, Abs or %R, in words or letters. Lines before it and after a blank line under the rows are
    the instrument's. Decimal commas, pairs of columns with a wavelength each, and Jasco's XYDATA
    without a header are understood.

    Raises
    ------
    AlloyError
        If the file cannot be read, names no wavelength or no such quantity, or holds something
        that is not a number (its line and column are named).
    """
    path = Path(path)
    lines = read_text(path).splitlines()
    table = _jasco(lines, path) or _headed(lines, path)
    columns = list(_columns(table))
    if not columns:
        raise AlloyError(
            f"{path.name} names a wavelength but neither transmittance, absorbance nor "
            f"reflectance, only {', '.join(table.header)}; name a column %T, T, A or %R."
        )
    return tuple(_spectrum(table, *column, alone=len(columns) == 1) for column in columns)


def _headed(lines: Sequence[str], path: Path) -> TextTable:
    """The table under the first line that names a wavelength and something else."""
    for at, line in enumerate(lines[:PREAMBLE_LINES]):
        for delimiter in delimiters_in(line):
            fields = split_line(line, delimiter)
            if len(fields) > 1 and any(_wavelength_nm(f) is not None for f in fields):
                return table_at(lines[: _end(lines, at + 1)], path, at=at, delimiter=delimiter)
    raise AlloyError(
        f"{path.name} has no header that names a wavelength beside a transmittance, absorbance or "
        "reflectance; write a first line such as wavelength_nm,%T."
    )


def _end(lines: Sequence[str], start: int) -> int:
    """The first blank line under some rows whose next line is not a row; else the last."""
    for at in range(start + 1, len(lines)):
        if not lines[at].strip(" \t,;"):
            following = next((line for line in lines[at:] if line.strip(" \t,;")), "")
            if not _starts_with_number(following):
                return at
    return len(lines)


def _starts_with_number(line: str) -> bool:
    text = split_line(line, delimiters_in(line)[0])[0] if line.strip() else ""
    try:
        to_number(text, decimal_comma="," in text)
    except ValueError:
        return False
    return bool(text)


def _jasco(lines: Sequence[str], path: Path) -> TextTable | None:
    """The rows under XYDATA with the header their units make; None for other files."""
    words = [line.replace(",", "\t").split("\t") for line in lines[:PREAMBLE_LINES]]
    at = next((n for n, w in enumerate(words) if w[0].strip() == JASCO_DATA), None)
    if at is None:
        return None
    told = {w[0].strip(): w[1].strip() for w in words[:at] if len(w) > 1}
    if told.get(JASCO_X, "") != JASCO_NM:
        raise AlloyError(
            f"{path.name}: its {JASCO_X} are {told.get(JASCO_X, 'missing')}; export the spectrum "
            "against the wavelength in nanometres."
        )
    delimiter = delimiters_in(lines[at + 1])[0] if at + 1 < len(lines) else "\t"
    head = delimiter.join(["wavelength_nm", told.get(JASCO_Y, "")])
    under = [*lines[:at], head, *lines[at + 1 : _end(lines, at + 1)]]
    return table_at(under, path, at=at, delimiter=delimiter)


def _wavelength_nm(header: str) -> float | None:
    """What one unit of a wavelength's column is in nm; None for another column."""
    name, unit = split_unit(header)
    if name not in WAVELENGTHS and header.strip().lower() != "nm":
        return None
    by = factor(unit.strip(". "), LENGTH_UM)
    if by is not None:
        return by * NM_PER_UM
    return 1.0 if not unit or header.strip().lower() == "nm" else None


def _quantity(header: str) -> Told | None:
    """What a header says; None for one of something else."""
    percent = PERCENT.search(header) is not None
    plain = re.sub(r"[\[(]\s*[\])]", "", PERCENT.sub("", header)).strip(" /_")
    name, unit = split_unit(plain)
    if unit.lower() not in NO_UNIT:
        name = plain.lower()
    name = re.sub(r"[\s_]+", " ", name).strip(". ")
    for quantity, words in WORDS.items():
        for word in words:
            if name == word or name.endswith(f" {word}"):
                return quantity, percent, name.removesuffix(word).strip(" -_:")
            if len(word) > 2 and name.startswith(f"{word} "):
                return quantity, percent, name.removeprefix(word).strip(" -_:")
    return None


def _columns(table: TextTable) -> Iterator[tuple[int, int, Told]]:
    """Columns of what was measured, after that of their wavelength, the next to their left."""
    wavelength = next(k for k, h in enumerate(table.header) if _wavelength_nm(h) is not None)
    for k, header in enumerate(table.header):
        if _wavelength_nm(header) is not None:
            wavelength = k
        elif (told := _quantity(header)) is not None:
            yield wavelength, k, told


def _spectrum(table: TextTable, x: int, y: int, told: Told, *, alone: bool) -> Spectrum:
    header, path = table.header[y], table.path
    measured_as, percent, own_name = told
    nm = table.numbers(x) * (_wavelength_nm(table.header[x]) or 1.0)
    value, notes = table.numbers(y), []
    known = np.flatnonzero(np.isfinite(nm) & np.isfinite(value))
    _check(table, nm, known, (x, y))
    order = known[np.argsort(nm[known], kind="stable")]
    nm, value = nm[order], value[order]
    if measured_as == "absorbance":
        value = 10.0**-value
    elif percent:
        value = value / 100
    elif value.max() > FRACTION_BELOW:
        value = value / 100
        notes.append(f"{header} goes up to {100 * value.max():g} and is taken as per cent.")
    extra = own_name or ("" if alone else header.strip())
    return Spectrum(
        name=f"{path.stem} {extra}".strip(),
        quantity="reflectance" if measured_as == "reflectance" else "transmittance",
        measured_as=measured_as,
        wavelength_nm=nm,
        value=value,
        source=str(path),
        notes=tuple(notes),
    )


def _check(table: TextTable, nm: FloatArray, known: IntArray, columns: tuple[int, int]) -> None:
    """Raise AlloyError unless there are two wavelengths or more, all positive, each once."""
    name, (x, y) = table.path.name, columns
    if known.size < 2:
        raise AlloyError(
            f"{name}: column {table.header[y]} has {known.size} values beside a wavelength; "
            "a spectrum needs two at least."
        )
    wrong = [k for k in known if nm[k] <= 0]
    if wrong:
        raise AlloyError(
            f"{name}: {table.where(wrong[0])}, column {table.header[x]}, holds a wavelength that "
            "is not positive; correct it."
        )
    order = known[np.argsort(nm[known], kind="stable")]
    again = order[1:][np.diff(nm[order]) == 0]
    if again.size:
        raise AlloyError(
            f"{name}: {table.where(int(again[0]))}, column {table.header[x]}, repeats the "
            f"wavelength {nm[again[0]]:g} nm; keep one of them."
        )
