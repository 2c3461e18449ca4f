"""What images have in common far and wide beside discs, by means over cells."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.disc_pixels import FAST, Floats


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def background_sums(
    loss: Floats,
    free: Floats,
    film: NDArray[np.bool_],
    share: Floats,
    full: np.float32,
    least: np.float32,
    cell: int,
    rows: tuple[int, int],
    sums: Floats,
    known: Floats,
) -> None:
    """Means over cells of what discs leave of the losses, and of where that is background.

    Parameters
    ----------
    loss, free : (K, Y, X) float32 array
    film : (Y, X) bool array
    share : (K,) float32 array
        Of each image's frames of all.
    full : float
    least : float
        Share free of lithium from which a pixel is background.
    cell : int
        Side of a cell; a last cell takes the rows and columns that are left over.
    rows : (int, int)
        Of cells.
    sums : (K, y, x) float32 array
        Out: of the background, 0 elsewhere.
    known : (y, x) float32 array
        Out: share that is background.
    """
    n, height, width = loss.shape
    strips, there = np.empty((n, width), np.float32), np.empty(width, np.float32)
    mean, own = np.empty(width, np.float32), np.empty(width, np.float32)
    zero, one = np.float32(0), np.float32(1)
    for r in range(rows[0], rows[1]):
        bottom = height if r == known.shape[0] - 1 else (r + 1) * cell
        strips[:] = 0
        there[:] = 0
        for y in range(r * cell, bottom):
            mean[:] = 0
            own[:] = 1
            for k in range(n):
                row = free[k, y]
                for x in range(width):
                    mean[x] += share[k] * row[x]
                    own[x] = min(own[x], row[x])
            for x in range(width):
                own[x] = one if own[x] > least and film[y, x] else zero
                there[x] += own[x]
            for k in range(n):
                row, lost, strip = free[k, y], loss[k, y], strips[k]
                for x in range(width):
                    strip[x] += own[x] * (lost[x] + full * (row[x] - mean[x]))
        for c in range(known.shape[1]):
            right = width if c == known.shape[1] - 1 else (c + 1) * cell
            pixels = np.float32((bottom - r * cell) * (right - c * cell))
            known[r, c] = there[c * cell : right].sum() / pixels
            for k in range(n):
                sums[k, r, c] = strips[k, c * cell : right].sum() / pixels


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def take_off_cells(
    image: Floats,
    film: NDArray[np.bool_],
    cells: Floats,
    cell: int,
    rows: tuple[int, int],
) -> None:
    """Take from an image values of cells, between their centres, where there is film."""
    n_rows, n_columns = cells.shape
    width = image.shape[1]
    line, step = np.zeros(n_columns + 1, np.float32), np.zeros(n_columns + 1, np.float32)
    at, beyond = np.empty(width, np.int32), np.empty(width, np.float32)
    for x in range(width):
        u = min(max((x + 0.5) / cell - 0.5, 0.0), n_columns - 1.0)
        at[x] = np.int32(u)
        beyond[x] = np.float32(u - at[x])
    for y in range(rows[0], rows[1]):
        v = min(max((y + 0.5) / cell - 0.5, 0.0), n_rows - 1.0)
        i = min(int(v), max(n_rows - 2, 0))
        below, f = min(i + 1, n_rows - 1), np.float32(v - i)
        for c in range(n_columns):
            line[c] = cells[i, c] + f * (cells[below, c] - cells[i, c])
        for c in range(n_columns - 1):
            step[c] = line[c + 1] - line[c]
        row, own = image[y], film[y]
        for x in range(width):
            value = line[at[x]] + beyond[x] * step[at[x]]
            row[x] -= value if own[x] else np.float32(0)
