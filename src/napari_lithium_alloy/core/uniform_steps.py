"""SEI and steps in which all pixels change alike, from one fit of the field's mean absorbance.

The SEI saturates exponentially from an abrupt start; a uniform step is a normal distribution's
integral. Neighbours overlap, so that the slowest moment between two is no bound of either:
they are fitted together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize
from scipy.special import ndtr

from napari_lithium_alloy.core.detected import Moment
from napari_lithium_alloy.core.recording import FloatArray

STEP_SIGMAS = 2.05
"""Half length of a uniform step in standard deviations: 96 % of its change."""
SHAPE_ERROR = 0.07
"""Standard deviation of its ends, in the same units, for its shape is not known."""
SETTLED = 0.005
"""Share of the SEI's absorbance that is still to come at its end."""
SURE = 5.0
"""Significance of an SEI that counts as seen."""
_SETTLING = math.log(1 / SETTLED)
_MOST_CALLS = 60


@dataclass(frozen=True, kw_only=True)
class UniformFit:
    """What was found between two times.

    Attributes
    ----------
    sei : (Moment, Moment) or None
        Its start and end; None where there is none to be seen.
    steps : tuple of (Moment, Moment)
        Start and end of each step.
    """

    sei: tuple[Moment, Moment] | None
    steps: tuple[tuple[Moment, Moment], ...]


def fit_uniform(
    times: FloatArray,
    values: FloatArray,
    steps: Sequence[tuple[float, float]],
    sei: tuple[float, float] | None,
) -> UniformFit | None:
    """Fit an SEI, if any is looked for, and uniform steps that follow or precede it.

    Parameters
    ----------
    times, values : numpy.ndarray
        (N,) seconds and mean absorbance, from before the first to after the last.
    steps : sequence of (float, float)
        About when each starts and ends.
    sei : (float, float) or None
        About when the SEI starts and ends.

    Returns
    -------
    UniformFit or None
        None where there are too few frames.
    """
    begin, low, high = _ranges(times, steps, sei)
    if len(times) < len(begin) + len(steps) + 3:
        return None

    def basis(x: FloatArray) -> FloatArray:
        parts = [np.ones_like(times)]
        for i in range(len(steps)):
            parts.append(ndtr((times - x[2 * i]) / math.exp(x[2 * i + 1])))
        if sei is not None:
            parts.append(-np.expm1(-np.maximum(times - x[-2], 0) / math.exp(x[-1])))
        return np.stack(parts, axis=1)

    def residuals(x: FloatArray) -> FloatArray:
        shapes = basis(x)
        return np.asarray(values - shapes @ np.linalg.lstsq(shapes, values, rcond=None)[0])

    fit = optimize.least_squares(
        residuals, begin, bounds=(low, high), x_scale=(high - low) / 20, max_nfev=_MOST_CALLS
    )
    shapes = basis(fit.x)
    weights = np.linalg.lstsq(shapes, values, rcond=None)[0]
    free = max(len(times) - len(begin) - len(weights), 1)
    noise2 = 2 * float(fit.cost) / free
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac) * noise2
    step_s = float(np.median(np.diff(times)))
    found = tuple(_step(fit.x, covariance, i, step_s) for i in range(len(steps)))
    seen = None
    if sei is not None:
        height_sd = math.sqrt(max(float(np.linalg.pinv(shapes.T @ shapes)[-1, -1]) * noise2, 0.0))
        rises = all(np.sign(weights[-1]) == np.sign(w) for w in weights[1:-1])
        if rises and abs(weights[-1]) > SURE * height_sd:
            seen = _sei(fit.x, covariance, step_s)
    return UniformFit(sei=seen, steps=found)


def _ranges(
    times: FloatArray, steps: Sequence[tuple[float, float]], sei: tuple[float, float] | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """First guess and limits: centre and log width of each step, start and log constant of SEI."""
    frame = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    begin, low, high = [], [], []
    for start, end in steps:
        length = max(end - start, 2 * frame)
        begin += [(start + end) / 2, math.log(length / (2 * STEP_SIGMAS))]
        low += [start, math.log(length / 15)]
        high += [max(end, start + frame), math.log(length)]
    if sei is not None:
        start, end = sei
        length = max(end - start, 2 * frame)
        begin += [start, math.log(length / _SETTLING)]
        low += [max(start - length, float(times[0])) - frame, math.log(min(frame / 4, length / 20))]
        high += [start + length, math.log(length)]
    lower, upper = np.array(low), np.array(high)
    return np.clip(begin, lower + 1e-6, upper - 1e-6), lower, upper


def _step(x: FloatArray, covariance: FloatArray, i: int, frame_s: float) -> tuple[Moment, Moment]:
    width = math.exp(float(x[2 * i + 1]))
    own = covariance[2 * i : 2 * i + 2, 2 * i : 2 * i + 2]
    start, end = (
        Moment(
            time_s=float(x[2 * i]) + way * STEP_SIGMAS * width,
            sd_s=math.hypot(
                _sd(own, np.array([1.0, way * STEP_SIGMAS * width]), frame_s), SHAPE_ERROR * width
            ),
        )
        for way in (-1, 1)
    )
    return start, end


def _sei(x: FloatArray, covariance: FloatArray, frame_s: float) -> tuple[Moment, Moment]:
    constant = math.exp(float(x[-1]))
    own = covariance[-2:, -2:]
    settled = _SETTLING * constant
    return (
        Moment(time_s=float(x[-2]), sd_s=_sd(own, np.array([1.0, 0.0]), frame_s)),
        Moment(time_s=float(x[-2]) + settled, sd_s=_sd(own, np.array([1.0, settled]), frame_s)),
    )


def _sd(covariance: FloatArray, slope: FloatArray, frame_s: float) -> float:
    """Of a moment, at least a tenth of a frame."""
    return max(math.sqrt(max(float(slope @ covariance @ slope), 0.0)), 0.1 * frame_s)
