"""What a search for nucleation sites needs of a deposition: few images and their noise."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.deposition_sums import DepositionSums
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import Float32Array, dark_level, lit
from napari_lithium_alloy.core.progress import Work, finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.row_blocks import Rows, by_rows
from napari_lithium_alloy.core.smoothing import blurred

MOST_IMAGES = 6
"""To find discs in; they are fitted at last in twice as many."""
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

    def in_pairs(self, room: Float32Array) -> SiteImages:
        """The same in half as many parts, put into some room: enough to find discs, and faster."""
        weights = self.frames.astype(np.float32).reshape(-1, 2)
        weights /= weights.sum(axis=1, keepdims=True)
        pairs = self.loss.reshape(-1, 2, *self.variance.shape)
        shares = [np.concatenate(self.shares[i : i + 2]) for i in range(0, len(self.shares), 2)]

        def mean(which: Rows) -> None:
            for k in range(*which):
                np.einsum("p,pyx->yx", weights[k], pairs[k], out=room[k])

        finish(by_rows(mean, len(room), most=1))
        return dataclasses.replace(self, loss=room, shares=tuple(shares))


def site_images(
    recording: Recording,
    start_s: float,
    end_s: float,
    *,
    brightens: bool = False,
    dark: float | FloatArray | None = None,
) -> Work[SiteImages]:
    """Average a deposition's frames in up to twelve parts, and measure the noise of one frame.

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
    n_parts = min(MOST_IMAGES, len(frames) // 2)
    halves = [np.array_split(p, 2) for p in np.array_split(np.arange(len(frames)), n_parts)]
    parts = [half for pair in halves for half in pair]
    n_early = max(2, round(EARLY_SHARE * len(frames)))
    level = dark_level(recording) if dark is None else dark
    sums = DepositionSums.of(recording.field_shape, parts, n_early, level)
    yield from sums.add_frames(recording, frames)
    known, early = sums.known(), sums.early_mean()
    film = lit(blurred(early, LEVEL_SIGMA_PX), recording.frames.dtype)
    variance = np.maximum(
        blurred(sums.variance(film), VARIANCE_SIGMA_PX), np.float32(LEAST_VARIANCE)
    )
    loss, darkening = sums.losses(early, film, brightens=brightens)
    share = (recording.times_s[frames] - start_s) / (end_s - start_s)
    return SiteImages(
        loss=loss,
        darkening=darkening,
        darkening_frames=1 / (1 / n_early - 1 / len(frames)),
        variance=variance,
        known=known,
        shares=tuple(share[p] for p in parts),
        start_s=start_s,
        end_s=end_s,
    )


def usable(images: SiteImages, valid: BoolArray | None) -> BoolArray:
    """(Y, X) where sites can be looked for: the film, or everywhere."""
    return images.known if valid is None else images.known & valid
