"""Pores of a frame on the support of a window: their outlines, and what is theirs of the light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.by_label import sums
from napari_lithium_alloy.core.lineage import counted
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixel_graph import SIDES, PixelGraph
from napari_lithium_alloy.core.pore_outlines import large_enough, nearest_labels
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pore_support import Support
from napari_lithium_alloy.core.recording import FloatArray, IntArray

if TYPE_CHECKING:  # it loads numba
    from napari_lithium_alloy.core.pore_images import SupportImages

Labels = NDArray[np.int32]


def outlines(
    images: SupportImages,
    graph: PixelGraph,
    parameters: PoreParameters,
    least_px: float,
    before: Labels | None,
) -> Labels:
    """(N,) labels 1..n of the pores at the graph's pixels, as `pore_labels` tells them.

    Parameters
    ----------
    images : SupportImages
    graph : PixelGraph
    parameters : PoreParameters
        Of the method "automatic", without parting at waists.
    least_px : float
        Sum of the share that a pore must pass.
    before : (N,) int array, optional
        Labels of the frame before.
    """
    basins = images.basins
    labels = np.zeros(len(graph.at), dtype=np.int32)
    labels[basins.at] = basins.pores(
        graph, images.sharp, images.least_spot, parameters.threshold, before
    )
    if parameters.fill_holes:
        labels = _filled(graph, labels)
    return np.asarray(large_enough(images.inside, labels, least_px), dtype=np.int32)


def _filled(graph: PixelGraph, labels: Labels) -> Labels:
    """Labels that also hold the pixels they enclose."""
    holes = graph.enclosed(labels)
    if not holes.size:
        return labels
    places = np.stack([graph.rows, graph.columns], axis=1)
    known = np.flatnonzero(labels)
    labels[holes] = nearest_labels(places[holes], places[known], labels[known])
    return labels


def areas_of(share: Float32Array, labels: Labels, support: Support) -> tuple[FloatArray, IntArray]:
    """Integrated excess (n,) of each pore, and the final pore (n,) it is part of.

    A final pore's whole support is its parts'; they meet where the excess is least.

    Parameters
    ----------
    share : (N,) float32 array
        Hole share at the support's pixels.
    labels : (N,) int32 array
    support : Support
    """
    n, n_finals = int(labels.max(initial=0)), int(support.regions.max())
    if not n:
        return np.zeros(0), np.zeros(0, dtype=int)
    at = np.flatnonzero(labels)
    keys, sizes = counted(labels[at].astype(np.int64) * (n_finals + 1) + support.region[at])
    pore, final = keys // (n_finals + 1), keys % (n_finals + 1)
    part = final > 0
    open_ = np.zeros(n_finals + 1, dtype=bool)
    open_[final[part]] = True
    main = _mains(pore[part], final[part], sizes[part], n)
    found = support.graph.basins(share, labels, open_[support.region], SIDES)
    own = main[found]
    other = np.flatnonzero((found > 0) & (own != support.region))
    theirs = found[other].astype(np.int64) * (n_finals + 1) + support.region[other]
    found[other[~np.isin(theirs, keys[part])]] = 0
    return sums(share, found, n)[1:], main[1:]


def _mains(pore: IntArray, final: IntArray, sizes: IntArray, n: int) -> IntArray:
    """(n + 1,) the final pore that holds most of each."""
    order = np.lexsort((-final, sizes))
    main = np.ones(n + 1, dtype=np.int64)
    main[pore[order]] = final[order]
    main[0] = 0
    return main
