"""R of two steps when the boundary between them is moved."""

import numpy as np
import pytest
from planted import planted, recording_of

from napari_lithium_alloy.core.binning import binned
from napari_lithium_alloy.core.boundary_shifts import boundary_shifts, moved
from napari_lithium_alloy.core.complementarity import ComplementarityParameters
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of
from napari_lithium_alloy.core.step_onsets import onset_maps
from napari_lithium_alloy.core.synthetic import au_parameters


def step(number, start_s, end_s):
    return Stage(kind=StageKind.ALLOYING, step=number, start_s=start_s, end_s=end_s)


def test_only_boundaries_between_steps_move():
    steps = [step(1, 10, 20), step(2, 21, 30), step(3, 30, 40)]
    assert [(s.start_s, s.end_s) for s in moved(steps, 4)] == [(10, 24), (25, 34), (34, 40)]
    assert moved(steps, -10) is None
    assert moved(steps[:1], 4) == steps[:1]


@pytest.fixture(scope="module")
def film():
    made, experiment = planted(
        au_parameters(
            seed=4,
            shape=(96, 96),
            count=3,
            correlation_um=0.5,
            deposition_s=12.0,
            dissolution_s=12.0,
        )
    )
    return experiment.recordings[0], stages_of(made.experiment.stages, StageKind.ALLOYING)


def test_r_of_complementary_steps_stays_when_the_boundary_is_moved(film):
    recording, steps = film
    table = finish(boundary_shifts(recording, steps))
    assert table["shift_s"].tolist() == [-4, -2, 0, 2, 4]
    assert (table["pearson_r"] < -0.7).all()
    assert np.ptp(table["pearson_r"]) < 0.05
    assert (table["pearson_r"] < table["null_low"]).all()
    assert set(table["a"]) == {"cycle1_step1_onset"}
    assert set(table["b"]) == {"cycle1_step2_onset"}


def test_without_two_steps_or_room_for_the_shift_there_is_no_r(film):
    recording, steps = film
    assert not len(finish(boundary_shifts(recording, steps[:1])))
    none = ComplementarityParameters(boundary_shift_s=0.0)
    assert not len(finish(boundary_shifts(recording, steps, comparison=none)))
    far = ComplementarityParameters(boundary_shift_s=300.0)
    table = finish(boundary_shifts(recording, steps, comparison=far)).set_index("shift_s")
    assert np.isnan(table.loc[300.0, "pearson_r"])
    assert "fewer than 4 frames" in table.loc[300.0, "reason"]
    assert table["n_px"].isna().sum() == 4


def test_large_fields_are_looked_at_in_squares(film, monkeypatch):
    recording, steps = film
    whole = finish(boundary_shifts(recording, steps))
    monkeypatch.setattr("napari_lithium_alloy.core.boundary_shifts.SIDE_PX", 48)
    squares = finish(boundary_shifts(recording, steps))
    assert squares["shift_s"].tolist() == [-4, -2, 0, 2, 4]
    np.testing.assert_allclose(squares["pearson_r"], whole["pearson_r"], atol=0.05)
    assert (squares["n_px"] < whole["n_px"] / 3.5).all()
    assert (squares["pearson_r"] < squares["null_low"]).all()


def test_squares_are_larger_where_the_maps_show_no_fine_structures(film, monkeypatch):
    made, experiment = planted(
        au_parameters(
            seed=4,
            shape=(144, 144),
            count=3,
            correlation_um=1.3,
            deposition_s=12.0,
            dissolution_s=12.0,
        )
    )
    smooth = experiment.recordings[0], stages_of(made.experiment.stages, StageKind.ALLOYING)
    for (recording, steps), sides in ((film, (2, 2)), (smooth, (2, 3))):
        maps = {stage.key: onset for stage, onset in finish(onset_maps(recording, steps)).items()}
        whole = finish(boundary_shifts(recording, steps, known=maps))
        n = min(recording.field_shape)
        for known, side in zip(({}, maps), sides, strict=True):
            with monkeypatch.context() as patch:
                patch.setattr("napari_lithium_alloy.core.boundary_shifts.SIDE_PX", n // 2)
                patch.setattr("napari_lithium_alloy.core.boundary_shifts.COARSE_SIDE_PX", n // 4)
                table = finish(boundary_shifts(recording, steps, known=known))
            assert table["n_px"].tolist() == [(n // side) ** 2] * 5
            np.testing.assert_allclose(table["pearson_r"], whole["pearson_r"], atol=0.03)
            np.testing.assert_allclose(table["null_high"], whole["null_high"], atol=0.05)


def test_a_recording_in_squares_is_the_mean_light_of_their_field():
    rng = np.random.default_rng(1)
    counts = rng.integers(100, 4000, (6, 9, 11)).astype(np.uint16)
    valid = rng.random((9, 11)) < 0.7
    valid[:3, :3] = False
    recording = recording_of(counts, np.arange(6.0) ** 1.1, dark_counts=90.0)
    small, field = finish(binned(recording, np.arange(1, 5), 3, dark=90.0, valid=valid))
    assert small.pixel_size_um == pytest.approx(0.195)
    assert small.times_s.tolist() == recording.times_s[1:5].tolist()
    for y, x in np.ndindex(3, 3):
        square = np.s_[3 * y : 3 * y + 3, 3 * x : (11 if x == 2 else 3 * x + 3)]
        inside = valid[square]
        assert field[y, x] == (inside.mean() > 0.5)
        expected = (counts[1:5] - 90.0)[:, *square][:, inside]
        seen = np.array([small.read(t, slice(y, y + 1), slice(x, x + 1)) for t in range(4)])
        if inside.any():
            np.testing.assert_allclose(seen.ravel(), expected.mean(axis=1), rtol=1e-5)
            np.testing.assert_array_equal(np.asarray(small.frames)[:, y, x], seen.ravel())
        else:
            assert np.isnan(seen).all()
