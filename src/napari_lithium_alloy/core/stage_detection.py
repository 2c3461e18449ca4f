"""Stages found in the potential, the current and the film's mean absorbance.

The cell's stages come from the current's sign and from breaks of the potential, supported by the
absorbance where there is any; the field's stages from its own absorbance alone: alloying is a
hump of its rate, and stages meet in the valleys between humps. Nothing here knows a voltage or
which sign the potential has.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.potential_breaks import (
    SETTLED,
    Break,
    HalfCycle,
    Relaxation,
    breaks,
    half_cycles,
    relaxation,
)
from napari_lithium_alloy.core.rate_humps import Hump, RateCurve, humps, kink_s, rate_curve
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Scope, Stage, StageKind

STEP_PEAK, STEP_CHANGE = 0.2, 0.2
"""Smallest rate and change of an alloying step, in units of the largest of its direction."""
SEI_SHARE = 0.6
"""Largest change of the SEI's hump in units of the next one's."""
EARLY = 0.4
"""Share of the SEI's hump within which it peaks."""
SURE, LIKELY = 8.0, 3.0
"""Significance of a break that needs no support by the absorbance, and of one that has it."""
DEEP = 0.3
"""Depth of a valley that needs no break of the potential beside it."""


@dataclass(frozen=True, kw_only=True)
class DetectionParameters:
    """How stages are told.

    Attributes
    ----------
    least_break : float
        Smallest misfit of one line across a break of the potential, as a share of the
        potential's range while lithium goes one way.
    least_valley : float
        Largest rate of absorbance between two stages, as a share of the smaller hump's peak.
    """

    least_break: float = 0.005
    least_valley: float = 0.4


@dataclass(frozen=True, kw_only=True)
class _Bound:
    time_s: float
    sd_s: float


def detect_stages(
    potential: PotentialCurve | None = None,
    times_s: FloatArray | None = None,
    absorbance: FloatArray | None = None,
    parameters: DetectionParameters | None = None,
) -> list[Stage]:
    """Stages of the cell and of the field, each with how sure its bounds are.

    Parameters
    ----------
    potential : PotentialCurve, optional
    times_s, absorbance : numpy.ndarray, optional
        (T,) seconds and the field's mean absorbance (of epi recordings: relative reflectance).
    parameters : DetectionParameters, optional

    Returns
    -------
    list of Stage
        In the order of time; the cell's where there is a potential with its current, the
        field's where there is an absorbance; empty where nothing is found.
    """
    parameters = parameters or DetectionParameters()
    curve = None
    if times_s is not None and absorbance is not None:
        curve = rate_curve(times_s, absorbance)
    found = [] if curve is None else humps(curve, least_valley=parameters.least_valley)
    halves = [] if potential is None else half_cycles(potential)
    stages = []
    if potential is not None:
        stages += _cell_stages(potential, halves, curve, found, parameters)
    if curve is not None:
        stages += _field_stages(curve, found, halves)
    return sorted(stages, key=lambda s: (s.start_s, s.scope))


# The cell


def _cell_stages(
    potential: PotentialCurve,
    halves: Sequence[HalfCycle],
    curve: RateCurve | None,
    found: Sequence[Hump],
    parameters: DetectionParameters,
) -> list[Stage]:
    stages: list[Stage] = []
    for half in halves:
        start = _Bound(time_s=half.start_s, sd_s=half.sd_s)
        end = _Bound(time_s=half.end_s, sd_s=half.sd_s)
        own = [h for h in _steps(found) if half.start_s <= h.peak_s <= half.end_s]
        own = [h for h in own if (h.peak > 0) == half.inwards]
        first = Relaxation(start_s=half.start_s, time_constant_s=0, drop_v=0, sd_s=half.sd_s)
        if half.inwards:
            first = relaxation(potential, half)
        begin = _Bound(time_s=first.settled_s, sd_s=first.sd_s)
        inner = _inner_bounds(potential, half, first, own, parameters)
        bounds = [begin, *inner, end]
        if half.inwards:
            plates = _plates(curve, own, bounds)
            stages += _inwards(half.cycle, start, bounds, plates=plates, scope="cell")
        else:
            stages += _outwards(half.cycle, bounds, scope="cell")
    return stages


def _inner_bounds(
    potential: PotentialCurve,
    half: HalfCycle,
    first: Relaxation,
    own: Sequence[Hump],
    parameters: DetectionParameters,
) -> list[_Bound]:
    """Breaks that are sure, or likely and met by a valley; then deep valleys without a break."""
    candidates = breaks(potential, half, first, least=parameters.least_break)
    valleys = _valleys(own, half)
    inner = []
    met: set[int] = set()
    for one in candidates:
        near = [i for i, v in enumerate(valleys) if _meets(one, v)]
        met.update(near)
        if one.significance >= SURE or (near and one.significance >= LIKELY):
            inner.append(_Bound(time_s=one.time_s, sd_s=one.sd_s))
    for i, (low, high, depth) in enumerate(valleys):
        others = [first.settled_s, *(b.time_s for b in inner)]
        apart = all(abs((low + high) / 2 - other) > half.window_s for other in others)
        if i not in met and depth < DEEP and apart:
            inner.append(_Bound(time_s=(low + high) / 2, sd_s=(high - low) / math.sqrt(12)))
    return sorted(inner, key=lambda b: b.time_s)


def _valleys(own: Sequence[Hump], half: HalfCycle) -> list[tuple[float, float, float]]:
    """Times between humps as (start, end, depth); before the first outwards, after the last in."""
    valleys = [(a.end_s, b.start_s, _depth(a, b)) for a, b in itertools.pairwise(own)]
    if own and half.inwards and half.end_s - own[-1].end_s > half.window_s:
        valleys.append((own[-1].end_s, own[-1].end_s, 1.0))
    if own and not half.inwards and own[0].start_s - half.start_s > half.window_s:
        valleys.insert(0, (own[0].start_s, own[0].start_s, 1.0))
    return valleys


def _depth(a: Hump, b: Hump) -> float:
    return 0.0 if b.start_s > a.end_s else 0.4


def _meets(one: Break, valley: tuple[float, float, float]) -> bool:
    low, high, _ = valley
    return low - one.reach_s <= one.time_s <= high + one.reach_s


def _plates(curve: RateCurve | None, steps: Sequence[Hump], bounds: Sequence[_Bound]) -> bool:
    """Whether the last part is plating: no step of the absorbance is in it, or none is known."""
    if len(bounds) < 3:
        return False
    return curve is None or not any(h.peak_s > bounds[-2].time_s for h in steps)


def _inwards(
    cycle: int, start: _Bound, bounds: Sequence[_Bound], *, plates: bool, scope: Scope
) -> list[Stage]:
    """SEI from `start` to the first bound, then alloying steps, the last part plating or not."""
    stages = []
    if bounds[0].time_s > start.time_s:
        stages.append(_stage(StageKind.SEI, cycle, None, start, bounds[0], scope))
    spans = list(itertools.pairwise(bounds))
    for number, (low, high) in enumerate(spans, start=1):
        last = plates and number == len(spans)
        kind = StageKind.DEPOSITION if last else StageKind.ALLOYING
        stages.append(_stage(kind, cycle, None if last else number, low, high, scope))
    return stages


def _outwards(cycle: int, bounds: Sequence[_Bound], *, scope: Scope) -> list[Stage]:
    """Dissolution, then dealloying steps."""
    stages = []
    for number, (low, high) in enumerate(itertools.pairwise(bounds)):
        kind = StageKind.DEALLOYING if number else StageKind.DISSOLUTION
        stages.append(_stage(kind, cycle, number or None, low, high, scope))
    return stages


def _stage(
    kind: StageKind, cycle: int, step: int | None, start: _Bound, end: _Bound, scope: Scope
) -> Stage:
    return Stage(
        kind=kind,
        cycle=cycle,
        step=step,
        start_s=start.time_s,
        end_s=end.time_s,
        scope=scope,
        source="detected",
        start_sd_s=start.sd_s,
        end_sd_s=end.sd_s,
    )


# The field


def _field_stages(
    curve: RateCurve, found: Sequence[Hump], halves: Sequence[HalfCycle]
) -> list[Stage]:
    """Humps in groups of one sign: those of rising absorbance, then those of falling."""
    groups = [list(g) for _, g in itertools.groupby(_steps(found), key=lambda h: h.peak > 0)]
    stages: list[Stage] = []
    cycle = 0
    sd = curve.window_s / math.sqrt(12)
    for i, group in enumerate(groups):
        inwards = group[0].peak > 0
        cycle += inwards or not cycle
        before = groups[i - 1][-1].end_s if i else None
        if inwards:
            stages += _field_sei(found, group[0], before, cycle, halves, sd)
            following = groups[i + 1][0].start_s if i + 1 < len(groups) else None
            stages += _field_inwards(curve, group, following, cycle, halves, sd)
            continue
        if stages and group[0].start_s > stages[-1].end_s:
            bound = _Bound(time_s=stages[-1].end_s, sd_s=stages[-1].end_sd_s)
            first = _Bound(time_s=group[0].start_s, sd_s=sd)
            stages.append(_stage(StageKind.DISSOLUTION, cycle, None, bound, first, "field"))
        for number, hump in enumerate(group, start=1):
            stages.append(_hump_stage(StageKind.DEALLOYING, cycle, number, hump, sd))
    return stages


def _steps(found: Sequence[Hump]) -> list[Hump]:
    """The humps that are steps: near the largest of their direction in rate and in change.

    The SEI is none: the first of several, it starts at its fastest and is small.
    """
    kept = []
    for inwards in (True, False):
        own = [h for h in found if (h.peak > 0) == inwards]
        if own:
            peak = max(abs(h.peak) for h in own)
            change = max(abs(h.change) for h in own)
            kept += [
                h
                for h in own
                if abs(h.peak) >= STEP_PEAK * peak and abs(h.change) >= STEP_CHANGE * change
            ]
    kept.sort(key=lambda h: h.peak_s)
    return [h for i, h in enumerate(kept) if not _is_sei(kept, i)]


def _is_sei(steps: Sequence[Hump], i: int) -> bool:
    hump = steps[i]
    first = hump.peak > 0 and (i == 0 or steps[i - 1].peak < 0)
    if not first or i + 1 >= len(steps) or steps[i + 1].peak < 0:
        return False
    early = hump.peak_s - hump.half_s < EARLY * (hump.end_s - hump.half_s)
    return early and abs(hump.change) < SEI_SHARE * abs(steps[i + 1].change)


def _field_sei(
    found: Sequence[Hump],
    first: Hump,
    before_s: float | None,
    cycle: int,
    halves: Sequence[HalfCycle],
    sd: float,
) -> list[Stage]:
    """The small hump before the first step; without one the time from current, or the last step."""
    lead = [
        h
        for h in found
        if h.peak > 0 and h.peak_s < first.peak_s and (before_s is None or h.peak_s >= before_s)
    ]
    if lead:
        start = _Bound(time_s=lead[0].half_s, sd_s=sd)
        settled = start.time_s + abs(lead[0].change / lead[0].peak) * math.log(1 / SETTLED)
        end = _Bound(time_s=min(settled, first.start_s), sd_s=max(sd, (settled - start.time_s) / 8))
        return [_stage(StageKind.SEI, cycle, None, start, end, "field")]
    own = [h for h in halves if h.inwards and h.start_s < first.start_s <= h.end_s]
    if own:
        start = _Bound(time_s=own[0].start_s, sd_s=own[0].sd_s)
    elif before_s is not None and before_s < first.start_s:
        start = _Bound(time_s=before_s, sd_s=sd)
    else:
        return []
    end = _Bound(time_s=first.start_s, sd_s=sd)
    return [_stage(StageKind.SEI, cycle, None, start, end, "field")]


def _field_inwards(
    curve: RateCurve,
    steps: Sequence[Hump],
    following_s: float | None,
    cycle: int,
    halves: Sequence[HalfCycle],
    sd: float,
) -> list[Stage]:
    stages = [
        _hump_stage(StageKind.ALLOYING, cycle, number, hump, sd)
        for number, hump in enumerate(steps, start=1)
    ]
    last = _Bound(time_s=steps[-1].end_s, sd_s=sd)
    end_s = float(curve.times_s[-1]) if following_s is None else following_s
    end = _end_of_plating(curve, last, end_s, halves, reverses=following_s is not None)
    start = _Bound(time_s=last.time_s + sd, sd_s=sd)
    if end.time_s - start.time_s > curve.window_s:
        stages.append(_stage(StageKind.DEPOSITION, cycle, None, start, end, "field"))
    return stages


def _end_of_plating(
    curve: RateCurve, last: _Bound, end_s: float, halves: Sequence[HalfCycle], *, reverses: bool
) -> _Bound:
    """When the current reverses, else where the slow rise turns into a slow fall."""
    for half in halves:
        if half.inwards and last.time_s < half.end_s <= end_s:
            return _Bound(time_s=half.end_s, sd_s=half.sd_s)
    if not reverses:
        return _Bound(time_s=end_s, sd_s=curve.window_s)
    time_s, sd_s = kink_s(curve, last.time_s, end_s)
    return _Bound(time_s=time_s, sd_s=sd_s)


def _hump_stage(kind: StageKind, cycle: int, step: int | None, hump: Hump, sd: float) -> Stage:
    start = _Bound(time_s=hump.start_s, sd_s=sd)
    end = _Bound(time_s=max(hump.end_s, hump.start_s + 1e-6), sd_s=sd)
    return _stage(kind, cycle, step, start, end, "field")
