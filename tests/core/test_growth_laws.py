"""Onsets and exponents of curves whose law is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_lithium_alloy.core.growth_laws import blurred_height, growth_exponent, hinge_onset

TIMES = np.arange(0.5, 60.0, 1.0)


@given(onset=st.floats(2, 40), rate=st.floats(0.5, 5), level=st.floats(-3, 3))
@settings(max_examples=25, deadline=None)
def test_the_onset_of_steady_growth_is_exact_without_noise(onset, rate, level):
    found, _, reason = hinge_onset(TIMES, level + rate * np.maximum(TIMES - onset, 0), 1e-3)
    assert found == pytest.approx(onset, abs=0.4)
    assert reason == ""


def test_the_stated_error_of_onsets_is_that_of_many():
    rng, curve = np.random.default_rng(1), np.maximum(TIMES - 12, 0) / 48
    found = [hinge_onset(TIMES, curve + 0.05 * rng.standard_normal(60), 0.05) for _ in range(60)]
    errors = np.array([f[0] - 12 for f in found])
    assert abs(errors.mean()) < 0.4
    assert np.mean([f[1] for f in found]) == pytest.approx(errors.std(), rel=0.35)


def test_no_growth_has_no_onset():
    noise = 0.1 * np.random.default_rng(2).standard_normal(60)
    assert hinge_onset(TIMES, noise, 0.1)[2] == "no lasting change at its centre"
    assert hinge_onset(TIMES, -TIMES, 0.1)[2] == "no lasting change at its centre"
    assert hinge_onset(TIMES[:3], TIMES[:3], 0.1)[2] == "too few frames"


@pytest.mark.parametrize("n", [0.33, 0.5, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.04])
def test_the_exponent_is_that_of_the_radius(n, noise):
    since = np.maximum(TIMES - 10, 0)
    area = 0.5 * (since / 50) ** (2 * n)
    area = area + noise * np.random.default_rng(3).standard_normal(60)
    found, sd, reason = growth_exponent(TIMES, area, noise, 10.0, 0.2, 0.1)
    assert found == pytest.approx(n, abs=max(3 * sd, 0.02))
    assert 0 < sd < 0.1
    assert reason == ""


def test_radii_the_point_spread_hides_give_no_exponent():
    area = 0.03 * np.maximum(TIMES - 10, 0) / 50
    found, sd, reason = growth_exponent(TIMES, area, 1e-3, 10.0, 0.2, 0.1)
    assert np.isnan([found, sd]).all()
    assert reason == "no growth exponent: too few radii above half the point spread"
    assert np.isnan(growth_exponent(TIMES, area, 1e-3, np.nan, np.nan, 0.1)[0])


@pytest.mark.parametrize(("radius", "sigma"), [(2.0, 2.0), (5.0, 1.3), (3.0, 2.5)])
def test_blur_takes_as_much_from_a_disc_as_from_a_rendered_one(radius, sigma):
    fine = 6
    y, x = np.mgrid[-150:151, -150:151] / fine
    disc = (np.hypot(y, x) <= radius).astype(float)
    seen = ndimage.gaussian_filter(disc, sigma * fine)
    wanted = seen[np.hypot(y, x) <= radius / 2].mean()
    assert blurred_height(np.array([radius]), sigma)[0] == pytest.approx(wanted, abs=0.02)
