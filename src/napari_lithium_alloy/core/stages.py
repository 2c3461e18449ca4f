"""Stages of a cell and of a field, and cycles."""

from __future__ import annotations

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
