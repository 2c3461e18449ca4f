"""Brightness of some cells and pixels of a picture, and how many pixels are clipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Packed = NDArray[np.float32]
Flags = NDArray[np.bool_]


@njit(nogil=True, cache=True, error_model="numpy")
def fill_cells(
    counts: NDArray[Any],
    light: tuple[Picture, Picture, Picture],
    cell: int,
    cells: NDArray[np.int32],
    out: Picture,
) -> None:
    """Mean brightness over squares, off the film outside the support 0; the last take the rest.

    `light` are the dark counts, the flat field, and 1 for film outside the support.
    """
    dark, flat, outside = light
    height, width = counts.shape
    n_rows, n_columns = out.shape
    for i in range(cells.shape[0]):
        r, c = cells[i] // n_columns, cells[i] % n_columns
        bottom = height if r == n_rows - 1 else (r + 1) * cell
        right = width if c == n_columns - 1 else (c + 1) * cell
        total = np.float32(0)
        for y in range(r * cell, bottom):
            for x in range(c * cell, right):
                if outside[y, x] > 0:
                    total += (np.float32(counts[y, x]) - dark[y, x]) / flat[y, x]
        out[r, c] = total / np.float32((bottom - r * cell) * (right - c * cell))


@njit(nogil=True, cache=True, error_model="numpy")
def between_cells_at(
    cells: tuple[Picture, Picture], cell: int, at: NDArray[np.int32], width: int, out: Packed
) -> None:
    """First picture of cells over the second, between the cells' centres, at pixels of a list."""
    total, weight = cells
    n_rows, n_columns = total.shape
    for i in range(at.shape[0]):
        v = min(max((at[i] // width + 0.5) / cell - 0.5, 0.0), n_rows - 1.0)
        u = min(max((at[i] % width + 0.5) / cell - 0.5, 0.0), n_columns - 1.0)
        r, c = min(int(v), max(n_rows - 2, 0)), min(int(u), max(n_columns - 2, 0))
        below, right = min(r + 1, n_rows - 1), min(c + 1, n_columns - 1)
        fy, fx = np.float32(v - r), np.float32(u - c)
        a, b = total[r, c] / weight[r, c], total[r, right] / weight[r, right]
        upper = a + fx * (b - a)
        a, b = total[below, c] / weight[below, c], total[below, right] / weight[below, right]
        out[i] = upper + fy * (a + fx * (b - a) - upper)


@njit(nogil=True, cache=True, error_model="numpy")
def count_from(counts: NDArray[Any], limit: float, film: Flags) -> int:
    """Pixels of the film that reach a limit."""
    n = 0
    for y in range(counts.shape[0]):
        row, inside = counts[y], film[y]
        for x in range(row.shape[0]):
            n += (row[x] >= limit) & inside[x]
    return n
