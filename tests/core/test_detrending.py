"""Trends are taken out exactly, and what that does to the spread of r."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_lithium_alloy.core.covariance_model import geometry_of, spread_factor, widths_px
from napari_lithium_alloy.core.detrending import degree_for, detrended, terms_of, trend_basis


@given(
    shape=st.tuples(st.integers(12, 30), st.integers(12, 30)),
    degree=st.integers(0, 4),
    seed=st.integers(0, 99),
    masked=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_what_is_left_is_orthogonal_to_every_term(shape, degree, seed, masked):
    rng = np.random.default_rng(seed)
    valid = rng.random(shape) > 0.3 if masked else np.ones(shape, bool)
    image = rng.standard_normal(shape)
    left = detrended(np.where(valid, image, np.nan), valid, degree)
    y, x = np.mgrid[: shape[0], : shape[1]] / 30
    for i in range(degree + 1):
        for j in range(degree + 1 - i):
            assert abs((left * y**i * x**j)[valid].sum()) < 1e-8 * valid.size
    assert not left[~valid].any()
    basis = trend_basis(valid, degree)
    values = image[valid]
    assert np.allclose(left[valid], values - basis @ (basis.T @ values), atol=1e-9)


def test_a_polynomial_is_taken_out_whole():
    y, x = np.mgrid[:20, :30]
    valid = np.ones((20, 30), bool)
    assert np.allclose(detrended(3.0 + 0.2 * x - 0.5 * y, valid, 1), 0, atol=1e-9)
    assert np.allclose(detrended(0.1 * x * y - 0.5 * y**2, valid, 2), 0, atol=1e-9)


def test_the_degree_is_as_high_as_the_samples_allow():
    assert [degree_for(d, 1e6) for d in ("none", "plane", "quadratic")] == [0, 1, 2]
    assert [degree_for("auto", n) for n in (0, 249, 250, 375, 1e9)] == [2, 2, 3, 4, 8]
    assert [terms_of(d) for d in range(4)] == [1, 3, 6, 10]


@pytest.mark.parametrize("degree", [0, 2])
def test_expected_products_are_those_of_whole_covariance_matrices(degree):
    valid = np.random.default_rng(2).random((9, 11)) > 0.2
    geometry = geometry_of(np.packbits(valid).tobytes(), (9, 11), degree)
    places = np.argwhere(valid)
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    basis = trend_basis(valid, degree)
    project = np.eye(len(places)) - basis @ basis.T
    covariances = [
        (apart == 0) * 1.0 if w == 0 else np.exp(-((apart / w) ** 2) / 2)
        for w in widths_px(np.sqrt(valid.sum()))
    ]
    residuals = [project @ c @ project for c in covariances]
    for j in (0, 4, 10):
        assert geometry.powers[j] == pytest.approx(np.trace(residuals[j]))
        for dy, dx in ((0, 0), (1, 0), (2, -3), (-4, 5)):
            shift = [(y + dy, x + dx) for y, x in places.tolist()]
            index = {tuple(p): i for i, p in enumerate(places)}
            expected = sum(residuals[j][i, index[s]] for i, s in enumerate(shift) if s in index)
            assert geometry.products[j][dy, dx] == pytest.approx(expected, abs=1e-9)
        for k in (2, 7):
            expected = np.trace(residuals[j] @ residuals[k])
            assert geometry.pairs[j, k] == pytest.approx(expected)


def test_the_factor_makes_up_for_what_detrending_takes():
    """Of Gaussian fields it is near that of their true covariance."""
    rng = np.random.default_rng(5)
    valid = np.ones((48, 48), bool)
    valid[:15, :20] = False
    sigma = 6.0 * np.sqrt(2)
    geometry = geometry_of(np.packbits(valid).tobytes(), (48, 48), 2)
    near = int(np.argmin(np.abs(widths_px(np.sqrt(valid.sum())) - sigma)))
    product = geometry.products[near]
    enough = geometry.overlap >= 0.5 * valid.sum()
    told = (product**2 / np.maximum(geometry.overlap, 1))[enough].sum()
    expected = geometry.pairs[near, near] / told
    found = []
    for _ in range(40):
        noise = rng.standard_normal((2, 96, 96))
        a, b = (ndimage.gaussian_filter(n, 6.0)[24:-24, 24:-24] for n in noise)
        found.append(spread_factor(a, b, valid, 2, 4.0, 0.02))
    assert expected > 1.3
    assert np.median(found) == pytest.approx(expected, rel=0.2)


def test_of_a_large_field_the_factor_follows_from_the_terms():
    """As it does from whole covariances where structures are fine."""
    valid = np.ones((72, 72), bool)
    a, b = np.random.default_rng(0).standard_normal((2, 300, 300))
    geometry = geometry_of(np.packbits(valid).tobytes(), (72, 72), 4)
    for j in (2, 3, 4):
        told = (geometry.products[j] ** 2 / np.maximum(geometry.overlap, 1))[
            geometry.overlap >= 0.5 * valid.sum()
        ].sum()
        variance = told / geometry.powers[j] ** 2
        simple = spread_factor(a, b, np.ones((300, 300), bool), 4, 4.0, variance)
        assert simple == pytest.approx(geometry.pairs[j, j] / told, abs=0.012)
