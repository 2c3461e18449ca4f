"""What a lithium disc whose area grows steadily does to a few images, blurred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, ndimage, special

from napari_lithium_alloy.core.disc_columns import PROFILE_STEP_PX
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows
from napari_lithium_alloy.core.site_images import SiteImages
from napari_lithium_alloy.core.smoothing import PIXEL_VARIANCE

RADIUS_STEP = 1.25
"""Ratio of neighbouring radii looked for."""
TABLE_RADII = 44
TABLE_ONSETS = np.linspace(0, 0.8, 33)
"""Finely: coarser ones, read on straight lines, made onsets up to 0.6 s in 60 s early."""
STILL_STEP_PX = 0.05
HAT = np.array([1, 3, 3, 1]) / 8
"""Weights of pixels in a value of a picture of half the size, which is about the middle two."""
HAT_OVERLAPS = np.array([HAT @ HAT, HAT[2:] @ HAT[:2]])
"""Sums of products of the weights of a value with themselves, and with those of the next."""
ALIKE_IN_HALVES = 0.994
"""Correlation with a template made of hats, from which discs are looked for in such pictures."""
SEARCH_ONSET = 0.1
"""Share of the deposition after which the discs looked for begin."""
SURROUNDINGS = 2.0
"""Of a disc, which it is compared with: standard deviation in units of its radius."""
OVERSAMPLING = 5
SIGMAS, FITTED_SIGMAS = 4.0, 3.5
"""At which the point spread ends, and beyond which no pixel tells of a disc."""


def growing_disc(
    radius_px: float,
    onset: float,
    shares: Sequence[FloatArray],
    sigma_px: float,
    *,
    between: bool = False,
) -> FloatArray:
    """(K, n, n) covered share of pixels, blurred, of a disc whose area grows from its onset on.

    Parameters
    ----------
    radius_px : float
        At the end of the stage.
    onset : float
        Share of the stage, 0..1.
    shares : sequence of numpy.ndarray
        When each image's frames were taken, as a share of the stage.
    sigma_px : float
        Standard deviation of the point spread.
    between : bool
        Whether its centre is at the corner of four pixels, not at one's centre; n is even then.
    """
    half = int(np.ceil(radius_px + SIGMAS * sigma_px + 1))
    n, fine = 2 * half + (0 if between else 1), OVERSAMPLING
    at = (np.arange(n * fine) + 0.5) / fine - n / 2
    from_centre = (at[:, None] ** 2 + at[None, :] ** 2) / radius_px**2
    begins = onset + (1 - onset) * from_centre
    images = []
    for frames in shares:
        later = len(frames) - np.searchsorted(np.sort(frames), begins, side="left")
        covered = np.where(from_centre <= 1, later / len(frames), 0.0)
        pixels = covered.reshape(n, fine, n, fine).mean(axis=(1, 3))
        images.append(ndimage.gaussian_filter(pixels, sigma_px, mode="constant"))
    return np.stack(images)


@dataclass(frozen=True, eq=False, kw_only=True)
class Templates:
    """Discs of several radii, for one deposition.

    Attributes
    ----------
    radii_px : numpy.ndarray
        (R,) radii looked for.
    patches : list of numpy.ndarray
        (K, n, n) each, less their surroundings and their mean over the frames.
    halved : list of numpy.ndarray
        (K, m, m) the last of them, of discs smooth enough to be looked for in pictures of half the
        size: how much they have of each hat.
    likeness : numpy.ndarray
        (R, R) correlation of concentric discs.
    table : numpy.ndarray
        (onsets, radii, K, distances) covered shares for fits.
    grid : numpy.ndarray
        First logarithm of a radius of the table, its step, and the onset's.
    frames : numpy.ndarray
        (K,) frames in each image.
    margin_px : int
        What the blur adds to a disc's radius.
    """

    radii_px: FloatArray
    patches: list[FloatArray]
    halved: list[FloatArray]
    likeness: FloatArray
    table: Float32Array
    grid: FloatArray
    frames: FloatArray
    margin_px: int

    @property
    def reach_px(self) -> int:
        """Half the side of what holds the largest disc with its blur."""
        return int(np.ceil((self.table.shape[3] - 1) * PROFILE_STEP_PX))


def templates_of(
    images: SiteImages,
    sigma_px: float,
    smallest_px: float,
    largest_px: float,
    *,
    search: bool = True,
) -> Templates:
    """Discs of radii from the smallest to the largest; no patches but to search with."""
    n = int(np.ceil(np.log(largest_px / smallest_px) / np.log(RADIUS_STEP))) + 1
    radii = np.geomspace(smallest_px, largest_px, max(n, 2))
    frames = images.frames
    looked_for = radii if search else radii[:0]

    def patch(radius: float, between: bool) -> FloatArray:
        disc = growing_disc(radius, SEARCH_ONSET, images.shares, sigma_px, between=between)
        return _against_surroundings(disc, frames, radius, sigma_px)

    patches = [patch(r, between=False) for r in looked_for]
    halved = _in_hats([patch(r, between=True) for r in looked_for], frames)
    reach = largest_px + SIGMAS * sigma_px + 1
    rho = np.arange(0, reach + PROFILE_STEP_PX, PROFILE_STEP_PX)
    table = _table(np.geomspace(smallest_px, largest_px, TABLE_RADII), images.shares, sigma_px, rho)
    step = np.log(largest_px / smallest_px) / (TABLE_RADII - 1)
    return Templates(
        radii_px=radii,
        patches=patches,
        halved=halved,
        likeness=_likeness(patches, frames) if search else np.empty((0, 0)),
        table=table,
        grid=np.array([np.log(smallest_px), step, TABLE_ONSETS[1]]),
        frames=frames,
        margin_px=int(np.ceil(FITTED_SIGMAS * sigma_px)) + 2,
    )


def _against_surroundings(
    disc: FloatArray, frames: FloatArray, radius_px: float, sigma_px: float
) -> FloatArray:
    """A disc less what its surroundings and its mean over the frames have in common with it."""
    wide = SURROUNDINGS * max(radius_px, 2 * sigma_px)
    half = max(int(np.ceil(3 * wide)), disc.shape[1] // 2)
    half += (1 - half % 2) * (1 - disc.shape[1] % 2)  # an even patch is an odd number of pairs
    room = half - disc.shape[1] // 2
    patch = np.pad(disc, ((0, 0), (room, room), (room, room)))
    n = patch.shape[1]
    line = np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / wide) ** 2)
    around = np.outer(line, line) / line.sum() ** 2
    patch = patch - patch.sum(axis=(1, 2), keepdims=True) * around
    return np.asarray(patch - np.einsum("k,kyx->yx", frames / frames.sum(), patch))


def _in_hats(patches: Sequence[FloatArray], frames: FloatArray) -> list[FloatArray]:
    """The last templates, from which on all are nearly sums of hats: how much of each."""
    found: list[FloatArray] = []
    for patch in reversed(patches):
        products = _hat_products(_hat_products(patch, 1), 2)
        share = _solved(_solved(products, 1), 2)
        kept = (share * products).sum(axis=(1, 2)) * frames
        if kept.sum() < ALIKE_IN_HALVES**2 * ((patch**2).sum(axis=(1, 2)) * frames).sum():
            break
        found.insert(0, share)
    return found


def _hat_products(patch: FloatArray, axis: int) -> FloatArray:
    """Sums along one axis of pixels times hats, each of which is about two of them."""
    lines = np.moveaxis(patch, axis, -1)
    lines = np.pad(lines, ((0, 0), (0, 0), (1, 1)))
    n = lines.shape[-1]
    sums = sum(weight * lines[..., i : n - 3 + i : 2] for i, weight in enumerate(HAT))
    return np.moveaxis(np.asarray(sums), -1, axis)


def _solved(products: FloatArray, axis: int) -> FloatArray:
    """How much of each hat is in what has these products with them."""
    lines = np.moveaxis(products, axis, 0)
    bands = np.repeat(HAT_OVERLAPS[::-1, np.newaxis], len(lines), axis=1)
    solved = linalg.solveh_banded(bands, lines.reshape(len(lines), -1))
    return np.moveaxis(solved.reshape(lines.shape), 0, axis)


def hat_norm(share: FloatArray) -> float:
    """Root of the sum of squares of pixels, of sums of hats (J, n, n)."""
    own, beside = HAT_OVERLAPS
    products = share
    for axis in (1, 2):
        lines = np.moveaxis(products, axis, -1)
        along = own * lines
        along[..., 1:] += beside * lines[..., :-1]
        along[..., :-1] += beside * lines[..., 1:]
        products = np.moveaxis(along, -1, axis)
    return float(np.sqrt((share * products).sum()))


def _table(
    radii_px: FloatArray, shares: Sequence[FloatArray], sigma_px: float, rho: FloatArray
) -> Float32Array:
    """(onsets, radii, K, distances) covered shares at distances from a growing disc's centre."""
    from napari_lithium_alloy.core.kernels.covers import growing_covers

    still = _still_discs(float(radii_px[-1]), sigma_px, rho)
    out = np.empty((len(TABLE_ONSETS), len(radii_px), len(shares), len(rho)), dtype=np.float32)

    def fill(onsets: Rows) -> None:
        for o in range(*onsets):
            for k, frames in enumerate(shares):
                begun = (frames - TABLE_ONSETS[o]) / (1 - TABLE_ONSETS[o])
                grown = np.sqrt(np.clip(begun, 0, 1))
                growing_covers(radii_px, grown, still, STILL_STEP_PX, out[o, :, k])

    finish(by_rows(fill, len(TABLE_ONSETS), most=4))
    return out


def _still_discs(largest_px: float, sigma_px: float, rho: FloatArray) -> FloatArray:
    """(N, distances) blurred discs of radii in even steps from 0, summed from rings.

    A pixel's square is taken as a Gaussian of its variance.
    """
    variance = sigma_px**2 + PIXEL_VARIANCE
    edges = np.arange(0, largest_px + 2 * STILL_STEP_PX, STILL_STEP_PX)
    ring = (edges[1:] + edges[:-1])[:, None] / 2
    near = np.exp(-((rho - ring) ** 2) / (2 * variance)) * special.ive(0, rho * ring / variance)
    rings = near * ring * STILL_STEP_PX / variance
    return np.vstack([np.zeros(len(rho)), np.cumsum(rings, axis=0)])


def _likeness(patches: Sequence[FloatArray], frames: FloatArray) -> FloatArray:
    half = max(p.shape[1] for p in patches) // 2
    vectors = []
    for patch in patches:
        room = half - patch.shape[1] // 2
        whole = np.pad(patch, ((0, 0), (room, room), (room, room)))
        vector = (whole * np.sqrt(frames)[:, None, None]).ravel()
        vectors.append(vector / np.sqrt((vector**2).sum()))
    stacked = np.array(vectors)
    return np.asarray(np.einsum("in,jn->ij", stacked, stacked))
