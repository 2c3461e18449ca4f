"""What is the lamp's, not the film's: flat field, and the lamp's gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import MAD_TO_SD, robust_sd

FAST_FRAMES = (7, 9, 11)
"""Frames whose smooth course is the film's; what departs from it is the lamp's flicker."""
LEAST_REFERENCE_PX = 100
LEAST_REST_FRAMES = 5
LEAST_LIGHT = 0.05
"""Of a region's usual light: with less the lamp was off or covered."""
UNUSUAL, NEAR_FRAMES = 4.0, 3
"""How far beyond the usual a departure is no flicker, if another half as far is so near."""
DOUBTS = 2.0
"""Standard errors of the tiles' common departure that it must exceed to be the lamp's."""
TILE_PX, MOST_TILES = 16, 64
"""Side of a tile, and how many along a side of the field tell its illumination."""
GainSource = Literal["reference", "rest", "flicker", "none"]


def smooth_illumination(light: FloatArray, film: BoolArray) -> Float32Array:
    """(Y, X) illumination, mean 1: the second-order surface that fits an even film's light.

    Parameters
    ----------
    light : numpy.ndarray
        (Y, X) counts less dark of the pristine film.
    film : numpy.ndarray
        (Y, X) True where there is film.
    """
    y, x, level = _tile_levels(light, film)
    shape = light.shape
    if len(level) < 12:
        return np.ones(shape, dtype=np.float32)
    design = _second_order((y + 0.5) / shape[0] - 0.5, (x + 0.5) / shape[1] - 0.5)
    weight = np.ones(len(level))
    for _ in range(5):
        root = np.sqrt(weight)[:, None]
        found = np.linalg.lstsq(design * root, level * root[:, 0], rcond=None)[0]
        left = level - design @ found
        weight = 1 / (1 + (left / max(3 * robust_sd(left), 1e-6)) ** 2)
    one, b_y, b_x, b_yy, b_yx, b_xx = found
    y, x = np.ix_(*(np.arange(n) / n - 0.5 for n in shape))
    bent = b_yy * y**2 + b_y * y + one + (b_xx * x**2 + b_x * x) + b_yx * y * x
    surface = np.exp(bent.astype(np.float32))
    return np.asarray(surface / surface.mean(dtype=float), dtype=np.float32)


def _tile_levels(light: FloatArray, film: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Centres of tiles that are mostly film, and the logarithm of their median light."""
    tile = max(4, min(TILE_PX, min(light.shape) // 6))
    down, across = (tile * max(1, n // (MOST_TILES * tile)) for n in light.shape)
    corners = (
        np.arange(0, n - tile + 1, d) for n, d in zip(light.shape, (down, across), strict=True)
    )
    y, x = (part.ravel() for part in np.meshgrid(*corners, indexing="ij"))
    window = np.lib.stride_tricks.sliding_window_view
    values, inside = (
        window(part, (tile, tile))[y, x].reshape(len(y), tile * tile) for part in (light, film)
    )
    inside &= values > 0
    count = inside.sum(axis=1)
    some = count > tile**2 / 2
    ordered = np.sort(np.where(inside, values, np.inf)[some], axis=1)
    middle = np.stack([count[some] - 1, count[some]], axis=1) // 2
    median = np.take_along_axis(ordered, middle, axis=1).mean(axis=1)
    return y[some] + tile / 2, x[some] + tile / 2, np.log(median)


def _second_order(y: FloatArray, x: FloatArray) -> FloatArray:
    return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=-1)


@dataclass(frozen=True, eq=False, kw_only=True)
class LampGain:
    """Brightness of the lamp in each frame relative to the reference frames.

    Attributes
    ----------
    gain : numpy.ndarray
        (T,) what each frame's light is divided by.
    source : {"reference", "rest", "flicker", "none"}
        What told it: a region that does not change, the rest before current (and flicker
        after it), flicker alone, nothing.
    note : str
        What the user should know, in one sentence.
    """

    gain: FloatArray
    source: GainSource
    note: str


def gain_of_region(levels: FloatArray, frames: IntArray, name: str) -> LampGain:
    """Gain from the mean light of a region that does not change; NaN frames are interpolated.

    Parameters
    ----------
    levels : numpy.ndarray
        (T,) mean light of the region, after the flat field; NaN where it was not in view.
    frames : numpy.ndarray
        Indices of the reference frames.
    name : str
        What the region is, for the note.

    Raises
    ------
    AlloyError
        If the region is in view in no reference frame.
    """
    usual = np.nanmedian(levels) if np.isfinite(levels).any() else np.nan
    levels = np.where(levels > LEAST_LIGHT * usual, levels, np.nan)
    start = levels[frames]
    if not np.isfinite(start).any():
        raise AlloyError(
            f"The lamp's reference region ({name}) is not in view before current flows; draw one "
            "that is."
        )
    gain = levels / np.nanmean(start)
    known = np.isfinite(gain)
    if not (gain[known] > 0).all():
        raise AlloyError(
            f"The lamp's reference region ({name}) has no light over the dark level in some "
            "frames; correct the dark level, or choose another region."
        )
    t = np.arange(len(gain))
    missing = int((~known).sum())
    note = f"Lamp: its gain is that of {name}, which does not change."
    if missing:
        note += f" Frames in which it was out of view or dark: {missing}; there it is interpolated."
    return LampGain(gain=np.interp(t, t[known], gain[known]), source="reference", note=note)


def gain_without_region(
    times_s: FloatArray,
    levels: FloatArray,
    *,
    current_starts_s: float | None = None,
    switches_s: Sequence[float] = (),
    tiles: FloatArray | None = None,
) -> LampGain:
    """What of the gain can be told from the film alone.

    While no current flows the film does not change, and its light is the lamp's. After that the
    lamp's slow drift and an even darkening of the film are the same thing; only what departs from
    a smooth course over a few frames is the lamp's.

    Parameters
    ----------
    times_s : numpy.ndarray
        (T,) seconds.
    levels : numpy.ndarray
        (T,) mean logarithm of the film's light, over the same part of the film in each frame.
    current_starts_s : float, optional
        When current first flows.
    switches_s : sequence of float
        When current starts, stops or reverses: there the film's course may have a corner.
    tiles : (T, K) float array, optional
        The same levels of parts of the film; see `flicker`.
    """
    resting = np.zeros(len(times_s), dtype=bool)
    if current_starts_s is not None:
        resting = (times_s < current_starts_s) & np.isfinite(levels)
    breaks = sorted({*switches_s, *([] if current_starts_s is None else [current_starts_s])})
    log_gain = flicker(times_s, levels, breaks, tiles)
    slow = (
        "Slow drift of the lamp and an even change of the film cannot be told apart without bare "
        "glass, so it is not corrected."
    )
    if resting.sum() < LEAST_REST_FRAMES:
        note = f"Lamp: only its flicker from frame to frame is corrected. {slow}"
        return LampGain(gain=np.exp(log_gain), source="flicker", note=note)
    level = levels - levels[resting].mean()
    log_gain[resting] = level[resting]
    note = f"Lamp: corrected in full before current flows, after that its flicker only. {slow}"
    return LampGain(gain=np.exp(log_gain), source="rest", note=note)


def flicker(
    times_s: FloatArray,
    levels: FloatArray,
    breaks_s: Sequence[float] = (),
    tiles: FloatArray | None = None,
) -> FloatArray:
    """(T,) departure of each level from the parabola through the frames around it.

    Of the lengths in `FAST_FRAMES` that one is taken which best foretells a level from the
    others around it. Pieces between breaks are fitted on their own; in pieces too short to tell,
    and where a level is not known, the departure is 0.

    Parameters
    ----------
    times_s, levels : (T,) float arrays
    breaks_s : sequence of float
    tiles : (T, K) float array, optional
        The same of parts of the field. The lamp moves them all alike, a front that passes some of
        them does not: the median of their departures is taken, and nothing of it where they
        disagree by as much as it is.
    """
    fits = [_departures(times_s, levels, breaks_s, n) for n in FAST_FRAMES]
    foretold = [float((left_out**2).sum()) for _, left_out in fits]
    best = int(np.argmin(foretold))
    if tiles is None:
        return fits[best][0]
    each = np.stack(
        [_departures(times_s, own, breaks_s, FAST_FRAMES[best])[0] for own in tiles.T], axis=1
    )
    common = np.median(each, axis=1)
    spread = MAD_TO_SD * np.median(np.abs(each - common[:, None]), axis=1)
    doubt = DOUBTS * spread / np.sqrt(each.shape[1])
    told = 1 - (doubt / np.maximum(np.abs(common), 1e-12)) ** 2
    return _usual(np.asarray(common * np.clip(told, 0, 1)))


def _usual(departures: FloatArray) -> FloatArray:
    """The same without those far beyond the usual that do not stand alone.

    A lamp flickers alike all the time. Where the whole film changes within a few frames, a
    parabola misses it in several frames near each other.
    """
    sizes = np.abs(departures)
    usual = robust_sd(departures)
    half_as_large = (sizes > UNUSUAL / 2 * usual).astype(int)
    near = ndimage.convolve1d(half_as_large, np.ones(2 * NEAR_FRAMES + 1, int), mode="constant")
    return np.where((sizes > UNUSUAL * usual) & (near > 1), 0.0, departures)


def _departures(
    times_s: FloatArray, levels: FloatArray, breaks_s: Sequence[float], frames: int
) -> tuple[FloatArray, FloatArray]:
    """(T,) departures from the parabola with the level itself, and without it."""
    away, left_out = np.zeros((2, len(times_s)))
    piece = np.searchsorted(np.asarray(breaks_s, dtype=float), times_s, side="right")
    known = np.isfinite(levels)
    for number in np.unique(piece):
        at = np.flatnonzero((piece == number) & known)
        size = min(frames, len(at))
        if size < LEAST_REST_FRAMES:
            continue
        first = np.clip(np.arange(len(at)) - size // 2, 0, len(at) - size)
        window = at[first[:, None] + np.arange(size)]
        since = times_s[window] - times_s[at][:, None]
        since = since / np.abs(since).max(axis=1, keepdims=True)
        design = np.stack([np.ones_like(since), since, since**2], axis=-1)
        weights = np.linalg.pinv(design)[:, 0]
        away[at] = levels[at] - (weights * levels[window]).sum(axis=1)
        own = weights[np.arange(len(at)), np.arange(len(at)) - first]
        left_out[at] = away[at] / np.maximum(1 - own, 0.05)
    return away, left_out
