"""The first sustained crossing, and how blur delays it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import recording_of
from scipy import ndimage, special

from napari_lithium_alloy.core.crossing import blur_delay_s, first_crossing
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.onset import OnsetParameters, onset_map
from napari_lithium_alloy.core.progress import finish

PSF_PX = 2.0
AS_IT_IS = {"smoothing_px": 0.0, "smoothing_frames": 0.0}


def crossing_of(traces, times, threshold=0.5, sustained=3):
    """Crossings of (N, T) traces of the logarithm of light, as a single row of pixels."""
    counts = compilable(np.exp(np.asarray(traces, float)).T[:, np.newaxis].astype(np.float32))
    level = np.full((1, len(traces)), np.exp(threshold), np.float32)
    work = first_crossing(
        counts,
        np.asarray(times, float),
        level,
        sustained,
        dark=np.zeros_like(level),
        factor=np.ones(len(times), np.float32),
        least=1e-6,
        falls=False,
    )
    return finish(work)


def naive_crossing(trace, times, threshold, sustained):
    """The definition, a frame after the other: start of the first run that is long enough.

    A run that lasts to the end counts; one that begins with the first frame has no crossing.
    """
    above = [v >= threshold for v in trace]
    i = 0
    while i < len(above):
        j = i
        while j < len(above) and above[j]:
            j += 1
        if j - i >= min(sustained, len(above)) or (j == len(above) and j > i):
            if i == 0:
                return "from start"
            low, high = trace[i - 1], trace[i]
            return times[i - 1] + (times[i] - times[i - 1]) * (threshold - low) / (high - low)
        i = j + 1
    return "never"


@given(
    st.lists(st.sampled_from([0.0, 0.2, 0.45, 0.6, 0.9, 1.0]), min_size=4, max_size=14),
    st.integers(1, 5),
    st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_any_trace_crosses_where_the_definition_says(trace, sustained, seed):
    times = np.cumsum(np.random.default_rng(seed).uniform(0.2, 3, len(trace)))
    found = crossing_of([trace], times, sustained=sustained)
    expected = naive_crossing(trace, times, 0.5, sustained)
    if expected == "never":
        assert not found.found.any()
        assert not found.from_start.any()
        assert np.isnan(found.time_s).all()
    elif expected == "from start":
        assert found.from_start.all()
        assert not found.found.any()
    else:
        assert found.found.all()
        assert found.time_s[0, 0] == pytest.approx(expected, abs=1e-5)


def test_a_flash_is_no_crossing_and_a_crossing_in_the_last_frame_is_one():
    flash = [0, 0, 1, 1, 0, 0, 0, 0.25, 0.75, 1]
    late = [0] * 9 + [1]
    found = crossing_of([flash, late], np.arange(10))
    assert found.time_s[0].tolist() == pytest.approx([7.5, 8.5])


def test_the_slope_is_that_of_the_frames_around():
    ramp = np.clip(np.arange(12) * 0.125 - 0.3, 0, 1)
    assert crossing_of([ramp], 2 * np.arange(12)).slope[0, 0] == pytest.approx(0.0625, rel=1e-5)


def test_without_blur_there_is_no_delay():
    onset = np.add.outer(np.arange(20.0), np.arange(30.0) ** 1.5)
    delay = blur_delay_s(onset, np.full((20, 30), 0.1), np.full((20, 30), 0.5), psf_sigma_px=0.0)
    assert np.array_equal(delay, np.zeros((20, 30)))


def test_where_no_onset_is_known_there_is_no_delay():
    onset = np.full((20, 20), np.nan)
    assert np.array_equal(
        blur_delay_s(onset, onset, onset, psf_sigma_px=1.3, smoothing_px=1.0), np.zeros((20, 20))
    )


def film(onset_s, *, amplitude=0.22, width_s=1.5, times, psf_px=PSF_PX, epi=False):
    """Counts of a film whose absorbance rises as an error function, under a point spread."""
    level = special.ndtr((times[:, None, None] - onset_s) / width_s)
    light = 10 ** (amplitude * level * (1 if epi else -1))
    spread = [ndimage.gaussian_filter(2000 * f, psf_px) if psf_px else 2000 * f for f in light]
    return recording_of(np.array(spread, np.float32), times, mode="epi" if epi else "trans")


def bias_s(onset_s, inside, known_psf_px, **more):
    times = np.arange(0, 60, 0.5)
    parameters = OnsetParameters(psf_sigma_px=known_psf_px, **AS_IT_IS)
    found = finish(onset_map(film(onset_s, times=times, **more), 0, 59.5, parameters))
    assert found.reached[inside].all()
    return float(np.mean(found.onset_s[inside] - onset_s[inside]))


Y, X = np.mgrid[:60, :80]
MIDDLE = np.s_[15:45, 20:60]


@pytest.mark.parametrize("angle_degrees", [0, 30, 90])
def test_the_delay_of_a_plane_front_is_taken_out(angle_degrees):
    angle = np.deg2rad(angle_degrees)
    onset = 30 + 0.7 * ((X - 40) * np.cos(angle) + (Y - 30) * np.sin(angle))
    assert abs(bias_s(onset, MIDDLE, None, psf_px=0.0)) < 0.01
    delayed = bias_s(onset, MIDDLE, None)
    corrected = bias_s(onset, MIDDLE, PSF_PX)
    assert delayed > 0.08
    assert abs(corrected) < 0.2 * delayed


def test_reflected_light_hastens_it():
    onset = 30 + 0.7 * (X - 40)
    hastened = bias_s(onset, MIDDLE, None, epi=True)
    corrected = bias_s(onset, MIDDLE, PSF_PX, epi=True)
    assert hastened < -0.08
    assert abs(corrected) < 0.3 * abs(hastened)


def test_the_delay_of_a_circular_front_is_taken_out():
    radius = np.hypot(Y - 30, X - 40)
    onset = 8 + 1.2 * radius
    ring = (radius > 8) & (radius < 25)
    delayed = bias_s(onset, ring, None)
    corrected = bias_s(onset, ring, PSF_PX)
    assert delayed > 0.2
    assert abs(corrected) < 0.25 * delayed
