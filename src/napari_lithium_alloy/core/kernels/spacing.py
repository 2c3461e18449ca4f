"""Moves of sites at random that keep how far apart they are."""

# ruff: noqa: NPY002 - numba's own random numbers, seeded in `walk`

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_ANYWHERE = 0.5
"""Share of the moves that go anywhere, not a little aside."""


@njit(nogil=True, cache=True, error_model="numpy")
def pair_counts(
    sites: NDArray[np.float64], clump: NDArray[np.int64], edges2: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Pairs of sites of different clumps in each bin of the squared distance, beyond edges2[0]."""
    counts = np.zeros(len(edges2) - 1, np.int64)
    for i in range(len(sites)):
        for j in range(i):
            square = (sites[i, 0] - sites[j, 0]) ** 2 + (sites[i, 1] - sites[j, 1]) ** 2
            if clump[i] != clump[j] and edges2[0] <= square < edges2[-1]:
                counts[np.searchsorted(edges2, square, side="right") - 1] += 1
    return counts


@njit(nogil=True, cache=True, error_model="numpy")
def _bin(value: float, edges: NDArray[np.float64], scale: float) -> int:
    """Which of the even bins, so many to a unit, a value is in; the last holds its upper edge."""
    bins = len(edges) - 1
    k = min(int(value * scale), bins - 1)
    if value < edges[k]:
        return k - 1
    return k + 1 if k < bins - 1 and value >= edges[k + 1] else k


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"nnan", "nsz"})
def _distances(
    row: float,
    column: float,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    nearest: NDArray[np.float64],
    away: NDArray[np.float64],
) -> float:
    """Distances of a site to others, which learn of it; the least of them."""
    least = np.inf
    for j in range(len(rows)):
        dy, dx = rows[j] - row, columns[j] - column
        distance = math.sqrt(dy * dy + dx * dx)
        away[j] = distance
        nearest[j] = min(nearest[j], distance)
        least = min(least, distance)
    return least


@njit(nogil=True, cache=True, error_model="numpy")
def near_pairs(
    sites: NDArray[np.float64],
    edges: NDArray[np.float64],
    weights: NDArray[np.float64],
    counts: NDArray[np.float64],
    nearest: NDArray[np.float64],
) -> None:
    """Add weights of pairs of sites to even bins of distance; the distance of each to the nearest.

    Parameters
    ----------
    sites : (N, 2) float64 array
        In the order of their rows.
    edges : (K + 1,) float64 array
        Of the bins, evenly from 0.
    weights : (H, W) float64 array
        Of a pair, by its step; negative ones wrap.
    counts : (K,) float64 array
        Out.
    nearest : (N,) float64 array
        In: inf; out.
    """
    n, last = len(sites), edges[-1]
    scale = (len(edges) - 1) / last
    rows, columns = sites[:, 0].copy(), sites[:, 1].copy()
    away, end = np.empty(n), 0
    listed = np.empty(n, np.int32)
    for i in range(n):
        while end < n and rows[end] - rows[i] <= last:
            end += 1
        own = slice(i + 1, end)
        least = _distances(rows[i], columns[i], rows[own], columns[own], nearest[own], away)
        nearest[i] = min(nearest[i], least)
        near = 0
        for j in range(end - i - 1):
            listed[near] = j
            near += away[j] <= last
        for k in range(near):
            j = listed[k]
            down = int(np.rint(rows[i + 1 + j] - rows[i]))
            aside = int(np.rint(columns[i + 1 + j] - columns[i]))
            counts[_bin(away[j], edges, scale)] += weights[down, aside]
    for i in range(n):
        if nearest[i] > last:
            for j in range(n):
                if j != i:
                    distance = math.hypot(rows[j] - rows[i], columns[j] - columns[i])
                    nearest[i] = min(nearest[i], distance)


_AROUND = ((0, 0), (-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""Steps to the squares in which others of the counted pairs may be, the nearest first: most places
that are not free are told by them. A square's side is the farthest distance counted."""


@njit(nogil=True, cache=True, error_model="numpy")
def _cell(y: float, x: float, side: float, columns: int) -> int:
    """Number of a square; those around the field stay empty."""
    return int((y + 0.5) / side + 1) * columns + int((x + 0.5) / side) + 1


@njit(nogil=True, cache=True, error_model="numpy")
def _count(
    at: NDArray[np.float64],
    own: int,
    sign: int,
    sites: NDArray[np.float64],
    clump: NDArray[np.int64],
    cells: tuple[NDArray[np.int64], NDArray[np.int64], float, int],
    edges2: NDArray[np.float64],
    change: NDArray[np.int64],
) -> bool:
    """Add pairs of a place with sites of other clumps to `change`; False where one is too near.

    `change` holds pairs that are too near, those of each bin, and all others: without branches
    they are counted fastest.
    """
    first, following, side, columns = cells
    middle, last = _cell(at[0], at[1], side, columns), len(edges2)
    for step in _AROUND:
        k = first[middle + step[0] * columns + step[1]]
        while k >= 0:
            square = (at[0] - sites[k, 0]) ** 2 + (at[1] - sites[k, 1]) ** 2
            b = 0
            for e in range(last):
                b += square >= edges2[e]
            change[b if clump[k] != own else last] += sign
            k = following[k]
        if change[0] != 0:
            return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _changed(
    own: NDArray[np.float64],
    new: NDArray[np.float64],
    c: int,
    sites: NDArray[np.float64],
    clump: NDArray[np.int64],
    cells: tuple[NDArray[np.int64], NDArray[np.int64], float, int],
    edges2: NDArray[np.float64],
    change: NDArray[np.int64],
) -> bool:
    """Put into `change` what a move of a clump does; False where it comes too near another."""
    change[:] = 0
    for j in range(len(own)):
        if not _count(new[j], c, 1, sites, clump, cells, edges2, change):
            return False
    for j in range(len(own)):
        _count(own[j], c, -1, sites, clump, cells, edges2, change)
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _within(
    counts: NDArray[np.int64], change: NDArray[np.int64], bounds: NDArray[np.int64]
) -> bool:
    for k in range(len(counts)):
        if not bounds[0, k] <= counts[k] + change[k + 1] <= bounds[1, k]:
            return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _propose(
    own: NDArray[np.float64],
    places: NDArray[np.int32],
    shape: tuple[int, int],
    spacing: float,
    moved: NDArray[np.float64],
) -> None:
    """A clump turned, perhaps mirrored, about one of its sites, which goes to another place."""
    width = shape[1]
    pivot = np.random.randint(len(own))
    if np.random.random() < _ANYWHERE:
        place = np.random.randint(len(places))
        if len(places) < shape[0] * width:
            place = places[place]
        y = place // width + np.random.random() - 0.5
        x = place % width + np.random.random() - 0.5
        angle = 2 * math.pi * np.random.random()
        mirror = 1.0 if np.random.random() < 0.5 else -1.0
    else:
        size = spacing * np.random.random()
        y = own[pivot, 0] + size * np.random.normal()
        x = own[pivot, 1] + size * np.random.normal()
        angle, mirror = np.random.normal(), 1.0
    sine, cosine = math.sin(angle), math.cos(angle)
    for j in range(len(own)):
        dy, dx = own[j, 0] - own[pivot, 0], mirror * (own[j, 1] - own[pivot, 1])
        moved[j, 0] = y + cosine * dy - sine * dx
        moved[j, 1] = x + sine * dy + cosine * dx


@njit(nogil=True, cache=True, error_model="numpy")
def _weight_ratio(
    was: NDArray[np.float32],
    new: NDArray[np.float64],
    weight: NDArray[np.float32],
    will: NDArray[np.float32],
) -> float:
    """Weights of the new places, put into `will`, over the old; 0 where one is not on film."""
    ratio = 1.0
    for j in range(len(new)):
        row, column = math.floor(new[j, 0] + 0.5), math.floor(new[j, 1] + 0.5)
        if not (0 <= row < weight.shape[0] and 0 <= column < weight.shape[1]):
            return 0.0
        will[j] = weight[row, column]
        ratio *= will[j] / was[j]
    return ratio


@njit(nogil=True, cache=True, error_model="numpy")
def _enter(
    j: int, at: int, first: NDArray[np.int64], following: NDArray[np.int64], enters: bool
) -> None:
    """Put a site into the list of a cell, or take it out."""
    if enters:
        following[j], first[at] = first[at], j
    elif first[at] == j:
        first[at] = following[j]
    else:
        k = first[at]
        while following[k] != j:
            k = following[k]
        following[k] = following[j]


@njit(nogil=True, cache=True, error_model="numpy")
def walk(
    start: NDArray[np.float64],
    clump: NDArray[np.int64],
    weight: NDArray[np.float32],
    places: NDArray[np.int32],
    edges2: NDArray[np.float64],
    bounds: NDArray[np.int64],
    moves: int,
    seed: int,
    out: NDArray[np.float64],
) -> int:
    """Reversible random moves of clumps under which counts of pairs stay within their bounds.

    Metropolis: a clump goes anywhere or a little aside, turned; the stationary density of a
    pattern is the product of its places' weights.

    Parameters
    ----------
    start : (N, 2) float64 array
        Rows and columns, pixels, on places of positive weight; sorted by clump.
    clump : (N,) int64 array
        Number of each site's clump, from 0, each followed by the next.
    weight : (Y, X) float32 array
    places : (M,) int32 array
        Flat indices of the pixels with a positive weight.
    edges2 : (K + 1,) float64 array
        Edges of the bins of the squared distance between sites of different clumps, nearer than
        the first of which none come.
    bounds : (2, K) int64 array
        Least and most pairs in each bin.
    moves : int
        Tried between two patterns.
    seed : int
    out : (n, N, 2) float64 array
        Out: the patterns.

    Returns
    -------
    taken : int
        Moves that were made.
    """
    np.random.seed(seed)
    sites = start.copy()
    counts, change = pair_counts(sites, clump, edges2), np.zeros(len(edges2) + 1, np.int64)
    n_clumps = clump[-1] + 1
    begin = np.searchsorted(clump, np.arange(n_clumps + 1))
    spacing = math.sqrt(len(places) / len(sites))
    side = math.sqrt(edges2[-1]) * (1 + 1e-9)
    columns = int(weight.shape[1] / side) + 3
    first = np.full((int(weight.shape[0] / side) + 3) * columns, -1, np.int64)
    following = np.full(len(sites), -1, np.int64)
    for j in range(len(sites)):
        _enter(j, _cell(sites[j, 0], sites[j, 1], side, columns), first, following, True)
    moved, moved_to = np.empty_like(sites), np.empty(len(sites), np.float32)
    held, taken = np.empty(len(sites), np.float32), 0
    for j in range(len(sites)):
        held[j] = weight[math.floor(sites[j, 0] + 0.5), math.floor(sites[j, 1] + 0.5)]
    for t in range(len(out)):
        for _ in range(moves):
            c = np.random.randint(n_clumps)
            own = sites[begin[c] : begin[c + 1]]
            new = moved[: len(own)]
            _propose(own, places, weight.shape, spacing, new)
            was, will = held[begin[c] : begin[c + 1]], moved_to[: len(own)]
            if np.random.random() >= _weight_ratio(was, new, weight, will):
                continue
            cells = first, following, side, columns
            if not _changed(own, new, c, sites, clump, cells, edges2, change):
                continue
            if not _within(counts, change, bounds):
                continue
            counts += change[1:-1]
            taken += 1
            for j in range(len(own)):
                i = begin[c] + j
                _enter(i, _cell(own[j, 0], own[j, 1], side, columns), first, following, False)
                _enter(i, _cell(new[j, 0], new[j, 1], side, columns), first, following, True)
            own[:], was[:] = new, will
        out[t] = sites
    return taken
