"""Brightness of some cells and pixels of a picture."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Packed = NDArray[np.float32]


@njit(nogil=True, cache=True, error_model="numpy")
def fill_cells(
    light: Picture, flat: Picture, outside: Picture, cell: int, cells: NDArray[np.int32],
    out: Picture,
) -> None:  # fmt: skip
    """Mean brightness over squares, off the film outside the support 0; the last take the rest.

    `outside` is 1 for film outside the support.
    """
    height, width = light.shape
    n_rows, n_columns = out.shape
    for i in range(cells.shape[0]):
        r, c = cells[i] // n_columns, cells[i] % n_columns
        bottom = height if r == n_rows - 1 else (r + 1) * cell
        right = width if c == n_columns - 1 else (c + 1) * cell
        total = np.float32(0)
        for y in range(r * cell, bottom):
            for x in range(c * cell, right):
                if outside[y, x] > 0:
                    total += light[y, x] / flat[y, x]
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
