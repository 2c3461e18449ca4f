"""Figure of pores' descent: a line a pore, joined where pores merge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from napari_lithium_alloy.core.lineage import Lineage
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.io.figures.page import (
    DOUBLE_CM,
    INK,
    REGION_COLOURS,
    SMALL_PT,
    new_figure,
    style,
)
from napari_lithium_alloy.io.figures.pores import stage_bands

MOST_PORES = 60
ROW_CM, LEAST_CM, MOST_CM = 0.24, 4.0, 18.0
PINHOLE = "#707070"
BEGINNINGS = {"birth": "o", "merge": "D", "split": "<"}
LEAST_SHARE = 0.35
"""Narrowest panel of a cycle, as a share of the widest."""


@dataclass(frozen=True, kw_only=True)
class PoreLine:
    """One pore's life in the drawing: from and to in seconds, at a height.

    `origin` is the cycle in which the oldest pore it came of was born, 0 for pinholes.
    """

    pore: int
    origin: int
    start_s: float
    end_s: float
    begun_by: str
    ended_by: str
    row: float


def pore_lines(lives: pd.DataFrame, lineage: Lineage, until_s: float) -> list[PoreLine]:
    """Where each pore is drawn: families together, and what merges beside each other.

    Of more than 60 pores only those of families with a merge or a split, the largest families
    first, as many as fit.

    Parameters
    ----------
    lives : pandas.DataFrame
        The table `pore_lives`.
    lineage : Lineage
    until_s : float
        Where the lines of pores end that are still there.
    """
    own = lives.set_index("pore")
    births = lineage.events[lineage.events["event"] != "closure"]
    begun = births.drop_duplicates("pore").set_index("pore")
    rows = _rows(_shown(own.index.tolist(), lineage), lineage.parents)
    return [
        PoreLine(
            pore=pore,
            origin=min(int(own.loc[p, "cycle"]) for p in lineage.ancestors(pore) if p in own.index),
            start_s=float(begun.loc[pore, "time_s"]),
            begun_by=str(begun.loc[pore, "event"]),
            end_s=until_s if math.isnan(e := float(own.loc[pore, "end_s"])) else e,
            ended_by=str(own.loc[pore, "ended_by"]),
            row=row,
        )
        for pore, row in rows.items()
    ]


def _shown(pores: Sequence[int], lineage: Lineage) -> list[list[int]]:
    """Families to be drawn, of at most 60 pores together, in the order of their first pore."""
    children = lineage.children()
    left = set(pores)
    families: list[list[int]] = []
    while left:
        family: set[int] = set()
        waiting = [min(left)]
        while waiting:
            pore = waiting.pop()
            if pore in left and pore not in family:
                family.add(pore)
                waiting += [*lineage.parents.get(pore, []), *children.get(pore, [])]
        families.append(sorted(family))
        left -= family
    if len(pores) <= MOST_PORES:
        return families
    kept: list[list[int]] = []
    for own in sorted(families, key=len, reverse=True):
        if len(own) > 1 and sum(map(len, kept)) + len(own) <= MOST_PORES:
            kept.append(own)
    return sorted(kept)


def _rows(families: Sequence[Sequence[int]], parents: Mapping[int, list[int]]) -> dict[int, float]:
    """Height of each pore: whole numbers for those that begin, the middle of its parents' else."""
    slots: dict[int, float] = {}
    seen: set[int] = set()

    def visit(pore: int, family: set[int]) -> None:
        if pore in seen:
            return
        seen.add(pore)
        new = [p for p in parents.get(pore, []) if p in family and p not in seen]
        if not new:
            slots[pore] = float(len(slots))
        for parent in new:
            visit(parent, family)

    rows: dict[int, float] = {}
    for family in families:
        for pore in sorted(family, reverse=True):
            visit(pore, set(family))
        for pore in sorted(family):
            above = [rows[p] for p in parents.get(pore, []) if p in rows]
            rows[pore] = slots[pore] if pore in slots else sum(above) / len(above)
    return rows


def lineage_figure(
    lines: Sequence[PoreLine],
    parents: Mapping[int, list[int]],
    windows: Mapping[int, tuple[float, float]],
    stages: Sequence[Stage],
    n_pores: int,
) -> Any:
    """Pores as lines over time, a panel a cycle; lines meet where pores merge.

    Parameters
    ----------
    lines : sequence of PoreLine
    parents : mapping of int to list of int
        Of the pores that came of a merge or split.
    windows : mapping of int to (float, float)
        Of each cycle, the time in which pores are followed.
    stages : sequence of Stage
        Dissolution and dealloying: bands in their colours.
    n_pores : int
        Of which `lines` are some or all.
    """
    n_rows = max(line.row for line in lines) + 1
    longest = max(end - start for start, end in windows.values())
    widths = [max(e - s, LEAST_SHARE * longest) for s, e in windows.values()]
    with style():
        figure = new_figure(DOUBLE_CM, min(max(ROW_CM * n_rows + 1.8, LEAST_CM), MOST_CM))
        shape = {"squeeze": False, "width_ratios": widths}
        panels = figure.subplots(1, len(windows), sharey=True, **shape)[0]
        for axes, (cycle, (start, end)) in zip(panels, windows.items(), strict=True):
            margin = 0.03 * (end - start)
            axes.set_xlim(start - margin, end + margin)
            stage_bands(axes, [s for s in stages if s.cycle == cycle])
            _draw_lines(axes, lines, parents, first=axes is panels[0])
            axes.set_xlabel(f"Time (s), cycle {cycle}")
            axes.tick_params(axis="y", left=False, labelleft=False)
        panels[0].set_ylim(n_rows - 0.3, -0.7)
        few = f", {len(lines)} of {n_pores}" if len(lines) < n_pores else ""
        panels[0].set_ylabel(f"Pores{few}")
        _legend(figure, lines)
    return figure


def _draw_lines(
    axes: Any, lines: Sequence[PoreLine], parents: Mapping[int, list[int]], *, first: bool
) -> None:
    rows = {line.pore: line.row for line in lines}
    left, right = axes.get_xlim()
    for line in lines:
        colour = _colour(line.origin)
        axes.plot([line.start_s, line.end_s], [line.row] * 2, color=colour, linewidth=1.2,
                  solid_capstyle="butt")  # fmt: skip
        of = [rows[p] for p in parents.get(line.pore, []) if p in rows]
        for row in of:
            axes.plot([line.start_s] * 2, [row, line.row], color=INK, linewidth=0.7)
        if line.start_s >= left:
            axes.plot(line.start_s, line.row, **_mark(BEGINNINGS[line.begun_by], colour))
        if line.ended_by == "closure":
            axes.plot(line.end_s, line.row, **_mark("x", colour))
        if left <= line.start_s <= right or (first and line.start_s < left):
            axes.annotate(
                str(line.pore), (max(line.start_s, left), line.row), (-3, 0), ha="right",
                textcoords="offset points", va="center", fontsize=SMALL_PT - 1.5,
                annotation_clip=False,
            )  # fmt: skip


def _mark(marker: str, colour: str) -> dict[str, Any]:
    inked = marker in (BEGINNINGS["merge"], BEGINNINGS["split"])
    return {"marker": marker, "color": INK if inked else colour, "markersize": 3, "linestyle": ""}


def _colour(cycle: int) -> str:
    return PINHOLE if cycle == 0 else REGION_COLOURS[(cycle - 1) % len(REGION_COLOURS)]


def _legend(figure: Any, lines: Sequence[PoreLine]) -> None:
    """Of what is drawn only."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_colour(c), label=f"since cycle {c}" if c else "pinhole")
        for c in sorted({line.origin for line in lines})
    ]
    happened = {line.begun_by for line in lines if line.origin or line.begun_by != "birth"}
    marks = [(mark, name) for name, mark in BEGINNINGS.items() if name in happened]
    if any(line.ended_by == "closure" for line in lines):
        marks.append(("x", "closure"))
    handles += [Line2D([], [], **_mark(mark, INK), label=name) for mark, name in marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=8)
