"""Corrected frames as a map: the same light, read once."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core import scratch
from napari_lithium_alloy.core import steady_copy as steady_copies
from napari_lithium_alloy.core.correction import CorrectionParameters, corrected
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.frame_quality import FrameSums
from napari_lithium_alloy.core.illumination import LampGain
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.steady_copy import SteadyCopy

OFF = CorrectionParameters(drift=False, lamp="none", flat_field="none", bad_pixels=False)


class Counted:
    """A recording that has to be decoded, and how often each frame was."""

    def __init__(self, frames, **more):
        self.reads, lock = np.zeros(len(frames), int), threading.Lock()

        def window(t, y, x):
            with lock:
                self.reads[t] += 1
            return frames[t, y, x]

        self.recording = recording_of(frames, dark_counts=10.0, **more).replace(window=window)


def film(dtype=np.uint16, most=4095):
    rng = np.random.default_rng(0)
    frames = np.clip(most * rng.normal(0.45, 0.05, (20, 33, 40)), 0, most)
    frames[:, 15, 20] = most
    return frames.astype(dtype)


def correction_of(recording, **changes):
    return replace(finish(measure_correction(recording, OFF)), **changes)


def copied(recording, correction):
    copy = SteadyCopy(recording, correction)
    finish(copy.make())
    return copy.recording


@pytest.mark.parametrize("in_memory", [True, False])
def test_frames_to_be_decoded_are_copied_as_they_are(in_memory, monkeypatch):
    monkeypatch.setattr(scratch, "IN_MEMORY_BYTES", 2**30 if in_memory else 0)
    frames = film()
    cell = Counted(frames)
    nothing = correction_of(cell.recording)
    cell.reads[:] = 0
    steady = copied(cell.recording, nothing)
    np.testing.assert_array_equal(steady.mapped, frames)
    for t in range(20):
        np.testing.assert_array_equal(steady.read(t), frames[t])
    assert (cell.reads == 1).all()


def test_a_lamps_gain_is_no_reason_to_copy_mapped_frames():
    frames = film()
    recording = recording_of(frames, dark_counts=10.0).replace(mapped=frames)
    gain = np.linspace(0.9, 1.1, 20)
    lamp = LampGain(gain=gain, source="rest", note="")
    steady = copied(recording, correction_of(recording, lamp=lamp))
    assert steady.steadied.counts is recording.mapped
    assert np.shares_memory(recording.mapped, frames)
    light = (frames[7] - 10.0) * steady.steadied.factor[7]
    np.testing.assert_allclose(light, (frames[7] - 10.0) / gain[7], rtol=1e-6)
    np.testing.assert_allclose(steady.read(7), light, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("at_once_px", "in_memory"), [(2**19, True), (40 * 7, False)])
def test_the_light_of_resampled_frames_is_that_of_corrected_ones(
    dtype, at_once_px, in_memory, monkeypatch
):
    monkeypatch.setattr(steady_copies, "AT_ONCE_PX", at_once_px)
    monkeypatch.setattr(scratch, "IN_MEMORY_BYTES", 2**30 if in_memory else 0)
    frames = film(dtype, 255 if dtype == np.uint8 else 4095)
    cell = Counted(frames, saturation_counts=250.0 if dtype == np.uint8 else 4000.0)
    shift = np.linspace(0, 2.5, 20)[:, None] * [1, -0.6]
    lamp = LampGain(gain=np.linspace(0.9, 1.1, 20), source="rest", note="")
    correction = correction_of(cell.recording, shift_px=shift, lamp=lamp)
    lazy = corrected(cell.recording, correction)
    cell.reads[:] = 0
    steady = copied(cell.recording, correction)
    assert cell.reads.max() <= 2  # some are looked at for how bright they are
    light = steady.light(0.0)
    a_count = 0.25 if dtype != np.float32 else 1e-3
    clipped = 0
    for t in range(20):
        seen, expected = steady.read(t), lazy.read(t)
        np.testing.assert_array_equal(
            seen, (light.counts[t].astype(np.float32) - light.dark) * light.factor[t]
        )
        full = expected >= lazy.saturation_counts
        np.testing.assert_array_equal(seen >= steady.saturation_counts, full)
        np.testing.assert_allclose(seen[~full], expected[~full], atol=a_count)
        clipped += int(full.sum())
    assert clipped > 0
    window = steady.read(3, slice(4, 9), slice(5, 20))
    np.testing.assert_array_equal(window, steady.read(3)[4:9, 5:20])


@pytest.mark.parametrize("level", [20.0, 60.0])
def test_noise_around_no_light_is_kept(level):
    """A dim recording's read noise goes far below the dark level."""
    rng = np.random.default_rng(3)
    frames = np.clip(np.rint(rng.normal(100 + level * rng.random((20, 33, 40)), 4)), 0, 4095)
    cell = Counted(frames.astype(np.uint16)).recording.replace(dark_counts=100.0)
    shift = np.linspace(0, 2.5, 20)[:, None] * [1, -0.6]
    correction = correction_of(cell, shift_px=shift)
    lazy, steady = corrected(cell, correction), copied(cell, correction)
    for t in range(20):
        np.testing.assert_allclose(steady.read(t), lazy.read(t), atol=0.2)
    assert min(float(lazy.read(t).min()) for t in range(20)) < -8


def test_light_that_is_not_known_stays_unknown():
    cell = Counted(film()).recording
    dark = np.full((33, 40), 10.0)
    dark[4, 5] = np.nan
    cell = cell.replace(dark_counts=dark)
    correction = correction_of(cell, shift_px=np.linspace(0, 2.5, 20)[:, None] * [1, -0.6])
    steady, lazy = copied(cell, correction), corrected(cell, correction)
    for t in (0, 19):
        np.testing.assert_array_equal(np.isnan(steady.read(t)), np.isnan(lazy.read(t)))
    assert np.isnan(steady.read(0)).any()


@pytest.mark.parametrize("resampled", [True, False])
def test_frames_are_there_in_their_order_and_no_other_can_be_read(resampled):
    cell = Counted(film()).recording
    shift = np.linspace(0, 2.5, 20)[:, None] * [1, -0.6] * resampled
    correction = correction_of(cell, shift_px=shift)
    whole = copied(cell, correction)
    copy = SteadyCopy(cell, correction)
    seen = copy.up_to(7)
    work = copy.make()
    while copy.n_there < 7:
        next(work)
    for t in range(7):
        np.testing.assert_array_equal(seen.read(t), whole.read(t))
    light, expected = (
        seen.light(0.0 if resampled else 10.0),
        whole.light(0.0 if resampled else 10.0),
    )
    np.testing.assert_array_equal(light.frames(2, 7).counts, expected.frames(2, 7).counts)
    with pytest.raises(IndexError, match="frame 7"):
        seen.read(7)
    with pytest.raises(IndexError, match="frame 7"):
        light.frames(2, 8)
    assert seen.n_frames == 20
    finish(work)
    assert copy.n_there == 20
    np.testing.assert_array_equal(copy.up_to(20).read(19), whole.read(19))


@pytest.mark.parametrize("resampled", [True, False])
def test_sums_over_the_frames_are_made_while_they_are_copied(resampled):
    cell = Counted(film(), saturation_counts=4000.0)
    shift = np.linspace(0, 2.5, 20)[:, None] * [1, -0.6] * resampled
    correction = correction_of(cell.recording, shift_px=shift)
    by_the_way, alone = FrameSums(cell.recording), FrameSums(cell.recording)
    copy = SteadyCopy(cell.recording, correction, sums=by_the_way)
    cell.reads[:] = 0
    finish(copy.make())
    assert (cell.reads == 1).all()
    assert by_the_way.made
    finish(alone.make())
    np.testing.assert_array_equal(by_the_way.sharpness, alone.sharpness)
    np.testing.assert_array_equal(by_the_way.saturated, alone.saturated)
