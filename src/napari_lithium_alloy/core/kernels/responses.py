"""Extrema of a matched filter's responses in a block of a picture, a few rows at a time."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.marks import list_marked

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
_FAST = {"reassoc", "contract", "nsz"}
_STRIP = 16
"""Rows of all responses that stay in the cache."""


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _doubled(halves: Floats, first: int, line: Floats, out: Floats) -> None:
    """Values at pixels, from those of a picture of half the size, by polynomials through six.

    The first pixel of all rows, of which `out` holds those from some row on, is the last of the
    third pair of pixels, in rows as in columns. `line` is room.
    """
    a, b, c = np.float32(0.0093994140625), np.float32(-0.0845947265625), np.float32(0.845947265625)
    d, e, f = np.float32(0.281982421875), np.float32(-0.0604248046875), np.float32(0.0076904296875)
    for y in range(first, first + out.shape[0]):
        i = y // 2
        r0, r1, r2, r3, r4, r5 = (
            halves[i],
            halves[i + 1],
            halves[i + 2],
            halves[i + 3],
            halves[i + 4],
            halves[i + 5],
        )
        if y % 2:
            r0, r1, r2, r3, r4, r5 = r5, r4, r3, r2, r1, r0
        for x in range(len(line)):
            line[x] = a * r0[x] + b * r1[x] + c * r2[x] + d * r3[x] + e * r4[x] + f * r5[x]
        row = out[y - first]
        l0, l1, l2, l3, l4, l5 = line, line[1:], line[2:], line[3:], line[4:], line[5:]
        for x in range(len(row) // 2):
            row[2 * x] = a * l0[x] + b * l1[x] + c * l2[x] + d * l3[x] + e * l4[x] + f * l5[x]
            row[2 * x + 1] = f * l0[x] + e * l1[x] + d * l2[x] + c * l3[x] + b * l4[x] + a * l5[x]


@njit(nogil=True, cache=True, error_model="numpy")
def response_rows(
    fine: Floats,
    halved: Floats,
    corner: tuple[int, int],
    shape: tuple[int, int],
    first: int,
    line: Floats,
    out: Floats,
) -> None:
    """Responses in some rows of a block, from some row on; beside the picture they are 0.

    Parameters
    ----------
    fine : (F, y + 2, x + 2) float32 array
        Of the block and the pixels around it.
    halved : (H, y // 2 + 6, x // 2 + 6) float32 array
        In a picture of half the size.
    corner : (int, int)
        Row and column of the block's first pixel.
    shape : (int, int)
        Of the whole picture.
    first : int
        Row of the block and what is around it.
    line : (x // 2 + 6,) float32 array
        Room.
    out : (F + H, n, x + 2) float32 array
    """
    n, width = out.shape[1], out.shape[2]
    for k in range(len(fine)):
        for y in range(n):
            out[k, y] = fine[k, first + y]
    for k in range(len(halved)):
        _doubled(halved[k], first, line, out[len(fine) + k])
    top, left = corner[0] - 1 + first, corner[1] - 1
    before, beyond = min(max(-left, 0), width), min(max(shape[1] - left, 0), width)
    for k in range(len(out)):
        for y in range(n):
            if not 0 <= top + y < shape[0]:
                out[k, y] = 0
            out[k, y, :before] = 0
            out[k, y, beyond:] = 0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _largest_sizes(answer: Floats, y: int, out: Floats) -> None:
    out[:] = 0
    for k in range(len(answer)):
        row = answer[k, y, 1:-1]
        for x in range(len(out)):
            out[x] = max(out[x], abs(row[x]))


@njit(nogil=True, cache=True, error_model="numpy")
def _list_large(
    answer: Floats, corner: tuple[int, int], large: np.float32, line: Floats, out: Places
) -> int:
    """List rows and columns of pixels of a block where a response is large; how many."""
    n = 0
    for y in range(1, answer.shape[1] - 1):
        _largest_sizes(answer, y, line)
        for x in range(len(line)):
            if line[x] > large:
                out[n, 0], out[n, 1] = corner[0] + y - 1, corner[1] + x
                n += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def look_through(
    fine: Floats,
    halved: Floats,
    corner: tuple[int, int],
    film: NDArray[np.bool_],
    least: tuple[float, float, float],
    inner: NDArray[np.int64],
) -> tuple[NDArray[np.float64], Places]:
    """Extrema of a block's responses, and where they are large; a few rows at a time.

    Parameters
    ----------
    fine, halved, corner : as of `response_rows`
    film : (Y, X) bool array
        Of the whole picture.
    least : (float, float, float)
        Size from which maxima count, and minima, and anything is large.
    inner : (R,) int array
        Another radius of each.

    Returns
    -------
    (N, 5), (M, 2) arrays
        As of `extrema`; rows and columns of what is large.
    """
    rows = fine.shape[1] - 2
    columns = fine.shape[2] - 2
    block = np.empty((len(fine) + len(halved), _STRIP + 2, columns + 2), np.float32)
    half_line, line = np.empty(halved.shape[2], np.float32), np.empty(columns, np.float32)
    found, places = np.empty((0, 5)), np.empty((0, 2), np.int64)
    listed = np.empty((_STRIP * columns, 2), np.int64)
    for first in range(0, rows, _STRIP):
        if rows - first < _STRIP:
            block = np.empty((len(block), rows - first + 2, columns + 2), np.float32)
        response_rows(fine, halved, corner, film.shape, first, half_line, block)
        begin = corner[0] + first, corner[1]
        found = np.concatenate((found, extrema(block, film, begin, (least[0], least[1]), inner)))
        n = _list_large(block, begin, np.float32(least[2]), line, listed)
        places = np.concatenate((places, listed[:n]))
    return found, places


@njit(nogil=True, cache=True, error_model="numpy")
def _list_row(
    three: tuple[Floats, Floats, Floats],
    film: NDArray[np.bool_],
    least: tuple[np.float32, np.float32],
    marks: NDArray[np.uint8],
    out: NDArray[np.int64],
) -> int:
    """List film where a row of three is high or low enough, and no less so than beside it.

    All is compared first, as without a branch that loop is vectors.
    """
    above, row, below = three
    high, low = least[0], -least[1]
    left, middle, right = row[:-2], row[1:-1], row[2:]
    up, down = above[1:-1], below[1:-1]
    for x in range(len(marks)):
        v, a, b, c, d = middle[x], left[x], right[x], up[x], down[x]
        highest = (v >= high) & (v >= a) & (v >= b) & (v >= c) & (v >= d)
        lowest = (v <= low) & (v <= a) & (v <= b) & (v <= c) & (v <= d)
        marks[x] = film[x] & (highest | lowest)
    n: int = list_marked(marks, out)
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def extrema(
    answer: Floats,
    film: NDArray[np.bool_],
    corner: tuple[int, int],
    least: tuple[float, float],
    inner: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Maxima and minima of a block's responses over radius and place.

    Parameters
    ----------
    answer : (R, y + 2, x + 2) float32 array
        The block and the pixels around it, 0 beside the picture.
    film : (Y, X) bool array
        Of the whole picture.
    corner : (int, int)
        Row and column of the block's first pixel.
    least : (float, float)
        Size from which maxima count, and minima.
    inner : (R,) int array
        Another radius of each.

    Returns
    -------
    (N, 5) array
        Radius, row, column, response, and that of the other radius there.
    """
    found, n = np.empty((64, 5)), 0
    y0, x0 = corner
    height = min(answer.shape[1] - 2, film.shape[0] - y0)
    width = min(answer.shape[2] - 2, film.shape[1] - x0)
    marks, listed = np.empty(width, np.uint8), np.empty(width, np.int64)
    sizes_from = np.float32(least[0]), np.float32(least[1])
    for y in range(height):
        own = film[y0 + y, x0 : x0 + width]
        for k in range(len(answer)):
            above, row, below = answer[k, y], answer[k, y + 1], answer[k, y + 2]
            three = above[: width + 2], row[: width + 2], below[: width + 2]
            for x in listed[: _list_row(three, own, sizes_from, marks, listed)]:
                if _is_extreme(answer, k, y + 1, x + 1):
                    if n == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[n, 0], found[n, 1], found[n, 2] = k, y0 + y, x0 + x
                    found[n, 3], found[n, 4] = row[x + 1], answer[inner[k], y + 1, x + 1]
                    n += 1
    return found[:n]


@njit(nogil=True, cache=True, error_model="numpy")
def _is_extreme(answer: Floats, k: int, y: int, x: int) -> bool:
    """Whether no neighbour in radius and place is farther from 0 on the same side."""
    sign = np.float32(1 if answer[k, y, x] > 0 else -1)
    value = sign * answer[k, y, x]
    first, last = max(k - 1, 0), min(k + 1, len(answer) - 1)
    # Most are no extrema in radius.
    if value < sign * answer[first, y, x] or value < sign * answer[last, y, x]:
        return False
    for a in range(first, last + 1):
        for b in range(y - 1, y + 2):
            for c in range(x - 1, x + 2):
                if value < sign * answer[a, b, c]:
                    return False
    return True
