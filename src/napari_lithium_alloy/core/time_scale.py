"""Onset times in other units: Li content x, time as a share of the stage, area alloyed by then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_lithium_alloy.core.onset import OnsetMap, alloyed_fraction
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage

Legend = Literal["s", "x", "%", "% alloyed"]
ContentAt = Callable[[FloatArray], FloatArray]
"""Li content x at times of the recording, NaN where it is not known."""

KNOTS = 513
LEAST_KNOWN = 0.5
"""Share of a stage over which x has to be known; before the start of its count it stays there."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeScale:
    """Times of a stage in a unit.

    Attributes
    ----------
    times_s, values : numpy.ndarray
        (N,) times from the stage's start to its end, and what each is in the unit.
    unit : str
        For a layer's name: s, x, %, % alloyed, % dealloyed.
    label : str
        For a colour bar.
    """

    times_s: FloatArray
    values: FloatArray
    unit: str
    label: str

    @property
    def ends(self) -> tuple[float, float]:
        """Values at the stage's start and end; the second is the smaller where x falls."""
        return float(self.values[0]), float(self.values[-1])

    def of(self, times_s: FloatArray) -> FloatArray:
        """Times in the unit; NaN stays NaN."""
        return np.asarray(np.interp(times_s, self.times_s, self.values))

    def share(self, times_s: FloatArray) -> FloatArray:
        """Times as a share of the way from the first value to the last."""
        first, last = self.ends
        return (self.of(times_s) - first) / (last - first)


def time_scale(
    onset: OnsetMap,
    stage: Stage,
    legend: Legend = "s",
    content_at: ContentAt | None = None,
    metal: str = "M",
) -> TimeScale:
    """The scale of an onset map's colours.

    Parameters
    ----------
    onset : OnsetMap
    stage : Stage
        The step that the map is of.
    legend : {"s", "x", "%", "% alloyed"}
        Seconds; x in Li_xM at that time; time as a share of the stage; share of the field that
        had alloyed by then (which spreads the colours evenly over the area).
    content_at : callable, optional
    metal : str

    Returns
    -------
    TimeScale
        In seconds, and saying so, where the unit is not known: x without current, film or the
        start of its count, an area of a map without onsets.
    """
    times = np.linspace(onset.start_s, onset.end_s, KNOTS)
    area = "alloyed" if stage.darkens else "dealloyed"
    if legend == "x" and content_at is not None:
        values, unit, label = (
            _from_its_start(content_at(times)),
            "x",
            f"x in Li$_x${metal} at onset",
        )
    elif legend == "%":
        values, unit = np.linspace(0, 100, KNOTS), "%"
        label = f"Onset time (% of {stage.label})"
    elif legend == "% alloyed":
        values, unit = 100 * alloyed_fraction(onset, times), f"% {area}"
        label = f"Area {area} at onset (%)"
    else:
        return _seconds(times)
    if not np.isfinite(values).all() or values[0] == values[-1]:
        return _seconds(times)
    return TimeScale(times_s=times, values=values, unit=unit, label=label)


def _from_its_start(content: FloatArray) -> FloatArray:
    """Before x is counted it is what it is when its count starts."""
    known = np.isfinite(content)
    if not known[-1] or known.mean() < LEAST_KNOWN:
        return content
    return np.asarray(np.interp(np.arange(len(content)), np.flatnonzero(known), content[known]))


def _seconds(times: FloatArray) -> TimeScale:
    return TimeScale(times_s=times, values=times, unit="s", label="Onset time (s)")
