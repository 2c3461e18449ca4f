"""Transmittance, absorbance and reflectance against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import recording_of

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import (
    NormalizationParameters,
    absorbance,
    dark_level,
    normalize,
    normalized_absorbance,
    quantities_of,
    reference_frame,
    relative_reflectance,
    transmittance,
)

RNG = np.random.default_rng(1)
COUNTS = RNG.integers(400, 3000, (9, 4, 5)).astype(np.uint16)
CELL = recording_of(COUNTS, dark_counts=100.0)


def test_the_reference_is_the_mean_before_current_flows():
    reference = reference_frame(CELL, current_starts_s=3.0)
    assert reference.frames.tolist() == [0, 1, 2]
    assert np.allclose(reference.image, COUNTS[:3].mean(axis=0) - 100)
    assert reference.note == "Reference: the 3 frames before current flows."


def test_without_rest_it_is_the_first_frames_and_says_so():
    for starts in (None, 0.0):
        reference = reference_frame(CELL, current_starts_s=starts)
        assert reference.frames.tolist() == [0, 1, 2, 3, 4]
        assert "first 5 frames" in reference.note
        assert "SEI is in it" in reference.note
    few = reference_frame(CELL, NormalizationParameters(reference_frames=99))
    assert few.frames.size == 9


def test_a_range_given_wins_over_the_start_of_current():
    parameters = NormalizationParameters(reference_start_s=4, reference_end_s=5.5)
    reference = reference_frame(CELL, parameters, current_starts_s=2.0)
    assert reference.frames.tolist() == [4, 5]
    open_end = NormalizationParameters(reference_start_s=7)
    assert reference_frame(CELL, open_end).frames.tolist() == [7, 8]
    with pytest.raises(AlloyError, match=r"no frame lies in the reference range .* from 0 to 8 s"):
        reference_frame(CELL, NormalizationParameters(reference_start_s=50))


def test_an_unknown_dark_level_is_taken_as_zero_and_said():
    unknown = recording_of(COUNTS, dark_counts=None)
    assert "dark level is not known and taken as 0" in reference_frame(unknown).note
    assert "dark" not in reference_frame(CELL).note
    assert dark_level(unknown) == 0
    assert dark_level(CELL, 40.0) == 40
    assert dark_level(CELL, 0.0) == 0


def test_a_dark_level_above_the_picture_is_an_error():
    with pytest.raises(AlloyError, match="not below the picture; give a smaller dark"):
        reference_frame(recording_of(COUNTS, dark_counts=5000.0))


def test_transmittance_and_absorbance_are_their_definitions():
    reference = reference_frame(CELL, current_starts_s=2.0)
    lit = COUNTS[:2].mean(axis=0) - 100
    ratio = (COUNTS - 100.0) / lit
    assert np.allclose(transmittance(CELL, reference), ratio, rtol=1e-5)
    assert np.allclose(absorbance(CELL, reference), -np.log10(ratio), atol=1e-6)
    assert transmittance(CELL, reference).max() > 1
    assert transmittance(CELL, reference).dtype == np.float32


def test_a_dark_frame_is_taken_from_each_pixel():
    dark = RNG.uniform(50, 150, (4, 5))
    cell = recording_of(COUNTS, dark_counts=dark)
    reference = reference_frame(cell, current_starts_s=1.0)
    assert np.allclose(transmittance(cell, reference)[0], 1)
    assert np.allclose(transmittance(cell, reference), (COUNTS - dark) / (COUNTS[0] - dark))


def test_where_no_light_is_left_absorbance_is_not_known():
    counts = np.full((3, 4, 4), 1000, np.uint16)
    counts[2, 1, 1] = 100
    counts[2, 2, 2] = 60
    counts[:, 3, 3] = 90
    cell = recording_of(counts, dark_counts=100.0)
    reference = reference_frame(cell, current_starts_s=2.0)
    assert np.isnan(reference.image[3, 3])
    last = np.asarray(absorbance(cell, reference)[2])
    assert np.isnan(last[[1, 2, 3], [1, 2, 3]]).all()
    assert np.isfinite(last).sum() == 13
    assert last[0, 0] == 0


def test_nothing_is_computed_until_asked_for():
    read = []

    def frame(block):
        read.append(block.shape)
        return block

    cell = CELL.replace(frames=CELL.frames.map_blocks(frame, dtype=np.uint16, meta=COUNTS[:0]))
    stack = transmittance(cell, reference_frame(CELL))
    assert not read
    assert np.asarray(stack[4]).shape == (4, 5)
    assert read == [(1, 4, 5)]


def test_normalized_absorbance_runs_from_zero_to_one_over_the_range():
    level = np.array([0, 0, 0, 0.05, 0.1, 0.15, 0.2, 0.2, 0.2])
    counts = (2000 * 10**-level)[:, None, None] * np.ones((9, 4, 4))
    cell = recording_of(counts.astype(np.float32))
    reference = reference_frame(cell, current_starts_s=2.0)
    stack = np.asarray(normalized_absorbance(cell, reference, 0, 8))
    assert np.allclose(stack, (level / 0.2)[:, None, None], atol=1e-5)
    part = np.asarray(normalized_absorbance(cell, reference, 2, 6, level_frames=1))
    assert np.allclose(part[[2, 4, 6], 0, 0], [0, 0.5, 1], atol=1e-5)
    with pytest.raises(AlloyError, match="does not change between 0 and 2 s"):
        normalized_absorbance(cell, reference, 0, 2)
    with pytest.raises(AlloyError, match="fewer than two frames"):
        normalized_absorbance(cell, reference, 20, 30)


def test_its_ends_are_medians_and_no_extremes():
    level = np.array([0, 0, 0.5, 0, 0.1, 0.2, 0.9, 0.2, 0.2])
    counts = (2000 * 10**-level)[:, None, None] * np.ones((9, 4, 4))
    cell = recording_of(counts.astype(np.float32))
    reference = reference_frame(cell, current_starts_s=2.0)
    stack = np.asarray(normalized_absorbance(cell, reference, 0, 8))
    assert stack[0, 0, 0] == pytest.approx(0, abs=1e-5)
    assert stack[8, 0, 0] == pytest.approx(1, abs=1e-5)
    assert stack[6, 0, 0] > 4


def test_epi_has_a_reflectance_and_no_absorbance():
    epi = CELL.replace(mode="epi")
    reference = reference_frame(epi, current_starts_s=1.0)
    assert np.allclose(relative_reflectance(epi, reference)[0], 1)
    for function in (transmittance, absorbance):
        with pytest.raises(AlloyError, match="epi recording"):
            function(epi, reference)
    with pytest.raises(AlloyError, match="trans recording"):
        relative_reflectance(CELL, reference)
    assert quantities_of("epi") == ("relative_reflectance",)
    assert "relative_reflectance" not in quantities_of("trans")
    assert len(quantities_of(None)) == 4
    for quantity in ("absorbance", "normalized_absorbance"):
        with pytest.raises(AlloyError, match="defined for trans only"):
            normalize(epi, reference, quantity)


def test_normalize_gives_each_quantity():
    reference = reference_frame(CELL)
    pairs = [
        (normalize(CELL, reference, "transmittance"), transmittance(CELL, reference)),
        (
            normalize(CELL, reference, "normalized_absorbance"),
            normalized_absorbance(CELL, reference, 0, 8),
        ),
    ]
    for given_, expected in pairs:
        assert np.array_equal(np.asarray(given_), np.asarray(expected))


@given(st.floats(0.05, 20), st.floats(0, 80))
@settings(max_examples=40, deadline=None)
def test_the_lamps_brightness_and_the_dark_level_drop_out(gain, dark):
    light = COUNTS.astype(float) - 350
    cell = recording_of((gain * light + dark).astype(np.float32), dark_counts=dark)
    stack = transmittance(cell, reference_frame(cell, current_starts_s=1.0))
    assert np.allclose(stack, light / light[0], rtol=2e-3)
