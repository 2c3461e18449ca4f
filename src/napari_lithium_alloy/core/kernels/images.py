"""Smoothing of maps, and what lies around each pixel, a block of rows at a time."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def mirrored(i: int, n: int) -> int:
    """The place of n that a place beyond them is the mirror image of."""
    while i < 0 or i >= n:
        i = -1 - i if i < 0 else 2 * n - 1 - i
    return i


@njit(nogil=True, cache=True, error_model="numpy")
def _weights_at(
    weights: NDArray[np.float32], i: int, n: int, straight: bool, out: NDArray[np.float32]
) -> None:
    """Weights of the n pixels of a line around the i-th, added to `out`.

    Beyond an edge they are those of the mirrored pixels or, if `straight`, there are none and
    the others are such that a straight line keeps its values (local linear regression).
    """
    half = weights.shape[0] // 2
    out[:] = 0
    s0 = s1 = s2 = np.float32(0)
    for j in range(-half, half + 1):
        if 0 <= i + j < n:
            s0 += weights[j + half]
            s1 += weights[j + half] * j
            s2 += weights[j + half] * j * j
    spread = s0 * s2 - s1 * s1
    for j in range(-half, half + 1):
        weight = weights[j + half]
        if not straight:
            out[mirrored(i + j, n) - i + 2 * half] += weight
        elif 0 <= i + j < n:
            out[j + 2 * half] = weight * (s2 - j * s1) / spread if spread > 0 else weight / s0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _along_row(
    line: NDArray[np.float32],
    weights: NDArray[np.float32],
    straight: bool,
    out: NDArray[np.float32],
) -> None:
    """A row convolved with weights; those at its ends as `_weights_at` says."""
    width, half = line.shape[0], weights.shape[0] // 2
    inner = max(width - 2 * half, 0)
    middle = out[half : half + inner]
    for x in range(inner):
        middle[x] = weights[half] * line[half + x]
    for j in range(1, half + 1):
        weight = weights[half + j]
        # Parts of the row, since an index that may be negative keeps a loop from being vectors.
        left, right = line[half - j :], line[half + j :]
        for x in range(inner):
            middle[x] += weight * (left[x] + right[x])
    near = np.zeros(4 * half + 1, dtype=np.float32)
    for k in range(min(width, 2 * half)):
        x = k if k < half or not inner else k + inner
        _weights_at(weights, x, width, straight, near)
        total = np.float32(0)
        for j in range(-2 * half, 2 * half + 1):
            if near[j + 2 * half] != 0:
                total += near[j + 2 * half] * line[x + j]
        out[x] = total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_row(row: NDArray[np.float32], weight: np.float32, line: NDArray[np.float32]) -> None:
    for x in range(line.shape[0]):
        line[x] += weight * row[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_pairs(
    four: tuple[NDArray[np.float32], ...],
    weights: tuple[np.float32, np.float32],
    line: NDArray[np.float32],
) -> None:
    """Add two pairs of rows at once, since each time the sum so far is read and written."""
    a, b, c, d = four
    near, far = weights
    for x in range(line.shape[0]):
        line[x] += near * (a[x] + b[x]) + far * (c[x] + d[x])


@njit(nogil=True, cache=True, error_model="numpy")
def blur(
    image: NDArray[np.float32],
    weights: NDArray[np.float32],
    straight: bool,
    rows: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """The image convolved with weights (odd in number) along both axes.

    Beyond the edges it is mirrored or, if `straight`, taken as going straight on.
    """
    height, width = image.shape
    half = weights.shape[0] // 2
    line = np.empty(width, dtype=np.float32)
    near = np.zeros(4 * half + 1, dtype=np.float32)
    for y in range(rows[0], rows[1]):
        line[:] = 0
        if half <= y < height - half:
            _add_row(image[y], weights[half], line)
            for j in range(1, half, 2):
                four = image[y - j], image[y + j], image[y - j - 1], image[y + j + 1]
                _add_pairs(four, (weights[half + j], weights[half + j + 1]), line)
            if half % 2:
                _add_row(image[y - half], weights[0], line)
                _add_row(image[y + half], weights[0], line)
        else:
            _weights_at(weights, y, height, straight, near)
            for j in range(-2 * half, 2 * half + 1):
                if near[j + 2 * half] != 0:
                    _add_row(image[y + j], near[j + 2 * half], line)
        _along_row(line, weights, straight, out[y])


@njit(nogil=True, cache=True, error_model="numpy")
def running_totals(trace: NDArray[np.float32], out: NDArray[np.float64]) -> None:
    """Sums of the first 0, 1, ... T of (T, n) values; numpy's are many times slower."""
    out[0] = 0
    for t in range(trace.shape[0]):
        for c in range(trace.shape[1]):
            out[t + 1, c] = out[t, c] + trace[t, c]


@njit(nogil=True, cache=True, error_model="numpy")
def count_below(
    trace: NDArray[np.float32], levels: NDArray[np.float32], out: NDArray[np.int32]
) -> None:
    """Add to (K, n) counts how many of (T, n) values are below each of (K, n) levels."""
    for t in range(trace.shape[0]):
        values = trace[t]
        for k in range(levels.shape[0]):
            level, counts = levels[k], out[k]
            for c in range(values.shape[0]):
                counts[c] += np.int32(values[c] < level[c])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def add_laplace(
    image: NDArray[np.float32],
    shares: tuple[float, float],
    rows: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """So much of the image, and so much of its Laplacian, mirrored at the edges."""
    height, width = image.shape
    own, part = np.float32(shares[0]), np.float32(shares[1])
    for y in range(rows[0], rows[1]):
        above, row, below = image[max(y - 1, 0)], image[y], image[min(y + 1, height - 1)]
        target = out[y]
        for x in range(1, width - 1):
            around = above[x] + below[x] + row[x - 1] + row[x + 1]
            target[x] = own * row[x] + part * (around - np.float32(4) * row[x])
        for x in (0, width - 1):
            around = above[x] + below[x] + row[max(x - 1, 0)] + row[min(x + 1, width - 1)]
            target[x] = own * row[x] + part * (around - np.float32(4) * row[x])


@njit(nogil=True, cache=True, error_model="numpy")
def highest_around(
    image: NDArray[np.float32], reach: int, at: NDArray[np.int32], out: NDArray[np.float32]
) -> None:
    """Highest value within some rows and columns of each pixel of a list of flat indices."""
    width = image.shape[1]
    for i in range(at.shape[0]):
        y, x = at[i] // width, at[i] % width
        part = image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        out[i] = part.max()


@njit(nogil=True, cache=True, error_model="numpy")
def mark_around(
    image: NDArray[np.float32],
    level: float,
    reach: int,
    rows: tuple[int, int],
    out: NDArray[np.bool_],
) -> None:
    """Pixels within some rows and columns of those over a level."""
    height, width = image.shape
    nearest = np.zeros(width, dtype=np.int32)  # rows for which a pixel above still counts
    for y in range(max(rows[0] - reach, 0), rows[1] + reach):
        for x in range(width):
            over = y < height and image[y, x] > level
            nearest[x] = 2 * reach + 1 if over else max(nearest[x] - 1, 0)
        if y - reach >= rows[0]:
            _widen(nearest, reach, out[y - reach])


@njit(nogil=True, cache=True, error_model="numpy")
def _widen(line: NDArray[np.int32], reach: int, out: NDArray[np.bool_]) -> None:
    out[:] = False
    stop = 0
    for x in range(line.shape[0]):
        if line[x] > 0:
            first = max(stop, x - reach)
            stop = min(x + reach + 1, line.shape[0])
            out[first:stop] = True
