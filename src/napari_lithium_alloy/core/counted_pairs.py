"""Coefficients of pairs of images of few values, as masks are, from counts of their pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from napari_lithium_alloy.core.alloyed_images import alloyed_twin
from napari_lithium_alloy.core.colocalization import (
    Coefficients,
    ThresholdRule,
    coefficients,
    manders_reasons,
    pearson_of_sums,
)
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import each, in_order

MOST_LEVELS = 4
BINS = 256
WORD = 64
Bits = NDArray[np.uint64]
Coded = tuple[FloatArray, Bits]


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

    def all_coefficients(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        rule: ThresholdRule = "otsu",
        thresholds: tuple[float, float] | None = None,
    ) -> Work[dict[tuple[str, str], Coefficients]]:
        """All coefficients of pairs, several at the same time."""
        each(self._code, sorted({self._twin(name) for pair in pairs for name in pair}))
        found: dict[tuple[str, str], Coefficients] = {}

        def of(pair: tuple[str, str]) -> Coefficients:
            return self.coefficients(*pair, rule=rule, thresholds=thresholds)

        few = [pair for pair in pairs if None not in map(self._code, pair)]
        for pair, one in zip(few, in_order(of, few), strict=True):
            found[pair] = one
            yield len(found), len(pairs)
        for pair in pairs:
            if pair not in found:  # each takes all threads
                found[pair] = of(pair)
                yield len(found), len(pairs)
        return found

    def coefficients(
        self,
        a: str,
        b: str,
        *,
        rule: ThresholdRule = "otsu",
        thresholds: tuple[float, float] | None = None,
    ) -> Coefficients:
        """All coefficients of two of the images."""
        given = thresholds if rule == "fixed" else None
        told = rule == "otsu" or given is not None
        if told and self._shape(a) == self._shape(b):
            first, second = (self._code(name) for name in (a, b))
            if first is not None and second is not None:
                return _of_counts(first[0], second[0], _counts(first[1], second[1]), given)
        return coefficients(
            self.images[a], self.images[b], valid=self.valid, rule=rule, thresholds=thresholds
        )

    def _twin(self, name: str) -> str:
        """The image that one is, or whose complement it is."""
        twin = alloyed_twin(name)
        return twin if twin in self.images else name

    def _shape(self, name: str) -> tuple[int, ...]:
        return np.shape(self.images[self._twin(name)])

    def _code(self, name: str) -> Coded | None:
        """The image's values and, as bits, where each of them is; None where there are many."""
        from napari_lithium_alloy.core.kernels.pair_sums import mark_levels

        twin = self._twin(name)
        if twin != name:
            coded = self._code(twin)
            return None if coded is None else (1 - coded[0], coded[1])
        if name not in self._coded:
            image = np.asarray(self.images[name])
            valid = np.ones(image.shape, bool) if self.valid is None else self.valid
            words = -(-image.shape[1] // WORD)
            bits = np.zeros((MOST_LEVELS, len(image), words), np.uint64)
            levels = np.empty(MOST_LEVELS)
            n = mark_levels(image, valid, levels, bits)
            self._coded[name] = (levels[:n], bits[:n].copy()) if n >= 0 else None
        return self._coded[name]


def _counts(first: Bits, second: Bits) -> IntArray:
    """Pixels with each value of one and each of the other."""
    counts = [[int(np.bitwise_count(one & other).sum()) for other in second] for one in first]
    return np.array(counts, dtype=np.int64).reshape(len(first), len(second))


def _of_counts(
    first: FloatArray,
    second: FloatArray,
    counts: IntArray,
    thresholds: tuple[float, float] | None,
) -> Coefficients:
    i, j = np.nonzero(counts)
    x, y, w = first[i], second[j], counts[i, j].astype(float)
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
