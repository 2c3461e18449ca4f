"""Coefficients of pairs of images of few values, as masks are, from counts of their pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from skimage.filters import threshold_otsu

from napari_lithium_alloy.core.colocalization import (
    Coefficients,
    ThresholdRule,
    coefficients,
    manders_reasons,
    pearson_of_sums,
)
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray

MOST_LEVELS = 4
BINS = 256
Coded = tuple[FloatArray, IntArray]


class CountedPairs:
    """Images of which each is looked through once, for `coefficients` of many pairs.

    Parameters
    ----------
    images : mapping of str to (Y, X) array
    valid : numpy.ndarray, optional
        (Y, X) bool, the field, or a drawn region.
    """

    def __init__(self, images: Mapping[str, FloatArray], valid: BoolArray | None) -> None:
        self.images, self.valid = images, valid
        self._coded: dict[str, Coded | None] = {}

    def coefficients(
        self,
        a: str,
        b: str,
        *,
        rule: ThresholdRule = "otsu",
        thresholds: tuple[float, float] | None = None,
    ) -> Coefficients:
        """All coefficients of two of the images."""
        first, second = (self._code(name) for name in (a, b))
        given = thresholds if rule == "fixed" else None
        told = rule == "otsu" or given is not None
        if told and first is not None and second is not None and _alike(first, second):
            return _of_counts(first, second, self._counts(first, second), given)
        return coefficients(
            self.images[a], self.images[b], valid=self.valid, rule=rule, thresholds=thresholds
        )

    def _code(self, name: str) -> Coded | None:
        """The image's values and which each pixel has; None where there are many."""
        from napari_lithium_alloy.core.kernels.pair_sums import code_levels

        if name not in self._coded:
            image = np.asarray(self.images[name])
            levels, codes = np.empty(MOST_LEVELS), np.empty(image.shape, np.uint8)
            n = code_levels(image, levels, codes)
            self._coded[name] = (levels[:n], codes) if n >= 0 else None
        return self._coded[name]

    def _counts(self, first: Coded, second: Coded) -> IntArray:
        from napari_lithium_alloy.core.kernels.pair_sums import count_pairs

        counts = np.zeros((len(first[0]), len(second[0])), np.int64)
        valid = np.ones(first[1].shape, bool) if self.valid is None else self.valid
        count_pairs(first[1], second[1], valid, counts)
        return counts


def _alike(first: Coded, second: Coded) -> bool:
    return first[1].shape == second[1].shape


def _of_counts(
    first: Coded, second: Coded, counts: IntArray, thresholds: tuple[float, float] | None
) -> Coefficients:
    i, j = np.nonzero(counts)
    x, y, w = first[0][i], second[0][j], counts[i, j].astype(float)
    if not len(w):
        return Coefficients(reason="no pixel is known in both maps")
    low, high = thresholds or (_otsu(x, w), _otsu(y, w))
    shares, reasons = manders_reasons(x, y, (low, high), w)
    r, away = (
        pearson_of_sums(x, y, w),
        (x - np.average(x, weights=w)) * (y - np.average(y, weights=w)),
    )
    if not np.isfinite(r):
        reasons.append("one of the maps is constant")
    scale = float(np.sqrt((w * x**2).sum() * (w * y**2).sum()))
    return Coefficients(
        pearson_r=r,
        spearman_r=pearson_of_sums(_ranks(x, w), _ranks(y, w), w),
        manders_m1=shares[0],
        manders_m2=shares[1],
        threshold_a=low,
        threshold_b=high,
        overlap=float((w * x * y).sum()) / scale if scale > 0 else float("nan"),
        icq=float(w[away > 0].sum() / w.sum()) - 0.5,
        reason="; ".join(reasons),
    )


def _ranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean ranks of values that are there so many times."""
    levels, at = np.unique(values, return_inverse=True)
    n = np.bincount(at, weights, len(levels))
    ranks: FloatArray = (np.cumsum(n) - (n - 1) / 2)[at]
    return ranks


def _otsu(values: FloatArray, weights: FloatArray) -> float:
    if np.ptp(values) == 0:
        return float(values[0])
    counts, edges = np.histogram(values, BINS, weights=weights)
    return float(threshold_otsu(hist=(counts, (edges[1:] + edges[:-1]) / 2)))
