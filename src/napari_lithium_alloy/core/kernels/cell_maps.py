"""Maps on squares of pixels, and between them, a block of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.crossings import cell_row, sum_of_cells

_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def light_of_cells(
    counts: NDArray[Any],
    factor: NDArray[np.float32],
    dark: NDArray[np.float32],
    valid: NDArray[np.bool_],
    cell: int,
    row: int,
    out: NDArray[np.float32],
) -> None:
    """Mean light of the valid pixels of one row of cells in every frame; NaN where none is.

    Parameters
    ----------
    counts : (T, Y, X) array
    factor : (T,) float32 array
        Light is counts less dark times it.
    dark : (Y, X) float32 array
    valid : (Y, X) bool array
    cell : int
        Side of a cell, pixels; a last cell takes the rows and columns that are left over.
    row : int
    out : (T, X // cell) float32 array
    """
    height, width = dark.shape
    n = out.shape[1]
    top = row * cell
    bottom = height if top + 2 * cell > height else top + cell
    strip, under = np.empty(width, dtype=np.float32), np.zeros(width, dtype=np.float32)
    pixels, totals = np.zeros(n, dtype=np.float32), np.empty(n, dtype=np.float32)
    every = True
    for y in range(top, bottom):
        for x in range(width):
            pixels[min(x // cell, n - 1)] += np.float32(1) if valid[y, x] else np.float32(0)
            under[x] += dark[y, x]
            every &= valid[y, x]
    unlit = np.empty(n, dtype=np.float32)
    sum_of_cells(under, cell, unlit)
    for t in range(counts.shape[0]):
        if every:
            cell_row(counts[t], top, bottom, cell, strip, totals)
            for c in range(n):
                out[t, c] = factor[t] * (totals[c] - unlit[c]) / pixels[c]
            continue
        strip[:] = 0
        for y in range(top, bottom):
            for x in range(width):
                value = np.float32(counts[t, y, x]) - dark[y, x]
                strip[x] += value if valid[y, x] else np.float32(0)
        sum_of_cells(strip, cell, totals)
        for c in range(n):
            out[t, c] = factor[t] * totals[c] / pixels[c] if pixels[c] > 0 else np.float32(np.nan)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _between_lines(
    above: NDArray[np.float32],
    below: NDArray[np.float32],
    share: np.float32,
    out: NDArray[np.float32],
) -> None:
    for c in range(above.shape[0]):
        out[c] = above[c] + share * (below[c] - above[c])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _between_points(
    line: NDArray[np.float32],
    at: NDArray[np.int32],
    share: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for x in range(out.shape[0]):
        value = line[at[x]]
        out[x] = value + share[x] * (line[at[x] + 1] - value)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _between_fours(line: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """As `_between_points`, from the first centre of cells of four pixels to the last."""
    eighth, quarter = np.float32(0.125), np.float32(0.25)
    later = line[1:]
    for c in range(later.shape[0]):
        step = later[c] - line[c]
        first, k = line[c] + eighth * step, np.int64(4) * c
        out[k] = first
        out[k + 1] = first + quarter * step
        out[k + 2] = first + (quarter + quarter) * step
        out[k + 3] = first + (quarter + quarter + quarter) * step


@njit(nogil=True, cache=True, error_model="numpy")
def between_cells(
    cells: NDArray[np.float32], cell: int, rows: tuple[int, int], out: NDArray[np.float32]
) -> None:
    """Values of cells at their pixels, by bilinear interpolation between the cells' centres."""
    n_rows, n_columns = cells.shape
    width = out.shape[1]
    line = np.empty(n_columns + 1, dtype=np.float32)
    at, share = np.empty(width, dtype=np.int32), np.empty(width, dtype=np.float32)
    for x in range(width):
        u = min(max((x + 0.5) / cell - 0.5, 0.0), n_columns - 1.0)
        at[x] = int(u)
        share[x] = u - int(u)
    # Pixels on the outer sides of the first and the last cells' centres.
    first, last = (2, 4 * n_columns - 2) if cell == 4 else (0, 0)
    for y in range(rows[0], rows[1]):
        v = min(max((y + 0.5) / cell - 0.5, 0.0), n_rows - 1.0)
        i = int(v)
        below = cells[min(i + 1, n_rows - 1)]
        _between_lines(cells[i], below, np.float32(v - i), line[:n_columns])
        line[n_columns] = line[n_columns - 1]
        row = out[y]
        if last > first:
            _between_fours(line[:n_columns], row[first:last])
            _between_points(line, at[:first], share[:first], row[:first])
        _between_points(line, at[last:], share[last:], row[last:])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def mean_of_cells(
    image: NDArray[np.float32], cell: int, rows: tuple[int, int], out: NDArray[np.float32]
) -> None:
    """Means over squares of pixels; the last take the rows and columns that are left over."""
    n_rows, n_columns = out.shape
    height, width = image.shape
    strip = np.empty(width, dtype=np.float32)
    for r in range(rows[0], rows[1]):
        bottom = height if r == n_rows - 1 else (r + 1) * cell
        means = out[r]
        cell_row(image, r * cell, bottom, cell, strip, means)
        share = np.float32(1 / ((bottom - r * cell) * cell))
        for c in range(n_columns):
            means[c] *= share
        means[n_columns - 1] *= np.float32(cell / (width - (n_columns - 1) * cell))


@njit(nogil=True, cache=True, error_model="numpy")
def sums_of_cells(
    image: NDArray[Any], cell: int, rows: tuple[int, int], out: NDArray[np.float64]
) -> None:
    """Sums over squares of pixels; a remainder is left out."""
    for r in range(rows[0], rows[1]):
        out[r] = 0
        for y in range(r * cell, (r + 1) * cell):
            for c in range(out.shape[1]):
                total = 0.0
                for x in range(c * cell, (c + 1) * cell):
                    total += image[y, x]
                out[r, c] += total
