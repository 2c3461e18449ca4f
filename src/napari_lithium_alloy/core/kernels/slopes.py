"""Gradients of smooth maps with what smoothing took of their curvature given back."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Line = NDArray[np.float32]
_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _laplacian_row(image: Picture, y: int, scale: np.float32, out: Line) -> None:
    """Of a row, times a scale; 0 at the edges of the field."""
    out[:] = 0
    if not 0 < y < image.shape[0] - 1:
        return
    above, row, below = image[y - 1], image[y], image[y + 1]
    left, right, inner = row[:-2], row[2:], out[1:]
    up, middle, down = above[1:], row[1:], below[1:]
    for x in range(left.shape[0]):
        around = up[x] + down[x] + left[x] + right[x]
        inner[x] = scale * (around - np.float32(4) * middle[x])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _down(above: Line, below: Line, steps: int, out: Line) -> None:
    scale = np.float32(1) / np.float32(steps)
    for x in range(out.shape[0]):
        out[x] = scale * (below[x] - above[x])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _along(row: Line, out: Line) -> None:
    last = row.shape[0] - 1
    left, right, inner = row[:-2], row[2:], out[1:]
    for x in range(left.shape[0]):
        inner[x] = np.float32(0.5) * (right[x] - left[x])
    out[0], out[last] = row[1] - row[0], row[last] - row[last - 1]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _give_back(
    down: Line, along: Line, share: np.float32, y_out: Line, x_out: Line, bias: Line
) -> None:
    for x in range(bias.shape[0]):
        y_out[x] -= down[x]
        x_out[x] -= along[x]
        bias[x] = share * np.sqrt(down[x] * down[x] + along[x] * along[x])


@njit(nogil=True, cache=True, error_model="numpy")
def slopes(
    smooth: Picture,
    flattening: float,
    share: float,
    rows: tuple[int, int],
    out: tuple[Picture, Picture, Picture],
) -> None:
    """Slopes down and along some rows, and what may be wrong with what was given back.

    Parameters
    ----------
    smooth : (Y, X) float32 array
        At least three rows and columns.
    flattening : float
        What smoothing took, of the Laplacian.
    share : float
        Of what is given back, what may be wrong.
    rows : tuple
    out : three float32 arrays
        Of those rows: the first is that of `rows[0]`.
    """
    height, width = smooth.shape
    bent = np.empty((3, width), np.float32)
    down, along = np.empty(width, np.float32), np.empty(width, np.float32)
    scale = np.float32(flattening)
    for y in range(rows[0], rows[1]):
        i = y - rows[0]
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        _down(smooth[above], smooth[below], below - above, out[0][i])
        _along(smooth[y], out[1][i])
        _laplacian_row(smooth, above, scale, bent[0])
        _laplacian_row(smooth, y, scale, bent[1])
        _laplacian_row(smooth, below, scale, bent[2])
        _down(bent[0], bent[2], below - above, down)
        _along(bent[1], along)
        _give_back(down, along, np.float32(share), out[0][i], out[1][i], out[2][i])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def lengths(y: Picture, x: Picture, rows: tuple[int, int], out: Picture) -> None:
    """Lengths of vectors."""
    for i in range(rows[0], rows[1]):
        first, second, target = y[i], x[i], out[i]
        for j in range(target.shape[0]):
            target[j] = np.sqrt(first[j] * first[j] + second[j] * second[j])
