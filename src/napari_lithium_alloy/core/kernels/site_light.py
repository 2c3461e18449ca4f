"""Light at nucleation sites in one frame, against the film around them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]
RING, CORE, INNER, DISC = range(4)
"""Order of a site's pixels."""
_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy")
def list_discs(
    centres: Doubles, radii: Doubles, shape: tuple[int, int], begin: Indices, out: Indices
) -> None:
    """Flat indices of the pixels in discs, one disc after the other; the nearest one at least.

    With nothing to write to, only the bounds `begin` (N + 1,) are filled.
    """
    n = 0
    for i in range(len(centres)):
        begin[i] = n
        y = min(max(centres[i, 0], 0.0), shape[0] - 1.0)
        x = min(max(centres[i, 1], 0.0), shape[1] - 1.0)
        radius = radii[i]
        middle = int(np.rint(y)) * shape[1] + int(np.rint(x))
        for row in range(max(0, int(y - radius)), min(shape[0], int(y + radius) + 2)):
            for column in range(max(0, int(x - radius)), min(shape[1], int(x + radius) + 2)):
                at = row * shape[1] + column
                if at == middle or math.hypot(row - y, column - x) <= radius:
                    if len(out):
                        out[n] = at
                    n += 1
    begin[len(centres)] = n


@njit(nogil=True, cache=True, error_model="numpy")
def _part_at(values: Doubles, n: int, k: int) -> None:
    """Put the first n values into such an order that none before the k-th is above it."""
    low, high = 0, n - 1
    while low < high:
        pivot, i, j = values[k], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        low = i if j < k else low
        high = j if k < i else high


@njit(nogil=True, cache=True, error_model="numpy")
def middle_of(values: Doubles, n: int) -> float:
    """Median of the first n values, which are put into another order; NaN of none."""
    if n == 0:
        return math.nan
    k = n // 2
    _part_at(values, n, k)
    if n % 2:
        return float(values[k])
    return float((values[:k].max() + values[k]) / 2)


@njit(nogil=True, cache=True, error_model="numpy")
def changes_at(
    counts: NDArray[Any],
    at: Indices,
    dark: Doubles,
    factor: float,
    start: Doubles,
    share: float,
    out: Doubles,
) -> None:
    """Light of listed pixels, counts less dark times a factor, over that at the start.

    The least light is half a count or, if `share` is above 0, that share of the pixels' mean.
    """
    least = 0.5
    if share > 0:
        total, n = 0.0, 0
        for i in range(len(at)):
            value = (counts[at[i]] - dark[i]) * factor
            if math.isfinite(value):
                total += abs(value)
                n += 1
        least = max(share * total / max(n, 1), 1.2e-38)
    for i in range(len(at)):
        value = (counts[at[i]] - dark[i]) * factor
        out[i] = (least if value < least else value) / start[i]


@njit(nogil=True, cache=True, error_model="numpy")
def _film_light(
    change: Doubles, begin: Indices, free: NDArray[np.bool_], least_ring: int, film: Doubles
) -> None:
    """Median change of the free pixels of each site's ring; of all rings' where they are few."""
    room, every, few = np.empty(free.shape[1]), np.empty(free.size), 0
    total = 0
    for i in range(len(begin)):
        n, known = 0, 0
        for j in range(free.shape[1]):
            value = change[begin[i, RING] + j]
            if free[i, j]:
                n += 1
                if not math.isnan(value):
                    room[known] = value
                    every[total] = value
                    known += 1
                    total += 1
        film[i] = middle_of(room, known)
        if n < least_ring:
            film[i] = -1.0
            few += 1
    if few:
        usual = middle_of(every, total)
        film[film == -1.0] = usual


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sum(values: Doubles) -> float:
    total = 0.0
    for j in range(len(values)):
        total += values[j]
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sum_of_sizes(change: Doubles, per_film: float) -> float:
    total = 0.0
    for j in range(len(change)):
        total += abs(1 - change[j] * per_film)
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def site_losses(
    change: Doubles,
    begin: Indices,
    free: NDArray[np.bool_],
    least_ring: int,
    floor_share: float,
    out: Doubles,
) -> None:
    """Mean loss of light in each site's apertures against its film, and its own change.

    Parameters
    ----------
    change : (M,) array
        Light of the apertures' pixels over that at the start, site after site.
    begin : (N, 5) int array
        Bounds of each site's ring, core, inner half and disc in it.
    free : (N, P) bool array
        True where a pixel of a ring is film.
    least_ring : int
        Pixels of film that tell its light; with fewer, those of all rings do.
    floor_share : float
        Above 0: sizes of losses count, less so many times their median in the ring.
    out : (4, N) array
        Out: losses of core, inner half and disc, and the core's change.
    """
    film = np.empty(len(begin))
    _film_light(change, begin, free, least_ring, film)
    room = np.empty(free.shape[1])
    for i in range(len(begin)):
        floor, per_film = 0.0, 1 / film[i]
        if floor_share > 0:
            unknown = False
            for j in range(free.shape[1]):
                room[j] = abs(1 - change[begin[i, RING] + j] * per_film)
                unknown |= math.isnan(room[j])
            floor = math.nan if unknown else floor_share * middle_of(room, len(room))
        for kind in range(CORE, DISC + 1):
            part = change[begin[i, kind] : begin[i, kind + 1]]
            n = max(len(part), 1)
            own = _sum(part)
            if floor_share > 0:
                out[kind - 1, i] = (_sum_of_sizes(part, per_film) - len(part) * floor) / n
            else:
                out[kind - 1, i] = (len(part) - own * per_film) / n
            if kind == CORE:
                out[3, i] = own / n


@njit(nogil=True, cache=True, error_model="numpy")
def best_power(
    log: Doubles, values: Doubles, powers: Doubles, left: Doubles, scale: Doubles
) -> None:
    """Least squares of values = a exp(m log) for evenly spaced powers m: what is left, and a."""
    shape, step = np.empty_like(log), np.empty_like(log)
    for t in range(len(log)):
        shape[t] = math.exp(powers[0] * log[t])
        step[t] = math.exp((powers[1] - powers[0]) * log[t])
    for p in range(len(powers)):
        product = square = total = 0.0
        for t in range(len(log)):
            product += shape[t] * values[t]
            square += shape[t] * shape[t]
        scale[p] = product / square
        for t in range(len(log)):
            rest = values[t] - scale[p] * shape[t]
            total += rest * rest
            shape[t] *= step[t]
        left[p] = total
