"""Small patches of the picture that keep their look, followed from frame to frame.

Nothing is said here of what moves them: the film, a speck on the sensor, or a front on its way.
`drift` tells that from the tracks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from skimage.feature import match_template

from napari_lithium_alloy.core.patches import (
    HALF_PX,
    SMOOTHING_PX,
    WORST_SD_PX,
    Looks,
    PatchFit,
    best_sd,
    inside,
    light_of,
    merged,
    pixel_noise,
    structured,
)
from napari_lithium_alloy.core.photometry import Float32Array, dark_level
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording

MOST_PATCHES = 200
BIRTH_EVERY = 5
MOST_MISSES = 8
COARSE_PX = 512
LONG_FRAMES, LEAST_LOST = 10, 2
"""Patches known for so long that are lost at once are sought further away."""
SEARCH_PX, SOUGHT_PATCHES = 24, 12
"""How far, and how many of them."""


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


class _Tracker:
    """The patches followed at present, and all that was seen of them."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.dark = dark_level(recording)
        self.numbers = np.zeros(0, dtype=int)
        self.positions = np.zeros((0, 2))
        self.looks = Looks.none()
        self.misses = np.zeros(0, dtype=int)
        self.first = np.zeros(0, dtype=int)
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
        guesses = [jump] if np.abs(jump).max() > 1 else []
        lost = ~fit.good & (self.misses == 0) & (t - self.first >= LONG_FRAMES)
        if lost.sum() >= LEAST_LOST:
            guesses.append(self._sought(light, lost))
        for guess in guesses:
            again = self.looks.fit(light, before + guess, noise)
            fit = merged(fit, again, again.good & ~fit.good)
        step = self._step(fit)
        again = self.looks.fit(light, before + step, noise)
        fit = merged(fit, again, again.good & ~(fit.good & fit.corner))
        step = self._step(fit)
        self.positions = np.where(fit.good[:, None], fit.position_px, before + step)
        self.misses = np.where(fit.good, 0, self.misses + 1)
        self._note(t, self.numbers[fit.good], fit.some(fit.good))
        self._keep((self.misses <= MOST_MISSES) & inside(self.positions, light.shape))

    def _sought(self, light: Float32Array, lost: BoolArray) -> FloatArray:
        """(2,) step at which lost patches together are most like what is seen."""
        smooth = ndimage.gaussian_filter(light, SMOOTHING_PX)
        padded = np.pad(smooth, SEARCH_PX + HALF_PX, mode="reflect")
        likeness = np.zeros((2 * SEARCH_PX + 1,) * 2)
        side = 2 * (SEARCH_PX + HALF_PX) + 1
        for number in np.flatnonzero(lost)[:SOUGHT_PATCHES]:
            y, x = np.rint(self.positions[number]).astype(int)
            look = self.looks.design[number, :, 2].reshape((2 * HALF_PX + 1,) * 2)
            likeness += match_template(padded[y : y + side, x : x + side], look)
        peak = np.unravel_index(np.argmax(likeness), likeness.shape)
        return np.asarray(np.array(peak, dtype=float) - SEARCH_PX)

    def _step(self, fit: PatchFit) -> FloatArray:
        """(2,) median step of the patches that were found; 0 without any."""
        held = fit.good & fit.corner
        some = held if held.any() else fit.good
        steps = (fit.position_px - self.positions)[some]
        return np.median(steps, axis=0) if len(steps) else np.zeros(2)

    def _note(self, t: int, numbers: IntArray, fit: PatchFit) -> None:
        frame = np.full(len(numbers), t)
        self.rows.append((frame, numbers, fit.position_px, fit.information, fit.contrast))

    def _keep(self, some: BoolArray) -> None:
        self.numbers, self.positions = self.numbers[some], self.positions[some]
        self.misses, self.looks = self.misses[some], self.looks.some(some)
        self.first = self.first[some]

    def _find_new(self, t: int, light: Float32Array, noise: float) -> None:
        room = MOST_PATCHES - len(self.numbers)
        if room <= 0:
            return
        where = structured(light, noise, self.positions, room)
        if not len(where):
            return
        looks = Looks.at(light, where)
        fit = looks.fit(light, where, noise)
        clear = fit.good & (best_sd(fit.information) < WORST_SD_PX)
        numbers = self.born + np.arange(int(clear.sum()))
        self.born += len(numbers)
        self._note(t, numbers, fit.some(clear))
        self.numbers = np.append(self.numbers, numbers)
        self.positions = np.concatenate([self.positions, where[clear]])
        self.misses = np.append(self.misses, np.zeros_like(numbers))
        self.first = np.append(self.first, np.full_like(numbers, t))
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
