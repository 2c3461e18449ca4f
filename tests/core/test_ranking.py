"""Order and ranks of many values against numpy and scipy."""

import numpy as np
import pytest
from scipy.stats import rankdata

from napari_lithium_alloy.core import smoothing
from napari_lithium_alloy.core.colocalization import MANY_VALUES, spearman
from napari_lithium_alloy.core.kernels.medians import median_of
from napari_lithium_alloy.core.kernels.ranking import average_ranks, shares_below, sorted_keys
from napari_lithium_alloy.core.smoothing import robust_sd
from napari_lithium_alloy.core.spreads import SAMPLED_ROWS, spread_within


@pytest.mark.parametrize("kind", ["noise", "ties", "one", "none"])
def test_order_and_ranks_are_numpys_and_scipys(kind):
    rng = np.random.default_rng(4)
    values = {
        "noise": rng.normal(0, 1e3, 5000),
        "ties": np.concatenate([rng.integers(-3, 4, 2000), [0.0, -0.0]]),
        "one": np.array([2.5]),
        "none": np.empty(0),
    }[kind].astype(np.float32)
    assert np.array_equal(sorted_keys(values)[1], np.argsort(values, kind="stable"))
    ranks = np.empty(len(values))
    average_ranks(values, ranks)
    assert np.array_equal(ranks, rankdata(values))


@pytest.mark.parametrize("kind", ["noise", "ties", "none"])
def test_shares_below_are_ranks_over_their_number(kind):
    rng = np.random.default_rng(5)
    image = rng.normal(30, 5, (40, 50)).astype(np.float32)
    if kind == "ties":
        image = np.round(image)
    known = np.zeros(image.shape, bool) if kind == "none" else rng.random(image.shape) < 0.8
    image[~known] = np.nan
    shares = np.empty_like(image)
    shares_below(image, known, shares)
    assert np.isnan(shares[~known]).all()
    expected = (rankdata(image[known]) - 0.5) / max(known.sum(), 1)
    assert shares[known] == pytest.approx(expected, abs=1e-6 if kind == "ties" else 1e-3)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1001, 4096])
@pytest.mark.parametrize("kind", ["noise", "ties", "negative", "endless"])
def test_medians_are_numpys(n, kind):
    rng = np.random.default_rng(n)
    values = rng.normal(0, 3, n).astype(np.float32)
    if kind == "ties":
        values = np.round(values)
    elif kind == "negative":
        values = -np.abs(values)
    elif kind == "endless":
        values[n // 2] = -np.inf
    room = np.empty(n, np.uint32), np.empty(n, np.uint32)
    assert np.float32(median_of(values, room, np.empty(2048, np.int64))) == np.median(values)
    assert smoothing.median_of(values) == np.median(values)
    values[0] = np.nan
    assert np.isnan(smoothing.median_of(values))


@pytest.mark.parametrize("n", [1, 300, 5001, 5002])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_robust_spreads_are_told_by_the_median_of_sizes(n, dtype):
    values = np.random.default_rng(n).normal(0, 3, n).astype(dtype)
    assert robust_sd(values) == pytest.approx(1.4826 * np.median(np.abs(values)), rel=1e-6)
    values[n // 2] = np.nan
    assert np.isnan(robust_sd(values))


def test_medians_of_values_far_apart_and_alike():
    rng = np.random.default_rng(3)
    near = rng.normal(1, 1e-3, 4001)
    for more in ([], [1e30], [-1e30, 0.0, -0.0], [np.inf, 5e-324], np.ones(5000)):
        values = np.concatenate([near, more]).astype(np.float32)
        rooms = np.empty(len(values), np.uint32), np.empty(len(values), np.uint32)
        assert np.float32(median_of(values, rooms, np.empty(2048, np.int64))) == np.median(values)


def test_the_spread_of_a_large_field_is_told_by_some_of_its_rows():
    rng = np.random.default_rng(4)
    large = rng.normal(0, 2, (4 * SAMPLED_ROWS, 300)).astype(np.float32)
    everywhere = np.ones(large.shape, bool)
    assert spread_within(large, everywhere) == pytest.approx(2, rel=0.01)
    few = everywhere.copy()
    few[::4] = False
    assert spread_within(large, few) == robust_sd(large[few])
    small = large[:SAMPLED_ROWS]
    assert spread_within(small, everywhere[:SAMPLED_ROWS]) == robust_sd(small)


def test_ranks_of_very_many_values_tell_the_same_correlation():
    rng = np.random.default_rng(6)
    a = rng.normal(40, 5, MANY_VALUES + 1).astype(np.float32)
    b = (a + rng.normal(0, 9, a.size)).astype(np.float32)
    expected = np.corrcoef(rankdata(a), rankdata(b))[0, 1]
    assert spearman(a, b) == pytest.approx(expected, abs=1e-6)
