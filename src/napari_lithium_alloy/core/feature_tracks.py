"""Small patches of the picture that keep their look, followed from frame to frame.

Nothing is said here of what moves them: the film, a speck on the sensor, or a front on its way.
`drift` tells that from the tracks.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from napari_lithium_alloy.core.photometry import Float32Array, dark_level
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.smoothing import noise_left, robust_sd

SMOOTHING_PX = 1.0
"""Standard deviation of the Gaussian with which frames are sampled."""
NOISE_AREA_PX = 4 * np.pi * SMOOTHING_PX**2
"""Pixels whose noise that Gaussian makes one."""
HALF_PX = 7
REACH_PX = 4
"""Pixels beside a sample that the Gaussian takes in."""
WINDOW_PX = 4.0
MOST_PATCHES = 200
BIRTH_EVERY = 5
WORST_SD_PX, MOST_SD_PX = 0.2, 0.35
FIT_STEPS = 4
NEAREST_PX = 9
MOST_MISSES = 8
LEAST_GAIN, MOST_GAIN = 0.3, 3.5
RESIDUAL_SHARE = 0.12
COARSE_PX = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureTracks:
    """Where each patch was seen, a row a patch and frame.

    Attributes
    ----------
    n_frames : int
    frame, patch : numpy.ndarray
        (R,) indices of frame and patch.
    position_px : numpy.ndarray
        (R, 2) row and column on the sensor.
    information : numpy.ndarray
        (R, 2, 2) inverse covariance of the position, px^-2.
    contrast : numpy.ndarray
        (R,) contrast relative to the patch's first frame.
    """

    n_frames: int
    frame: IntArray
    patch: IntArray
    position_px: FloatArray
    information: FloatArray
    contrast: FloatArray


def track_features(recording: Recording) -> Work[FeatureTracks]:
    """Follow the patches with most structure through all frames.

    A patch is fitted to each frame by its shift, contrast, level and slope
    (Lucas and Kanade 1981; Baker and Matthews 2004, DOI 10.1023/B:VISI.0000011205.11775.fd), so
    neither the lamp nor a film that darkens evenly moves it.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    FeatureTracks
    """
    tracker = _Tracker(recording)
    for t in range(recording.n_frames):
        tracker.see(t)
        yield t + 1, recording.n_frames
    return tracker.tracks()


@dataclass(frozen=True, eq=False, kw_only=True)
class _Fit:
    """How patches were found again, a row a patch."""

    position_px: FloatArray
    information: FloatArray
    contrast: FloatArray
    good: BoolArray
    corner: BoolArray
    """Held in both directions, not only across an edge."""

    def some(self, which: BoolArray) -> _Fit:
        return _Fit(**{f.name: getattr(self, f.name)[which] for f in dataclasses.fields(self)})


class _Tracker:
    """The patches followed at present, and all that was seen of them."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.dark = dark_level(recording)
        self.numbers = np.zeros(0, dtype=int)
        self.positions = np.zeros((0, 2))
        self.looks = _Looks.none()
        self.misses = np.zeros(0, dtype=int)
        self.born = 0
        self.rows: list[tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]] = []
        self.coarse: _Coarse | None = None

    def see(self, t: int) -> None:
        """Find the patches in frame `t`; now and then look for new ones."""
        light = light_of(self.recording.read(t), self.dark)
        noise = pixel_noise(light)
        coarse = _Coarse.of(light)
        if len(self.numbers):
            jump = coarse.jump_from(self.coarse) if self.coarse is not None else np.zeros(2)
            self._follow(t, light, noise, jump)
        self.coarse = coarse
        if t % BIRTH_EVERY == 0 or len(self.numbers) < 3:
            self._find_new(t, light, noise)

    def _follow(self, t: int, light: Float32Array, noise: float, jump: FloatArray) -> None:
        before = self.positions
        fit = self.looks.fit(light, before, noise)
        if np.abs(jump).max() > 1:
            again = self.looks.fit(light, before + jump, noise)
            fit = _merged(fit, again, again.good & ~fit.good)
        step = self._step(fit)
        again = self.looks.fit(light, before + step, noise)
        fit = _merged(fit, again, again.good & ~(fit.good & fit.corner))
        step = self._step(fit)
        self.positions = np.where(fit.good[:, None], fit.position_px, before + step)
        self.misses = np.where(fit.good, 0, self.misses + 1)
        self._note(t, self.numbers[fit.good], fit.some(fit.good))
        self._keep((self.misses <= MOST_MISSES) & _inside(self.positions, light.shape))

    def _step(self, fit: _Fit) -> FloatArray:
        """(2,) median step of the patches that were found; 0 without any."""
        held = fit.good & fit.corner
        some = held if held.any() else fit.good
        steps = (fit.position_px - self.positions)[some]
        return np.median(steps, axis=0) if len(steps) else np.zeros(2)

    def _note(self, t: int, numbers: IntArray, fit: _Fit) -> None:
        frame = np.full(len(numbers), t)
        self.rows.append((frame, numbers, fit.position_px, fit.information, fit.contrast))

    def _keep(self, some: BoolArray) -> None:
        self.numbers, self.positions = self.numbers[some], self.positions[some]
        self.misses, self.looks = self.misses[some], self.looks.some(some)

    def _find_new(self, t: int, light: Float32Array, noise: float) -> None:
        room = MOST_PATCHES - len(self.numbers)
        if room <= 0:
            return
        where = structured(light, noise, self.positions, room)
        if not len(where):
            return
        looks = _Looks.at(light, where)
        fit = looks.fit(light, where, noise)
        clear = fit.good & (_best_sd(fit.information) < WORST_SD_PX)
        numbers = self.born + np.arange(int(clear.sum()))
        self.born += len(numbers)
        self._note(t, numbers, fit.some(clear))
        self.numbers = np.append(self.numbers, numbers)
        self.positions = np.concatenate([self.positions, where[clear]])
        self.misses = np.append(self.misses, np.zeros_like(numbers))
        self.looks = self.looks.joined(looks.some(clear))

    def tracks(self) -> FeatureTracks:
        """All that was seen."""
        empty = (np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2, 2)))
        rows = self.rows or [(*empty, np.zeros(0))]
        frame, patch, position, information, contrast = (
            np.concatenate(column) for column in zip(*rows, strict=True)
        )
        return FeatureTracks(
            n_frames=self.recording.n_frames,
            frame=frame,
            patch=patch,
            position_px=position,
            information=information,
            contrast=contrast,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Looks:
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
    def none() -> _Looks:
        side = 2 * HALF_PX + 1
        square = np.zeros((0, 6, 6))
        return _Looks(design=np.zeros((0, side**2, 6)), inverse=square, covariance=square)

    @staticmethod
    def at(light: Float32Array, positions: FloatArray) -> _Looks:
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
        return _Looks(design=design, inverse=inverse, covariance=inverse @ spread @ inverse)

    def some(self, which: BoolArray) -> _Looks:
        return _Looks(
            design=self.design[which],
            inverse=self.inverse[which],
            covariance=self.covariance[which],
        )

    def joined(self, other: _Looks) -> _Looks:
        return _Looks(
            design=np.concatenate([self.design, other.design]),
            inverse=np.concatenate([self.inverse, other.inverse]),
            covariance=np.concatenate([self.covariance, other.covariance]),
        )

    def fit(self, light: Float32Array, guess: FloatArray, noise: float) -> _Fit:
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
        good = (contrast > LEAST_GAIN) & (contrast < MOST_GAIN) & (np.abs(step).max(axis=1) < 0.1)
        good &= variance < np.maximum(9 * smooth, RESIDUAL_SHARE * signal)
        good &= _inside(position, light.shape)
        scale = NOISE_AREA_PX * np.maximum(variance, smooth) / np.maximum(contrast, 0.1) ** 2
        covariance = self.covariance[:, :2, :2] * scale[:, None, None]
        information = held @ np.linalg.pinv(covariance, hermitian=True) @ held
        return _Fit(
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


def _merged(first: _Fit, second: _Fit, second_is_better: BoolArray) -> _Fit:
    one = second_is_better
    return _Fit(
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
    cells = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return max(robust_sd(cells - np.median(cells)) / float(np.sqrt(6)), 1e-6)


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
    where = where[_inside(where.astype(float), light.shape)]
    order = np.argsort(-energy[tuple(where.T)], kind="stable")[:most]
    return where[order].astype(float)


def _inside(positions: FloatArray, shape: tuple[int, ...]) -> BoolArray:
    border = HALF_PX + 2
    high = np.array(shape) - 1 - border
    return np.asarray(((positions >= border) & (positions <= high)).all(axis=1))


def _window() -> FloatArray:
    steps = np.arange(-HALF_PX, HALF_PX + 1)
    one = np.exp(-0.5 * (steps / WINDOW_PX) ** 2)
    return np.asarray(np.outer(one, one))


def _best_sd(information: FloatArray) -> FloatArray:
    """Standard deviation along each patch's best direction."""
    return np.asarray(1 / np.sqrt(np.maximum(np.linalg.eigvalsh(information)[:, -1], 1e-12)))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Coarse:
    """Spectrum of a frame made small, to find jumps by phase correlation."""

    spectrum: NDArray[np.complexfloating]
    shape: tuple[int, int]
    scale: int

    @staticmethod
    def of(light: Float32Array) -> _Coarse:
        scale = max(1, -(-max(light.shape) // COARSE_PX))
        rows, columns = (n // scale * scale for n in light.shape)
        cells = light[:rows, :columns].reshape(rows // scale, scale, columns // scale, scale)
        small = cells.mean(axis=(1, 3), dtype=np.float32)
        smooth = ndimage.uniform_filter(small, 3, mode="nearest")
        band = smooth - ndimage.uniform_filter(smooth, 15, mode="nearest")
        taper = np.outer(*(np.hanning(n) for n in band.shape)).astype(np.float32)
        shape = (band.shape[0], band.shape[1])
        return _Coarse(spectrum=fft.rfft2(band * taper), shape=shape, scale=scale)

    def jump_from(self, before: _Coarse) -> FloatArray:
        """(2,) step of the whole picture since the frame before, to a pixel or so."""
        product = self.spectrum * np.conj(before.spectrum)
        product /= np.maximum(np.abs(product), 1e-9)
        peak = np.unravel_index(np.argmax(fft.irfft2(product, s=self.shape)), self.shape)
        at, size = np.array(peak), np.array(self.shape)
        return np.asarray(np.where(at > size // 2, at - size, at) * float(self.scale))
