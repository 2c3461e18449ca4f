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
    boxes_of_pixels,
    sample_boxes,
)
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
    FILM_REACH,
    LEAST_NEAR,
    Support,
)
from napari_lithium_alloy.core.smoothing import gaussian_reach, gaussian_weights, robust_sd

USUAL_SMOOTHING_PX = 1.0


@dataclass(frozen=True, eq=False)
class SupportImages:
    """What one frame shows on the support.

    Attributes
    ----------
    basins : Basins
    share, inside : (N,) float32 arrays
        Hole share at the graph's pixels, 0 where it is not known; the same with a lower limit.
    sharp : Sharpening
    least_spot : float
        Response that tells a pore from the film.
    counts : (N,) array
        The recording's.
    clipped_px : int
        Pixels of the film, anywhere, that are clipped.
    """

    basins: Basins
    share: Float32Array
    inside: Float32Array
    sharp: Sharpening
    least_spot: float
    counts: NDArray[Any]
    clipped_px: int


class ImagesOnSupport:
    """Makes the images of frames; several threads may do so at once.

    Parameters
    ----------
    support : Support
    smallest_px, min_snr : float
        Area of the smallest pore, and how far a pore stands out of the film's noise.
    limit : float or None
        Counts at and above which a pixel is clipped.
    """

    def __init__(
        self, support: Support, smallest_px: float, min_snr: float, limit: float | None
    ) -> None:
        self.support = support
        self.min_snr, self.limit = min_snr, limit
        self.spot_px = max(support.sigma_px, 0.8)
        self.least = least_response(smallest_px, self.spot_px)
        boxes, pixels, begins = boxes_of_pixels(support.graph)
        places = np.stack([support.graph.rows, support.graph.columns], axis=1).astype(np.int32)
        self._pixels = pixels, places[pixels], begins
        self._boxed = self._around(boxes, USUAL_SMOOTHING_PX)
        sample_px = far_px(self.spot_px) + gaussian_reach(self.spot_px)
        self._sample = BoxedField.of(support, sample_boxes(support.graph.shape), sample_px)
        # Made here, since it is made in threads itself and frames are looked at in such.
        self._wide_weight = support.wide_weight
        self._film = np.ascontiguousarray(support.optics.film)
        shape = support.graph.shape
        self._dark = np.broadcast_to(np.asarray(support.optics.dark, np.float32), shape)
        self._lock = threading.Lock()

    def _around(self, boxes: Boxes, smoothing_px: float) -> BoxedField:
        """With the margin for a smoothing before sharpening."""
        spot, smoothing = gaussian_reach(self.spot_px), gaussian_reach(smoothing_px)
        # Responses are compared within two pixels, and take the smooth share one farther.
        return BoxedField.of(self.support, boxes, max(NEAR_SPOT_PX + 1 + spot, 1 + smoothing))

    def __call__(self, counts: NDArray[Any]) -> SupportImages:
        """The images of a frame's counts."""
        if not counts.dtype.isnative:
            counts = counts.astype(counts.dtype.newbyteorder("="))
        share, noise = self._sampled(counts)
        sharp = Sharpening.for_noise(self.support.sigma_px, noise)
        film_noise = self._film_noise(share, noise)
        least = max(self.least, self.min_snr * film_noise)
        return self._told(counts, sharp, noise, least)

    def _sampled(self, counts: NDArray[Any]) -> tuple[Float32Array, float]:
        """Hole share, packed, of the pixels that tell its noise, and this."""
        sample = self._sample
        share = np.empty(sample.n_share, dtype=np.float32)
        kernels.share_in_boxes(
            counts, sample.boxes, sample.reach, sample.light, sample.film,
            self._level(counts, sample), share,
        )  # fmt: skip
        steps = np.empty(sample.n_inside, dtype=np.float32)
        width = counts.shape[1]
        n = kernels.steps_in_boxes(share, sample.boxes, sample.reach[1], sample.film, width, steps)
        return share, robust_sd(steps[:n]) / math.sqrt(2) if n else 0.0

    def _film_noise(self, share: Float32Array, noise: float) -> float:
        """Noise of the response where no pore is near; 0 where there is too little film."""
        sample = self._sample
        depths = np.empty(sample.n_inside, dtype=np.float32)
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

    def _level(
        self, counts: NDArray[Any], field: BoxedField
    ) -> tuple[Float32Array, float, float, Float32Array]:
        """How the film's level is carried into the support from just around it.

        Weighted by distance, so that a dealloying front passing under a pore is followed.
        """
        weights = gaussian_weights(FILM_REACH * self.support.sigma_px)
        afar = np.zeros(0, dtype=np.float32)
        if field.far.size:
            afar = self._from_afar(counts, field)
        return weights, LEAST_NEAR, self.support.optics.substrate, afar

    def _from_afar(self, counts: NDArray[Any], field: BoxedField) -> Float32Array:
        """The film's level where none is near: from farther away, and last from the whole field."""
        support, far = self.support, field.far
        sigma = FAR_REACH * support.sigma_px / CELL_PX
        means = np.zeros(self._wide_weight.shape, dtype=np.float32)
        light = self._dark, support.optics.flat, support.outside
        cells.fill_cells(counts, light, CELL_PX, field.cells, means)
        level = np.empty(len(far), dtype=np.float32)
        wide = self._blurred(means, sigma), self._wide_weight
        cells.between_cells_at(wide, CELL_PX, far, counts.shape[1], level)
        lost = ~np.isfinite(level)
        if lost.any():
            level[lost] = self._everywhere(counts)
        return level

    @staticmethod
    def _blurred(image: Float32Array, sigma: float) -> Float32Array:
        from napari_lithium_alloy.core.kernels.images import blur

        out = np.empty_like(image)
        blur(image, gaussian_weights(sigma), False, (0, len(image)), out)
        return out

    def _everywhere(self, counts: NDArray[Any]) -> float:
        """The film's level in the whole field."""
        outside = self.support.outside > 0
        film = self.support.optics.brightness(counts)[outside]
        return float(np.median(film)) if film.size else 1.0

    def _told(
        self, counts: NDArray[Any], sharp: Sharpening, noise: float, least: float
    ) -> SupportImages:
        graph, boxed = self.support.graph, self._with_margin(sharp.smoothing_px)
        images = np.empty((6, len(graph.at)), dtype=np.float32)
        kernels.images_in_boxes(
            counts, boxed.boxes, boxed.reach, boxed.light, boxed.film,
            self._level(counts, boxed),
            (
                gaussian_weights(self.spot_px), self.spot_px**2,
                gaussian_weights(sharp.smoothing_px), sharp.sigma_px**2 / 2,
            ),
            -darkest(noise),
            self._pixels,
            images,
        )  # fmt: skip
        share, inside, smooth, response, highest_near, sharpened = images
        allowed = (self.support.region > 0) & np.isfinite(share)
        image = np.where(allowed, sharpened, np.float32(0))
        peaks = graph.peaks(image, allowed, sharp.lowest)
        peaks &= (highest_near > least) | (smooth > SURELY_PORE)
        clipped = 0 if self.limit is None else cells.count_from(counts, self.limit, self._film)
        return SupportImages(
            basins=Basins.of(graph, peaks, sharp.lowest, (image, inside, response, smooth)),
            share=np.nan_to_num(share),
            inside=inside,
            sharp=sharp,
            least_spot=least,
            counts=np.asarray(graph.of_picture(counts)),
            clipped_px=int(clipped),
        )

    def _with_margin(self, smoothing_px: float) -> BoxedField:
        """The boxes with margins that are enough; a noisy frame takes larger ones."""
        with self._lock:
            if self._boxed.reach[1] < 1 + gaussian_reach(smoothing_px):
                self._boxed = self._around(self._boxed.boxes, smoothing_px)
            return self._boxed
