"""Mean and spread of a field's absorbance, and what they tell of fronts and of spots.

A front changes pixel after pixel by the same amount A. While a share f of the field has changed,
the mean has moved by f A and the variance over the pixels stands at f (1 - f) A^2 above its
level before: twice the same information, of which the second knows no flicker of the lamp and
nothing of what happens to all pixels alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.smoothing import noise_of_second

FRONT = 0.07
"""Least rise of the variance within a front, in units of the squared change of the mean."""
EVEN = 0.48
"""Middle half of a front's change in units of the time of its middle nine tenths."""
ALONG = 1.0
"""Largest change of the variance that goes along with the mean, in the same units."""
INSIDE = 0.4
"""Least variance while a front is in the field, in units of its largest."""
FALL = 0.01
"""Fall of the variance beside its peak that belongs to a front, as a share of its rise."""
SHOWN, LEAST_SHOWN = 0.01, 3.0
"""Rise of the variance that shows spots: as a share of its whole rise, in units of its noise."""
FEWEST = 3
"""Frames of which something can be told."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FieldCurve:
    """Mean and variance of a field's absorbance, frame by frame.

    Attributes
    ----------
    times_s, values : numpy.ndarray
        (T,) seconds and mean absorbance.
    variance : numpy.ndarray or None
        (T,) over the field's pixels; None where it isn't known.
    """

    times_s: FloatArray
    values: FloatArray
    variance: FloatArray | None

    @property
    def noise(self) -> float:
        """Standard deviation of a frame's mean."""
        return frame_noise_of(self.values)

    def at(self, time_s: float) -> float:
        """Mean absorbance at a time."""
        return float(np.interp(time_s, self.times_s, self.values))


def frame_noise_of(values: FloatArray) -> float:
    """Standard deviation of what changes from frame to frame at random."""
    return noise_of_second(np.diff(values, n=2))


def _unlevelled(curve: FieldCurve, start_s: float, end_s: float) -> FloatArray | None:
    """(T,) variance less what goes along with the mean between its levels at two times.

    Noise and holes of the film vary as the mean does; a front's f (1 - f) is left. In units of
    the squared change of the mean; None without a variance or a change. Levels that differ by
    more than this unit are taken in the midst of a front, and nothing goes along.
    """
    change = curve.at(end_s) - curve.at(start_s)
    if curve.variance is None or change == 0:
        return None
    levels = np.interp([start_s, end_s], curve.times_s, curve.variance)
    share = (curve.values - curve.at(start_s)) / change
    along = (levels[1] - levels[0]) / change**2
    if abs(along) > ALONG:
        along = 0.0
    return np.asarray((curve.variance - levels[0]) / change**2 - share * along)


def spots_left(curve: FieldCurve, start_s: float, end_s: float) -> float:
    """How far the variance has risen in the end, in units of the squared change of the mean.

    About 0 for a front and where all pixels change alike, above 1 where a few change by much;
    NaN without a variance.
    """
    change = curve.at(end_s) - curve.at(start_s)
    if curve.variance is None or change == 0:
        return math.nan
    levels = np.interp([start_s, end_s], curve.times_s, curve.variance)
    return float(levels[1] - levels[0]) / change**2


def front_excess(curve: FieldCurve, start_s: float, end_s: float) -> float:
    """How far the variance rises beyond what goes along with the mean: 0.25 for a sharp front.

    In units of the squared change of the mean; NaN without a variance.
    """
    excess = _unlevelled(curve, start_s, end_s)
    inside = (curve.times_s >= start_s) & (curve.times_s <= end_s)
    return math.nan if excess is None or not inside.any() else float(excess[inside].max())


def is_front(curve: FieldCurve, start_s: float, end_s: float) -> bool:
    """Whether a step passes over the field, rather than taking all pixels at once.

    By the variance; without it by the shape of the mean, even for a front (0.556 of its middle
    nine tenths lie in the middle half) and bell-shaped for a uniform step (0.41).
    """
    excess = front_excess(curve, start_s, end_s)
    if math.isfinite(excess):
        return excess > FRONT
    inside = (curve.times_s >= start_s) & (curve.times_s <= end_s)
    times, values = curve.times_s[inside], curve.values[inside]
    if len(times) < FEWEST or values[-1] == values[0]:
        return True
    share = np.maximum.accumulate((values - values[0]) / (values[-1] - values[0]))
    first, lower, upper, last = np.interp([0.05, 0.25, 0.75, 0.95], share, times)
    return bool(upper - lower > EVEN * (last - first))


def same_front(curve: FieldCurve, start_s: float, between_s: float, end_s: float) -> bool:
    """Whether one front is in the field from start to end, and also in between."""
    excess = _unlevelled(curve, start_s, end_s)
    inside = (curve.times_s >= start_s) & (curve.times_s <= end_s)
    if excess is None or not inside.any():
        return False
    there = float(np.interp(between_s, curve.times_s, excess))
    return there > max(INSIDE * float(excess[inside].max()), FRONT)


def front_window(
    curve: FieldCurve, start_s: float, end_s: float, reach: tuple[float, float]
) -> tuple[float, float]:
    """When a front is in the field, to a frame or two.

    Down both flanks of the variance's hump to where it falls no more, and no further than the
    range `reach`; the range given, if the variance isn't known.
    """
    excess = _unlevelled(curve, start_s, end_s)
    inside = np.flatnonzero((curve.times_s >= start_s) & (curve.times_s <= end_s))
    if excess is None or len(inside) < FEWEST:
        return start_s, end_s
    peak = int(inside[np.argmax(excess[inside])])
    height = float(excess[peak])
    lowest, highest = np.searchsorted(curve.times_s, reach)
    under = np.flatnonzero(excess < height / 2)
    before, after = under[(under < peak) & (under >= lowest)], under[under > peak]
    after = after[after < highest]
    stride, least = max(1, len(inside) // 20), FALL * height
    low, high = int(inside[0]), int(inside[-1])
    if before.size:
        low = max(_foot(excess, int(before[-1]), -stride, least), int(lowest))
    if after.size:
        high = min(_foot(excess, int(after[0]), stride, least), int(highest) - 1)
    return float(curve.times_s[low]), float(curve.times_s[high])


def _foot(values: FloatArray, i: int, stride: int, least: float) -> int:
    """Where values, followed in strides from a flank on, fall by less than `least` a stride."""
    while 0 <= i + stride < len(values) and values[i + stride] < values[i] - least:
        i += stride
    return i


def first_spots_s(curve: FieldCurve, start_s: float, end_s: float) -> float | None:
    """When the variance starts to rise as spots of lithium nucleate and grow.

    Spots that appear one after the other and grow steadily cover an area that rises as the
    square of time, which two levels carry back to its start. None where the variance isn't
    known or doesn't rise.
    """
    if curve.variance is None:
        return None
    inside = (curve.times_s >= start_s) & (curve.times_s <= end_s)
    times, variance = curve.times_s[inside], curve.variance[inside]
    if len(times) < FEWEST:
        return None
    risen = variance - variance.min()
    level = SHOWN * float(risen[-1])
    if level <= LEAST_SHOWN * frame_noise_of(curve.variance):
        return None
    first, later = (float(times[np.flatnonzero(risen <= q)[-1]]) for q in (level, 4 * level))
    return max(2 * first - later, start_s)
