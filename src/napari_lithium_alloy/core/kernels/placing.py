"""Places of which none comes too near another: those that do are put elsewhere."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Grid = tuple[Ints, Ints, int]
"""First place in each square, the place that follows each in its square, squares in a row."""


@njit(nogil=True, cache=True, error_model="numpy")
def _square_of(place: Doubles, side: float, columns: int) -> int:
    return int((place[0] + 0.5) / side) * columns + int((place[1] + 0.5) / side)


@njit(nogil=True, cache=True, error_model="numpy")
def _leave(i: int, at: int, grid: Grid) -> None:
    first, following, _ = grid
    if first[at] == i:
        first[at] = following[i]
        return
    k = first[at]
    while following[k] != i:
        k = following[k]
    following[k] = following[i]


@njit(nogil=True, cache=True, error_model="numpy")
def _mark_near(
    i: int, places: Doubles, side: float, apart: float, grid: Grid, near: NDArray[np.bool_]
) -> None:
    """Of a place and each near it, mark the later one."""
    first, following, columns = grid
    rows = len(first) // columns
    row, column = int((places[i, 0] + 0.5) / side), int((places[i, 1] + 0.5) / side)
    for r in range(max(row - 1, 0), min(row + 2, rows)):
        for c in range(max(column - 1, 0), min(column + 2, columns)):
            k = first[r * columns + c]
            while k >= 0:
                dy, dx = places[k, 0] - places[i, 0], places[k, 1] - places[i, 1]
                if k != i and dy * dy + dx * dx <= apart * apart:
                    near[max(i, k)] = True
                k = following[k]


@njit(nogil=True, cache=True, error_model="numpy")
def put(
    again: Ints,
    pixels: Ints,
    aside: Doubles,
    width: int,
    side: float,
    apart: float,
    places: Doubles,
    grid: Grid,
) -> Ints:
    """Put some places on pixels, a little aside; which are now to be put again.

    Of two within a distance of each other that is the later one.

    Parameters
    ----------
    again : (M,) int64 array
        Numbers of the places to be put; all of them where none has been put yet, and never later:
        the first is the later one of none.
    pixels : (M,) int64 array
        Flat indices.
    aside : (M, 2) float64 array
    width : int
        Of the field.
    side : float
        Of the squares of the grid, at least the distance.
    apart : float
        The distance.
    places : (N, 2) float64 array
        Rows and columns, in and out.
    grid : tuple
        In: empty (all -1) where none has been put yet; out.
    """
    first, following, columns = grid
    begun = len(again) < len(places)
    for m in range(len(again)):
        i = again[m]
        if begun:
            _leave(i, _square_of(places[i], side, columns), grid)
        places[i, 0] = pixels[m] // width + aside[m, 0]
        places[i, 1] = pixels[m] % width + aside[m, 1]
    for i in again:
        at = _square_of(places[i], side, columns)
        following[i], first[at] = first[at], i
    near = np.zeros(len(places), np.bool_)
    for i in again:
        _mark_near(i, places, side, apart, grid, near)
    return np.flatnonzero(near)
