"""When a front enters a field and when it has left it, from the absorbance's mean and spread.

A front changes pixel after pixel by the same amount A. While a share f of the field has changed,
the mean has moved by f A and the variance over the pixels stands at f (1 - f) A^2 above its
level before: twice the same information, of which the second knows no flicker of the lamp and
nothing of what happens to all pixels alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from scipy.special import ndtr

from napari_lithium_alloy.core.detected import Moment
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.smoothing import robust_sd

PIXEL_EDGE = 0.005
"""Share of its own rise that the first pixel has made where a front starts."""
FLANK = 0.12
"""Share of the field up to which a front's flank is fitted."""
MODEL_ERROR = 0.006, 0.003
"""Misfit of the flank's shape that is expected of mean and variance, beyond their noise."""
LEVEL_ERROR = 0.02, 0.01
"""How far the levels before the front may be off."""
LIKELY_WIDTH = 0.075
"""Likely width of a pixel's rise, as a share of the time the front is in the field."""
WIDTH_SPREAD, EDGE_SPREAD = 0.5, 0.1
"""How likely: standard deviation of its logarithm, and of the edge as a share of that time."""
FRONT = 0.05
"""Least rise of the variance within a front, in units of the squared change of the mean."""
EVEN = 0.48
"""Middle half of a front's change in units of the time of its middle nine tenths."""
FALL = 0.01
"""Fall of the variance beside its peak that belongs to a front, as a share of its rise."""
MARGIN = 0.1
"""How long before and after a front it is quiet, as a share of its time."""
SHOWN, LEAST_SHOWN = 0.01, 3.0
"""Rise of the variance that shows spots: as a share of its whole rise, in units of its noise."""
LIKELY_RAMP = 0.1
"""Likely time in which the front gathers speed, as a share of the time it is in the field."""
ONSETS = 60
FEWEST = 3
_EDGE_SIGMAS = float(-stats.norm.ppf(PIXEL_EDGE))


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
        return _noise(self.values)

    def at(self, time_s: float) -> float:
        """Mean absorbance at a time."""
        return float(np.interp(time_s, self.times_s, self.values))


def _noise(values: FloatArray) -> float:
    return robust_sd(np.diff(values, n=2)) / math.sqrt(6)


def spread_of_change(curve: FieldCurve, start_s: float, end_s: float) -> tuple[float, float]:
    """How far the variance rises within a range, and how much of that is left at its end.

    Both in units of the squared change of the mean: at most 0.25 and 0 for a front, 0 and 0
    where all pixels change alike, more than 0.25 where a few pixels change by much. NaN
    without a variance.
    """
    if curve.variance is None:
        return math.nan, math.nan
    change = curve.at(end_s) - curve.at(start_s)
    left = np.interp([start_s, end_s], curve.times_s, curve.variance)
    inside = (curve.times_s >= start_s) & (curve.times_s <= end_s)
    if change == 0 or not inside.any():
        return math.nan, math.nan
    chord = np.interp(curve.times_s[inside], [start_s, end_s], left)
    risen = float((curve.variance[inside] - chord).max())
    return risen / change**2, float(left[1] - left[0]) / change**2


def is_front(curve: FieldCurve, start_s: float, end_s: float) -> bool:
    """Whether a step passes over the field, rather than taking all pixels at once.

    By the variance; without it by the shape of the mean, even for a front (0.556 of its middle
    nine tenths lie in the middle half) and bell-shaped for a uniform step (0.41).
    """
    rise, _ = spread_of_change(curve, start_s, end_s)
    if math.isfinite(rise):
        return rise > FRONT
    inside = (curve.times_s >= start_s) & (curve.times_s <= end_s)
    times, values = curve.times_s[inside], curve.values[inside]
    if len(times) < FEWEST or values[-1] == values[0]:
        return True
    share = np.maximum.accumulate((values - values[0]) / (values[-1] - values[0]))
    first, lower, upper, last = np.interp([0.05, 0.25, 0.75, 0.95], share, times)
    return bool(upper - lower > EVEN * (last - first))


def front_window(curve: FieldCurve, start_s: float, end_s: float) -> tuple[float, float]:
    """From a little before a front to a little after it.

    Down both flanks of the variance's hump to where it falls no more; the range given, if the
    variance isn't known.
    """
    inside = np.flatnonzero((curve.times_s >= start_s) & (curve.times_s <= end_s))
    if curve.variance is None or len(inside) < FEWEST:
        return start_s, end_s
    variance = curve.variance
    chord = np.linspace(variance[inside[0]], variance[inside[-1]], len(inside))
    above = variance[inside] - chord
    least = FALL * float(above.max())
    stride = max(1, len(inside) // 20)
    peak = int(inside[np.argmax(above)])
    under = variance < variance[peak] - 0.5 * above.max()
    before, after = np.flatnonzero(under[:peak]), np.flatnonzero(under[peak:])
    low = _foot(variance, int(before[-1]) if before.size else 0, -stride, least)
    high = _foot(variance, peak + int(after[0]) if after.size else len(under) - 1, stride, least)
    margin = MARGIN * (curve.times_s[high] - curve.times_s[low])
    return float(curve.times_s[low] - margin), float(curve.times_s[high] + margin)


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
    if level < LEAST_SHOWN * _noise(curve.variance):
        return None
    first, later = (float(times[np.flatnonzero(risen <= q)[-1]]) for q in (level, 4 * level))
    return max(2 * first - later, start_s)


def front_bounds(curve: FieldCurve, low_s: float, high_s: float) -> tuple[Moment, Moment] | None:
    """Start and end of the front that passes between two quiet times.

    Returns
    -------
    (Moment, Moment) or None
        When the first pixel has made 0.5 % of its rise, and when the last lacks as much; None
        where fewer than three frames lie between.
    """
    inside = (curve.times_s >= low_s) & (curve.times_s <= high_s)
    times = curve.times_s[inside]
    before, after = curve.at(low_s), curve.at(high_s)
    change = after - before
    if len(times) < FEWEST or change == 0:
        return None
    share = (curve.values[inside] - before) / change
    variance, variance_noise = None, 0.0
    if curve.variance is not None:
        level = np.interp([low_s, high_s], curve.times_s, curve.variance)
        variance = (curve.variance[inside] - level[0] - share * (level[1] - level[0])) / change**2
        variance_noise = _noise(curve.variance) / change**2
    noise = curve.noise / abs(change), variance_noise
    start = _flank(times, share, variance, noise)
    backwards = None if variance is None else variance[::-1]
    end = _flank(-times[::-1], 1 - share[::-1], backwards, noise)
    return start, Moment(time_s=-end.time_s, sd_s=end.sd_s)


def _flank(
    times: FloatArray, share: FloatArray, variance: FloatArray | None, noise: tuple[float, float]
) -> Moment:
    """Start of a rise from 0: onsets at a constant rate from an edge on, each pixel's rise soft.

    The least-squares fit of mean and variance over the first part of the rise, the likely width
    of a pixel's rise being known beforehand.
    """
    tenth, half = (_crossing_s(times, share, level) for level in (0.1, 0.5))
    rate = 0.4 / max(half - tenth, 1e-3)
    top_s = _crossing_s(times, share, FLANK)
    n = max(int(np.searchsorted(times, top_s, side="right")), FEWEST)
    t, seen = times[:n], [share[:n]] if variance is None else [share[:n], variance[:n]]
    errors = [math.hypot(a, b) for a, b in zip(noise, MODEL_ERROR, strict=True)]
    likely_edge, likely_width = tenth - 0.1 / rate, math.log(LIKELY_WIDTH / rate)

    def residuals(x: FloatArray) -> FloatArray:
        edge, width, ramp = float(x[0]), math.exp(x[1]), float(x[2])
        parts = []
        for values, model, error, level in zip(
            seen, _front(t, edge, width, ramp, rate), errors, LEVEL_ERROR, strict=False
        ):
            off = (values - model) / error
            parts.append(off - off.sum() / (len(off) + (error / level) ** 2))
        likely = (
            (x[1] - likely_width) / WIDTH_SPREAD,
            (x[0] - likely_edge) * rate / EDGE_SPREAD,
            x[2] * rate / LIKELY_RAMP,
        )
        return np.concatenate([*parts, likely])

    low = [t[0] - 0.5 / rate, likely_width - 3.0, 0.0]
    high = [max(top_s, likely_edge) + 0.1 / rate, likely_width + 1.8, 1.0 / rate]
    begin = np.clip([likely_edge, likely_width, 0.05 / rate], low, high)
    fit = optimize.least_squares(
        residuals, begin, bounds=(low, high), x_scale=[0.1 / rate, 0.5, 0.1 / rate]
    )
    width = math.exp(float(fit.x[1]))
    slope = np.array([1.0, -_EDGE_SIGMAS * width, 0.0])
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    return Moment(
        time_s=float(fit.x[0]) - _EDGE_SIGMAS * width,
        sd_s=math.sqrt(float(slope @ covariance @ slope)),
    )


def _front(
    times: FloatArray, edge_s: float, width_s: float, ramp_s: float, rate: float
) -> list[FloatArray]:
    """Mean and variance over pixels whose onsets begin at an edge and soon come at a rate."""
    last_s = max(float(times[-1]) + 3 * width_s, edge_s + width_s)
    cells = np.linspace(edge_s, last_s, ONSETS + 1)
    onset_s = (cells[1:] + cells[:-1]) / 2
    density = rate * np.minimum((onset_s - edge_s) / max(ramp_s, 1e-9), 1.0)
    risen = ndtr((times[:, np.newaxis] - onset_s) / width_s)
    weights = density * (cells[1] - cells[0])
    mean = risen @ weights
    return [mean, risen**2 @ weights - mean**2]


def _crossing_s(times: FloatArray, share: FloatArray, level: float) -> float:
    """Time of the last rise through a level before half is reached."""
    above = np.flatnonzero(share >= 0.5)
    last = int(above[0]) if above.size else len(share) - 1
    under = np.flatnonzero(share[: last + 1] < level)
    i = min(int(under[-1]) if under.size else 0, len(share) - 2)
    rise = share[i + 1] - share[i]
    part = (level - share[i]) / rise if rise > 0 else 0.0
    return float(times[i] + min(max(part, 0.0), 1.0) * (times[i + 1] - times[i]))
