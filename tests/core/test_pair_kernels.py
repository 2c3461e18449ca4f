"""Compiled parts of pairs, placements and quantiles against plain ones."""

import numpy as np
import pytest
from scipy import fft, ndimage
from scipy.spatial.distance import cdist

from napari_lithium_alloy.core.block_null import _orders, block_correlations
from napari_lithium_alloy.core.complementarity import correlate
from napari_lithium_alloy.core.detrending import Trend
from napari_lithium_alloy.core.kernels.block_products import products_of_rows
from napari_lithium_alloy.core.kernels.pair_sums import mark_levels
from napari_lithium_alloy.core.kernels.shifted import (
    cross_power,
    mean_square,
    quantile_of,
    spread_of,
)
from napari_lithium_alloy.core.order_statistics import quantiles_within
from napari_lithium_alloy.core.pair_table import colocalization
from napari_lithium_alloy.core.placements import _drawn
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.row_blocks import both, use_threads
from napari_lithium_alloy.core.shifts import ShiftedField, usable_null


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 7, 11), (70, 131, 25)])
def test_products_of_all_rows_are_those_of_matrices(rng, shape):
    a, b = rng.normal(size=(shape[0], shape[2])), rng.normal(size=(shape[1], shape[2]))
    out = np.full(shape[:2], np.nan)
    products_of_rows(a, b, (0, shape[0]), out)
    assert out == pytest.approx(a @ b.T)


def test_blocks_that_are_not_whole_are_compared_where_both_are_valid(rng):
    a, b = rng.normal(size=(2, 41, 53))
    valid = np.ones((41, 53), bool)
    valid[3:9, :30] = False
    valid[rng.random(valid.shape) < 0.02] = False
    side, n = 8, 7
    found = block_correlations(a, b, valid, side, n=n, seed=4)
    cut = [
        np.array(
            [
                image[y : y + side, x : x + side].ravel()
                for y in range(0, 40, side)
                for x in range(0, 48, side)
            ]
        )
        for image in (valid, np.where(valid, a - a[valid].mean(), 0), b - b[valid].mean())
    ]
    kept = cut[0].mean(axis=1) >= 0.5
    there, first, second = (part[kept] for part in cut)
    orders = _orders(len(there), n, 4) % len(there)
    for r, order in zip(found, orders, strict=True):
        inside = there & there[order]
        assert r == pytest.approx(np.corrcoef(first[inside], second[order][inside])[0, 1])


def test_spectra_spreads_and_nulls_are_numpys(rng):
    images = rng.normal(size=(2, 20, 31))
    first, second = fft.rfft2(images)
    power = np.empty_like(first)
    cross_power(*(i.view(float) for i in (first, second, power)))
    assert power == pytest.approx(first * np.conj(second))
    overlap = rng.integers(0, 9, (20, 31)).astype(float)
    expected = (images[0] * images[1] / np.maximum(overlap, 1))[overlap >= 4].sum()
    assert spread_of(*images, overlap, 4.0) == pytest.approx(expected)
    field = ShiftedField(np.ones((20, 31), bool))
    spectra = [field.spectrum(image, float((image**2).sum())) for image in images]
    shifts = field.shifts(spectra, [field.own(s) for s in spectra])
    usable = shifts.enough & (shifts.length > 3.5)
    assert np.array_equal(usable_null(shifts, 3.5), np.abs(shifts.correlation[usable]))


@pytest.mark.parametrize("n", [1, 2, 19, 1000])
def test_quantiles_are_numpys(rng, n):
    sizes = np.abs(rng.normal(size=n))
    assert quantile_of(sizes, 0.95) == pytest.approx(np.quantile(sizes, 0.95))
    assert quantile_of(np.zeros(n), 0.95) == 0
    assert mean_square(sizes) == pytest.approx(np.mean(sizes**2))


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (1100, 9)])
def test_quantiles_of_pictures_are_those_of_what_is_known(rng, shape):
    spread = rng.normal(size=shape) * 10.0 ** rng.integers(-9, 9, size=shape)
    for image in (spread, 1e3 + spread, np.round(rng.normal(size=shape)), np.full(shape, -2.5)):
        image = image.astype(np.float32)
        image[rng.random(shape) < 0.2] = rng.choice([np.nan, -np.nan, np.inf, -np.inf])
        image[0, 0] = 1
        known, shares = image[np.isfinite(image)], [0, 0.05, 0.5, 0.62, 1]
        n, found = quantiles_within(image, shares)
        assert n == known.size
        assert found == np.quantile(known, shares).tolist()
    n, found = quantiles_within(np.full(shape, np.nan, np.float32), [0.2, 0.5])
    assert n == 0
    assert np.isnan(found).all()


def test_levels_are_marked_where_they_are(rng):
    image = rng.choice([0.0, 2.0, -1.0, np.nan], (9, 131)).astype(np.float32)
    valid = rng.random(image.shape) < 0.8
    levels, bits = np.empty(4), np.zeros((4, 9, 3), np.uint64)
    assert mark_levels(image, valid, levels, bits) == 3
    for level, words in zip(levels[:3], bits, strict=False):
        marks = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, :131]
        assert np.array_equal(marks == 1, valid & (image == level))
    assert mark_levels(rng.normal(size=(3, 4)), valid[:3, :4], levels, bits) == -1


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 8])
def test_a_trend_knows_the_products_of_its_terms_over_any_field(rng, degree):
    valid = rng.random((40, 31)) < 0.7
    valid[:9], valid[20:25] = True, False
    trend = Trend(valid, degree)
    i, j = trend.terms
    terms = (trend.rows[:, np.newaxis, i] * trend.columns[np.newaxis, :, j])[valid]
    assert trend.gram == pytest.approx(terms.T @ terms, abs=1e-10)


def test_places_too_near_are_drawn_again_as_plainly(rng):
    valid = np.zeros((60, 80), bool)
    valid[5:55, 10:70] = True
    places, sites = np.flatnonzero(valid), rng.uniform(10, 50, (25, 2))
    sites[:, 0] = 2 * np.arange(25) + 6
    found = _drawn(sites, places, 80, 6, np.random.default_rng(3))
    again = np.random.default_rng(3)

    def drawn(k):
        row, column = np.divmod(places[again.integers(len(places), size=k)], 80)
        return np.stack([row, column], axis=1) + again.uniform(-0.5, 0.5, (k, 2))

    away = cdist(sites, sites)
    apart = 0.999 * away[away > 0].min()
    moved = 0
    for one in found:
        plain = drawn(25)
        while True:
            near = np.tril(cdist(plain, plain) <= apart, -1).any(axis=1)
            if not near.any():
                break
            plain[near] = drawn(near.sum())
            moved += near.sum()
        assert np.array_equal(one, plain)
    assert moved > 0


def test_pairs_at_the_same_time_are_those_one_by_one(rng):
    images = {name: ndimage.gaussian_filter(rng.normal(size=(90, 110)), 2.0) for name in "abc"}
    images["c"][:20, :30] = np.nan
    pairs = [("a", "b"), ("a", "c"), ("b", "c"), ("c", "b")]
    tables = []
    for threads in (1, 3):
        use_threads(threads)
        try:
            tables.append(finish(colocalization(images, pairs)))
        finally:
            use_threads(None)
    assert tables[0].equals(tables[1])
    for pair, row in zip(pairs, tables[0].to_dict("records"), strict=True):
        alone = correlate(*(images[name] for name in pair))
        for name in ("pearson_r", "null_high", "p_value", "p_blocks", "attainable_r"):
            assert row[name] == pytest.approx(getattr(alone, name)), name


def test_two_functions_at_the_same_time_give_both_results_or_the_first_error():
    assert both(lambda: 1, lambda: "a") == (1, "a")
    with pytest.raises(ZeroDivisionError):
        both(lambda: 1 // 0, lambda: 2)
    with pytest.raises(KeyError):
        both(lambda: 1, lambda: {}["nothing"])
