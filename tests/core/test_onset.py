"""Onset maps: a naive oracle, the reasons, and planted truth."""

from dataclasses import replace

import numpy as np
import pytest
from planted import onset_error_s, planted, recording_of
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from napari_lithium_alloy.core import refinement
from napari_lithium_alloy.core.correction import CorrectionParameters, corrected
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.illumination import LampGain
from napari_lithium_alloy.core.onset import (
    OnsetParameters,
    OnsetReason,
    alloyed_fraction,
    onset_map,
    onset_summary,
)
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.synthetic import au_parameters
from napari_lithium_alloy.core.synthetic.fields import gaussian_field, stream
from napari_lithium_alloy.core.tables import TABLES

OFF = CorrectionParameters(drift=False, lamp="none", flat_field="none", bad_pixels=False)
AS_IT_IS = {"smoothing_px": 0.0, "smoothing_frames": 0.0, "level_frames": 2}
TIMES = np.array([0, 1, 2, 3.5, 4, 5, 6, 9, 10, 11, 12, 12.5, 13, 14, 15, 16, 17, 18, 19.5, 20.0])


def naive_onset(trace, times, fraction, sustained, n_level, darkens):
    """Definition in plain Python for the counts of one pixel over the whole recording.

    Absorbance (or log reflectance) at both ends is the mean over n frames; the onset is the
    start of the first run of `sustained` frames (or one to the end) at or beyond the fraction.
    """
    sign = -1 if darkens else 1
    logs = [sign * np.log10(v) for v in trace]
    base = sum(logs[:n_level]) / n_level
    top = sum(logs[-n_level:]) / n_level
    if top <= base:
        return None
    level = base + fraction * (top - base)
    for i in range(len(logs)):
        run = logs[i : i + sustained]
        if all(v >= level for v in run) and (i == 0 or logs[i - 1] < level):
            if i == 0:
                return None
            share = (level - logs[i - 1]) / (logs[i] - logs[i - 1])
            return times[i - 1] + share * (times[i] - times[i - 1])
    return None


def wandering(seed, darkens=True, shape=(12, 14)):
    """Counts of pixels that rise (or fall) at random times and wander on the way."""
    rng = np.random.default_rng(seed)
    onset = rng.uniform(2, 18, shape)
    level = np.clip((TIMES[:, None, None] - onset) / rng.uniform(0.5, 6, shape) + 0.5, 0, 1)
    level += rng.normal(0, 0.15, (len(TIMES), *shape))
    amplitude = rng.uniform(0.05, 0.4, shape) * (1 if darkens else -1)
    return 10 ** (3 - amplitude * level)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(("mode", "darkens"), [("trans", True), ("trans", False), ("epi", True)])
@pytest.mark.parametrize("sustained", [1, 3])
def test_the_streamed_map_is_the_naive_one(fraction, mode, darkens, sustained):
    counts_fall = darkens != (mode == "epi")
    counts = wandering(7, counts_fall).astype(np.float32)
    parameters = OnsetParameters(
        fraction=fraction,
        sustained_frames=sustained,
        min_snr=0.0,
        min_rise_fraction=0.0,
        **AS_IT_IS,
    )
    cell = recording_of(counts, TIMES, mode=mode)
    found = finish(onset_map(cell, 0, 20, parameters, darkens=darkens))
    for y, x in np.ndindex(found.onset_s.shape):
        trace = counts[:, y, x].tolist()
        expected = naive_onset(trace, TIMES, fraction, sustained, 2, counts_fall)
        assert found.reached[y, x] == (expected is not None)
        if expected is not None:
            assert found.onset_s[y, x] == pytest.approx(expected, abs=2e-4)
    assert found.reached.mean() > 0.8
    assert np.isnan(found.onset_s[~found.reached]).all()


def steps(onset, amplitude=0.2, n_frames=40, rise_s=3.0):
    level = np.clip((np.arange(n_frames)[:, None, None] - onset) / rise_s + 0.5, 0, 1)
    return 2000 * 10 ** (-amplitude * level)


def test_every_pixel_without_an_onset_has_a_reason():
    rng = np.random.default_rng(3)
    onset = rng.uniform(10, 30, (24, 24))
    amplitude = np.full((24, 24), 0.2)
    onset[:4], amplitude[4:8], amplitude[8:12] = -20, 0.0, 0.02
    valid = np.ones((24, 24), bool)
    valid[:, :3] = False
    counts = steps(onset, amplitude)
    counts[:, :4] = 2000 * 10**-0.2
    counts = rng.normal(counts, 4.0)
    parameters = OnsetParameters(smoothing_px=0.0, smoothing_frames=0.0)
    found = finish(onset_map(recording_of(counts), 5, 35, parameters, valid=valid))
    inside = np.s_[:, 3:]
    assert (found.reason[:, :3] == OnsetReason.OUTSIDE).all()
    assert (found.reason[:4][inside] == OnsetReason.BEFORE).all()
    assert (found.reason[4:8][inside] == OnsetReason.WITHIN_NOISE).all()
    assert (found.reason[8:12][inside] == OnsetReason.NEVER).all()
    assert (found.reason[12:][inside] == OnsetReason.REACHED).all()
    assert np.array_equal(np.isfinite(found.onset_s), found.reason == OnsetReason.REACHED)
    assert np.array_equal(np.isfinite(found.onset_sd_s), found.reason == OnsetReason.REACHED)
    assert found.reasons() == {
        "reached": 12 * 21,
        "before the window": 4 * 21,
        "never": 4 * 21,
        "within noise": 4 * 21,
        "outside the common field": 3 * 24,
        "not told apart from the neighbouring step": 0,
    }
    assert np.isnan(found.amplitude[:, :3]).all()
    assert np.median(found.amplitude[found.reached]) == pytest.approx(0.2, abs=2e-3)


def test_a_film_on_which_nothing_happens_has_no_onset():
    counts = np.random.default_rng(0).normal(2000, 30, (40, 20, 20))
    found = finish(onset_map(recording_of(counts), 5, 35))
    assert (found.reason == OnsetReason.WITHIN_NOISE).mean() > 0.99
    assert np.isnan(found.onset_s[~found.reached]).all()


def test_the_uncertainty_is_the_scatter_and_not_less():
    rng = np.random.default_rng(5)
    onset = np.full((60, 60), 20.3)
    counts = rng.poisson(steps(onset, rise_s=8.0))
    parameters = OnsetParameters(smoothing_px=0.0, smoothing_frames=0.0)
    found = finish(onset_map(recording_of(counts), 2, 39, parameters))
    scatter = 1.4826 * np.median(np.abs(found.onset_s - 20.3)[found.reached])
    assert scatter <= np.nanmedian(found.onset_sd_s) <= 1.5 * scatter


def test_smoothing_is_chosen_from_the_noise():
    onset = np.full((40, 40), 20.0)
    rng = np.random.default_rng(5)
    chosen = []
    for noise in (0.0, 30.0, 150.0):
        counts = rng.normal(steps(onset), noise) if noise else steps(onset)
        chosen.append(finish(onset_map(recording_of(counts), 2, 39)))
    assert (chosen[0].smoothing_px, chosen[0].smoothing_frames) == (0, 0)
    assert 0 < chosen[1].smoothing_px < chosen[2].smoothing_px <= 2.5
    assert 0 < chosen[2].smoothing_frames <= 1.5


def test_polarity_may_be_said():
    counts = 1 / steps(np.full((9, 9), 20.0)) * 4e6
    cell = recording_of(counts)
    wrong = finish(onset_map(cell, 2, 38))
    right = finish(onset_map(cell, 2, 38, OnsetParameters(polarity="brightens")))
    assert not wrong.reached.any()
    assert np.allclose(right.onset_s, 20, atol=1e-3)
    assert right.polarity == "brightens"


def test_dark_level_given_wins_over_the_recordings_own():
    counts = steps(np.full((9, 9), 20.3), amplitude=1.0, rise_s=12.0) + 300
    cell = recording_of(counts, dark_counts=0.0)
    parameters = OnsetParameters(**AS_IT_IS)
    right = finish(onset_map(cell, 2, 38, parameters, dark=300.0))
    wrong = finish(onset_map(cell, 2, 38, parameters))
    assert np.allclose(right.onset_s, 20.3, atol=0.02)
    assert np.abs(wrong.onset_s - 20.3).min() > 0.3


def test_too_few_frames_and_a_fraction_out_of_range_are_said():
    cell = recording_of(steps(np.full((9, 9), 20.0)))
    with pytest.raises(AlloyError, match=r"3 frames lie between 2 and 4 s; .* at least 4"):
        finish(onset_map(cell, 2, 4))
    for fraction in (0.0, 1.0, -0.5):
        with pytest.raises(AlloyError, match=r"between 0 and 1, such as 0\.5"):
            OnsetParameters(fraction=fraction)


def test_the_alloyed_fraction_counts_what_was_there_and_not_what_is_outside():
    onset = np.linspace(10, 30, 400).reshape(20, 20)
    valid = np.ones((20, 20), bool)
    valid[0] = False
    found = finish(onset_map(recording_of(steps(onset)), 2, 39, valid=valid))
    curve = alloyed_fraction(found, np.array([5.0, 20.5, 39.0]))
    assert curve[0] == 0
    assert curve[1] == pytest.approx((onset[valid] <= 20.5).mean(), abs=0.02)
    assert curve[2] == 1


def test_a_field_without_film_is_said():
    cell = recording_of(steps(np.full((9, 9), 20.0)))
    with pytest.raises(AlloyError, match="no pixel of cell shows film"):
        finish(onset_map(cell, 2, 38, valid=np.zeros((9, 9), bool)))


def test_the_summary_has_a_row_a_stage():
    onset = np.linspace(10, 30, 400).reshape(20, 20)
    stage = Stage(kind="alloying", step=2, cycle=3, start_s=2, end_s=39)
    found = finish(onset_map(recording_of(steps(onset)), 2, 39, OnsetParameters(**AS_IT_IS)))
    row = onset_summary({stage: found}).iloc[0]
    assert (row.cycle, row.stage, row.n_px, row.reached_fraction) == (3, "step2", 400, 1)
    assert (row.median_s, row.p05_s, row.p95_s) == pytest.approx((20, 11, 29), abs=0.1)
    assert (row.before, row.never, row.within_noise, row.outside) == (0, 0, 0, 0)
    assert list(onset_summary({}).columns) == list(TABLES["onset_summary"])


def test_onset_truth_of_a_plane_of_noise_free_light_is_exact():
    onset = 20 + 4 * gaussian_field(stream(2, "onset"), (40, 40), 8.0)
    found = finish(onset_map(recording_of(steps(onset)), 2, 39, OnsetParameters(**AS_IT_IS)))
    assert np.abs(found.onset_s - onset).max() < 0.05


EMPTY_FIELD = {"shape": (144, 144), "count": 4, "deposition_s": 20.0, "dissolution_s": 15.0}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_onsets_of_clean_recordings_are_within_the_stated_error(seed):
    """At most 0.15 frame intervals in the mean: 2600 photo-electrons, psf 1.3 px, 1.1 um."""
    made, experiment = planted(au_parameters(seed=seed, **EMPTY_FIELD))
    recording = experiment.recordings[0]
    camera, field = made.parameters.camera, made.parameters.onset
    assert (camera.photo_electrons, camera.psf_sigma_px, field.correlation_um) == (2600, 1.3, 1.1)
    stages = [s for s in experiment.stages if s.kind in ("alloying", "dealloying")]
    assert len(stages) == 3
    for stage in stages:
        work = onset_map(
            recording,
            stage.start_s,
            stage.end_s,
            OnsetParameters(psf_sigma_px=1.3),
            darkens=stage.darkens,
        )
        error, share = onset_error_s(finish(work), made, stage.key)
        assert error <= 0.15 * recording.frame_interval_s
        assert share > 0.99


def test_uneven_and_dropped_frames_keep_their_times():
    made, experiment = planted(au_parameters(seed=4, jitter=0.25, dropped=0.1, **EMPTY_FIELD))
    recording = experiment.recordings[0]
    assert np.diff(recording.times_s).max() > 1.6
    for stage in [s for s in experiment.stages if s.kind == "alloying"]:
        work = onset_map(recording, stage.start_s, stage.end_s, OnsetParameters(psf_sigma_px=1.3))
        error, share = onset_error_s(finish(work), made, stage.key)
        assert error <= 0.15 * recording.frame_interval_s
        assert share > 0.98


def test_an_epi_recording_brightens_and_has_the_same_onsets():
    made, experiment = planted(
        au_parameters(seed=5, epi_interval_s=1.0, offset_px=(0.0, 0.0), **EMPTY_FIELD), "epi"
    )
    recording = experiment.recordings[0]
    for stage in [s for s in experiment.stages if s.kind == "alloying"]:
        work = onset_map(recording, stage.start_s, stage.end_s, OnsetParameters(psf_sigma_px=1.3))
        found = finish(work)
        error, share = onset_error_s(found, made, stage.key)
        assert found.polarity == "brightens"
        assert error <= 0.3 * recording.frame_interval_s
        assert share > 0.98


def test_fractional_light_has_the_same_onsets_as_counts():
    """A float file whose film is 0.4 bright, as counts a few thousand times that."""
    rng = np.random.default_rng(8)
    when = np.linspace(12, 28, 24)[:, None] + np.zeros((24, 24))
    frames = [2000 * 10 ** (-0.2 / (1 + np.exp(when - t))) for t in range(40)]
    counts = np.array(frames) + rng.normal(0, 10, (40, 24, 24))
    whole = finish(onset_map(recording_of(counts.astype(np.float32)), 2, 38))
    small = finish(onset_map(recording_of((counts / 5000).astype(np.float32)), 2, 38))
    assert whole.reached.mean() > 0.9
    np.testing.assert_allclose(small.onset_s, whole.onset_s, atol=0.01)


def test_levels_are_not_taken_from_beyond_a_pause():
    """After the stage the lamp was off and came back at half its light."""
    when = np.linspace(20, 44, 24)[:, None] + np.zeros((24, 24))
    times = np.concatenate([np.arange(61.0), 2000 + np.arange(8.0)])
    frames = np.array([2000 * 10 ** (-0.2 / (1 + np.exp((when - t) * 2))) for t in times])
    frames[61:] /= 2
    found = finish(onset_map(recording_of(frames.astype(np.float32), times), 4, 60))
    assert np.nanmax(np.abs(found.onset_s - when)) < 0.05
    assert found.reached.all()


NOISY = {"photo_electrons": 2600 / 16, "bits": 16}


def errors_and_sds(changes, psf, seeds=(11,)):
    """Of both alloying steps, in frame intervals."""
    errors, sds = [], []
    for seed in seeds:
        made, experiment = planted(au_parameters(seed=seed, **EMPTY_FIELD, **changes))
        recording = experiment.recordings[0]
        for stage in [s for s in experiment.stages if s.kind == "alloying"]:
            parameters = OnsetParameters(psf_sigma_px=psf)
            found = finish(onset_map(recording, stage.start_s, stage.end_s, parameters))
            error = np.abs(found.onset_s - made.truth.onset_s[stage.key])
            known = np.isfinite(error)
            errors.append(error[known] / recording.frame_interval_s)
            sds.append(found.onset_sd_s[known] / recording.frame_interval_s)
    return np.concatenate(errors), np.concatenate(sds)


ROUGH = {"correlation_um": 0.52}
QUIET = {"photo_electrons": 2600 * 16, "bits": 16}


@pytest.mark.parametrize(
    ("changes", "most"),
    [(ROUGH, 0.13), (ROUGH | NOISY, 0.3), (ROUGH | QUIET, 0.1), ({"correlation_um": 0.35}, 0.3)],
    ids=["rough", "4 x noise", "hardly any noise", "rougher"],
)
def test_on_a_rough_film_the_stated_uncertainty_still_covers_the_truth(changes, most):
    error, sd = errors_and_sds(changes, 1.3)
    assert error.mean() < most
    quarter = np.digitize(sd, np.quantile(sd, [0.25, 0.5, 0.75]))
    assert np.mean(error <= sd) == pytest.approx(0.68, abs=0.12)
    assert [np.mean((error <= sd)[quarter == q]) for q in range(4)] == pytest.approx(
        [0.68] * 4, abs=0.2
    )


def test_of_a_large_rough_film_some_rows_tell_what_a_further_round_would_give(monkeypatch):
    error, sd = errors_and_sds(ROUGH, 1.3)
    monkeypatch.setattr(refinement, "LARGE_SIDE_PX", refinement.STRIP_PX)
    error_too, from_rows = errors_and_sds(ROUGH, 1.3)
    assert np.array_equal(error_too, error)
    assert not np.array_equal(from_rows, sd)
    assert np.mean(error <= from_rows) == pytest.approx(0.68, abs=0.12)
    assert np.median(from_rows / sd) == pytest.approx(1, abs=0.1)
    quarter = np.digitize(from_rows, np.quantile(from_rows, [0.25, 0.5, 0.75]))
    assert [np.mean((error <= from_rows)[quarter == q]) for q in range(4)] == pytest.approx(
        [0.68] * 4, abs=0.2
    )


def test_without_a_known_point_spread_the_uncertainty_allows_for_a_typical_one():
    error, sd = errors_and_sds({}, None)
    _, sd_if_there_is_none = errors_and_sds({}, 0.0)
    assert np.mean(error <= sd) == pytest.approx(0.68, abs=0.12)
    assert np.median(sd) > 1.3 * np.median(sd_if_there_is_none)


def test_where_grains_meet_the_uncertainty_says_so():
    """Squares that alloy all at once, at times of their own."""
    rng = np.random.default_rng(5)
    when = np.kron(rng.uniform(20, 60, (6, 6)), np.ones((20, 20)))
    frames = [gaussian_filter(10 ** (-0.22 * ndtr(t - when)), 1.3) for t in range(80)]
    counts = rng.poisson(2600 * np.array(frames)).astype(np.uint16)
    found = finish(onset_map(recording_of(counts), 8, 72, OnsetParameters(psf_sigma_px=1.3)))
    inner = np.zeros_like(found.reached)
    for row in range(10, 120, 20):
        for column in range(10, 120, 20):
            inner[row - 2 : row + 3, column - 2 : column + 3] = True
    error, meeting = np.abs(found.onset_s - when), np.zeros_like(inner)
    for edge in range(20, 120, 20):
        meeting[edge - 1 : edge + 1] = meeting[:, edge - 1 : edge + 1] = True
    assert np.median(found.onset_sd_s[meeting]) > 4 * np.median(found.onset_sd_s[inner])
    assert np.mean((error <= found.onset_sd_s)[meeting]) > 0.4
    assert np.median(error[inner]) < 0.15


@pytest.mark.parametrize(
    ("changes", "most"),
    [({}, 0.085), (NOISY, 0.25), ({"frame_interval_s": 2.5}, 0.08)],
    ids=["clean", "4 x noise", "slow"],
)
def test_the_stated_uncertainty_covers_the_truth(changes, most):
    """68 +- 8 % within one standard deviation; in each quarter of it nearly so."""
    error, sd = errors_and_sds(changes, 1.3, seeds=(11, 15))
    assert error.mean() <= most
    quarter = np.digitize(sd, np.quantile(sd, [0.25, 0.5, 0.75]))
    covered = [float((error <= sd)[quarter == q].mean()) for q in range(4)]
    assert np.mean(covered) == pytest.approx(0.68, abs=0.08)
    assert covered == pytest.approx([0.68] * 4, abs=0.12)


def test_each_kind_of_counts_gives_the_same_map():
    rng = np.random.default_rng(2)
    onset = 20 + 4 * gaussian_field(stream(3, "onset"), (40, 44), 8.0)
    counts = rng.poisson(steps(onset, rise_s=4.0)).astype(np.uint16)
    maps = [
        finish(onset_map(recording_of(counts.astype(kind)), 2, 39))
        for kind in (np.uint16, np.int32, np.float32, np.float64)
    ]
    mapped = recording_of(counts).replace(mapped=counts)
    maps.append(finish(onset_map(mapped, 2, 39)))
    assert maps[0].smoothing_px > 0
    for other in maps[1:]:
        np.testing.assert_allclose(other.onset_s, maps[0].onset_s, atol=0.02)
        np.testing.assert_allclose(other.onset_sd_s, maps[0].onset_sd_s, rtol=0.05)
    assert np.abs(maps[0].onset_s - onset).mean() < 0.2


def test_a_map_of_a_flickering_lamp_is_that_of_its_light():
    """The lamp is taken out of the mapped counts as they are looked at, not of a copy."""
    rng = np.random.default_rng(2)
    onset = 20 + 4 * gaussian_field(stream(3, "onset"), (40, 44), 8.0)
    gain = np.exp(0.05 * rng.standard_normal(40))
    counts = 100 + steps(onset, rise_s=4.0) * gain[:, None, None]
    lit = recording_of(rng.poisson(counts).astype(np.uint16), dark_counts=100.0)
    lamp = LampGain(gain=gain, source="reference", note="")
    correction = replace(finish(measure_correction(lit, OFF)), lamp=lamp)
    copied = corrected(lit, correction)
    seen = corrected(lit.replace(mapped=np.stack([lit.read(t) for t in range(40)])), correction)
    assert copied.steadied is None
    assert seen.steadied is not None
    maps = [finish(onset_map(cell, 2, 39)) for cell in (copied, seen)]
    np.testing.assert_allclose(maps[1].onset_s, maps[0].onset_s, atol=0.01)
    assert np.abs(maps[1].onset_s - onset).mean() < 0.2
    curves = [finish(region_curves(c, reference_frame(c))) for c in (copied, seen)]
    for name in ("mean_counts", "transmittance", "absorbance"):
        np.testing.assert_allclose(curves[1][name], curves[0][name], rtol=1e-5, atol=1e-6)
    spoiled = finish(onset_map(lit, 2, 39))
    assert np.abs(spoiled.onset_s - onset).mean() > 2 * np.abs(maps[1].onset_s - onset).mean()


def test_a_place_that_alloys_far_from_its_surroundings_in_time_is_found():
    """Two halves, of which one alloys 18 s after the other; cells of pixels lie across."""
    onset = np.full((40, 43), 11.0)
    onset[:, 22:] = 29.0
    counts = np.random.default_rng(4).poisson(steps(onset, rise_s=4.0)).astype(np.uint16)
    found = finish(onset_map(recording_of(counts), 2, 39))
    assert found.reached.all()
    error = np.abs(found.onset_s - onset)
    assert error[:, :18].max() < 0.7
    assert error[:, 26:].max() < 0.7


def test_a_flash_of_two_frames_is_not_an_onset():
    onset = np.full((24, 24), 25.0)
    counts = steps(onset, rise_s=4.0)
    counts[8:10] = counts[-1]
    noisy = np.random.default_rng(4).poisson(counts).astype(np.uint16)
    found = finish(onset_map(recording_of(noisy), 2, 39))
    assert np.abs(found.onset_s - 25).max() < 1
