"""Frames made steady, against recordings with planted drift, lamp and camera."""

import dataclasses

import numpy as np
import pytest
from planted import onset_error_s, planted, recording_of
from scipy import ndimage

from napari_lithium_alloy.core.correction import (
    CorrectionParameters,
    common_field,
    corrected,
    moved_mask,
)
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.frame_quality import frame_quality
from napari_lithium_alloy.core.illumination import flicker
from napari_lithium_alloy.core.onset import onset_map
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.core.synthetic import au_parameters
from napari_lithium_alloy.core.tables import TABLES

SHAPE = (176, 176)
UNSTEADY = {
    "drift_px_per_min": (6.0, -5.0),
    "walk_px": 0.15,
    "jump_px": (4.0, -4.5),
    "jump_s": 60.3,
    "flicker": 0.006,
    "lamp_drift": 0.012,
    "room_px": 48,
}


def measured(seed, **changes):
    made, experiment = planted(au_parameters(seed=seed, shape=SHAPE, **changes))
    recording = experiment.recording("trans")
    work = measure_correction(
        recording,
        current_starts_s=experiment.current_starts_s(),
        switches_s=experiment.potential.switches_s().tolist(),
    )
    return made, recording, finish(work)


@pytest.fixture(scope="module")
def unsteady():
    return measured(0, **UNSTEADY)


@pytest.fixture(scope="module")
def beside_glass():
    return measured(1, bare_glass_um=1.0, **UNSTEADY)


def drift_error(made, correction):
    left = correction.shift_px - made.truth.drift_px
    return np.sqrt(((left - np.median(left, axis=0)) ** 2).mean())


def gain_error(made, correction, frames=slice(None)):
    left = np.log(correction.lamp.gain / made.truth.gain)[frames]
    return float(np.std(left))


def test_drift_is_found_within_a_tenth_of_a_pixel(unsteady, beside_glass):
    for made, _, correction in (unsteady, beside_glass):
        assert np.ptp(made.truth.drift_px, axis=0).max() > 20
        assert drift_error(made, correction) < 0.05
        assert correction.done == ("flat field", "lamp", "drift")
        assert correction.trusted.mean() > 0.97


def test_the_lamps_gain_is_known_beside_glass_and_in_the_rest(unsteady, beside_glass):
    made, _, correction = beside_glass
    assert correction.lamp.source == "reference"
    assert gain_error(made, correction) < 0.002
    made, recording, correction = unsteady
    assert correction.lamp.source == "rest"
    assert gain_error(made, correction, recording.times_s < 5) < 0.002
    t = recording.times_s
    fast = flicker(t, np.log(correction.lamp.gain)) - flicker(t, np.log(made.truth.gain))
    assert np.std(fast) < 0.002


def test_onsets_are_those_of_the_same_film_held_still(unsteady):
    made, recording, correction = unsteady
    _, whole = planted(au_parameters(seed=0, shape=SHAPE))
    steady = corrected(recording, correction)
    for stage in stages_of(whole.stages, StageKind.ALLOYING):
        errors = [
            onset_error_s(
                finish(onset_map(r, stage.start_s, stage.end_s, valid=correction.common)),
                made,
                stage.key,
                correction.common,
            )[0]
            for r in (steady, whole.recording("trans"))
        ]
        assert errors[0] - errors[1] < 0.05 * recording.frame_interval_s


def test_the_seis_darkening_stays(unsteady):
    made, recording, correction = unsteady
    steady = corrected(recording, correction)
    sei = next(s for s in made.experiment.stages if s.kind is StageKind.SEI)
    seen = [
        np.log10(steady.read(t)[correction.common]).mean()
        for t in (*range(5), *recording.frames_between(sei.end_s - 5, sei.end_s))
    ]
    darkening = np.mean(seen[:5]) - np.mean(seen[5:])
    assert darkening == pytest.approx(0.03, abs=0.003)


def test_the_table_says_what_was_found(beside_glass):
    made, recording, correction = beside_glass
    table = finish(frame_quality(recording, correction))
    assert list(table.columns) == list(TABLES["corrections"])
    moved = table[["shift_y_um", "shift_x_um"]].to_numpy(float) / recording.pixel_size_um
    left = moved - made.truth.drift_px
    assert np.abs(left - np.median(left, axis=0)).max() < 0.5
    assert (table["shift_sd_um"] < 0.5 * recording.pixel_size_um).mean() > 0.97
    assert 0.5 < table["shift_quality"].median() <= 1
    np.testing.assert_array_equal(table["gain"], correction.lamp.gain)
    assert table["trusted"].mean() > 0.97


def test_a_steady_recording_is_left_as_it_is():
    _, experiment = planted(au_parameters(seed=3, shape=(128, 128), deposition_s=30.0))
    recording = experiment.recording("trans")
    correction = finish(measure_correction(recording))
    assert "drift" not in correction.done
    assert correction.common.all()
    assert any("drifts by less than" in note for note in correction.notes)
    if not correction.done:
        assert corrected(recording, correction) is recording


def test_a_blurred_frame_is_marked():
    _, experiment = planted(au_parameters(seed=0, shape=(128, 128), deposition_s=30.0))
    recording = experiment.recording("trans")
    frames = np.asarray(recording.frames).astype(np.float32)
    frames[[30, 120]] = ndimage.gaussian_filter(frames[[30, 120]], (0, 3, 3))
    blurred = recording_of(frames, recording.times_s, dark_counts=100.0)
    correction = finish(measure_correction(blurred, CorrectionParameters(lamp="none")))
    assert not correction.trusted[[30, 120]].any()
    assert correction.trusted.mean() > 0.97


def test_a_film_with_nothing_to_hold_on_to_is_not_moved():
    rng = np.random.default_rng(0)
    flat = rng.poisson(1000, (40, 96, 96)).astype(np.uint16)
    correction = finish(measure_correction(recording_of(flat)))
    assert not correction.moves
    assert "The drift is not known in most frames and is not corrected." in correction.notes


def scene(n=12, shape=(40, 50)):
    rng = np.random.default_rng(7)
    return ndimage.gaussian_filter(rng.uniform(500, 1500, (n, *shape)), (0, 2, 2))


def shifted_correction(recording, shift, **changes):
    plain = finish(measure_correction(recording, CorrectionParameters(drift=False, lamp="none")))
    shift = np.tile(np.asarray(shift, float), (recording.n_frames, 1))
    common = common_field(shift, recording.field_shape)
    return dataclasses.replace(plain, shift_px=shift, common=common, **changes)


@pytest.mark.parametrize("shift", [(3.0, -2.0), (0.4, 1.7), (-5.25, 0.5)])
def test_a_window_of_a_corrected_frame_is_that_of_the_whole_frame(shift):
    recording = recording_of(scene().astype(np.float32))
    correction = shifted_correction(recording, shift)
    steady = corrected(recording, correction)
    whole = steady.read(5)
    np.testing.assert_array_equal(np.asarray(steady.frames[5]), whole)
    part = steady.read(5, slice(12, 30), slice(20, 33))
    np.testing.assert_allclose(part, whole[12:30, 20:33], atol=0.02)
    assert steady.corrections == ("drift",)
    inside = correction.common
    back = ndimage.shift(recording.read(5), -np.asarray(shift), order=3, mode="nearest")
    np.testing.assert_allclose(whole[inside], back[inside], atol=0.05)


def test_clipped_and_unknown_pixels_stay_marked_when_frames_move():
    frames = scene().astype(np.float32)
    frames[:, 20, 20] = 4095
    frames[:, 10, 30] = np.nan
    recording = recording_of(frames, saturation_counts=4095.0)
    steady = corrected(
        recording, shifted_correction(recording, (0.5, 0.0), bad=np.zeros((40, 50), bool))
    )
    seen = steady.read(3)
    assert np.argwhere(seen >= steady.saturation_counts).tolist() == [[19, 20], [20, 20]]
    assert np.argwhere(np.isnan(seen)).tolist() == [[9, 30], [10, 30]]


def test_dark_flat_and_gain_are_taken_out_in_this_order():
    rng = np.random.default_rng(2)
    flat = rng.uniform(0.8, 1.2, (40, 50))
    light = scene()
    gain = np.linspace(1.0, 1.1, len(light))
    recording = recording_of(100 + light * flat * gain[:, None, None], dark_counts=100.0, flat=flat)
    region = Region(name="Glass", vertices_px=np.array([[5, 5], [5, 45], [35, 45], [35, 5]]))
    still = recording_of(100 + light[:1] * flat * gain[:, None, None], dark_counts=100.0, flat=flat)
    parameters = CorrectionParameters(drift=False, reference_region="Glass")
    correction = finish(measure_correction(still, parameters, regions=[region]))
    assert correction.done == ("flat field", "lamp")
    expected = gain / gain[:5].mean()
    np.testing.assert_allclose(correction.lamp.gain, expected, rtol=1e-5)
    steady = corrected(recording, correction)
    np.testing.assert_allclose(steady.read(8), light[8] * gain[:5].mean(), rtol=1e-4)
    assert steady.dark_counts == 0.0
    image = reference_frame(steady).image
    np.testing.assert_allclose(image, light[:5].mean(axis=0) * gain[:5].mean(), rtol=1e-4)


def test_common_field_and_moved_masks():
    shift = np.array([[0.0, 0.0], [3.4, -2.2]])
    rows, columns = np.nonzero(common_field(shift, (20, 30)))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 13, 5, 27)
    assert common_field(np.zeros((4, 2)), (5, 6)).all()
    assert not common_field(np.array([[0, 0], [19, 0]]), (20, 30)).any()
    mask = np.zeros((6, 7), dtype=bool)
    mask[2, 3] = mask[5, 0] = True
    assert np.argwhere(moved_mask(mask, np.array([-1.2, 2.0]))).tolist() == [[1, 5], [4, 2]]


def test_wrong_use_is_said():
    recording = recording_of(scene().astype(np.float32))
    parameters = CorrectionParameters(reference_region="Glas")
    with pytest.raises(AlloyError, match="There is no region Glas to steady the lamp by"):
        finish(measure_correction(recording, parameters))
    steady = corrected(recording, shifted_correction(recording, (1.0, 0.0)))
    with pytest.raises(AlloyError, match="corrected already"):
        finish(measure_correction(steady))


def test_a_clipped_hot_pixel_is_replaced_for_good():
    frames = np.random.default_rng(0).normal(1000, 20, (12, 64, 64)).astype(np.uint16)
    frames[:, 30, 30] = 4095
    recording = recording_of(frames, saturation_counts=4095.0)
    correction = finish(measure_correction(recording))
    assert np.argwhere(correction.bad).tolist() == [[30, 30]]
    assert corrected(recording, correction).read(5)[30, 30] == pytest.approx(1000, abs=60)


def test_faint_glass_is_told_whatever_the_dark_level_and_its_gain_is_no_staircase():
    rng = np.random.default_rng(1)
    lamp = np.linspace(1.0, 1.02, 24)
    light = np.full((96, 96), 100.0)
    light[:, 60:] = 145.0
    frames = np.rint(100 + light * lamp[:, None, None] + rng.normal(0, 0.6, (24, 96, 96)))
    recording = recording_of(frames.astype(np.uint16), dark_counts=100.0)
    correction = finish(measure_correction(recording))
    assert correction.lamp.source == "reference"
    error = np.log(correction.lamp.gain / (lamp / lamp[:5].mean()))
    assert np.std(error) < 0.002


@pytest.mark.parametrize("whole_dark", [False, True])
def test_a_lamp_alone_is_taken_out_pixel_by_pixel(whole_dark):
    rng = np.random.default_rng(2)
    counts = rng.integers(90, 260, (3, 20, 30)).astype(np.uint16)
    dark = rng.uniform(80, 120, (20, 30)).astype(np.float32) if whole_dark else 100.0
    recording = recording_of(counts, dark_counts=dark, saturation_counts=250.0)
    correction = shifted_correction(recording, (0.0, 0.0))
    lamp = dataclasses.replace(correction.lamp, gain=np.array([1.0, 0.5, 2.0]))
    light = corrected(recording, dataclasses.replace(correction, lamp=lamp))
    assert light.corrections == ("lamp",)
    for t, gain in enumerate(lamp.gain):
        expected = (counts[t] - dark) / gain
        expected[counts[t] >= 250] = light.saturation_counts
        assert light.read(t) == pytest.approx(expected, rel=1e-6)
        assert np.array_equal(light.frames[t].compute(), light.read(t))
        part = slice(3, 17, 2), slice(5, 25)
        assert np.array_equal(light.read(t, *part), light.read(t)[part])
