"""Tables and maps out and in again, with their provenance; written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import orjson
import pandas as pd
import tifffile
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from napari_lithium_alloy import __version__
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.provenance import Step, to_plain
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.scratch import WRITTEN_BYTES
from napari_lithium_alloy.core.tables import TABLES, conform

STEP_LINE = "# step: "
LONG_ROWS = 20_000
"""From which on it pays to write a table of numbers by our own loop."""
PART_ROWS = 200_000
TOLD_ROWS = 50_000
"""Of numbers that are texts at the same time, ten times as large."""


def write_csv(
    path: Path | str, frame: pd.DataFrame, steps: Sequence[Step] = (), *, text: str | None = None
) -> None:
    """Write a table as CSV under `#` lines of provenance.

    Floats are written so that they read back exactly; NaN and missing values are empty.

    Parameters
    ----------
    path : Path or str
    frame : pandas.DataFrame
    steps : sequence of Step
    text : str, optional
        The table's `csv_text`, where that is made already.
    """
    with (
        whole_file(Path(path)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        file.writelines(f"{line}\n" for line in provenance_lines(steps))
        if text is None:
            _write_rows(frame, file)
        else:
            file.write(text)


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV, its names first."""
    text = io.StringIO()
    _write_rows(frame, text)
    return text.getvalue()


def _write_rows(frame: pd.DataFrame, file: TextIO) -> None:
    if len(frame) >= LONG_ROWS and all(is_numeric_dtype(t) for t in frame.dtypes):
        _write_numbers(frame, file)
    else:
        frame.to_csv(file, index=False, lineterminator="\n")


def _write_numbers(frame: pd.DataFrame, file: TextIO) -> None:
    """Write the numbers that `DataFrame.to_csv` does, several times as fast.

    Small ones may be written in another form (0.00001, 1e-7).
    """
    frame.iloc[:0].to_csv(file, index=False, lineterminator="\n")
    for first in range(0, len(frame), TOLD_ROWS):
        part = frame.iloc[first : first + TOLD_ROWS]
        columns = [_texts(part.iloc[:, i]) for i in range(part.shape[1])]
        file.write("\n".join(map(",".join, zip(*columns, strict=True))))
        file.write("\n")


def _texts(column: pd.Series[Any]) -> list[str]:
    """Each number as a text that reads back exactly; nothing where there is none."""
    if column.dtype == np.float64:
        values = np.ascontiguousarray(column.to_numpy())
        told = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        texts = told.decode().replace("null", "").split(",")
        for i in np.flatnonzero(np.isinf(values)):
            texts[i] = repr(float(values[i]))
        return texts
    codes, unique = pd.factorize(column)
    texts = [*map(str, unique.tolist()), ""]  # the last stands for what is missing
    return [texts[code] for code in codes.tolist()]


def provenance_lines(steps: Sequence[Step]) -> list[str]:
    """The `#` lines above a table: the package's version, and each step as one JSON line."""
    lines = [f"# napari-lithium-alloy {__version__}"]
    return lines + [STEP_LINE + _json(step) for step in steps]


def _json(step: Step) -> str:
    return json.dumps(to_plain(step.to_json()), ensure_ascii=False, allow_nan=False)


def read_csv(path: Path | str) -> pd.DataFrame:
    """The table `write_csv` wrote; of a known name (curves.csv) with exactly its columns and types.

    Raises
    ------
    AlloyError
        If the file is missing, empty, or has a column that its table does not have.
    """
    with _opened(Path(path)) as (file, how):
        return _typed(file, pd.read_csv(file, **how))


def csv_parts(path: Path | str, n_rows: int = PART_ROWS) -> Iterator[pd.DataFrame]:
    """The same table, so many rows at a time.

    Raises
    ------
    AlloyError
        As `read_csv`.
    """
    with _opened(Path(path)) as (file, how), pd.read_csv(file, **how, chunksize=n_rows) as parts:
        for part in parts:
            yield _typed(file, part)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """How pandas reads a table of ours; what goes wrong meanwhile becomes an AlloyError."""
    try:
        with file.open(encoding="utf-8") as text:
            n_comments = 0
            for line in text:
                if not line.startswith("#"):
                    break
                n_comments += 1
        # numbers as text: `conform` makes floats of it exactly, which pandas's parser may not
        types = TABLES.get(file.stem, {})
        as_text = {c: t if t == "boolean" else "string" for c, t in types.items()}
        blank = {"keep_default_na": False, "na_values": [""]}
        yield file, {"skiprows": n_comments, "dtype": as_text, **blank}
    except OSError as error:
        raise AlloyError(f"{file} cannot be opened ({error.strerror}); check its path.") from error
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise AlloyError(f"{file.name} is not a table ({error}); write it again.") from error


def _typed(file: Path, frame: pd.DataFrame) -> pd.DataFrame:
    return conform(file.stem, frame) if file.stem in TABLES else frame


def read_steps(path: Path | str) -> list[Step]:
    """The steps in the provenance lines of a CSV table."""
    with Path(path).open(encoding="utf-8") as file:
        return [
            Step.from_json(json.loads(line.removeprefix(STEP_LINE)))
            for line in file
            if line.startswith(STEP_LINE)
        ]


def write_xlsx(
    path: Path | str, sheets: Mapping[str, pd.DataFrame], steps: Sequence[Step] = ()
) -> None:
    """Write tables as sheets of one workbook, with a sheet `provenance` at its end."""
    lines = [line.removeprefix("# ") for line in provenance_lines(steps)]
    with (
        whole_file(Path(path)) as temporary,
        pd.ExcelWriter(temporary, engine="openpyxl") as workbook,
    ):
        for name, frame in sheets.items():
            frame.to_excel(workbook, sheet_name=name[:31], index=False)
        pd.DataFrame({"provenance": lines}).to_excel(workbook, sheet_name="provenance", index=False)


def write_map(
    path: Path | str,
    image: NDArray[Any],
    *,
    pixel_size_um: float | None = None,
    description: Mapping[str, Any] | str = "",
) -> None:
    """Write a (Y, X) map as float32 TIFF whose pixel size ImageJ reads; NaN stays NaN.

    Parameters
    ----------
    path : Path or str
    image : numpy.ndarray
        (Y, X).
    pixel_size_um : float, optional
        None: in pixels.
    description : str or mapping
        What it shows and in what unit; kept in ImageJ's Info.
    """
    info = description if isinstance(description, str) else json.dumps(to_plain(dict(description)))
    calibration: dict[str, Any] = {}
    metadata = {"axes": "YX", "Info": info}
    if pixel_size_um is not None:
        calibration["resolution"] = (1 / pixel_size_um, 1 / pixel_size_um)
        metadata["unit"] = "um"
    with whole_file(Path(path)) as temporary:
        with tifffile.TiffWriter(temporary, imagej=True) as tiff:
            start, _ = tiff.write(
                shape=image.shape,
                dtype=np.float32,
                metadata=metadata,
                returnoffset=True,
                **calibration,
            )
            kind = np.dtype(np.float32).newbyteorder(tiff.tiff.byteorder)
        _fill(temporary, start, image, kind)


def _fill(path: Path, start: int, image: NDArray[Any], kind: np.dtype[Any]) -> None:
    """Write a picture's values into a file from a byte on, some rows at a time."""
    n_rows = max(1, WRITTEN_BYTES // max(image.shape[1] * kind.itemsize, 1))
    with path.open("r+b") as file:
        file.seek(start)
        for first in range(0, len(image), n_rows):
            file.write(image[first : first + n_rows].astype(kind).data)


def read_map(path: Path | str) -> FloatArray:
    """A (Y, X) map, as `write_map` wrote it.

    Raises
    ------
    AlloyError
        If it cannot be read as one image.
    """
    file = Path(path)
    try:
        image: FloatArray = tifffile.imread(file)
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise AlloyError(f"{file.name} cannot be read as a map ({error}).") from error
    if image.ndim != 2:
        raise AlloyError(f"{file.name} is {image.shape}, not one image; give a map.")
    return image


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place when all is written, and vanishes otherwise."""
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's umask: mkstemp makes files for the owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
