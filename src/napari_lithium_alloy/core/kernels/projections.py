"""Frames in their colours, projected over time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_HALF = np.uint16(128)
_EIGHT = np.uint16(8)


@njit(nogil=True, cache=True, error_model="numpy")
def _greys(row: NDArray[Any], low: float, scale: float, out: NDArray[np.uint16]) -> None:
    """Counts on a scale of 0 to 255, as ImageJ converts them to 8 bit."""
    for x in range(row.shape[0]):
        out[x] = np.uint16(min(max((np.float64(row[x]) - low) * scale, 0.0), 255.0))


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _shade(grey: np.uint16, colour: np.uint16) -> np.uint16:
    """A channel's colour times grey / 255, rounded: exact in whole numbers up to 255."""
    product = np.uint16(np.uint16(grey * colour) + _HALF)
    return np.uint16(np.uint16(product + np.uint16(product >> _EIGHT)) >> _EIGHT)


@njit(nogil=True, cache=True, error_model="numpy")
def highest_colours(
    counts: NDArray[Any],
    colours: NDArray[np.uint16],
    scale: tuple[float, float],
    rows: tuple[int, int],
    out: NDArray[np.uint16],
) -> None:
    """The highest value of each channel over time.

    Parameters
    ----------
    counts : (T, Y, X) array
    colours : (T, 3) uint16 array
        0 to 255.
    scale : (float, float)
        Counts that are black, and greys a count.
    rows : (int, int)
        First row, and that after the last.
    out : (3, Y, X) uint16 array
        In: 0.
    """
    grey = np.empty(counts.shape[2], dtype=np.uint16)
    for t in range(counts.shape[0]):
        for y in range(rows[0], rows[1]):
            _greys(counts[t, y], scale[0], scale[1], grey)
            for channel in range(3):
                colour, line = colours[t, channel], out[channel, y]
                for x in range(grey.shape[0]):
                    line[x] = max(line[x], _shade(grey[x], colour))


@njit(nogil=True, cache=True, error_model="numpy")
def colour_sums(
    counts: NDArray[Any],
    colours: NDArray[np.uint16],
    scale: tuple[float, float],
    rows: tuple[int, int],
    total: NDArray[np.int64],
    squares: NDArray[np.int64],
) -> None:
    """Sums over time of each channel's values and of their squares; see `highest_colours`."""
    grey = np.empty(counts.shape[2], dtype=np.uint16)
    for t in range(counts.shape[0]):
        for y in range(rows[0], rows[1]):
            _greys(counts[t, y], scale[0], scale[1], grey)
            for channel in range(3):
                colour = colours[t, channel]
                for x in range(grey.shape[0]):
                    value = np.int64(_shade(grey[x], colour))
                    total[channel, y, x] += value
                    squares[channel, y, x] += value * value
