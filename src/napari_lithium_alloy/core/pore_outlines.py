"""Which pixels are one pore: outlines in an image of the hole share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special
from skimage import filters, measure, segmentation

from napari_lithium_alloy.core.by_label import lengthening, maxima, sums
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import PIXEL_VARIANCE, blurred, robust_sd
from napari_lithium_alloy.core.thresholds import share_threshold

SHARE_LIMITS = (-0.25, 1.25)
"""Shares between which a named threshold parts 256 levels."""
LEAST_DEPTH, SHALLOW_TOLD, ROUND = 0.75, 0.8, 1.5
"""Share of a hole's brightness that is too little; size from which it tells, as area over
2 pi sigma^2; ratio of axes up to which a region is round: of a crack it tells nothing."""
DARKEST_SHARE = 0.1
"""How far below the film a pixel counts as darker."""
SEEN_NOISE = 0.04
"""Noise of the sharpened share up to which no more smoothing is done."""
SMOOTHINGS_PX = np.geomspace(0.5, 4.0, 19)
LOWEST_SHARE, LOWEST_NOISES = 0.05, 2.0
"""Share, and multiple of its noise, under which a pixel belongs to no pore."""
SMALLEST_SEEN = 0.5
"""Of the response of a pore of the smallest area: what is enough."""
SURELY_PORE = 0.75
"""Share, smoothed by the point spread, that film of another brightness does not reach."""
FAR_FROM_PORES, LEAST_QUIET_PX, LEAST_QUIET = 0.2, 200, 0.02
"""The film's noise is taken where no such share is near; pixels and share of the film it takes."""
TOLD_APART_NOISES = 3.0
"""Dip between two maxima, in units of the noise, that can tell two pores apart."""
JOINED_MARGIN = 0.1
"""How far the bridge of pores that were one before must sink until they are two."""
LEAST_PART_PX = 2.0
"""Smallest radius of what a pore is split into."""
FOUR_WAYS = ((0, 1), (1, 0), (1, 1), (1, -1))


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
    film = film & np.isfinite(share)
    inside = np.where(film, share, 0).astype(np.float32)
    noise = robust_sd(np.diff(inside, axis=1)) / math.sqrt(2)
    allowed = film if where is None else film & where
    # The bright rim that a filter draws round a dark spot, such as dead lithium, is no pore.
    inside = np.maximum(inside, np.float32(-max(DARKEST_SHARE, 4 * noise)))
    if parameters.method == "automatic":
        smallest_px = parameters.min_area_um2 / pixel_size_um**2
        spots = _Spots.of(inside, film, parameters.min_snr, smallest_px, psf_sigma_px)
        sharp = _Sharpened.of(inside, psf_sigma_px, noise)
        labels = _automatic(inside, sharp, spots, allowed, parameters.threshold, before)
    else:
        labels = _over_a_level(inside, film, allowed, parameters, noise)
    if parameters.fill_holes:
        labels = _filled(labels)
    if parameters.split_touching:
        labels = _split(labels)
    kept = _large_enough(inside, labels, 0.5 * parameters.min_area_um2 / pixel_size_um**2)
    return np.asarray(segmentation.relabel_sequential(kept)[0], dtype=np.int32)


def level_of(share: FloatArray, film: BoolArray, parameters: PoreParameters) -> float:
    """The share above which a pixel is pore, of a manual or named threshold."""
    if parameters.method == "automatic" or parameters.method == "manual":
        return parameters.threshold
    return share_threshold(share[film], parameters.method, SHARE_LIMITS)


def touching_share(radii_px: tuple[float, float], sigma_px: float) -> float:
    """Sharpened share where two discs touch, under a Gaussian point spread.

    A disc of radius r has at its edge, with q = (r / sigma)^2, the share (1 - exp(-q) I0(q)) / 2,
    and sharpening by one step of the heat equation back adds q exp(-q) (I0(q) - I1(q)) / 2.
    """
    total = 0.0
    for radius in radii_px:
        q = (radius / max(sigma_px, 1e-6)) ** 2
        total += 0.5 * (1 - special.i0e(q)) + 0.5 * q * (special.i0e(q) - special.i1e(q))
    return total


@dataclass(frozen=True, eq=False)
class _Sharpened:
    """Share with some of the blur taken out: less half sigma^2 times its Laplacian."""

    image: Float32Array
    sigma_px: float
    noise: float

    @staticmethod
    def of(share: Float32Array, psf_sigma_px: float, noise: float) -> _Sharpened:
        """Smoothed first as little as its noise allows."""
        smoothing, gain = _smoothing(psf_sigma_px, noise)
        sigma = math.sqrt(psf_sigma_px**2 + smoothing**2 + PIXEL_VARIANCE)
        smooth = blurred(share, smoothing)
        image = smooth - sigma**2 / 2 * ndimage.laplace(smooth)
        return _Sharpened(image=image, sigma_px=sigma, noise=gain * noise)


def _smoothing(psf_sigma_px: float, noise: float) -> tuple[float, float]:
    """Standard deviation of the smoothing, and the share of white noise that is left."""
    s = SMOOTHINGS_PX
    c = (psf_sigma_px**2 + s**2 + PIXEL_VARIANCE) / 2
    gains = np.sqrt(1 / (4 * s**2) + c / (2 * s**4) + c**2 / (2 * s**6)) / math.sqrt(math.pi)
    quiet = np.flatnonzero(gains * noise <= SEEN_NOISE)
    i = int(quiet[0]) if quiet.size else len(s) - 1
    return float(s[i]), float(gains[i])


def _automatic(
    share: Float32Array,
    sharp: _Sharpened,
    spots: _Spots,
    allowed: BoolArray,
    threshold: float,
    before: IntArray | None,
) -> IntArray:
    image = np.where(allowed, sharp.image, 0)
    lowest = max(LOWEST_SHARE, LOWEST_NOISES * sharp.noise)
    peaks = (ndimage.maximum_filter(image, 3) == image) & (image > lowest)
    seeds = measure.label(peaks & spots.near(), connectivity=2)
    basins = segmentation.watershed(-image, seeds, mask=image > lowest, connectivity=2)
    if not basins.any():
        return np.zeros(share.shape, dtype=np.int32)
    n = int(basins.max())
    tops, areas = maxima(image, basins, n), sums(share, basins, n)
    old = np.zeros(n + 1, int) if before is None else maxima(before, seeds, n).astype(int)
    roots = _joined(_bridges(image, basins), tops, areas, sharp, old)
    told = spots.tell(roots[basins], n)
    labels = (roots * told[roots])[basins]
    tops = maxima(image, labels, n)
    level = threshold * np.minimum(tops, 1.0)
    labels = np.where((labels > 0) & (image >= level[labels]), labels, 0)
    shallow = _shallow(labels, tops, sums(share, labels, n), sharp.sigma_px)
    return np.where(shallow[labels], 0, labels)


def _shallow(labels: IntArray, tops: FloatArray, areas: FloatArray, sigma_px: float) -> BoolArray:
    """(n + 1,) round regions far less bright inside than holes of their area: no holes.

    So are thinned film and, in epi, dead lithium. Where most of the larger ones are, the
    substrate's brightness is not as given, and none is left out.
    """
    u = np.maximum(areas, 0) / (2 * math.pi * sigma_px**2)
    expected = 1 - (1 - u) * np.exp(-u)
    told = (u > SHALLOW_TOLD) & (lengthening(labels, len(tops) - 1) < ROUND)
    shallow = told & (tops < LEAST_DEPTH * expected)
    return np.asarray(shallow & (shallow.sum() <= told.sum() / 2))


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
        response = -(sigma**2) * ndimage.laplace(smooth)
        u = smallest_px / (4 * math.pi * sigma**2)
        bright = ndimage.maximum_filter(smooth, 2 * round(3 * sigma) + 1) > FAR_FROM_PORES
        quiet = film & ~bright
        enough = quiet.sum() >= max(LEAST_QUIET_PX, LEAST_QUIET * film.sum())
        noise = _noise_below(response[quiet]) if enough else 0.0
        least = max(min_snr * noise, SMALLEST_SEEN * u * math.exp(-u))
        return _Spots(response=response, smooth=smooth, least=least)

    def near(self) -> BoolArray:
        """(Y, X) True within two pixels of where it is clear, and well inside large pores."""
        near = ndimage.maximum_filter(self.response, 5) > self.least
        return np.asarray(near | (self.smooth > SURELY_PORE))

    def tell(self, labels: IntArray, n: int) -> BoolArray:
        """(n + 1,) whether each label is told from the film."""
        spot = maxima(self.response, labels, n) > self.least
        return np.asarray(spot | (maxima(self.smooth, labels, n) > SURELY_PORE))


def _noise_below(values: FloatArray) -> float:
    """Standard deviation of the film about a share of 0, from what lies under it: no pore does."""
    under = values[values < 0]
    return robust_sd(under) if under.size else 0.0


def _bridges(image: FloatArray, basins: IntArray) -> tuple[IntArray, FloatArray]:
    """Pairs (N, 2) of neighbouring basins and the highest share (N,) at which they meet."""
    pairs, levels = [np.empty((0, 2), int)], [np.empty(0)]
    rows, columns = image.shape
    for dy, dx in FOUR_WAYS:
        here = slice(0, rows - dy), slice(max(0, -dx), columns - max(0, dx))
        there = slice(dy, rows), slice(max(0, dx), columns + min(0, dx))
        a, b = basins[here], basins[there]
        met = (a != b) & (a > 0) & (b > 0)
        pairs.append(np.sort(np.stack([a[met], b[met]], axis=1), axis=1))
        levels.append(np.minimum(image[here][met], image[there][met]))
    every, level = np.concatenate(pairs), np.concatenate(levels)
    if not len(every):
        return every, level
    found, which = np.unique(every, axis=0, return_inverse=True)
    highest = np.full(len(found), -np.inf)
    np.maximum.at(highest, which.ravel(), level)
    return found, highest


def _joined(
    bridges: tuple[IntArray, FloatArray],
    tops: FloatArray,
    areas: FloatArray,
    sharp: _Sharpened,
    old: IntArray,
) -> IntArray:
    """The pore of each basin: those whose bridge is high enough become one, highest first."""
    root = np.arange(len(tops))
    tops, areas = tops.copy(), np.maximum(areas, 0)
    pairs, levels = bridges
    for k in np.argsort(-levels):
        a, b = (_root(root, int(i)) for i in pairs[k])
        if a == b:
            continue
        radii = (math.sqrt(areas[a] / math.pi), math.sqrt(areas[b] / math.pi))
        needed = touching_share(radii, sharp.sigma_px)
        dip = min(tops[a], tops[b]) - levels[k]
        if old[a] == old[b] > 0:
            needed -= JOINED_MARGIN
        were_two = min(old[a], old[b]) > 0 and old[a] != old[b]
        clear = dip > (0 if were_two else TOLD_APART_NOISES * sharp.noise)
        if levels[k] < needed and clear:
            continue
        high, low = (a, b) if tops[a] >= tops[b] else (b, a)
        root[low] = high
        areas[high] += areas[low]
    return np.array([_root(root, i) for i in range(len(root))])


def _root(root: IntArray, i: int) -> int:
    while root[i] != i:
        root[i] = root[root[i]]
        i = int(root[i])
    return i


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
    holes = ndimage.binary_fill_holes(labels > 0) & (labels == 0)
    if not holes.any():
        return labels
    nearest = ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    return np.where(holes, labels[tuple(nearest)], labels)


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


def _large_enough(share: FloatArray, labels: IntArray, least_px: float) -> IntArray:
    kept = sums(share, labels, int(labels.max())) > least_px
    kept[0] = False
    return np.where(kept[labels], labels, 0)
