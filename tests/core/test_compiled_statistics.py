"""Compiled parts of the statistics of sites, pairs, pores and fronts against plain ones."""

import numpy as np
import pytest
from scipy import ndimage

from napari_lithium_alloy.core import nucleation
from napari_lithium_alloy.core.compared_maps import Field, _nearly_ordered
from napari_lithium_alloy.core.detrending import Trend
from napari_lithium_alloy.core.front_gradient import gradient_of, share_of_window
from napari_lithium_alloy.core.kernels import box_filters
from napari_lithium_alloy.core.kernels.disc_detection import (
    clipped_noise,
    disc_profiles,
    laplacian,
    peaks_over,
)
from napari_lithium_alloy.core.kernels.onset_counts import count_by_times
from napari_lithium_alloy.core.placements import BAND_ROWS, Placements
from napari_lithium_alloy.core.smoothing import blurred, gaussian_weights, robust_sd


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("sigma", [0.8, 1.3, 2.9, 9.0])
def test_laplacian_of_gaussian_is_that_of_scipy(rng, sigma):
    image = rng.normal(size=(61, 47)).astype(np.float32)
    out = np.empty_like(image)
    laplacian(image, nucleation._laplacian_weights(sigma), (0, 61), out)
    plain, bent = nucleation._gaussian_weights(sigma)
    plain, bent = (np.concatenate([w[:0:-1], w]) for w in (plain, bent))
    expected = sum(
        ndimage.correlate1d(ndimage.correlate1d(image.astype(float), one, 0), other, 1)
        for one, other in ((plain, bent), (bent, plain))
    )
    assert out == pytest.approx(-(sigma**2) * expected, abs=2e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 1000, 1001])
def test_noise_without_outliers_is_that_of_medians(rng, n):
    values = rng.normal(size=n).astype(np.float32)
    values[:: max(n // 20, 3)] *= 50
    sizes = np.abs(values)
    for _ in range(5):
        noise = robust_sd(sizes)
        inside = sizes <= np.float32(4 * noise)
        if inside.all():
            break
        sizes = sizes[inside]
    assert clipped_noise(values, 1.4826, 4.0, 5) == pytest.approx(noise, rel=1e-6)


def test_peaks_are_highest_among_their_neighbours_in_scale_too(rng):
    answer = rng.normal(size=(4, 30, 20)).astype(np.float32)
    film = rng.random((30, 20)) < 0.8
    least = np.array([0.5, 0.2, 0.1, 1.0])
    padded = np.pad(answer, 1, constant_values=-np.inf)
    highest = ndimage.maximum_filter(padded, 3)[1:-1, 1:-1, 1:-1]
    expected = np.argwhere((answer == highest) & film & (answer >= least[:, None, None]))
    found = np.concatenate([peaks_over(answer, film, least, r) for r in ((0, 13), (13, 30))])
    assert sorted(map(tuple, found)) == sorted(map(tuple, expected))


def test_profiles_of_discs_are_those_of_rings(rng):
    image = rng.normal(size=(70, 60)).astype(np.float32)
    rows, columns = np.mgrid[:70, :60]
    film = np.hypot(rows - 5, columns - 5) > 4
    centres = np.array([[35.2, 30.7], [3.4, 2.2], [68.0, 58.9]])
    for y, x in centres:
        image += 8 * (np.hypot(rows - y, columns - x) < 4)
    radii, found = np.array([4.0, 3.1, 5.0]), np.empty((3, 2))
    half = nucleation._gaussian_weights(1.4)[0].astype(np.float32)
    disc_profiles(image, film, centres, radii, (np.zeros(3, np.int64), half[np.newaxis]), found)
    whole = np.concatenate([half[:0:-1], half])
    smooth = ndimage.correlate1d(ndimage.correlate1d(image, whole, 0), whole, 1)
    for (y, x), radius, (width, contrast) in zip(centres, radii, found, strict=True):
        reach = int(np.ceil(2.5 * radius)) + 3
        low = np.maximum(np.round([y, x]).astype(int) - reach, 0)
        part = np.zeros(image.shape, bool)
        part[low[0] : low[0] + 2 * reach + 1, low[1] : low[1] + 2 * reach + 1] = True
        away = np.hypot(rows - y, columns - x)
        ring = np.floor(away + 0.5)
        rings = [smooth[part & film & (ring == k)] for k in range(reach + 1)]
        means = np.array([r.mean() if r.size else np.nan for r in rings])
        around = smooth[part & film & (away > 1.6 * radius) & (away <= reach)]
        base = np.percentile(around, 30)
        top = np.nanmean(means[: max(1, round(0.4 * radius)) + 1])
        i = np.flatnonzero(means < (top + base) / 2)[0]
        share = (means[i - 1] - (top + base) / 2) / (means[i - 1] - means[i])
        assert contrast == pytest.approx(top - base, rel=1e-5)
        assert width == pytest.approx(i - 1 + share if i else radius, rel=1e-5)


@pytest.mark.parametrize("corner", [(0, 0), (17, 9)])
def test_sums_over_discs_by_bands_are_those_of_their_pixels(rng, corner):
    shape, draws = (3 * BAND_ROWS + 5, 80), []
    for _ in range(4):
        inside = rng.random(shape) < 0.1
        step = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(int), axis=1)
        first, last = np.argwhere(step == 1), np.argwhere(step == -1)
        draws.append((inside, np.stack([p[:, 0] * 80 + p[:, 1] for p in (first, last)], axis=1)))
    image = rng.normal(size=(60, 50)).astype(np.float32)
    runs = [r.astype(np.int32) for _, r in draws]
    part = slice(corner[0], corner[0] + 60), slice(corner[1], corner[1] + 50)
    expected = [image[inside[part]].sum(dtype=float) for inside, _ in draws]
    assert Placements(runs=runs, width=80).sums(image, corner) == pytest.approx(expected)
    assert Placements(runs=[np.empty((0, 2), np.int32)], width=80).sums(image) == pytest.approx(0)


@pytest.mark.parametrize("degree", [2, 5])
def test_residuals_of_large_fields_are_those_of_small_ones(rng, degree):
    valid = rng.random((90, 120)) < 0.9
    image = rng.normal(size=valid.shape).astype(np.float32)
    image[~valid] = np.nan
    trend = Trend(valid, degree)
    left, power, ends = trend.left_of(image, 0.5)
    expected = trend.taken_from(image.astype(float) * 0.5)
    assert left == pytest.approx(expected, abs=1e-6)
    assert power == pytest.approx((expected**2).sum())
    assert ends == pytest.approx((expected[valid].min(), expected[valid].max()))


def test_values_in_order_by_bins(rng):
    image = rng.normal(size=(300, 200)).astype(np.float32)
    common = rng.random(image.shape) < 0.9
    ends = float(image[common].min()), float(image[common].max())
    found = _nearly_ordered(image, common, ends)
    assert len(found) == common.sum()
    assert found == pytest.approx(np.sort(image[common]), abs=2 * (ends[1] - ends[0]) / 2**16)
    assert Field({"a": image}, common).n == common.sum()


@pytest.mark.parametrize("half", [1, 2, 5, 10])
def test_filters_of_boxes_are_those_of_pictures(rng, half):
    image = rng.normal(size=(40, 37)).astype(np.float32)
    weights = rng.random(half + 1).astype(np.float32)
    weights = np.concatenate([weights[:0:-1], weights])
    out, line = np.empty((2, 40, 37), np.float32)
    flat = image.ravel(), line.ravel(), out.ravel()
    box_filters.blur_inside(flat[0], (3, 34, 37), weights, *flat[1:])
    whole = ndimage.correlate1d(ndimage.correlate1d(image, weights, 0), weights, 1)
    part = slice(3 + half, 37 - half), slice(3 + half, 33 - half)
    assert out[: 34 - 2 * half, : 30 - 2 * half] == pytest.approx(whole[part], rel=1e-4, abs=1e-4)
    box_filters.laplace(flat[0], (20, 37), 0.5, -2.0, flat[2])
    expected = 0.5 * image - 2 * ndimage.laplace(image)
    assert out[:18, :35] == pytest.approx(expected[1:19, 1:36], abs=1e-5)
    box_filters.highest_near(flat[0], (20, 37), *flat[1:])
    expected = ndimage.maximum_filter(image, 5)
    assert (out[:16, :33] == expected[2:18, 2:35]).all()
    assert box_filters.extent(flat[0]) == (image.min(), image.max())
    box_filters.cut_out(flat[0], (20, 30, 37), flat[2])
    assert (flat[2][:600].reshape(20, 30) == image[:20, :30]).all()


@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.9, 4.2])
def test_pairs_of_rows_are_blurred_as_single_ones(rng, sigma):
    image = rng.normal(size=(50, 40)).astype(np.float32)
    weights = gaussian_weights(sigma)
    expected = ndimage.correlate1d(ndimage.correlate1d(image.astype(float), weights, 0), weights, 1)
    assert blurred(image, sigma) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("window", [1.5, 3.0])
def test_gradient_is_that_of_numpy_also_in_some_rows(rng, window):
    times = ndimage.gaussian_filter(rng.normal(size=(60, 50)), 3).astype(np.float32)
    variance = rng.random(times.shape).astype(np.float32)
    smooth = blurred(times, window, straight=True).astype(float)
    reach = np.arange(-np.ceil(3 * window), np.ceil(3 * window) + 1)
    weights = np.exp(-0.5 * (reach / window) ** 2)
    bent = np.zeros_like(smooth)
    bent[1:-1, 1:-1] = ndimage.laplace(smooth)[1:-1, 1:-1]
    given = np.gradient((weights * reach**2).sum() / weights.sum() / 2 * bent)
    y, x = (a - b for a, b in zip(np.gradient(smooth), given, strict=True))
    for every in (1, 7):
        found = gradient_of(times, variance, window, smoothing_px=1, psf_px=0, every=every)
        assert found.y == pytest.approx(y[::every], abs=1e-6)
        assert found.x == pytest.approx(x[::every], abs=1e-6)
        assert found.bias == pytest.approx(0.3 * np.hypot(*given)[::every], abs=1e-6)
        assert len(found.variance) == len(found.y)


def test_share_of_windows_in_a_field_without_gaps():
    padded = blurred(np.pad(np.ones((40, 30), np.float32), 9), 2.5)[9:-9, 9:-9]
    assert share_of_window(np.ones((40, 30), bool), 2.5) == pytest.approx(padded, abs=1e-6)


def test_onsets_are_counted_by_the_times_of_frames(rng):
    onsets = np.round(rng.uniform(0, 20, (30, 20)), 1).astype(np.float32)
    reached, times = rng.random(onsets.shape) < 0.7, np.arange(2.0, 18.0)
    onsets[~reached] = np.nan
    counts = np.zeros(len(times) + 1, np.int64)
    for rows in ((0, 11), (11, 30)):
        count_by_times(onsets, reached, times, rows, counts)
    expected = [(onsets[reached] <= t).sum() for t in times]
    assert np.cumsum(counts)[:-1].tolist() == expected
    assert counts.sum() == reached.sum()
