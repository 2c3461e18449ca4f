"""Bad pixels."""

import itertools

import numpy as np
import pytest
from planted import recording_of
from scipy import ndimage

from napari_lithium_alloy.core.bad_pixels import SORTING, bad_pixels


def test_hot_and_dead_pixels_are_found_and_nothing_that_optics_can_make():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :48]
    pinhole = 800 * np.exp(-((y - 20) ** 2 + (x - 30) ** 2) / (2 * 1.2**2))
    frames = rng.poisson(1000 + pinhole, (20, 48, 48)).astype(np.uint16)
    frames[:, 10, 12] = 4000
    frames[:, 30, 5] = 110
    frames[3, 40, 40] = 4000
    bad = bad_pixels(recording_of(frames), 100.0)
    assert np.argwhere(bad).tolist() == [[10, 12], [30, 5]]


def test_comparisons_bring_any_eight_values_into_order():
    """Those that order all zeros and ones order everything (Knuth's zero-one principle)."""
    values = np.array([*itertools.product((0, 1), repeat=8)]).T
    for low, high in SORTING:
        values[[low, high]] = np.sort(values[[low, high]], axis=0)
    assert (np.diff(values, axis=0) >= 0).all()


@pytest.mark.parametrize("n_frames", [1, 5, 16, 40])
def test_bad_pixels_are_those_that_are_odd_in_nearly_all_frames(n_frames):
    rng = np.random.default_rng(4)
    frames = rng.normal(1000, 5, (n_frames, 30, 41)).astype(np.float32)
    at = np.linspace(0, n_frames - 1, min(n_frames, 16)).astype(int)
    for k, (y, x) in enumerate([(0, 0), (29, 40), (7, 9), (20, 21), (12, 30)]):
        frames[at[k:], y, x] += 700  # in all but k of the frames looked at
    frames[:, 15, 15], frames[:, 3, 3] = np.nan, 300
    dark = rng.normal(100, 1, (30, 41))
    expected = np.zeros((30, 41), int)
    for frame in frames[at]:
        light = np.nan_to_num(frame - dark.astype(np.float32), nan=0.0)
        eight = np.ones((3, 3))
        eight[1, 1] = 0
        median = ndimage.rank_filter(light, 4, footprint=eight, mode="nearest")
        away = np.abs(light - median)
        expected += (away > 0.2 * np.abs(median)) & (away > 60) & np.isfinite(frame)
    bad = bad_pixels(recording_of(frames), dark)
    np.testing.assert_array_equal(bad, expected >= 0.9 * len(at))
    assert bad[0, 0]
    assert bad[3, 3]
