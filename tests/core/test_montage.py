"""Which frames a montage shows, between which limits, and what is written on them."""

import dask.array as da
import numpy as np
import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.montage import (
    MontageParameters,
    binned,
    montage_image,
    shown_frames,
    stage_montage,
)
from napari_lithium_alloy.core.onset import onset_map
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.stages import Stage, StageKind

SHAPE = (8, 10)
DARK = 100.0
STEP_1 = Stage(kind=StageKind.ALLOYING, step=1, start_s=9, end_s=38)


def recording_of(levels, times_s=None, shape=SHAPE):
    """A field that is `levels[t]` counts above dark everywhere."""
    counts = np.asarray(levels, float)[:, None, None] * np.ones(shape) + DARK
    times = np.arange(len(levels), dtype=float) if times_s is None else times_s
    return Recording(
        name="film",
        frames=da.from_array(counts, chunks=(1, *shape)),
        times_s=times,
        pixel_size_um=0.1,
        mode="trans",
        dark_counts=DARK,
    )


def montage_of(recording, stages, maps=None, **parameters):
    reference = reference_frame(recording, current_starts_s=recording.times_s[1])
    work = stage_montage(
        recording, stages, reference, MontageParameters(**parameters), onset_maps=maps
    )
    return finish(work)


def test_a_row_spans_its_stage_from_first_frame_to_last():
    montage = montage_of(recording_of(1000 - np.arange(60.0)), [STEP_1])
    np.testing.assert_allclose(montage.rows[0].times_s, [9, 15, 21, 26, 32, 38])
    assert montage.rows[0].label == "step 1"
    np.testing.assert_allclose(
        montage.rows[0].images[:, 0, 0], (1000 - montage.rows[0].times_s) / 1000
    )


def test_progress_is_that_of_the_papers_figure_2a():
    montage = montage_of(recording_of(1000 - np.arange(60.0)), [STEP_1], interval_s=1)
    row = montage.rows[0]
    labels = dict(zip(row.times_s, row.progress_labels, strict=True))
    written = {13: "17 %", 23: "50 %", 26: "60 %", 31: "77 %", 34: "87 %", 36: "93 %"}
    assert {t: labels[t] for t in written} == written
    assert row.progress_labels[-1] == "100 %"


def test_an_interval_counts_from_the_first_frame():
    sei = Stage(kind=StageKind.SEI, start_s=0, end_s=15)
    montage = montage_of(recording_of(1000 - np.arange(20.0)), [sei], interval_s=3)
    np.testing.assert_allclose(montage.rows[0].times_s, [0, 3, 6, 9, 12, 15])


def test_no_frame_is_shown_twice_where_there_are_few():
    short = Stage(kind=StageKind.SEI, start_s=2, end_s=4)
    montage = montage_of(recording_of(1000 - np.arange(20.0)), [short])
    np.testing.assert_allclose(montage.rows[0].times_s, [2, 3, 4])


def test_uneven_frames_are_chosen_by_their_true_time():
    times = np.array([0.0, 1, 2, 3, 14, 15, 16])
    frames = shown_frames(times, np.arange(7), MontageParameters(n_frames=3))
    assert [f.tolist() for f in frames] == [[0], [3], [6]]


def test_averaged_frames_lie_within_the_stage_and_their_time_is_the_mean():
    montage = montage_of(
        recording_of(1000 - np.arange(60.0)), [STEP_1], averaged_frames=2, n_frames=2
    )
    row = montage.rows[0]
    np.testing.assert_allclose(row.times_s, [9.5, 37.5])
    np.testing.assert_allclose(row.images[:, 3, 3], [0.9905, 0.9625], rtol=1e-5)


def test_only_shown_frames_are_read():
    read = []
    plain = recording_of(1000 - np.arange(60.0))
    whole = plain.frames.compute()

    def window(t, y, x):
        read.append(t)
        return whole[t, y, x]

    reference = reference_frame(plain, current_starts_s=1)
    finish(stage_montage(plain.replace(window=window), [STEP_1], reference))
    assert read == [9, 15, 21, 26, 32, 38]


def test_each_row_has_its_own_range_unless_asked():
    recording = recording_of(1000 - 10 * np.arange(60.0))
    later = Stage(kind=StageKind.DEPOSITION, start_s=40, end_s=59)
    extremes = {"low_percentile": 0, "high_percentile": 100}
    own = montage_of(recording, [STEP_1, later], **extremes)
    np.testing.assert_allclose([r.limits for r in own.rows], [(0.62, 0.91), (0.41, 0.6)], rtol=1e-5)
    common = montage_of(recording, [STEP_1, later], row_range="common", **extremes)
    np.testing.assert_allclose([r.limits for r in common.rows], [(0.41, 0.91)] * 2, rtol=1e-5)


def test_the_alloyed_share_is_that_of_the_onset_map():
    times = np.arange(40.0)
    onsets = np.linspace(12, 28, SHAPE[1])
    fall = np.where(times[:, None, None] >= onsets, 400.0, 1000.0) * np.ones((1, SHAPE[0], 1))
    recording = recording_of(times).replace(frames=da.from_array(fall + DARK, chunks=(1, -1, -1)))
    work = onset_map(recording, 9, 38, dark=DARK)
    montage = montage_of(recording, [STEP_1], {STEP_1.key: finish(work)}, interval_s=8)
    np.testing.assert_allclose(montage.rows[0].times_s, [9, 17, 25, 33])
    np.testing.assert_allclose(montage.rows[0].alloyed, [0, 0.3, 0.8, 1], atol=0.1)
    assert montage.rows[0].alloyed_labels[-1] == "alloyed 100 %"


def test_without_an_onset_map_the_alloyed_share_is_not_known():
    row = montage_of(recording_of(1000 - np.arange(60.0)), [STEP_1]).rows[0]
    assert np.isnan(row.alloyed).all()
    assert row.alloyed_labels == [""] * 6


def test_large_frames_are_binned_and_their_pixels_grow():
    montage = montage_of(recording_of(1000 - np.arange(60.0)), [STEP_1], largest_side_px=5)
    assert montage.rows[0].images.shape == (6, 4, 5)
    assert montage.pixel_size_um == pytest.approx(0.2)


def test_binning_is_the_mean_of_blocks():
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    np.testing.assert_allclose(binned(image, 2), [[3, 5], [13, 15]])


def test_the_tiled_image_is_dark_where_a_row_is_darkest_and_white_between():
    recording = recording_of(1000 - np.arange(60.0))
    short = Stage(kind=StageKind.SEI, start_s=2, end_s=4)
    tiled = montage_image(montage_of(recording, [short, STEP_1], low_percentile=0))
    assert tiled.dtype == np.uint8
    assert tiled.shape == (2 * 8 + 1, 6 * 10 + 5)
    assert (tiled[8] == 255).all()
    assert (tiled[:8, 33:] == 255).all()
    assert (tiled[9:, -10:] == 0).all()
    assert (tiled[9:, :10] == 255).all()


def test_a_row_without_contrast_is_grey_and_pixels_without_a_reference_have_no_value():
    still = montage_of(recording_of(np.full(60, 1000.0)), [STEP_1]).rows[0]
    assert (still.grey() == 127).all()
    blind = recording_of(np.full(60, 1000.0))
    blind = blind.replace(dark_counts=np.where(np.eye(*SHAPE), 2000.0, DARK))
    row = montage_of(blind, [STEP_1]).rows[0]
    assert row.images.shape == (6, *SHAPE)
    assert np.isnan(row.images[0]).sum() == min(SHAPE)


def test_a_stage_without_frames_has_no_row():
    nothing = Stage(kind=StageKind.DEPOSITION, start_s=100, end_s=120)
    recording = recording_of(1000 - np.arange(60.0))
    assert [r.label for r in montage_of(recording, [STEP_1, nothing]).rows] == ["step 1"]
    with pytest.raises(AlloyError, match="no frame lies in any of the stages"):
        montage_of(recording, [nothing])


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"n_frames": 0}, "n_frames is 0"),
        ({"interval_s": 0.0}, "interval is 0 s"),
        ({"low_percentile": 60, "high_percentile": 40}, "percentiles are 60 and 40"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, sentence):
    with pytest.raises(AlloyError, match=sentence):
        MontageParameters(**parameters)
