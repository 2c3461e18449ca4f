"""Smoothing, sums of frames and maps between grids, a block of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.logarithm import log32

_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _mirrored(i: int, n: int) -> int:
    while i < 0 or i >= n:
        i = -1 - i if i < 0 else 2 * n - 1 - i
    return i


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def blur(
    image: NDArray[np.float32],
    weights: NDArray[np.float32],
    rows: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """The image convolved with weights (odd in number) along both axes, mirrored at the edges."""
    height, width = image.shape
    half = weights.shape[0] // 2
    padded = np.empty(width + 2 * half, dtype=np.float32)
    for y in range(rows[0], rows[1]):
        padded[:] = 0
        for j in range(-half, half + 1):
            weight, source = weights[j + half], _mirrored(y + j, height)
            for x in range(width):
                padded[half + x] += weight * image[source, x]
        for x in range(half):
            padded[half - 1 - x] = padded[half + _mirrored(x, width)]
            padded[half + width + x] = padded[half + _mirrored(width + x, width)]
        for x in range(width):
            out[y, x] = weights[0] * padded[x]
        for j in range(1, 2 * half + 1):
            weight = weights[j]
            for x in range(width):
                out[y, x] += weight * padded[x + j]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def add_frame(
    counts: NDArray[Any],
    dark: NDArray[np.float32],
    light: tuple[float, bool],
    sum_log: NDArray[np.float32],
    sum_light: NDArray[np.float32],
) -> None:
    """Add one frame's logarithm of light, positive the way looked for, and its light."""
    least = np.float32(light[0])
    sign = np.float32(-1) if light[1] else np.float32(1)
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            value = np.float32(counts[y, x]) - dark[y, x]
            sum_light[y, x] += value
            sum_log[y, x] += sign * log32(max(value, least))


@njit(nogil=True, cache=True, error_model="numpy")
def between_cells(
    cells: NDArray[np.float32], cell: int, rows: tuple[int, int], out: NDArray[np.float32]
) -> None:
    """Values of cells at their pixels, by bilinear interpolation between the cells' centres."""
    n_rows, n_columns = cells.shape
    for y in range(rows[0], rows[1]):
        v = min(max((y + 0.5) / cell - 0.5, 0.0), n_rows - 1.0)
        i = min(int(v), max(n_rows - 2, 0))
        below = min(i + 1, n_rows - 1)
        fy = np.float32(v - i)
        for x in range(out.shape[1]):
            u = min(max((x + 0.5) / cell - 0.5, 0.0), n_columns - 1.0)
            j = min(int(u), max(n_columns - 2, 0))
            right = min(j + 1, n_columns - 1)
            fx = np.float32(u - j)
            upper = cells[i, j] + fx * (cells[i, right] - cells[i, j])
            lower = cells[below, j] + fx * (cells[below, right] - cells[below, j])
            out[y, x] = upper + fy * (lower - upper)
