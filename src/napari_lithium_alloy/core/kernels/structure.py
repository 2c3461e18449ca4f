"""Where a picture has structure, and pictures made small."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz"}
_LARGEST = np.finfo(np.float32).max


@njit(nogil=True, cache=True, error_model="numpy")
def light_in_squares(
    counts: NDArray[Any],
    dark: NDArray[np.float32],
    places: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """(N, S, S) counts less dark, 0 where not known, around (N, 2) pixels.

    Beyond an edge of the picture it goes on. `dark` is of each pixel or, with one row, of each
    column.
    """
    (height, width), side = counts.shape, out.shape[1]
    for n in range(out.shape[0]):
        top, left = places[n, 0] - side // 2, places[n, 1] - side // 2
        first = min(max(-left, 0), side)
        stop = max(min(width - left, side), first)
        for i in range(side):
            y = min(max(top + i, 0), height - 1)
            line, darks = counts[y, left + first :], dark[min(y, dark.shape[0] - 1), left + first :]
            own = out[n, i, first:stop]
            for j in range(own.shape[0]):
                value = np.float32(line[j]) - darks[j]
                own[j] = value if abs(value) <= _LARGEST else np.float32(0)
            if first or stop < side:
                out[n, i, :first], out[n, i, stop:] = own[0], own[-1]


@njit(nogil=True, cache=True, error_model="numpy")
def light_of_squares(
    counts: NDArray[Any], dark: NDArray[np.float32], side: int, out: NDArray[np.float32]
) -> None:
    """Means of counts less dark, 0 where not known, over squares of `side` pixels."""
    strip = np.zeros(counts.shape[1], dtype=np.float32)
    for y in range(out.shape[0] * side):
        line, darks = counts[y], dark[min(y, dark.shape[0] - 1)]
        for x in range(line.shape[0]):
            value = np.float32(line[x]) - darks[x]
            strip[x] += value if abs(value) <= _LARGEST else np.float32(0)
        if y % side == side - 1:
            _cells_of_strip(strip, side, out[y // side])
            strip[:] = 0


@njit(nogil=True, cache=True, error_model="numpy")
def _cells_of_strip(strip: NDArray[np.float32], side: int, cells: NDArray[np.float32]) -> None:
    for c in range(cells.shape[0]):
        total = np.float32(0)
        for x in range(c * side, (c + 1) * side):
            total += strip[x]
        cells[c] = total / np.float32(side * side)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sums_along(
    line: NDArray[np.float32],
    other: NDArray[np.float32],
    size: int,
    out: NDArray[np.float32],
) -> None:
    """Sums of `size` neighbours to the right, from sums of 1, 2, 4 ... of them.

    `line` and `other`, which is as long, are overwritten in turn: a loop over one array that
    reads what it writes is not made vectors.
    """
    width = out.shape[0]
    out[:] = 0
    done, power = 0, 1
    while power <= size:
        if size & power:
            part = line[done:]
            for x in range(width):
                out[x] += part[x]
            done += power
        longer = line[power:]
        for x in range(longer.shape[0]):
            other[x] = line[x] + longer[x]
        line, other = other, line
        power *= 2


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def box_mean(
    image: NDArray[np.float32], size: int, subtract: bool, out: NDArray[np.float32]
) -> None:
    """Mean over squares of an odd side, or the picture less that; beyond its edge it goes on."""
    height, width = image.shape
    half = size // 2
    columns = np.zeros(width, dtype=np.float64)
    padded = np.empty(width + size - 1, dtype=np.float32)
    other = np.zeros_like(padded)
    share = 1 / (size * size)
    for j in range(-half, half):
        row = image[min(max(j, 0), height - 1)]
        for x in range(width):
            columns[x] += row[x]
    for y in range(height):
        added = image[min(y + half, height - 1)]
        for x in range(width):
            columns[x] += added[x]
        for x in range(width):
            padded[half + x] = columns[x] * share
        padded[:half] = padded[half]
        padded[half + width :] = padded[half + width - 1]
        _sums_along(padded, other, size, out[y])
        if subtract:
            line, own = image[y], out[y]
            for x in range(width):
                own[x] = line[x] - own[x]
        gone = image[max(y - half, 0)]
        for x in range(width):
            columns[x] -= gone[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def gradient_energy(
    image: NDArray[np.float32], rows: tuple[int, int], out: NDArray[np.float32]
) -> None:
    """Square of the gradient in some rows: central differences, at the edges one-sided ones."""
    height, width = image.shape
    half = np.float32(0.5)
    for y in range(rows[0], rows[1]):
        above, below = image[max(y - 1, 0)], image[min(y + 1, height - 1)]
        scale = half if 0 < y < height - 1 else np.float32(1)
        line, own = image[y], out[y]
        left, right, inner = line[: width - 2], line[2:], own[1:]
        for x in range(width):
            down = scale * (below[x] - above[x])
            own[x] = down * down
        for x in range(width - 2):
            along = half * (right[x] - left[x])
            inner[x] += along * along
        own[0] += (line[1] - line[0]) ** 2
        own[width - 1] += (line[width - 1] - line[width - 2]) ** 2


@njit(nogil=True, cache=True, error_model="numpy")
def _is_peak(energy: NDArray[np.float32], y: int, x: int, reach: int) -> bool:
    height, width = energy.shape
    for i in range(max(y - reach, 0), min(y + reach + 1, height)):
        for j in range(max(x - reach, 0), min(x + reach + 1, width)):
            if energy[i, j] > energy[y, x]:
                return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def peaks_above(energy: NDArray[np.float32], least: float, border: int, reach: int) -> Any:
    """(N, 2) rows and columns of pixels off the border that none within `reach` exceeds."""
    height, width = energy.shape
    found = []
    may_be = np.zeros(width, dtype=np.uint8)
    floor = np.float32(least)
    for y in range(border, height - border):
        above, line, below = energy[y - 1], energy[y], energy[y + 1]
        left, middle, right = line[: width - 2], line[1 : width - 1], line[2:]
        inner, upper, lower = may_be[1:], above[1:], below[1:]
        for x in range(width - 2):
            # All compared, as without a branch the loop is vectors.
            value = middle[x]
            along = (value >= left[x]) & (value >= right[x])
            inner[x] = (value > floor) & along & (value >= upper[x]) & (value >= lower[x])
        for x in range(border, width - border):
            if may_be[x] and _is_peak(energy, y, x, reach):
                found.append((y, x))
    out = np.empty((len(found), 2), dtype=np.int64)
    for i, place in enumerate(found):
        out[i, 0], out[i, 1] = place
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def far_from(
    places: NDArray[np.int64], taken: NDArray[np.float64], reach: int, most: int
) -> NDArray[np.int64]:
    """The first so many places further than `reach` rows or columns from all that are taken."""
    out = np.empty((min(most, places.shape[0]), 2), dtype=np.int64)
    n = 0
    for i in range(places.shape[0]):
        if n == out.shape[0]:
            break
        free = True
        for k in range(taken.shape[0]):
            down = abs(places[i, 0] - np.rint(taken[k, 0]))
            free &= max(down, abs(places[i, 1] - np.rint(taken[k, 1]))) > reach
        if free:
            out[n] = places[i]
            n += 1
    return out[:n]
