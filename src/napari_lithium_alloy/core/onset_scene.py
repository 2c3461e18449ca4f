"""What an onset is told from: light, levels, threshold and frames of each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.crossing import every_frame
from napari_lithium_alloy.core.onset_errors import cell_side
from napari_lithium_alloy.core.onset_light import Levels, OwnFrames, Span, WindowLight
from napari_lithium_alloy.core.onset_parameters import OnsetParameters
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise, pixelwise_several
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.smoothing import cell_means, noise_left, smooth_within, some_of

NEARLY = 0.5
"""Share of the least rise that counts with which a pixel gets a line: it may be one that rises."""
RISE_SIGMA_PX = 2.0
"""Smoothing of the rise where it only scales something."""


@dataclass(eq=False)
class Scene:
    """What the fits need of light and levels.

    Attributes
    ----------
    light : WindowLight
    levels : Levels
    parameters : OnsetParameters
    threshold, rise : numpy.ndarray
        (Y, X) float32 of each pixel, the rise a little smoothed.
    typical_rise : float
    rising, near : numpy.ndarray
        (Y, X) True where something happens, and where it may.
    cell_levels : tuple of numpy.ndarray
        Threshold of the light and dark counts, summed over each cell.
    span, cell_span : tuple of numpy.ndarray
        First frame of the light that is looked at, and that after the last, of pixels and cells.
    earliest, latest : numpy.ndarray
        Times of a pixel's first frame and of its last, or those of all.
    """

    light: WindowLight
    levels: Levels
    parameters: OnsetParameters
    threshold: Float32Array
    rise: Float32Array
    typical_rise: float
    rising: BoolArray
    near: BoolArray
    cell_levels: tuple[Float32Array, Float32Array]
    span: Span
    cell_span: Span
    earliest: FloatArray
    latest: FloatArray


def scene_of(
    light: WindowLight, levels: Levels, parameters: OnsetParameters, own: OwnFrames | None = None
) -> Scene:
    """Threshold, rise and frames of each pixel."""
    shape = light.valid.shape
    if own is None:
        span = every_frame(shape, len(light.times))
        bounds = (light.times[0], light.times[-1])
    else:
        first, last = (
            pixelwise(lambda frame: frame - light.first, part, dtype=np.int32) for part in own.span
        )
        span, times = (first, last), light.times.astype(np.float32)
        bounds = pixelwise(times.__getitem__, first), pixelwise(lambda t: times[t - 1], last)
    change = pixelwise(np.subtract, levels.top, levels.base)
    rise = smooth_within(change, light.valid, RISE_SIGMA_PX)
    sample = some_of(rise, light.valid)
    typical = float(np.percentile(sample, 90)) if sample.size else 0.0
    noise = levels.noise * noise_left(RISE_SIGMA_PX) * math.sqrt(2 / levels.n_frames)
    least = max(parameters.min_snr * noise, parameters.min_rise_fraction * typical)
    fraction = np.float32(parameters.fraction)
    rising, near = pixelwise_several(
        lambda rise, valid: (valid & (rise > least), valid & (rise > NEARLY * least)),
        *(rise, light.valid),
        dtypes=(np.bool_, np.bool_),
    )
    cell_levels = _cell_levels(light, levels, parameters.fraction)
    return Scene(
        light=light,
        levels=levels.without_light(),
        parameters=parameters,
        threshold=pixelwise(lambda b, c: b + fraction * c, levels.base, change),
        rise=rise,
        typical_rise=typical,
        rising=rising,
        near=near,
        cell_levels=cell_levels,
        span=span,
        cell_span=_of_cells(span),
        earliest=bounds[0],
        latest=bounds[1],
    )


def _of_cells(span: Span) -> Span:
    """That of each cell's middle."""
    shape = span[0].shape
    cell = cell_side(shape)
    middles = np.ix_(*(np.arange(max(n // cell, 1)) * cell + cell // 2 for n in shape))
    first, last = (np.ascontiguousarray(part[middles]) for part in span)
    return first, last


def _cell_levels(
    light: WindowLight, levels: Levels, fraction: float
) -> tuple[Float32Array, Float32Array]:
    """Threshold of the light and dark counts, summed over each cell."""
    shape = light.dark.shape
    cell = cell_side(shape)
    sizes = [np.diff(np.arange(max(n // cell, 1)) * cell, append=n) for n in shape]
    area = np.multiply.outer(*sizes).astype(np.float32)
    base, top, dark = (
        cell_means(part, cell) for part in (levels.base_light, levels.top_light, light.dark)
    )
    least = light.least
    level = np.maximum(base, least) ** (1 - fraction) * np.maximum(top, least) ** fraction
    return (
        np.asarray(area * level, dtype=np.float32),
        np.asarray(area * dark, dtype=np.float32),
    )
