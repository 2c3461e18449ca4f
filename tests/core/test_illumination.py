"""Flat field and lamp."""

import numpy as np
import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.illumination import (
    flicker,
    gain_of_region,
    gain_without_region,
    smooth_illumination,
)


def test_a_parabolic_illumination_is_found_beside_holes_and_glass():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-0.5:0.5:160j, -0.5:0.5:120j]
    truth = np.exp(-0.3 * (x - 0.1) ** 2 - 0.2 * y**2 + 0.05 * x)
    light = rng.poisson(2000 * truth).astype(float)
    light[40:52, 60:72] *= 2
    film = np.ones(light.shape, dtype=bool)
    film[:, 100:] = False
    light[:, 100:] *= 2
    found = smooth_illumination(light, film)
    np.testing.assert_allclose(found / found.mean(), truth / truth.mean(), rtol=0.01)


def test_the_flicker_of_a_smooth_film_is_found_and_a_parabola_has_none():
    t = np.arange(120.0)
    rng = np.random.default_rng(2)
    course = -0.5 / (1 + np.exp(-(t - 60) / 8))
    noise = rng.normal(0, 0.006, 120)
    fast = flicker(t, course + noise)
    smooth = flicker(t, noise)
    assert np.std(fast - smooth) < 0.002
    np.testing.assert_allclose(flicker(t, 1 + 0.1 * t - 0.002 * t**2), 0, atol=1e-9)


def test_uneven_times_and_unknown_levels_are_no_flicker():
    rng = np.random.default_rng(3)
    t = np.cumsum(rng.uniform(0.5, 1.5, 80))
    levels = 0.3 - 0.01 * t
    levels[[10, 40]] = np.nan
    np.testing.assert_allclose(flicker(t, levels), 0, atol=1e-9)


def test_the_even_darkening_of_an_sei_is_not_taken_for_the_lamp():
    """A corner where current starts, then an exponential of 7 %: all of it must stay."""
    t = np.arange(100.0)
    start = 20.0
    sei = np.where(t >= start, -0.07 * (1 - np.exp(-(t - start) / 3)), 0)
    rng = np.random.default_rng(4)
    lamp = rng.normal(0, 0.006, 100)
    gain = gain_without_region(t, sei + lamp, current_starts_s=start, switches_s=(start,))
    left = sei + lamp - np.log(gain.gain)
    assert left[-20:].mean() - left[:20].mean() == pytest.approx(-0.07, abs=0.003)
    assert gain.source == "rest"
    np.testing.assert_allclose(left[:20], left[:20].mean(), atol=1e-9)
    assert "cannot be told apart" in gain.note
    alone = gain_without_region(t, sei + lamp)
    left = sei + lamp - np.log(alone.gain)
    assert left[-20:].mean() - left[:15].mean() == pytest.approx(-0.07, abs=0.004)
    assert alone.source == "flicker"


def test_the_lamps_slow_drift_stays_without_a_region_and_goes_with_one():
    t = np.arange(200.0)
    slow = 1 + 0.012 * t / 200
    without = gain_without_region(t, np.log(slow), current_starts_s=0.0)
    assert np.ptp(without.gain) < 1e-4
    levels = 5000 * slow
    levels[50:60] = np.nan
    gain = gain_of_region(levels, np.arange(5), "bare glass")
    np.testing.assert_allclose(gain.gain, slow / slow[:5].mean(), rtol=1e-6)
    assert "out of view or dark: 10;" in gain.note


def test_a_region_out_of_view_at_first_is_refused():
    levels = np.r_[np.full(5, np.nan), np.ones(20)]
    with pytest.raises(AlloyError, match=r"Glass.*not in view before current"):
        gain_of_region(levels, np.arange(5), "Glass")


def test_frames_without_light_spoil_no_others():
    t = np.arange(30.0)
    levels = np.full(30, 0.5)
    levels[3] = np.nan
    gain = gain_without_region(t, levels, current_starts_s=8.0)
    np.testing.assert_allclose(gain.gain, 1)
    lit = np.full(30, 800.0)
    lit[8] = 0
    gain = gain_of_region(lit, np.arange(5), "Glass")
    np.testing.assert_allclose(gain.gain, 1)
    assert "out of view or dark: 1;" in gain.note


def test_what_a_front_does_to_some_tiles_is_no_flicker():
    """The lamp moves all tiles alike; of a film that changes within a few frames none is told."""
    t, rng = np.arange(80.0), np.random.default_rng(0)
    lamp = 0.006 * rng.standard_normal(80)
    noise = 3e-4 * rng.standard_normal((80, 25))
    found = flicker(t, lamp + noise.mean(axis=1), tiles=lamp[:, None] + noise)
    assert np.corrcoef(found, flicker(t, lamp))[0, 1] > 0.99
    passes = 0.6 / (1 + np.exp(-(t[:, None] - np.linspace(39.5, 40.5, 25)) / 0.7))
    steady = flicker(t, (passes + noise).mean(axis=1), tiles=passes + noise)
    alone = flicker(t, (passes + noise).mean(axis=1))
    assert np.abs(alone).max() > 0.02
    assert np.abs(steady).max() < 0.002
    short = flicker(t[:6], lamp[:6], tiles=lamp[:6, None] + noise[:6])
    assert short.shape == (6,)
