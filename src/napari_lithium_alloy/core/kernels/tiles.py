"""Medians over tiles of a picture, and their values between the tiles' centres."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Edges = NDArray[np.int64]


@njit(nogil=True, cache=True, error_model="numpy")
def medians_of_tiles(
    image: NDArray[np.float32],
    edges: tuple[Edges, Edges],
    rows: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Medians of the finite pixels of some rows of tiles; NaN where too few are."""
    for i in range(rows[0], rows[1]):
        top, bottom = edges[0][i], edges[0][i + 1]
        for j in range(out.shape[1]):
            left, right = edges[1][j], edges[1][j + 1]
            size = (bottom - top) * (right - left)
            known = np.empty(size, dtype=np.float32)
            n = 0
            for y in range(top, bottom):
                for x in range(left, right):
                    known[n] = image[y, x]
                    n += np.isfinite(image[y, x])
            out[i, j] = np.median(known[:n]) if n >= max(4, size // 10) else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def between_tiles(
    grid: NDArray[np.float64],
    places: tuple[NDArray[np.float64], NDArray[np.float64]],
    rows: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """Bilinear values of a grid at rows and columns given in its own steps, within the grid."""
    n_rows, n_columns = grid.shape
    line = np.empty(n_columns)
    for y in range(rows[0], rows[1]):
        i = min(int(places[0][y]), max(n_rows - 2, 0))
        below, f = min(i + 1, n_rows - 1), places[0][y] - i
        for j in range(n_columns):
            line[j] = grid[i, j] + f * (grid[below, j] - grid[i, j])
        for x in range(out.shape[1]):
            j = min(int(places[1][x]), max(n_columns - 2, 0))
            right = min(j + 1, n_columns - 1)
            out[y, x] = line[j] + (places[1][x] - j) * (line[right] - line[j])
