"""Light between pixels, against scipy's splines and plain numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_lithium_alloy.core.kernels.steadying import whole_numbers
from napari_lithium_alloy.core.steadying import Sensor, light_at, spline_taps

SHAPE = (44, 53)


def picture(seed=0, dtype=np.uint16):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.uniform(0, 60000, SHAPE), 1.2)
    return (smooth + rng.uniform(0, 200, SHAPE)).astype(dtype)


def sensor_of(*, dark=100.0, flat=None, bad=None, limit=None):
    return Sensor.of(dark, flat, np.zeros(SHAPE, bool) if bad is None else bad, limit)


def light(counts, sensor, start, *, gain=1.0, ceiling=None, shape=SHAPE, origin=(0, 0)):
    out = np.empty(shape, np.float32)
    light_at(counts, origin, sensor, gain, ceiling, np.asarray(start, float), out)
    return out


def spline(image, start, shape=SHAPE):
    return ndimage.affine_transform(
        image, np.ones(2), offset=start, output_shape=shape, order=3, mode="nearest"
    )


@settings(max_examples=40, deadline=None)
@given(
    start=st.tuples(st.floats(-70, 70), st.floats(-70, 70)),
    seed=st.integers(0, 5),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64]),
)
def test_light_between_pixels_is_that_of_scipys_spline(start, seed, dtype):
    counts = picture(seed, np.uint16)
    counts = (counts // 256 if dtype is np.uint8 else counts).astype(dtype)
    rng = np.random.default_rng(seed)
    dark, flat = rng.uniform(90, 110, SHAPE), rng.uniform(0.8, 1.2, SHAPE)
    expected = spline((counts - dark) / flat / 1.3, start)
    seen = light(counts, sensor_of(dark=dark, flat=flat), start, gain=1.3)
    np.testing.assert_allclose(seen, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("start", [(0, 0), (3, -2), (-50, 7), (11 + 1e-12, 4)])
def test_whole_steps_are_exact(start):
    counts, steps = picture(), np.rint(start).astype(int)
    rows, columns = (np.clip(np.arange(n) + s, 0, n - 1) for n, s in zip(SHAPE, steps, strict=True))
    expected = counts[np.ix_(rows, columns)].astype(np.float32) - np.float32(100)
    np.testing.assert_array_equal(light(counts, sensor_of(), start), expected)


@pytest.mark.parametrize("start", [(0.3, -1.7), (-2.0, 4.0), (0.0, 0.0)])
def test_a_part_of_the_frame_is_enough(start):
    rng = np.random.default_rng(3)
    bad = rng.uniform(size=SHAPE) < 0.01
    sensor = sensor_of(flat=rng.uniform(0.8, 1.2, SHAPE), bad=bad, limit=60000)
    counts = picture()
    counts[20, 25] = 60000
    whole = light(counts, sensor, start, ceiling=9e4)
    near = slice(4, 40), slice(6, 50)
    part = light(
        counts[near],
        sensor,
        np.add(start, (14, 16)),
        ceiling=9e4,
        shape=(9, 17),
        origin=(4, 6),
    )
    np.testing.assert_array_equal(part, whole[18:27, 22:39])


@pytest.mark.parametrize("start", [(0.0, 0.0), (0.0, 5.0)])
def test_bad_pixels_take_the_median_of_their_good_neighbours(start):
    counts = picture(dtype=np.float32)
    bad = np.zeros(SHAPE, bool)
    bad[0, 0] = bad[20, 30] = bad[20, 31] = bad[43, 52] = True
    bad[30:33, 10:13] = True
    counts[bad], counts[21, 30] = 65535, np.nan
    seen = light(counts, sensor_of(bad=bad, limit=65535.0), start, ceiling=1e6)
    known = np.pad(np.where(bad, np.nan, counts), 1, constant_values=np.nan)
    for y, x in ((20, 30), (20, 31), (43, 52), (30, 10)):
        expected = np.nanmedian(known[y : y + 3, x : x + 3]) - 100
        assert seen[y, x - int(start[1])] == pytest.approx(expected, rel=1e-6)
    assert seen[31, 11 - int(start[1])] == 65535 - 100


def test_what_clipped_and_unknown_pixels_touch_is_marked():
    counts = picture(dtype=np.float32)
    counts[20, 30], counts[9, 9] = 60000, np.nan
    seen = light(counts, sensor_of(limit=6e4), (0.5, 0.25), ceiling=7e4)
    assert np.argwhere(seen == 7e4).tolist() == [[19, 29], [19, 30], [20, 29], [20, 30]]
    assert np.argwhere(np.isnan(seen)).tolist() == [[8, 8], [8, 9], [9, 8], [9, 9]]
    counts[0, 40] = np.nan
    seen = light(counts, sensor_of(limit=6e4), (0.0, 0.005), ceiling=7e4)
    assert np.argwhere(seen == 7e4).tolist() == [[20, 30]]
    assert np.argwhere(np.isnan(seen)).tolist() == [[0, 40], [9, 9]]


def test_taps_keep_a_level_and_a_straight_line():
    for position in (-3.7, 0.0, 0.01, 8.5):
        first, part, weights = spline_taps(position)
        places = first + np.arange(len(weights))
        assert weights.sum() == pytest.approx(1, abs=1e-6)
        assert weights @ places == pytest.approx(position, abs=1e-5)
        assert part == pytest.approx(position - np.floor(position))


def test_light_as_whole_numbers():
    light = np.array([[0.0, 10.4, -99.0, 700.0, 800.0, np.nan, 620.0]], np.float32)
    out = np.empty(light.shape, np.uint16)
    ends = np.float32(5), np.float32(300)
    whole_numbers(light, np.float32(2), ends, np.float32(800), out)
    assert out.tolist() == [[5, 10, 0, 299, 300, 0, 299]]
    whole_numbers(light, np.float32(2), ends, np.float32(np.nan), out)
    assert out.tolist() == [[5, 10, 0, 299, 299, 0, 299]]
