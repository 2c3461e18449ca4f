"""What the timeline draws: two curves against time or Li content, and the stages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_lithium_alloy._napari.plots import Curve, Plot
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage

TIME = "Time (s)"
FOOTROOM, HEADROOM, LEGEND_ROOM = 0.06, 0.2, 0.35
"""Beyond a curve's range, in units of it: below, for the stages' names, and for their legend."""
ABOUT_TICKS = 20
ORIGIN = 0.05
"""How far from 0, in units of a tick's step, x starts at the latest at an origin."""
JUMP = 20.0
"""Change of x from one value to the next, in units of the usual one, at which it starts anew."""
LEAST_APART = 0.03
"""Smallest distance of two ticks as a share of the axis."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TimelinePlot(Plot):
    """What the timeline shows.

    Attributes
    ----------
    right : str
        Name of the curve on the right axis, its label too; any other is on the left.
    x_range : (float, float)
        Shown at first: times in seconds, or Li contents.
    li_times_s, li_content : numpy.ndarray
        (N,) Li content x and when it is reached; empty where it is not known.
    li_label : str
        Such as "x in LiₓAu".
    by_li : bool
        Whether curves are drawn against Li content instead of time.
    times_s : mapping of str to numpy.ndarray
        Of curves drawn against Li content, when their points were, by their names.
    coloured_by : sequence of Stage
        Stages whose colours the curves have against Li content, where bands cannot show them.
    """

    right: str = ""
    x_range: tuple[float, float] = (0.0, 1.0)
    li_times_s: FloatArray
    li_content: FloatArray
    li_label: str = ""
    by_li: bool = False
    times_s: Mapping[str, FloatArray] = field(default_factory=dict)
    coloured_by: Sequence[Stage] = ()

    @property
    def x_title(self) -> str:
        """What is below the plot."""
        return self.li_label if self.by_li else TIME

    def parts(self, curve: Curve) -> list[tuple[Stage, FloatArray, FloatArray]]:
        """Stages and x and y of a curve against Li content in them, where it is drawn."""
        times, found = self.times_s[curve.name], []
        for stage in self.coloured_by:
            inside = (times >= stage.start_s) & (times <= stage.end_s)
            x, y = curve.x[inside], curve.y[inside]
            if (np.isfinite(x) & np.isfinite(y)).sum() > 1:
                found.append((stage, x, y))
        return found

    def point_at(self, curve: Curve, time_s: float) -> tuple[float, float]:
        """Where a curve against Li content is at a time; NaN where it isn't drawn then."""
        times = self.times_s[curve.name]
        drawn = np.flatnonzero(np.isfinite(curve.x) & np.isfinite(curve.y))
        if not drawn.size or not times[drawn[0]] <= time_s <= times[drawn[-1]]:
            return math.nan, math.nan
        nearest = drawn[np.abs(times[drawn] - time_s).argmin()]
        return float(curve.x[nearest]), float(curve.y[nearest])


def li_ticks(
    times_s: FloatArray, x: FloatArray, low_s: float, high_s: float
) -> list[tuple[float, str]]:
    """Times within a range at which x is a round number, and that number.

    x rises and falls, so a number may come several times; 0 comes at each cycle's origin.
    """
    inside = (times_s >= low_s) & (times_s <= high_s) & np.isfinite(x)
    t, v = times_s[inside], x[inside]
    if len(t) < 2 or not np.ptp(v) > 0:
        return []
    rough = float(np.abs(np.diff(v)).sum()) / ABOUT_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough)
    decimals = max(0, -math.floor(math.log10(step)))
    change = np.abs(np.diff(v))
    jumps = change > JUMP * np.median(change[change > 0])
    starts = [0, *(np.flatnonzero(jumps) + 1)]
    found = [(float(t[i]), f"{0:.{decimals}f}") for i in starts if abs(v[i]) < ORIGIN * step]
    for i in np.flatnonzero(np.floor(v[:-1] / step) != np.floor(v[1:] / step)):
        if not jumps[i]:
            number = step * max(np.floor(v[i] / step), np.floor(v[i + 1] / step))
            at = t[i] + (number - v[i]) / (v[i + 1] - v[i]) * (t[i + 1] - t[i])
            found.append((float(at), f"{number + 0.0:.{decimals}f}"))
    kept: list[tuple[float, str]] = []
    for tick in sorted(found):
        if not kept or tick[0] - kept[-1][0] > LEAST_APART * (high_s - low_s):
            kept.append(tick)
    return kept


def y_range(values: FloatArray, headroom: float) -> tuple[float, float] | None:
    """All of a curve with room above it, in units of its range; None for no values."""
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    low, high = float(known.min()), float(known.max())
    span = high - low or 1.0
    return low - FOOTROOM * span, high + headroom * span
