"""Basins of an image of pores, joined where the bridge between them is as high as in one pore."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Numbers = NDArray[np.int64]


@njit(nogil=True, cache=True, error_model="numpy")
def _root(root: Numbers, i: int) -> int:
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


@njit(nogil=True, cache=True, error_model="numpy")
def edge_share(radius: float, table: Doubles, step: float) -> float:
    """Share that a disc has at its edge, from a table over its radius in point spreads."""
    place = radius / step
    last = table.shape[0] - 1
    if place >= last:
        return 0.5 - 0.25 / (math.sqrt(2 * math.pi) * radius)
    i = int(place)
    return float(table[i] + (place - i) * (table[i + 1] - table[i]))


@njit(nogil=True, cache=True, error_model="numpy")
def join(
    bridges: tuple[Numbers, Doubles],
    basins: tuple[Doubles, Doubles, Numbers],
    edges: tuple[Doubles, float],
    sharp: tuple[float, float],
    rules: tuple[float, float],
    root: Numbers,
) -> None:
    """Set `root` to the basin that each belongs to: the highest of those that are one.

    Parameters
    ----------
    bridges : (M, 2) and (M,) arrays
        Basins that meet and the highest share at which they do, the highest first.
    basins : three (n + 1,) arrays
        Highest share and area (changed here), and the pore of the frame before, 0 for none.
    edges : (array, float)
        Table of `edge_share` and its step.
    sharp : (float, float)
        Standard deviation of the sharpened share's blur, and its noise.
    rules : (float, float)
        How far a bridge must sink for what was one pore, and the clear dip in units of the noise.
    root : (n + 1,) array
        0, 1, ... n.
    """
    pairs, levels = bridges
    tops, areas, old = basins
    for k in range(pairs.shape[0]):
        a, b = _root(root, pairs[k, 0]), _root(root, pairs[k, 1])
        if a == b:
            continue
        needed = 0.0
        for i in (a, b):
            needed += edge_share(math.sqrt(areas[i] / math.pi) / sharp[0], edges[0], edges[1])
        if old[a] == old[b] and old[a] > 0:
            needed -= rules[0]
        were_two = min(old[a], old[b]) > 0 and old[a] != old[b]
        clear = min(tops[a], tops[b]) - levels[k] > (0.0 if were_two else rules[1] * sharp[1])
        if levels[k] < needed and clear:
            continue
        high, low = (a, b) if tops[a] >= tops[b] else (b, a)
        root[low] = high
        areas[high] += areas[low]
    for i in range(root.shape[0]):
        root[i] = _root(root, i)
