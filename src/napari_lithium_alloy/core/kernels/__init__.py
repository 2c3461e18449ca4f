"""Compiled loops over pixels. Import its modules only where they are used: they load numba."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

COMPILED_FOR = tuple(np.dtype(t) for t in (np.uint8, np.uint16, np.float32))
"""Counts of other types become float32 first."""


def compilable(counts: NDArray[Any]) -> NDArray[Any]:
    """Counts of a type, and in an order, that the loops are compiled for; others are copied."""
    kept = counts if counts.dtype in COMPILED_FOR else counts.astype(np.float32)
    return read_only(np.ascontiguousarray(kept))


def read_only(counts: NDArray[Any]) -> NDArray[Any]:
    """The same counts, not to be changed: for those that may be, loops are compiled once more."""
    if not counts.flags.writeable:
        return counts
    kept = counts.view()
    kept.flags.writeable = False
    return kept
