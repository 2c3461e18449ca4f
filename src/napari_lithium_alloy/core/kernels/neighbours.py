"""Pixels against the median of their eight neighbours."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _inside(i: int, n: int) -> int:
    """The index itself, or of the nearest pixel of the picture."""
    return min(max(i, 0), n - 1)


@njit(nogil=True, cache=True, error_model="numpy")
def _median(light: NDArray[np.float32], y: int, x: int, values: NDArray[np.float32]) -> np.float32:
    """The fifth smallest of the eight around a pixel; beyond an edge the edge goes on."""
    height, width = light.shape
    n = 0
    for i in range(-1, 2):
        for j in range(-1, 2):
            if i == 0 and j == 0:
                continue
            value = light[_inside(y + i, height), _inside(x + j, width)]
            k = n
            while k > 0 and values[k - 1] > value:
                values[k] = values[k - 1]
                k -= 1
            values[k] = value
            n += 1
    return np.float32(values[4])


@njit(nogil=True, cache=True, error_model="numpy")
def add_odd(
    light: NDArray[np.float32],
    least: tuple[float, float],
    rows: tuple[int, int],
    odd: NDArray[np.uint8],
) -> None:
    """Add 1 at pixels that differ by more than a least size and a share of the median.

    `least` are that size and that share. Where five neighbours are nearer than the size, the
    median of all is, too.
    """
    height, width = light.shape
    size = np.float32(least[0])
    values = np.empty(8, dtype=np.float32)
    for y in range(rows[0], rows[1]):
        up, down = light[_inside(y - 1, height)], light[_inside(y + 1, height)]
        for x in range(width):
            here = light[y, x]
            left, right = _inside(x - 1, width), _inside(x + 1, width)
            if (
                abs(light[y, left] - here) <= size
                and abs(light[y, right] - here) <= size
                and abs(up[x] - here) <= size
                and abs(down[x] - here) <= size
                and abs(up[left] - here) <= size
            ):
                continue
            median = _median(light, y, x, values)
            if abs(here - median) > max(size, np.float32(least[1]) * abs(median)):
                odd[y, x] += 1
