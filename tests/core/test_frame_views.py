"""What is asked of whole frames to follow patches, against scipy and plain numpy."""

import numpy as np
import pytest
from planted import recording_of
from scipy import ndimage
from skimage.feature import match_template

from napari_lithium_alloy.core.feature_tracks import track_features
from napari_lithium_alloy.core.frame_light import FrameLight
from napari_lithium_alloy.core.frame_views import CoarseView, FrameViews, Structure
from napari_lithium_alloy.core.patches import (
    HALF_PX,
    REACH_PX,
    SEARCH_PX,
    SMOOTHING_PX,
    likeliest_step,
    sampled,
)
from napari_lithium_alloy.core.progress import finish


def dotted(shape, seed=0, n=90):
    rng = np.random.default_rng(seed)
    scene = np.zeros(shape)
    scene[tuple(rng.integers(0, s, n) for s in shape)] = rng.uniform(1, 5, n) * 1e4
    return (ndimage.gaussian_filter(scene, 1.5) + rng.normal(800, 5, shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(48, 40), (61, 140), (128, 97)])
def test_places_with_most_structure_are_those_of_scipys_filters(shape):
    light, noise = dotted(shape), 5.0
    smooth = ndimage.gaussian_filter(light, 1.0, truncate=3)
    smooth -= ndimage.uniform_filter(smooth, 29, mode="nearest")
    gy, gx = np.gradient(smooth)
    energy = ndimage.gaussian_filter(gy**2 + gx**2, 2.0, truncate=3)
    # Noise after smoothing, of one shift in a patch's window, against 0.2 px.
    least = (noise / (2 * np.sqrt(np.pi))) ** 2 * 4 * np.pi / (4 * np.pi * 4 * 0.2**2)
    peaks = (energy == ndimage.maximum_filter(energy, 9)) & (energy > least)
    inner = np.zeros(shape, bool)
    inner[9:-9, 9:-9] = True
    expected = np.argwhere(peaks & inner)
    expected = expected[np.argsort(-energy[tuple(expected.T)])]
    assert len(expected) > 1
    structure = Structure.of(FrameLight.of(light), noise, (0, len(light)))
    np.testing.assert_array_equal(structure.places_px, expected)
    taken = np.add(expected[:1], (9.4, -9.4))
    near = (np.abs(expected - np.rint(taken)) <= 9).all(axis=1)
    places = structure.places(taken, 3)
    np.testing.assert_array_equal(places, expected[~near][:3])


@pytest.mark.parametrize("shape", [(1, 30), (18, 40)])
def test_a_field_too_small_for_a_patch_has_no_places(shape):
    assert Structure.of(FrameLight.of(np.ones(shape, np.float32)), 1.0, (0, shape[0])).places(
        np.zeros((0, 2)), 5
    ).shape == (0, 2)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1100), (1100, 2), (40, 3)])
def test_the_narrowest_fields_have_a_view_and_no_tracks(shape):
    counts = np.random.default_rng(0).poisson(900, (12, *shape)).astype(np.uint16)
    tracks = finish(track_features(recording_of(counts)))
    assert tracks.n_frames == 12
    assert not len(tracks.frame)


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_light_is_counts_less_dark_and_none_where_they_are_not_known(dtype):
    counts = np.random.default_rng(0).integers(100, 4000, (3, 40, 50)).astype(dtype)
    dark = np.random.default_rng(1).uniform(80, 120, (40, 50))
    expected = counts - dark.astype(np.float32)
    if dtype is np.float64:
        counts[1, 5, 6], expected[1, 5, 6] = np.nan, 0
    views = FrameViews(recording_of(counts, dark_counts=dark))
    for t in range(3):
        light = views.of(t).light
        np.testing.assert_allclose(light.part(), expected[t], rtol=1e-6)
        part = slice(3, 30, 2), slice(4, 9)
        np.testing.assert_array_equal(light.part(*part), light.part()[part])
        around = np.pad(light.part(), 5, mode="edge")
        places = np.array([[0, 0], [5, 6], [39, 20], [17, 49]])
        squares = light.squares(places, 5)
        for (y, x), square in zip(places, squares, strict=True):
            np.testing.assert_array_equal(square, around[y : y + 11, x : x + 11])
        squares = expected[t][:39, :48].reshape(13, 3, 16, 3).mean(axis=(1, 3))
        np.testing.assert_allclose(light.cells(3), squares, rtol=1e-5)


@pytest.mark.parametrize(("shape", "scale"), [((90, 120), 1), ((700, 1030), 3)])
def test_jumps_are_found_in_a_frame_made_small(shape, scale):
    scene = dotted(shape, n=shape[0] * shape[1] // 150)
    moved = np.roll(scene, (9, -12), axis=(0, 1))
    views = FrameViews(recording_of(np.stack([scene, moved])))
    before, after = views.of(0).coarse, views.of(1).coarse
    assert after.scale == scale
    assert after.jump_from(before).tolist() == [9, -12]


def test_the_small_frame_is_squares_of_pixels_less_the_level_around_them():
    scene = dotted((700, 1030))
    cells = scene[:699, :1029].reshape(233, 3, 343, 3).mean(axis=(1, 3))
    smooth = ndimage.uniform_filter(cells, 3, mode="nearest")
    band = smooth - ndimage.uniform_filter(smooth, 15, mode="nearest")
    expected = np.fft.rfft2(band * np.outer(np.hanning(233), np.hanning(343)))
    spectrum = FrameViews(recording_of(scene[None])).of(0).coarse.spectrum
    np.testing.assert_allclose(spectrum, expected, atol=1e-4 * np.abs(expected).max())
    assert CoarseView.of(cells.astype(np.float32), 3).shape == (233, 343)


def test_samples_between_pixels_are_weighted_as_a_gaussian_cut_at_its_reach():
    light = dotted((40, 50))
    places = np.array([[20.3, 30.8], [1.5, 47.25], [39.0, 0.0]])
    got = sampled(FrameLight.of(light), places, HALF_PX)
    padded = np.pad(light.astype(float), 30, mode="edge")
    for (y, x), patch in zip(places, got, strict=True):
        taps = np.arange(-REACH_PX, REACH_PX + 1)
        gy, gx = (np.exp(-0.5 * ((taps - (v - np.rint(v))) / SMOOTHING_PX) ** 2) for v in (y, x))
        weights = np.outer(gy, gx) / gy.sum() / gx.sum()
        for i in (-HALF_PX, 0, 3):
            for j in (-2, HALF_PX):
                top, left = (int(np.rint(v)) + k + 30 - REACH_PX for v, k in ((y, i), (x, j)))
                block = padded[top : top + len(taps), left : left + len(taps)]
                expected = (weights * block).sum()
                assert patch[i + HALF_PX, j + HALF_PX] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("step", [(0, 0), (17, -20), (-24, 5)])
def test_lost_patches_are_sought_where_they_are_most_alike(step):
    light = dotted((120, 150), n=200)
    places = np.array([[60.0, 70.0], [40.0, 90.0], [30.2, 50.0]])
    looks = sampled(FrameLight.of(light), places, HALF_PX)
    moved = np.roll(light, step, axis=(0, 1))
    assert likeliest_step(FrameLight.of(moved), places, looks).tolist() == list(step)
    smooth = ndimage.gaussian_filter(moved, SMOOTHING_PX)
    padded = np.pad(smooth, SEARCH_PX + HALF_PX, mode="reflect")
    side = 2 * (SEARCH_PX + HALF_PX) + 1
    likeness = sum(
        match_template(padded[y : y + side, x : x + side], look)
        for (y, x), look in zip(np.rint(places).astype(int), looks, strict=True)
    )
    expected = np.array(np.unravel_index(likeness.argmax(), likeness.shape)) - SEARCH_PX
    assert expected.tolist() == list(step)


def test_what_is_as_much_alike_all_along_an_edge_is_sought_nearest():
    edge = ndimage.gaussian_filter(np.where(np.arange(150) < 70, 4000.0, 1000.0), 1.5)
    light = np.tile(edge, (120, 1)).astype(np.float32)
    light += np.random.default_rng(0).normal(0, 3, light.shape).astype(np.float32)
    places = np.array([[40.0, 70.0], [60.0, 69.0], [80.0, 71.0]])
    looks = sampled(FrameLight.of(light), places, HALF_PX)
    moved = np.roll(light, (0, 9), axis=(0, 1))
    moved += np.random.default_rng(1).normal(0, 3, light.shape).astype(np.float32)
    along, across = likeliest_step(FrameLight.of(moved), places, looks)
    assert abs(along) <= 2
    assert across == 9
