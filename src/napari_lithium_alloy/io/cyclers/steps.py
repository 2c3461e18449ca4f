"""True time from a clock that starts anew with each step."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_lithium_alloy.core.recording import FloatArray

PAUSE_S = 2.0
"""Dates that differ from the cycler's own time by more than their rounding."""


def steps_in_time(within_s: FloatArray, since_s: FloatArray, steps: Any = None) -> FloatArray:
    """Seconds since the first point where a cycler's clock starts anew with each step.

    The time within a step is the cycler's own. A step, and what follows a pause within it, is
    placed by the date of its first point, but never before the end of what precedes it: dates may
    be whole seconds, and a computer's clock is set back now and then.

    Parameters
    ----------
    within_s : numpy.ndarray
        (N,) time within the step.
    since_s : numpy.ndarray
        (N,) time since the first point by date.
    steps : numpy.ndarray, optional
        (N,) number of the step; without it a new one starts where the time within it falls.

    Returns
    -------
    numpy.ndarray
        (N,) seconds, never falling.
    """
    by_date, own = np.diff(since_s), np.diff(within_s)
    new = (own < 0) | (by_date > own + PAUSE_S)
    if steps is not None:
        new |= np.diff(steps) != 0
    begins = np.flatnonzero(np.concatenate([[True], new]))
    times_s = np.empty(len(within_s))
    end_s = -np.inf
    for begin, end in zip(begins, [*begins[1:], len(within_s)], strict=True):
        start_s = max(float(since_s[begin]), end_s)
        if since_s[begin] < end_s - PAUSE_S:
            start_s += max(float(by_date[begin - 1]), 0.0)
        times_s[begin:end] = start_s + within_s[begin:end] - within_s[begin]
        end_s = times_s[end - 1]
    return times_s
