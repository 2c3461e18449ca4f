"""Stages found again in recordings and curves whose stages are known."""

import dataclasses
import functools

import numpy as np
import pytest

from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.potential_breaks import breaks, half_cycles, relaxation
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.rate_humps import humps, kink_s, rate_curve
from napari_lithium_alloy.core.stage_detection import _drawn_back, detect_stages
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.synthetic import ag_parameters, au_parameters, make_recording

SHAPE = {"shape": (128, 128), "count": 4, "spacing_um": 0.9, "merging_pairs": 0}
CASES = {
    "gold": au_parameters(seed=11, cycles=2, **SHAPE),
    "gold, other sign, flicker": au_parameters(
        seed=12, lithiation_sign=1, flicker=0.003, clock_offset_s=9.0, noise_v=0.001, **SHAPE
    ),
    "silver": ag_parameters(seed=13, cycles=1, frame_interval_s=2.0, **SHAPE),
    "silver, other plateaus": ag_parameters(
        seed=14,
        cycles=1,
        frame_interval_s=2.0,
        plateaus_v=(0.1, 0.2, 0.26, 0.35, 0.5),
        interval_s=0.5,
        **SHAPE,
    ),
}


@functools.cache
def measured(case):
    """What was made, the times of its pictures, and their mean absorbance and its spread."""
    synthetic = make_recording(CASES[case])
    experiment = synthetic.experiment
    recording = experiment.recording("trans")
    reference = reference_frame(recording, current_starts_s=experiment.current_starts_s())
    curves = finish(region_curves(recording, reference, with_spread=True))
    absorbance, spread = (curves[name].to_numpy() for name in ("absorbance", "spread"))
    return synthetic, recording.times_s, absorbance, spread


@pytest.fixture(scope="module", params=CASES, ids=str)
def known(request):
    """Potential, times and mean absorbance of a recording, and its planted stages."""
    synthetic, times, absorbance, _ = measured(request.param)
    return synthetic.experiment.potential, times, absorbance, synthetic.experiment


def worst_error(found, planted, frame_s):
    """Largest error of a bound in units of what is allowed for it."""
    found = {s.key: s for s in found}
    assert set(found) == {s.key for s in planted}
    planted = sorted(planted, key=lambda s: s.start_s)
    worst = 0.0
    for i, stage in enumerate(planted):
        for bound, other in (("start_s", i - 1), ("end_s", i + 1)):
            beside = planted[other] if 0 <= other < len(planted) else stage
            shorter = min(s.end_s - s.start_s for s in (stage, beside))
            error = abs(getattr(found[stage.key], bound) - getattr(stage, bound))
            worst = max(worst, error / max(frame_s, 3.0, 0.08 * shorter))
    return worst


def of_scope(stages, scope):
    return [s for s in stages if s.scope == scope]


def test_every_stage_of_the_cell_is_found(known):
    potential, times, absorbance, experiment = known
    frame = float(np.median(np.diff(times)))
    both = of_scope(detect_stages(potential, times, absorbance), "cell")
    alone = of_scope(detect_stages(potential), "cell")
    assert worst_error(both, experiment.stages, frame) <= 1
    assert worst_error(alone, experiment.stages, frame) <= 1


def test_the_sign_of_the_potential_does_not_matter(known):
    potential, times, absorbance, _ = known
    flipped = dataclasses.replace(
        potential, potential_v=-potential.potential_v, current_ma=-potential.current_ma
    )
    plain = detect_stages(potential, times, absorbance)
    other = detect_stages(flipped, times, absorbance)
    assert [s.key for s in plain] == [s.key for s in other]
    bounds = [[(s.start_s, s.end_s) for s in stages] for stages in (plain, other)]
    np.testing.assert_allclose(bounds[0], bounds[1], atol=0.02)


def test_voltages_are_not_known_beforehand(known):
    potential, times, absorbance, _ = known
    moved = dataclasses.replace(potential, potential_v=3.7 + 2 * potential.potential_v)
    plain = of_scope(detect_stages(potential, times, absorbance), "cell")
    other = of_scope(detect_stages(moved, times, absorbance), "cell")
    assert [s.key for s in plain] == [s.key for s in other]


def test_the_field_alone_shows_steps_plating_and_what_follows():
    case = au_parameters(seed=21, **SHAPE)
    synthetic = make_recording(case)
    recording = synthetic.experiment.recording("trans")
    reference = reference_frame(recording, current_starts_s=synthetic.experiment.current_starts_s())
    curves = finish(region_curves(recording, reference))
    found = detect_stages(None, recording.times_s, curves["absorbance"].to_numpy())
    assert {s.scope for s in found} == {"field"}
    names = [s.name for s in sorted(found, key=lambda s: s.start_s)]
    assert names == ["SEI", "step1", "step2", "deposition", "dissolution", "dealloying1"]
    by_name = {s.name: s for s in found}
    for name in ("step1", "step2", "dealloying1"):
        onset = synthetic.truth.onset_s[f"cycle1_{name}"]
        early, late = np.nanpercentile(onset, [2, 98])
        assert by_name[name].start_s < early + 1
        assert by_name[name].end_s > late - 1
        assert np.isfinite(by_name[name].start_sd_s)


@pytest.fixture(scope="module")
def pictures():
    """Curves of pictures alone, and the planted stages."""
    return [(*curves, made) for made, *curves in (measured(name) for name in ("gold", "silver"))]


def test_pictures_alone_show_every_stage_within_what_is_allowed(pictures):
    for times, absorbance, spread, synthetic in pictures:
        found = detect_stages(None, times, absorbance, spread=spread)
        frame = float(np.median(np.diff(times)))
        assert worst_error(found, synthetic.experiment.stages, frame) <= 1.1
        assert all(0 < s.start_sd_s < 6 and 0 < s.end_sd_s < 6 for s in found)


def test_the_lamps_flicker_does_not_move_fronts(pictures):
    times, absorbance, spread, _ = pictures[0]
    flicker = np.random.default_rng(5).normal(0, 0.0015, len(times))
    plain, other = (
        {s.key: s for s in detect_stages(None, times, a, spread=spread)}
        for a in (absorbance, absorbance + flicker)
    )
    assert set(plain) == set(other)
    for key in ("cycle1_step1", "cycle1_step2", "cycle2_dealloying1"):
        assert other[key].start_s == pytest.approx(plain[key].start_s, abs=1.5)
        assert other[key].end_s == pytest.approx(plain[key].end_s, abs=1.5)


def test_a_short_deposition_of_many_spots_is_no_step(pictures):
    times, absorbance, spread, synthetic = pictures[0]
    first = next(s for s in synthetic.experiment.stages if s.kind == "deposition")
    early = times < (first.start_s + first.end_s) / 2
    grown = np.clip((times[early] - first.start_s) / 10, 0, 1)
    covered = 0.15 * grown
    values = absorbance[early] + 0.7 * covered
    spotted = np.sqrt(spread[early] ** 2 + covered * (1 - covered) * 0.7**2)
    names = [s.name for s in detect_stages(None, times[early], values, spread=spotted)]
    assert names == ["SEI", "step1", "step2", "deposition"]


def test_a_spread_known_nowhere_is_none(pictures):
    times, absorbance, spread, _ = pictures[0]
    nothing = np.full_like(spread, np.nan)
    assert detect_stages(None, times, absorbance, spread=nothing) == detect_stages(
        None, times, absorbance
    )


def test_half_cycles_follow_the_current():
    times = np.arange(0.0, 100, 0.5)
    current = np.select(
        [times < 10, times < 50, times < 60, times < 80], [0, -0.05, 0, 0.05], default=-0.05
    )
    curve = PotentialCurve(times_s=times, potential_v=times * 0, current_ma=current)
    found = half_cycles(curve)
    assert [(h.cycle, h.inwards) for h in found] == [(1, True), (1, False), (2, True)]
    np.testing.assert_allclose(
        [(h.start_s, h.end_s) for h in found], [(10, 50), (60, 80), (80, 99.5)]
    )


def test_no_current_no_half_cycles():
    times = np.arange(10.0)
    assert half_cycles(PotentialCurve(times_s=times, potential_v=times)) == []
    still = PotentialCurve(times_s=times, potential_v=times, current_ma=times * 0)
    assert half_cycles(still) == []
    assert detect_stages(still) == []
    assert detect_stages() == []


@pytest.mark.parametrize("slope", [0.0, -0.002])
def test_relaxation_of_an_exponential_on_a_line(slope):
    times = np.arange(0.0, 80, 0.5)
    noise = np.random.default_rng(0).normal(0, 5e-4, len(times))
    steps = np.where(times > 50, -0.07, 0)
    values = 0.4 * np.exp(-times / 4.0) + slope * times + steps + noise
    curve = PotentialCurve(times_s=times, potential_v=values, current_ma=np.full(len(times), -0.05))
    (half,) = half_cycles(curve)
    found = relaxation(curve, half)
    assert found.time_constant_s == pytest.approx(4.0, rel=0.05)
    assert found.drop_v == pytest.approx(0.4, rel=0.05)
    (one,) = breaks(curve, half, found, least=0.005)
    assert one.time_s == pytest.approx(50, abs=0.6)


def test_a_flat_potential_has_no_relaxation_and_no_breaks():
    times = np.arange(0.0, 100, 0.5)
    values = np.random.default_rng(1).normal(0.1, 5e-4, len(times))
    curve = PotentialCurve(times_s=times, potential_v=values, current_ma=np.ones(len(times)))
    (half,) = half_cycles(curve)
    found = relaxation(curve, half)
    assert found.drop_v == 0
    assert found.settled_s == half.start_s
    assert detect_stages(curve)[0].kind == "alloying"


def test_humps_and_the_kink_between_them():
    times = np.arange(0.0, 300, 1.0)
    knots = ([0, 20, 50, 60, 90, 150, 200, 230, 300], [0, 0, 0.2, 0.2, 0.3, 0.33, 0.3, 0, 0])
    values = np.interp(times, *knots)
    curve = rate_curve(times, values + np.random.default_rng(2).normal(0, 2e-4, len(times)))
    found = [h for h in humps(curve, least_valley=0.4) if abs(h.change) > 0.05]
    bounds = [(h.start_s, h.end_s) for h in found]
    np.testing.assert_allclose(bounds, [(20, 50), (60, 90), (200, 230)], atol=2.0)
    assert [np.sign(h.peak) for h in found] == [1, 1, -1]
    corner, sd = kink_s(curve.times_s, curve.values, 95, 195)
    assert corner == pytest.approx(150, abs=1.5)
    assert 0 < sd < 5


def test_too_few_values_have_no_rate():
    assert rate_curve(np.arange(5.0), np.arange(5.0)) is None
    assert detect_stages(None, np.arange(5.0), np.arange(5.0)) == []


def test_a_step_ends_before_the_next_begins_where_the_field_has_ended():
    """The potential breaks where step 2 starts; a pause lies before it, as the field says."""

    def stage(step, start, end, scope):
        return Stage(
            kind=StageKind.ALLOYING, step=step, start_s=start, end_s=end, scope=scope, cycle=1
        )

    cell = [stage(1, 20.0, 60.0, "cell"), stage(2, 60.0, 100.0, "cell")]
    early = [stage(1, 22.0, 57.0, "field"), stage(2, 61.0, 99.0, "field")]
    first, second = _drawn_back(cell, early)
    assert (first.start_s, first.end_s, second.start_s) == (20.0, 58.5, 60.0)
    much_earlier = [stage(1, 22.0, 40.0, "field")]
    assert _drawn_back(cell, much_earlier)[0].end_s == pytest.approx(60 - 0.04 * 40)
    later = [stage(1, 22.0, 62.0, "field")]
    assert _drawn_back(cell, later) == cell
    assert _drawn_back(cell, []) == cell
