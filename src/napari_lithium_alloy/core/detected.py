"""Times that carry how sure they are, and the stages found between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_lithium_alloy.core.stages import Scope, Stage, StageKind


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A time on the recording's clock and its standard deviation, seconds."""

    time_s: float
    sd_s: float

    def within(self, low_s: float, high_s: float) -> Moment:
        """The same, moved into a range."""
        return Moment(time_s=min(max(self.time_s, low_s), high_s), sd_s=self.sd_s)

    def later(self, wait_s: float, wait_sd_s: float) -> Moment:
        """The moment that follows after a time known to some standard deviation."""
        return Moment(time_s=self.time_s + wait_s, sd_s=math.hypot(self.sd_s, wait_sd_s))


def meet(end: Moment, start: Moment) -> tuple[Moment, Moment]:
    """The end of one stage and the start of the next, without overlap.

    Where they overlap both become their mean, weighted by how sure each is.
    """
    if end.time_s <= start.time_s:
        return end, start
    weight = end.sd_s**2 + start.sd_s**2
    share = 0.5 if weight == 0 else end.sd_s**2 / weight
    time_s = end.time_s + share * (start.time_s - end.time_s)
    both = Moment(time_s=time_s, sd_s=max(end.sd_s, start.sd_s) / 2**0.5)
    return both, both


def weighted(a: Moment, b: Moment) -> Moment:
    """Mean of two independent estimates of one moment."""
    if a.sd_s == 0 or b.sd_s == 0:
        return a if a.sd_s == 0 else b
    wa, wb = a.sd_s**-2, b.sd_s**-2
    return Moment(time_s=(wa * a.time_s + wb * b.time_s) / (wa + wb), sd_s=(wa + wb) ** -0.5)


def detected_stage(
    kind: StageKind, cycle: int, step: int | None, start: Moment, end: Moment, scope: Scope
) -> Stage:
    """A detected stage between two moments."""
    return Stage(
        kind=kind,
        cycle=cycle,
        step=step,
        start_s=start.time_s,
        end_s=end.time_s,
        scope=scope,
        source="detected",
        start_sd_s=start.sd_s,
        end_sd_s=end.sd_s,
    )
