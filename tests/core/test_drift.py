"""Drift: what moves with the film is told from what does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import recording_of
from scipy import ndimage

from napari_lithium_alloy.core.drift import shifts_of
from napari_lithium_alloy.core.feature_tracks import FeatureTracks, track_features
from napari_lithium_alloy.core.frame_light import FrameLight
from napari_lithium_alloy.core.frame_views import Structure
from napari_lithium_alloy.core.patches import Looks, pixel_noise, sampled
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.track_table import less_certain, sums_of


def tracks_of(paths, sd_px=0.03, seed=0, sds=None):
    """Tracks of patches at (T, 2) paths with NaN where not seen, noise added."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, path in enumerate(paths):
        sd = np.broadcast_to(sd_px if sds is None else sds[number], 2)
        for t in np.flatnonzero(np.isfinite(path[:, 0])):
            rows.append((t, number, path[t] + rng.normal(0, sd), np.diag(1 / sd**2)))
    frame, patch, position, information = (np.array(c) for c in zip(*rows, strict=True))
    return FeatureTracks(
        n_frames=len(paths[0]),
        frame=frame,
        patch=patch,
        position_px=position,
        information=information,
        contrast=np.ones(len(frame)),
    )


def wandering(n=120, seed=1):
    steps = np.random.default_rng(seed).normal((0.2, -0.1), 0.15, (n, 2))
    steps[0] = 0
    steps[n // 2] += (4.0, -4.5)
    return np.cumsum(steps, axis=0)


def at(path, y, x):
    return path + np.array([y, x])


def away(shifts, path):
    left = shifts.shift_px - path
    return np.sqrt(((left - np.median(left, axis=0)) ** 2).mean())


def test_the_common_path_is_found_through_a_jump():
    path = wandering()
    shifts = shifts_of(tracks_of([path + p for p in ((20, 30), (80, 90), (150, 40))]))
    assert away(shifts, path) < 0.03
    assert shifts.quality.min() > 0.99
    assert shifts.patches.tolist() == [3] * 120
    assert (shifts.shift_px[0] == 0).all()


def test_specks_on_the_sensor_do_not_win_even_where_they_are_more():
    path = wandering()
    dust = [np.full((120, 2), p) for p in ((10, 10), (50, 150), (90, 20), (140, 140), (60, 60))]
    shifts = shifts_of(tracks_of([at(path, 20.0, 30.0), at(path, 120.0, 90.0), *dust]))
    assert away(shifts, path) < 0.04
    assert shifts.still == 5
    assert "stay put on the sensor (dust) were left out: 5" in shifts.note


@pytest.mark.parametrize("seed", range(2))
def test_few_that_keep_to_the_film_outweigh_many_discs_that_grow_on_it(seed):
    """Edges of discs go along with the film and off it, slowly and for long, each its own way."""
    n = 400
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal((0.008, -0.005), 0.012, (n, 2)), axis=0)
    path -= path[0]
    discs = []
    for i in range(200):
        own = np.full((n, 2), np.nan)
        t = slice(first := int(rng.integers(0, n - 120)), first + 120)
        outwards = rng.normal(0, 0.6, 2) + np.array([-1.0, 0.6]) * (first < n // 2)
        own[t] = at(path[t], 30.0 * (i % 20), 40.0 * (i // 20))
        own[t] += np.linspace(0, 1, 120)[:, None] ** 0.5 * outwards
        discs.append(own)
    held = [at(path, 20.0, 30.0), at(path, 320.0, 290.0)]
    dust = [np.full((n, 2), 10.0 + 70 * k) for k in range(3)]
    assert away(shifts_of(tracks_of([*held, *discs, *dust], seed=seed)), path) < 0.03


def test_fronts_that_go_their_own_ways_do_not_pull_it_along():
    path = wandering()
    rng = np.random.default_rng(4)
    fronts = []
    for i in range(60):
        own = np.full((120, 2), np.nan)
        t = slice(2 * i % 90, 2 * i % 90 + 25)
        own[t] = path[t] + rng.uniform(20, 150, 2) + np.arange(25)[:, None] * rng.normal(0, 0.7, 2)
        fronts.append(own)
    shifts = shifts_of(tracks_of([at(path, 20.0, 30.0), at(path, 120.0, 90.0), *fronts]))
    assert away(shifts, path) < 0.04


def test_patches_hand_the_path_on_to_one_another():
    path = wandering()
    pieces = []
    for start in range(0, 120, 20):
        for place in ((30.0, 30.0), (120.0, 100.0)):
            own = np.full((120, 2), np.nan)
            own[start : start + 40] = path[start : start + 40] + place + start
            pieces.append(own)
    assert away(shifts_of(tracks_of(pieces)), path) < 0.06


def test_a_stable_stage_stays_put():
    still = [np.full((60, 2), p, dtype=float) for p in ((20, 30), (80, 90))]
    growing = np.stack([60 + 0.02 * np.arange(60), 20 - 0.03 * np.arange(60)], axis=1)
    shifts = shifts_of(tracks_of([*still, growing]))
    assert np.abs(shifts.shift_px).max() < 0.05
    assert shifts.still == 0


def test_an_edge_tells_only_what_lies_across_it():
    path = wandering()
    corner = at(path, 20.0, 30.0)
    along = np.random.default_rng(3).normal(0, 3, 120)
    edges = [path + p + np.stack([along, 0 * along], axis=1) for p in ((60, 120), (90, 120))]
    sds = [(0.06, 0.06), (1e3, 0.02), (1e3, 0.02)]
    shifts = shifts_of(tracks_of([corner, *edges], sds=sds))
    left = shifts.shift_px - path
    assert np.std(left[:, 0]) < 0.07
    assert np.std(left[:, 1]) < 0.03


def test_where_nothing_is_seen_the_path_is_bridged_and_doubted():
    path = np.stack([0.1 * np.arange(90.0), np.zeros(90)], axis=1)
    seen = [path + p for p in ((20.0, 30.0), (120.0, 90.0))]
    for own in seen:
        own[40:50] = np.nan
    shifts = shifts_of(tracks_of(seen))
    np.testing.assert_allclose(shifts.shift_px[:, 0], path[:, 0], atol=0.15)
    assert shifts.sd_px[44] > 0.5 > 0.1 > shifts.sd_px[20]
    assert (shifts.quality[40:50] == 0).all()
    assert "could be followed in 10 of 90 frames" in shifts.note


def test_nothing_to_follow_gives_no_drift_and_no_trust():
    flat = np.random.default_rng(0).poisson(1000, (12, 64, 64)).astype(np.uint16)
    shifts = shifts_of(finish(track_features(recording_of(flat))))
    assert (shifts.shift_px == 0).all()
    assert (shifts.sd_px > 0.5).all()
    assert (shifts.patches == 0).all()


def dots(shape=(96, 96), seed=2, n=14):
    rng = np.random.default_rng(seed)
    scene = np.zeros(shape)
    scene[tuple(rng.integers(14, shape[0] - 14, (2, n)))] = rng.uniform(2, 5, n) * 1e4
    return ndimage.gaussian_filter(scene, 1.6)


def test_a_moving_scene_is_followed_to_a_few_hundredths_of_a_pixel():
    rng = np.random.default_rng(5)
    path = np.cumsum(rng.normal(0, 0.3, (25, 2)), axis=0)
    path -= path[0]
    scene = dots()
    frames = [rng.poisson(ndimage.shift(scene, p, order=3) + 800) for p in path]
    shifts = shifts_of(finish(track_features(recording_of(np.array(frames, np.uint16)))))
    assert np.sqrt(((shifts.shift_px - path) ** 2).mean()) < 0.03


def test_a_faint_scene_is_found_again_after_a_jump():
    rng = np.random.default_rng(8)
    scene = np.zeros((96, 96))
    scene[30, 40], scene[62, 57] = 1.2e4, 0.9e4
    scene = ndimage.gaussian_filter(scene, 1.8) + 2000
    path = np.repeat([[0.0, 0.0], [5.0, -6.0]], 15, axis=0)
    frames = [rng.poisson(ndimage.shift(scene, p, order=1, mode="nearest")) for p in path]
    shifts = shifts_of(finish(track_features(recording_of(np.array(frames, np.uint16)))))
    np.testing.assert_allclose(shifts.shift_px, path, atol=0.25)


def test_lamp_and_an_evenly_darkening_film_do_not_move_it():
    rng = np.random.default_rng(6)
    scene = dots()
    frames = [
        rng.poisson((scene + 800 * np.exp(-0.03 * t)) * (1 + 0.1 * np.sin(t))) for t in range(20)
    ]
    shifts = shifts_of(finish(track_features(recording_of(np.array(frames, np.uint16)))))
    assert np.abs(shifts.shift_px).max() < 0.06


@settings(max_examples=25, deadline=None)
@given(
    step=st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)),
    gain=st.floats(0.5, 2.0),
    level=st.floats(-200, 500),
)
def test_a_patch_is_found_again_under_any_small_step_contrast_and_level(step, gain, level):
    scene = dots().astype(np.float32)
    where = Structure.of(FrameLight.of(scene + 800), 1.0, (0, len(scene))).places(
        np.zeros((0, 2)), 5
    )
    looks = Looks.at(FrameLight.of(scene), where)
    again = (gain * ndimage.shift(scene, step, order=5) + level).astype(np.float32)
    fit = looks.fit(FrameLight.of(again), where, 1e-3)
    assert fit.good.all()
    np.testing.assert_allclose(fit.position_px - where, np.tile(step, (len(where), 1)), atol=0.02)
    np.testing.assert_allclose(fit.contrast, gain, rtol=0.02)


def test_samples_between_pixels_are_those_of_the_smoothed_picture():
    scene = dots().astype(np.float32)
    smooth = ndimage.gaussian_filter(scene.astype(float), 1.0, truncate=4)
    patch = sampled(FrameLight.of(scene), np.array([[40.0, 50.0]]), 3)[0]
    np.testing.assert_allclose(patch, smooth[37:44, 47:54], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sd", [3.0, 30.0])
def test_noise_is_told_beside_structure(sd):
    noisy = dots() + 1000 + np.random.default_rng(1).normal(0, sd, (96, 96))
    assert pixel_noise(FrameLight.of(noisy.astype(np.float32))) == pytest.approx(sd, rel=0.2)


def test_sums_and_information_of_groups_are_those_of_numpy():
    rng = np.random.default_rng(0)
    group, values = rng.integers(0, 5, 40), rng.normal(size=(40, 2, 2))
    expected = np.zeros((7, 2, 2))
    np.add.at(expected, group, values)
    np.testing.assert_allclose(sums_of(group, values, 7), expected, atol=1e-12)
    information = values @ values.transpose(0, 2, 1)
    information[0] = np.diag([0.0, 4.0])
    variance = np.r_[0.5, rng.uniform(0, 2, 38), 0.0]
    expected = np.linalg.inv(np.linalg.inv(information[1:]) + variance[1:, None, None] * np.eye(2))
    left = less_certain(information, variance)
    np.testing.assert_allclose(left[1:], expected, rtol=1e-6)
    np.testing.assert_allclose(left[0], np.diag([0.0, 4 / 3]), atol=1e-12)
