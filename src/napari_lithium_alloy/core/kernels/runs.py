"""Filters of a picture in some pixels only, given as runs of neighbours in a row.

Runs are an (n, 3) int32 array: row, first column, that after the last. The pictures are whole,
but hold values only where an earlier filter has put them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.images import mirrored

Picture = NDArray[np.float32]
Runs = NDArray[np.int32]
Flags = NDArray[np.bool_]
_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy")
def dilate(mask: Flags, reach: int, out: Flags) -> None:
    """Pixels within some rows and columns of those of a mask."""
    height, width = mask.shape
    rows = np.zeros((height, width), dtype=np.bool_)
    for y in range(height):
        stop = 0
        for x in range(width):
            if mask[y, x]:
                first = max(stop, x - reach)
                stop = min(x + reach + 1, width)
                rows[y, first:stop] = True
    below = np.zeros(width, dtype=np.int32)  # rows for which a pixel above still counts
    for y in range(height):
        for x in range(width):
            below[x] = reach + 1 if rows[y, x] else max(below[x] - 1, 0)
            out[y, x] = below[x] > 0
    below[:] = 0
    for y in range(height - 1, -1, -1):
        for x in range(width):
            below[x] = reach + 1 if rows[y, x] else max(below[x] - 1, 0)
            out[y, x] |= below[x] > 0


@njit(nogil=True, cache=True, error_model="numpy")
def find_runs(mask: Flags, out: Runs) -> int:
    """Fill the runs of a mask; how many there are, which may be more than fit."""
    n = 0
    for y in range(mask.shape[0]):
        inside = False
        for x in range(mask.shape[1] + 1):
            now = x < mask.shape[1] and mask[y, x]
            if now and not inside and n < out.shape[0]:
                out[n, 0] = y
                out[n, 1] = x
            if inside and not now:
                if n < out.shape[0]:
                    out[n, 2] = x
                n += 1
            inside = now
    return n


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def fill_brightness(
    counts: NDArray[Any],
    dark: Picture,
    flat: Picture,
    runs: Runs,
    out: Picture,
) -> None:
    """Brightness relative to the pristine film."""
    for i in range(runs.shape[0]):
        y, first, stop = runs[i]
        for x in range(first, stop):
            out[y, x] = (np.float32(counts[y, x]) - dark[y, x]) / flat[y, x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def times(image: Picture, other: Picture, runs: Runs, out: Picture) -> None:
    """Product of two pictures."""
    for i in range(runs.shape[0]):
        y, first, stop = runs[i]
        for x in range(first, stop):
            out[y, x] = image[y, x] * other[y, x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _blurred_run(
    image: Picture, weights: Picture, run: Runs, line: Picture, out: Picture
) -> None:
    height, width = image.shape
    half = weights.shape[0] // 2
    y, first, stop = run[0], run[1], run[2]
    left, right = max(first - half, 0), min(stop + half, width)
    inner = line[half + left - first : half + right - first]
    n = right - left
    inner[:] = 0
    for j in range(-half, half + 1):
        row, weight = image[mirrored(y + j, height), left:right], weights[j + half]
        for x in range(n):
            inner[x] += weight * row[x]
    for x in range(first - half, left):
        line[x - first + half] = line[mirrored(x, width) - first + half]
    for x in range(right, stop + half):
        line[x - first + half] = line[mirrored(x, width) - first + half]
    target = out[y, first:stop]
    middle = line[half:]
    for x in range(stop - first):
        target[x] = weights[half] * middle[x]
    for j in range(1, half + 1):
        weight, before, after = weights[half + j], line[half - j :], line[half + j :]
        for x in range(stop - first):
            target[x] += weight * (before[x] + after[x])


@njit(nogil=True, cache=True, error_model="numpy")
def blur_runs(image: Picture, weights: Picture, runs: Runs, out: Picture) -> None:
    """The image convolved with weights (odd in number) along both axes, mirrored at the edges."""
    line = np.empty(image.shape[1] + weights.shape[0], dtype=np.float32)
    for i in range(runs.shape[0]):
        _blurred_run(image, weights, runs[i], line, out)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def fill_share(
    brightness: Picture,
    level: tuple[Picture, Picture, Picture],
    least_weight: float,
    substrate: float,
    runs: Runs,
    out: Picture,
) -> None:
    """Hole share; the film's level is the first picture over the second, or the third.

    That is where the second, the weight, is not over the least.
    """
    near, weight, far = level
    full, least = np.float32(substrate), np.float32(least_weight)
    for i in range(runs.shape[0]):
        y, first, stop = runs[i]
        for x in range(first, stop):
            film = near[y, x] / weight[y, x] if weight[y, x] > least else far[y, x]
            out[y, x] = (brightness[y, x] - film) / (full - film)


@njit(nogil=True, cache=True, error_model="numpy")
def clip_share(share: Picture, film: Flags, least: float, runs: Runs, out: Picture) -> None:
    """Share of the film's pixels, at least this; 0 where it is not known and off the film."""
    lowest = np.float32(least)
    for i in range(runs.shape[0]):
        y, first, stop = runs[i]
        for x in range(first, stop):
            known = film[y, x] and np.isfinite(share[y, x])
            out[y, x] = max(share[y, x], lowest) if known else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def add_laplace(
    image: Picture, share: tuple[float, float], runs: Runs, out: Picture
) -> None:
    """So much of the image, and so much of its Laplacian, mirrored at the edges."""
    height, width = image.shape
    own, part = np.float32(share[0]), np.float32(share[1])
    for i in range(runs.shape[0]):
        y, first, stop = runs[i]
        above, row, below = image[max(y - 1, 0)], image[y], image[min(y + 1, height - 1)]
        for x in range(first, stop):
            sides = row[max(x - 1, 0)] + row[min(x + 1, width - 1)]
            laplace = above[x] + below[x] + sides - np.float32(4) * row[x]
            out[y, x] = own * row[x] + part * laplace


@njit(nogil=True, cache=True, error_model="numpy")
def over_nearby(
    image: Picture, level: float, reach: int, at: NDArray[np.int32], out: Flags
) -> None:
    """Whether the image is over a level within some rows and columns of each pixel of a list."""
    height, width = image.shape
    for i in range(at.shape[0]):
        y, x = at[i] // width, at[i] % width
        found = False
        for v in range(max(y - reach, 0), min(y + reach + 1, height)):
            for u in range(max(x - reach, 0), min(x + reach + 1, width)):
                found |= image[v, u] > level
        out[i] = found


@njit(nogil=True, cache=True, error_model="numpy")
def fill_cells(
    image: Picture, valid: Picture, cell: int, cells: NDArray[np.int32], out: Picture
) -> None:
    """Means over squares, others than valid pixels as 0; the last take what is left over."""
    height, width = image.shape
    n_rows, n_columns = out.shape
    for i in range(cells.shape[0]):
        r, c = cells[i] // n_columns, cells[i] % n_columns
        bottom = height if r == n_rows - 1 else (r + 1) * cell
        right = width if c == n_columns - 1 else (c + 1) * cell
        total = np.float32(0)
        for y in range(r * cell, bottom):
            for x in range(c * cell, right):
                total += image[y, x] if valid[y, x] > 0 else np.float32(0)
        out[r, c] = total / np.float32((bottom - r * cell) * (right - c * cell))


@njit(nogil=True, cache=True, error_model="numpy")
def between_cells_at(
    cells: tuple[Picture, Picture], cell: int, at: NDArray[np.int32], width: int, out: Picture
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


@njit(nogil=True, cache=True, error_model="numpy")
def mark_near(
    image: Picture, level: float, reach: int, wide: Runs, runs: Runs, out: Flags
) -> None:
    """Whether the image is over a level within some rows and columns, for the pixels of `runs`.

    `wide` are the runs of all that is as near; marks elsewhere mean nothing.
    """
    height, width = image.shape
    for i in range(runs.shape[0]):
        out[runs[i, 0], runs[i, 1] : runs[i, 2]] = False
    for i in range(wide.shape[0]):
        y = wide[i, 0]
        for x in range(wide[i, 1], wide[i, 2]):
            if image[y, x] > level:
                left, right = max(x - reach, 0), min(x + reach + 1, width)
                for v in range(max(y - reach, 0), min(y + reach + 1, height)):
                    out[v, left:right] = True


@njit(nogil=True, cache=True, error_model="numpy")
def steps_of(image: Picture, runs: Runs, out: Picture) -> None:
    """Size of the steps from each pixel to the next, run after run."""
    n = 0
    for i in range(runs.shape[0]):
        row = image[runs[i, 0]]
        for x in range(runs[i, 1], runs[i, 2] - 1):
            out[n] = abs(row[x + 1] - row[x])
            n += 1


@njit(nogil=True, cache=True, error_model="numpy")
def quiet_below(
    image: Picture, film: Flags, near: Flags, runs: Runs, out: Picture
) -> tuple[int, int, int]:
    """Depths below 0 of the film's pixels that are not marked; how many, of how many, of film."""
    n = quiet = known = 0
    for i in range(runs.shape[0]):
        y = runs[i, 0]
        for x in range(runs[i, 1], runs[i, 2]):
            if not film[y, x]:
                continue
            known += 1
            if near[y, x]:
                continue
            quiet += 1
            if image[y, x] < 0:
                out[n] = -image[y, x]
                n += 1
    return n, quiet, known
