"""Measures of labelled pixels that look at these only: no sorting, no whole images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.recording import FloatArray, IntArray

Pixels = tuple[IntArray, IntArray]
"""Rows and columns."""


def maxima(values: NDArray[np.generic], labels: IntArray, n: int) -> FloatArray:
    """(n + 1,) largest value of each label 0..n; 0 for 0 and for labels that are not there."""
    from napari_lithium_alloy.core.kernels.pixel_graph import add_maxima

    highest = np.full(n + 1, -np.inf)
    add_maxima(values.ravel(), labels.ravel(), highest)
    return np.where(np.isfinite(highest), highest, 0.0)


def sums(values: NDArray[np.generic], labels: IntArray, n: int) -> FloatArray:
    """(n + 1,) sum of the values of each label 0..n; 0 for 0."""
    from napari_lithium_alloy.core.kernels.pixel_graph import add_sums

    total = np.zeros(n + 1)
    add_sums(values.ravel(), labels.ravel(), total)
    return total


def numbers_in(labels: IntArray) -> IntArray:
    """The labels that are there, 0 left out, rising."""
    there = np.flatnonzero(np.bincount(labels.ravel()))
    return there[there > 0]


def centres(pixels: Pixels, labels: IntArray, n: int) -> FloatArray:
    """(n, 2) mean row and column of the pixels of the labels 1..n."""
    size = np.maximum(np.bincount(labels, minlength=n + 1)[1:], 1)
    return np.stack([sums(c, labels, n)[1:] / size for c in pixels], axis=1)


def lengthening(pixels: Pixels, labels: IntArray, n: int) -> FloatArray:
    """(n + 1,) ratio of the long to the short axis of each label 0..n; 1 for 0 and of nothing."""
    middle = np.vstack([np.zeros((1, 2)), centres(pixels, labels, n)])
    y, x = (c - middle[labels, axis] for axis, c in enumerate(pixels))
    size = np.maximum(np.bincount(labels, minlength=n + 1), 1)
    return lengthening_of(*(sums(v, labels, n) / size for v in (y * y, x * x, x * y)))


def lengthening_of(yy: FloatArray, xx: FloatArray, xy: FloatArray) -> FloatArray:
    """Ratio of the long to the short axis, by mean squares and product about the middle."""
    mean, spread = (yy + xx) / 2 + 1 / 12, np.hypot((yy - xx) / 2, xy)
    return np.asarray(np.sqrt((mean + spread) / np.maximum(mean - spread, 1e-9)))
