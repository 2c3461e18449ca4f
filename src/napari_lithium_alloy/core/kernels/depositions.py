"""Sums over a deposition's frames, and peaks of images, a block of rows at a time."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Counts = NDArray[np.uint16]


@njit(nogil=True, cache=True)
def add_light(light: Floats, rows: tuple[int, int], sums: Floats, counts: Counts) -> None:
    """Add a frame's light, where it has any, to sums and counts."""
    for y in range(rows[0], rows[1]):
        for x in range(light.shape[1]):
            if np.isfinite(light[y, x]):
                sums[y, x] += light[y, x]
                counts[y, x] += 1


@njit(nogil=True, cache=True)
def add_bend(
    first: Floats, second: Floats, third: Floats, usual: float, rows: tuple[int, int], out: Floats
) -> None:
    """Add the squares of second differences less what is usual."""
    two, usual_bend = np.float32(2), np.float32(usual)
    for y in range(rows[0], rows[1]):
        for x in range(first.shape[1]):
            bend = third[y, x] - two * second[y, x] + first[y, x] - usual_bend
            if np.isfinite(bend):
                out[y, x] += bend * bend


@njit(nogil=True, cache=True)
def mark_peaks(
    answer: Floats,
    film: NDArray[np.bool_],
    sign: float,
    least: float,
    rows: tuple[int, int],
    out: NDArray[np.bool_],
) -> None:
    """Mark in (R, Y, X) what times a sign is at least so much and no less than its neighbours."""
    n, height, width = answer.shape
    s, lowest = np.float32(sign), np.float32(least)
    for k in range(n):
        for y in range(rows[0], rows[1]):
            for x in range(width):
                value = s * answer[k, y, x]
                if value < lowest or not film[y, x]:
                    continue
                peak = True
                for b in range(max(y - 1, 0), min(y + 2, height)):
                    for c in range(max(x - 1, 0), min(x + 2, width)):
                        for a in range(max(k - 1, 0), min(k + 2, n)):
                            peak &= value >= s * answer[a, b, c]
                    if not peak:
                        break
                out[k, y, x] = peak


@njit(nogil=True, cache=True)
def _root(parent: NDArray[np.int64], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(nogil=True, cache=True)
def high_peaks(
    image: Floats, order: NDArray[np.int64], least: float, out: NDArray[np.bool_]
) -> None:
    """Mark peaks that rise so far above the highest saddle to a higher one.

    Pixels are flooded from the highest down, as `order` says; each basin is known by its peak.
    """
    height, width = image.shape
    values, marks = image.ravel(), out.ravel()
    parent = np.full(height * width, -1)
    for i in order:
        y, x = i // width, i % width
        parent[i] = i
        highest = i
        for b in range(max(y - 1, 0), min(y + 2, height)):
            for c in range(max(x - 1, 0), min(x + 2, width)):
                j = b * width + c
                if parent[j] < 0 or j == i:
                    continue
                other = _root(parent, j)
                if other == highest:
                    continue
                low, high = highest, other
                if low != i and values[low] >= values[high]:
                    low, high = high, low
                if low != i and values[low] - values[i] >= least:
                    marks[low] = True
                parent[low] = high
                highest = high
    if len(order):
        marks[order[0]] = True
