"""Compiled loops against plain numpy."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import ndtr

from napari_lithium_alloy.core.crossing import every_frame
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.kernels.aperture import aperture_sums
from napari_lithium_alloy.core.kernels.blurred_rises import blurred_rises
from napari_lithium_alloy.core.kernels.cell_maps import between_cells, light_of_cells
from napari_lithium_alloy.core.kernels.crossings import first_crossings
from napari_lithium_alloy.core.kernels.frame_sums import quality_sums
from napari_lithium_alloy.core.kernels.line_sums import REACH
from napari_lithium_alloy.core.kernels.local_fits import lines_from_cells
from napari_lithium_alloy.core.kernels.logarithm import log32
from napari_lithium_alloy.core.kernels.own_frames import mean_of_own_frames
from napari_lithium_alloy.core.kernels.squares import extreme_squares
from napari_lithium_alloy.core.kernels.step_frames import frames_beside
from napari_lithium_alloy.core.refinement import _point_spread
from napari_lithium_alloy.core.smoothing import blurred, cell_means, common_noise, smooth_times


def test_the_logarithm_is_right_to_single_precision():
    values = np.concatenate(
        [np.arange(1, 65536, 13), np.geomspace(1e-30, 1e30, 5000), np.linspace(0.6, 1.4, 5000)]
    ).astype(np.float32)
    expected = np.log(values.astype(float))
    found = np.array([log32.py_func(v) for v in values])
    assert found.dtype == np.float32
    assert (np.abs(found - expected) / np.maximum(1, np.abs(expected))).max() < 1e-6


def aperture_sums_of(counts, dark, weight, *, with_spread):
    """Five sums a frame, when nothing else is asked of the counts."""
    sums = np.empty((len(counts), 5))
    nothing = (counts.dtype.type(0), 1, np.empty((0, 3)))
    aperture_sums(compilable(counts), dark, weight, with_spread, sums, nothing)
    return sums


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(37, 53), (5, 1400)])
def test_sums_over_an_aperture_are_numpys(dtype, shape):
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 250, shape).astype(dtype)
    dark = rng.uniform(0, 20, counts.shape).astype(np.float32)
    weight = np.where(rng.random(counts.shape) < 0.7, rng.uniform(0.01, 0.1, counts.shape), 0)
    weight[rng.random(counts.shape) < 0.1] = -1
    light = counts - dark.astype(float)
    lit = (weight > 0) & (light > 0)
    assert 0 < lit.sum() < (weight > 0).sum()
    expected = (
        light[weight != 0].sum(),
        (light * weight)[weight > 0].sum(),
        np.log((light * weight)[lit]).sum(),
        (np.log((light * weight)[lit]) ** 2).sum(),
        lit.sum(),
    )
    several = np.stack([counts[::-1], counts, counts[::-1]])
    sums = aperture_sums_of(several, dark, weight.astype(np.float32), with_spread=True)
    assert sums[1] == pytest.approx(expected, rel=2e-6)


def test_what_lies_outside_an_aperture_may_be_anything():
    counts = np.full((9, 40), 100, np.float32)
    counts[:, 20:] = np.nan
    counts[0] = np.inf
    weight = np.zeros_like(counts)
    weight[1:, :20] = 0.02
    found = aperture_sums_of(counts[np.newaxis], np.zeros_like(counts), weight, with_spread=False)
    assert found[0, [0, 1, 2, 4]] == pytest.approx((16000, 320, 160 * np.log(2), 160), rel=1e-6)


@pytest.mark.parametrize("change", [None, np.nan, np.inf, 0.0, -5.0, 3e9, 1e-9])
def test_pixels_that_are_all_lit_are_summed_together(change):
    rng = np.random.default_rng(5)
    counts = rng.uniform(200, 60000, (3, 7, 1100)).astype(np.float32)
    if change is not None:
        counts[1, 3, 700] = change
    weight = rng.uniform(1e-4, 1e-2, counts.shape[1:]).astype(np.float32)
    found = aperture_sums_of(counts, np.zeros_like(weight), weight, with_spread=False)
    with np.errstate(all="ignore"):
        logarithm = np.log(counts * weight.astype(float))
        lit = counts > 0
    for t in (0, 1, 2) if change is None or np.isfinite(change) else (0, 2):
        expected = (
            counts[t].sum(dtype=float),
            (counts[t] * weight.astype(float)).sum(),
            logarithm[t][lit[t]].sum(),
            lit[t].sum(),
        )
        assert found[t, [0, 1, 2, 4]] == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("every", [1, 2])
def test_the_quality_of_frames_is_told_alone_or_beside_their_light(dtype, every):
    counts = compilable(np.random.default_rng(6).integers(0, 250, (3, 41, 530)).astype(dtype))
    weight = np.full(counts.shape[1:], 0.02, np.float32)
    alone, beside = np.zeros((2, 3, 3))
    quality_sums(counts, (dtype(239), every, alone))
    asked = (dtype(239), every, beside)
    aperture_sums(counts, np.zeros_like(weight), weight, False, np.empty((3, 5)), asked)
    assert np.array_equal(alone, beside)
    for t, frame in enumerate(counts.astype(float)):
        steps = (frame[2:] - frame[:-2])[::every]
        expected = frame[::every].sum(), (steps**2).sum(), (frame >= 240).sum()
        assert alone[t] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("side", [4, 5])
def test_extreme_squares_are_those_of_all(side):
    rng = np.random.default_rng(7)
    values, known = rng.normal(0, 1, (17, 23)).astype(np.float32), rng.random((17, 23)) < 0.9
    values[~known] = np.nan
    means = {}
    for y in range(17 - side + 1):
        for x in range(23 - side + 1):
            own = values[y : y + side, x : x + side][known[y : y + side, x : x + side]]
            if own.size >= 0.9 * side**2:
                means[y, x] = own.mean(dtype=float)
    lowest, first, highest, last = extreme_squares(values, known, side, 0.9)
    assert first == min(means, key=means.__getitem__)
    assert last == max(means, key=means.__getitem__)
    assert (lowest, highest) == pytest.approx((means[first], means[last]))
    assert np.isinf(extreme_squares(values, np.zeros_like(known), side, 0.9)[0])


Y, X = 23, 41


@pytest.mark.parametrize("sigma", [0.6, 1.0, 2.5, 6.0, 20.0])
def test_a_blur_is_scipys(sigma):
    image = np.random.default_rng(1).normal(0, 1, (Y, X)).astype(np.float32)
    half = int(np.ceil(3 * sigma))
    expected = ndimage.gaussian_filter(image, sigma, mode="reflect", radius=half)
    assert np.allclose(blurred(image, sigma), expected, atol=2e-6)


@pytest.mark.parametrize("sigma", [0.7, 2.0, 5.0])
def test_a_straight_blur_keeps_a_plane_up_to_its_edges(sigma):
    y, x = np.mgrid[:Y, :X]
    plane = (3 + 0.7 * x - 0.4 * y).astype(np.float32)
    assert np.allclose(blurred(plane, sigma, straight=True), plane, atol=2e-4)
    half = int(np.ceil(3 * sigma))
    image = np.random.default_rng(1).normal(0, 1, (Y, X)).astype(np.float32)
    inside = np.s_[half : Y - half, half : X - half]
    assert np.allclose(blurred(image, sigma, straight=True)[inside], blurred(image, sigma)[inside])


@pytest.mark.parametrize("shape", [(8, 12), (9, 14), (3, 30), (1, 1)])
def test_means_of_cells_take_what_is_left_over(shape):
    image = np.random.default_rng(0).normal(5, 1, shape)
    found = cell_means(image, 4)
    edges = [[*(np.arange(max(n // 4, 1)) * 4), n] for n in shape]
    for i, j in np.ndindex(found.shape):
        part = image[edges[0][i] : edges[0][i + 1], edges[1][j] : edges[1][j + 1]]
        assert found[i, j] == pytest.approx(part.mean(), rel=1e-5)


def test_between_cells_a_slope_is_straight():
    x = np.arange(40)
    image = np.tile(0.25 * x, (24, 1)).astype(np.float32)
    out = np.empty_like(image)
    between_cells(cell_means(image, 4), 4, (0, 24), out)
    assert np.allclose(out[:, 2:-2], image[:, 2:-2], atol=1e-5)


def test_times_that_are_not_known_do_not_spoil_their_surroundings():
    y, x = np.mgrid[:60, :60]
    times = (10 + 0.3 * x).astype(np.float32)
    known = np.hypot(y - 30, x - 20) > 5
    spoiled = np.where(known, times, np.float32(1e5))
    smooth = smooth_times(spoiled, known, 1.5)
    assert np.abs(smooth - times)[known].max() < 0.6
    assert np.abs(smooth - times)[:, 35:].max() < 1e-3
    assert (smooth[~known] == np.float32(1e5)).all()


def test_what_all_pixels_share_is_told_from_noise():
    rng = np.random.default_rng(7)
    frames = [
        (rng.normal(0, 0.3, (50, 50)) + k).astype(np.float32) for k in rng.normal(0, 0.1, 200)
    ]
    everywhere = np.ones((50, 50), bool)
    assert common_noise(frames, everywhere) == pytest.approx(0.1, rel=0.15)
    assert common_noise(frames[:2], everywhere) == 0


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_light_of_cells_is_the_mean_of_their_valid_pixels(dtype):
    rng = np.random.default_rng(4)
    counts = rng.integers(100, 900, (5, 11, 14)).astype(dtype)
    dark = rng.uniform(0, 50, (11, 14)).astype(np.float32)
    valid = rng.random((11, 14)) < 0.6
    valid[:4, :4] = False
    edges = [0, 4, 11], [0, 4, 8, 14]
    factor = rng.uniform(0.5, 2, 5).astype(np.float32)
    for row in range(2):
        found = np.empty((5, 3), np.float32)
        light_of_cells(compilable(counts), factor, dark, valid, 4, row, found)
        for t, c in np.ndindex(5, 3):
            window = slice(*edges[0][row : row + 2]), slice(*edges[1][c : c + 2])
            inside = factor[t] * (counts[t] - dark)[window][valid[window]]
            expected = inside.mean() if inside.size else np.nan
            assert found[t, c] == pytest.approx(expected, rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("falls", [True, False])
def test_means_over_own_frames_are_numpys(falls):
    rng = np.random.default_rng(5)
    counts = compilable(rng.integers(40, 900, (12, 6, 7)).astype(np.uint16))
    dark = np.full((6, 7), 50, np.float32)
    begin = rng.integers(0, 11, (6, 7)).astype(np.int32)
    end = np.minimum(begin + rng.integers(1, 5, (6, 7)), 12).astype(np.int32)
    log, mean = (np.empty((6, 7), np.float32) for _ in range(2))
    factor = rng.uniform(0.5, 2, 12).astype(np.float32)
    mean_of_own_frames(counts, factor, dark, (0.5, falls), (begin, end), (0, 6), log, mean)
    for y, x in np.ndindex(6, 7):
        frames = slice(begin[y, x], end[y, x])
        own = factor[frames] * (counts[frames, y, x] - 50.0)
        assert mean[y, x] == pytest.approx(own.mean(), rel=1e-5)
        sign = -1 if falls else 1
        assert log[y, x] == pytest.approx(sign * np.log(np.maximum(own, 0.5)).mean(), rel=1e-5)


def naive_crossing(trace, level, needed, begin, end, falls):
    """First frame of the first run beyond the level, among a pixel's own frames."""
    beyond = [(v <= level) if falls else (v >= level) for v in trace]
    for i in range(begin, end):
        run = beyond[i : min(i + needed, end)]
        if all(run) and (i == begin or not beyond[i - 1]):
            return i
    return None


@pytest.mark.parametrize("falls", [True, False])
def test_crossings_among_own_frames_are_the_naive_ones(falls):
    rng = np.random.default_rng(6)
    counts = compilable(rng.integers(0, 20, (30, 8, 9)).astype(np.uint16))
    level = rng.uniform(5, 15, (8, 9)).astype(np.float32)
    begin = rng.integers(0, 20, (8, 9)).astype(np.int32)
    end = (begin + rng.integers(2, 11, (8, 9))).astype(np.int32)
    run, frame = (np.zeros((8, 9), np.int32) for _ in range(2))
    before, after = (np.zeros((8, 9), np.float32) for _ in range(2))
    first_crossings(
        *(counts, np.ones(30, np.float32), (level, 0 * level), 1, falls, 3, (0, 8), (begin, end)),
        *(run, frame, before, after),
    )
    for y, x in np.ndindex(8, 9):
        trace = counts[:, y, x]
        expected = naive_crossing(trace, level[y, x], 3, begin[y, x], end[y, x], falls)
        assert (run[y, x] > 0) == (expected is not None)
        if expected is not None:
            assert frame[y, x] == expected
            assert after[y, x] == trace[expected]
            assert expected == 0 or before[y, x] == trace[expected - 1]


def naive_line(light, times, at, sigma):
    """Weighted least squares of the frames in reach, by numpy."""
    d = times - at
    near = np.abs(d) <= REACH * sigma
    slope, level = np.polyfit(d[near], light[near], 1, w=np.exp(-0.25 * (d[near] / sigma) ** 2))
    return level, slope


def fitted_lines_of(onset, falls, sigma, flicker, lit=2000, every=1):
    """Lines of light that steps at planted times, after each is found to be numpy's."""
    height, width = onset.shape
    rng = np.random.default_rng(9)
    times = np.cumsum(rng.uniform(0.5, 1.5, 60))
    times -= times[0]
    onset = times[-1] / 2 + onset
    level = 1 / (1 + np.exp(-(times[:, None, None] - onset) / 1.2))
    factor = np.exp(flicker * rng.standard_normal(60)).astype(np.float32)
    lamp = lit / factor[:, None, None]
    counts = rng.poisson(50 + lamp * np.exp((-0.5 if falls else 0.5) * level)).astype(np.uint16)
    sign = -1 if falls else 1
    light = sign * np.log((counts - 50.0) * factor[:, None, None])
    gain = (factor, sign * np.log(factor))
    flat = np.ones((height, width), np.float32)
    threshold = np.float32(0.25 + sign * np.log(lit)) * flat
    cell_level = 16 * lit * np.exp(sign * 0.25)
    sides = [np.diff(np.arange(n // 4) * 4, append=n) / 4 for n in (height, width)]
    areas = np.multiply.outer(*sides)
    levels = (50 * flat, threshold, 0.5 * flat)
    cells = ((cell_level * areas).astype(np.float32), (800 * areas).astype(np.float32))
    cell_time = np.zeros(areas.shape, np.float32)
    time, missing, slope = (np.zeros_like(flat) for _ in range(3))
    own = (*every_frame(flat.shape, len(times)), *every_frame(areas.shape, len(times)))
    lines_from_cells(
        *(compilable(counts), gain, times, cells, levels),
        *(own, (0.5, falls), (sigma, 0.03), every),
        *((4, 3), flat > 0, (0, len(areas)), cell_time, (time, missing, slope)),
    )
    for y, x in np.ndindex(time.shape):
        expected = naive_line(light[:, y, x], times, float(time[y, x]), sigma)
        found = (threshold[y, x] - missing[y, x], slope[y, x])
        assert found == pytest.approx(expected, abs=2e-3)
    return onset, cell_time, time, missing, slope


@pytest.mark.parametrize("falls", [True, False])
@pytest.mark.parametrize(
    ("sigma", "flicker", "width"), [(0.8, 0.0, 18), (2.0, 0.0, 18), (2.0, 0.2, 70)]
)
def test_the_line_of_a_pixel_is_numpys(falls, sigma, flicker, width):
    planted = np.linspace(-3, 3, 13 * width).reshape(13, width)
    onset, cell_time, time, missing, slope = fitted_lines_of(planted, falls, sigma, flicker)
    assert np.abs(cell_time - cell_means(onset, 4)).max() < 1
    assert np.abs(time - onset).max() < 2
    assert np.abs(time + missing / np.median(slope) - onset).mean() < 0.5


@pytest.mark.parametrize(("sigma", "every"), [(0.8, 1), (2.0, 1), (4.0, 2)])
def test_a_pixel_unlike_its_surroundings_walks_to_its_own_time(sigma, every):
    planted = np.zeros((8, 70))
    planted[:, ::9], planted[:, 4::9] = 12, -9
    onset, _, time, *_ = fitted_lines_of(planted, True, sigma, 0.0, lit=30000, every=every)
    assert np.abs(time - onset).max() < max(5, 2 * sigma)  # on its slope
    assert np.abs(time - onset)[planted == 0].max() < max(2, sigma)


def test_a_line_sees_its_pixels_own_frames_only():
    """What lies before and after them may be anything."""
    times = np.arange(40.0)
    trace = 2000 * np.exp(-0.5 / (1 + np.exp(-(times - 20) / 1.2)))
    counts = np.tile(np.rint(trace)[:, None, None], (1, 8, 8)).astype(np.uint16)
    spoiled = counts.copy()
    spoiled[:14], spoiled[26:] = 5, 60000
    flat, cells = np.ones((8, 8), np.float32), np.ones((2, 2), np.float32)
    threshold = np.float32(0.25 - np.log(2000))
    cell_levels = (16 * 2000 * np.exp(-0.25) * cells).astype(np.float32), 0 * cells
    spans = [np.full(shape, n, np.int32) for shape in ((8, 8), (2, 2)) for n in (14, 26)]
    gain = (np.ones(40, np.float32), np.zeros(40, np.float32))
    found = []
    for light in (counts, spoiled):
        lines = tuple(np.zeros_like(flat) for _ in range(3))
        lines_from_cells(
            *(
                compilable(light),
                gain,
                times,
                cell_levels,
                (0 * flat, threshold * flat, 0.5 * flat),
                tuple(spans),
            ),
            *((0.5, True), (3.0, 0.03), 1, (4, 3), flat > 0, (0, 2), np.zeros_like(cells), lines),
        )
        found.append(lines)
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[1][0] - 20).max() < 0.5


@pytest.mark.parametrize("falls", [True, False])
def test_light_through_the_point_spread_is_that_of_blurred_pictures(falls):
    """Pictures of all times are blurred, and their logarithm smoothed in time."""
    sigma, psf, rise = 1.2, 1.3, 0.5
    onset = 20 + 4 * ndimage.gaussian_filter(np.random.default_rng(4).normal(size=(40, 40)), 6) * 20
    width = np.full(onset.shape, 0.9)
    times = np.arange(onset.min() - 8, onset.max() + 8, 0.05)
    share = np.array([ndtr((t - onset) / width) for t in times])
    light = ndimage.gaussian_filter(np.exp((-1 if falls else 1) * rise * share), (0, psf, psf))
    level = np.log(light) / ((-1 if falls else 1) * rise)
    level = ndimage.gaussian_filter1d(level, sigma / 0.05, axis=0)
    at = onset + np.random.default_rng(5).normal(0, 0.8, onset.shape)
    index = np.searchsorted(times, at)[np.newaxis]
    expected, before, after = (np.take_along_axis(level, index + k, axis=0)[0] for k in (0, -1, 1))
    reach = np.arange(-5, 6)
    spread = np.exp(-0.5 * np.add.outer(reach**2, reach**2) / psf**2)
    found, slope = (np.empty(onset.shape, np.float32) for _ in range(2))
    blurred_rises(
        np.pad(onset, 5, mode="reflect").astype(np.float32),
        times[index[0]].astype(np.float32),
        np.full(onset.shape, rise, np.float32),
        np.ones(onset.shape, bool),
        (width.astype(np.float32), sigma),
        (spread / spread.sum()).astype(np.float32),
        falls,
        (0, len(onset)),
        found,
        slope,
    )
    inside = (slice(6, -6),) * 2
    assert np.abs(found - expected)[inside].max() < 0.015
    assert np.abs(slope - (after - before) / 0.1)[inside].max() < 0.02


def test_light_through_the_point_spread_is_made_where_it_is_asked_for():
    rng = np.random.default_rng(11)
    onset, at, rise, width = (rng.uniform(1, 3, (9, 300)).astype(np.float32) for _ in range(4))
    asked = np.zeros(onset.shape, bool)
    asked[2, 70], asked[3, 127:129], asked[5, 299] = True, True, True
    spread = np.full((3, 3), 1 / 9, np.float32)
    found = []
    for where in (asked, np.ones_like(asked)):
        level, slope = (np.empty(onset.shape, np.float32) for _ in range(2))
        around = np.pad(onset, 1, mode="edge")
        blurred_rises(around, at, rise, where, (width, 0.5), spread, True, (0, 9), level, slope)
        found.append((level, slope))
    for some, every in zip(*found, strict=True):
        assert np.array_equal(some[asked], every[asked])
        assert not some[0].any()


def test_frames_beside_a_boundary_are_numpys():
    rng = np.random.default_rng(12)
    times = np.cumsum(rng.choice([0.9, 1.0, 1.1, 7.0], 60, p=[0.3, 0.4, 0.25, 0.05])) - 20
    shape, interval, before, after = (20, 30), 1.0, 4, 3
    share = rng.uniform(0.2, 1, shape).astype(np.float32)
    begin = rng.uniform(-10, 30, shape)
    end = begin + rng.uniform(0.1, 30, shape)
    parts = ((begin * share).astype(np.float32), (end * share).astype(np.float32), share)
    inside = rng.random(shape) < 0.8
    leave_s, enter_s = 12.0, 14.5
    found = tuple(np.empty(shape, np.int32) for _ in range(4))
    first = np.searchsorted(times, times[0] + interval * np.arange(61))
    frames_beside(
        *(parts, inside, times, first, (leave_s, enter_s), (before, after, interval)),
        *((0, 20), found),
    )
    begin, end = (np.where(inside, part.astype(float) / share, np.nan) for part in parts[:2])
    room = np.minimum(4 * interval, (end - begin) / 2)
    leave, enter = (
        np.where(inside, np.clip(given, begin + room, end - room), given)
        for given in (leave_s, enter_s)
    )
    last, start = (np.searchsorted(times, part) for part in (leave, enter))
    last, start = np.maximum(last, 1), np.minimum(start, len(times) - 1)
    top = np.searchsorted(times, np.fmax(begin, leave - (before + 0.5) * interval))
    base = np.searchsorted(times, np.fmin(end, enter + (after + 0.5) * interval))
    expected = (
        np.minimum(np.maximum(top, last - before), last - 1),
        last,
        start,
        np.maximum(np.minimum(base, start + after), start + 1),
    )
    for one, other in zip(found, expected, strict=True):
        assert np.mean(one == other) > 0.995  # single precision


def test_every_other_pixel_of_a_wide_point_spread_tells_the_same_of_a_smooth_map():
    noise = np.random.default_rng(13).normal(size=(64, 64))
    onset = ndimage.gaussian_filter(noise, 1.0) * 3 + np.arange(64) * 0.4
    light = ndtr((np.median(onset) - onset) / 1.5)
    every, other = (
        ndimage.convolve(light, _point_spread(1.3, every_other=half)) for half in (False, True)
    )
    assert np.count_nonzero(_point_spread(1.3, every_other=True)) == 21
    assert np.abs(every - other)[5:-5, 5:-5].max() < 0.01
