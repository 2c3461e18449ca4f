"""How sites lie to each other in an irregular field: neighbours, Ripley's L, pair correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

from napari_lithium_alloy.core.envelopes import Envelope, global_envelope, two_sided_p
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows, thread_count

BINS = 40
FARTHEST = 5.0
"""Largest distance, in mean spacings; a quarter of the field's shorter side where that is less."""
RING = 4
"""Bins of distance that a ring of the pair correlation is wide."""
SKIPPED = 2
"""Bins at the smallest distances, where random sites have hardly a pair."""
LEAST_SITES = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteSpacing:
    """How sites lie to each other beside as many anywhere in the field.

    Attributes
    ----------
    nearest_um : numpy.ndarray
        (N,) distance of each site to its nearest neighbour.
    nn_expected_um, clark_evans, clark_evans_p : float
        Mean of that for as many sites at random in the same field, the ratio of the two (1:
        at random, above: regular, below: clustered) and its two-sided p.
    r_um : numpy.ndarray
        (K,) distances.
    ripley : Envelope
        L(r) - r in um; 0 for sites at random.
    pair_correlation : Envelope
        g(r) over rings around those distances; 1 for sites at random.
    """

    nearest_um: FloatArray
    nn_expected_um: float
    clark_evans: float
    clark_evans_p: float
    r_um: FloatArray
    ripley: Envelope
    pair_correlation: Envelope


def site_spacing(
    sites_px: FloatArray, film: BoolArray, pixel_size_um: float, *, n: int = 199, seed: int = 0
) -> SiteSpacing | None:
    """Neighbours, Ripley's L and pair correlation of sites; None of fewer than three.

    Pairs are weighted by one over the area in which such a pair could lie (translation
    correction, exact for any field); the area follows for all distances from the field's
    autocorrelation. Bands are simultaneous ones of as many sites at random on the film.

    Parameters
    ----------
    sites_px : numpy.ndarray
        (N, 2) rows and columns.
    film : numpy.ndarray
        (Y, X) True where a site could lie.
    pixel_size_um : float
    n, seed : int
        Number of simulations, and of the random numbers.

    References
    ----------
    Ohser, Math. Operationsforsch. Statist. 1983, 14, 63 (DOI 10.1080/02331888308801687); Clark
    and Evans, Ecology 1954, 35, 445 (DOI 10.2307/1931034).
    """
    sites = np.asarray(sites_px, dtype=float).reshape(-1, 2)
    if len(sites) < LEAST_SITES or not film.any():
        return None
    places, rng = np.flatnonzero(film), np.random.default_rng(seed)
    farthest = min(FARTHEST * math.sqrt(len(places) / len(sites)), min(film.shape) / 4)
    edges = np.linspace(0, farthest, BINS + 1)
    weights = _weights(film, math.ceil(farthest) + 1)
    patterns = [sites, *(_anywhere(places, film.shape[1], len(sites), rng) for _ in range(n))]
    k, nearest = np.empty((n + 1, BINS + 1)), np.empty((n + 1, len(sites)))

    def fill(some: Rows) -> None:
        for i in range(*some):
            k[i], nearest[i] = _near(patterns[i], edges, weights, len(places))

    finish(by_rows(fill, n + 1, most=16))
    means = nearest.mean(axis=1)
    told = slice(1 + SKIPPED, BINS + 1 - RING // 2)
    r = edges[told]
    away = pixel_size_um * (np.sqrt(k[:, told] / np.pi) - r)
    g = _rings(k, edges)
    expected = float(means[1:].mean())
    return SiteSpacing(
        nearest_um=pixel_size_um * nearest[0],
        nn_expected_um=pixel_size_um * expected,
        clark_evans=float(means[0] / expected),
        clark_evans_p=two_sided_p(means, means),
        r_um=pixel_size_um * r,
        ripley=global_envelope(away[0], away[1:], (-pixel_size_um * r, np.inf)),
        pair_correlation=global_envelope(g[0], g[1:], (0.0, np.inf)),
    )


def _anywhere(places: IntArray, width: int, count: int, rng: np.random.Generator) -> FloatArray:
    row, column = np.divmod(places[rng.integers(len(places), size=count)], width)
    return np.stack([row, column], axis=1) + rng.uniform(-0.5, 0.5, (count, 2))


def _rings(k: FloatArray, edges: FloatArray) -> FloatArray:
    """(n, K) pair correlation in the ring about each distance that is told."""
    rings = (k[:, RING:] - k[:, :-RING]) / (np.pi * (edges[RING:] ** 2 - edges[:-RING] ** 2))
    return np.asarray(rings[:, 1 + SKIPPED - RING // 2 :])


def _weights(film: BoolArray, reach: int) -> FloatArray:
    """Of a pair, by its step: it counts twice, over the area in which such a pair could lie."""
    return np.asarray(2 / np.maximum(_overlap_px(film, reach), 1.0))


def _overlap_px(film: BoolArray, reach: int) -> FloatArray:
    """Area that a field has in common with itself shifted by up to so many whole pixels.

    Shifts down only, as the other ones are the same reversed; negative ones to the side wrap.
    """
    height, width = film.shape
    if film.all():
        rows = np.maximum(height - np.arange(reach + 1), 0)
        aside = np.concatenate([np.arange(reach + 1), np.arange(reach, 0, -1)])
        return np.outer(rows, np.maximum(width - aside, 0)).astype(float)
    shape = [next_fast_len(m + reach + 1, real=True) for m in film.shape]
    spectrum = rfft2(film.astype(float), shape, workers=thread_count())
    power = spectrum.real**2 + spectrum.imag**2
    common = irfft2(power, shape, workers=thread_count())[: reach + 1]
    return np.ascontiguousarray(np.hstack([common[:, : reach + 1], common[:, -reach:]]))


def _near(
    sites: FloatArray, edges: FloatArray, weights: FloatArray, area_px: int
) -> tuple[FloatArray, FloatArray]:
    """(K + 1,) Ripley's K at the edges, squared pixels, and (N,) distances to the nearest site."""
    from napari_lithium_alloy.core.kernels.spacing import near_pairs

    n, order = len(sites), np.argsort(sites[:, 0], kind="stable")
    counts, nearest, ordered = np.zeros(len(edges) - 1), np.full(n, np.inf), np.empty(n)
    near_pairs(np.ascontiguousarray(sites[order]), edges, weights, counts, nearest)
    ordered[order] = nearest
    return np.concatenate([[0.0], np.cumsum(counts)]) * area_px**2 / (n * (n - 1)), ordered
