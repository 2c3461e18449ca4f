"""Pores of a frame on the support of a window: their outlines, and what is theirs of the light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixel_graph import PixelGraph
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
    at = np.flatnonzero(labels != 0)
    labels[at] = large_enough(images.inside[at], labels[at], least_px)
    return labels


def _filled(graph: PixelGraph, labels: Labels) -> Labels:
    """Labels that also hold the pixels they enclose."""
    holes = graph.enclosed(labels)
    if not holes.size:
        return labels
    places = np.stack([graph.rows, graph.columns], axis=1)
    known = np.flatnonzero(labels != 0)
    labels[holes] = nearest_labels(places[holes], places[known], labels[known])
    return labels


def areas_of(
    share: Float32Array, at: Labels, labels: Labels, support: Support
) -> tuple[FloatArray, IntArray]:
    """Integrated excess (n,) of each pore, and the final pore (n,) it is part of.

    A final pore's whole support is its parts'; they meet where the excess is least.

    Parameters
    ----------
    share : (N,) float32 array
        Hole share at the support's pixels.
    at, labels : (M,) int32 arrays
        Labelled pixels, rising, and whose they are, 1..n.
    support : Support
    """
    from napari_lithium_alloy.core.kernels.pore_measures import add_areas, first_regions

    n = int(labels.max(initial=0))
    if not n:
        return np.zeros(0), np.zeros(0, dtype=int)
    first, sizes = np.zeros((2, n + 1), dtype=np.int64)
    others = np.empty(len(at), dtype=np.int64)
    n_others = first_regions(at, labels, support.region, first, sizes, others)
    main, open_ = np.maximum(first, 1), np.zeros(support.n_regions + 1, dtype=bool)
    main[0], open_[first] = 0, True
    pairs = np.zeros(0, dtype=np.int64)
    if n_others:
        more, counts = np.unique(others[:n_others], return_counts=True)
        own = np.flatnonzero(first)
        pairs = np.concatenate([(own << 32) + first[own], more])
        main = _mains(pairs, np.concatenate([sizes[own], counts]), n)
        open_[more & 0xFFFFFFFF] = True
    open_[0] = False
    labels_in = np.bincount(first, minlength=len(open_))
    if n_others:
        labels_in[more & 0xFFFFFFFF] += 1
        labels_in[first[more >> 32]] += 1
    owner = np.zeros(len(open_), dtype=np.int64)
    owner[first] = np.arange(n + 1)
    owner[(labels_in != 1) | ~support.apart] = 0
    areas = np.zeros(n + 1)
    regions, neighbours = (support.region, open_, owner), support.graph.neighbours
    add_areas(share, (at, labels), regions, (main, np.sort(pairs)), neighbours, areas)
    return areas[1:], main[1:]


def _mains(pairs: IntArray, sizes: IntArray, n: int) -> IntArray:
    """(n + 1,) the final pore that holds most of each, of pairs of a pore and a final one."""
    pore, final = pairs >> 32, pairs & 0xFFFFFFFF
    order = np.lexsort((-final, sizes))
    main = np.ones(n + 1, dtype=np.int64)
    main[pore[order]] = final[order]
    main[0] = 0
    return main
