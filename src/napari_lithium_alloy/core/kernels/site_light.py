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
FEW = 64
"""Values of which each is compared with all to find the median."""
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
def _middle_of_few(values: Doubles, n: int) -> float:
    """Median of n values: all are compared with all, which has no branch to be guessed."""
    k = n // 2
    lower = upper = -math.inf
    for i in range(n):
        value, below = values[i], np.int64(0)
        for j in range(n):
            below += np.int64(values[j] < value)
        upper = max(upper, value if below <= k else -math.inf)
        lower = max(lower, value if below < k else -math.inf)
    return float(upper if n % 2 else (lower + upper) / 2)


@njit(nogil=True, cache=True, error_model="numpy")
def middle_of(values: Doubles, n: int) -> float:
    """Median of the first n values, which may be put into another order; NaN of none."""
    if n == 0:
        return math.nan
    if n <= FEW:
        return float(_middle_of_few(values, n))
    k = n // 2
    _part_at(values, n, k)
    if n % 2:
        return float(values[k])
    return float((values[:k].max() + values[k]) / 2)


@njit(nogil=True, cache=True, error_model="numpy")
def _least_light(
    counts: NDArray[Any], at: Indices, dark: Doubles, factor: float, share: float
) -> float:
    """Half a count or, if `share` is above 0, that share of the listed pixels' mean."""
    if share <= 0:
        return 0.5
    total, n = 0.0, 0
    for i in range(len(at)):
        value = (counts[at[i]] - dark[i]) * factor
        if math.isfinite(value):
            total += abs(value)
            n += 1
    return float(max(share * total / max(n, 1), 1.2e-38))


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_changes(
    counts: NDArray[Any],
    pixels: tuple[Indices, Doubles, Doubles],
    factor: float,
    least: float,
    clear: float,
    out: Doubles,
) -> bool:
    """Light of listed pixels: their indices, dark counts, and what it is multiplied by.

    Whether any is less than `clear`, before it is made to be the least.
    """
    at, dark, share = pixels
    n = np.int64(0)
    for i in range(len(at)):
        value = (counts[at[i]] - dark[i]) * factor
        n += np.int64(value < clear)
        out[i] = (least if value < least else value) * share[i]
    return bool(n > 0)


@njit(nogil=True, cache=True, error_model="numpy")
def least_light(light: Doubles, share: float, out: Doubles) -> None:
    """Light of pixels, at least half a count or, if `share` is above 0, that share of its mean."""
    at, dark = np.arange(len(light)), np.zeros(len(light))
    least = _least_light(light, at, dark, 1.0, share)
    _fill_changes(light, (at, dark, np.ones(len(light))), 1.0, least, least, out)


@njit(nogil=True, cache=True, error_model="numpy")
def _part_of(
    pixels: tuple[Indices, Doubles, Doubles], first: int, last: int
) -> tuple[Indices, Doubles, Doubles]:
    return pixels[0][first:last], pixels[1][first:last], pixels[2][first:last]


@njit(nogil=True, cache=True, error_model="numpy")
def _known_film(change: Doubles, free: NDArray[np.bool_], out: Doubles) -> int:
    """Put the changes of a ring's free pixels that are known first; how many."""
    n = 0
    for j in range(len(free)):
        if free[j] and not math.isnan(change[j]):
            out[n] = change[j]
            n += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def _usual_film(
    counts: NDArray[Any],
    pixels: tuple[Indices, Doubles, Doubles],
    begin: Indices,
    free: NDArray[np.bool_],
    factor: float,
    least: float,
) -> float:
    """Median change of all rings' free pixels in one frame."""
    every, room, n = np.empty(free.size), np.empty(free.shape[1]), 0
    for i in range(len(begin)):
        ring = _part_of(pixels, begin[i, RING], begin[i, CORE])
        _fill_changes(counts, ring, factor, least, least, room)
        n += _known_film(room, free[i], every[n:])
    return float(middle_of(every, n))


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
def _floor_of(change: Doubles, per_film: float, share: float, room: Doubles) -> float:
    """A share of the median size of a ring's losses; NaN where any is not known."""
    for j in range(len(change)):
        room[j] = abs(1 - change[j] * per_film)
        if math.isnan(room[j]):
            return math.nan
    return float(share * middle_of(room, len(change)))


@njit(nogil=True, cache=True, error_model="numpy")
def _losses_of(
    change: Doubles, begin: Indices, film: float, floor: float, signed: bool, out: Doubles
) -> None:
    """Mean losses in one site's core, inner half and disc, and the core's change."""
    per_film = 1 / film
    for kind in range(CORE, DISC + 1):
        part = change[begin[kind] - begin[CORE] : begin[kind + 1] - begin[CORE]]
        n, light = max(len(part), 1), _sum(part)
        if signed:
            out[kind - 1] = (len(part) - light * per_film) / n
        else:
            out[kind - 1] = (_sum_of_sizes(part, per_film) - len(part) * floor) / n
        if kind == CORE:
            out[3] = light / n


@njit(nogil=True, cache=True, error_model="numpy")
def site_losses(
    counts: NDArray[Any],
    frames: Indices,
    factor: Doubles,
    pixels: tuple[Indices, Doubles, Doubles],
    sites: tuple[Indices, Indices, NDArray[np.bool_], NDArray[np.bool_]],
    shares: tuple[float, float],
    clear: Doubles,
    out: Doubles,
) -> None:
    """Mean loss of light in each site's apertures against its film, and its own change.

    One site after the other is looked at in all frames, so that its pixels stay in the cache.

    Parameters
    ----------
    counts : (T, pixels) array
    frames : (n,) int array
        Those looked at.
    factor : (n,) array
        Light is counts less dark times it.
    pixels : three (M,) arrays
        Of the apertures' pixels, site after site: index, dark counts, and one over the light at
        the start.
    sites : (N,), (N, 5), (N, P) and (N,) arrays
        In what order sites are looked at; bounds of each one's ring, core, inner half and disc in
        the pixels; True where a pixel of a ring is film; and where a ring holds hardly any, and
        the light of all rings' counts.
    shares : (float, float)
        The least light, if above 0, as a share of the pixels' mean, else it is half a count; and,
        if above 0, sizes of losses count, less so many times their median in the ring.
    clear : (n,) array
        Light that is surely more than the least: only where some is less, that is found out.
    out : (n, N, 4) array
        Out: losses of core, inner half and disc, and the core's change.
    """
    order, begin, free, few = sites
    ring, room = np.empty(free.shape[1]), np.empty(free.shape[1])
    change = np.empty((begin[:, -1] - begin[:, CORE]).max())
    least, usual = np.full(len(frames), -math.inf), np.full(len(frames), math.nan)
    for k in range(len(frames)):
        light = counts[frames[k]]
        if few.any() or clear[k] == math.inf:
            least[k] = _least_light(light, pixels[0], pixels[1], factor[k], shares[0])
        if few.any():
            usual[k] = _usual_film(light, pixels, begin, free, factor[k], least[k])
    for i in order:
        around = _part_of(pixels, begin[i, RING], begin[i, CORE])
        own = _part_of(pixels, begin[i, CORE], begin[i, -1])
        for k in range(len(frames)):
            light = counts[frames[k]]
            low = _fill_changes(light, around, factor[k], least[k], clear[k], ring)
            low |= _fill_changes(light, own, factor[k], least[k], clear[k], change)
            if low and least[k] == -math.inf:
                least[k] = _least_light(light, pixels[0], pixels[1], factor[k], shares[0])
                _fill_changes(light, around, factor[k], least[k], clear[k], ring)
                _fill_changes(light, own, factor[k], least[k], clear[k], change)
            film = usual[k] if few[i] else middle_of(room, _known_film(ring, free[i], room))
            floor = _floor_of(ring, 1 / film, shares[1], room) if shares[1] > 0 else 0.0
            _losses_of(change, begin[i], film, floor, shares[1] <= 0, out[k, i])
