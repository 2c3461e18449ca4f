"""Smoothing and the noise it leaves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core.smoothing import (
    frame_noise,
    noise_left,
    smooth_within,
    time_kernel,
)

EVERYWHERE = np.ones((80, 80), bool)


def noise_of(seed, n=1, sigma=0.3):
    return [f.astype(np.float32) for f in np.random.default_rng(seed).normal(0, sigma, (n, 80, 80))]


@given(st.floats(0, 8))
def test_a_kernel_is_symmetric_and_sums_to_one(sigma):
    kernel = time_kernel(sigma)
    assert kernel.sum() == pytest.approx(1)
    assert np.array_equal(kernel, kernel[::-1])
    assert len(kernel) % 2 == 1


def test_no_smoothing_is_one_frame():
    assert time_kernel(0).tolist() == [1]
    image = noise_of(0)[0]
    assert smooth_within(image, EVERYWHERE, 0.0) is image


def test_a_kernels_width_is_its_standard_deviation():
    kernel = time_kernel(2.0)
    steps = np.arange(len(kernel)) - len(kernel) // 2
    assert np.sqrt((kernel * steps**2).sum()) == pytest.approx(2, rel=0.07)


def test_smoothing_takes_nothing_from_outside():
    valid = EVERYWHERE.copy()
    valid[:, 40:] = False
    image = noise_of(1)[0]
    bright = np.where(valid, image, 1e6).astype(np.float32)
    one, other = (smooth_within(i, valid, 2.0)[valid] for i in (image, bright))
    assert np.array_equal(one, other)
    flat = np.where(valid, 3, np.float32(-7)).astype(np.float32)
    assert np.allclose(smooth_within(flat, valid, 2.0)[valid], 3, rtol=1e-5)


@pytest.mark.parametrize("sigma_px", [0.0, 1.0, 2.5])
def test_the_noise_left_is_as_foretold(sigma_px):
    image = np.random.default_rng(2).normal(0, 1, (500, 500)).astype(np.float32)
    smooth = smooth_within(image, np.ones(image.shape, bool), sigma_px)
    left = smooth[20:-20, 20:-20].std()
    assert left == pytest.approx(noise_left(sigma_px), rel=0.06)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_noise_is_measured_whatever_the_picture(n):
    y, x = np.mgrid[:80, :80]
    picture = (3 + np.sin(x / 9) + 0.01 * y).astype(np.float32)
    frames = [picture + f for f in noise_of(3, n)]
    assert frame_noise(frames, EVERYWHERE) == pytest.approx(0.3, rel=0.04)


def test_flicker_is_not_noise():
    frames = [f + k for f, k in zip(noise_of(4, 4), (0, 5, -3, 1), strict=True)]
    assert frame_noise(frames, EVERYWHERE) == pytest.approx(0.3, rel=0.04)


def test_the_noise_at_edges_and_corners_is_at_most_that_of_mirrored_halves():
    rng = np.random.default_rng(5)
    valid = np.ones((30, 30), bool)
    smooth = [
        smooth_within(rng.normal(0, 1, (30, 30)).astype(np.float32), valid, 2.5) for _ in range(400)
    ]
    spread = np.std(smooth, axis=0) / noise_left(2.5)
    assert spread[0, 8:-8].mean() < 1.1 * np.sqrt(2)
    assert spread[[0, 0, -1, -1], [0, -1, 0, -1]].mean() < 1.1 * 2
