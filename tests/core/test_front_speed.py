"""Speed and direction of fronts against planted ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import exact_map, recording_of

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.front_gradient import noise_share
from napari_lithium_alloy.core.front_speed import (
    FrontParameters,
    FrontReason,
    front_map,
    with_fronts,
)
from napari_lithium_alloy.core.onset import onset_map, onset_summary
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.smoothing import blurred
from napari_lithium_alloy.core.stages import Stage, StageKind

SIZE_UM = 0.065
SIDE = 96
STEP_1 = Stage(kind=StageKind.ALLOYING, step=1, start_s=0, end_s=40)


def plane(speed, angle=0.6, side=SIDE):
    y, x = np.mgrid[:side, :side]
    return 5 + (y * np.sin(angle) + x * np.cos(angle) + side) * SIZE_UM / speed


def circle(speed, at=(40, 55), side=SIDE):
    y, x = np.mgrid[:side, :side]
    return 5 + np.hypot(y - at[0], x - at[1]) * SIZE_UM / speed


def middle(image, margin=24):
    return image[margin:-margin, margin:-margin]


def turned(direction, planted):
    """Angle from one direction to another, radians, -pi to pi."""
    return np.angle(np.exp(1j * (direction - planted)))


@pytest.mark.parametrize("shape", [plane, circle])
@pytest.mark.parametrize("speed", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("sd_s", [0.01, 0.04])
def test_the_median_speed_is_within_a_few_percent(shape, speed, sd_s):
    front = front_map(exact_map(shape(speed), sd_s), SIZE_UM)
    summary = front.summary()
    assert summary["front_speed_median_um_s"] == pytest.approx(speed, rel=0.02)
    assert summary["front_resolved_fraction"] > 0.7
    quartiles = summary["front_speed_p25_um_s"], summary["front_speed_p75_um_s"]
    assert quartiles[0] < speed < quartiles[1]


@settings(max_examples=15, deadline=None)
@given(speed=st.floats(0.02, 3.0), angle=st.floats(-3.1, 3.1))
def test_a_plane_front_is_exact_without_noise(speed, angle):
    front = front_map(exact_map(plane(speed, angle)), SIZE_UM)
    assert middle(front.resolved).all()
    assert np.allclose(middle(front.speed_um_s), speed, rtol=0.01)
    assert np.abs(turned(middle(front.direction_rad), angle)).max() < 0.01


def test_direction_is_outwards_from_a_nucleus():
    front = front_map(exact_map(circle(0.3), 0.02), SIZE_UM)
    y, x = np.mgrid[:SIDE, :SIDE]
    off = turned(front.direction_rad, np.arctan2(y - 40, x - 55))
    assert np.nanmedian(np.abs(off)) < 0.05


@pytest.mark.parametrize("window_px", [2.0, 4.0, 6.0])
def test_curvature_does_not_bias(window_px):
    """Local planes would be 1 - w^2/2R^2 too flat, and so as much too fast."""
    front = front_map(exact_map(circle(0.3)), SIZE_UM, FrontParameters(window_px=window_px))
    y, x = np.mgrid[:SIDE, :SIDE]
    radius = np.hypot(y - 40, x - 55)
    bend = front.resolved & (radius < 5 * window_px)
    assert bend.sum() > 20
    assert np.median(front.speed_um_s[bend]) == pytest.approx(0.3, rel=0.01)
    assert np.abs(front.speed_um_s[front.resolved] / 0.3 - 1).max() < 0.03


@pytest.mark.parametrize("window_px", [1.0, 2.5])
def test_the_stated_uncertainty_covers_speed_and_direction(window_px):
    onset = exact_map(plane(0.5), 0.03)
    front = front_map(onset, SIZE_UM, FrontParameters(window_px=window_px))
    ok = front.resolved
    within = np.abs(front.speed_um_s - 0.5)[ok] <= front.speed_sd_um_s[ok]
    assert within.mean() == pytest.approx(0.68, abs=0.08)
    off = np.abs(turned(front.direction_rad, 0.6))[ok]
    assert (off <= front.direction_sd_rad[ok]).mean() == pytest.approx(0.68, abs=0.08)


@pytest.mark.parametrize("smoothing_px", [0.0, 2.0])
@pytest.mark.parametrize("window_px", [1.5, 3.0])
def test_noise_of_the_gradient_is_that_of_smoothed_noise(smoothing_px, window_px):
    """Pixels' noise smoothed without the point spread's delay, by brute force."""
    noise = np.random.default_rng(1).standard_normal((600, 600)).astype(np.float32)
    smooth = blurred(noise, smoothing_px) if smoothing_px else noise
    flat = blurred(smooth, window_px)
    laplacian = sum(np.roll(flat, s, a) for s in (1, -1) for a in (0, 1)) - 4 * flat
    slope = np.gradient(flat - window_px**2 / 2 * laplacian, axis=1)[20:-20, 20:-20]
    expected = slope.var() / smooth.var()
    if smoothing_px:  # less than stated, which is of smoothing that gives back its own delay
        assert 0.5 * noise_share(window_px, smoothing_px) < expected
        assert expected < noise_share(window_px, smoothing_px)
    else:
        assert noise_share(window_px, 0.0) == pytest.approx(expected, rel=0.1)


def test_noise_asks_for_a_wider_window():
    windows = [front_map(exact_map(plane(1.0), sd), SIZE_UM).window_px for sd in (0.01, 0.1, 0.3)]
    assert windows[0] < windows[1] < windows[2]


def test_coarse_frames_ask_for_a_window_of_a_part_of_a_fronts_path():
    path = 0.5 * 1.0 / SIZE_UM
    for sd, least, most in ((0.0, 0.0, 0.15), (0.02, 0.3, 0.4), (0.05, 0.4, 0.5)):
        front = front_map(exact_map(plane(1.0), sd), SIZE_UM, frame_interval_s=0.5)
        assert least <= front.window_px / path <= most


def test_an_error_of_sampling_along_a_fast_front_is_averaged_out():
    """Onsets that err by a sine with the phase between two frames."""
    truth, interval = plane(1.0), 0.5
    sampled = truth + 0.05 * np.sin(2 * np.pi * truth / interval)
    onset = exact_map(sampled)
    onset.onset_sd_s[:] = 0.05 / np.sqrt(2)
    told = front_map(onset, SIZE_UM, frame_interval_s=interval)
    untold = front_map(onset, SIZE_UM, FrontParameters(window_px=1.0))
    spread = [np.nanstd(f.speed_um_s) for f in (told, untold)]
    assert spread[0] < 0.1
    assert spread[1] > 3 * spread[0]
    assert np.nanmedian(told.speed_um_s) == pytest.approx(1.0, rel=0.02)


def test_where_fronts_meet_or_start_there_is_no_speed():
    onset = exact_map(np.minimum(circle(0.3, (48, 24)), circle(0.3, (48, 72))), 0.01)
    front = front_map(onset, SIZE_UM)
    assert (front.reason[20:76, 48] == FrontReason.MEETING).all()
    assert front.reason[48, 24] == front.reason[48, 72] == FrontReason.MEETING
    assert front.reason[48, 36] == FrontReason.RESOLVED
    assert np.isnan(front.speed_um_s[~front.resolved]).all()
    assert np.isnan(front.direction_rad[~front.resolved]).all()
    error = np.abs(front.speed_um_s[front.resolved] / 0.3 - 1)
    assert np.percentile(error, 99.5) < 0.05
    assert error.max() < 0.2  # where they meet at a small angle


def test_a_flat_map_has_no_speed():
    front = front_map(exact_map(np.full((SIDE, SIDE), 20.0), 0.05), SIZE_UM)
    assert front.resolved.mean() < 0.05
    inner = middle(front.reason, 40)
    assert (inner[inner != FrontReason.RESOLVED] == FrontReason.FLAT).any()
    assert not (front.speed_um_s == 0).any()


def test_edges_and_unknown_pixels_have_none():
    onset = plane(0.3)
    onset[30:60, 30:60] = np.nan
    onset[80, 20] = np.nan  # one pixel spoils only itself
    front = front_map(exact_map(onset, 0.005), SIZE_UM)
    assert (front.reason[0] == FrontReason.WINDOW).all()
    assert (front.reason[30:60, 30:60] == FrontReason.NO_ONSET).all()
    assert front.reason[45, 29] == FrontReason.WINDOW
    assert front.reason[80, 20] == FrontReason.NO_ONSET
    assert front.reason[80, 22] == FrontReason.RESOLVED
    assert front.speed_um_s[front.resolved] == pytest.approx(0.3, rel=0.1)
    assert sum(front.reasons().values()) == SIDE * SIDE


@pytest.mark.parametrize("onset", [np.full((9, 9), np.nan), np.full((2, 9), 3.0)])
def test_a_map_without_gradient_is_empty_and_says_why(onset):
    front = front_map(exact_map(onset), SIZE_UM)
    assert not front.resolved.any()
    assert np.isnan(front.speed_um_s).all()
    assert np.isnan(front.summary()["front_speed_median_um_s"])


@pytest.mark.parametrize("name", ["window_px", "wanted_sd", "most_window_px", "min_snr"])
def test_parameters_are_positive(name):
    with pytest.raises(AlloyError, match=f"front's {name} is 0; give a positive one"):
        FrontParameters(**{name: 0.0})


@pytest.mark.parametrize("shape", [plane, circle])
@pytest.mark.parametrize("electrons", [2600, 2600 / 16])
def test_fronts_in_a_recording(shape, electrons):
    truth, interval = shape(0.5), 0.5
    times = np.arange(0, truth.max() + 6, interval)
    level = 1 / (1 + np.exp(-np.clip(times[:, None, None] - truth, -50, 50)))
    counts = np.random.default_rng(5).poisson(electrons * 10 ** (-0.22 * level))
    recording = recording_of(counts.astype(np.uint16), times)
    onset = finish(onset_map(recording, 0, float(times[-1])))
    front = front_map(onset, SIZE_UM, frame_interval_s=interval)
    assert front.summary()["front_speed_median_um_s"] == pytest.approx(0.5, rel=0.03)
    ok = front.resolved
    assert (np.abs(front.speed_um_s - 0.5) <= front.speed_sd_um_s)[ok].mean() > 0.55


def test_the_summary_of_onsets_has_their_speeds():
    onset = exact_map(plane(0.4), 0.01)
    table = onset_summary({STEP_1: onset})
    assert table["front_speed_median_um_s"].isna().all()
    front = front_map(onset, SIZE_UM)
    filled = with_fronts(table, {STEP_1: front})
    assert filled["front_speed_median_um_s"].tolist() == [pytest.approx(0.4, rel=0.02)]
    assert filled["front_resolved_fraction"].tolist() == [front.resolved.mean()]
    assert filled.drop(columns=list(front.summary())).equals(
        table.drop(columns=list(front.summary()))
    )
