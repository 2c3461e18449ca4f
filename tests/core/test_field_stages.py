"""Fronts, uniform steps and spots told apart, and their bounds, in curves with planted times."""

import numpy as np
import pytest
from scipy.special import ndtr

from napari_lithium_alloy.core.detected import Moment, meet, weighted
from napari_lithium_alloy.core.field_curve import (
    FieldCurve,
    first_spots_s,
    front_window,
    is_front,
    same_front,
    spots_left,
)
from napari_lithium_alloy.core.front_edges import front_bounds
from napari_lithium_alloy.core.uniform_steps import STEP_SIGMAS, fit_uniform

TIMES = np.arange(0.0, 120, 1.0)
SIGMA_S = 1.5
FIRST_S, LAST_S = 30.0, 70.0


def front(noise=2e-4, flicker=0.0, pore=0.0):
    """A field whose pixels rise by 0.2 each, the first at 30 s and the last at 70 s."""
    rng = np.random.default_rng(7)
    onsets = np.linspace(FIRST_S, LAST_S, 2000)
    pixels = 0.2 * ndtr((TIMES[:, None] - onsets) / SIGMA_S)
    mean = pixels.mean(axis=1)
    variance = 2e-4 + pixels.var(axis=1) + pore * (mean + 0.3) ** 2
    values = mean + rng.normal(0, noise + flicker, len(TIMES))
    return FieldCurve(
        times_s=TIMES, values=values, variance=variance + rng.normal(0, 2e-6, len(TIMES))
    )


def uniform():
    """All pixels alike, from 0 to 0.1 around 50 s."""
    values = 0.1 * ndtr((TIMES - 50) / 10)
    return FieldCurve(times_s=TIMES, values=values, variance=2e-4 * 10**values)


@pytest.mark.parametrize("flicker", [0.0, 0.001])
@pytest.mark.parametrize("with_variance", [True, False])
def test_bounds_of_a_front_are_where_its_first_and_last_pixels_change(flicker, with_variance):
    curve = front(flicker=flicker)
    if not with_variance:
        curve = FieldCurve(times_s=TIMES, values=curve.values, variance=None)
    start, end = front_bounds(curve, 20, 80)
    within_s = 2 if with_variance else 3
    assert start.time_s == pytest.approx(FIRST_S - 2.576 * SIGMA_S, abs=within_s)
    assert end.time_s == pytest.approx(LAST_S + 2.576 * SIGMA_S, abs=within_s)
    assert 0.1 < start.sd_s < 3
    assert 0.1 < end.sd_s < 3


def test_what_the_variance_adds_makes_a_front_surer():
    with_it = front(flicker=0.002)
    without = FieldCurve(times_s=TIMES, values=with_it.values, variance=None)
    assert front_bounds(with_it, 20, 80)[0].sd_s < front_bounds(without, 20, 80)[0].sd_s


def test_too_few_frames_or_no_change_bound_no_front():
    curve = front()
    assert front_bounds(curve, 50, 51.5) is None
    still = FieldCurve(times_s=TIMES, values=np.zeros_like(TIMES), variance=None)
    assert front_bounds(still, 20, 80) is None


@pytest.mark.parametrize("pore", [0.0, 0.05])
def test_a_front_is_told_from_a_uniform_step(pore):
    passing, alike = front(pore=pore), uniform()
    alike = FieldCurve(
        times_s=TIMES,
        values=alike.values,
        variance=alike.variance + pore * (alike.values + 0.3) ** 2,
    )
    assert is_front(passing, 25, 75)
    assert not is_front(alike, 25, 75)
    low, high = front_window(passing, 25, 75, (0, 120))
    assert low == pytest.approx(FIRST_S, abs=4)
    assert high == pytest.approx(LAST_S, abs=4)


def test_without_a_variance_the_shape_tells():
    for curve, expected in ((front(), True), (uniform(), False)):
        bare = FieldCurve(times_s=TIMES, values=curve.values, variance=None)
        assert is_front(bare, 20, 80) is expected


def test_a_front_that_slows_down_is_one_and_two_fronts_are_two():
    curve = front()
    assert same_front(curve, 25, 50, 75)
    twice = np.concatenate([curve.values, curve.values + 0.2])
    variance = np.concatenate([curve.variance, curve.variance])
    two = FieldCurve(times_s=np.arange(240.0), values=twice, variance=variance)
    assert not same_front(two, 25, 115, 195)


def test_spots_leave_the_field_spotted_and_fronts_do_not():
    assert spots_left(front(), 20, 80) == pytest.approx(0, abs=0.01)
    covered = 0.1 * np.clip((TIMES - 40) / 60, 0, 1) ** 2
    spots = FieldCurve(
        times_s=TIMES, values=0.7 * covered, variance=2e-4 + covered * (1 - covered) * 0.49
    )
    assert spots_left(spots, 30, 100) == pytest.approx(9, rel=0.05)
    assert first_spots_s(spots, 20, 100) == pytest.approx(40, abs=2)
    still = FieldCurve(times_s=TIMES, values=TIMES, variance=np.full_like(TIMES, 2e-4))
    assert first_spots_s(still, 20, 100) is None
    assert first_spots_s(FieldCurve(times_s=TIMES, values=TIMES, variance=None), 20, 100) is None


def test_sei_and_uniform_steps_are_fitted_together():
    times = np.arange(0.0, 130, 2.0)
    rng = np.random.default_rng(3)
    values = 0.03 * -np.expm1(-np.maximum(times - 9, 0) / 2.5)
    values += 0.08 * ndtr((times - 50) / 12) + 0.06 * ndtr((times - 95) / 8)
    values += rng.normal(0, 2e-4, len(times))
    fit = fit_uniform(times, values, [(28, 70), (75, 115)], (7, 20))
    assert fit.sei[0].time_s == pytest.approx(9, abs=0.3)
    assert fit.sei[1].time_s == pytest.approx(9 + 2.5 * np.log(200), abs=1.5)
    for (start, end), (centre, width) in zip(fit.steps, [(50, 12), (95, 8)], strict=True):
        assert start.time_s == pytest.approx(centre - STEP_SIGMAS * width, abs=1)
        assert end.time_s == pytest.approx(centre + STEP_SIGMAS * width, abs=1)


def test_no_sei_is_seen_where_there_is_none():
    times = np.arange(0.0, 60, 1.0)
    values = np.random.default_rng(1).normal(0, 1e-3, len(times))
    assert fit_uniform(times, values, [], (10, 20)).sei is None
    assert fit_uniform(times[:3], values[:3], [], (0, 2)) is None


def test_moments_meet_and_are_weighted():
    early, late = Moment(time_s=10, sd_s=1), Moment(time_s=13, sd_s=2)
    assert meet(early, late) == (early, late)
    end, start = meet(late, early)
    assert end == start
    assert end.time_s == pytest.approx(10.6)
    assert weighted(early, late).time_s == pytest.approx(10.6)
    assert weighted(early, Moment(time_s=99, sd_s=np.inf)).time_s == 10
    assert early.later(3, 0).time_s == 13
