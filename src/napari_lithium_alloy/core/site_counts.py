"""Numbers of sites: what a count is worth, and whether counts scatter as they would at random."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaincinv

from napari_lithium_alloy.core.envelopes import two_sided_p
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray

PER_QUADRAT = 5.0
"""Sites expected in a whole quadrat."""
LEAST_QUADRATS = 4
LEAST_FILM = 0.5
"""Share of a quadrat that must be film."""


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a Poisson mean.

    References
    ----------
    Garwood, Biometrika 1936, 28, 437 (DOI 10.1093/biomet/28.3-4.437).
    """
    tail = (1 - level) / 2
    low = gammaincinv(count, tail) if count else 0.0
    return float(low), float(gammaincinv(count + 1, 1 - tail))


def dispersion(
    sites_px: FloatArray, film: BoolArray, *, n: int = 499, seed: int = 0
) -> tuple[float, float]:
    """Index of dispersion of counts in quadrats (1: at random), and its two-sided p.

    Quadrats hold five sites on average; those of which half is film count, by their film's area.
    p is that of as many sites at random among them. NaN with fewer than four quadrats.
    """
    if len(sites_px) < LEAST_QUADRATS:
        return math.nan, math.nan
    side = max(math.sqrt(PER_QUADRAT * film.sum() / len(sites_px)), 1.0)
    rows, columns = (max(int(length / side), 1) for length in film.shape)
    areas, counts = _quadrats(sites_px, film, rows, columns)
    used = areas >= LEAST_FILM * film.size / (rows * columns)
    if used.sum() < LEAST_QUADRATS or not counts[used].sum():
        return math.nan, math.nan
    share = areas[used] / areas[used].sum()
    total = int(counts[used].sum())
    drawn = np.random.default_rng(seed).multinomial(total, share, n)
    every = np.vstack([counts[used], drawn])
    index = ((every - total * share) ** 2 / (total * share)).sum(axis=1) / (used.sum() - 1)
    index = np.round(index, 9)
    return float(index[0]), two_sided_p(index, np.abs(every - total * share).sum(axis=1))


def _quadrats(
    sites_px: FloatArray, film: BoolArray, rows: int, columns: int
) -> tuple[IntArray, IntArray]:
    """Pixels of film and sites in each of rows x columns equal parts of a field."""
    edges = [
        np.linspace(-0.5, n - 0.5, k + 1) for n, k in zip(film.shape, (rows, columns), strict=True)
    ]
    counts = np.histogram2d(sites_px[:, 0], sites_px[:, 1], edges)[0].ravel().astype(int)
    areas = film.astype(np.int64)
    for axis, (n, edge) in enumerate(zip(film.shape, edges, strict=True)):
        first = np.searchsorted(np.arange(n), edge[:-1])
        areas = np.add.reduceat(areas, first, axis=axis)
    return areas.ravel(), counts
