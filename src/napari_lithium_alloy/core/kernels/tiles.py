"""Medians over tiles of a picture, and their values between the tiles' centres."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.medians import median_of

Edges = NDArray[np.int64]
_LARGE = 32


@njit(nogil=True, cache=True, error_model="numpy")
def medians_of_tiles(
    image: NDArray[np.float32],
    chosen: tuple[NDArray[np.bool_], NDArray[np.float32], tuple[np.float32, np.float32]],
    edges: tuple[Edges, Edges],
    rows: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Medians of the finite pixels of some rows of tiles; NaN where too few are.

    `chosen` are those that count, a level (of no rows: none), and between which differences from
    that they do.
    """
    inside, level, limits = chosen
    most = np.diff(edges[0]).max() * np.diff(edges[1]).max()
    known, counts = np.empty(most + 1, dtype=np.float32), np.empty(2**11, dtype=np.int64)
    keys = np.empty(most, dtype=np.uint32), np.empty(most, dtype=np.uint32)
    for i in range(rows[0], rows[1]):
        top, bottom = edges[0][i], edges[0][i + 1]
        for j in range(out.shape[1]):
            left, right = edges[1][j], edges[1][j + 1]
            # Of a large tile every other row is enough.
            every = 2 if bottom - top >= _LARGE else 1
            size = (bottom - top) // every * (right - left)
            n = 0
            for y in range(top, bottom, every):
                for x in range(left, right):
                    value = image[y, x]
                    counts_here = inside[y, x] & np.isfinite(value)
                    if level.shape[0]:
                        step = value - level[y, x]
                        counts_here &= (step > limits[0]) & (step < limits[1])
                    known[n] = value
                    n += counts_here
            enough = n >= max(4, size // 10)
            out[i, j] = median_of(known[:n], keys, counts) if enough else np.nan


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
