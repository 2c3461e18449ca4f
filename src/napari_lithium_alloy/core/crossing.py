"""The first sustained crossing of each pixel, and what blur does to when it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import Work, finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.smoothing import blurred

GRADIENT_SIGMA_PX = 2.5
LEAST_KNOWN = 0.05
"""Share of a pixel's surroundings that must have a time for its delay to be told."""


@dataclass(eq=False)
class Crossing:
    """First sustained crossing of each pixel.

    Attributes
    ----------
    time_s : numpy.ndarray
        (Y, X) seconds; NaN where none, -inf where a pixel starts beyond its threshold.
    slope, secant : numpy.ndarray
        (Y, X) slope of the logarithm of light around it, and between the two frames beside it,
        per second and positive the way looked for.
    found, from_start : numpy.ndarray
        (Y, X) True where there is a crossing, and where a pixel starts beyond its threshold.
    """

    time_s: NDArray[np.float64]
    slope: Float32Array
    secant: Float32Array
    found: BoolArray
    from_start: BoolArray


def every_frame(
    shape: tuple[int, ...], n_frames: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Of each pixel, the first frame and that after the last where all are looked at."""
    return np.zeros(shape, np.int32), np.full(shape, n_frames, np.int32)


def first_crossing(
    counts: NDArray[Any],
    times_s: FloatArray,
    threshold: Float32Array,
    sustained: int,
    *,
    dark: Float32Array,
    factor: Float32Array,
    least: float,
    falls: bool,
    own: tuple[NDArray[np.int32], NDArray[np.int32]] | None = None,
) -> Work[Crossing]:
    """Stream frames once and keep, for each pixel, its first sustained crossing.

    Parameters
    ----------
    counts : (T, Y, X) array
    times_s : (T,) array
    threshold, dark : (Y, X) float32 arrays
        Of the light, and counts without light.
    factor : (T,) float32 array
        Light is counts less dark times it.
    sustained : int
        Frames a pixel has to stay beyond its threshold; fewer do at the end.
    least : float
        Light of which a logarithm is taken at least.
    falls : bool
        Whether counts fall.
    own : two (Y, X) int32 arrays, optional
        First frame of each pixel that is looked at, and that after the last; None: all are.
    """
    from napari_lithium_alloy.core.kernels.crossings import first_crossings, slopes_around

    shape = threshold.shape
    needed = min(sustained, len(times_s))
    run, frame = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    before, after = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    slope = np.empty(shape, np.float32)
    spans = every_frame(shape, len(times_s)) if own is None else own

    def cross(rows: tuple[int, int]) -> None:
        own = slice(*rows)
        first_crossings(
            *(counts, factor, (threshold, dark), 1, falls, needed, rows, spans),
            *(run[own], frame[own], before[own], after[own]),
        )
        slopes_around(counts, factor, times_s, frame, dark, (least, falls), rows, slope)

    yield from by_rows(cross, shape[0], most=32)
    low, high, level = (
        np.log(np.maximum(part.astype(float), least)) for part in (before, after, threshold)
    )
    crossed = run > 0
    from_start = crossed & (frame == spans[0])
    earlier = times_s[np.maximum(frame - 1, 0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        time = earlier + (times_s[frame] - earlier) * (level - low) / (high - low)
        secant = np.abs(high - low) / (times_s[frame] - earlier)
    time = np.where(from_start, -np.inf, np.where(crossed, time, np.nan))
    return Crossing(
        time_s=time,
        slope=slope,
        secant=secant.astype(np.float32),
        found=crossed & ~from_start,
        from_start=from_start,
    )


def _where_known(smooth: Float32Array, weight: Float32Array) -> Float32Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > LEAST_KNOWN, smooth / weight, np.nan)


def blur_delay_s(
    onset_s: FloatArray,
    slope: FloatArray,
    rise: FloatArray,
    *,
    psf_sigma_px: float,
    smoothing_px: float = 0.0,
    smoothing_s: float = 0.0,
    falls: bool = True,
) -> Float32Array:
    """Delay of the half-rise crossing by the point spread and by smoothing, seconds.

    Two parts. Across a front with the onset gradient g the point spread averages intensities
    over times of standard deviation s = psf_sigma_px |g|. For a rise of `rise` (natural log)
    whose blurred form is an error function of width w, the average intensity at the true half
    time exceeds the geometric mean of the levels by the factor 1 + rise^2/2 Var(Phi), where
    Var(Phi) = arcsin(s^2/w^2) / (2 pi) and w follows from the slope at the crossing (smoothing in
    time widens the rise, and lessens the factor in the same measure). And any blur of standard
    deviation sigma moves a curved front by sigma^2/2 times the second derivative of the onset:
    the smoothing of the onsets along and across the front, the point spread along it, and across
    it in the measure 1 - s^2/w^2 (all for a rise slow against the blur, none for a sharp front).

    Parameters
    ----------
    onset_s, slope, rise : numpy.ndarray
        (Y, X) crossing times in seconds (NaN where none), slopes at the crossing per second and
        rises, both in natural logarithms.
    psf_sigma_px, smoothing_px, smoothing_s : float
        Standard deviations of the point spread and of the smoothing of onsets in space, and of
        the smoothing of light in time.
    falls : bool
        Whether counts fall; where they rise the point spread's first part hastens the crossing.

    Returns
    -------
    numpy.ndarray
        (Y, X) float32 seconds to take from the crossing; 0 where it cannot be told.
    """
    from napari_lithium_alloy.core.kernels.delays import delays

    out = np.zeros(onset_s.shape, dtype=np.float32)
    known = np.isfinite(onset_s)
    if not known.any() or not (psf_sigma_px or smoothing_px):
        return out
    everywhere = bool(known.all())
    origin = float(np.mean(onset_s if everywhere else onset_s[known]))
    relative = pixelwise(lambda t, k: np.where(k, t - origin, 0), onset_s, known)
    smooth = blurred(relative, GRADIENT_SIGMA_PX, straight=everywhere)
    if not everywhere:
        weight = blurred(known.astype(np.float32), GRADIENT_SIGMA_PX)
        smooth = pixelwise(_where_known, smooth, weight)
    parts = tuple(np.ascontiguousarray(part, dtype=np.float32) for part in (slope, rise))
    blur = (psf_sigma_px, smoothing_px, smoothing_s)
    finish(by_rows(lambda rows: delays(smooth, *parts, blur, falls, rows, out), len(out)))
    return out
