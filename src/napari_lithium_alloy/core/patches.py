"""Patches of a picture: where there is structure to hold on to, and finding them again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.smoothing import noise_left, noise_of_second

SMOOTHING_PX = 1.0
"""Standard deviation of the Gaussian with which frames are sampled."""
NOISE_AREA_PX = 4 * np.pi * SMOOTHING_PX**2
"""Pixels whose noise that Gaussian makes one."""
HALF_PX = 7
REACH_PX = 4
"""Pixels beside a sample that the Gaussian takes in."""
BORDER_PX = 2
WINDOW_PX = 4.0
NEAREST_PX = 9
WORST_SD_PX, MOST_SD_PX = 0.2, 0.35
"""Of a new patch along its best direction; along a direction in which a patch is held."""
FIT_STEPS = 4
LEAST_CONTRAST, MOST_CONTRAST = 0.3, 3.5
RESIDUAL_SHARE = 0.12


@dataclass(frozen=True, eq=False, kw_only=True)
class PatchFit:
    """How patches were found again, a row a patch.

    Attributes
    ----------
    position_px : numpy.ndarray
        (N, 2) row and column.
    information : numpy.ndarray
        (N, 2, 2) inverse covariance of the position, px^-2.
    contrast : numpy.ndarray
        (N,) relative to the patch's first frame.
    good : numpy.ndarray
        (N,) True where the patch was found.
    corner : numpy.ndarray
        (N,) True where it is held in both directions, not only across an edge.
    """

    position_px: FloatArray
    information: FloatArray
    contrast: FloatArray
    good: BoolArray
    corner: BoolArray

    def some(self, which: BoolArray) -> PatchFit:
        """Some of the patches."""
        return PatchFit(**{f.name: getattr(self, f.name)[which] for f in dataclasses.fields(self)})


@dataclass(frozen=True, eq=False, kw_only=True)
class Looks:
    """What patches looked like when they were first seen.

    Attributes
    ----------
    design : numpy.ndarray
        (N, P, 6) derivative of a patch's pixels by shift (2), contrast, level and slope (2).
    inverse : numpy.ndarray
        (N, 6, 6) inverse of its weighted normal matrix.
    covariance : numpy.ndarray
        (N, 6, 6) of those six for noise of 1 in independent pixels.
    """

    design: FloatArray
    inverse: FloatArray
    covariance: FloatArray

    @staticmethod
    def none() -> Looks:
        """Of no patches."""
        side = 2 * HALF_PX + 1
        square = np.zeros((0, 6, 6))
        return Looks(design=np.zeros((0, side**2, 6)), inverse=square, covariance=square)

    @staticmethod
    def at(light: Float32Array, positions: FloatArray) -> Looks:
        """Of patches around (N, 2) positions."""
        wide = sampled(light, positions, HALF_PX + 1)
        gy = (wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]) / 2
        gx = (wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]) / 2
        look = wide[:, 1:-1, 1:-1]
        look = look - np.average(look, axis=(1, 2), weights=_window())[:, None, None]
        steps = np.arange(-HALF_PX, HALF_PX + 1) / HALF_PX
        flat = np.ones_like(look)
        parts = [-gy, -gx, look, flat, flat * steps[:, None], flat * steps]
        design = np.stack([p.reshape(len(p), -1) for p in parts], axis=-1)
        window = _window().ravel()
        normal, spread = (
            np.einsum("npi,p,npj->nij", design, w, design) for w in (window, window**2)
        )
        inverse = np.linalg.pinv(normal, hermitian=True)
        return Looks(design=design, inverse=inverse, covariance=inverse @ spread @ inverse)

    def some(self, which: BoolArray) -> Looks:
        """Of some of the patches."""
        return Looks(
            design=self.design[which],
            inverse=self.inverse[which],
            covariance=self.covariance[which],
        )

    def joined(self, other: Looks) -> Looks:
        """Of these patches and others."""
        return Looks(
            design=np.concatenate([self.design, other.design]),
            inverse=np.concatenate([self.inverse, other.inverse]),
            covariance=np.concatenate([self.covariance, other.covariance]),
        )

    def fit(self, light: Float32Array, guess: FloatArray, noise: float) -> PatchFit:
        """Find the patches near `guess`; `noise` is of one pixel."""
        window = _window().ravel()
        smooth = (noise * noise_left(SMOOTHING_PX)) ** 2
        held = _held(self.covariance[:, :2, :2], NOISE_AREA_PX * smooth)
        position = guess.copy()
        for _ in range(FIT_STEPS):
            seen = sampled(light, position, HALF_PX).reshape(len(position), -1)
            right = np.einsum("npi,p,np->ni", self.design, window, seen)
            found = np.einsum("nij,nj->ni", self.inverse, right)
            contrast = found[:, 2]
            step = found[:, :2] / np.where(np.abs(contrast) > 0.1, contrast, np.inf)[:, None]
            step = np.clip(np.einsum("nij,nj->ni", held, step), -1, 1)
            position = position + step
        left = seen - np.einsum("npi,ni->np", self.design, found)
        variance = (left**2) @ window / window.sum()
        signal = contrast**2 * (self.design[:, :, 2] ** 2 @ window) / window.sum()
        good = (
            (contrast > LEAST_CONTRAST)
            & (contrast < MOST_CONTRAST)
            & (np.abs(step).max(axis=1) < 0.1)
        )
        good &= variance < np.maximum(9 * smooth, RESIDUAL_SHARE * signal)
        good &= inside(position, light.shape)
        # The look has noise of its own, but that does not change from frame to frame.
        changing = np.maximum(variance / (1 + contrast**2), smooth)
        scale = NOISE_AREA_PX * changing / np.maximum(contrast, 0.1) ** 2
        covariance = self.covariance[:, :2, :2] * scale[:, None, None]
        information = held @ np.linalg.pinv(covariance, hermitian=True) @ held
        return PatchFit(
            position_px=position,
            information=information,
            contrast=contrast,
            good=good,
            corner=np.trace(held, axis1=1, axis2=2) > 1.5,
        )


def _held(covariance: FloatArray, noise_variance: float) -> FloatArray:
    """(N, 2, 2) projections onto the directions in which a patch's shift can be told."""
    variances, directions = np.linalg.eigh(covariance)
    told = variances * noise_variance < MOST_SD_PX**2
    told[:, 0] = True
    return np.asarray(np.einsum("nik,nk,njk->nij", directions, told.astype(float), directions))


def merged(first: PatchFit, second: PatchFit, second_is_better: BoolArray) -> PatchFit:
    """Of each patch the second fit where that is better, else the first."""
    one = second_is_better
    return PatchFit(
        position_px=np.where(one[:, None], second.position_px, first.position_px),
        information=np.where(one[:, None, None], second.information, first.information),
        contrast=np.where(one, second.contrast, first.contrast),
        good=first.good | one,
        corner=np.where(one, second.corner, first.corner),
    )


def light_of(counts: NDArray[np.generic], dark: float | FloatArray) -> Float32Array:
    """(Y, X) counts less dark; 0 where there are none.

    Not their logarithm: an edge between film and glass stays where it is when the film darkens
    only in the light itself, as the point spread mixes light.
    """
    light = counts.astype(np.float32) - np.asarray(dark, dtype=np.float32)
    return np.where(np.isfinite(light), light, np.float32(0))


def pixel_noise(light: Float32Array) -> float:
    """Noise of one pixel of `light_of`, from differences of neighbours in some of its rows."""
    rows = light[:: max(1, len(light) // 64)]
    cells = np.diff(rows, n=2, axis=1)
    return max(noise_of_second(cells - np.median(cells)), 1e-6)


def sampled(light: Float32Array, positions: FloatArray, half_px: int) -> FloatArray:
    """(N, P, P) Gaussian-smoothed patches around positions between pixels."""
    whole = np.rint(positions).astype(int)
    reach = half_px + REACH_PX
    steps = np.arange(-reach, reach + 1)
    rows = np.clip(whole[:, 0, None] + steps, 0, light.shape[0] - 1)
    columns = np.clip(whole[:, 1, None] + steps, 0, light.shape[1] - 1)
    block = light[rows[:, :, None], columns[:, None, :]].astype(float)
    taps = np.arange(-REACH_PX, REACH_PX + 1)
    part = positions - whole
    weights = np.exp(-0.5 * ((taps - part[:, :, None]) / SMOOTHING_PX) ** 2)
    weights /= weights.sum(axis=2, keepdims=True)
    side = 2 * half_px + 1
    down = sum(weights[:, 0, j, None, None] * block[:, j : j + side] for j in range(len(taps)))
    both = sum(weights[:, 1, j, None, None] * down[:, :, j : j + side] for j in range(len(taps)))
    return np.asarray(both)


def structured(light: Float32Array, noise: float, taken: FloatArray, most: int) -> FloatArray:
    """(N, 2) positions with most gradient, best first, not near those already taken."""
    if min(light.shape) < 2 * (HALF_PX + BORDER_PX) + 1:
        return np.zeros((0, 2))
    smooth = ndimage.gaussian_filter(light, SMOOTHING_PX, truncate=3)
    smooth -= ndimage.uniform_filter(smooth, 4 * HALF_PX + 1, mode="nearest")
    gy, gx = np.gradient(smooth)
    energy = ndimage.gaussian_filter(gy**2 + gx**2, WINDOW_PX / 2, truncate=3)
    least = (noise * noise_left(SMOOTHING_PX)) ** 2 * NOISE_AREA_PX
    least /= 4 * np.pi * (WINDOW_PX / 2) ** 2 * WORST_SD_PX**2
    peaks = (energy == ndimage.maximum_filter(energy, NEAREST_PX)) & (energy > least)
    for y, x in np.rint(taken).astype(int):
        near = slice(max(y - NEAREST_PX, 0), y + NEAREST_PX + 1)
        peaks[near, max(x - NEAREST_PX, 0) : x + NEAREST_PX + 1] = False
    where = np.argwhere(peaks)
    where = where[inside(where.astype(float), light.shape)]
    order = np.argsort(-energy[tuple(where.T)], kind="stable")[:most]
    return where[order].astype(float)


def inside(positions: FloatArray, shape: tuple[int, ...]) -> BoolArray:
    """(N,) True where the whole patch around a position lies in the frame."""
    border = HALF_PX + BORDER_PX
    high = np.array(shape) - 1 - border
    return np.asarray(((positions >= border) & (positions <= high)).all(axis=1))


def _window() -> FloatArray:
    steps = np.arange(-HALF_PX, HALF_PX + 1)
    one = np.exp(-0.5 * (steps / WINDOW_PX) ** 2)
    return np.asarray(np.outer(one, one))


def best_sd(information: FloatArray) -> FloatArray:
    """Standard deviation along each patch's best direction."""
    return np.asarray(1 / np.sqrt(np.maximum(np.linalg.eigvalsh(information)[:, -1], 1e-12)))
