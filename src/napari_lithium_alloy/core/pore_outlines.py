"""Which pixels are one pore: outlines in an image of the hole share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial
from skimage import filters, measure, segmentation

from napari_lithium_alloy.core.by_label import sums
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixel_graph import PixelGraph
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.pore_basins import SURELY_PORE, Basins, Sharpening
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import blurred, near_over, robust_sd, with_laplacian
from napari_lithium_alloy.core.spreads import some_rows
from napari_lithium_alloy.core.thresholds import share_threshold

SHARE_LIMITS = (-0.25, 1.25)
"""Shares between which a named threshold parts 256 levels."""
DARKEST_SHARE = 0.1
"""How far below the film a pixel counts as darker."""
SMALLEST_SEEN = 0.5
"""Of the response of a pore of the smallest area: what is enough."""
FAR_FROM_PORES, LEAST_QUIET_PX, LEAST_QUIET = 0.2, 200, 0.02
"""The film's noise is taken where no such share is near; pixels and share of the film it takes."""
NEAR_SPOT_PX = 2
"""Rows and columns from a clear response within which a maximum may be a pore's."""
LEAST_PART_PX = 2.0
"""Smallest radius of what a pore is split into."""


def pore_labels(
    share: FloatArray,
    film: BoolArray,
    parameters: PoreParameters,
    pixel_size_um: float,
    *,
    psf_sigma_px: float = 1.3,
    where: BoolArray | None = None,
    before: IntArray | None = None,
) -> IntArray:
    """(Y, X) int32 labels of the pores in an image of the hole share.

    Parameters
    ----------
    share : (Y, X) float array
        0 for film, 1 for bare substrate; see `hole_share`.
    film : (Y, X) bool array
    parameters : PoreParameters
    pixel_size_um, psf_sigma_px : float
    where : (Y, X) bool array, optional
        Where on the film pores are looked for; None: everywhere.
    before : (Y, X) int array, optional
        Labels of the frame before: what was one pore stays one until it clearly parts.

    Notes
    -----
    The method "automatic" follows the optics, so that it needs no level: a pore is a maximum
    that a Laplacian as wide as the point spread tells from the film and that holds at least the
    smallest area, and two maxima are one pore if the bridge between them is at least as bright
    as that of two discs of their areas that just touch. Its outline lies at the share `threshold`
    of its own maximum.
    """
    known = pixelwise(lambda s, f: f & np.isfinite(s), share, film, dtype=np.bool_)
    inside = pixelwise(lambda s, k: np.where(k, s, 0), share, known)
    noise = robust_sd(np.diff(inside[some_rows(len(inside))], axis=1)) / math.sqrt(2)
    film, allowed = known, known if where is None else known & where
    lowest = np.float32(-darkest(noise))
    inside = pixelwise(lambda i: np.maximum(i, lowest), inside)
    if parameters.method == "automatic":
        smallest_px = parameters.min_area_um2 / pixel_size_um**2
        spots = _Spots.of(inside, film, parameters.min_snr, smallest_px, psf_sigma_px)
        sharp = Sharpening.for_noise(psf_sigma_px, noise)
        labels = _automatic(inside, sharp, spots, allowed, parameters.threshold, before)
    else:
        labels = _over_a_level(inside, film, allowed, parameters, noise)
    if parameters.fill_holes:
        labels = _filled(labels)
    if parameters.split_touching:
        labels = _split(labels)
    least_px = least_area_px(parameters, pixel_size_um)
    return large_enough(inside, labels, least_px).reshape(share.shape)


def darkest(noise: float) -> float:
    """How far below the film's a share counts.

    The bright rim that a filter draws round a dark spot, such as dead lithium, is no pore.
    """
    return max(DARKEST_SHARE, 4 * noise)


def least_area_px(parameters: PoreParameters, pixel_size_um: float) -> float:
    """Sum of the share within its outline that a pore must pass."""
    return 0.5 * parameters.min_area_um2 / pixel_size_um**2


def large_enough(share: FloatArray, labels: IntArray, least_px: float) -> IntArray:
    """The labels whose share adds up to more, renumbered without gaps."""
    kept = sums(share, labels, int(labels.max(initial=0))) > least_px
    kept[0] = False
    number = (np.cumsum(kept) * kept).astype(np.int32)
    return np.asarray(number[labels])


def level_of(share: FloatArray, film: BoolArray, parameters: PoreParameters) -> float:
    """The share above which a pixel is pore, of a manual or named threshold."""
    if parameters.method == "automatic" or parameters.method == "manual":
        return parameters.threshold
    return share_threshold(share[film], parameters.method, SHARE_LIMITS)


def _automatic(
    share: Float32Array,
    sharp: Sharpening,
    spots: _Spots,
    allowed: BoolArray,
    threshold: float,
    before: IntArray | None,
) -> IntArray:
    smooth = blurred(share, sharp.smoothing_px)
    image = with_laplacian(smooth, 1, -(sharp.sigma_px**2) / 2)
    image = pixelwise(lambda i, a: np.where(a, i, 0), image, allowed)
    graph = PixelGraph.of(image > sharp.lowest)
    images = [np.asarray(graph.of_picture(i)) for i in (image, share, spots.response, spots.smooth)]
    peaks = graph.peaks(images[0], np.ones(len(graph.at), dtype=bool), sharp.lowest)
    peaks[peaks] = spots.near(graph.at[peaks])
    basins = Basins.of(graph, peaks, sharp.lowest, (images[0], images[1], images[2], images[3]))
    old = None if before is None else np.asarray(graph.of_picture(before), dtype=np.int32)
    found = basins.pores(graph, sharp, spots.least, threshold, old)
    labels = np.zeros(len(graph.at), dtype=np.int32)
    labels[basins.at] = found
    return graph.picture(labels)


@dataclass(frozen=True, eq=False)
class _Spots:
    """Response of a Laplacian as wide as the point spread: the film's slow changes give none."""

    response: Float32Array
    smooth: Float32Array
    least: float

    @staticmethod
    def of(
        share: Float32Array, film: BoolArray, min_snr: float, smallest_px: float, sigma_px: float
    ) -> _Spots:
        """Of a small pore of area A under the point spread s it is A / (4 pi s^2)."""
        sigma = max(sigma_px, 0.8)
        smooth = blurred(share, sigma)
        response = with_laplacian(smooth, 0, -(sigma**2))
        quiet = film & ~near_over(smooth, FAR_FROM_PORES, far_px(sigma))
        enough = quiet.sum() >= max(LEAST_QUIET_PX, LEAST_QUIET * film.sum())
        rows = some_rows(len(share))
        depths = -response[rows][quiet[rows] & (response[rows] < 0)]
        noise = noise_below(depths) if enough else 0.0
        least = max(min_snr * noise, least_response(smallest_px, sigma))
        return _Spots(response=response, smooth=smooth, least=least)

    def near(self, at: NDArray[np.int32]) -> BoolArray:
        """Whether pixels are within two of where it is clear, or well inside large pores."""
        from napari_lithium_alloy.core.kernels.images import highest_around

        highest = np.empty(len(at), dtype=np.float32)
        highest_around(self.response, NEAR_SPOT_PX, at, highest)
        return np.asarray((highest > self.least) | (self.smooth.ravel()[at] > SURELY_PORE))


def least_response(smallest_px: float, sigma_px: float) -> float:
    """What is enough of the response of a pore of the smallest area."""
    u = smallest_px / (4 * math.pi * sigma_px**2)
    return SMALLEST_SEEN * u * math.exp(-u)


def far_px(sigma_px: float) -> int:
    """Rows and columns from bright pixels at which the film is quiet."""
    return round(3 * sigma_px)


def noise_below(depths: FloatArray) -> float:
    """Standard deviation of the film about a share of 0, from what lies under it: no pore does."""
    return robust_sd(depths) if depths.size else 0.0


def _over_a_level(
    share: Float32Array,
    film: BoolArray,
    allowed: BoolArray,
    parameters: PoreParameters,
    noise: float,
) -> IntArray:
    """Regions over one level, smoothed until noise is a seventh of it."""
    level = level_of(share, film, parameters)
    sigma = noise / (max(level, 0.05) / 7) / (2 * math.sqrt(math.pi))
    smooth = ndimage.gaussian_filter(share, sigma) if sigma > 0.4 else share
    over = np.where(allowed, smooth, -np.inf)
    mask = filters.apply_hysteresis_threshold(over, parameters.hysteresis * level, level)
    return np.asarray(measure.label(mask, connectivity=2))


def _filled(labels: IntArray) -> IntArray:
    """Labels that also hold the pixels they enclose."""
    background = measure.label(labels == 0, connectivity=1)
    at_edge = np.concatenate([background[[0, -1]].ravel(), background[:, [0, -1]].ravel()])
    enclosed = np.ones(int(background.max()) + 1, dtype=bool)
    enclosed[0] = enclosed[at_edge] = False
    if not enclosed.any():
        return labels
    holes, known = np.argwhere(enclosed[background]), np.argwhere(labels > 0)
    filled = labels.copy()
    filled[tuple(holes.T)] = nearest_labels(holes, known, labels[labels > 0])
    return filled


def nearest_labels(places: IntArray, known: IntArray, labels: IntArray) -> IntArray:
    """(M,) for places (M, 2) the labels (N,) of the nearest of the known (N, 2)."""
    return np.asarray(labels[spatial.cKDTree(known).query(places)[1]])


def _split(labels: IntArray) -> IntArray:
    """Labels parted at their waists: by the distance from their outline."""
    distance = ndimage.gaussian_filter(_depth(labels), 1.0)
    highest = ndimage.maximum_filter(distance, 2 * round(LEAST_PART_PX) + 1)
    peaks = measure.label((distance == highest) & (distance > 0.5) & (labels > 0), connectivity=2)
    parted = segmentation.watershed(-distance, peaks, mask=labels > 0)
    both = labels.astype(np.int64) * (int(parted.max()) + 1) + parted
    return np.asarray(np.unique(np.where(labels > 0, both, 0), return_inverse=True)[1]).reshape(
        labels.shape
    )


def _depth(labels: IntArray) -> FloatArray:
    """Distance of each labelled pixel from where its label ends."""
    edge = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        step = np.diff(labels, axis=axis) != 0
        first = [slice(None), slice(None)]
        second = [slice(None), slice(None)]
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        edge[tuple(first)] |= step
        edge[tuple(second)] |= step
    return np.where(labels > 0, ndimage.distance_transform_edt(~edge), 0)
