"""Values to bytes and back, where the bytes may come from anybody.

Bytes are pickle's, but only arrays, plain values and the dataclasses and enumerations of this
package are made of them; whatever else they ask for is refused.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import pickle
from enum import Enum
from typing import Any, Protocol

import numpy as np
import pandas as pd

OURS = "napari_lithium_alloy."
ALLOWED = frozenset(
    {
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("builtins", "slice"),
        ("napari_lithium_alloy.core.label_stack", "SparseLabels"),
    }
)
PLAIN_KINDS = "biufUS"
"""Of arrays whose bytes are their values."""


class Refused(pickle.UnpicklingError):
    """Bytes that ask for something that is not plain."""


class Stream(Protocol):
    """What bytes are written to."""

    def write(self, data: Any, /) -> object:
        """Write bytes, or what has a buffer of them."""


def dump(value: Any, stream: Stream) -> None:
    """Write a value made of arrays, tables, plain values, and dataclasses of this package.

    Large arrays go to the stream as they lie in memory.
    """
    _Writer(stream, protocol=5).dump(value)


def from_bytes(content: bytes) -> Any:
    """The value that `dump` was given.

    Raises
    ------
    Refused
        If the bytes ask for anything else.
    pickle.UnpicklingError, EOFError
        If they are damaged.
    """
    return _Reader(io.BytesIO(content)).load()


class _Writer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, pd.DataFrame):
            columns = [_column(value.iloc[:, i]) for i in range(value.shape[1])]
            return table_of, (list(value.columns), columns, len(value))
        if isinstance(value, np.dtype):
            return dtype_of, (value.str,)
        if isinstance(value, np.generic):
            return scalar_of, (np.asarray(value),)
        if isinstance(value, np.ndarray):
            if value.dtype.kind in PLAIN_KINDS:
                there = value.flags.c_contiguous and value.size > 0
                content = pickle.PickleBuffer(value.data) if there else value.tobytes()
                return array_of, (value.dtype.str, value.shape, content)
            return objects_of, (value.ravel().tolist(), value.shape)
        return NotImplemented


def dtype_of(kind: str) -> np.dtype[Any]:
    """A type of plain values."""
    dtype = np.dtype(kind)
    if dtype.kind not in PLAIN_KINDS:
        raise Refused(f"{kind} is not a type of plain values")
    return dtype


def array_of(kind: str, shape: tuple[int, ...], content: bytes | bytearray) -> np.ndarray:
    """An array of its bytes."""
    array = np.frombuffer(content, dtype_of(kind)).reshape(shape)
    return array if array.flags.writeable else array.copy()


def objects_of(values: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    """An array of any values."""
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made.reshape(shape)


def scalar_of(array: np.ndarray) -> Any:
    """The one value of an array."""
    return np.asarray(array)[()]


MAKERS = {f.__name__: f for f in (dtype_of, array_of, objects_of, scalar_of)}


def _column(column: pd.Series[Any]) -> tuple[str, Any]:
    """Name of a column's type, and its values."""
    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        return str(column.dtype), column.to_numpy()
    missing = column.isna().to_numpy()
    values = [None if m else v for m, v in zip(missing, column.tolist(), strict=True)]
    return str(column.dtype), values


def table_of(names: list[str], columns: list[tuple[str, Any]], length: int) -> pd.DataFrame:
    """A table of columns as `dump` takes them apart."""
    series = [pd.Series(values, dtype=dtype) for dtype, values in columns]
    if not series:
        return pd.DataFrame(index=pd.RangeIndex(length))
    table = pd.concat(series, axis=1)
    table.columns = pd.Index(names)
    return table


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name in {*MAKERS, "table_of"}:
            return table_of if name == "table_of" else MAKERS[name]
        if (module, name) in ALLOWED:
            return getattr(importlib.import_module(module), name)
        if module.startswith(OURS) and name.isidentifier():
            found = getattr(importlib.import_module(module), name, None)
            plain = isinstance(found, type) and (
                dataclasses.is_dataclass(found) or issubclass(found, Enum)
            )
            if plain:
                return found
        raise Refused(f"{module}.{name} is not a plain value")
