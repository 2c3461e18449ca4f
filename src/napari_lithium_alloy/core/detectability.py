"""Where a site would have been found: artificial ones are put into the picture, and looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_lithium_alloy.core.nucleation import NucleationParameters, detect_sites
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import at_pixels

APART, CLEAR = 8.0, 2.5
"""Distance of artificial sites from each other (nearer ones are noise to each other) and from real
ones, in radii."""
LEAST_APART_PX = 12.0
UNKNOWN_RADIUS_PX = 3.0
LEAST_ALIKE, ENOUGH_SITES, MANY_SITES = 3, 150, 3
"""Sites that both detectors tell, for their signal-to-noises to be compared; how many are enough,
and how many times as many for these to be looked at alone, in squares of the field."""
SIDE_PX, MARGIN = 512, 4.5
"""About the side of such a square, and what is looked at around it, in the largest radii."""
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
    tried: list[IntArray] = []
    found: list[BoolArray] = []
    for _ in range(MOST_ROUNDS):
        places = _grid(known, px[:, :2], (apart, CLEAR * radius), rng)
        strong = profiles[:, 0][rng.integers(len(profiles), size=len(places))]
        picture = _with_discs(change, places, _median_shape(profiles), strong)
        told = _around(places, radius, film.shape)
        seen = detect_sites(picture, pixel_size_um, parameters, valid=film, told=told)
        near = _near(places, seen[["y_um", "x_um"]].to_numpy(float) / pixel_size_um, radius)
        tried.append(places)
        found.append(near)
        if sum(map(len, tried)) >= ENOUGH:
            break
    return _smoothed(np.concatenate(tried), np.concatenate(found), known, SMOOTHING * apart)


def _profiles(change: Float32Array, film: BoolArray, centres: FloatArray, reach: int) -> FloatArray:
    """(N, reach + 1) mean change in rings a pixel wide around each site, over that farthest out."""
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    ring = np.floor(np.hypot(steps[:, 0], steps[:, 1]) + 0.5).astype(int)
    pixels = np.round(centres).astype(int)[:, np.newaxis, :] + steps
    inside: BoolArray = np.asarray(((pixels >= 0) & (pixels < change.shape)).all(axis=2))
    rows, columns = np.moveaxis(np.where(inside[..., np.newaxis], pixels, 0), -1, 0)
    inside &= film[rows, columns] & (ring <= reach)
    number = np.arange(len(centres))[:, np.newaxis] * (reach + 1) + ring
    shape = len(centres), reach + 1
    counts, sums = (
        np.bincount(number[inside], weights, minlength=shape[0] * shape[1]).reshape(shape)
        for weights in (None, change[rows, columns][inside])
    )
    whole = (counts > 0).all(axis=1)
    means = sums[whole] / counts[whole]
    return np.asarray(means - means[:, -1:])


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
    pixels = places[:, np.newaxis, :] + steps
    inside = ((pixels >= 0) & (pixels < picture.shape)).all(axis=-1)
    added = (strengths[:, np.newaxis] * values)[inside].astype(np.float32)
    at = pixels[inside]
    np.add.at(picture.reshape(-1), at[:, 0] * picture.shape[1] + at[:, 1], added)
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


def _smoothed(places: IntArray, found: BoolArray, film: BoolArray, sigma_px: float) -> Float32Array:
    """Share found around each pixel, drawn towards that of the whole film where few were tried.

    In large fields it is made on cells, between whose centres it goes straight.
    """
    if not len(places):
        return film.astype(np.float32)
    cell = max(1, int(sigma_px / CELLS_A_SIGMA)) if film.size > MANY_PX else 1
    sizes = [-(-n // cell) for n in film.shape]
    around, of_them = (
        _summed_around(own // cell, sizes, sigma_px / cell) for own in (places, places[found])
    )
    prior = PRIOR * (found.sum() + 0.5) / (len(places) + 1)
    share = ((of_them + prior) / (around + PRIOR)).astype(np.float32)
    whole = share if cell == 1 else at_pixels(share, cell, film.shape)
    return pixelwise(lambda s, f: np.where(f, s, 0), whole, film)


def _summed_around(places: IntArray, shape: list[int], sigma_px: float) -> FloatArray:
    """Places around each pixel under a Gaussian that is 1 in the middle; nothing lies outside."""
    counts = np.bincount(places[:, 0] * shape[1] + places[:, 1], minlength=shape[0] * shape[1])
    smooth = ndimage.gaussian_filter(counts.reshape(shape).astype(float), sigma_px, mode="constant")
    return np.asarray(2 * np.pi * sigma_px**2 * smooth)


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
    px = sites[["y_um", "x_um"]].to_numpy(float) / pixel_size_um
    margin = int(np.ceil(MARGIN * asked.max_radius_um / pixel_size_um))
    ratios: list[FloatArray] = []
    for window, own in _windows(px, film.shape, margin):
        at = px[own] - [window[0].start, window[1].start]
        told = _around(at, radius_px, film[window].shape)
        seen = detect_sites(change[window], pixel_size_um, easy, valid=film[window], told=told)
        if not len(seen):
            continue
        away, which = cKDTree(seen[["y_um", "x_um"]].to_numpy(float) / pixel_size_um).query(at)
        ratio = seen["snr"].to_numpy(float)[which] / sites["snr"].to_numpy(float)[own]
        ratios.append(ratio[(away <= radius_px) & np.isfinite(ratio)])
    alike = np.concatenate(ratios) if ratios else np.empty(0)
    if len(alike) < LEAST_ALIKE:
        return asked
    return replace(asked, min_snr=asked.min_snr * min(float(np.median(alike)), 1.0))


def _windows(
    px: FloatArray, shape: tuple[int, ...], margin: int
) -> Iterator[tuple[tuple[slice, slice], IntArray]]:
    """Parts of the field that hold enough sites, and which; evenly spread, if all holds far more.

    They are larger by a margin than where their sites are.
    """
    if len(px) < MANY_SITES * ENOUGH_SITES or min(shape) < 2 * SIDE_PX:
        yield (slice(0, shape[0]), slice(0, shape[1])), np.arange(len(px))
        return
    tiles = [max(n // SIDE_PX, 1) for n in shape]
    edges = [np.linspace(0, n, k + 1).astype(int) for n, k in zip(shape, tiles, strict=True)]
    row, column = (
        np.clip(np.searchsorted(e, x, side="right") - 1, 0, k - 1)
        for e, x, k in zip(edges, px.T, tiles, strict=True)
    )
    held = 0
    for tile in np.random.default_rng(0).permutation(tiles[0] * tiles[1]):
        at = divmod(int(tile), tiles[1])
        own = np.flatnonzero((row == at[0]) & (column == at[1]))
        if len(own):
            low = [max(int(e[i]) - margin, 0) for e, i in zip(edges, at, strict=True)]
            high = [int(e[i + 1]) + margin for e, i in zip(edges, at, strict=True)]
            rows, columns = (slice(a, min(b, n)) for a, b, n in zip(low, high, shape, strict=True))
            yield (rows, columns), own
        held += len(own)
        if held >= ENOUGH_SITES:
            return
