"""From an image of the hole share to pores: maxima, their basins, and which of these are one."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from napari_lithium_alloy.core.by_label import lengthening_of, maxima
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixel_graph import PixelGraph
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import PIXEL_VARIANCE

Labels = NDArray[np.int32]

LEAST_DEPTH, SHALLOW_TOLD, ROUND = 0.75, 0.8, 1.5
"""Share of a hole's brightness that is too little; size from which it tells, as area over
2 pi sigma^2; ratio of axes up to which a region is round: of a crack it tells nothing."""
SEEN_NOISE = 0.04
"""Noise of the sharpened share up to which no more smoothing is done."""
SMOOTHINGS_PX = np.geomspace(0.5, 4.0, 19)
LOWEST_SHARE, LOWEST_NOISES = 0.05, 2.0
"""Share, and multiple of its noise, under which a pixel belongs to no pore."""
SURELY_PORE = 0.75
"""Share, smoothed by the point spread, that film of another brightness does not reach."""
TOLD_APART_NOISES = 3.0
"""Dip between two maxima, in units of the noise, that can tell two pores apart."""
JOINED_MARGIN = 0.1
"""How far the bridge of pores that were one before must sink until they are two."""
TABLE_STEP, TABLE_END = 1 / 512, 64.0
"""Of the table of shares at the edge of a disc: radii in point spreads."""


@dataclass(frozen=True)
class Sharpening:
    """How some of the blur is taken out: less half sigma^2 times the Laplacian.

    Attributes
    ----------
    smoothing_px : float
        Standard deviation of the smoothing before: as little as the noise allows.
    sigma_px, noise : float
        The blur that is left before it, and the noise after it.
    """

    smoothing_px: float
    sigma_px: float
    noise: float

    @staticmethod
    def for_noise(psf_sigma_px: float, noise: float) -> Sharpening:
        """By the noise of the share."""
        s = SMOOTHINGS_PX
        c = (psf_sigma_px**2 + s**2 + PIXEL_VARIANCE) / 2
        gains = np.sqrt(1 / (4 * s**2) + c / (2 * s**4) + c**2 / (2 * s**6)) / math.sqrt(math.pi)
        quiet = np.flatnonzero(gains * noise <= SEEN_NOISE)
        i = int(quiet[0]) if quiet.size else len(s) - 1
        sigma = math.sqrt(psf_sigma_px**2 + float(s[i]) ** 2 + PIXEL_VARIANCE)
        return Sharpening(float(s[i]), sigma, float(gains[i]) * noise)

    @property
    def lowest(self) -> float:
        """Sharpened share under which a pixel belongs to no pore."""
        return max(LOWEST_SHARE, LOWEST_NOISES * self.noise)


def edge_shares(radii: FloatArray) -> FloatArray:
    """Sharpened shares at the edges of discs, of radii in point spreads; two that touch add theirs.

    A disc of radius r has at its edge, with q = (r / sigma)^2, the share (1 - exp(-q) I0(q)) / 2,
    and sharpening by one step of the heat equation back adds q exp(-q) (I0(q) - I1(q)) / 2.
    """
    q = radii**2
    sharper = q * (special.i0e(q) - special.i1e(q))
    return np.asarray(0.5 * (1 - special.i0e(q)) + 0.5 * sharper)


@functools.cache
def _edge_table() -> FloatArray:
    return edge_shares(np.arange(0, TABLE_END + TABLE_STEP / 2, TABLE_STEP))


@dataclass(frozen=True, eq=False)
class Basins:
    """Maxima that may be pores, and the pixels that are nearer to each than to others.

    Of pixels only those of a basin are here. Entries 0 of the arrays of basins mean nothing.

    Attributes
    ----------
    at : (M,) int32 array
        The pixels, as numbers of a graph.
    basin : (M,) int32 array
        Their basins, 1..n.
    image, share : (M,) float32 arrays
        Sharpened hole share and hole share.
    seeds : (S,) int32 array
        The maxima's pixels, as indices of `at`.
    tops, areas, spots, smooth : (n + 1,) float arrays
        Highest sharpened share, sum of the share, highest response and smoothed share.
    bridges : ((P, 2) int64 array, (P,) float array)
        Basins that meet, and the highest sharpened share where they do, highest first.
    """

    at: Labels
    basin: Labels
    image: Float32Array
    share: Float32Array
    seeds: IntArray
    tops: FloatArray
    areas: FloatArray
    spots: FloatArray
    smooth: FloatArray
    bridges: tuple[IntArray, FloatArray]

    @staticmethod
    def of(
        graph: PixelGraph,
        peaks: BoolArray,
        lowest: float,
        images: tuple[Float32Array, Float32Array, Float32Array, Float32Array],
    ) -> Basins:
        """Around peaks, of images at the graph's pixels: sharpened, share, response and smooth."""
        from napari_lithium_alloy.core.kernels.pore_basins import add_to_basins, basins_around

        image, share = images[:2]
        found, room = np.zeros((2, len(image)), dtype=np.int32)
        tops = np.flatnonzero(peaks).astype(np.int32)
        n, n_at = basins_around(image, tops, np.float32(lowest), graph.neighbours, found, room)
        at = room[:n_at].copy()
        sums = np.full((4, n + 1), -np.inf)
        sums[1], sums[:, 0] = 0, 0
        add_to_basins(at, found, images, sums)
        sums[~np.isfinite(sums)] = 0
        pairs, levels = graph.bridges(image, found, at)
        order = np.argsort(-levels)
        return Basins(
            at=at,
            basin=found[at],
            image=image[at],
            share=share[at],
            seeds=np.flatnonzero(peaks[at]),
            tops=sums[0],
            areas=sums[1],
            spots=sums[2],
            smooth=sums[3],
            bridges=(pairs[order], levels[order]),
        )

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.tops) - 1

    def pores(
        self,
        graph: PixelGraph,
        sharp: Sharpening,
        least_spot: float,
        threshold: float,
        before: Labels | None,
    ) -> Labels:
        """(M,) labels of the pores at the pixels; their numbers rise, with gaps.

        Parameters
        ----------
        graph : PixelGraph
        sharp : Sharpening
        least_spot : float
            Response that tells a pore from the film.
        threshold : float
            Share of a pore's own maximum at which its outline lies.
        before : (N,) int array, optional
            Labels of the frame before at the graph's pixels.
        """
        from napari_lithium_alloy.core.kernels.pore_basins import outline

        if not self.n:
            return np.zeros(0, dtype=np.int32)
        old = np.zeros(self.n + 1, dtype=np.int64)
        if before is not None:
            seen = maxima(before[self.at[self.seeds]], self.basin[self.seeds], self.n)
            old = seen.astype(np.int64)
        roots = self._joined(sharp, old)
        spots, smooth, tops = (_highest(v, roots) for v in (self.spots, self.smooth, self.tops))
        told = (spots > least_spot) | (smooth > SURELY_PORE)
        number = np.where(told[roots], roots, 0).astype(np.int32)
        number[0] = 0
        labels = np.empty(len(self.at), dtype=np.int32)
        outline(self.basin, self.image, number, threshold * np.minimum(tops, 1.0), labels)
        shallow = self._shallow(graph, labels, np.where(told, tops, 0), sharp.sigma_px)
        if shallow.any():
            labels[shallow[labels]] = 0
        return labels

    def _joined(self, sharp: Sharpening, old: IntArray) -> IntArray:
        """The pore of each basin: those whose bridge is high enough become one, highest first."""
        from napari_lithium_alloy.core.kernels.pore_joining import join

        roots = np.arange(self.n + 1)
        pairs, levels = self.bridges
        join(
            (np.ascontiguousarray(pairs), levels),
            (self.tops, np.maximum(self.areas, 0), old),
            (_edge_table(), TABLE_STEP),
            (sharp.sigma_px, sharp.noise),
            (JOINED_MARGIN, TOLD_APART_NOISES),
            roots,
        )
        return roots

    def _shallow(
        self, graph: PixelGraph, labels: Labels, tops: FloatArray, sigma_px: float
    ) -> BoolArray:
        """(n + 1,) round regions far less bright inside than holes of their area: no holes.

        So are thinned film and, in epi, dead lithium. Where most of the larger ones are, the
        substrate's brightness is not as given, and none is left out.
        """
        from napari_lithium_alloy.core.kernels.pore_basins import add_moments

        moments = np.zeros((5, self.n + 1))
        add_moments((graph.rows, graph.columns), self.at, labels, self.share, moments)
        u = np.maximum(moments[0], 0) / (2 * math.pi * sigma_px**2)
        expected = 1 - (1 - u) * np.exp(-u)
        told = (u > SHALLOW_TOLD) & (lengthening_of(*moments[2:]) < ROUND)
        shallow = told & (tops < LEAST_DEPTH * expected)
        return np.asarray(shallow & (shallow.sum() <= told.sum() / 2))


def _highest(values: FloatArray, roots: IntArray) -> FloatArray:
    """(n + 1,) the highest value of the basins of each root; 0 where there are none."""
    highest = np.full(len(values), -np.inf)
    np.maximum.at(highest, roots[1:], values[1:])
    return np.where(np.isfinite(highest), highest, 0.0)
