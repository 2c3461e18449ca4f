"""When a front enters a field and when it has left it: fits to its flanks."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri

from napari_lithium_alloy.core.detected import Moment
from napari_lithium_alloy.core.field_curve import FEWEST, FieldCurve, frame_noise_of
from napari_lithium_alloy.core.recording import FloatArray

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
LIKELY_RAMP = 0.15
"""Likely time in which the front gathers speed, as a share of the time it is in the field."""
ONSETS = 60
"""Moments of onset by which a front is drawn."""
_EDGE_SIGMAS = float(-ndtri(PIXEL_EDGE))


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
        variance_noise = frame_noise_of(curve.variance) / change**2
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
