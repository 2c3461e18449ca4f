"""Stages of a cell and of a field, and cycles."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import pandas as pd

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.tables import conform

Scope = Literal["cell", "field"]


class StageKind(StrEnum):
    """What lithium does in a stage."""

    SEI = "SEI"
    ALLOYING = "alloying"
    DEPOSITION = "deposition"
    DISSOLUTION = "dissolution"
    DEALLOYING = "dealloying"


_STEP_COLOURS = ("#7b3294", "#d01c8b", "#2166ac", "#1b9e77")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of one cycle.

    Attributes
    ----------
    kind : StageKind
    step : int or None
        Number of the alloying or dealloying step, counted from 1; None for other kinds.
    cycle : int
        Cycle, counted from 1.
    start_s, end_s : float
        Its bounds on the recording's clock, seconds.
    scope : {"cell", "field"}
        Whether the bounds are the cell's (from the potential) or the field's (from the picture).
    source : {"given", "detected"}
    start_sd_s, end_sd_s : float
        Standard deviation of each bound, seconds; NaN where it was given.
    """

    kind: StageKind
    cycle: int = 1
    step: int | None = None
    start_s: float
    end_s: float
    scope: Scope = "cell"
    source: Literal["given", "detected"] = "given"
    start_sd_s: float = math.nan
    end_sd_s: float = math.nan

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", StageKind(self.kind))
        if self.step is None and self.kind in (StageKind.ALLOYING, StageKind.DEALLOYING):
            object.__setattr__(self, "step", 1)
        if not self.end_s > self.start_s:
            raise AlloyError(
                f"Stage {self.label} ends at {self.end_s:g} s, not after its start at "
                f"{self.start_s:g} s; correct start_s and end_s."
            )

    @property
    def name(self) -> str:
        """Name within its cycle, for tables: SEI, step1, deposition, dissolution, dealloying1."""
        if self.kind is StageKind.ALLOYING:
            return f"step{self.step}"
        if self.kind is StageKind.DEALLOYING:
            return f"dealloying{self.step}"
        return str(self.kind)

    @property
    def key(self) -> str:
        """Name among all cycles, for files and table rows: cycle1_step1."""
        return f"cycle{self.cycle}_{self.name}"

    @property
    def label(self) -> str:
        """Name for people: SEI, step 1, deposition, dissolution, step 1'."""
        if self.kind is StageKind.ALLOYING:
            return f"step {self.step}"
        if self.kind is StageKind.DEALLOYING:
            return f"step {self.step}'"
        return str(self.kind)

    @property
    def darkens(self) -> bool:
        """Whether the film's transmittance falls: lithium coming in."""
        return self.kind in (StageKind.SEI, StageKind.ALLOYING, StageKind.DEPOSITION)

    @property
    def colour(self) -> str:
        """Its colour wherever it is drawn (CSS hex); Li metal is a neutral grey on any theme."""
        if self.kind is StageKind.SEI:
            return "#e08214"
        if self.kind in (StageKind.ALLOYING, StageKind.DEALLOYING):
            return _STEP_COLOURS[((self.step or 1) - 1) % len(_STEP_COLOURS)]
        return "#808080"


def stages_of(stages: Iterable[Stage], *kinds: StageKind, cycle: int | None = None) -> list[Stage]:
    """The stages of these kinds (and this cycle), in the order of their start.

    Where a step is given for both scopes, the field's wins: onset and progress belong to it.
    """
    chosen = [s for s in stages if s.kind in kinds and (cycle is None or s.cycle == cycle)]
    in_field = {s.key for s in chosen if s.scope == "field"}
    kept = [s for s in chosen if s.scope == "field" or s.key not in in_field]
    return sorted(kept, key=lambda s: s.start_s)


def stage_at(stages: Sequence[Stage], time_s: float) -> Stage | None:
    """The stage at a time (the later one where two touch), or None between stages."""
    current = [s for s in stages if s.start_s <= time_s <= s.end_s]
    return max(current, key=lambda s: s.start_s, default=None)


def cycles_of(stages: Iterable[Stage]) -> list[int]:
    """Numbers of the cycles that have a stage."""
    return sorted({s.cycle for s in stages})


def stages_table(stages: Sequence[Stage], x_at: dict[float, float] | None = None) -> pd.DataFrame:
    """The table `stages`: a row a stage.

    Parameters
    ----------
    stages : sequence of Stage
    x_at : dict, optional
        Li content x at times in seconds; NaN where a bound is missing from it.
    """
    x_at = x_at or {}
    rows = [
        {
            "cycle": s.cycle,
            "kind": str(s.kind),
            "step": s.step,
            "scope": s.scope,
            "start_s": s.start_s,
            "end_s": s.end_s,
            "start_sd_s": s.start_sd_s,
            "end_sd_s": s.end_sd_s,
            "start_x": x_at.get(s.start_s, math.nan),
            "end_x": x_at.get(s.end_s, math.nan),
            "source": s.source,
        }
        for s in sorted(stages, key=lambda s: (s.start_s, s.scope))
    ]
    return conform("stages", pd.DataFrame(rows))


# Detected stages beside hand-set ones

LEAST_LEFT = 0.1
"""Share of a detected stage that must be left beside given ones for it to be kept."""


def merge_detected(given: Sequence[Stage], detected: Sequence[Stage]) -> tuple[Stage, ...]:
    """Given stages as they are, and the detected ones that fit beside them.

    A detected stage with the key and scope of a given one is dropped; where it overlaps a given
    one of its scope it is cut to its longest free part, or dropped if that is under a tenth.
    """
    taken = {(s.key, s.scope) for s in given}
    kept = list(given)
    for stage in detected:
        if (stage.key, stage.scope) not in taken:
            cut = _beside(stage, [s for s in given if s.scope == stage.scope])
            kept += [] if cut is None else [cut]
    return _in_order(kept)


def _in_order(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    return tuple(sorted(stages, key=lambda s: (s.start_s, s.scope)))


def _beside(stage: Stage, others: Sequence[Stage]) -> Stage | None:
    """The longest part of a stage that none of the others covers; a cut bound has no SD."""
    free: list[tuple[float, float]] = []
    low = stage.start_s
    for other in sorted(others, key=lambda s: s.start_s):
        free.append((low, min(other.start_s, stage.end_s)))
        low = max(low, other.end_s)
    free.append((low, stage.end_s))
    start, end = max(free, key=lambda part: part[1] - part[0])
    if end - start < LEAST_LEFT * (stage.end_s - stage.start_s):
        return None
    return dataclasses.replace(
        stage,
        start_s=start,
        end_s=end,
        start_sd_s=stage.start_sd_s if start == stage.start_s else math.nan,
        end_sd_s=stage.end_sd_s if end == stage.end_s else math.nan,
    )


# Bounds moved by hand

Bound = Literal["start_s", "end_s"]
SHORTEST_S = 0.01
"""Shortest stage that moving a bound leaves."""


def neighbour_of(stages: Iterable[Stage], stage: Stage, bound: Bound) -> Stage | None:
    """The nearest stage of the same scope before its start or after its end, or None."""
    own = [s for s in stages if s.scope == stage.scope and s is not stage]
    if bound == "start_s":
        return max((s for s in own if s.start_s < stage.start_s), key=_start_s, default=None)
    return min((s for s in own if s.start_s >= stage.end_s), key=_start_s, default=None)


def _start_s(stage: Stage) -> float:
    return stage.start_s


def touches(stage: Stage, neighbour: Stage | None, bound: Bound) -> bool:
    """Whether a bound is shared with that neighbour, so that both move together."""
    if neighbour is None:
        return False
    if bound == "start_s":
        return abs(stage.start_s - neighbour.end_s) < SHORTEST_S
    return abs(stage.end_s - neighbour.start_s) < SHORTEST_S


def bound_range(stages: Iterable[Stage], stage: Stage, bound: Bound) -> tuple[float, float]:
    """Times to which a bound can be moved without any two stages of its scope overlapping."""
    neighbour = neighbour_of(stages, stage, bound)
    shared = touches(stage, neighbour, bound)
    if bound == "start_s":
        low = -math.inf
        if neighbour is not None:
            low = neighbour.start_s + SHORTEST_S if shared else neighbour.end_s
        return min(low, stage.start_s), stage.end_s - SHORTEST_S
    high = math.inf
    if neighbour is not None:
        high = neighbour.end_s - SHORTEST_S if shared else neighbour.start_s
    return stage.start_s + SHORTEST_S, max(high, stage.end_s)


def move_bound(
    stages: Sequence[Stage], stage: Stage, bound: Bound, time_s: float
) -> tuple[Stage, ...]:
    """The stages with one bound moved by hand, as far as its neighbours let it.

    `stage` is one of `stages`; it becomes a given one, and a neighbour that shares the bound
    moves with it.
    """
    low, high = bound_range(stages, stage, bound)
    time_s = min(max(time_s, low), high)
    neighbour = neighbour_of(stages, stage, bound)
    changed = {id(stage): _with_bound(stage, bound, time_s)}
    if neighbour is not None and touches(stage, neighbour, bound):
        other: Bound = "end_s" if bound == "start_s" else "start_s"
        changed[id(neighbour)] = _with_bound(neighbour, other, time_s)
    return _in_order(changed.get(id(s), s) for s in stages)


def _with_bound(stage: Stage, bound: Bound, time_s: float) -> Stage:
    return dataclasses.replace(
        stage,
        start_s=time_s if bound == "start_s" else stage.start_s,
        end_s=time_s if bound == "end_s" else stage.end_s,
        source="given",
        start_sd_s=math.nan,
        end_sd_s=math.nan,
    )


# The cell's stages against the field's


def stage_lags(stages: Sequence[Stage]) -> pd.DataFrame:
    """The table `stage_lags`: by how much the field's bounds follow those of the cell.

    A row a stage that is known for both scopes; positive where the field is later.
    """
    cell, field = ({s.key: s for s in stages if s.scope == scope} for scope in ("cell", "field"))
    rows = [
        {
            "cycle": s.cycle,
            "kind": str(s.kind),
            "step": s.step,
            "start_lag_s": field[s.key].start_s - s.start_s,
            "end_lag_s": field[s.key].end_s - s.end_s,
        }
        for s in sorted(cell.values(), key=_start_s)
        if s.key in field
    ]
    return conform("stage_lags", pd.DataFrame(rows))
