"""The link of the two clocks: by steps, points and time stamps."""

import dataclasses
import math
from datetime import UTC, datetime, timedelta, timezone

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core.clock_link import (
    Moments,
    clock_of_points,
    clock_of_stamps,
    clock_step,
    coinciding,
    moments_of,
    suggest_clock,
    with_residual,
)
from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import ClockLink, PotentialCurve
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.synthetic import ag_parameters, au_parameters, make_recording

SHAPE = {"shape": (96, 96), "count": 4, "spacing_um": 0.9, "merging_pairs": 0}
CASES = {
    "gold": au_parameters(seed=21, **SHAPE),
    "gold, two cycles, other sign": au_parameters(seed=22, cycles=2, lithiation_sign=1, **SHAPE),
    "gold, noisy": au_parameters(seed=23, noise_v=0.001, flicker=0.003, **SHAPE),
    "silver": ag_parameters(seed=24, cycles=2, frame_interval_s=2.0, **SHAPE),
}


@pytest.fixture(scope="module", params=CASES, ids=str)
def known(request):
    """Potential on the recording's clock, times and mean absorbance."""
    experiment = make_recording(CASES[request.param]).experiment
    recording = experiment.recording("trans")
    reference = reference_frame(recording, current_starts_s=experiment.current_starts_s())
    curves = finish(region_curves(recording, reference))
    curve = experiment.potential
    potential = dataclasses.replace(curve, times_s=curve.recording_times_s, clock_offset_s=0.0)
    return potential, recording.times_s, curves["absorbance"].to_numpy(float)


@pytest.fixture(scope="module")
def moments(known):
    return moments_of(*known)


@pytest.mark.parametrize("rate", [1.0, 1.002, 0.25])
@pytest.mark.parametrize("offset_s", [0.0, 12.5, -87.0, 240.0])
def test_a_planted_offset_is_found_within_two_seconds(moments, offset_s, rate):
    shifted = dataclasses.replace(moments, cycler_s=rate * moments.cycler_s + offset_s)
    found = suggest_clock(shifted, rate)
    assert found.offset_s == pytest.approx(offset_s, abs=2.0 * rate)
    assert (found.rate, found.way) == (rate, "steps")
    assert 0 <= found.residual_s < 4


def test_moments_do_not_depend_on_the_link(known, moments):
    potential, times_s, absorbance = known
    linked = potential.linked(ClockLink(offset_s=55.0, rate=1.5))
    np.testing.assert_array_equal(
        moments_of(linked, times_s, absorbance).cycler_s, moments.cycler_s
    )


def test_nothing_to_match_is_said(known, moments):
    potential, times_s, absorbance = known
    still = moments_of(potential, times_s, np.zeros_like(absorbance))
    far = dataclasses.replace(moments, cycler_s=moments.cycler_s + 2000)
    for some in (still, far):
        with pytest.raises(AlloyError, match=r"Fewer than three steps .* by two points\."):
            suggest_clock(some)
        assert math.isnan(with_residual(ClockLink(), some).residual_s)


def test_the_residual_is_what_steps_still_differ_by():
    picture = np.array([20.0, 60.0, 100.0, 300.0])
    moments = Moments(cycler_s=2 * picture[:3] + 7, picture_s=picture, reach_s=3.0)
    assert with_residual(ClockLink(offset_s=7, rate=2), moments).residual_s == 0
    assert with_residual(ClockLink(offset_s=9, rate=2), moments).residual_s == pytest.approx(1)
    assert math.isnan(with_residual(ClockLink(offset_s=7), moments).residual_s)
    assert coinciding(ClockLink(offset_s=7, rate=2), moments) == (3, 4)
    assert coinciding(ClockLink(offset_s=700, rate=2), moments) == (0, 4)


# Points

moments_in_order = st.lists(
    st.integers(-9000, 9000).map(float), min_size=2, max_size=5, unique=True
)


@given(moments_in_order, st.floats(0.1, 10), st.floats(-1e4, 1e4))
def test_points_on_a_line_give_it_back(picture, rate, offset_s):
    clock = clock_of_points([(offset_s + rate * t, t) for t in picture])
    assert clock.rate == pytest.approx(rate, rel=1e-6)
    assert clock.offset_s == pytest.approx(offset_s, abs=1e-4)
    assert clock.way == "points"


def test_one_pair_gives_the_offset_at_the_rate_there_is():
    assert clock_of_points([(50.0, 20.0)]).offset_s == 30.0
    clock = clock_of_points([(50.0, 20.0)], rate=2.0)
    assert (clock.offset_s, clock.rate) == (10.0, 2.0)


@pytest.mark.parametrize("second", [(40.0, 30.0), (60.0, 20.0), (50.0, 30.0)])
def test_pairs_that_give_no_rate_are_refused(second):
    with pytest.raises(AlloyError, match="give no rate: the later moment"):
        clock_of_points([(50.0, 20.0), second])


# Time stamps

CYCLER = datetime(2021, 2, 3, 16, 0, 0)
EAST = timezone(timedelta(hours=-7))


def curve_of(started):
    return PotentialCurve(
        times_s=np.arange(600.0), potential_v=np.zeros(600), source="cell.mpt", started=started
    )


def recording_of(at):
    times = 1.5 + np.arange(30.0)
    frames = da.zeros((30, 4, 5), dtype=np.uint16)
    return Recording(name="film", frames=frames, times_s=times, source="f.tif", first_frame_at=at)


@pytest.mark.parametrize(
    ("cycler", "picture", "note"),
    [
        (CYCLER, datetime(2021, 2, 3, 16, 1, 40), "both stamps are taken as of one time zone"),
        (
            CYCLER,
            datetime(2021, 2, 3, 16, 1, 40, tzinfo=EAST),
            "the stamp without a time zone is taken as of the other's (UTC-0700)",
        ),
        (datetime(2021, 2, 3, 23, 0, tzinfo=UTC), datetime(2021, 2, 3, 16, 1, 40, tzinfo=EAST), ""),
        (
            CYCLER,
            CYCLER.astimezone(UTC) + timedelta(seconds=100),
            f"the stamp without a time zone is taken as of this computer's "
            f"(UTC{CYCLER.astimezone():%z})",
        ),
    ],
    ids=["both local", "one zone named", "both named", "UTC"],
)
def test_time_stamps_link_the_clocks(cycler, picture, note):
    clock, said = clock_of_stamps(curve_of(cycler), recording_of(picture))
    assert clock == ClockLink(offset_s=98.5, way="time stamps", residual_s=clock.residual_s)
    assert said == note
    faster = curve_of(cycler).linked(ClockLink(rate=2.0))
    clock, _ = clock_of_stamps(faster, recording_of(picture))
    assert (clock.offset_s, clock.rate) == (97.0, 2.0)


def test_missing_and_distant_stamps_are_said():
    with pytest.raises(AlloyError, match=r"^cell\.mpt does not say when it was recorded; link"):
        clock_of_stamps(curve_of(None), recording_of(CYCLER))
    with pytest.raises(AlloyError, match=r"^f\.tif does not say when it was recorded; link"):
        clock_of_stamps(curve_of(CYCLER), recording_of(None))
    for hours in (-1, 3):
        with pytest.raises(AlloyError, match=r"2021-02-03 16:00:00 to .* do not overlap; check"):
            clock_of_stamps(curve_of(CYCLER), recording_of(CYCLER + timedelta(hours=hours)))


def test_the_link_is_a_step_of_the_provenance():
    step = clock_step(ClockLink(offset_s=3.5, rate=1.25, way="points"))
    assert step.to_json()["parameters"] == {
        "offset_s": 3.5,
        "rate": 1.25,
        "way": "points",
        "residual_s": None,
    }
