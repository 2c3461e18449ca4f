"""Where pores of a window are looked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixel_graph import SIDES, PixelGraph
from napari_lithium_alloy.core.pores import PoreOptics, regions_of
from napari_lithium_alloy.core.recording import BoolArray, IntArray
from napari_lithium_alloy.core.smoothing import at_pixels, blurred, cell_means

FILM_REACH, FILM_CUT, FILM_CELL_PX = 2.5, 2.4, 2
"""Distance from which the film's level is carried under a pore, in point spreads; at how many
such distances that ends, beyond which film would lower the level's noise by a thirtieth; and
pixels averaged for it."""
CELL_VARIANCE = 1.0
"""Of a mean over two pixels and what lies between two such means, pixels squared."""
LEAST_SIGMA = 0.4
"""Of the Gaussian over cells, where the point spread is narrow."""
FAR_REACH, CELL_PX, LEAST_NEAR = 10.0, 4, 0.01
"""The same where film has less than this share of the weight; pixels averaged for it."""


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
        return np.asarray(self.optics.film & (self.regions == 0), dtype=np.float32)

    @property
    def level_sigma(self) -> float:
        """Standard deviation, in cells, over which the film's level is carried under a pore."""
        variance = (FILM_REACH * self.sigma_px) ** 2 - CELL_VARIANCE
        return max(math.sqrt(max(variance, 0)) / FILM_CELL_PX, LEAST_SIGMA)

    def around(self, image: Float32Array) -> Float32Array:
        """(Y, X) mean of an image over so much: of cells, and along straight lines between them."""
        cells = blurred(cell_means(image, FILM_CELL_PX), self.level_sigma, cut=FILM_CUT)
        return at_pixels(cells, FILM_CELL_PX, image.shape)

    @cached_property
    def weight(self) -> Float32Array:
        """(Y, X) share of the weight that such film has around each pixel."""
        return self.around(self.outside)

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
    def n_regions(self) -> int:
        """The highest region."""
        return int(self.regions.max())

    @cached_property
    def apart(self) -> BoolArray:
        """(R + 1,) whether a region is in one piece and beside no other; region 0 is not."""
        part = self.graph.parts(self.region > 0, SIDES)
        pairs = np.unique(self.region.astype(np.int64) << 32 | part)
        region, of = pairs >> 32, pairs & 0xFFFFFFFF
        alone = (np.bincount(region)[region] == 1) & (np.bincount(of)[of] == 1)
        found = np.zeros(self.n_regions + 1, dtype=bool)
        found[region[alone]] = True
        found[0] = False
        return found

    @cached_property
    def at_edge(self) -> BoolArray:
        """(N,) whether the field's or the film's edge is at the graph's pixels."""
        film, graph = np.pad(self.optics.film, 1), self.graph
        around = [film[graph.rows + y, graph.columns + x] for y in range(3) for x in range(3)]
        return np.asarray(~np.all(around, axis=0))

    @cached_property
    def wide_weight(self) -> Float32Array:
        """Share of the weight, from afar, that such film has at each cell."""
        sigma = FAR_REACH * self.sigma_px / CELL_PX
        return blurred(cell_means(self.outside, CELL_PX), sigma)
