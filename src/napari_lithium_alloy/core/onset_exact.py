"""Onset times of light that needs no smoothing, from the two frames beside each crossing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from napari_lithium_alloy.core.crossing import Crossing, first_crossing
from napari_lithium_alloy.core.onset_delay import Estimate, Widths, without_delay
from napari_lithium_alloy.core.onset_errors import secant_error
from napari_lithium_alloy.core.onset_lines import Lines
from napari_lithium_alloy.core.onset_parameters import HALF
from napari_lithium_alloy.core.onset_scene import Scene
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.rise_time import rise_times, secant_response
from napari_lithium_alloy.core.smoothing import some_of

BETWEEN_FRAMES = 1 / math.sqrt(6)
"""Standard deviation of the weights of two frames, in intervals, for a time between them."""


def exact(scene: Scene, psf_px: float) -> Work[tuple[float, Estimate]]:
    """Crossings of light that needs no smoothing, frame by frame.

    Parameters
    ----------
    scene : Scene
    psf_px : float
        Standard deviation of the point spread, pixels; 0 where it is not known.
    """
    light, levels, fraction = scene.light, scene.levels, scene.parameters.fraction
    crossing = yield from first_crossing(
        light.counts,
        light.times,
        _aim(scene),
        scene.parameters.sustained_frames,
        dark=light.dark,
        factor=light.factor,
        least=light.least,
        falls=light.falls,
        own=scene.span,
    )
    known = scene.rising & crossing.found & np.isfinite(crossing.time_s)
    scene = replace(scene, rise=levels.top - levels.base, rising=known)
    noise = np.hypot(levels.noise, levels.level_noise(fraction))
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = (noise / np.abs(crossing.slope)).astype(np.float32)
    rise_time = _rise_time(scene, crossing, psf_px)
    crossed = Estimate(time=crossing.time_s, sd=sd, delay=np.zeros_like(sd), rise_time=rise_time)
    if not scene.rising.any():
        return 0.0, crossed
    width = _seen_width(scene, crossing)
    widths = Widths(
        px=0.0,
        sigma=BETWEEN_FRAMES * light.interval,
        rise=width,
        psf_px=psf_px if fraction == HALF else 0.0,
        sampling=secant_error(width / light.interval),
    )
    lines = Lines(
        time=np.where(scene.rising, crossing.time_s, 0).astype(np.float32),
        missing=np.zeros_like(sd),
        slope=crossing.secant,
        cells=np.empty((0, 0), np.float32),
        sigma=widths.sigma,
    )
    return 0.0, without_delay(scene, lines, crossing.slope, widths, crossed)


def _aim(scene: Scene) -> Float32Array:
    """Light of each pixel at the fraction of its rise."""
    light = scene.light
    sign = -1 if light.falls else 1
    aim = np.exp(np.where(light.valid, sign * scene.threshold, 0))
    return np.asarray(aim, dtype=np.float32)


def _seen_width(scene: Scene, crossing: Crossing) -> float:
    """Standard deviation in time of a typical rise as it is seen, seconds."""
    interval, known = scene.light.interval, scene.rising
    steep = float(np.mean(some_of(crossing.secant, known)) / np.mean(some_of(scene.rise, known)))
    return interval * float(secant_response().width(np.array([steep * interval]))[0])


def _rise_time(scene: Scene, crossing: Crossing, psf_px: float) -> Float32Array:
    """10-90 % times, from the slopes between the two frames."""
    return rise_times(
        crossing.secant,
        np.zeros_like(crossing.slope),
        scene.rise,
        scene.rising,
        crossing.time_s,
        fraction=scene.parameters.fraction,
        interval=scene.light.interval,
        response=secant_response(),
        psf_px=psf_px,
    )
