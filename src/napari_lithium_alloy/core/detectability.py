"""Where a site would have been found: artificial ones are put into the picture, and looked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_lithium_alloy.core.nucleation import NucleationParameters, detect_sites
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.shifts import cell_sums
from napari_lithium_alloy.core.smoothing import at_pixels

APART, CLEAR = 8.0, 2.5
"""Distance of artificial sites from each other (nearer ones are noise to each other) and from real
ones, in radii."""
LEAST_APART_PX = 12.0
UNKNOWN_RADIUS_PX = 3.0
LEAST_ALIKE = 3
"""Sites that both detectors tell, for their signal-to-noises to be compared."""
ENOUGH, MOST_ROUNDS = 60, 6
"""Artificial sites wanted, and pictures with them that are made at most."""
SMOOTHING = 1.0
"""Of the map, in units of the distance between artificial sites."""
CELLS_A_SIGMA, MANY_PX = 10.0, 2**20
"""Cells to a standard deviation of that smoothing, in fields of more pixels than that."""
PRIOR = 1.0
"""Weight of the whole film's share beside that of the places around a pixel."""


def detectability(
    change: Float32Array,
    sites: pd.DataFrame,
    film: BoolArray,
    pixel_size_um: float,
    parameters: NucleationParameters | None = None,
    *,
    seed: int = 0,
) -> Float32Array:
    """(Y, X) float32 chance that a site is found, 0 where there is no film.

    Discs with the sites' median profile, each as strong as a site drawn at random, are added to
    the change image on a grid clear of the sites; the share that `detect_sites` finds is smoothed
    over places. Without any site it is 1 on film. It is the detectability in the change over the
    stage alone; `find_candidates` looks at growth as well and sees more, so the threshold asked for
    here is lowered by the ratio of the signal-to-noises that both give the sites.

    Parameters
    ----------
    change : numpy.ndarray
        (Y, X) that the sites were found in, `core.nucleation.change_image`.
    sites : pandas.DataFrame
        With columns y_um, x_um, radius_um.
    film : numpy.ndarray
        (Y, X) True where there is film.
    pixel_size_um : float
    parameters : NucleationParameters, optional
        Those of the detection.
    seed : int
        Of the grids' offsets and of the strengths.
    """
    known: BoolArray = np.asarray(film & np.isfinite(change))
    if not len(sites) or not known.any():
        return known.astype(np.float32)
    px = sites[["y_um", "x_um", "radius_um"]].to_numpy(float) / pixel_size_um
    known_radii = px[np.isfinite(px[:, 2]), 2]
    radius = max(float(np.median(known_radii)), 1.0) if known_radii.size else UNKNOWN_RADIUS_PX
    parameters = _as_sure(change, sites, film, pixel_size_um, radius, parameters)
    profiles = _profiles(change, known, px[:, :2], int(np.ceil(2 * radius)) + 2)
    if not len(profiles):
        return known.astype(np.float32)
    rng = np.random.default_rng(seed)
    apart = max(APART * radius, LEAST_APART_PX)
    tried, found = np.zeros(change.shape), np.zeros(change.shape)
    for _ in range(MOST_ROUNDS):
        places = _grid(known, px[:, :2], (apart, CLEAR * radius), rng)
        strong = profiles[:, 0][rng.integers(len(profiles), size=len(places))]
        picture = _with_discs(change, places, _median_shape(profiles), strong)
        told = _around(places, radius, film.shape)
        seen = detect_sites(picture, pixel_size_um, parameters, valid=film, told=told)
        near = _near(places, seen[["y_um", "x_um"]].to_numpy(float) / pixel_size_um, radius)
        np.add.at(tried, tuple(places.T), 1)
        np.add.at(found, tuple(places[near].T), 1)
        if tried.sum() >= ENOUGH:
            break
    return _smoothed(tried, found, known, SMOOTHING * apart)


def _profiles(change: Float32Array, film: BoolArray, centres: FloatArray, reach: int) -> FloatArray:
    """(N, reach + 1) mean change in rings a pixel wide around each site, over that farthest out."""
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    ring = np.floor(np.hypot(steps[:, 0], steps[:, 1]) + 0.5).astype(int)
    pixels = np.round(centres).astype(int)[:, np.newaxis, :] + steps
    inside: BoolArray = np.asarray(((pixels >= 0) & (pixels < change.shape)).all(axis=2))
    rows, columns = np.moveaxis(np.where(inside[..., np.newaxis], pixels, 0), -1, 0)
    inside &= film[rows, columns] & (ring <= reach)
    found = []
    for values, used in zip(change[rows, columns], inside, strict=True):
        counts = np.bincount(ring[used], minlength=reach + 1)
        if (counts > 0).all():
            means = np.bincount(ring[used], values[used], minlength=reach + 1) / counts
            found.append(means - means[-1])
    return np.array(found).reshape(-1, reach + 1)


def _median_shape(profiles: FloatArray) -> FloatArray:
    """The sites' median profile, 1 in the middle and nowhere below 0."""
    middle = np.median(profiles, axis=0)
    return np.maximum(middle / middle[0], 0) if middle[0] > 0 else np.zeros_like(middle)


def _grid(
    film: BoolArray, sites_px: FloatArray, spacing: tuple[float, float], rng: np.random.Generator
) -> IntArray:
    """(M, 2) pixels of film on a square grid at a random offset, clear of sites."""
    apart, clear_px = spacing
    offset = rng.uniform(0, apart, 2)
    axes = [np.arange(o, n - 0.5, apart) for o, n in zip(offset, film.shape, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    pixels: IntArray = np.round(places).astype(int)
    clear = np.asarray(cKDTree(sites_px).query(pixels)[0]) > clear_px
    on_film: BoolArray = film[pixels[:, 0], pixels[:, 1]]
    return np.asarray(pixels[on_film & clear])


def _with_discs(
    change: Float32Array, places: IntArray, shape: FloatArray, strengths: FloatArray
) -> Float32Array:
    picture = np.array(change, dtype=np.float32)
    reach = len(shape) - 1
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    away: FloatArray = np.hypot(steps[:, 0], steps[:, 1])
    values = np.asarray(np.interp(away, np.arange(reach + 1), shape, right=0.0))
    for place, strength in zip(places, strengths, strict=True):
        pixels = place + steps
        inside = ((pixels >= 0) & (pixels < picture.shape)).all(axis=1)
        picture[tuple(pixels[inside].T)] += (strength * values[inside]).astype(np.float32)
    return picture


def _around(places: FloatArray | IntArray, within_px: float, shape: tuple[int, ...]) -> BoolArray:
    """(Y, X) True within a distance of places, and a pixel more: a maximum lies between pixels."""
    from napari_lithium_alloy.core.kernels.discs import paint_discs

    mask = np.zeros(shape, dtype=np.float32)
    centres = np.ascontiguousarray(places, dtype=float)
    paint_discs(centres, np.full(len(centres), within_px + 1), mask)
    return mask > 0


def _near(places: IntArray, seen_px: FloatArray, within_px: float) -> BoolArray:
    if not len(seen_px) or not len(places):
        return np.zeros(len(places), dtype=bool)
    return np.asarray(cKDTree(seen_px).query(places)[0] <= within_px)


def _smoothed(
    tried: FloatArray, found: FloatArray, film: BoolArray, sigma_px: float
) -> Float32Array:
    """Share found around each pixel, drawn towards that of the whole film where few were tried."""
    if not tried.sum():
        return film.astype(np.float32)
    cell = max(1, int(sigma_px / CELLS_A_SIGMA)) if film.size > MANY_PX else 1
    around, of_them = (_summed_around(image, sigma_px, cell) for image in (tried, found))
    prior = PRIOR * (found.sum() + 0.5) / (tried.sum() + 1)
    return np.where(film, (of_them + prior) / (around + PRIOR), 0).astype(np.float32)


def _summed_around(image: FloatArray, sigma_px: float, cell: int) -> FloatArray:
    """Sums around each pixel under a Gaussian that is 1 in the middle; nothing lies outside.

    Made on sums over cells, between whose centres it goes straight.
    """
    room = [(0, -n % cell) for n in image.shape]
    sums = cell_sums(np.pad(image, room), cell)
    smooth = ndimage.gaussian_filter(sums, sigma_px / cell, mode="constant")
    scaled = 2 * np.pi * (sigma_px / cell) ** 2 * smooth
    if cell == 1:
        return np.asarray(scaled)
    return at_pixels(scaled.astype(np.float32), cell, image.shape)


def _as_sure(
    change: Float32Array,
    sites: pd.DataFrame,
    film: BoolArray,
    pixel_size_um: float,
    radius_px: float,
    parameters: NucleationParameters | None,
) -> NucleationParameters:
    """The parameters with a threshold that asks of the change alone what the search asked."""
    asked = parameters or NucleationParameters()
    if "snr" not in sites or not sites["snr"].notna().any():
        return asked
    easy = replace(asked, min_snr=asked.min_snr / 4)
    told = _around(sites[["y_um", "x_um"]].to_numpy(float) / pixel_size_um, radius_px, film.shape)
    seen = detect_sites(change, pixel_size_um, easy, valid=film, told=told)
    if not len(seen):
        return asked
    places = seen[["y_um", "x_um"]].to_numpy(float)
    away, at = cKDTree(places).query(sites[["y_um", "x_um"]].to_numpy(float))
    ratio = seen["snr"].to_numpy(float)[at] / sites["snr"].to_numpy(float)
    alike = (away <= radius_px * pixel_size_um) & np.isfinite(ratio)
    if alike.sum() < LEAST_ALIKE:
        return asked
    return replace(asked, min_snr=asked.min_snr * min(float(np.median(ratio[alike])), 1.0))
