"""The first sustained crossing of each pixel, and what blur does to when it happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray

GRADIENT_SIGMA_PX = 2.0


@dataclass(eq=False)
class Crossing:
    """First sustained crossing of each pixel.

    Attributes
    ----------
    time_s : numpy.ndarray
        (Y, X) seconds; NaN where none, -inf where a pixel starts beyond its threshold.
    slope : numpy.ndarray
        (Y, X) slope there, per second.
    found, from_start : numpy.ndarray
        (Y, X) True where there is a crossing, and where a pixel starts beyond its threshold.
    """

    time_s: NDArray[np.float64]
    slope: Float32Array
    found: BoolArray
    from_start: BoolArray


def first_crossing(
    frames: Iterator[Float32Array],
    times_s: FloatArray,
    threshold: Float32Array,
    sustained: int,
) -> Work[Crossing]:
    """Stream frames once and keep, for each pixel, its first sustained upward crossing."""
    shape = threshold.shape
    candidate = np.full(shape, np.nan)
    time = np.full(shape, np.nan)
    slope = np.full(shape, np.nan, dtype=np.float32)
    run = np.zeros(shape, dtype=np.int32)
    done = np.zeros(shape, dtype=bool)
    held: deque[tuple[float, Float32Array]] = deque(maxlen=4)
    needed = min(sustained, len(times_s))
    for i, frame in enumerate(frames):
        excess = frame - threshold
        above = excess >= 0
        held.append((float(times_s[i]), excess))
        starts = above & (run == 0) & ~done
        candidate[starts] = _interpolated(held, starts) if i else -np.inf
        run = np.where(above, run + 1, 0)
        _keep_slope(held, slope, (run == 2) & ~done)
        accept = (run == needed) & ~done
        time[accept] = candidate[accept]
        done |= accept
        yield i + 1, len(times_s)
    at_end = (run > 0) & ~done
    time[at_end] = candidate[at_end]
    done |= at_end
    from_start = done & np.isneginf(time)
    return Crossing(time_s=time, slope=slope, found=done & ~from_start, from_start=from_start)


def _interpolated(
    held: deque[tuple[float, Float32Array]], pixels: BoolArray
) -> NDArray[np.float64]:
    (t0, before), (t1, after) = held[-2], held[-1]
    low, high = before[pixels].astype(float), after[pixels].astype(float)
    return np.asarray(t0 + (t1 - t0) * low / (low - high))


def _keep_slope(
    held: deque[tuple[float, Float32Array]], slope: Float32Array, pixels: BoolArray
) -> None:
    """Slope over the (up to) four frames around a crossing, per second."""
    if len(held) < 2:
        return
    (t0, first), (t1, last) = held[0], held[-1]
    slope[pixels] = (last[pixels] - first[pixels]) / (t1 - t0)


def blur_delay_s(
    onset_s: FloatArray,
    slope: FloatArray,
    rise: FloatArray,
    *,
    psf_sigma_px: float,
    smoothing_px: float = 0.0,
    falls: bool = True,
) -> FloatArray:
    """Delay of the half-rise crossing by the point spread and by smoothing, seconds.

    Two parts. Across a front with the onset gradient g the point spread averages intensities
    over times of standard deviation s = psf_sigma_px |g|. For a rise of `rise` (natural log)
    whose blurred form is an error function of width w, the average intensity at the true half
    time exceeds the geometric mean of the levels by the factor 1 + rise^2/2 Var(Phi), where
    Var(Phi) = arcsin(s^2/w^2) / (2 pi) and w follows from the slope at the crossing. And any
    blur of standard deviation sigma moves a curved front by sigma^2/2 times the second
    derivative of the onset along the front, and across it in the measure 1 - s^2/w^2 (all for
    a rise slow against the blur, none for a sharp front).

    Parameters
    ----------
    onset_s, slope, rise : numpy.ndarray
        (Y, X) crossing times in seconds (NaN where none), slopes at the crossing per second and
        rises, both in natural logarithms.
    psf_sigma_px, smoothing_px : float
    falls : bool
        Whether counts fall; where they rise the point spread's first part hastens the crossing.

    Returns
    -------
    numpy.ndarray
        (Y, X) seconds to take from the crossing; 0 where it cannot be told.
    """
    known = np.isfinite(onset_s)
    weight = ndimage.gaussian_filter(known.astype(float), GRADIENT_SIGMA_PX)
    weight = np.where(weight > 0.05, weight, np.nan)
    smooth = ndimage.gaussian_filter(np.where(known, onset_s, 0), GRADIENT_SIGMA_PX) / weight
    gy, gx = np.gradient(smooth)
    (gyy, gyx), (_, gxx) = np.gradient(gy), np.gradient(gx)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = rise / (np.abs(slope) * np.sqrt(2 * np.pi))
        square = gy**2 + gx**2
        across = (gy**2 * gyy + 2 * gy * gx * gyx + gx**2 * gxx) / square
        along = gyy + gxx - across
        blur = psf_sigma_px**2 + smoothing_px**2
        curved = blur / 2 * (along + across * (1 - np.clip(blur * square / width**2, 0, 1)))
        spread = np.clip(psf_sigma_px**2 * square / width**2, 0, 1)
        brighter = rise**2 / (4 * np.pi) * np.arcsin(spread) / np.abs(slope)
        delay = curved + (brighter if falls else -brighter)
    return np.where(np.isfinite(delay), delay, 0.0)
