"""Tables of a study: one a kind, conditions in front of each recording's rows, CSV and Parquet."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.replicates import CELL, CURRENT_DENSITY, RECORDING
from napari_lithium_alloy.core.tables import STUDIES, TABLES
from napari_lithium_alloy.io.study_file import Study, kind_of
from napari_lithium_alloy.io.tables import provenance_lines, whole_file

RECORDINGS = "study_recordings"
_TYPES = {"a number": "float64", "a text": "string", "true or false": "boolean"}
Kinds = Mapping[str, str]
"""pandas types of columns, in their order."""


def front_kinds(study: Study) -> dict[str, str]:
    """Types of the columns in front of every table: recording, cell, conditions."""
    kinds = {RECORDING: "string", CELL: "string"}
    for name in study.conditions:
        values = [e.conditions[name] for e in study.entries if name in e.conditions]
        whole = all(type(v) is int for v in values) and name != CURRENT_DENSITY
        kind = _TYPES[kind_of(values[0])] if values else "float64"
        kinds[name] = "Int64" if kind == "float64" and whole and values else kind
    return kinds


def with_front(rows: pd.DataFrame, front: Mapping[str, Any], kinds: Kinds) -> pd.DataFrame:
    """Rows of one recording behind its name, cell and conditions."""
    columns = {
        name: pd.Series([front.get(name)] * len(rows), index=rows.index, dtype=kind)
        for name, kind in kinds.items()
    }
    return pd.concat([pd.DataFrame(columns, index=rows.index), rows], axis="columns")


def own_kinds(table: str) -> Kinds:
    """Types of a table's own columns."""
    return TABLES[table] if table in TABLES else STUDIES[table]


@contextmanager
def study_table(
    out: Path, name: str, kinds: Kinds, steps: Sequence[Step]
) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write a table as CSV and Parquet piece by piece: both take their places at the end, whole.

    Gives a function that adds rows with the columns of `kinds`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {
        "float64": pa.float64(),
        "Int64": pa.int64(),
        "string": pa.string(),
        "boolean": pa.bool_(),
    }
    about = "\n".join(provenance_lines(steps))
    texts = [column for column, kind in kinds.items() if kind == "string"]
    schema = pa.schema(
        [pa.field(column, arrow[kind]) for column, kind in kinds.items()],
        metadata={"napari-lithium-alloy": about},
    )
    with (
        whole_file(out / f"{name}.csv") as csv_file,
        whole_file(out / f"{name}.parquet") as parquet_file,
        csv_file.open("w", encoding="utf-8", newline="") as text,
        pq.ParquetWriter(parquet_file, schema) as parquet,
    ):
        text.write(about + "\n" + ",".join(kinds) + "\n")

        def add(rows: pd.DataFrame) -> None:
            rows = rows[list(kinds)].astype(dict(kinds))
            for column in texts:
                rows[column] = rows[column].mask(rows[column] == "")
            rows.to_csv(text, index=False, header=False, lineterminator="\n")
            made = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
            parquet.write_table(made.replace_schema_metadata(schema.metadata))

        yield add


def study_files(folder: Path) -> dict[str, Path]:
    """Tables of a study in a folder, by name, in the order of their kinds.

    Raises
    ------
    AlloyError
        If it does not hold a study's results.
    """
    files = {name: folder / f"{name}.csv" for name in (*STUDIES, *TABLES)}
    if not files[RECORDINGS].is_file():
        raise AlloyError(
            f"{folder} holds no {RECORDINGS}.csv; choose the folder that lithium-alloy batch wrote."
        )
    found = {name: path for name, path in files.items() if path.is_file()}
    return {RECORDINGS: found.pop(RECORDINGS), **found}


def read_study_table(folder: Path, name: str) -> pd.DataFrame:
    """A table of a study; from Parquet, where that can be read, as it is faster.

    Raises
    ------
    AlloyError
        If it cannot be read.
    """
    parquet = folder / f"{name}.parquet"
    try:
        if parquet.is_file() and importlib.util.find_spec("pyarrow") is not None:
            return _from_parquet(parquet)
        return _from_csv(folder / f"{name}.csv", own_kinds(name))
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise AlloyError(
            f"{folder / name} cannot be read ({error}); run the batch again."
        ) from error


def _from_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        pa.string(): pd.StringDtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    frame: pd.DataFrame = pq.read_table(path).to_pandas(types_mapper=types.get)
    return frame


def _from_csv(path: Path, known: Kinds) -> pd.DataFrame:
    with path.open(encoding="utf-8") as text:
        comments = next(i for i, line in enumerate(text) if not line.startswith("#"))
    types = {c: k for c, k in known.items() if k not in ("boolean", "float64")}
    types |= {RECORDING: "string", CELL: "string"}
    # numbers as text: pandas's parser may be off by a digit
    exact = [*(c for c, k in known.items() if k == "float64"), CURRENT_DENSITY]
    frame = pd.read_csv(
        path, skiprows=comments, dtype=types | dict.fromkeys(exact, "string"),
        keep_default_na=False, na_values=[""],
    )  # fmt: skip
    exact = [c for c in exact if c in frame]
    frame[exact] = frame[exact].astype("float64")
    types |= dict.fromkeys(exact, "float64")
    for column in frame.columns.difference(list(types)):
        if pd.api.types.is_bool_dtype(frame[column]) or column in known:
            frame[column] = frame[column].astype("boolean")
        elif not pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = frame[column].astype("string")
    return frame


def conditions_of(recordings: pd.DataFrame) -> list[str]:
    """Names of the conditions in the table `study_recordings`."""
    own = STUDIES[RECORDINGS]
    return [c for c in recordings.columns if c not in own and c not in (RECORDING, CELL)]
