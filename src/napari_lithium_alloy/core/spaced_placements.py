"""Random placements of sites that keep their number and their spacing, at all near distances."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import in_order

CLUMP = 0.5
"""Sites nearer than that move together; this and the next in mean spacings, (area/site)^0.5."""
NEAR = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Edges of the bins of distance in which pairs are counted."""
SLACK = 1.5
"""Width of the range in which a count of pairs may lie, in units of its square root."""
LEAST_SLACK = 2
LEAST_MOVES = 200
"""Moves tried between two draws; one a clump where there are more clumps."""


def spaced_placements(
    sites_px: FloatArray, weight: Float32Array, *, n: int = 499, seed: int = 0
) -> FloatArray:
    """(n, N, 2) placements of sites at random that keep how far apart they are.

    Sites nearer to each other than half the mean spacing are one clump, which is moved, turned
    and mirrored as it is and never joins another. No two clumps come nearer than the nearest two
    sites are, and the number of pairs of sites between clumps at each distance up to two mean
    spacings stays what it is, to about its Poisson error. Given all that, patterns of sites that
    repel, ignore or clump with each other are equally likely wherever they lie (for a pairwise
    law, whatever it is, these numbers are the sufficient statistics). The observed pattern has a
    random place in one run of a reversible chain, so it is exchangeable among its draws, however
    slowly they move (Besag and Clifford 1989, DOI 10.1093/biomet/76.4.633).

    Parameters
    ----------
    sites_px : numpy.ndarray
        (N, 2) rows and columns on pixels of positive weight.
    weight : numpy.ndarray
        (Y, X) how likely a site is seen at a pixel, relative; 0 where it cannot be.
    n, seed : int
        Number of draws, and of the random numbers.
    """
    from napari_lithium_alloy.core.kernels.spacing import pair_counts, walk

    if not len(sites_px):
        return np.empty((n, 0, 2))
    weight = np.ascontiguousarray(weight, dtype=np.float32)
    places = np.flatnonzero(weight > 0).astype(np.int32)
    spacing = float(np.sqrt(len(places) / len(sites_px)))
    clump = _clumps(sites_px, CLUMP * spacing)
    order = np.argsort(clump, kind="stable")
    sites = np.ascontiguousarray(sites_px[order], dtype=float)
    clump = clump[order]
    rng = np.random.default_rng(seed)
    edges2 = _edges_px(sites, spacing) ** 2
    bounds = _bounds(pair_counts(sites, clump, edges2), rng)
    before = int(rng.integers(n + 1))
    moves = max(LEAST_MOVES, int(clump[-1]) + 1)
    out = np.empty((n, len(sites), 2))
    parts = [(part, int(rng.integers(2**31))) for part in (out[:before], out[before:])]

    def fill(task: tuple[FloatArray, int]) -> None:
        part, state = task
        walk(sites, clump, weight, places, edges2, bounds, moves, state, part)

    for _ in in_order(fill, parts):
        pass
    return out


class SharedPlacements:
    """Placements of the same sites over several maps, made once for those alike.

    Parameters
    ----------
    n, seed : int
        Number of draws, and of the random numbers.
    """

    def __init__(self, n: int = 499, seed: int = 0) -> None:
        self._n, self._seed = n, seed
        self._made: list[tuple[Float32Array, FloatArray]] = []

    def over(self, sites_px: FloatArray, weight: Float32Array) -> FloatArray:
        """(n, N, 2) `spaced_placements` of those of the sites that lie on positive weights."""
        for known, draws in self._made:
            if np.array_equal(known, weight):
                return draws
        draws = spaced_placements(sites_px, weight, n=self._n, seed=self._seed)
        self._made.append((weight, draws))
        return draws


def _clumps(sites: FloatArray, within_px: float) -> IntArray:
    """(N,) number of each site's clump: linked by distances under a limit."""
    pairs = cKDTree(sites).query_pairs(within_px, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(sites),) * 2)
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _edges_px(sites: FloatArray, spacing: float) -> FloatArray:
    """Edges of the bins of distance, from the least between sites of different clumps."""
    least = CLUMP * spacing
    if len(sites) > 1:
        nearest = cKDTree(sites).query(sites, k=2)[0][:, 1]
        least = max((1 - 1e-9) * float(nearest.min()), least)
    further = spacing * np.array(NEAR)
    return np.concatenate([[least], further[further > 1.05 * least]])


def _bounds(counts: IntArray, rng: np.random.Generator) -> IntArray:
    """(2, K) a range around each count, at random places around it."""
    width = np.maximum(np.round(SLACK * np.sqrt(counts)), LEAST_SLACK).astype(int)
    low = counts - rng.integers(0, width)
    return np.stack([low, low + width - 1])
