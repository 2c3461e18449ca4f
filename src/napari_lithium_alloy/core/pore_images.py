"""Images of single frames on the support of a window: hole share, what tells pores, basins."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels import boxes as kernels
from napari_lithium_alloy.core.kernels import cells
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pore_basins import SURELY_PORE, Basins, Sharpening
from napari_lithium_alloy.core.pore_boxes import (
    BoxedField,
    Boxes,
    alone,
    boxes_of_pixels,
    sample_boxes,
)
from napari_lithium_alloy.core.pore_light import SomeFrames
from napari_lithium_alloy.core.pore_outlines import (
    FAR_FROM_PORES,
    LEAST_QUIET,
    LEAST_QUIET_PX,
    NEAR_SPOT_PX,
    darkest,
    far_px,
    least_response,
    noise_below,
)
from napari_lithium_alloy.core.pore_support import (
    CELL_PX,
    FAR_REACH,
    FILM_CUT,
    LEAST_NEAR,
    Support,
)
from napari_lithium_alloy.core.recording import FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import gaussian_reach, gaussian_weights, robust_sd

USUAL_SMOOTHING_PX = 1.0
ROUNDING = 1e-3
"""By how much a bound is set too wide, for the last digits of what it bounds."""


@dataclass(frozen=True, eq=False)
class SupportImages:
    """What one frame shows on the support.

    Attributes
    ----------
    basins : Basins
    share, inside : (N,) float32 arrays
        Hole share at the graph's pixels, 0 where it is not known; the same with a lower limit.
        Both are 0 around final pores of which nothing can be there yet.
    sharp : Sharpening
    least_spot : float
        Response that tells a pore from the film.
    counts : (Y, X) array
        The recording's, or those that its light is made of.
    clipped_from : float or None
        Of them, those from which a pixel is clipped.
    clipped_px : int
        Pixels of the film, anywhere, that are clipped.
    clipped : bool
        Whether any pixel is, film or not.
    """

    basins: Basins
    share: Float32Array
    inside: Float32Array
    sharp: Sharpening
    least_spot: float
    counts: NDArray[Any]
    clipped_from: float | None
    clipped_px: int
    clipped: bool


@dataclass(frozen=True)
class _Rules:
    """By what pores of one frame are told: how it is sharpened, its noise, the least response."""

    sharp: Sharpening
    noise: float
    least_spot: float


class ImagesOnSupport:
    """Makes the images of frames; several threads may do so at once.

    Parameters
    ----------
    support : Support
    dark : float or (Y, X) array
        Dark counts of the frames.
    smallest_px, min_snr : float
        Area of the smallest pore, and how far a pore stands out of the film's noise.
    """

    def __init__(
        self, support: Support, dark: float | FloatArray, smallest_px: float, min_snr: float
    ) -> None:
        self.support, self.dark = support, dark
        self.min_snr = min_snr
        self.spot_px = max(support.sigma_px, 0.8)
        self.least = least_response(smallest_px, self.spot_px)
        boxes, pixels, begins = boxes_of_pixels(support.graph)
        places = np.stack([support.graph.rows, support.graph.columns], axis=1).astype(np.int32)
        self._pixels = pixels, places[pixels], begins, alone(support.graph, pixels, begins)
        self._boxed = self._around(boxes, USUAL_SMOOTHING_PX)
        sample_px = far_px(self.spot_px) + gaussian_reach(self.spot_px)
        self._sample = BoxedField.of(support, sample_boxes(support.graph.shape), sample_px, dark)
        # Made here, since it is made in threads itself and frames are looked at in such.
        self._wide_weight = support.wide_weight
        self._allowed = support.region > 0
        self._enclosed = np.flatnonzero(~self._allowed)
        self._film = np.ascontiguousarray(support.optics.film)
        weights = gaussian_weights(support.level_sigma, FILM_CUT)
        self._level = weights, LEAST_NEAR, support.optics.substrate
        self._lock = threading.Lock()

    def _around(self, boxes: Boxes, smoothing_px: float) -> BoxedField:
        """With the margin for a smoothing before sharpening."""
        spot, smoothing = gaussian_reach(self.spot_px), gaussian_reach(smoothing_px)
        # Responses are compared within two pixels, and take the smooth share one farther.
        margin = max(NEAR_SPOT_PX + 1 + spot, 1 + smoothing)
        return BoxedField.of(self.support, boxes, margin, self.dark)

    def __call__(self, frames: SomeFrames) -> list[SupportImages]:
        """The images of each of some frames."""
        scales = frames.scales()
        rules = self._rules(frames, scales)
        images, clipped = self._images(frames, scales, rules)
        return [
            self._told(frames, k, rules[k], images[k], int(clipped[k, 0]), bool(clipped[k, 1]))
            for k in range(len(frames.counts))
        ]

    def _rules(self, frames: SomeFrames, scales: Float32Array) -> list[_Rules]:
        """By the noise of each frame, which some pixels tell."""
        sample = self._sample
        share = np.empty((len(frames.counts), sample.n_share), dtype=np.float32)
        kernels.share_in_boxes(
            frames.counts, scales, sample.boxes, sample.reach, sample.fields,
            self._level, self._from_afar(frames, sample), share,
        )  # fmt: skip
        return [self._rules_of(one, frames.counts.shape[2]) for one in share]

    def _rules_of(self, share: Float32Array, width: int) -> _Rules:
        sample = self._sample
        steps = np.empty(sample.n_inside, dtype=np.float32)
        n = kernels.steps_in_boxes(share, sample.boxes, sample.reach[1], sample.film, width, steps)
        noise = robust_sd(steps[:n]) / math.sqrt(2) if n else 0.0
        least = max(self.least, self.min_snr * self._film_noise(share, noise))
        return _Rules(Sharpening.for_noise(self.support.sigma_px, noise), noise, least)

    def _film_noise(self, share: Float32Array, noise: float) -> float:
        """Noise of the response where no pore is near; 0 where there is too little film."""
        sample = self._sample
        depths = np.empty(sample.n_inside + 1, dtype=np.float32)
        n, quiet, film = kernels.quiet_in_boxes(
            share,
            sample.boxes,
            (sample.reach[1], far_px(self.spot_px)),
            sample.film,
            (gaussian_weights(self.spot_px), self.spot_px**2),
            (-darkest(noise), FAR_FROM_PORES),
            depths,
        )
        enough = quiet >= max(LEAST_QUIET_PX, LEAST_QUIET * film)
        return noise_below(depths[:n]) if enough else 0.0

    def _from_afar(self, frames: SomeFrames, field: BoxedField) -> Float32Array:
        """(K, M) the film's level where none is near.

        From farther away, and last from the whole field. Elsewhere it is carried from just around,
        weighted by distance, so that a dealloying front passing under a pore is followed.
        """
        level = np.empty((len(frames.counts), len(field.far)), dtype=np.float32)
        for k in range(len(level) if field.far.size else 0):
            light = frames.light(k)
            self._fill_from_afar(light, field, level[k])
            lost = ~np.isfinite(level[k])
            if lost.any():
                level[k, lost] = self._everywhere(light)
        return level

    def _fill_from_afar(self, light: Float32Array, field: BoxedField, level: Float32Array) -> None:
        support = self.support
        sigma = FAR_REACH * support.sigma_px / CELL_PX
        means = np.zeros(self._wide_weight.shape, dtype=np.float32)
        cells.fill_cells(light, support.optics.flat, support.outside, CELL_PX, field.cells, means)
        wide = self._blurred(means, sigma), self._wide_weight
        cells.between_cells_at(wide, CELL_PX, field.far, light.shape[1], level)

    @staticmethod
    def _blurred(image: Float32Array, sigma: float) -> Float32Array:
        from napari_lithium_alloy.core.kernels.images import blur

        out = np.empty_like(image)
        blur(image, gaussian_weights(sigma), False, (0, len(image)), out)
        return out

    def _everywhere(self, light: Float32Array) -> float:
        """The film's level in the whole field."""
        outside = self.support.outside > 0
        film = light[outside] / self.support.optics.flat[outside]
        return float(np.median(film)) if film.size else 1.0

    def _images(
        self, frames: SomeFrames, scales: Float32Array, rules: list[_Rules]
    ) -> tuple[Float32Array, IntArray]:
        """(K, 6, N) and (K, 2), see `images_in_boxes`; 0 where there can be no pore."""
        smoothing = max(r.sharp.smoothing_px for r in rules)
        boxed = self._with_margin(smoothing)
        spot, half = gaussian_weights(self.spot_px), gaussian_reach(smoothing)
        smoothings = np.zeros((len(rules), 2 * half + 1), dtype=np.float32)
        numbers = np.empty((len(rules), 5), dtype=np.float32)
        most = 1 / ((1 + ROUNDING) * _rising(spot, self.spot_px))
        for own, row, r in zip(smoothings, numbers, rules, strict=True):
            reach = gaussian_reach(r.sharp.smoothing_px)
            own[half - reach : half + reach + 1] = gaussian_weights(r.sharp.smoothing_px)
            surely = SURELY_PORE / (1 + ROUNDING)
            row[:] = r.sharp.sigma_px**2 / 2, -darkest(r.noise), r.least_spot * most, surely, reach
        images = np.zeros((len(rules), 6, len(self.support.graph.at)), dtype=np.float32)
        limit, kind = frames.limit_of_counts, frames.counts.dtype
        clipped = np.zeros((len(rules), 2), dtype=np.int64)
        seen = clipped[:0] if limit is None else clipped
        kernels.images_in_boxes(
            frames.counts, scales, boxed.boxes, boxed.reach, boxed.fields,
            self._level, self._from_afar(frames, boxed),
            (spot, self.spot_px**2, smoothings), numbers, self._pixels,
            (kind.type(0) if limit is None else limit, self._film, seen), images,
        )  # fmt: skip
        return images, clipped

    def _told(
        self,
        frames: SomeFrames,
        k: int,
        rules: _Rules,
        images: Float32Array,
        clipped_px: int,
        clipped: bool,
    ) -> SupportImages:
        graph, lowest = self.support.graph, rules.sharp.lowest
        share, inside, smooth, response, highest_near, image = images
        image[self._enclosed] = 0
        peaks = graph.peaks(image, self._allowed, lowest)
        at = np.flatnonzero(peaks)
        peaks[at] = (highest_near[at] > rules.least_spot) | (smooth[at] > SURELY_PORE)
        return SupportImages(
            basins=Basins.of(graph, peaks, lowest, (image, inside, response, smooth)),
            share=share,
            inside=inside,
            sharp=rules.sharp,
            least_spot=rules.least_spot,
            counts=frames.counts[k],
            clipped_from=frames.limit,
            clipped_px=clipped_px,
            clipped=clipped,
        )

    def _with_margin(self, smoothing_px: float) -> BoxedField:
        """The boxes with margins that are enough; a noisy frame takes larger ones."""
        with self._lock:
            if self._boxed.reach[1] < 1 + gaussian_reach(smoothing_px):
                self._boxed = self._around(self._boxed.boxes, smoothing_px)
            return self._boxed


def _rising(weights: Float32Array, sigma_px: float) -> float:
    """Sum of the weights above 0 of the response: times a share's extent, it is no higher."""
    spot = np.pad(np.outer(weights, weights).astype(float), 2)
    around = sum(np.roll(spot, step, axis) for step in (-1, 1) for axis in (0, 1))
    return float(sigma_px**2 * np.maximum(4 * spot - around, 0).sum())
