"""Smoothing of frames in space and time, and what noise it leaves."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import ndimage

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray

MAD_TO_SD = 1.4826
"""Of Gaussian noise: its standard deviation over the median of its size."""


def robust_sd(values: FloatArray) -> float:
    """Standard deviation about 0 of values of which a minority are outliers."""
    return MAD_TO_SD * float(np.median(np.abs(values)))


def time_kernel(sigma_frames: float) -> FloatArray:
    """Gaussian weights of neighbouring frames, cut at 2.5 standard deviations."""
    half = int(np.ceil(2.5 * sigma_frames)) if sigma_frames > 0 else 0
    steps = np.arange(-half, half + 1)
    weights = np.exp(-0.5 * (steps / max(sigma_frames, 1e-9)) ** 2)
    return np.asarray(weights / weights.sum())


def smooth_within(image: Float32Array, valid: BoolArray, sigma_px: float) -> Float32Array:
    """Gaussian smoothing that takes nothing from outside `valid`."""
    if sigma_px <= 0:
        return image
    if valid.all():
        return np.asarray(ndimage.gaussian_filter(image, sigma_px, mode="reflect", truncate=3))
    weight = ndimage.gaussian_filter(valid.astype(np.float32), sigma_px, truncate=3)
    inside = ndimage.gaussian_filter(np.where(valid, image, 0), sigma_px, truncate=3)
    return np.where(valid, inside / np.maximum(weight, 1e-6), image).astype(np.float32)


def frame_noise(frames: list[Float32Array], valid: BoolArray) -> float:
    """Robust standard deviation of one frame, from differences of neighbours in time or space."""
    if len(frames) > 1:
        steps = [(b - a)[valid] for a, b in itertools.pairwise(frames)]
        # Each step's own median is the lamp's flicker, which is the same in all pixels.
        differences = np.concatenate([step - np.median(step) for step in steps])
        return robust_sd(differences) / float(np.sqrt(2))
    across = np.diff(frames[0], n=2, axis=1)[valid[:, 2:] & valid[:, :-2]]
    return robust_sd(across) / float(np.sqrt(6))


def noise_left(sigma_px: float) -> float:
    """Share of white noise left by Gaussian smoothing of an image."""
    return 1.0 if sigma_px < 0.3 else min(1.0, 1 / (2 * np.sqrt(np.pi) * sigma_px))
