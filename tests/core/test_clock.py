"""Even grids on which uneven recordings play in true time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_lithium_alloy.core.clock import even_grid


def step_times(grid):
    return grid.start_s + grid.step_s * np.arange(len(grid.frame_of_step))


def test_an_even_recording_has_a_step_a_frame():
    grid = even_grid(np.arange(7) * 0.25 + 3)
    assert (grid.start_s, grid.step_s) == (3.0, 0.25)
    assert grid.frame_of_step.tolist() == list(range(7))


def test_a_pause_repeats_the_frame_before_it():
    grid = even_grid(np.array([0.0, 1, 2, 7, 8, 9]))
    assert grid.frame_of_step.tolist() == [0, 1, 2, 2, 2, 2, 2, 3, 4, 5]
    assert grid.frame_at(6.4) == 2
    assert grid.frame_at(6.6) == 3


def test_a_last_frame_half_a_step_late_is_shown():
    assert even_grid(np.array([0.0, 1.2, 1.7, 1.75])).frame_of_step[-1] == 3
    assert even_grid(np.array([0.0, 1, 2, 2.5])).frame_of_step[-1] == 3


def test_a_single_frame_is_shown_at_any_time():
    grid = even_grid(np.array([12.0]))
    assert grid.frame_at(-1e9) == grid.frame_at(1e9) == 0


def test_times_beside_the_recording_show_its_ends():
    grid = even_grid(np.arange(5.0))
    assert (grid.frame_at(-3), grid.frame_at(99)) == (0, 4)


def test_a_very_long_recording_keeps_its_number_of_steps():
    grid = even_grid(np.array([0.0, 1, 2, 3, 1e7]), max_steps=1000)
    assert len(grid.frame_of_step) <= 1001
    assert grid.frame_of_step[-1] == 4


gaps = st.lists(st.floats(0.05, 30), min_size=1, max_size=40)


@given(gaps, st.floats(-100, 100))
@settings(max_examples=60, deadline=None)
def test_each_step_shows_the_frame_current_within_half_a_step(gaps_s, start_s):
    times = start_s + np.concatenate([[0], np.cumsum(gaps_s)])
    grid = even_grid(times)
    for at, frame in zip(step_times(grid), grid.frame_of_step, strict=True):
        current = [k for k, t in enumerate(times) if t <= at + 0.5 * grid.step_s * (1 + 1e-9)]
        surely = [k for k, t in enumerate(times) if t <= at + 0.5 * grid.step_s * (1 - 1e-9)]
        assert max(surely, default=0) <= frame <= max(current, default=0)
    assert grid.frame_of_step[-1] == len(times) - 1
    assert (np.diff(grid.frame_of_step) >= 0).all()


@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_jittered_frames_are_each_shown_within_a_step_of_their_time(n, seed):
    jitter = np.random.default_rng(seed).uniform(-0.2, 0.2, n)
    times = np.arange(n) + jitter
    grid = even_grid(times)
    shown_at = step_times(grid)
    for frame, time in enumerate(times):
        steps = shown_at[grid.frame_of_step == frame]
        if steps.size:
            assert np.abs(steps - time).min() <= grid.step_s
    assert grid.step_s == pytest.approx(1, abs=0.4)
