"""Light at nucleation sites in a few frames, against the film around them.

What is done with each pixel is done with its light in all those frames at once: they come from
memory, and go through the processor, side by side.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.lane_medians import LANES, Lanes, middle_of, middles_of

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]
RING, CORE, INNER, DISC = range(4)
"""Order of a site's pixels."""


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
    out: Doubles,
) -> None:
    """Light of listed pixels: their indices, dark counts, and what it is multiplied by."""
    at, dark, share = pixels
    for i in range(len(at)):
        value = (counts[at[i]] - dark[i]) * factor
        out[i] = (least if value < least else value) * share[i]


@njit(nogil=True, cache=True, error_model="numpy")
def least_light(light: Doubles, share: float, out: Doubles) -> None:
    """Light of pixels, at least half a count or, if `share` is above 0, that share of its mean."""
    at, dark = np.arange(len(light)), np.zeros(len(light))
    least = _least_light(light, at, dark, 1.0, share)
    _fill_changes(light, (at, dark, np.ones(len(light))), 1.0, least, out)


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
        first, last = begin[i, RING], begin[i, CORE]
        ring = pixels[0][first:last], pixels[1][first:last], pixels[2][first:last]
        _fill_changes(counts, ring, factor, least, room)
        for j in range(len(room)):
            if free[i, j] and not math.isnan(room[j]):
                every[n] = room[j]
                n += 1
    return float(middle_of(every, n))


@njit(nogil=True, cache=True, error_model="numpy")
def _take(counts: NDArray[Any], frames: Indices, at: Indices, out: NDArray[Any]) -> None:
    """Counts of listed pixels in some frames."""
    for i in range(len(at)):
        pixel = at[i]
        for k in range(LANES):
            out[i, k] = counts[frames[k], pixel]


@njit(nogil=True, cache=True, error_model="numpy")
def _changes_of(
    counts: NDArray[Any],
    dark: Doubles,
    share: Doubles,
    factor: Lanes,
    least: Lanes,
    clear: Lanes,
    low: NDArray[np.int32],
    out: Lanes,
) -> None:
    """Light at pixels, which is at least something, over that at the start.

    `low` is how often it is less than `clear`, before it is made to be the least.
    """
    low[:] = 0
    for i in range(len(dark)):
        under, part, own, row = np.float32(dark[i]), np.float32(share[i]), counts[i], out[i]
        for k in range(LANES):
            value = (np.float32(own[k]) - under) * factor[k]
            low[k] += np.int32(value < clear[k])
            row[k] = (least[k] if value < least[k] else value) * part


@njit(nogil=True, cache=True, error_model="numpy")
def _of_whole_frames(
    counts: NDArray[Any],
    lanes: tuple[Indices, Lanes, Lanes],
    pixels: tuple[Indices, Doubles, Doubles],
    sites: tuple[Indices, Indices, NDArray[np.bool_], NDArray[np.bool_]],
    share: float,
) -> tuple[Lanes, Lanes]:
    """Least light and usual change of the film in frames, as far as they are sure to be asked."""
    (which, factor, clear), (_, begin, free, few) = lanes, sites
    least = np.full(LANES, np.float32(-math.inf))
    usual = np.full(LANES, np.float32(math.nan))
    for k in range(LANES):
        light = counts[which[k]]
        if few.any() or clear[k] == math.inf:
            least[k] = _least_light(light, pixels[0], pixels[1], factor[k], share)
        if few.any():
            usual[k] = _usual_film(light, pixels, begin, free, factor[k], least[k])
    return least, usual


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_changes_of(
    counts: NDArray[Any],
    lanes: tuple[Indices, Lanes, Lanes],
    pixels: tuple[Indices, Doubles, Doubles],
    some: slice,
    share: float,
    least: Lanes,
    room: tuple[NDArray[Any], NDArray[np.int32], Lanes],
) -> None:
    """Changes of some of the pixels; the least light of frames becomes known where it counts."""
    (which, factor, clear), (at, dark, part), (taken, low, change) = lanes, pixels, room
    _take(counts, which, at[some], taken)
    _changes_of(taken, dark[some], part[some], factor, least, clear, low, change)
    if not (low > 0).any():
        return
    for k in range(LANES):
        if low[k] > 0 and least[k] == -math.inf:
            least[k] = _least_light(counts[which[k]], at, dark, factor[k], share)
    _changes_of(taken, dark[some], part[some], factor, least, clear, low, change)


@njit(nogil=True, cache=True, error_model="numpy")
def _film_of(
    ring: Lanes, free: NDArray[np.bool_], pairs: NDArray[np.int32], room: Lanes, out: Lanes
) -> None:
    """Median change of a ring's free pixels."""
    n = 0
    for j in range(len(free)):
        if free[j]:
            room[n] = ring[j]
            n += 1
    middles_of(room, n, pairs, out)


@njit(nogil=True, cache=True, error_model="numpy")
def _floors_of(
    ring: Lanes,
    film: Lanes,
    share: np.float32,
    pairs: NDArray[np.int32],
    room: Lanes,
    out: Lanes,
) -> None:
    """A share of the median size of a ring's losses; NaN where any is not known."""
    one, total = np.float32(1), np.zeros(LANES, np.float32)
    for j in range(len(ring)):
        for k in range(LANES):
            room[j, k] = abs(one - ring[j, k] / film[k])
            total[k] += room[j, k]
    middles_of(room, len(ring), pairs, out)
    for k in range(LANES):
        out[k] = share * out[k] if total[k] == total[k] else np.float32(math.nan)


@njit(nogil=True, cache=True, error_model="numpy")
def _add_all(change: Lanes, out: Lanes) -> None:
    out[:] = 0
    for j in range(len(change)):
        row = change[j]
        for k in range(LANES):
            out[k] += row[k]


@njit(nogil=True, cache=True, error_model="numpy")
def _losses_of(
    change: Lanes, film: Lanes, floor: Lanes, signed: bool, total: Lanes, out: Lanes
) -> None:
    """Mean loss at pixels against the film; of unsigned ones the size, less what noise makes."""
    one, n = np.float32(1), np.float32(max(len(change), 1))
    if signed:
        _add_all(change, total)
        for k in range(LANES):
            out[k] = (np.float32(len(change)) - total[k] / film[k]) / n
        return
    out[:] = 0
    for j in range(len(change)):
        for k in range(LANES):
            out[k] += abs(one - change[j, k] / film[k]) - floor[k]
    out /= n


@njit(nogil=True, cache=True, error_model="numpy")
def site_losses(
    counts: NDArray[Any],
    frames: Indices,
    factor: Doubles,
    pixels: tuple[Indices, Doubles, Doubles],
    sites: tuple[Indices, Indices, NDArray[np.bool_], NDArray[np.bool_]],
    shares: tuple[float, float],
    clear: Doubles,
    pairs: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    """Mean loss of light in each site's apertures against its film, and its own change.

    Parameters
    ----------
    counts : (T, pixels) array
    frames : (n,) int array
        Those looked at, no more than `LANES`.
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
    pairs : (S, 2) int32 array
        Of places in a ring, that sort it: each in turn is put in order.
    out : (n, N, 4) array
        Out: losses of core, inner half and disc, and the core's change.
    """
    order, begin, free, few = sites
    n, last = len(frames), len(frames) - 1
    which = np.array([frames[min(k, last)] for k in range(LANES)])
    per = np.array([np.float32(factor[min(k, last)]) for k in range(LANES)])
    enough = np.array([np.float32(clear[min(k, last)]) for k in range(LANES)])
    lanes = which, per, enough
    least, usual = _of_whole_frames(counts, lanes, pixels, sites, shares[0])
    most, ring = (begin[:, -1] - begin[:, RING]).max(), free.shape[1]
    taken, change = np.empty((most, LANES), counts.dtype), np.empty((most, LANES), np.float32)
    room, low = np.empty((ring, LANES), np.float32), np.empty(LANES, np.int32)
    film, floor, total = np.empty((3, LANES), np.float32)
    found = np.empty((4, LANES), np.float32)
    for i in order:
        some, bounds = slice(begin[i, RING], begin[i, -1]), begin[i] - begin[i, RING]
        _fill_changes_of(counts, lanes, pixels, some, shares[0], least, (taken, low, change))
        if few[i]:
            film[:] = usual
        else:
            _film_of(change[:ring], free[i], pairs, room, film)
        floor[:] = 0
        if shares[1] > 0:
            _floors_of(change[:ring], film, np.float32(shares[1]), pairs, room, floor)
        for kind in range(CORE, DISC + 1):
            own = change[bounds[kind] : bounds[kind + 1]]
            _losses_of(own, film, floor, shares[1] <= 0, total, found[kind - 1])
        core = change[bounds[CORE] : bounds[INNER]]
        _add_all(core, found[3])
        found[3] /= np.float32(max(len(core), 1))
        for k in range(n):
            for kind in range(4):
                out[k, i, kind] = found[kind, k]
