"""Epi laid on trans, and pictures from elsewhere by landmarks: planted maps come out."""

import functools

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import recording_of, rendered
from scipy import ndimage

from napari_lithium_alloy.core import change_images
from napari_lithium_alloy.core.alignment import (
    Alignment,
    AlignmentParameters,
    align_landmarks,
    align_recordings,
    corrected_alignment,
)
from napari_lithium_alloy.core.change_images import common_times
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.synthetic import ag_parameters, au_parameters, make_recording

PIXEL_UM = 0.065
QUICK = AlignmentParameters(most_times=32)
OFFSET_PX = np.array([2.3, -1.7])
DRIFT = {"drift_px_per_min": (7.0, 5.0), "walk_px": 0.15, "room_px": 64}


def pair(**changes):
    base = ag_parameters if changes.pop("silver", False) else au_parameters
    made = make_recording(base(**changes))
    return made.trans, made.epi


@pytest.fixture(scope="module")
def gold():
    return tuple(rendered(r) for r in pair(seed=5))


def off_px(alignment: Alignment) -> float:
    """Largest error of the planted offset at the picture's centre."""
    return float(np.abs(alignment.shift_um / PIXEL_UM + OFFSET_PX).max())


def with_frames(recording, frames, **changes):
    return recording.replace(
        frames=da.from_array(frames, chunks=(1, -1, -1)),
        window=lambda t, y, x: frames[t, y, x],
        **changes,
    )


def resampled(recording, linear):
    """Each frame that is read with pixel x showing what was at linear @ (x - centre) + centre."""
    centre = (np.array(recording.field_shape) - 1) / 2

    @functools.cache
    def frame(t):
        counts = recording.read(t).astype("f4")
        return ndimage.affine_transform(counts, linear, centre - linear @ centre, mode="nearest")

    return recording.replace(window=lambda t, y, x: frame(t)[y, x])


def steadied(recording, drift_px):
    """Frames shifted back, only those that are read, with the field common to all."""
    frames = {}

    def window(t, y, x):
        if t not in frames:
            frames[t] = ndimage.shift(recording.read(t).astype("f4"), -drift_px[t], mode="nearest")
        return frames[t][y, x]

    low, high = np.ceil(-drift_px.min(axis=0)) + 2, np.ceil(drift_px.max(axis=0)) + 2
    common = np.zeros(recording.field_shape, dtype=bool)
    rows, columns = np.array(recording.field_shape) - high.astype(int)
    common[max(int(low[0]), 0) : rows, max(int(low[1]), 0) : columns] = True
    return recording.replace(window=window, common=common)


def turn(degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def test_the_offset_of_epi_is_found_to_a_tenth_of_a_pixel_and_the_field_is_the_same(gold):
    alignment = finish(align_recordings(*gold))
    assert off_px(alignment) < 0.1
    assert alignment.same_field is True
    assert alignment.correlation > 0.9
    np.testing.assert_array_equal(alignment.affine[:2, :2], np.eye(2))
    assert 0 < alignment.sd_um.max() / PIXEL_UM < 0.1
    assert "show the same field" in alignment.note


@pytest.mark.parametrize(
    "changes",
    [
        {"photo_electrons": 2600 / 16, "bits": 16, "flicker": 0.006},
        {"dust": 12, "dust_on": "sensor", "jump_px": (4.0, -4.5), "jump_s": 80.0, **DRIFT},
        {"silver": True, "cycles": 1},
    ],
    ids=["noise", "drift, dust", "silver"],
)
def test_noise_dust_and_drift_do_not_move_it(changes):
    alignment = finish(align_recordings(*pair(seed=6, **changes), QUICK))
    assert off_px(alignment) < 0.1
    assert alignment.same_field is True


def test_the_map_takes_epi_to_trans_and_its_inverse_back(gold):
    trans, epi = gold
    there, back = (finish(align_recordings(*p, QUICK)) for p in ((trans, epi), (epi, trans)))
    points = np.array([[0.0, 0.0], [3.0, 5.0]])
    np.testing.assert_allclose(back.apply(there.apply(points)), points, atol=0.1 * PIXEL_UM)
    np.testing.assert_allclose(there.inverse @ there.affine, np.eye(3), atol=1e-12)


def test_a_rotation_is_found_to_a_twentieth_of_a_degree(gold):
    trans, epi = gold
    rigid = AlignmentParameters(kind="rigid", most_times=32)
    alignment = finish(align_recordings(trans, resampled(epi, turn(-3.3)), rigid))
    assert alignment.rotation_deg == pytest.approx(-3.3, abs=0.05)
    assert off_px(alignment) < 0.1
    assert alignment.scale == pytest.approx(1, abs=1e-9)
    assert 0 < alignment.rotation_sd_deg < 0.1


def test_a_stretched_picture_is_found_by_an_affine_map(gold):
    trans, epi = gold
    linear = np.array([[1.01, 0.004], [0.0, 0.985]])
    affine = AlignmentParameters(kind="affine", most_rotation_deg=0, most_times=32)
    alignment = finish(align_recordings(trans, resampled(epi, linear), affine))
    np.testing.assert_allclose(alignment.affine[:2, :2], linear, atol=2e-3)
    assert off_px(alignment) < 0.1


def test_pixels_of_another_size_and_a_smaller_field(gold):
    trans, epi = gold
    zoom, shape = 1.04, (150, 160)
    frames = np.stack(
        [
            ndimage.affine_transform(
                epi.read(t).astype("f4"), np.full(2, zoom), (12.0, 8.0), shape, mode="nearest"
            )
            for t in range(epi.n_frames)
        ]
    )
    other = with_frames(epi, frames, pixel_size_um=PIXEL_UM * zoom)
    alignment = finish(align_recordings(trans, other, QUICK))
    planted_um = PIXEL_UM * (np.array([12.0, 8.0]) - OFFSET_PX)
    np.testing.assert_allclose(alignment.affine[:2, 2], planted_um, atol=0.1 * PIXEL_UM)
    assert alignment.same_field is True


def test_a_large_field_is_binned_and_still_found_to_a_fraction_of_its_pixels(gold, monkeypatch):
    monkeypatch.setattr(change_images, "MOST_SIDE_PX", 64)
    alignment = finish(align_recordings(*gold, QUICK))
    assert off_px(alignment) < 0.1
    assert alignment.same_field is True


def test_pictures_with_their_drift_taken_out_lie_on_each_other_where_all_frames_show_the_film():
    made = make_recording(au_parameters(seed=6, dust=12, dust_on="sensor", **DRIFT))
    steady = [
        steadied(recording, drift)
        for recording, drift in (
            (made.trans, made.truth.drift_px),
            (made.epi, made.truth.epi_drift_px),
        )
    ]
    alignment = finish(align_recordings(*steady, QUICK))
    assert off_px(alignment) < 0.1
    assert alignment.same_field is True


def test_another_sample_is_not_the_same_field_though_dust_and_times_agree():
    trans, _ = pair(seed=6, dust=12, dust_on="sensor")
    _, epi = pair(seed=7, dust=12, dust_on="sensor")
    alignment = finish(align_recordings(trans, epi, QUICK))
    assert alignment.same_field is False
    assert "not the same field" in alignment.note


def test_a_recording_in_which_nothing_changes_tells_nothing(gold):
    rng = np.random.default_rng(0)
    still = recording_of(rng.poisson(1000, (20, 192, 192)).astype("u2"), mode="epi")
    alignment = finish(align_recordings(gold[0], still, QUICK))
    assert alignment.same_field is None
    assert "Too little changes" in alignment.note


def test_times_are_true_times_and_too_few_are_refused(gold):
    trans, epi = gold
    times = common_times(trans, epi, 64)
    assert len(times) == 64
    assert np.isin(times, epi.times_s).all()
    later = epi.replace(times_s=epi.times_s + trans.times_s[-1] - 5)
    with pytest.raises(AlloyError, match="share only 2 times"):
        finish(align_recordings(trans, later))
    with pytest.raises(AlloyError, match="pixel size"):
        finish(align_recordings(trans, epi.replace(pixel_size_um=None)))


def test_frames_are_not_interpolated_across_a_pause(gold):
    trans, epi = gold
    keep = (trans.times_s < 60) | (trans.times_s > 120)
    frames = np.stack([trans.read(int(t)) for t in np.flatnonzero(keep)])
    paused = with_frames(trans, frames, times_s=trans.times_s[keep])
    times = common_times(paused, epi, 1000)
    assert not ((times > 62) & (times < 118)).any()
    assert off_px(finish(align_recordings(paused, epi, QUICK))) < 0.1


def test_drift_taken_out_of_each_changes_the_map_by_what_lies_between_their_first_frames():
    made = make_recording(au_parameters(seed=6, epi_start_s=20.0, **DRIFT))
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    raw = align_landmarks(points + OFFSET_PX * PIXEL_UM, points)
    own, other = made.truth.drift_px, made.truth.epi_drift_px - made.truth.epi_drift_px[0]
    steady = corrected_alignment(raw, made.trans, own, made.epi, other)
    between = np.array([np.interp(20.0, made.trans.times_s, d) for d in own.T])
    expected = -(OFFSET_PX + between) * PIXEL_UM
    assert np.abs(between).max() > 2
    np.testing.assert_allclose(steady.shift_um, expected, atol=0.02 * PIXEL_UM)


POINTS = np.array([[1.0, 2.0], [40.0, 5.0], [33.0, 50.0], [8.0, 41.0], [20.0, 22.0]])


@given(
    st.floats(-180, 180), st.floats(0.2, 5.0), st.floats(-100, 100),
    st.sampled_from(["rigid", "similarity", "affine"]),
)  # fmt: skip
def test_exact_landmarks_give_the_exact_map(degrees, scale, shift, kind):
    linear = turn(degrees) * (1 if kind == "rigid" else scale)
    if kind == "affine":
        linear = linear @ np.array([[1.0, 0.3], [0.0, -0.8]])
    fixed = POINTS @ linear.T + [shift, 7.0]
    alignment = align_landmarks(POINTS, fixed, kind)
    np.testing.assert_allclose(alignment.apply(POINTS), fixed, atol=1e-9 * 1e3)
    np.testing.assert_allclose(alignment.affine[:2, :2], linear, atol=1e-9)
    assert alignment.residual_um.max() < 1e-6
    assert alignment.left_out_um.max() < 1e-6
    assert alignment.same_field is None


def test_a_similarity_is_the_best_of_all_near_it():
    rng = np.random.default_rng(1)
    fixed = POINTS @ (1.3 * turn(20)).T + rng.normal(0, 1, POINTS.shape)
    best = align_landmarks(POINTS, fixed, "similarity")
    least = (best.residual_um**2).sum()
    for change in rng.normal(0, 0.01, (200, 4)):
        a, b = best.affine[0, 0] + change[0], best.affine[1, 0] + change[1]
        tried = POINTS @ np.array([[a, -b], [b, a]]).T + best.affine[:2, 2] + change[2:]
        assert ((tried - fixed) ** 2).sum() >= least


def test_a_rigid_map_is_never_mirrored():
    alignment = align_landmarks(POINTS, POINTS * [1, -1], "rigid")
    assert np.linalg.det(alignment.affine[:2, :2]) == pytest.approx(1)


def test_points_left_out_tell_the_error_that_residuals_hide():
    rng = np.random.default_rng(2)
    residual, left_out, true = [], [], []
    for _ in range(200):
        fixed = POINTS[:4] + rng.normal(0, 0.5, (4, 2))
        alignment = align_landmarks(POINTS[:4], fixed, "affine")
        residual.append(alignment.residual_um**2)
        left_out.append(alignment.left_out_um**2)
        true.append((alignment.apply(POINTS[4:]) - POINTS[4:]) ** 2)
    assert np.mean(residual) < 0.3 * 2 * 0.5**2
    assert np.mean(left_out) > 2 * 0.5**2
    assert align_landmarks(POINTS[:4], fixed, "affine").note.endswith("for a point left out.")


def test_the_standard_deviation_of_the_middle_is_right():
    rng = np.random.default_rng(3)
    offs, said = [], []
    for _ in range(400):
        alignment = align_landmarks(POINTS, POINTS + rng.normal(0, 0.5, POINTS.shape), "rigid")
        offs.append(alignment.shift_um)
        said.append(alignment.sd_um[0] ** 2)
    assert np.sqrt(np.mean(said)) == pytest.approx(np.std(offs), rel=0.1)


def test_too_few_points_have_no_error_and_say_so():
    alignment = align_landmarks(POINTS[:3], POINTS[:3] + 1.0, "affine")
    assert np.isnan(alignment.left_out_um).all()
    assert np.isnan(alignment.sd_um).all()
    assert "too few points" in alignment.note


@pytest.mark.parametrize(
    ("moving", "fixed", "kind", "said"),
    [
        (POINTS[:1], POINTS[:1], "rigid", "at least 2 pairs"),
        (POINTS[:2], POINTS[:2], "affine", "at least 3 pairs"),
        (POINTS[:3], POINTS[:2], "rigid", "3 points on the moving picture and 2"),
        (np.ones((3, 2)), POINTS[:3], "rigid", "moving picture lie in one place"),
        (POINTS, np.outer(np.arange(5), [1.0, 2.0]), "affine", "fixed picture lie on one line"),
        (POINTS * np.nan, POINTS, "affine", "no position"),
    ],
)
def test_points_that_do_not_tell_a_map_are_refused(moving, fixed, kind, said):
    with pytest.raises(AlloyError, match=said):
        align_landmarks(moving, fixed, kind)
