"""Coefficients against naive ones and against Coloc 2."""

import math

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from napari_lithium_alloy.core.colocalization import (
    attainable_r,
    coefficients,
    costes_thresholds,
    li_icq,
    manders,
    overlap_coefficient,
    pearson,
    spearman,
    standardized,
)
from napari_lithium_alloy.core.errors import AlloyError


def read(shared, name):
    return tifffile.imread(shared / "reference" / "coloc" / name).astype(float)


@pytest.mark.parametrize(
    ("name", "r", "m"),
    [("A", 1, 1), ("B", 0.72, 0.75), ("C", 0.44, 0.5), ("D", 0.16, 0.25), ("E", -0.12, 0)],
)
def test_manders_images_give_what_coloc_2_gives(shared, name, r, m):
    first, second = (read(shared, f"manders{n}.tiff") for n in ("A", name))
    assert pearson(first.ravel(), second.ravel()) == pytest.approx(r, abs=0.01)
    m1, m2 = manders(first.ravel(), second.ravel(), -np.inf, -np.inf)
    assert m1 == pytest.approx(m, abs=1e-4)
    assert m2 == pytest.approx(m, abs=1e-4)


def test_a_real_sample_gives_what_coloc_2_gives(shared):
    green, red = (read(shared, f"colocsample1b-{c}.tif") for c in ("green", "red"))
    mask = read(shared, "colocsample1b-mask.tif") > 0
    whole = coefficients(green, red, rule="fixed", thresholds=(70, 53))
    assert whole.pearson_r == pytest.approx(0.748517, abs=1e-6)
    assert whole.pearson_r == pytest.approx(np.corrcoef(green.ravel(), red.ravel())[0, 1], abs=1e-4)
    assert whole.icq == pytest.approx(0.345, abs=0.005)
    inside = coefficients(green, red, valid=mask, rule="fixed", thresholds=(70, 53))
    assert inside.pearson_r == pytest.approx(0.638317, abs=1e-6)
    assert inside.manders_m1 == pytest.approx(0.705665, abs=1e-6)
    assert inside.manders_m2 == pytest.approx(0.724752, abs=1e-6)


@given(seed=st.integers(0, 999), ties=st.booleans())
@settings(max_examples=30, deadline=None)
def test_coefficients_are_their_definitions(seed, ties):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 200))
    b = 0.5 * a + 0.5 * b
    if ties:
        a, b = np.round(4 * a), np.round(4 * b)
    assert pearson(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    both = [(x - a.mean()) * (y - b.mean()) > 0 for x, y in zip(a, b, strict=True)]
    assert li_icq(a, b) == pytest.approx(sum(both) / 200 - 0.5)
    assert overlap_coefficient(a, b) == pytest.approx(sum(a * b) / np.sqrt(sum(a * a) * sum(b * b)))
    m1, m2 = manders(a, b, 0.6, 0.3)
    assert m1 == pytest.approx(sum(a[b >= 0.3]) / sum(a))
    assert m2 == pytest.approx(sum(b[a >= 0.6]) / sum(b))


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_costes_thresholds_are_the_largest_below_which_nothing_agrees(seed):
    rng = np.random.default_rng(seed)
    signal = rng.gamma(0.3, 60, 400)
    a, b = (
        np.round(signal + rng.normal(30, 8, 400)),
        np.round(0.6 * signal + rng.normal(20, 8, 400)),
    )
    low, high = costes_thresholds(a, b)
    slope = np.linalg.eigh(np.cov(a, b))[1][:, 1]
    slope = slope[1] / slope[0]
    offset = b.mean() - slope * a.mean()
    assert high == pytest.approx(slope * low + offset)

    def below(threshold):
        kept = (a < threshold) | (b < slope * threshold + offset)
        return pearson(a[kept], b[kept]) if kept.sum() > 1 else 0.0

    assert not below(low - 1e-6) > 1e-9
    steps = np.unique(np.minimum(a, (b - offset) / slope))
    assert all(below(t + 1e-6) > -1e-9 for t in steps[steps > low + 1e-6])


def test_what_cannot_be_told_is_nan_with_a_reason():
    a = np.arange(20.0)
    assert "constant" in coefficients(a, np.ones(20)).reason
    assert np.isnan(coefficients(a, np.ones(20)).pearson_r)
    against = coefficients(a, -a + 19, rule="costes")
    assert np.isnan([against.manders_m1, against.threshold_a]).all()
    assert "r > 0" in against.reason
    negative = coefficients(a - 5, a)
    assert np.isnan([negative.manders_m1, negative.manders_m2]).all()
    assert "not negative" in negative.reason
    assert "no pixel" in coefficients(a, np.full(20, np.nan)).reason
    assert np.isnan(manders(np.zeros(3), a[:3], 0, 0)[0])
    assert np.isnan(overlap_coefficient(np.zeros(3), a[:3]))
    with pytest.raises(AlloyError, match="none are given"):
        coefficients(a, a, rule="fixed")
    with pytest.raises(AlloyError, match="different shapes"):
        coefficients(a, a[1:])


def test_masks_are_parted_between_0_and_1():
    a = np.array([0.0, 0, 0, 1, 1, 1, 1, 0])
    b = np.array([0.0, 1, 0, 1, 1, 0, 0, 0])
    found = coefficients(a, b)
    assert found.manders_m1 == pytest.approx(0.5)
    assert found.manders_m2 == pytest.approx(2 / 3)


def test_a_mask_of_one_percent_cannot_correlate():
    values = np.random.default_rng(0).standard_normal(40_000)
    mask = np.zeros(40_000)
    mask[:400] = 1
    values = np.sort(values)
    mask = np.sort(mask)
    values, mask = standardized(values), standardized(mask)
    assert attainable_r(values, mask, 0.1) == pytest.approx(0.27, abs=0.01)
    assert attainable_r(values, mask, -0.1) == pytest.approx(0.27, abs=0.01)


@pytest.mark.parametrize("kind", ["spread", "levels", "constant", "negative"])
def test_large_images_have_the_coefficients_of_their_pixels(kind):
    rng = np.random.default_rng(3)
    a = rng.gamma(2.0, 5.0, (1030, 1040)).astype(np.float32)
    b = (30 - 0.4 * a + rng.normal(0, 4, a.shape)).astype(np.float32).clip(0)
    if kind == "levels":
        a = np.round(a / 5)
    elif kind == "constant":
        b[:] = 7
    elif kind == "negative":
        b -= 40
    valid = np.ones(a.shape, bool)
    valid[:9, :9] = False
    a[10, 20:30] = np.nan
    for rule, thresholds in (("otsu", None), ("fixed", (6.0, -math.inf))):
        found = coefficients(a, b, valid=valid, rule=rule, thresholds=thresholds)
        whole = [image.astype(float) for image in (a, b)]
        alone = coefficients(*whole, valid=valid, rule=rule, thresholds=thresholds)
        assert found.reason == alone.reason
        for name in ("threshold_a", "threshold_b"):
            assert getattr(found, name) == pytest.approx(getattr(alone, name), rel=1e-4)
        for name in ("pearson_r", "spearman_r", "manders_m1", "manders_m2", "overlap", "icq"):
            expected = pytest.approx(getattr(alone, name), abs=2e-5, nan_ok=True)
            assert getattr(found, name) == expected
    with pytest.raises(AlloyError, match="give one a map"):
        coefficients(a, b, rule="fixed")
