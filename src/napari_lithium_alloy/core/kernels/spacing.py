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
def _bin(value: float, edges: NDArray[np.float64]) -> int:
    """Which of the even bins a value is in; the last holds its upper edge."""
    bins = len(edges) - 1
    k = min(int(value / edges[-1] * bins), bins - 1)
    if value < edges[k]:
        return k - 1
    return k + 1 if k < bins - 1 and value >= edges[k + 1] else k


@njit(nogil=True, cache=True, error_model="numpy")
def near_pairs(
    sites: NDArray[np.float64],
    edges: NDArray[np.float64],
    overlap: NDArray[np.float64],
    counts: NDArray[np.float64],
    nearest: NDArray[np.float64],
) -> None:
    """Add pairs of sites to even bins of distance, and the distance of each to the nearest.

    Each pair counts 2 over the overlap at its step, at least 1; negative steps wrap.

    Parameters
    ----------
    sites : (N, 2) float64 array
        In the order of their rows.
    edges : (K + 1,) float64 array
        Of the bins, evenly from 0.
    overlap : (H, W) float64 array
    counts : (K,) float64 array
        Out.
    nearest : (N,) float64 array
        In: inf; out.
    """
    n, last = len(sites), edges[-1]
    for i in range(n):
        for j in range(i + 1, n):
            dy, dx = sites[j, 0] - sites[i, 0], sites[j, 1] - sites[i, 1]
            if dy > last:
                break
            away = math.sqrt(dy * dy + dx * dx)
            nearest[i], nearest[j] = min(nearest[i], away), min(nearest[j], away)
            if away <= last:
                k = _bin(away, edges)
                counts[k] += 2 / max(overlap[int(np.rint(dy)), int(np.rint(dx))], 1.0)
    for i in range(n):
        if nearest[i] > last:
            for j in range(n):
                if j != i:
                    away = math.hypot(sites[j, 0] - sites[i, 0], sites[j, 1] - sites[i, 1])
                    nearest[i] = min(nearest[i], away)


@njit(nogil=True, cache=True, error_model="numpy")
def _cell(y: float, x: float, side: float, columns: int) -> int:
    return int((y + 0.5) / side) * columns + int((x + 0.5) / side)


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
    """Add pairs of a place with sites of other clumps to `change`; False where one is too near."""
    first, following, side, columns = cells
    rows = len(first) // columns
    row, column = int((at[0] + 0.5) / side), int((at[1] + 0.5) / side)
    for r in range(max(row - 1, 0), min(row + 2, rows)):
        for c in range(max(column - 1, 0), min(column + 2, columns)):
            k = first[r * columns + c]
            while k >= 0:
                square = (at[0] - sites[k, 0]) ** 2 + (at[1] - sites[k, 1]) ** 2
                if clump[k] != own and square < edges2[-1]:
                    if square < edges2[0]:
                        return False
                    b = 0
                    while square >= edges2[b + 1]:
                        b += 1
                    change[b] += sign
                k = following[k]
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
    for k in range(len(counts)):  # noqa: SIM110 - numba knows no all() of a generator
        if not bounds[0, k] <= counts[k] + change[k] <= bounds[1, k]:
            return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _propose(
    own: NDArray[np.float64],
    places: NDArray[np.int32],
    width: int,
    spacing: float,
    moved: NDArray[np.float64],
) -> None:
    """A clump turned, perhaps mirrored, about one of its sites, which goes to another place."""
    pivot = np.random.randint(len(own))
    if np.random.random() < _ANYWHERE:
        place = places[np.random.randint(len(places))]
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
    old: NDArray[np.float64], new: NDArray[np.float64], weight: NDArray[np.float32]
) -> float:
    """Weights of the new places over those of the old; 0 where one is not on film."""
    ratio = 1.0
    for j in range(len(old)):
        row, column = math.floor(new[j, 0] + 0.5), math.floor(new[j, 1] + 0.5)
        if not (0 <= row < weight.shape[0] and 0 <= column < weight.shape[1]):
            return 0.0
        was = weight[math.floor(old[j, 0] + 0.5), math.floor(old[j, 1] + 0.5)]
        ratio *= weight[row, column] / was
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
    counts, change = pair_counts(sites, clump, edges2), np.zeros(len(edges2) - 1, np.int64)
    n_clumps = clump[-1] + 1
    begin = np.searchsorted(clump, np.arange(n_clumps + 1))
    spacing = math.sqrt(len(places) / len(sites))
    side = math.sqrt(edges2[-1])
    columns = int(weight.shape[1] / side) + 1
    first = np.full((int(weight.shape[0] / side) + 1) * columns, -1, np.int64)
    following = np.full(len(sites), -1, np.int64)
    for j in range(len(sites)):
        _enter(j, _cell(sites[j, 0], sites[j, 1], side, columns), first, following, True)
    moved = np.empty_like(sites)
    taken = 0
    for t in range(len(out)):
        for _ in range(moves):
            c = np.random.randint(n_clumps)
            own = sites[begin[c] : begin[c + 1]]
            new = moved[: len(own)]
            _propose(own, places, weight.shape[1], spacing, new)
            if np.random.random() >= _weight_ratio(own, new, weight):
                continue
            cells = first, following, side, columns
            if not _changed(own, new, c, sites, clump, cells, edges2, change):
                continue
            if not _within(counts, change, bounds):
                continue
            counts += change
            taken += 1
            for j in range(len(own)):
                i = begin[c] + j
                _enter(i, _cell(own[j, 0], own[j, 1], side, columns), first, following, False)
                _enter(i, _cell(new[j, 0], new[j, 1], side, columns), first, following, True)
            own[:] = new
        out[t] = sites
    return taken
