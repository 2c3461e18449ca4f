"""Which pixels show film: bare glass at an edge is none, and illumination is not the film's."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import filters

from napari_lithium_alloy.core.photometry import Float32Array, Reference
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.row_blocks import by_rows

LEAST_GLASS_STEP = 1.3
"""Smallest ratio of bare glass to film brightness that tells them apart."""
SURELY_NO_STEP = 1.2
"""The same, under which some of the pixels tell that there is none."""
SAMPLED_SIDE_PX = 512
LEAST_GLASS_SHARE = 0.005
LEAST_GLASS_WIDTH_PX = 5


def film_of(recording: Recording, reference: Reference) -> BoolArray:
    """(Y, X) True where there is film that every frame shows.

    Bare glass is told in transmitted light only.
    """
    everywhere = np.ones(recording.field_shape, dtype=bool)
    film = film_mask(reference.image) if recording.mode == "trans" else everywhere
    return film if recording.common is None else film & recording.common


def glass_mask(reference_image: FloatArray, *, margin_px: int = 4) -> BoolArray:
    """(Y, X) True on bare glass of a trans recording, less a margin beside the film."""
    glass = ~film_mask(reference_image, margin_px=1) & np.isfinite(reference_image)
    if not glass.any():
        return glass
    return np.asarray(ndimage.binary_erosion(glass, iterations=margin_px + 1, border_value=1))


def film_mask(reference_image: FloatArray, *, margin_px: int = 4) -> BoolArray:
    """(Y, X) True where there is film: all but a bright, wide region that touches an edge.

    Parameters
    ----------
    reference_image : numpy.ndarray
        (Y, X) trans counts less dark before current flows; NaN counts as no film.
    margin_px : int
        Width taken off the film beside the glass, for the point spread.
    """
    known = np.isfinite(reference_image)
    film = known.copy()
    image = np.where(known, reference_image, 0).astype(np.float32)
    if _is_surely_even(image, known):
        return film
    light = _without_specks(image)
    positive = light[known & (light > 0)]
    if positive.size < 100:
        return film
    level = float(np.exp(filters.threshold_otsu(np.log(positive))))
    bright = light > level
    dim = known & ~bright
    if not (bright.any() and dim.any()):
        return film
    dim_level, bright_level = np.median(light[dim]), np.median(light[bright])
    if bright_level < LEAST_GLASS_STEP * dim_level or not _has_step(light, bright):
        return film
    glass = _edge_regions(bright)
    return film & ~ndimage.binary_dilation(glass, iterations=margin_px) if glass.any() else film


def _is_surely_even(image: Float32Array, known: BoolArray) -> bool:
    """Whether every n-th pixel of a large field shows that no part of it is as bright as glass."""
    every = min(image.shape) // SAMPLED_SIDE_PX
    if every < 2:
        return False
    light = ndimage.median_filter(image[::every, ::every], 3)
    positive = light[known[::every, ::every] & (light > 0)]
    if positive.size < 100:
        return False
    bright = positive > np.exp(filters.threshold_otsu(np.log(positive)))
    if bright.all() or not bright.any():
        return False
    return bool(np.median(positive[bright]) < SURELY_NO_STEP * np.median(positive[~bright]))


def _without_specks(image: Float32Array) -> Float32Array:
    """Medians over 5 x 5 pixels."""
    light = np.empty_like(image)

    def filtered(rows: tuple[int, int]) -> None:
        first, last = max(rows[0] - 2, 0), rows[1] + 2
        strip = ndimage.median_filter(image[first:last], 5)
        light[slice(*rows)] = strip[rows[0] - first : rows[1] - first]

    finish(by_rows(filtered, len(image)))
    return light


def _edge_regions(bright: BoolArray) -> BoolArray:
    """Parts of `bright` that touch an edge and are too large and wide to be pores."""
    labels, _ = ndimage.label(bright)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    glass = np.zeros_like(bright)
    for label in border[border > 0]:
        region = labels == label
        width = ndimage.distance_transform_edt(np.pad(region, 1, mode="edge")).max()
        if region.mean() >= LEAST_GLASS_SHARE and width >= LEAST_GLASS_WIDTH_PX:
            glass |= region
    return glass


def _has_step(light: Float32Array, bright: BoolArray) -> bool:
    """Whether brightness jumps at the border of `bright`, rather than fading as illumination."""
    border = bright ^ ndimage.binary_erosion(bright, border_value=1)
    inside = ndimage.maximum_filter(light, 13)[border]
    outside = ndimage.minimum_filter(light, 13)[border]
    return bool(np.median(inside / np.maximum(outside, 1e-6)) > LEAST_GLASS_STEP)


def tile_medians(
    image: FloatArray,
    tile_px: int,
    *,
    film: BoolArray | None = None,
    level: Float32Array | None = None,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> Float32Array:
    """(Y, X) float32 medians over square tiles, interpolated between their centres; skips NaN.

    Parameters
    ----------
    image : (Y, X) float array
    tile_px : int
    film : (Y, X) bool array, optional
        Other pixels do not count.
    level : (Y, X) float32 array, optional
        Of pixels those count that differ from it by more than the first and less than the second
        of the limits.
    limits : (float, float)
    """
    from napari_lithium_alloy.core.kernels.tiles import between_tiles, medians_of_tiles

    shape = image.shape
    counts = [max(1, round(n / tile_px)) for n in shape]
    rows, columns = (
        np.linspace(0, n, k + 1).astype(int) for n, k in zip(shape, counts, strict=True)
    )
    image = np.ascontiguousarray(image, dtype=np.float32)
    film = np.ones(shape, dtype=bool) if film is None else np.ascontiguousarray(film)
    about = np.zeros((0, 0), np.float32) if level is None else level
    grid = np.empty(counts)
    edges = rows, columns
    chosen = film, about, (np.float32(limits[0]), np.float32(limits[1]))
    finish(by_rows(lambda some: medians_of_tiles(image, chosen, edges, some, grid), counts[0]))
    if np.isnan(grid).all():
        known = image[film & np.isfinite(image)]
        return np.full(shape, np.median(known) if known.size else np.nan, dtype=np.float32)
    missing = np.isnan(grid)
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    grid = grid[tuple(nearest)]
    centres = [
        np.interp(np.arange(n), (edges[:-1] + edges[1:] - 1) / 2, np.arange(k))
        for n, k, edges in zip(shape, counts, (rows, columns), strict=True)
    ]
    found = np.empty(shape, dtype=np.float32)
    places = centres[0], centres[1]
    finish(by_rows(lambda some: between_tiles(grid, places, some, found), shape[0]))
    return found
