"""What a search for nucleation sites needs of a deposition: few images and their noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import Float32Array, dark_level, lit
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.smoothing import blurred

MOST_IMAGES = 6
LEAST_FRAMES = 4
LEVEL_SIGMA_PX = 2.0
"""Smoothing of the first frames, by which all are divided: their noise must not come in."""
EARLY_SHARE = 0.04
"""Share of the frames, two at least, from which darkening is measured: discs are small then."""
VARIANCE_SIGMA_PX = 5.0
LEAST_VARIANCE = 1e-10


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteImages:
    """Mean light lost in equal parts of a deposition.

    Attributes
    ----------
    loss : numpy.ndarray
        (K, Y, X) float32 light lost relative to the first of them smoothed, each pixel's mean
        over the frames taken off; positive where it became darker (brighter, if lithium is).
    darkening : numpy.ndarray
        (Y, X) float32 mean loss of all frames against the first few: it peaks where lithium
        came first, at the middle of each disc, even where discs have grown into each other.
    darkening_frames : float
        Frames of the same noise: its variance is that of one frame over this.
    variance : numpy.ndarray
        (Y, X) float32 variance of one frame's loss.
    known : numpy.ndarray
        (Y, X) bool, True where each of them has light.
    shares : tuple of numpy.ndarray
        Of each image, when its frames were taken: 0 at the stage's start, 1 at its end.
    start_s, end_s : float
        The stage, seconds.
    """

    loss: Float32Array
    darkening: Float32Array
    darkening_frames: float
    variance: Float32Array
    known: BoolArray
    shares: tuple[FloatArray, ...]
    start_s: float
    end_s: float

    @property
    def frames(self) -> FloatArray:
        """(K,) frames in each image."""
        return np.array([len(share) for share in self.shares], dtype=float)


def site_images(
    recording: Recording,
    start_s: float,
    end_s: float,
    *,
    brightens: bool = False,
    dark: float | FloatArray | None = None,
) -> Work[SiteImages]:
    """Average a deposition's frames in up to six parts, and measure the noise of one frame.

    The noise is that of second differences in time, smoothed over the picture: neither the
    film's pattern, which stays, nor discs, which grow slowly, are in it.

    Parameters
    ----------
    recording : Recording
    start_s, end_s : float
        The deposition, seconds.
    brightens : bool
        Whether lithium is brighter than the film.
    dark : float or numpy.ndarray, optional
        Dark level in counts; None: the recording's own.

    Raises
    ------
    AlloyError
        If fewer than four frames lie in the range.
    """
    frames = recording.frames_between(start_s, end_s)
    if len(frames) < LEAST_FRAMES:
        raise AlloyError(
            f"{recording.name}: {len(frames)} frames lie between {start_s:g} and {end_s:g} s and "
            f"sites need {LEAST_FRAMES}; choose a longer stage."
        )
    level = dark_level(recording) if dark is None else dark
    parts = np.array_split(np.arange(len(frames)), min(MOST_IMAGES, len(frames) // 2))
    part_of = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    sums = np.zeros((len(parts), *recording.field_shape), dtype=np.float32)
    counts = np.zeros_like(sums)
    n_early = max(2, round(EARLY_SHARE * len(frames)))
    early, early_counts = np.zeros_like(sums[0]), np.zeros_like(sums[0])
    noise = _SecondDifferences(recording.field_shape)
    for i, t in enumerate(frames):
        light = recording.read(int(t)).astype(np.float32) - np.asarray(level, np.float32)
        seen = np.isfinite(light)  # corrected frames have no light where drift shows none
        sums[part_of[i]] += np.where(seen, light, 0)
        counts[part_of[i]] += seen
        if i < n_early:
            early += np.where(seen, light, 0)
            early_counts += seen
        noise.add(light)
        yield i + 1, len(frames)
    means, early = sums / np.maximum(counts, 1), early / np.maximum(early_counts, 1)
    film = lit(blurred(early, LEVEL_SIGMA_PX), recording.frames.dtype)
    sign = np.float32(1 if brightens else -1)
    mean = np.tensordot([len(p) / len(frames) for p in parts], means, axes=1).astype(np.float32)
    loss, darkening = sign * (means - mean) / film, sign * (mean - early) / film
    share = (recording.times_s[frames] - start_s) / (end_s - start_s)
    return SiteImages(
        loss=np.where(np.isfinite(loss), loss, 0).astype(np.float32),
        darkening=np.where(np.isfinite(darkening), darkening, 0).astype(np.float32),
        darkening_frames=1 / (1 / n_early - 1 / len(frames)),
        variance=noise.variance(film),
        known=(counts > 0).all(axis=0) & (early_counts > 0),
        shares=tuple(share[p] for p in parts),
        start_s=start_s,
        end_s=end_s,
    )


class _SecondDifferences:
    """Sum of squares of second differences in time, less what all pixels have in common."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.squares = np.zeros(shape, dtype=np.float32)
        self.before: list[Float32Array] = []
        self.n = 0

    def add(self, light: Float32Array) -> None:
        """The next frame."""
        if len(self.before) == 2:
            first, second = self.before
            bend = light - 2 * second + first
            seen = np.isfinite(bend)
            if seen.any():
                self.squares += np.where(seen, (bend - np.median(bend[seen][::16])) ** 2, 0)
                self.n += 1
        self.before = [*self.before, light][-2:]

    def variance(self, film: Float32Array) -> Float32Array:
        """(Y, X) variance of one frame's light relative to the film's."""
        relative = np.nan_to_num(self.squares / film**2, posinf=0) / np.float32(6 * max(self.n, 1))
        return np.maximum(blurred(relative, VARIANCE_SIGMA_PX), np.float32(LEAST_VARIANCE))


def usable(images: SiteImages, valid: BoolArray | None) -> BoolArray:
    """(Y, X) where sites can be looked for: the film, or everywhere."""
    return images.known if valid is None else images.known & valid
