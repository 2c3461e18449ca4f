"""How sure an onset is: what noise, bending fronts and sparse frames leave of an error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from napari_lithium_alloy.core.crossing import GRADIENT_SIGMA_PX
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.smoothing import (
    at_pixels,
    cell_means,
    robust_sd,
    some_of,
    wide_mean_of_cells,
)

CELL_PX = 4
SCATTER_SIGMA_PX = 6.0
SIGMAS_CLIPPED = 4.0


def cell_side(shape: Sequence[int]) -> int:
    """Side of the squares of pixels that maps are thinned to."""
    return CELL_PX if min(shape) >= 2 * CELL_PX else 1


def kernel_power(px: float, psf_px: float) -> float:
    """Share of white noise's variance left by smoothing and taking out its delay.

    Of the kernel G(px) - c laplacian G(q) with c = (px^2 + psf^2)/2 and q^2 = px^2 plus the
    variance of the smoothing of gradients, by Parseval's theorem.
    """
    c, q2 = (px**2 + psf_px**2) / 2, px**2 + GRADIENT_SIGMA_PX**2
    return (1 / (2 * px**2) + 4 * c / (px**2 + q2) ** 2 + c**2 / q2**3) / (2 * math.pi)


def noise_variance(
    scatter: Float32Array, rising: BoolArray, px: float, psf_px: float
) -> Float32Array:
    """Variance of smoothed times, from how pixels scatter about their surroundings."""
    most = SIGMAS_CLIPPED * robust_sd(some_of(scatter, rising))
    square = pixelwise(lambda s: np.clip(s, -most, most) ** 2, scatter)
    weights = np.exp(-0.5 * (np.arange(-8, 9) / px) ** 2)
    weights /= weights.sum()
    left = 1 - 2 * weights[8] ** 2 + float((weights**2).sum()) ** 2
    power = kernel_power(px, psf_px) / left
    cell = cell_side(square.shape)
    cells = wide_mean_of_cells(square, rising, SCATTER_SIGMA_PX, cell)
    return at_pixels(cells * np.float32(power), cell, square.shape)


def same_phase(time: Float32Array, px: float, interval: float) -> Float32Array:
    """Share of the variance of a sampling error that smoothing leaves.

    It depends on when a pixel rises between two frames, about as a sine, and pixels on a slope
    of the map, which are smoothed together, rise at other phases.
    """
    cell = cell_side(time.shape)
    means = cell_means(time, cell)
    if min(means.shape) < 2:
        return np.ones(time.shape, dtype=np.float32)
    gy, gx = np.gradient(means / (cell * interval))
    share = np.exp(-((2 * np.pi * px) ** 2) * (gy**2 + gx**2)).astype(np.float32)
    return at_pixels(share, cell, time.shape)


def sampling_error(sigma: float, width: float) -> float:
    """What a line makes of a smooth rise seen in few frames: its typical error, in frames."""
    level, slope = lines_of_phases(sigma, width)
    return float(np.sqrt(np.mean((level / np.mean(slope)) ** 2)))


def secant_error(width: float) -> float:
    """What the line between two frames makes of a smooth rise: its typical error, in frames."""
    since = (np.arange(16) + 0.5) / 16
    low, high = (ndtr(step / max(width, 1e-3)) for step in (-since, 1 - since))
    return float(np.sqrt(np.mean(((0.5 - low) / (high - low) - since) ** 2)))


def lines_of_phases(sigma: float, width: float) -> tuple[FloatArray, FloatArray]:
    """Level and slope a frame of the lines fitted at half of a smooth rise from -1/2 to 1/2.

    At evenly spread times between two frames; `sigma` is the standard deviation of the line's
    weights and `width` that of the rise, in frames.
    """
    from napari_lithium_alloy.core.kernels.line_sums import REACH

    phases = np.arange(16) / 16 - 0.5
    reach = math.ceil(REACH * sigma) + 1
    steps = phases[:, np.newaxis] + np.arange(-reach, reach + 1)
    weight = np.exp(-0.5 * (steps / sigma) ** 2) * (np.abs(steps) <= REACH * sigma)
    value = ndtr(steps / max(width, 1e-3)) - 0.5
    s0, s1, s2 = (np.sum(weight * steps**k, axis=1) for k in range(3))
    v0, v1 = (np.sum(weight * value * steps**k, axis=1) for k in range(2))
    spread = s0 * s2 - s1**2
    return (s2 * v0 - s1 * v1) / spread, (s0 * v1 - s1 * v0) / spread
