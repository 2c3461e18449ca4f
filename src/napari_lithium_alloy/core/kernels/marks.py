"""Marked places of a line."""

from __future__ import annotations

from typing import Any

from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, error_model="numpy")
def list_marked(marks: NDArray[Any], out: NDArray[Any]) -> int:
    """List the marked places of a line, in order; how many."""
    n = 0
    for x in range(len(marks)):
        if marks[x]:
            out[n] = x
            n += 1
    return n
