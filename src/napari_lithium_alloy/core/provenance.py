"""What was done to get a result, to and from plain JSON."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

import numpy as np

from napari_lithium_alloy import __version__


@dataclass(frozen=True, kw_only=True)
class Step:
    """One analysis with the parameters it ran with.

    Attributes
    ----------
    name : str
        Name of the function or analysis.
    parameters : dict
        Plain JSON values.
    version : str
        Version of this package.
    """

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    version: str = __version__

    @classmethod
    def of(cls, name: str, *parameters: Any, **more: Any) -> Self:
        """A step from parameter dataclasses and further values."""
        plain: dict[str, Any] = {}
        for p in parameters:
            plain.update(to_plain(p))
        plain.update(to_plain(more))
        return cls(name=name, parameters=plain)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"name": self.name, "parameters": self.parameters, "version": self.version}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """The step that `to_json` gave."""
        return cls(name=plain["name"], parameters=plain["parameters"], version=plain["version"])


def to_plain(value: Any) -> Any:
    """Value as plain JSON: dataclasses to dicts, arrays to lists, NaN to None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
