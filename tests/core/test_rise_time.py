"""10-90 % times against planted ones, and what frames, smoothing and blur add to them."""

import numpy as np
import pytest
from planted import recording_of
from scipy import ndimage
from scipy.special import ndtr

from napari_lithium_alloy.core.onset import OnsetParameters, onset_map
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.rise_time import (
    SIGMAS_10_90,
    line_response,
    rise_times,
    secant_response,
)
from napari_lithium_alloy.core.synthetic.fields import gaussian_field, ranks, stream

SHAPE = (64, 64)
ONSETS = 12 + 16 * ranks(gaussian_field(stream(3, "onset"), (96, 96), 17.0))


def recorded(rise_s, *, interval_s=1.0, psf_px=0.0, bright=2600.0, creep=0.0, seed=0):
    """Film that darkens by 0.22 decades; blurred light, seen in frames without duration."""
    times = np.arange(0.0, 40.0, interval_s)
    frames = []
    for t in times:
        since = (t - ONSETS) * SIGMAS_10_90 / rise_s
        slow = creep * -np.expm1(-np.maximum(t - ONSETS, 0) / 20)
        light = bright * 10 ** (-0.22 * (ndtr(since) + slow))
        frames.append(ndimage.gaussian_filter(light, psf_px)[16:-16, 16:-16])
    rng = np.random.default_rng(seed)
    counts = np.array(frames)
    return recording_of(rng.poisson(counts) if bright < 1e6 else counts, times)


@pytest.mark.parametrize("rise_s", [2.2, 4.8])
@pytest.mark.parametrize(
    ("changes", "within", "spread"),
    [
        ({}, 0.03, 0.15),
        ({"interval_s": 0.25}, 0.03, 0.15),
        ({"interval_s": 2.5}, 0.05, 0.6),
        ({"bright": 2600 / 16}, 0.08, 0.25),
        ({"bright": 1e8}, 0.02, 0.1),
        ({"creep": 0.05}, 0.09, 0.25),
    ],
    ids=["clean", "fast", "slow", "4 x noise", "no noise", "creep"],
)
def test_the_rise_time_is_the_planted_one(rise_s, changes, within, spread):
    found = finish(onset_map(recorded(rise_s, **changes), 3, 38))
    known = found.rise_time_s[found.reached]
    assert np.median(known) == pytest.approx(rise_s, rel=within)
    low, high = np.percentile(known, [5, 95])
    assert high - low < spread * rise_s
    assert np.isnan(found.rise_time_s[~found.reached]).all()


@pytest.mark.parametrize("rise_s", [2.2, 4.8])
def test_a_known_point_spread_is_taken_out_and_an_unknown_one_is_not(rise_s):
    recording = recorded(rise_s, psf_px=1.3)
    known, unknown = (
        np.nanmedian(finish(onset_map(recording, 3, 38, how)).rise_time_s)
        for how in (OnsetParameters(psf_sigma_px=1.3), OnsetParameters())
    )
    assert known == pytest.approx(rise_s, rel=0.08)
    assert unknown > 1.02 * known


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.8])
def test_the_fraction_of_the_onset_hardly_changes_it(fraction):
    how = OnsetParameters(fraction=fraction)
    found = finish(onset_map(recorded(4.8), 3, 38, how))
    assert np.nanmedian(found.rise_time_s) == pytest.approx(4.8, rel=0.06)


@pytest.mark.parametrize("response", [line_response(0.5), line_response(1.5), secant_response()])
def test_a_response_is_undone(response):
    widths = np.geomspace(0.3, 30, 12)
    slopes = np.interp(widths, np.geomspace(0.05, 100, 60), response.slopes)
    assert np.allclose(response.width(slopes), widths, rtol=0.02)
    wide = 1 / np.sqrt(2 * np.pi * (30.0**2 + response.added))
    assert slopes[-1] == pytest.approx(wide, rel=0.03)


def test_where_nothing_rises_there_is_no_rise_time():
    flat = np.ones((8, 8), np.float32)
    how = {"fraction": 0.5, "interval": 1.0, "response": secant_response(), "psf_px": 0.0}
    nowhere = rise_times(flat, 0 * flat, flat, flat < 0, flat, **how)
    far_off = rise_times(flat, flat, flat, flat > 0, flat, **how)
    assert np.isnan(nowhere).all()
    assert np.isnan(far_off).all()


def test_rise_times_beside_glass_are_the_films():
    valid = np.ones(SHAPE, bool)
    valid[:, 40:] = False
    recording = recorded(2.2, psf_px=1.3)
    how = OnsetParameters(psf_sigma_px=1.3)
    found = finish(onset_map(recording, 3, 38, how, valid=valid))
    assert np.isfinite(found.rise_time_s[valid]).mean() > 0.99
    assert np.isnan(found.rise_time_s[~valid]).all()
    assert np.nanmedian(found.rise_time_s) == pytest.approx(2.2, rel=0.08)


def test_noise_of_the_amplitude_is_its_scatter():
    rng = np.random.default_rng(2)
    level = np.clip((np.arange(40)[:, None, None] - 20) / 6 + 0.5, 0, 1)
    counts = rng.poisson(2000 * 10 ** (-0.2 * level) * np.ones((1, 80, 80)))
    how = OnsetParameters(smoothing_px=0.0, smoothing_frames=0.0)
    found = finish(onset_map(recording_of(counts), 2, 39, how))
    assert found.amplitude_noise == pytest.approx(float(np.std(found.amplitude)), rel=0.15)
