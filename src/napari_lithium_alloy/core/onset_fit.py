"""Onset times of noisy pixels: a line through each pixel's light, then smoothing of the times.

Squares of pixels tell when a place alloys; around that time a straight line is fitted to the
logarithm of each pixel's own light, and its crossings of the pixel's threshold are smoothed in
space. Smoothing times instead of pictures does not broaden a steep front, and it takes one look
at the few frames around each pixel's rise instead of smoothing all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from napari_lithium_alloy.core.crossing import GRADIENT_SIGMA_PX, blur_delay_s
from napari_lithium_alloy.core.onset_errors import (
    cell_side,
    kernel_power,
    noise_variance,
    same_phase,
    sampling_error,
)
from napari_lithium_alloy.core.onset_parameters import HALF, OnsetParameters
from napari_lithium_alloy.core.onset_scene import Scene
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.rise_time import line_response, rise_times
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.smoothing import (
    smooth_times,
    smooth_within,
    some_of,
    wide_mean,
)

SLOPE_SIGMA_PX = 2.5
LEAST_SIGMA_FRAMES = 0.5
"""Weights in time as narrow as this make the line that through the two nearest frames."""
TYPICAL_ROWS = 8
"""Rows of cells from which the typical rise is told."""
WANTED_NOISE = 0.02
"""Share of the rise to which noise is brought, at most, before it is left alone."""
PX_PER_NOISE = 20.0
LEAST_PX, MOST_PX = 0.7, 2.5
LEAST_SIGMA_PX = 0.3
"""Smoothing in space that is none."""
MATCHED = 0.7
"""Smoothing in time, of the rise's own width: nearly all of the gain of a matched filter."""
BIAS_SHARE = 0.3
"""Of the delay that is taken out, what is left of it (from synthetic recordings)."""
LEAST_SAMPLING_ERROR = 0.01
"""Frame intervals; less is not worth a map."""

Rows = tuple[int, int]


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


@dataclass(eq=False)
class Lines:
    """A line a pixel.

    Attributes
    ----------
    time, missing, slope : numpy.ndarray
        (Y, X) float32 where the line was fitted, what its level misses to the threshold there,
        and its slope per second.
    cells : numpy.ndarray
        Crossing times of the cells, NaN where there is none.
    sigma : float
        Standard deviation of the weights in time, seconds.
    """

    time: Float32Array
    missing: Float32Array
    slope: Float32Array
    cells: Float32Array
    sigma: float


def chosen_in_time(scene: Scene) -> Work[tuple[OnsetParameters, float]]:
    """The smoothing in time, and the standard deviation of the rise in time (seconds).

    Where it is not given: none where noise is small already, else as much as brings it down, at
    most what suits the rise. Without any smoothing in time or asked for in space there is none
    in space either.
    """
    given, interval = scene.parameters, scene.light.interval
    aim = WANTED_NOISE * max(scene.typical_rise, 1e-6)
    quiet = scene.levels.noise <= aim
    px = 0.0 if given.smoothing_px is None and quiet else given.smoothing_px
    frames = 0.0 if given.smoothing_frames is None and quiet else given.smoothing_frames
    if (px, frames) == (0, 0):
        return replace(given, smoothing_px=0.0, smoothing_frames=0.0), 0.0
    width = yield from _typical_width(scene)
    if frames is None:
        needed = (scene.levels.noise / aim) ** 2 / (2 * math.sqrt(math.pi))
        frames = round(min(needed, MATCHED * width / interval), 2)
        frames = frames if frames >= LEAST_SIGMA_FRAMES else 0.0
    return replace(given, smoothing_px=px, smoothing_frames=frames), width


def _typical_width(scene: Scene) -> Work[float]:
    """Standard deviation in time of a typical pixel's rise, seconds, from some rows of cells."""
    interval, shape = scene.light.interval, scene.rise.shape
    n_rows = max(shape[0] // cell_side(shape), 1)
    chosen = np.unique(np.linspace(0, n_rows - 1, 2 * TYPICAL_ROWS + 1)[1::2].astype(int))
    lines = yield from _lines(scene, interval, [(int(r), int(r) + 1) for r in chosen])
    cell = cell_side(shape)
    ratios = []
    for r in chosen:
        rows = slice(r * cell, (r + 1) * cell)
        known = scene.rising[rows]
        slope, rise = (
            np.add.reduceat(
                np.where(known, part[rows], 0).sum(axis=0), np.arange(0, shape[1], 4 * cell)
            )
            for part in (lines.slope, scene.rise)
        )
        ratios.append(rise[slope > 0] / slope[slope > 0])
    ratio = np.concatenate(ratios)
    seen = float(np.median(ratio)) / math.sqrt(2 * math.pi) if ratio.size else interval
    return math.sqrt(max(seen**2 - interval**2, (0.2 * interval) ** 2))


def _lines(scene: Scene, sigma: float, blocks: Sequence[Rows] | None = None) -> Work[Lines]:
    """Lines of the pixels of all rows of cells, or of some."""
    from napari_lithium_alloy.core.kernels.local_fits import lines_from_cells

    light, shape = scene.light, scene.rise.shape
    cell = cell_side(shape)
    time, missing, slope = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    cells = np.full(scene.cell_levels[0].shape, np.nan, dtype=np.float32)
    levels = (light.dark, scene.threshold, scene.rise)
    own = (*scene.span, *scene.cell_span)
    needed = min(scene.parameters.sustained_frames, len(light.times))
    noise = scene.levels.noise * _noise_left_in_time(sigma / light.interval)

    def fit(rows: Rows) -> None:
        how = (light.least, light.falls)
        lines_from_cells(
            *(light.counts, light.times, scene.cell_levels, levels, own, how),
            *((sigma, noise), (cell, needed), rows, cells, (time, missing, slope)),
        )

    if blocks is None:
        yield from by_rows(fit, len(cells), most=16)
    else:
        yield from by_rows(lambda one: fit(blocks[one[0]]), len(blocks), most=1)
    return Lines(time=time, missing=missing, slope=slope, cells=cells, sigma=sigma)


def _noise_left_in_time(sigma_frames: float) -> float:
    """Share of white noise left in the level of a line."""
    return min(1.0, 1 / math.sqrt(2 * math.sqrt(math.pi) * max(sigma_frames, 0.3)))


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
    light, interval = scene.light, scene.light.interval
    frames = scene.parameters.smoothing_frames or 0.0
    sigma = max(frames, LEAST_SIGMA_FRAMES) * interval
    lines = yield from _lines(scene, sigma)
    rising = scene.rising
    if not rising.any():
        nothing = np.full(rising.shape, np.nan, dtype=np.float32)
        return scene.parameters.smoothing_px or 0.0, Estimate(
            time=nothing, sd=nothing, delay=nothing, rise_time=nothing
        )
    slope = _smooth_slope(scene, lines, rising)
    sd = _level_noise(scene, sigma) / slope
    px = scene.parameters.smoothing_px
    if px is None:
        px = _chosen_in_space(scene, lines, float(np.median(some_of(sd, rising))), psf_px)
    most = 2 * (sigma + width)
    raw = lines.time + np.clip(lines.missing / slope, -most, most)
    time = smooth_times(raw, rising, px)
    halves = scene.parameters.fraction == HALF
    delay = blur_delay_s(
        np.where(rising, time, np.nan),
        slope,
        scene.rise,
        psf_sigma_px=psf_px if halves else 0.0,
        smoothing_px=px,
        smoothing_s=sigma,
        falls=light.falls,
    )
    # At a jump of the onset, as between grains, a second derivative says nothing of its bending.
    np.clip(delay, -math.hypot(width, sigma), math.hypot(width, sigma), out=delay)
    delay += np.float32(ndtri(scene.parameters.fraction)) * (math.hypot(width, sigma) - width)
    variance = noise_variance(raw - time, rising, px, psf_px) if px >= LEAST_SIGMA_PX else sd**2
    variance += (scene.levels.flicker * _flicker_left(scene, sigma) / slope) ** 2
    sampling = sampling_error(sigma / interval, width / interval) * interval
    if sampling > LEAST_SAMPLING_ERROR * interval:
        variance += np.float32(sampling**2) * same_phase(time, px, interval)
    variance += BIAS_SHARE**2 * wide_mean(
        delay**2, rising, GRADIENT_SIGMA_PX, cell_side(time.shape)
    )
    return px, Estimate(
        time=time,
        sd=np.sqrt(variance),
        delay=delay,
        rise_time=_rise_time(scene, lines, time, psf_px),
    )


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
    return np.maximum(smooth, np.float32(0.02 / lines.sigma) * np.maximum(scene.rise, 1e-6))


def _level_noise(scene: Scene, sigma: float) -> float:
    """Standard deviation of a line's level less the threshold, from noise."""
    in_time = scene.levels.noise * _noise_left_in_time(sigma / scene.light.interval)
    return math.hypot(in_time, scene.levels.level_noise(scene.parameters.fraction))


def _flicker_left(scene: Scene, sigma: float) -> float:
    fraction = scene.parameters.fraction
    ends = ((1 - fraction) ** 2 + fraction**2) / scene.levels.n_frames
    return math.sqrt(_noise_left_in_time(sigma / scene.light.interval) ** 2 + ends)


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
