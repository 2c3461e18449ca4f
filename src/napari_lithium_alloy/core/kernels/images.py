"""Smoothing, sums of frames and maps between grids, a block of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.crossings import cell_row, sum_of_cells
from napari_lithium_alloy.core.kernels.logarithm import log32

_FAST = {"reassoc", "contract", "nsz"}
_LANES = 32
"""Pixels beside each other whose own frames are gone through at once."""


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


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def add_frame(
    counts: NDArray[Any],
    factor: np.float32,
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
            value = (np.float32(counts[y, x]) - dark[y, x]) * factor
            sum_light[y, x] += value
            sum_log[y, x] += sign * log32(max(value, least))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_own(
    row: NDArray[Any],
    t: np.int32,
    factor: np.float32,
    light: tuple[np.float32, np.float32],
    own: NDArray[np.int32],
    room: NDArray[np.float32],
) -> None:
    """Add a frame's logarithm of light and light to those of `_LANES` pixels whose own it is.

    `own` are their first frames and those after their last; `room` their sums and dark counts.
    """
    least, sign = light
    for i in range(_LANES):
        counts = (t >= own[i]) & (t < own[_LANES + i])
        value = (np.float32(row[i]) - room[2 * _LANES + i]) * factor
        log = sign * log32(max(value, least))
        room[i] += log if counts else np.float32(0)
        room[_LANES + i] += value if counts else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def mean_of_own_frames(
    counts: NDArray[Any],
    factor: NDArray[np.float32],
    dark: NDArray[np.float32],
    light: tuple[float, bool],
    own: tuple[NDArray[np.int32], NDArray[np.int32]],
    rows: tuple[int, int],
    mean_log: NDArray[np.float32],
    mean_light: NDArray[np.float32],
) -> None:
    """Mean logarithm of light and mean light over frames of each pixel's own choice.

    `own` are the first of them, and that after the last; `light` as for `add_frame`.
    """
    how = np.float32(light[0]), np.float32(-1) if light[1] else np.float32(1)
    width = counts.shape[2]
    spans, room = np.empty(2 * _LANES, np.int32), np.empty(3 * _LANES, np.float32)
    some = np.zeros(_LANES, counts.dtype)
    for y in range(rows[0], rows[1]):
        for left in range(0, width, _LANES):
            n = min(_LANES, width - left)
            spans[:], room[:] = 0, 0
            spans[:n], spans[_LANES : _LANES + n] = (
                own[0][y, left : left + n], own[1][y, left : left + n]
            )  # fmt: skip
            room[2 * _LANES : 2 * _LANES + n] = dark[y, left : left + n]
            for t in range(spans[:n].min(), spans[_LANES : _LANES + n].max()):
                if n == _LANES:
                    _add_own(counts[t, y, left:], np.int32(t), factor[t], how, spans, room)
                else:
                    some[:n] = counts[t, y, left:]
                    _add_own(some, np.int32(t), factor[t], how, spans, room)
            for i in range(n):
                frames = np.float32(spans[_LANES + i] - spans[i])
                mean_log[y, left + i] = room[i] / frames
                mean_light[y, left + i] = room[_LANES + i] / frames


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
