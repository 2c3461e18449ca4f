"""Which humps of the absorbance's rate are alloying and dealloying steps."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from napari_lithium_alloy.core.field_curve import (
    FieldCurve,
    front_excess,
    front_window,
    is_front,
    same_front,
    spots_left,
)
from napari_lithium_alloy.core.rate_humps import Hump, RateCurve

STEP_PEAK, STEP_CHANGE = 0.2, 0.2
"""Smallest rate and change of an alloying step, in units of the largest of its direction."""
SEI_SHARE = 0.6
"""Largest change of the SEI's hump in units of the next one's."""
EARLY = 0.4
"""Share of the SEI's hump within which it peaks."""
BLURRED = 3.0
"""Windows of the rate within which a hump's peak tells nothing."""
SHORT = 0.6
"""Largest length of such an SEI's hump in units of the next one's."""
SPOTS = 2.0
"""Variance left by spots of lithium, in units of the squared change of the mean."""
CLEARLY = 0.14
"""Variance, in units of the squared change of the mean, that is certainly a front's."""
APART = 0.25
"""Share of a hump beside the front in it that is long enough to be a step of its own."""


def steps_of(found: Sequence[Hump], curve: RateCurve, field: FieldCurve) -> list[Hump]:
    """The humps that are steps: near the largest of their direction in rate and in change.

    The SEI is none: the first of several, it starts at its fastest and is small. Nor is plating,
    which leaves spots. By the variance, a hump in which a front follows or precedes a uniform
    change is two steps, and humps of one front are one.
    """
    kept = _large(found)
    if field.variance is not None:
        kept = _joined(kept, curve, field)
        peaks = [-math.inf, *(hump.peak_s for hump in kept), math.inf]
        parts = [
            [h] if _is_sei(kept, i, curve, field) else _split(h, curve, field, (before, after))
            for i, (h, before, after) in enumerate(zip(kept, peaks, peaks[2:], strict=False))
        ]
        kept = list(itertools.chain(*parts))
    kept = [h for i, h in enumerate(kept) if not _is_sei(kept, i, curve, field)]
    return [h for i, h in enumerate(kept) if not _is_plating(kept, i, field)]


def _large(found: Sequence[Hump]) -> list[Hump]:
    kept = []
    for inwards in (True, False):
        own = [h for h in found if (h.peak > 0) == inwards]
        peak = max((abs(h.peak) for h in own), default=0.0)
        change = max((abs(h.change) for h in own), default=0.0)
        kept += [
            h
            for h in own
            if abs(h.peak) >= STEP_PEAK * peak and abs(h.change) >= STEP_CHANGE * change
        ]
    return sorted(kept, key=lambda h: h.peak_s)


def _is_sei(steps: Sequence[Hump], i: int, curve: RateCurve, field: FieldCurve) -> bool:
    hump = steps[i]
    first = hump.peak > 0 and (i == 0 or steps[i - 1].peak < 0)
    if not first or i + 1 >= len(steps) or steps[i + 1].peak < 0:
        return False
    if front_excess(field, hump.start_s, hump.end_s) > CLEARLY:
        return False
    following, window_s = steps[i + 1], curve.window_s
    length, later = (_unblurred(h, window_s) for h in (hump, following))
    early = hump.peak_s - hump.half_s < EARLY * (hump.end_s - hump.half_s)
    short = length < BLURRED * window_s and length < SHORT * later
    return (early or short) and abs(hump.change) < SEI_SHARE * abs(following.change)


def _unblurred(hump: Hump, window_s: float) -> float:
    """Length of a hump without what the rate's window adds."""
    return math.sqrt(max((hump.end_s - hump.start_s) ** 2 - window_s**2, 0.0))


def _is_plating(steps: Sequence[Hump], i: int, field: FieldCurve) -> bool:
    """Whether the last of several rises leaves the field spotted."""
    hump = steps[i]
    last = i + 1 == len(steps) or steps[i + 1].peak < 0
    if hump.peak < 0 or not last or i == 0 or steps[i - 1].peak < 0:
        return False
    return spots_left(field, hump.start_s, hump.end_s) > SPOTS


def _split(
    hump: Hump, curve: RateCurve, field: FieldCurve, reach: tuple[float, float]
) -> list[Hump]:
    """The hump, or the whole front in it and uniform changes beside that."""
    if not is_front(field, hump.start_s, hump.end_s):
        return [hump]
    low, high = front_window(field, hump.start_s, hump.end_s, reach)
    parts = [(hump.start_s, low), (low, high), (high, hump.end_s)]
    least = APART * (hump.end_s - hump.start_s)
    beside = [_part(hump, curve, a, b) for a, b in parts[::2] if b - a > least]
    front = _part(hump, curve, low, high)
    least = STEP_CHANGE * abs(front.change)
    steps = [front, *(part for part in beside if abs(part.change) >= least)]
    return sorted(steps, key=lambda h: h.start_s)


def _joined(steps: Sequence[Hump], curve: RateCurve, field: FieldCurve) -> list[Hump]:
    """The steps, those between which one front is still in the field as one."""
    joined: list[Hump] = []
    for hump in steps:
        last = joined[-1] if joined else hump
        between = (last.end_s + hump.start_s) / 2
        if (last.peak > 0) == (hump.peak > 0) and same_front(
            field, last.start_s, between, hump.end_s
        ):
            joined[-1:] = [_part(hump, curve, last.start_s, hump.end_s)]
        else:
            joined.append(hump)
    return joined


def _part(hump: Hump, curve: RateCurve, start_s: float, end_s: float) -> Hump:
    """What a hump is between two times."""
    inside = (curve.times_s >= start_s) & (curve.times_s <= end_s)
    times, rate = curve.times_s[inside], np.sign(hump.peak) * curve.rate[inside]
    if not len(times):
        return hump
    peak = int(np.argmax(rate))
    change = np.interp([start_s, end_s], curve.times_s, curve.values)
    return dataclasses.replace(
        hump,
        start_s=start_s,
        end_s=end_s,
        half_s=float(times[int(np.argmax(rate >= rate[peak] / 2))]),
        peak_s=float(times[peak]),
        peak=float(np.sign(hump.peak) * rate[peak]),
        change=float(change[1] - change[0]),
    )
