"""Places of which none is too near a stronger one."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, error_model="numpy")
def spaced(
    places: NDArray[np.int64], radii: NDArray[np.float64], apart: float
) -> NDArray[np.bool_]:
    """Which places, strongest first, keep so many times the larger radius from those kept."""
    kept = np.zeros(len(places), np.bool_)
    if len(places) == 0:
        return kept
    side = max(apart * radii.max(), 1.0)
    columns = int(places[:, 1].max() / side) + 1
    first = np.full((int(places[:, 0].max() / side) + 1) * columns, -1)
    following = np.full(len(places), -1)
    for i in range(len(places)):
        row, column = int(places[i, 0] / side), int(places[i, 1] / side)
        free = True
        for r in range(max(row - 1, 0), min(row + 2, len(first) // columns)):
            for c in range(max(column - 1, 0), min(column + 2, columns)):
                j = first[r * columns + c]
                while j >= 0 and free:
                    dy, dx = places[i, 0] - places[j, 0], places[i, 1] - places[j, 1]
                    free = np.hypot(dy, dx) > apart * max(radii[i], radii[j])
                    j = following[j]
        if free:
            kept[i] = True
            at = row * columns + column
            following[i], first[at] = first[at], i
    return kept
