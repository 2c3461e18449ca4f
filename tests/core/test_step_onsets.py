"""Neighbouring steps told apart in each pixel: planted truth, wrong boundaries, shared noise."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import recording_of
from scipy.special import ndtr

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetParameters, OnsetReason, onset_map
from napari_lithium_alloy.core.onset_light import window_light
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.step_boundaries import step_frames
from napari_lithium_alloy.core.step_onsets import neighbours, onset_maps
from napari_lithium_alloy.core.step_plateaus import Chain
from napari_lithium_alloy.core.synthetic.fields import gaussian_field, ranks, stream

SHAPE = (48, 52)
WIDTHS_S = (0.9, 1.9)
AMPLITUDES = (0.5, 0.28)
"""Natural logarithms, as gold's two steps."""


def step(number, start_s, end_s, kind="alloying", cycle=1):
    return Stage(kind=kind, step=number, cycle=cycle, start_s=start_s, end_s=end_s)


def fields(seed, spans, shape=SHAPE):
    """Unrelated onset maps, ranks of smooth fields spread over each span."""
    return [
        low + (high - low) * ranks(gaussian_field(stream(seed, "field", i), shape, 12.0))
        for i, (low, high) in enumerate(spans)
    ]


def light(times_s, onsets, amplitudes=AMPLITUDES, widths_s=WIDTHS_S, sign=1, bright=2000.0):
    """(T, Y, X) expected counts of pixels that darken (or brighten) in steps."""
    since = [times_s[:, np.newaxis, np.newaxis] - onset for onset in onsets]
    parts = [a * ndtr(s / w) for s, a, w in zip(since, amplitudes, widths_s, strict=True)]
    return bright * np.exp(-sign * sum(parts))


def noisy(counts, seed=0):
    return np.random.default_rng(seed).poisson(counts).astype(np.uint16)


TIMES = np.arange(80.0)
SPANS = ((8.0, 36.0), (48.0, 68.0))
BOUNDARY_S = 42.0


def two_steps(boundary_s, kind="alloying", end_s=76.0):
    return [step(1, 5.0, boundary_s, kind), step(2, boundary_s, end_s, kind)]


@pytest.fixture(scope="module")
def unrelated():
    onsets = fields(3, SPANS)
    return recording_of(noisy(light(TIMES, onsets)), TIMES), onsets


@pytest.mark.parametrize("shift_s", [-10.0, -6.0, 0.0, 6.0])
def test_a_wrong_boundary_changes_no_onset(unrelated, shift_s):
    recording, onsets = unrelated
    maps = finish(onset_maps(recording, two_steps(BOUNDARY_S + shift_s)))
    for found, onset, most in zip(maps.values(), onsets, (0.12, 0.2), strict=True):
        assert found.reached.all()
        assert np.abs(found.onset_s - onset).mean() < most
        assert np.abs(found.onset_s - onset).max() < 2.0


def test_alone_the_tail_of_a_step_is_the_onset_of_the_next(unrelated):
    """What the maps of two stages make of the same boundary when neither knows of the other."""
    recording, onsets = unrelated
    _, second = two_steps(BOUNDARY_S - 10)
    found = finish(onset_map(recording, second.start_s, second.end_s))
    assert np.nanmax(np.abs(found.onset_s - onsets[1])) > 10
    assert np.nanmean(np.abs(found.onset_s - onsets[1])) > 1


def test_dealloying_steps_are_told_apart_too():
    onsets = fields(4, SPANS)
    recording = recording_of(noisy(light(TIMES, onsets, sign=-1, bright=900)), TIMES)
    maps = finish(onset_maps(recording, two_steps(BOUNDARY_S - 8, "dealloying")))
    for found, onset, most in zip(maps.values(), onsets, (0.15, 0.3), strict=True):
        assert found.polarity == "brightens"
        assert found.reached.all()
        assert np.abs(found.onset_s - onset).mean() < most


def test_steps_of_all_pixels_alike_keep_their_onsets():
    """As silver's first two: each takes nearly all of its stage."""
    times = np.arange(0.0, 160.0, 4.0)
    onsets = [np.full(SHAPE, 44.5), np.full(SHAPE, 91.5), fields(5, [(114.0, 140.0)])[0]]
    counts = light(times, onsets, (0.2, 0.16, 0.3), (13.0, 8.0, 2.0))
    recording = recording_of(noisy(counts), times)
    for shift_s in (-6.0, 0.0, 6.0):
        stages = [step(1, 16, 72 + shift_s), step(2, 74 + shift_s, 109), step(3, 110, 152)]
        maps = finish(onset_maps(recording, stages))
        for found, onset, most in zip(maps.values(), onsets, (1.0, 1.0, 0.3), strict=True):
            assert found.reached.all()
            assert np.abs(found.onset_s - onset).mean() < most


def test_a_place_without_the_first_step_has_the_second():
    onsets = fields(6, SPANS)
    first = np.full(SHAPE, AMPLITUDES[0])
    first[:, :26] = 0
    recording = recording_of(noisy(light(TIMES, onsets, (first, AMPLITUDES[1]))), TIMES)
    one, two = finish(onset_maps(recording, two_steps(BOUNDARY_S))).values()
    assert (one.reason[:, :22] == OnsetReason.WITHIN_NOISE).mean() > 0.95
    assert one.reached[:, 30:].all()
    assert two.reached[:, :22].all()
    assert np.abs(two.onset_s - onsets[1])[:, :22].mean() < 0.25


def test_steps_that_run_into_each_other_are_not_told_apart_and_say_so():
    onsets = fields(7, SPANS)
    onsets[0][:, :20] += 12.0
    onsets[1][:, :20] = onsets[0][:, :20] + 2.0
    recording = recording_of(noisy(light(TIMES, onsets)), TIMES)
    maps = finish(onset_maps(recording, two_steps(BOUNDARY_S)))
    first = onsets[0][:, :16]
    for found in maps.values():
        joined = found.reason[:, :16] == OnsetReason.NOT_TOLD_APART
        assert joined[(first > 38) & (first < 42)].mean() > 0.9
        assert joined[first < 28].mean() == 0
        assert found.reached[:, 26:].all()
        unclear = found.reason == OnsetReason.NOT_TOLD_APART
        assert np.isnan(found.onset_s[unclear]).all()
        assert np.isnan(found.rise_time_s[unclear]).all()
        assert found.reasons()["not told apart from the neighbouring step"] == unclear.sum()


def test_glass_and_pores_do_not_spoil_their_surroundings():
    onsets = fields(8, SPANS)
    counts = light(TIMES, onsets)
    counts[:, :, 45:] = 3800
    counts[50:, 10:14, 10:14] = 3800
    valid = np.ones(SHAPE, bool)
    valid[:, 45:] = False
    maps = finish(
        onset_maps(recording_of(noisy(counts), TIMES), two_steps(BOUNDARY_S - 8), valid=valid)
    )
    film = valid.copy()
    film[4:20, 4:20] = False
    for found, onset in zip(maps.values(), onsets, strict=True):
        assert (found.reason[~valid] == OnsetReason.OUTSIDE).all()
        assert found.reached[film].all()
        assert np.abs(found.onset_s - onset)[film].mean() < 0.25


def test_uneven_frames_and_a_pause_between_the_steps_keep_their_times():
    rng = np.random.default_rng(1)
    times = np.concatenate([np.arange(44.0), 56 + np.arange(36.0)])
    times[1:-1] += rng.uniform(-0.3, 0.3, len(times) - 2)
    onsets = fields(9, [(8.0, 36.0), (62.0, 82.0)])
    recording = recording_of(noisy(light(times, onsets)), times)
    maps = finish(onset_maps(recording, [step(1, 5.0, 44.0), step(2, 55.0, 91.0)]))
    for found, onset in zip(maps.values(), onsets, strict=True):
        assert found.reached.all()
        assert np.abs(found.onset_s - onset).mean() < 0.25


def test_steps_with_a_long_rest_between_them_stand_alone():
    """The lamp came back a tenth brighter."""
    times = np.concatenate([np.arange(44.0), 644 + np.arange(36.0)])
    onsets = fields(9, [(8.0, 36.0), (650.0, 670.0)])
    counts = light(times, onsets)
    counts[44:] *= 1.1
    stages = [step(1, 5.0, 43.0), step(2, 644.0, 679.0)]
    maps = finish(onset_maps(recording_of(noisy(counts), times), stages))
    for found, onset in zip(maps.values(), onsets, strict=True):
        assert found.reached.all()
        assert np.abs(found.onset_s - onset).mean() < 0.25


def test_maps_of_neighbours_share_no_noise():
    """All pixels rise at the same times, so that nothing but noise differs between them."""
    onsets = [np.full((96, 96), 12.0), np.full((96, 96), 27.0)]
    counts = light(np.arange(40.0), onsets, bright=1500.0)
    recording = recording_of(noisy(counts, 5))
    stages = [step(1, 4.0, 19.5), step(2, 19.5, 36.0)]
    how = OnsetParameters(smoothing_px=0.0, smoothing_frames=0.8)
    apart = [m.onset_s for m in finish(onset_maps(recording, stages, how)).values()]
    alone = [finish(onset_map(recording, s.start_s, s.end_s, how)).onset_s for s in stages]
    chance = 4 / np.sqrt(96 * 96)
    assert abs(_r(*apart)) < chance
    assert _r(*alone) > 2 * chance


def _r(a, b):
    known = np.isfinite(a) & np.isfinite(b)
    return np.corrcoef(a[known], b[known])[0, 1]


def test_a_stage_alone_has_the_map_it_always_had(unrelated):
    recording, _ = unrelated
    stages = [
        step(1, 5.0, 42.0),
        step(1, 44.0, 76.0, cycle=2),
        Stage(kind="deposition", cycle=2, start_s=30.0, end_s=76.0),
    ]
    maps = finish(onset_maps(recording, stages))
    assert list(maps) == stages
    for stage, found in maps.items():
        alone = finish(onset_map(recording, stage.start_s, stage.end_s))
        np.testing.assert_array_equal(found.onset_s, alone.onset_s)
        np.testing.assert_array_equal(found.reason, alone.reason)


def test_only_the_wanted_map_is_made_and_knows_its_neighbours(unrelated):
    recording, _ = unrelated
    stages = two_steps(BOUNDARY_S - 8)
    whole = finish(onset_maps(recording, stages))
    (one,) = finish(onset_maps(recording, stages, wanted=[stages[1]])).items()
    assert one[0] is stages[1]
    np.testing.assert_array_equal(one[1].onset_s, whole[stages[1]].onset_s)


def test_stages_are_neighbours_if_they_follow_in_one_cycle():
    one, two, three = step(1, 5, 20), step(2, 20, 40), step(3, 45, 60)
    other, back = step(1, 90, 100, cycle=2), step(1, 70, 80, "dealloying")
    inside, over = step(4, 46, 59), dataclasses.replace(two, start_s=8.0)
    assert neighbours([three, back, one, other, two]) == [[one, two, three], [back], [other]]
    assert neighbours([three, inside]) == [[three], [inside]]
    assert neighbours([one, over]) == [[one], [over]]
    assert neighbours([one, three]) == [[one], [three]]


def test_a_neighbour_too_short_for_a_map_is_none_and_a_wanted_one_says_so(unrelated):
    recording, _ = unrelated
    stages = [step(1, 5.0, 42.0), step(2, 42.2, 44.1)]
    (found,) = finish(onset_maps(recording, stages, wanted=stages[:1])).values()
    alone = finish(onset_map(recording, 5.0, 42.0))
    np.testing.assert_array_equal(found.onset_s, alone.onset_s)
    with pytest.raises(AlloyError, match=r"2 frames lie between 42\.2 and 44\.1 s"):
        finish(onset_maps(recording, stages))


@settings(max_examples=25, deadline=None)
@given(
    first=st.lists(st.floats(8, 30), min_size=4, max_size=4),
    gap=st.lists(st.floats(0.5, 30), min_size=4, max_size=4),
    boundary_s=st.floats(20, 50),
    between_s=st.floats(0, 6),
    drop=st.integers(0, 79),
)
def test_frames_of_two_steps_are_apart_and_levels_among_them(
    first, gap, boundary_s, between_s, drop
):
    """Whatever four places do, wherever the boundary lies."""
    blocks = np.repeat(np.repeat(np.reshape([first, gap], (2, 2, 2)), 4, axis=1), 4, axis=2)
    onsets = [blocks[0], blocks[0] + blocks[1]]
    times = np.delete(TIMES, drop)
    recording = recording_of(light(times, onsets).astype(np.float32), times)
    stages = [step(1, 5.0, boundary_s), step(2, boundary_s + between_s, 76.0)]
    every = np.ones(recording.field_shape, bool)
    seen = finish(window_light(recording, np.arange(len(times)), dark=0.0, falls=True, valid=every))
    chain = Chain.of(recording, stages, seen, 5)
    own = finish(step_frames(chain))
    clear = ~own[0].unclear & ~own[1].unclear
    for a, b in itertools.pairwise(own):
        assert (a.span[1] <= b.span[0])[clear].all()
        assert (a.top[1] == a.span[1])[clear].all()
        assert (b.base[0] == b.span[0])[clear].all()
    for part in own:
        levels = [level for level in (part.base, part.top) if level is not None]
        assert (part.span[1] - part.span[0] >= 2).all()
        assert part.span[0].min() >= 0
        assert part.span[1].max() <= len(times)
        for begin, end in levels:
            assert (begin < end).all()
            assert (begin >= part.span[0]).all()
            assert (end <= part.span[1]).all()
            assert (end - begin <= 5).all()


def test_a_film_on_which_nothing_happens_has_no_onsets():
    counts = np.random.default_rng(0).normal(2000, 30, (80, 20, 20))
    for found in finish(onset_maps(recording_of(counts), two_steps(BOUNDARY_S))).values():
        assert (found.reason == OnsetReason.WITHIN_NOISE).mean() > 0.99


def test_a_film_that_brightens_has_no_step_of_darkening():
    recording = recording_of(noisy(light(TIMES, fields(3, SPANS), sign=-1, bright=900)), TIMES)
    for found in finish(onset_maps(recording, two_steps(BOUNDARY_S))).values():
        assert (found.reason == OnsetReason.WITHIN_NOISE).all()


def test_a_few_valid_pixels_in_a_corner_are_enough():
    onsets = fields(3, SPANS, (160, 24))
    valid = np.zeros((160, 24), bool)
    valid[:4] = True
    recording = recording_of(noisy(light(TIMES, onsets)), TIMES)
    maps = finish(onset_maps(recording, two_steps(BOUNDARY_S), valid=valid))
    for found, onset in zip(maps.values(), onsets, strict=True):
        assert found.reached[valid].all()
        assert np.abs(found.onset_s - onset)[valid].mean() < 0.4


def test_a_field_smaller_than_a_cell_and_a_memory_map_are_no_exceptions(unrelated):
    recording, onsets = unrelated
    counts = np.stack([recording.read(t) for t in range(recording.n_frames)])
    mapped = recording.replace(mapped=counts)
    stages = two_steps(BOUNDARY_S - 6)
    for one, other in zip(
        finish(onset_maps(recording, stages)).values(),
        finish(onset_maps(mapped, stages)).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(one.onset_s, other.onset_s)
    tiny = recording_of(counts[:, :3, :5], TIMES)
    for found, onset in zip(finish(onset_maps(tiny, stages)).values(), onsets, strict=True):
        assert np.abs(found.onset_s - onset[:3, :5]).max() < 2


def test_without_film_it_is_said_in_one_sentence():
    recording = recording_of(np.full((40, 20, 20), 1000.0))
    steps = [step(1, 2, 18), step(2, 19, 38)]
    with pytest.raises(AlloyError, match="no pixel of cell shows film"):
        finish(onset_maps(recording, steps, valid=np.zeros((20, 20), bool)))
