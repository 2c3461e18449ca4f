"""Random fields, smooth steps and anti-aliased discs."""

from __future__ import annotations

import math
import zlib

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter
from scipy.ndimage import shift as spline_shift
from scipy.special import betaincinv, ndtr

from napari_lithium_alloy.core.recording import FloatArray

SIGMAS_10_90 = 2 * 1.2815515655446004
"""10-90 % width of a normal distribution in standard deviations."""

_SUB_COLUMNS = 16


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """Random numbers of one ingredient, the same whatever the other ingredients are."""
    return np.random.default_rng(
        [seed, *(zlib.crc32(k.encode()) if isinstance(k, str) else k for k in key)]
    )


def gaussian_field(
    rng: np.random.Generator, shape: tuple[int, int], correlation_px: float
) -> FloatArray:
    """Periodic Gaussian random field: mean 0, variance 1, autocorrelation exp(-d^2 / (2 L^2))."""
    white = rng.standard_normal(shape)
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    sigma = correlation_px / math.sqrt(2)
    low_pass = np.exp(-2 * (np.pi * sigma) ** 2 * (fy**2 + fx**2))
    low_pass[0, 0] = 0
    smooth = np.fft.irfft2(np.fft.rfft2(white) * low_pass, s=shape)
    return np.asarray(smooth / smooth.std())


def ranks(values: FloatArray) -> FloatArray:
    """Rank of each value among all, strictly between 0 and 1."""
    order = np.empty(values.size)
    order[np.argsort(values, axis=None, kind="stable")] = np.arange(values.size)
    return ((order + 0.5) / values.size).reshape(values.shape)


def beta_quantiles(fractions: FloatArray, shape: tuple[float, float]) -> FloatArray:
    """Quantiles of the beta distribution on 0..1 ((1, 1) is uniform)."""
    if shape == (1.0, 1.0):
        return fractions
    return np.asarray(betaincinv(*shape, fractions))


def smooth_step(since_s: FloatArray, rise_s: float) -> FloatArray:
    """From 0 to 1 with half at 0 and the given 10-90 % time: the normal distribution's integral."""
    return np.asarray(ndtr(since_s * np.float32(SIGMAS_10_90 / rise_s)))


def ease(progress: FloatArray) -> FloatArray:
    """From 0 to 1 with zero slope at both ends: 3p^2 - 2p^3."""
    p = np.clip(progress, 0, 1)
    return p * p * (3 - 2 * p)


def disc_coverage(shape: tuple[int, int], discs_px: FloatArray) -> FloatArray:
    """Share of each pixel covered by a union of discs.

    Exact along columns and integrated over 16 strips a pixel along rows. Where two discs share a
    partly covered pixel their shares add up, as of discs that touch they do.

    Parameters
    ----------
    shape : (int, int)
    discs_px : numpy.ndarray
        (N, 3) row, column and radius, pixel centres at whole numbers.

    Returns
    -------
    numpy.ndarray
        (Y, X) float32 in 0..1.
    """
    covered_by_all = np.zeros(shape, dtype=np.float32)
    for y, x, radius in discs_px:
        if radius <= 0:
            continue
        rows = np.arange(max(math.floor(y - radius), 0), min(math.ceil(y + radius) + 1, shape[0]))
        columns = np.arange(
            max(math.floor(x - radius), 0), min(math.ceil(x + radius) + 1, shape[1])
        )
        if not rows.size or not columns.size:
            continue
        strips = (np.arange(_SUB_COLUMNS) + 0.5) / _SUB_COLUMNS - 0.5
        from_centre = columns[:, None] + strips - x
        half_chord = np.sqrt(np.maximum(radius**2 - from_centre**2, 0))[None]
        below = (rows - y)[:, None, None]
        covered = np.minimum(below + 0.5, half_chord) - np.maximum(below - 0.5, -half_chord)
        share = np.maximum(covered, 0).mean(axis=-1)
        window = covered_by_all[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        np.minimum(window + share, 1, out=window, casting="same_kind")
    return covered_by_all


def blur_and_shift(image: FloatArray, sigma_px: float, shift_px: FloatArray) -> FloatArray:
    """Image under a Gaussian point spread, moved by a sub-pixel shift (rows, columns).

    A displaced Gaussian kernel does both at once; a point spread too narrow to be sampled
    (under 0.7 px) is applied after a cubic spline shift. Pixels closer to the edge than the
    shift and four sigmas are not to be used.
    """
    if sigma_px < 0.7:
        moved = (
            spline_shift(image, shift_px, order=3, mode="nearest") if np.any(shift_px) else image
        )
        return np.asarray(gaussian_filter(moved, sigma_px) if sigma_px > 0 else moved)
    for axis, shift in enumerate(shift_px):
        reach = math.ceil(4 * sigma_px + abs(shift))
        offsets = np.arange(-reach, reach + 1)
        kernel = np.exp(-((offsets + shift) ** 2) / (2 * sigma_px**2))
        image = correlate1d(image, kernel / kernel.sum(), axis=axis, mode="nearest")
    return image
