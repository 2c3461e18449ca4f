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
from dataclasses import dataclass, replace

import numpy as np

from napari_lithium_alloy.core.alloying_steps import steps_of
from napari_lithium_alloy.core.detected import Moment, detected_stage
from napari_lithium_alloy.core.field_curve import FieldCurve
from napari_lithium_alloy.core.field_stages import field_stages
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.potential_breaks import (
    Break,
    HalfCycle,
    Relaxation,
    breaks,
    half_cycles,
    relaxation,
)
from napari_lithium_alloy.core.rate_humps import Hump, humps, rate_curve
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Scope, Stage, StageKind

SURE, LIKELY = 8.0, 3.0
"""Significance of a break that needs no support by the absorbance, and of one that has it."""
PAUSE = 0.04
"""Likely pause between two stages, as a share of the shorter."""
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


def detect_stages(
    potential: PotentialCurve | None = None,
    times_s: FloatArray | None = None,
    absorbance: FloatArray | None = None,
    parameters: DetectionParameters | None = None,
    *,
    spread: FloatArray | None = None,
) -> list[Stage]:
    """Stages of the cell and of the field, each with how sure its bounds are.

    Parameters
    ----------
    potential : PotentialCurve, optional
    times_s, absorbance : numpy.ndarray, optional
        (T,) seconds and the field's mean absorbance (of epi recordings: relative reflectance).
    parameters : DetectionParameters, optional
    spread : numpy.ndarray, optional
        (T,) standard deviation of the absorbance over the field's pixels, NaN where it isn't
        known. It tells a front from
        a change of all pixels alike and from spots of lithium, whatever the lamp does; the
        field's bounds are far surer with it.

    Returns
    -------
    list of Stage
        In the order of time; the cell's where there is a potential with its current, the
        field's where there is an absorbance; empty where nothing is found.
    """
    parameters = parameters or DetectionParameters()
    field = None
    if times_s is not None and absorbance is not None:
        field = _field(times_s, absorbance, spread)
    curve = None if field is None else rate_curve(field.times_s, field.values)
    found: list[Hump] = []
    steps: list[Hump] = []
    if curve is not None and field is not None:
        found = humps(curve, least_valley=parameters.least_valley)
        steps = steps_of(found, curve, field)
    halves = [] if potential is None else half_cycles(potential)
    stages = []
    if potential is not None:
        own = None if curve is None else steps
        stages += _cell_stages(potential, halves, own, parameters)
    if curve is not None and field is not None:
        seen = field_stages(field, curve, found, steps, halves)
        stages = [*_drawn_back(stages, seen), *seen]
    return sorted(stages, key=lambda s: (s.start_s, s.scope))


def _field(times_s: FloatArray, absorbance: FloatArray, spread: FloatArray | None) -> FieldCurve:
    """The frames whose mean is known, with a variance that is interpolated where it isn't."""
    known = np.isfinite(absorbance)
    times = times_s[known]
    variance = None
    if spread is not None and np.isfinite(spread).any():
        measured = np.isfinite(spread)
        variance = np.interp(times, times_s[measured], spread[measured] ** 2)
    return FieldCurve(times_s=times, values=absorbance[known], variance=variance)


# The cell


def _cell_stages(
    potential: PotentialCurve,
    halves: Sequence[HalfCycle],
    steps: Sequence[Hump] | None,
    parameters: DetectionParameters,
) -> list[Stage]:
    stages: list[Stage] = []
    for half in halves:
        start = Moment(time_s=half.start_s, sd_s=half.sd_s)
        end = Moment(time_s=half.end_s, sd_s=half.sd_s)
        own = [h for h in steps or () if half.start_s <= h.peak_s <= half.end_s]
        own = [h for h in own if (h.peak > 0) == half.inwards]
        first = Relaxation(start_s=half.start_s, time_constant_s=0, drop_v=0, sd_s=half.sd_s)
        if half.inwards:
            first = relaxation(potential, half)
        begin = Moment(time_s=first.settled_s, sd_s=first.sd_s)
        inner = _inner_bounds(potential, half, first, own, parameters)
        bounds = _with_pauses(start, [begin, *inner, end])
        if half.inwards:
            plates = _plates(None if steps is None else own, bounds)
            stages += _inwards(half.cycle, start, bounds, plates=plates, scope="cell")
        else:
            stages += _outwards(half.cycle, bounds, scope="cell")
    return stages


def _with_pauses(start: Moment, bounds: Sequence[Moment]) -> list[Moment]:
    """Bounds within a half cycle less sure: each ends one stage and starts another.

    They may lie apart by a pause, of which only one side was found.
    """
    around = [start, *bounds]
    inner = [
        b.later(0.0, PAUSE * min(b.time_s - a.time_s, c.time_s - b.time_s))
        for a, b, c in zip(around, around[1:], around[2:], strict=False)
    ]
    return [*inner, bounds[-1]]


def _drawn_back(cell: Sequence[Stage], field: Sequence[Stage]) -> list[Stage]:
    """The cell's stages, ended before the next one's start where the field has ended by then.

    A break of the potential is where the next stage starts. The one before ended at a time
    between the field's end, which is no later than the cell's, and the break; no more than twice
    the likely pause before it.
    """
    seen = {s.key: s for s in field}
    ordered = sorted(cell, key=lambda s: s.start_s)
    drawn = []
    for stage, following in itertools.zip_longest(ordered, ordered[1:]):
        own = seen.get(stage.key)
        if own is None or following is None or following.start_s != stage.end_s:
            drawn.append(stage)
            continue
        shorter = min(s.end_s - s.start_s for s in (stage, following))
        early = min(max(stage.end_s - own.end_s, 0.0), 2 * PAUSE * shorter)
        drawn.append(replace(stage, end_s=stage.end_s - early / 2))
    return drawn


def _inner_bounds(
    potential: PotentialCurve,
    half: HalfCycle,
    first: Relaxation,
    own: Sequence[Hump],
    parameters: DetectionParameters,
) -> list[Moment]:
    """Breaks that are sure, or likely and met by a valley; then deep valleys without a break."""
    candidates = breaks(potential, half, first, least=parameters.least_break)
    valleys = _valleys(own, half)
    inner = []
    met: set[int] = set()
    for one in candidates:
        near = [i for i, v in enumerate(valleys) if _meets(one, v)]
        met.update(near)
        if one.significance >= SURE or (near and one.significance >= LIKELY):
            inner.append(Moment(time_s=one.time_s, sd_s=one.sd_s))
    for i, (low, high, depth) in enumerate(valleys):
        others = [first.settled_s, *(b.time_s for b in inner)]
        apart = all(abs((low + high) / 2 - other) > half.window_s for other in others)
        if i not in met and depth < DEEP and apart:
            inner.append(Moment(time_s=(low + high) / 2, sd_s=(high - low) / math.sqrt(12)))
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


def _plates(steps: Sequence[Hump] | None, bounds: Sequence[Moment]) -> bool:
    """Whether the last part is plating: no step is in it, or no absorbance is known."""
    if len(bounds) < 3:
        return False
    return steps is None or not any(h.peak_s > bounds[-2].time_s for h in steps)


def _inwards(
    cycle: int, start: Moment, bounds: Sequence[Moment], *, plates: bool, scope: Scope
) -> list[Stage]:
    """SEI from `start` to the first bound, then alloying steps, the last part plating or not."""
    stages = []
    if bounds[0].time_s > start.time_s:
        stages.append(detected_stage(StageKind.SEI, cycle, None, start, bounds[0], scope))
    spans = list(itertools.pairwise(bounds))
    for number, (low, high) in enumerate(spans, start=1):
        last = plates and number == len(spans)
        kind = StageKind.DEPOSITION if last else StageKind.ALLOYING
        stages.append(detected_stage(kind, cycle, None if last else number, low, high, scope))
    return stages


def _outwards(cycle: int, bounds: Sequence[Moment], *, scope: Scope) -> list[Stage]:
    """Dissolution, then dealloying steps."""
    stages = []
    for number, (low, high) in enumerate(itertools.pairwise(bounds)):
        kind = StageKind.DEALLOYING if number else StageKind.DISSOLUTION
        stages.append(detected_stage(kind, cycle, number or None, low, high, scope))
    return stages
