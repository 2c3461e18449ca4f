"""Times of crossings without what delays them, and how sure they then are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from napari_lithium_alloy.core.crossing import GRADIENT_SIGMA_PX, blur_delay_s
from napari_lithium_alloy.core.onset_errors import cell_side, same_phase
from napari_lithium_alloy.core.onset_lines import Lines, noise_left_in_time
from napari_lithium_alloy.core.onset_scene import Scene
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.refinement import Blur, refined, widths_of
from napari_lithium_alloy.core.smoothing import (
    blurred,
    cell_means,
    filled_times,
    gradient_squared,
    wide_mean,
)

LEAST_SIGMA_PX = 0.3
"""Smoothing in space that is none."""
TYPICAL_PSF_PX = 1.3
"""Point spread of a recording of which none is known, as far as its onsets' error goes."""
UNKNOWN_SHARE = 1.3
"""Of the delay by an unknown point spread: more than a second derivative tells of it."""
STEEPEST = 2.5
"""Widths of a rise over which onsets may spread across the point spread."""
JUMP_SHARE = 1.5
"""Of what onsets spread over across the point spread where they jump, that may be wrong."""
MAY_JUMP = 0.4
"""Share of that steepness that squares of pixels show where single pixels may exceed it."""
LEAST_SAMPLING_ERROR = 0.01
"""Frame intervals; less is not worth a map."""


@dataclass(eq=False)
class Estimate:
    """Crossing times before they are sorted into reached and not.

    Attributes
    ----------
    time : numpy.ndarray
        (Y, X) seconds after the window's first frame; -inf before it, NaN never.
    sd : numpy.ndarray
        (Y, X) float32 standard deviation, seconds.
    delay : numpy.ndarray
        (Y, X) float32 to take from the time.
    rise_time : numpy.ndarray
        (Y, X) float32 from 10 to 90 % of the rise, seconds.
    """

    time: FloatArray
    sd: Float32Array
    delay: Float32Array
    rise_time: Float32Array


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Standard deviations, of the smoothing in space in pixels and in time in seconds.

    Attributes
    ----------
    px, sigma : float
        Of the smoothing of times in space and of light in time.
    rise : float
        Of a typical rise.
    psf_px : float
        Of the point spread that is taken out; 0: none is.
    sampling : float
        That of errors by sparse frames, frame intervals.
    """

    px: float
    sigma: float
    rise: float
    psf_px: float
    sampling: float

    @property
    def seen(self) -> float:
        """Of a typical rise smoothed in time."""
        return math.hypot(self.sigma, self.rise)


def without_delay(
    scene: Scene, lines: Lines, slope: Float32Array, widths: Widths, crossed: Estimate
) -> Estimate:
    """Times less what delays them, and the standard deviation of what is left.

    Parameters
    ----------
    scene : Scene
    lines : Lines
        Light around the crossings.
    slope : numpy.ndarray
        (Y, X) float32 smooth slopes at the crossings, per second.
    widths : Widths
    crossed : Estimate
        Crossings and what of their standard deviation comes from noise.
    """
    time = crossed.time.astype(np.float32, copy=False)
    delay = _delay(scene, time, slope, widths)
    onset = pixelwise(np.subtract, time, delay)
    sampling = _sampling_variance(scene, time, widths)
    bias: Float32Array | float = 0.0
    noisier = 1.0
    if widths.px >= LEAST_SIGMA_PX or widths.psf_px:
        blur = Blur(
            width=widths_of(crossed.rise_time, widths.rise, scene.light.interval),
            psf_px=widths.psf_px,
            smoothing_px=widths.px,
            delay=delay,
            sampling=sampling,
        )
        onset, bias, noisier = _refined(scene, lines, onset, blur)

    def between(time: Float32Array, onset: Float32Array, rising: BoolArray) -> Float32Array:
        return np.subtract(time, onset, out=np.zeros_like(time), where=rising)

    delay = pixelwise(between, time, onset, scene.rising)
    flicker = scene.levels.flicker * _flicker_left(scene, widths.sigma)

    def spread(sd: Float32Array, slope: Float32Array, *variances: Any) -> Float32Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = (flicker / slope) ** 2 + np.float32(noisier) * sd**2
        return np.asarray(np.sqrt(sum(variances, variance)))

    rest = (
        _jump_variance(scene, onset, widths),
        _unknown_delay(scene, time, slope, widths),
    )
    sd = pixelwise(spread, crossed.sd, slope, sampling, bias, *rest)
    return replace(crossed, sd=sd, delay=delay)


def _refined(
    scene: Scene, lines: Lines, onset: Float32Array, blur: Blur
) -> tuple[Float32Array, Float32Array, float]:
    """Onsets that show the light that is seen, what they may miss (mean square), and noise."""
    quantile = np.float32(ndtri(scene.parameters.fraction))
    if not quantile:
        found = refined(scene, lines, onset, blur)
        return found.onset, found.bias, found.noisier
    halves = pixelwise(lambda o, w: o - quantile * w, onset, blur.width)
    found = refined(scene, lines, halves, blur)
    onset = pixelwise(lambda o, w: o + quantile * w, found.onset, blur.width)
    return onset, found.bias, found.noisier


def _delay(scene: Scene, time: Float32Array, slope: Float32Array, widths: Widths) -> Float32Array:
    """By smoothing in space and by the point spread, seconds."""
    delay = blur_delay_s(
        time if scene.rising.all() else np.where(scene.rising, time, np.nan),
        slope,
        scene.rise,
        psf_sigma_px=widths.psf_px,
        smoothing_px=widths.px,
        smoothing_s=widths.sigma,
        falls=scene.light.falls,
    )
    # At a jump of the onset, as between grains, a second derivative says nothing of its bending.
    most = np.float32(widths.seen)
    return pixelwise(lambda d: np.clip(d, -most, most), delay)


def _unknown_delay(
    scene: Scene, time: Float32Array, slope: Float32Array, widths: Widths
) -> Float32Array | float:
    """Mean square of the delay by a point spread that is not taken out, seconds squared.

    Where none is known it is that of a typical one; where its standard deviation is given as 0
    there is none.
    """
    given = scene.parameters.psf_sigma_px
    left = replace(widths, px=0.0, psf_px=TYPICAL_PSF_PX if given is None else given)
    if widths.psf_px or not left.psf_px:
        return 0.0
    delay = _delay(scene, time, slope, left)
    square = pixelwise(lambda d: (np.float32(UNKNOWN_SHARE) * d) ** 2, delay)
    return wide_mean(square, scene.rising, GRADIENT_SIGMA_PX, cell_side(delay.shape))


def _jump_variance(scene: Scene, onset: Float32Array, widths: Widths) -> Float32Array | float:
    """Of times where a map is so steep that it may as well jump, seconds squared.

    Where grains meet the light of both is mixed, and no one time can be right.
    """
    reach = widths.psf_px or TYPICAL_PSF_PX
    cell, most = cell_side(onset.shape), STEEPEST * widths.seen
    onset = filled_times(onset, scene.rising)
    if _steepest(cell_means(onset, cell)) / cell < MAY_JUMP * most / reach:
        return 0.0

    def square(energy: Float32Array) -> Float32Array:
        across = np.float32(reach) * np.sqrt(energy)
        across *= np.clip(across / np.float32(most) - 1, 0, 1)
        return np.float32(JUMP_SHARE**2) * across**2

    return blurred(pixelwise(square, gradient_squared(onset)), reach)


def _steepest(image: Float32Array) -> float:
    """Largest difference between neighbours."""
    return max(float(np.abs(np.diff(image, axis=axis)).max(initial=0)) for axis in (0, 1))


def _sampling_variance(scene: Scene, time: Float32Array, widths: Widths) -> Float32Array | float:
    """Of what a line makes of a rise seen in few frames, seconds squared."""
    if widths.sampling <= LEAST_SAMPLING_ERROR:
        return 0.0
    interval = scene.light.interval
    variance = np.float32((widths.sampling * interval) ** 2)
    return variance * same_phase(time, widths.px, interval) if widths.px else float(variance)


def _flicker_left(scene: Scene, sigma: float) -> float:
    fraction = scene.parameters.fraction
    ends = ((1 - fraction) ** 2 + fraction**2) / scene.levels.n_frames
    return math.sqrt(noise_left_in_time(sigma / scene.light.interval) ** 2 + ends)
