"""Where pores of a window are looked for, and which pixels around that takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixel_graph import PixelGraph
from napari_lithium_alloy.core.pixel_runs import Runs, dilated, n_pixels, runs_of
from napari_lithium_alloy.core.pore_outlines import far_px
from napari_lithium_alloy.core.pores import EIGHT, PoreOptics, regions_of
from napari_lithium_alloy.core.recording import BoolArray, IntArray
from napari_lithium_alloy.core.smoothing import blurred, cell_means, gaussian_reach

FILM_REACH = 2.5
"""Distance from which the film's level is carried under a pore, in point spreads."""
FAR_REACH, CELL_PX, LEAST_NEAR = 10.0, 4, 0.01
"""The same where film has less than this share of the weight; pixels averaged for it."""
SMALL_FIELD_PX, BLOCK_PX, BLOCKS = 2**18, 32, 64
"""Field up to which all pixels tell the noise; side and number of the squares that do else."""


@dataclass(frozen=True, eq=False)
class Support:
    """Around the pores at the end of a window, each with its surroundings.

    Attributes
    ----------
    optics : PoreOptics
    final : (Y, X) int32 array
        The pores.
    regions : (Y, X) int32 array
        Where parts of each are looked for, on the film.
    """

    optics: PoreOptics
    final: IntArray
    regions: IntArray

    @staticmethod
    def of(final: IntArray, optics: PoreOptics) -> Support:
        """As far from the pores as their light reaches."""
        grown = regions_of(final, optics.psf_sigma_px)
        return Support(optics, final, np.where(optics.film, grown, 0).astype(np.int32))

    @property
    def sigma_px(self) -> float:
        """The point spread."""
        return self.optics.psf_sigma_px

    @cached_property
    def outside(self) -> Float32Array:
        """(Y, X) 1 for film that is no support."""
        return (self.optics.film & (self.regions == 0)).astype(np.float32)

    @cached_property
    def weight(self) -> Float32Array:
        """(Y, X) share of the weight that such film has around each pixel."""
        return blurred(self.outside, FILM_REACH * self.sigma_px)

    @cached_property
    def graph(self) -> PixelGraph:
        """Its pixels and those they enclose."""
        around = measure.label(self.regions == 0, connectivity=1)
        at_edge = np.concatenate([around[[0, -1]].ravel(), around[:, [0, -1]].ravel()])
        mask = np.ones(int(around.max()) + 1, dtype=bool)
        mask[at_edge] = False
        mask[0] = True
        return PixelGraph.of(mask[around])

    @cached_property
    def region(self) -> NDArray[np.int32]:
        """(N,) the regions at the graph's pixels; 0 for what they enclose."""
        return np.asarray(self.graph.of_picture(self.regions), dtype=np.int32)

    @cached_property
    def at_edge(self) -> BoolArray:
        """(N,) whether the field's or the film's edge is at the graph's pixels."""
        edge = ~ndimage.binary_erosion(self.optics.film, EIGHT)
        return np.asarray(self.graph.of_picture(edge), dtype=bool)


@dataclass(frozen=True, eq=False)
class Domain:
    """Runs of the pixels at which each image is needed.

    Attributes
    ----------
    sharpening_px : int
        How far the smoothing before sharpening reaches.
    share, lit, smooth, response, sample, near_sample, beside, support : (n, 3) int32 arrays
        For the hole share; the brightness; the share smoothed by the point spread, and its
        response; the noise, and pores near it; the smoothing before sharpening; the pores.
    far : (M,) int32 array
        Pixels, of the flat picture, that the film's level reaches from afar only.
    cells : (C,) int32 array
        Cells of film whose brightness that takes.
    cell_runs : (n, 3) int32 array
        Cells at which their smoothed brightness is needed.
    """

    sharpening_px: int
    share: Runs
    lit: Runs
    smooth: Runs
    response: Runs
    sample: Runs
    near_sample: Runs
    beside: Runs
    support: Runs
    far: NDArray[np.int32]
    cells: NDArray[np.int32]
    cell_runs: Runs

    @staticmethod
    def of(support: Support, sharpening_px: int) -> Domain:
        """Of a support."""
        spot = max(support.sigma_px, 0.8)
        mask = np.zeros(support.graph.shape, dtype=bool)
        mask.ravel()[support.graph.at] = True
        sample = sampled(mask.shape)
        near_sample = dilated(sample, far_px(spot))
        # Responses are compared within two pixels, and take the smooth share one farther.
        smooth = dilated(mask, 3) | near_sample
        share = dilated(smooth, gaussian_reach(spot)) | dilated(mask, 1 + sharpening_px)
        far = share & (support.weight <= LEAST_NEAR)
        cells = _cells_of(far)
        taken = dilated(cells, gaussian_reach(FAR_REACH * support.sigma_px / CELL_PX))
        lit = dilated(share, gaussian_reach(FILM_REACH * support.sigma_px))
        return Domain(
            sharpening_px=sharpening_px,
            share=runs_of(share),
            lit=runs_of(lit | _pixels_of(taken, mask.shape)),
            smooth=runs_of(smooth),
            response=runs_of(dilated(mask, 2) | sample),
            sample=runs_of(sample),
            near_sample=runs_of(near_sample),
            beside=runs_of(dilated(mask, 1)),
            support=runs_of(mask),
            far=np.flatnonzero(far).astype(np.int32),
            cells=np.flatnonzero(taken).astype(np.int32),
            cell_runs=runs_of(cells),
        )

    @property
    def n_sampled(self) -> int:
        """Pixels that tell the noise."""
        return n_pixels(self.sample)


def sampled(shape: tuple[int, int]) -> BoolArray:
    """(Y, X) True in squares spread evenly over a large field, everywhere in a small one."""
    if shape[0] * shape[1] <= SMALL_FIELD_PX:
        return np.ones(shape, dtype=bool)
    mask = np.zeros(shape, dtype=bool)
    n_rows = min(max(1, round(math.sqrt(BLOCKS * shape[0] / shape[1]))), BLOCKS)
    for y in _starts(shape[0], n_rows):
        for x in _starts(shape[1], round(BLOCKS / n_rows)):
            mask[y : y + BLOCK_PX, x : x + BLOCK_PX] = True
    return mask


def _starts(length: int, n: int) -> list[int]:
    """First pixels of n stretches in the middles of n equal parts."""
    middles = (np.arange(n) + 0.5) * length / n - BLOCK_PX / 2
    return [int(m) for m in np.maximum(middles, 0)]


def wide_weight(support: Support) -> Float32Array:
    """Share of the weight, from afar, that film outside the support has at each cell."""
    return blurred(cell_means(support.outside, CELL_PX), FAR_REACH * support.sigma_px / CELL_PX)


def _cells_of(pixels: BoolArray) -> BoolArray:
    """Cells between whose centres the pixels lie."""
    shape = [max(n // CELL_PX, 1) for n in pixels.shape]
    cells = np.zeros(shape, dtype=bool)
    rows, columns = np.nonzero(pixels)
    cells[
        np.minimum(rows // CELL_PX, shape[0] - 1), np.minimum(columns // CELL_PX, shape[1] - 1)
    ] = True
    return dilated(cells, 1)


def _pixels_of(cells: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    """Pixels of cells; the last have those that are left over."""
    rows, columns = (
        np.minimum(np.arange(n) // CELL_PX, k - 1) for n, k in zip(shape, cells.shape, strict=True)
    )
    return np.asarray(cells[rows[:, None], columns])
