"""Which humps of the absorbance's rate are alloying and dealloying steps."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from napari_lithium_alloy.core.front_edges import (
    FieldCurve,
    front_window,
    is_front,
    spread_of_change,
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
SPOTS = 0.5
"""Variance left by spots of lithium, in units of the squared change of the mean."""
APART = 0.25
"""Share of a hump beside the front in it that is long enough to be a step of its own."""


def steps_of(found: Sequence[Hump], curve: RateCurve, field: FieldCurve) -> list[Hump]:
    """The humps that are steps: near the largest of their direction in rate and in change.

    The SEI is none: the first of several, it starts at its fastest and is small. Nor is plating,
    which leaves spots. A hump in which a front follows or precedes a uniform change is two steps.
    """
    kept = _large([part for hump in found for part in _split(hump, curve, field)])
    kept = [h for i, h in enumerate(kept) if not _is_sei(kept, i, curve.window_s)]
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


def _is_sei(steps: Sequence[Hump], i: int, window_s: float) -> bool:
    hump = steps[i]
    first = hump.peak > 0 and (i == 0 or steps[i - 1].peak < 0)
    if not first or i + 1 >= len(steps) or steps[i + 1].peak < 0:
        return False
    following = steps[i + 1]
    length = hump.end_s - hump.start_s
    early = hump.peak_s - hump.half_s < EARLY * (hump.end_s - hump.half_s)
    short = length < min(BLURRED * window_s, SHORT * (following.end_s - following.start_s))
    return (early or short) and abs(hump.change) < SEI_SHARE * abs(following.change)


def _is_plating(steps: Sequence[Hump], i: int, field: FieldCurve) -> bool:
    """Whether the last of several rises leaves the field spotted."""
    hump = steps[i]
    last = i + 1 == len(steps) or steps[i + 1].peak < 0
    if hump.peak < 0 or not last or i == 0 or steps[i - 1].peak < 0:
        return False
    return spread_of_change(field, hump.start_s, hump.end_s)[1] > SPOTS


def _split(hump: Hump, curve: RateCurve, field: FieldCurve) -> list[Hump]:
    """The hump, or the front in it and the uniform change beside that."""
    if field.variance is None or not is_front(field, hump.start_s, hump.end_s):
        return [hump]
    low, high = front_window(field, hump.start_s, hump.end_s)
    bounds = [hump.start_s, hump.end_s]
    least = APART * (hump.end_s - hump.start_s)
    if low - hump.start_s > least:
        bounds.insert(1, low)
    if hump.end_s - high > least:
        bounds.insert(-1, high)
    parts = [_part(hump, curve, a, b) for a, b in itertools.pairwise(bounds)]
    least = STEP_CHANGE * max(abs(part.change) for part in parts)
    return parts if all(abs(part.change) >= least for part in parts) else [hump]


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
