"""The field's own stages, from its absorbance alone: alloying is a hump of its rate.

Steps are told from the rate; their bounds from fits to the measured values, for smoothing moves
what lies between a steep and a flat flank. Fronts and uniform steps start and end differently.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_lithium_alloy.core.detected import Moment, detected_stage, meet, weighted
from napari_lithium_alloy.core.field_curve import (
    FieldCurve,
    first_spots_s,
    front_window,
    is_front,
)
from napari_lithium_alloy.core.front_edges import front_bounds
from napari_lithium_alloy.core.potential_breaks import HalfCycle
from napari_lithium_alloy.core.rate_humps import Hump, RateCurve, kink_s
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.uniform_steps import SETTLED, fit_uniform

QUIET = 0.1
"""How far before and after a step that has no neighbour it is quiet, as a share of its length."""
BESIDE = 0.4
"""The same for what a uniform step is fitted with."""
PAUSE = 0.1
"""Likely pause between the SEI and the stage beside it, as a share of its length."""
STEP_PAUSE = 0.03
"""Likely pause between a step and plating, as a share of the step's length."""


@dataclass(kw_only=True)
class _Part:
    """A step, or the SEI before one (then without a hump), with what is known of its bounds."""

    inwards: bool
    hump: Hump | None
    front: bool
    start: Moment
    end: Moment

    @property
    def length_s(self) -> float:
        return self.end.time_s - self.start.time_s


def field_stages(
    field: FieldCurve,
    curve: RateCurve,
    found: Sequence[Hump],
    steps: Sequence[Hump],
    halves: Sequence[HalfCycle],
) -> list[Stage]:
    """Stages of the field in the order of time.

    Parameters
    ----------
    field : FieldCurve
    curve : RateCurve
    found, steps : sequence of Hump
        All humps, and those that are steps.
    halves : sequence of HalfCycle
        From the current, where it is known.
    """
    runs = _runs(field, curve, found, steps, halves)
    for run in runs:
        _fit_fronts(field, run)
        _fit_uniform(field, run)
        for a, b in itertools.pairwise(run):
            if a.hump is None:
                pause_s = PAUSE * (b.start.time_s - a.start.time_s)
                a.end = weighted(a.end, b.start.later(-pause_s, pause_s))
            elif b.hump is None:
                pause_s = PAUSE * b.length_s
                b.start = weighted(b.start, a.end.later(pause_s, pause_s))
            a.end, b.start = meet(a.end, b.start)
        for part in run:
            part.start, part.end = (_recorded(field, m) for m in (part.start, part.end))
    return _named(field, curve, runs, halves)


def _runs(
    field: FieldCurve,
    curve: RateCurve,
    found: Sequence[Hump],
    steps: Sequence[Hump],
    halves: Sequence[HalfCycle],
) -> list[list[_Part]]:
    """Parts between one plating and the next: steps outwards, the SEI, steps inwards."""
    sd = curve.window_s / math.sqrt(12)
    runs: list[list[_Part]] = [[]]
    for hump in steps:
        inwards = hump.peak > 0
        run = runs[-1]
        if run and run[-1].inwards and not inwards:
            run = []
            runs.append(run)
        if inwards and not (run and run[-1].inwards):
            run += _sei(found, hump, run[-1].end if run else None, halves, sd)
        run.append(
            _Part(
                inwards=inwards,
                hump=hump,
                front=is_front(field, hump.start_s, hump.end_s),
                start=Moment(time_s=hump.start_s, sd_s=sd),
                end=Moment(time_s=hump.end_s, sd_s=sd),
            )
        )
    return runs


def _sei(
    found: Sequence[Hump],
    first: Hump,
    before: Moment | None,
    halves: Sequence[HalfCycle],
    sd: float,
) -> list[_Part]:
    """The small hump before the first step; without one the time from current, or the last step."""
    since = -math.inf if before is None else before.time_s
    lead = [h for h in found if h.peak > 0 and since <= h.peak_s < first.peak_s]
    lead = [h for h in lead if h is not first]
    own = [h for h in halves if h.inwards and h.start_s < first.start_s <= h.end_s]
    end = Moment(time_s=first.start_s, sd_s=sd)
    if lead:
        start = Moment(time_s=lead[0].half_s, sd_s=sd)
        settled = start.time_s + abs(lead[0].change / lead[0].peak) * math.log(1 / SETTLED)
        end = Moment(time_s=min(settled, first.start_s), sd_s=max(sd, (settled - start.time_s) / 8))
    elif own:
        start = Moment(time_s=own[0].start_s, sd_s=own[0].sd_s)
    elif before is not None:
        start = Moment(time_s=before.time_s, sd_s=math.inf)
        end = Moment(time_s=first.start_s, sd_s=math.inf)
    else:
        return []
    return [_Part(inwards=True, hump=None, front=False, start=start, end=end)]


def _fit_fronts(field: FieldCurve, run: Sequence[_Part]) -> None:
    """Bounds of each front, fitted from the middle of the pause before to that after."""
    rough = [(part.start.time_s, part.end.time_s) for part in run]
    for i, part in enumerate(run):
        if not part.front:
            continue
        low, high = _quiet(rough, i)
        if field.variance is not None:
            low, high = front_window(field, *rough[i], _reach(run, i))
            low, high = low - QUIET * (high - low), high + QUIET * (high - low)
        bounds = front_bounds(field, low, high)
        if bounds is not None and bounds[0].time_s < bounds[1].time_s:
            part.start, part.end = bounds


def _recorded(field: FieldCurve, moment: Moment) -> Moment:
    return moment.within(float(field.times_s[0]), float(field.times_s[-1]))


def _reach(run: Sequence[_Part], i: int) -> tuple[float, float]:
    """From the peak of the step before to that of the one after."""
    before = [part.hump.peak_s for part in run[:i] if part.hump is not None]
    after = [part.hump.peak_s for part in run[i + 1 :] if part.hump is not None]
    return (before[-1] if before else -math.inf), (after[0] if after else math.inf)


def _quiet(rough: Sequence[tuple[float, float]], i: int) -> tuple[float, float]:
    start, end = rough[i]
    margin = QUIET * (end - start)
    low = start - margin if i == 0 else max(start - margin, (rough[i - 1][1] + start) / 2)
    last = i + 1 == len(rough)
    high = end + margin if last else min(end + margin, (end + rough[i + 1][0]) / 2)
    return min(low, start), max(high, end)


def _fit_uniform(field: FieldCurve, run: Sequence[_Part]) -> None:
    """Bounds of the SEI and uniform steps, those beside each other in one fit."""
    for front, parts in itertools.groupby(enumerate(run), key=lambda p: p[1].front):
        if front:
            continue
        numbers = [i for i, _ in parts]
        own = [run[i] for i in numbers]
        if all(part.hump is None and part.length_s <= 0 for part in own):
            continue
        first, last = numbers[0], numbers[-1]
        low = run[first - 1].end.time_s if first else own[0].start.time_s - _beside(own[0])
        if not first and own[0].hump is None:
            low = float(field.times_s[0])
        following = last + 1 < len(run)
        high = run[last + 1].start.time_s if following else own[-1].end.time_s + _beside(own[-1])
        _fit_block(field, own, low, high)


def _beside(part: _Part) -> float:
    return BESIDE * part.length_s


def _fit_block(field: FieldCurve, own: Sequence[_Part], low: float, high: float) -> None:
    inside = (field.times_s >= low) & (field.times_s <= high)
    steps = [part for part in own if part.hump is not None]
    sei = next((part for part in own if part.hump is None), None)
    fit = fit_uniform(
        field.times_s[inside],
        field.values[inside],
        [(part.start.time_s, part.end.time_s) for part in steps],
        None if sei is None else (sei.start.time_s, sei.end.time_s),
    )
    if fit is None:
        return
    for part, (start, end) in zip(steps, fit.steps, strict=True):
        part.start, part.end = start, end
    if sei is not None and fit.sei is not None:
        sei.start, sei.end = fit.sei


def _named(
    field: FieldCurve,
    curve: RateCurve,
    runs: Sequence[Sequence[_Part]],
    halves: Sequence[HalfCycle],
) -> list[Stage]:
    stages: list[Stage] = []
    cycle = 0
    plated: Moment | None = None
    for number, run in enumerate(runs):
        outwards = [part for part in run if not part.inwards]
        inwards = [part for part in run if part.inwards]
        if outwards:
            cycle = max(cycle, 1)
            if plated is not None and outwards[0].start.time_s > plated.time_s:
                stages.append(
                    detected_stage(
                        StageKind.DISSOLUTION, cycle, None, plated, outwards[0].start, "field"
                    )
                )
            stages += _numbered(StageKind.DEALLOYING, cycle, outwards)
        if not inwards:
            continue
        cycle += 1
        stages += _inwards(cycle, inwards)
        following = runs[number + 1][0].start.time_s if number + 1 < len(runs) else None
        last = inwards[-1].end
        plated = _end_of_plating(field, curve, last, following, halves)
        if plated.time_s - last.time_s > curve.window_s:
            start = _start_of_plating(field, inwards[-1], plated)
            stages.append(detected_stage(StageKind.DEPOSITION, cycle, None, start, plated, "field"))
        else:
            plated = last
    return stages


def _inwards(cycle: int, parts: Sequence[_Part]) -> list[Stage]:
    stages = [
        detected_stage(StageKind.SEI, cycle, None, part.start, part.end, "field")
        for part in parts
        if part.hump is None and part.length_s > 0
    ]
    steps = [part for part in parts if part.hump is not None]
    return stages + _numbered(StageKind.ALLOYING, cycle, steps)


def _numbered(kind: StageKind, cycle: int, parts: Sequence[_Part]) -> list[Stage]:
    return [
        detected_stage(kind, cycle, number, part.start, part.end, "field")
        for number, part in enumerate(parts, start=1)
        if part.length_s > 0
    ]


def _start_of_plating(field: FieldCurve, step: _Part, plated: Moment) -> Moment:
    """A short pause after the last step; or, less surely, when spots begin to show."""
    pause_s = STEP_PAUSE * step.length_s
    after = step.end.later(pause_s, pause_s)
    shown_s = first_spots_s(field, step.end.time_s, plated.time_s)
    if shown_s is None:
        return after
    wait_s = shown_s - step.end.time_s
    return weighted(after, Moment(time_s=shown_s, sd_s=max(wait_s, step.end.sd_s)))


def _end_of_plating(
    field: FieldCurve,
    curve: RateCurve,
    last: Moment,
    following_s: float | None,
    halves: Sequence[HalfCycle],
) -> Moment:
    """When the current reverses, else where the slow rise turns into a slow fall."""
    end_s = float(curve.times_s[-1]) if following_s is None else following_s
    for half in halves:
        if half.inwards and last.time_s < half.end_s <= end_s:
            return Moment(time_s=half.end_s, sd_s=half.sd_s)
    if following_s is None:
        return Moment(time_s=end_s, sd_s=curve.window_s)
    signal = field.values if field.variance is None else field.variance
    time_s, sd_s = kink_s(field.times_s, signal, last.time_s, end_s)
    return Moment(time_s=time_s, sd_s=sd_s)
