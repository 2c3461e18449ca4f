"""Measures of labelled regions that look at their pixels only: no sorting of whole images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.recording import FloatArray, IntArray


def maxima(values: NDArray[np.generic], labels: IntArray, n: int) -> FloatArray:
    """(n + 1,) largest value of each label 0..n; 0 for 0 and for labels that are not there."""
    at = np.flatnonzero(labels)
    highest = np.full(n + 1, -np.inf)
    np.maximum.at(highest, labels.ravel()[at], values.ravel()[at].astype(float))
    return np.where(np.isfinite(highest), highest, 0.0)


def sums(values: NDArray[np.generic], labels: IntArray, n: int) -> FloatArray:
    """(n + 1,) sum of the values of each label 0..n; 0 for 0."""
    at = np.flatnonzero(labels)
    weights = values.ravel()[at].astype(float)
    return np.asarray(np.bincount(labels.ravel()[at], weights, n + 1), dtype=float)


def centres(labels: IntArray, n: int) -> FloatArray:
    """(n, 2) mean row and column of the labels 1..n."""
    rows, columns = np.nonzero(labels)
    own = labels[rows, columns]
    size = np.maximum(np.bincount(own, minlength=n + 1)[1:], 1)
    return np.stack(
        [np.bincount(own, weights=c, minlength=n + 1)[1:] / size for c in (rows, columns)], axis=1
    )


def lengthening(labels: IntArray, n: int) -> FloatArray:
    """(n + 1,) ratio of the long to the short axis of each label 0..n; 1 for 0 and of nothing."""
    rows, columns = np.nonzero(labels)
    own = labels[rows, columns]
    middle = np.vstack([np.zeros((1, 2)), centres(labels, n)])
    y, x = rows - middle[own, 0], columns - middle[own, 1]
    size = np.maximum(np.bincount(own, minlength=n + 1), 1)
    yy, xx, xy = (np.bincount(own, v, n + 1) / size for v in (y * y, x * x, x * y))
    mean, spread = (yy + xx) / 2 + 1 / 12, np.hypot((yy - xx) / 2, xy)
    return np.asarray(np.sqrt((mean + spread) / np.maximum(mean - spread, 1e-9)))
