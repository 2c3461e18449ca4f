"""Onset times of noisy pixels: a line through each pixel's light, then smoothing of the times.

Squares of pixels tell when a place alloys; around that time a straight line is fitted to the
logarithm of each pixel's own light, and its crossings of the pixel's threshold are smoothed in
space. Smoothing times instead of pictures does not broaden a steep front, and it takes one look
at the few frames around each pixel's rise instead of smoothing all of them.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from napari_lithium_alloy.core.crossing import GRADIENT_SIGMA_PX
from napari_lithium_alloy.core.onset_delay import LEAST_SIGMA_PX, Estimate, Widths, without_delay
from napari_lithium_alloy.core.onset_errors import (
    cell_side,
    kernel_power,
    noise_variance,
    sampling_error,
)
from napari_lithium_alloy.core.onset_lines import (
    LEAST_SIGMA_FRAMES,
    Lines,
    fitted_lines,
    noise_left_in_time,
)
from napari_lithium_alloy.core.onset_parameters import HALF
from napari_lithium_alloy.core.onset_scene import Scene
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray
from napari_lithium_alloy.core.refinement import BIAS_SHARE
from napari_lithium_alloy.core.rise_time import line_response, rise_times
from napari_lithium_alloy.core.smoothing import median_of, smooth_times, smooth_within, some_of

SLOPE_SIGMA_PX = 2.5
PX_PER_NOISE = 20.0
LEAST_PX, MOST_PX = 0.7, 2.5


def fitted(scene: Scene, width: float, psf_px: float) -> Work[tuple[float, Estimate]]:
    """Crossing times of all pixels, and the smoothing that was chosen.

    Parameters
    ----------
    scene : Scene
        Its parameters with the smoothing in time.
    width : float
        Standard deviation of a typical rise in time, seconds.
    psf_px : float
        That of the point spread, pixels; 0 where it is not known.
    """
    frames = scene.parameters.smoothing_frames or 0.0
    sigma = max(frames, LEAST_SIGMA_FRAMES) * scene.light.interval
    lines = yield from fitted_lines(scene, sigma)
    rising, px = scene.rising, scene.parameters.smoothing_px
    if not rising.any():
        nothing = np.full(rising.shape, np.nan, dtype=np.float32)
        return px or 0.0, Estimate(time=nothing, sd=nothing, delay=nothing, rise_time=nothing)
    slope = _smooth_slope(scene, lines, rising)
    noise = np.float32(_level_noise(scene, sigma))
    sd = pixelwise(lambda s: noise / s, slope)
    if px is None:
        px = _chosen_in_space(scene, lines, median_of(some_of(sd, rising)), psf_px)
    halves, interval = scene.parameters.fraction == HALF, scene.light.interval
    widths = Widths(
        px=px,
        sigma=sigma,
        rise=width,
        psf_px=psf_px if halves else 0.0,
        sampling=sampling_error(sigma / interval, width / interval),
    )
    most = np.float32(2 * (sigma + width))
    raw = pixelwise(
        lambda t, m, s: t + np.clip(m / s, -most, most), lines.time, lines.missing, slope
    )
    time = smooth_times(raw, rising, px)
    if px >= LEAST_SIGMA_PX:
        scatter = pixelwise(np.subtract, raw, time)
        sd = pixelwise(np.sqrt, noise_variance(scatter, rising, px, psf_px))
        del scatter
    del raw  # a large map
    rise_time = _rise_time(scene, lines, time, psf_px)
    later = np.float32(ndtri(scene.parameters.fraction) * (widths.seen - width))
    time = pixelwise(lambda t: t - later, time) if later else time
    crossed = Estimate(time=time, sd=sd, delay=np.zeros_like(sd), rise_time=rise_time)
    return px, without_delay(scene, lines, slope, widths, crossed)


def _rise_time(scene: Scene, lines: Lines, time: Float32Array, psf_px: float) -> Float32Array:
    """10-90 % times, from the slopes of the lines."""
    interval = scene.light.interval
    return rise_times(
        lines.slope,
        lines.missing,
        scene.rise,
        scene.rising,
        time,
        fraction=scene.parameters.fraction,
        interval=interval,
        response=line_response(lines.sigma / interval),
        psf_px=psf_px,
    )


def _smooth_slope(scene: Scene, lines: Lines, rising: BoolArray) -> Float32Array:
    """Slopes at the crossings, much smoother than a pixel's own and never near 0."""
    smooth = smooth_within(lines.slope, rising, SLOPE_SIGMA_PX)
    least = np.float32(0.02 / lines.sigma)
    return pixelwise(lambda s, r: np.maximum(s, least * np.maximum(r, 1e-6)), smooth, scene.rise)


def _level_noise(scene: Scene, sigma: float) -> float:
    """Standard deviation of a line's level less the threshold, from noise."""
    in_time = scene.levels.noise * noise_left_in_time(sigma / scene.light.interval)
    return math.hypot(in_time, scene.levels.level_noise(scene.parameters.fraction))


def _chosen_in_space(scene: Scene, lines: Lines, raw_sd: float, psf_px: float) -> float:
    """The smoothing in space at which noise and what bending of the front costs are least.

    And not more than noise asks for.
    """
    bend = _bending(lines.cells, cell_side(scene.rise.shape))
    px = np.arange(LEAST_PX, MOST_PX + 0.01, 0.05)
    noise = np.array([raw_sd**2 * kernel_power(p, psf_px) for p in px])
    bias = BIAS_SHARE * (px**2 + psf_px**2) / 2 * bend
    best = float(px[np.argmin(noise + bias**2)])
    asked = PX_PER_NOISE * scene.levels.noise / max(scene.typical_rise, 1e-6)
    return round(float(np.clip(min(best, asked), LEAST_PX, MOST_PX)), 2)


def _bending(cells: Float32Array, cell: int) -> float:
    """Typical second derivative of the map of onsets, seconds per pixel squared."""
    known = np.isfinite(cells)
    if min(cells.shape) < 3 or not known.any():
        return 0.0
    smooth = smooth_within(np.where(known, cells, 0), known, GRADIENT_SIGMA_PX / cell)
    smooth = np.where(known, smooth, np.nan)
    around = smooth[:-2, 1:-1] + smooth[2:, 1:-1] + smooth[1:-1, :-2] + smooth[1:-1, 2:]
    second = (around - 4 * smooth[1:-1, 1:-1]) / cell**2
    second = second[np.isfinite(second)]
    if not second.size:
        return 0.0
    most = np.percentile(np.abs(second), 95)
    return float(np.sqrt(np.mean(np.clip(second, -most, most) ** 2)))
