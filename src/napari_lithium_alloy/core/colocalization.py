"""Coefficients of how two images agree, pixel by pixel, as Coloc 2 of Fiji gives them.

None of them says whether an agreement is more than chance; `core.complementarity.correlate` does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from skimage.filters import threshold_otsu

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.large_pairs import (
    Two,
    agreement_of,
    agreement_of_ranks,
    otsu_of,
    sums_of,
)
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.row_blocks import by_rows, in_order

MANY_VALUES = 2**20
"""Of more, ranks are told to about a millionth."""
LEAST_SPREAD = 1e-12
"""Standard deviation, in units of the largest value, under which values are taken for equal."""
NOT_NEGATIVE = "Manders' coefficients need values that are not negative"
CONSTANT = "one of the maps is constant"
ThresholdRule = Literal["otsu", "costes", "fixed"]


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """Agreement of two images over the pixels known in both.

    Attributes
    ----------
    pearson_r, spearman_r : float
        Of values and of ranks, nothing taken out before.
    manders_m1, manders_m2 : float
        Share of the first image's sum where the second reaches its threshold, and the other way
        round (Manders et al. 1993, DOI 10.1111/j.1365-2818.1993.tb03313.x).
    threshold_a, threshold_b : float
        Inclusive.
    overlap : float
        Manders' overlap coefficient, sum(ab)/sqrt(sum(a^2) sum(b^2)).
    icq : float
        Li's intensity correlation quotient, -0.5 to 0.5 (Li et al. 2004,
        DOI 10.1523/JNEUROSCI.0346-04.2004).
    reason : str
        Why some are NaN; empty where none is.
    """

    pearson_r: float = math.nan
    spearman_r: float = math.nan
    manders_m1: float = math.nan
    manders_m2: float = math.nan
    threshold_a: float = math.nan
    threshold_b: float = math.nan
    overlap: float = math.nan
    icq: float = math.nan
    reason: str = ""


def coefficients(
    a: FloatArray,
    b: FloatArray,
    *,
    valid: BoolArray | None = None,
    rule: ThresholdRule = "otsu",
    thresholds: tuple[float, float] | None = None,
) -> Coefficients:
    """All coefficients of two images.

    Parameters
    ----------
    a, b : numpy.ndarray
        Of one shape; NaN where unknown.
    valid : bool array, optional
        Of the same shape; pixels outside do not count.
    rule : {"otsu", "costes", "fixed"}
        How Manders' thresholds are chosen.
    thresholds : (float, float), optional
        Those of the rule "fixed".

    Raises
    ------
    AlloyError
        If the shapes differ, or the rule is "fixed" and no thresholds are given.
    """
    known = common_field(a, b, valid)
    if not known.any():
        return Coefficients(reason="no pixel is known in both maps")
    of_single = a.ndim == 2 and a.dtype == b.dtype == np.float32
    if of_single and np.count_nonzero(known) > MANY_VALUES and rule != "costes":
        return _of_large(a, b, known, _given(thresholds) if rule == "fixed" else None)
    reasons = []
    x, y = in_order(lambda image: image[known].astype(float), (a, b))
    low, high = _thresholds(x, y, rule, thresholds)
    if math.isnan(low + high):
        reasons.append("Costes' thresholds need maps that agree (r > 0)")
    (m1, m2), more = manders_reasons(x, y, (low, high))
    reasons += more
    r = pearson(x, y)
    if not math.isfinite(r):
        reasons.append(CONSTANT)
    overlap, icq = in_order(lambda told: told(x, y), (overlap_coefficient, li_icq))
    return Coefficients(
        pearson_r=r,
        spearman_r=spearman(a[known], b[known]),
        manders_m1=m1,
        manders_m2=m2,
        threshold_a=low,
        threshold_b=high,
        overlap=overlap,
        icq=icq,
        reason="; ".join(reasons),
    )


def _of_large(
    a: Float32Array, b: Float32Array, known: BoolArray, thresholds: Two | None
) -> Coefficients:
    """The same of very many pixels; ranks are told to about a millionth."""
    n, sums = np.count_nonzero(known), sums_of(a, b, known)
    low, high = thresholds or otsu_of(a, b, known, sums.ends)
    least = float(np.finfo(np.float32).smallest_subnormal)  # what is above 0
    beyond = least if low == -math.inf else low, least if high == -math.inf else high
    found = agreement_of(a, b, known, (sums.totals[0] / n, sums.totals[1] / n), beyond)
    shares, reasons = (math.nan, math.nan), [NOT_NEGATIVE]
    if min(sums.ends[0][0], sums.ends[1][0]) >= 0:
        one, other = (
            part / total if total > 0 else math.nan
            for part, total in zip(found.beyond, sums.totals, strict=True)
        )
        shares, reasons = (one, other), []
    largest = [max(map(abs, ends)) for ends in sums.ends]
    spreads = [math.sqrt(square / n) for square in found.squares]
    told = all(s > LEAST_SPREAD * size for s, size in zip(spreads, largest, strict=True))
    power = math.sqrt(sums.squares[0] * sums.squares[1])
    return Coefficients(
        pearson_r=found.r if told else math.nan,
        spearman_r=agreement_of_ranks(a, b, known).r if told else math.nan,
        manders_m1=shares[0],
        manders_m2=shares[1],
        threshold_a=low,
        threshold_b=high,
        overlap=sums.products / power if power > 0 else math.nan,
        icq=found.same / n - 0.5,
        reason="; ".join(reasons if told else [*reasons, CONSTANT]),
    )


def common_field(a: FloatArray, b: FloatArray, valid: BoolArray | None) -> BoolArray:
    """True where both images are known.

    Raises
    ------
    AlloyError
        If the shapes differ.
    """
    if a.shape != b.shape:
        raise AlloyError(
            f"The maps have different shapes, {a.shape} and {b.shape}; "
            "choose two of the same recording."
        )
    known = np.isfinite(a) & np.isfinite(b)
    return np.asarray(known if valid is None else known & valid)


def pearson(a: FloatArray, b: FloatArray) -> float:
    """Pearson's r of two samples; NaN where one is constant."""
    from napari_lithium_alloy.core.kernels.sample_sums import STRETCH, centred_products

    (mean_a, largest_a), (mean_b, largest_b) = (_mean_and_size(values) for values in (a, b))
    if not min(largest_a, largest_b) > 0:
        return math.nan
    means, scale = (mean_a, mean_b), (1 / largest_a, 1 / largest_b)
    out = np.empty((-(-len(a) // STRETCH), 3))
    work = by_rows(lambda some: centred_products(a, b, means, scale, some, out), len(out))
    finish(work)
    aa, bb, ab = (math.fsum(sums) for sums in out.T)
    if min(aa, bb) <= len(a) * LEAST_SPREAD**2:
        return math.nan
    return ab / (math.sqrt(aa) * math.sqrt(bb))


def _mean_and_size(values: FloatArray) -> tuple[float, float]:
    """Mean, and the largest size of a value."""
    from napari_lithium_alloy.core.kernels.sample_sums import STRETCH, sums_and_sizes

    out = np.empty((-(-len(values) // STRETCH), 2))
    finish(by_rows(lambda some: sums_and_sizes(values, some, out), len(out)))
    return math.fsum(out[:, 0]) / len(values), float(out[:, 1].max())


def standardized(values: FloatArray) -> FloatArray:
    """Values of mean 0 and variance 1; empty where the values are equal but for rounding."""
    largest = float(np.abs(values).max())
    if not largest > 0:
        return np.empty(0)
    unit = values / largest
    unit = unit - unit.mean()
    sd = float(np.sqrt(np.mean(unit**2)))
    return np.asarray(unit / sd) if sd > LEAST_SPREAD else np.empty(0)


def pearson_of_sums(a: FloatArray, b: FloatArray, weights: FloatArray) -> float:
    """Pearson's r of few values, each pair of them so many times; NaN where one is constant."""
    share = np.sqrt(weights / weights.sum())
    scaled = []
    for values in (a, b):
        unit = values / max(float(np.abs(values).max()), np.finfo(float).tiny)
        unit = (unit - np.average(unit, weights=weights)) * share
        scaled.append(unit / max(float(np.linalg.norm(unit)), LEAST_SPREAD))
    constant = min(float(np.ptp(values)) for values in (a, b)) == 0
    return math.nan if constant else float(scaled[0] @ scaled[1])


def manders_reasons(
    a: FloatArray,
    b: FloatArray,
    thresholds: tuple[float, float],
    weights: FloatArray | float = 1.0,
) -> tuple[tuple[float, float], list[str]]:
    """M1 and M2, NaN with a reason where a value is negative."""
    if a.min() < 0 or b.min() < 0:
        return (math.nan, math.nan), [NOT_NEGATIVE]
    return manders(a, b, *thresholds, weights), []


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Pearson's r of the ranks of two samples; NaN where one is constant."""
    return pearson(*in_order(ranks_of, (a, b)))


def ranks_of(values: FloatArray) -> FloatArray:
    """Ranks from 1; equal values share the mean of theirs. Of float32 values it is fast.

    Of very many of these, nearly equal ones share it too, which r does not see.
    """
    if values.dtype != np.float32:
        from scipy.stats import rankdata

        return np.asarray(rankdata(values))
    from napari_lithium_alloy.core.kernels.ranking import average_ranks, shares_below

    if values.size > MANY_VALUES:
        line = values.reshape(1, -1)
        shares = np.empty_like(line)
        shares_below(line, np.broadcast_to(np.True_, line.shape), shares)
        return shares.ravel().astype(float) * values.size + 0.5
    ranks = np.empty(values.size)
    average_ranks(np.ascontiguousarray(values), ranks)
    return ranks


def attainable_r(a: FloatArray, b: FloatArray, r: float) -> float:
    """Largest |r| of r's sign that rearranging these values could give.

    They are given in order, and `standardized`.
    """
    if not min(a.size, b.size):
        return math.nan
    return abs(float(np.einsum("i,i->", a, b if r >= 0 else b[::-1]))) / a.size


def manders(
    a: FloatArray,
    b: FloatArray,
    threshold_a: float,
    threshold_b: float,
    weights: FloatArray | float = 1.0,
) -> tuple[float, float]:
    """M1 and M2 of two samples; pixels at a threshold count. NaN where a sum is 0.

    A threshold of -inf takes all pixels above 0, as Coloc 2 does without thresholds.
    """
    found = []
    for own, other, threshold in ((a, b, threshold_b), (b, a, threshold_a)):
        beyond = other > 0 if threshold == -math.inf else other >= threshold
        own = own * weights
        total = float(own.sum())
        known = total > 0 and not math.isnan(threshold)
        found.append(float(own[beyond].sum()) / total if known else math.nan)
    return found[0], found[1]


def overlap_coefficient(a: FloatArray, b: FloatArray) -> float:
    """Manders' overlap coefficient of two samples; NaN where one is 0 everywhere."""
    scale = math.sqrt(float((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else math.nan


def li_icq(a: FloatArray, b: FloatArray) -> float:
    """Share of pixels that differ from both means in the same direction, less one half."""
    product = (a - a.mean()) * (b - b.mean())
    return float((product > 0).mean()) - 0.5


def _given(thresholds: Two | None) -> Two:
    if thresholds is None:
        raise AlloyError("Fixed thresholds are chosen and none are given; give one a map.")
    return thresholds


def _thresholds(
    a: FloatArray, b: FloatArray, rule: ThresholdRule, given: tuple[float, float] | None
) -> tuple[float, float]:
    if rule == "fixed":
        return _given(given)
    if rule == "costes":
        return costes_thresholds(a, b)
    low, high = in_order(threshold_otsu, (a, b))
    return float(low), float(high)


def costes_thresholds(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Largest thresholds along the images' own line below which pixels do not correlate.

    Costes et al. 2004 (DOI 10.1529/biophysj.103.038422): thresholds T and mT + c on the line of
    orthogonal regression come down from the top until r of the pixels below either is not
    positive.

    Returns
    -------
    float, float
        NaN where the images do not agree (r is not positive).
    """
    if not pearson(a, b) > 0:
        return math.nan, math.nan
    va, vb, cov = float(a.var()), float(b.var()), float(np.mean((a - a.mean()) * (b - b.mean())))
    slope = (vb - va + math.hypot(vb - va, 2 * cov)) / (2 * cov)
    offset = float(b.mean()) - slope * float(a.mean())
    # A pixel lies below T or below mT + c where the lesser of these two is under T.
    at = np.minimum(a, (b - offset) / slope)
    order = np.argsort(at, kind="stable")
    x, y = (v[order] - v.mean() for v in (a, b))
    n = np.arange(1, x.size + 1)
    sx, sy, sxy = (np.cumsum(v) for v in (x, y, x * y))
    last = np.flatnonzero(np.append(np.diff(at[order]) > 0, True))  # whole ties only
    falls = (sxy - sx * sy / n)[last] <= 0
    if not falls.any():
        return float(at.min()), slope * float(at.min()) + offset
    stop = last[np.flatnonzero(falls)[-1]]
    threshold = float(at[order][min(stop + 1, x.size - 1)])
    return threshold, slope * threshold + offset
