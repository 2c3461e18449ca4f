"""Figures of curves: absorbance of regions, potential and intensity, cells and cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.curves import FIELD
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.io.figures.page import (
    CM_PER_INCH,
    DOUBLE_CM,
    FAINT,
    INK,
    MARKERS,
    REGION_COLOURS,
    SINGLE_CM,
    SMALL_PT,
    colour_on_paper,
    new_figure,
    style,
)

TIME, POTENTIAL = "Time (s)", "Potential (V)"
PANEL_CM = 5.6
"""Height of one panel of curves."""
LEGEND_CM = 0.6
LEGEND_ENTRY_CM = 1.8
MOST_MARKERS = 30
BRACKET = {"arrowstyle": "|-|,widthA=0.2,widthB=0.2", "lw": 0.6, "shrinkA": 1, "shrinkB": 1}


@dataclass(frozen=True, eq=False, kw_only=True)
class CellCurve:
    """Potential of one cell with its stages: times in seconds, potential in volts, both (N,)."""

    name: str
    times_s: FloatArray
    potential_v: FloatArray
    stages: Sequence[Stage]

    def between(self, start_s: float, end_s: float) -> CellCurve:
        """The part between two times."""
        inside = (self.times_s >= start_s) & (self.times_s <= end_s)
        return CellCurve(
            name=self.name,
            times_s=self.times_s[inside],
            potential_v=self.potential_v[inside],
            stages=[s for s in self.stages if s.start_s < end_s and s.end_s > start_s],
        )


def absorbance_figure(curves: pd.DataFrame, stages: Sequence[Stage], signal: str) -> Any:
    """Normalized absorbance of regions and their field's mean over each step (Fig. 1C, D).

    Parameters
    ----------
    curves : pandas.DataFrame
        The table `curves`.
    stages : sequence of Stage
        The steps, a panel each.
    signal : str
        What was normalized, for the axis: "absorbance", or "reflectance" of epi recordings.
    """
    n_columns = min(len(stages), 2)
    n_rows = -(-len(stages) // n_columns)
    with style():
        figure = new_figure(
            SINGLE_CM if n_columns == 1 else DOUBLE_CM, PANEL_CM * n_rows + LEGEND_CM
        )
        panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for panel in panels[len(stages) :]:
            panel.remove()
        for axes, stage in zip(panels, stages, strict=False):
            _absorbance_panel(axes, curves, stage)
            axes.set_ylabel(f"Normalized {signal}")
        _legend_below(figure, panels[: len(stages)])
    return figure


def _absorbance_panel(axes: Any, curves: pd.DataFrame, stage: Stage) -> None:
    own = curves[(curves["stage"] == stage.name) & (curves["cycle"] == stage.cycle)]
    names = list(dict.fromkeys(own["region"]))
    regions = [n for n in names if n != FIELD]
    for i, name in enumerate([*regions, *(n for n in names if n == FIELD)]):
        part = own[own["region"] == name]
        is_mean = name == FIELD
        axes.plot(
            part["time_s"].to_numpy(float),
            part["normalized_absorbance"].to_numpy(float),
            color=INK if is_mean else REGION_COLOURS[i % len(REGION_COLOURS)],
            linestyle="--" if is_mean else "-",
            marker=None if is_mean else MARKERS[i % len(MARKERS)],
            markevery=max(1, len(part) // MOST_MARKERS),
            label="mean" if is_mean else name,
        )
    axes.set_xlabel(TIME)
    axes.set_xlim(stage.start_s, stage.end_s)
    axes.set_title(stage.label, color=colour_on_paper(stage), fontweight="bold")


def potential_figure(
    cell: CellCurve | None,
    intensity: tuple[FloatArray, FloatArray],
    stages: Sequence[Stage],
    *,
    li_content: FloatArray | None = None,
    metal: str = "M",
) -> Any:
    """Potential (left) and mean intensity (right) against time, coloured by stage (Fig. 1E).

    Parameters
    ----------
    cell : CellCurve or None
        None: only the intensity is drawn.
    intensity : two numpy.ndarray
        (T,) times in seconds and mean counts.
    stages : sequence of Stage
        Drawn in their colours; what lies between them is grey. The figure runs from the first to
        the last.
    li_content : numpy.ndarray, optional
        (N,) x at the cell's times, an axis at the top.
    metal : str
        Names that axis.
    """
    start, end = min(s.start_s for s in stages), max(s.end_s for s in stages)
    with style():
        figure = new_figure(SINGLE_CM if cell is None else DOUBLE_CM, PANEL_CM + LEGEND_CM)
        panels = list(figure.subplots(1, 1 if cell is None else 2, squeeze=False)[0])
        if cell is not None:
            draw_coloured(panels[0], cell.times_s, cell.potential_v, stages)
            panels[0].set_ylabel(POTENTIAL)
        draw_coloured(panels[-1], *intensity, stages)
        panels[-1].set_ylabel("Mean intensity (counts)")
        for axes in panels:
            axes.set_xlim(start, end)
            _fit_height(axes, start, end)
            if cell is not None and li_content is not None:
                _content_axis(axes, cell.times_s, li_content, metal, (start, end))
        _legend_below(figure, panels)
    return figure


def _legend_below(figure: Any, panels: Sequence[Any], stages: Sequence[Stage] = ()) -> None:
    """One legend under all panels, each name once, in as many columns as fit.

    Names of stages come in the order in which lithium passes through them.
    """
    kinds = list(StageKind)
    ordered = sorted(stages, key=lambda s: (kinds.index(s.kind), s.step or 0))
    named: dict[str, Any] = dict.fromkeys(s.label for s in ordered)
    for axes in panels:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            named[name] = named.get(name) or handle
    named = {name: handle for name, handle in named.items() if handle is not None}
    n_columns = int(figure.get_figwidth() * CM_PER_INCH / LEGEND_ENTRY_CM)
    # matplotlib fills column by column; names are read row by row.
    names = [name for column in range(n_columns) for name in list(named)[column::n_columns]]
    handles = [named[name] for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=n_columns)


def draw_coloured(
    axes: Any, times_s: FloatArray, values: FloatArray, stages: Sequence[Stage], lift: float = 0.0
) -> None:
    """A grey curve, over it the part of each stage in its colour; one legend entry a name."""
    axes.plot(times_s, values + lift, color=FAINT, linewidth=0.7, zorder=1)
    named: set[str] = set()
    for stage in stages:
        inside = (times_s >= stage.start_s) & (times_s <= stage.end_s)
        axes.plot(
            times_s[inside],
            values[inside] + lift,
            color=colour_on_paper(stage),
            label=None if stage.label in named else stage.label,
        )
        named.add(stage.label)
    axes.set_xlabel(TIME)


def _fit_height(axes: Any, start_s: float, end_s: float) -> None:
    """Fit the y axis to what is seen between two times."""
    seen = [
        y[(x >= start_s) & (x <= end_s)] for x, y in (line.get_data() for line in axes.get_lines())
    ]
    values = np.concatenate(seen)
    values = values[np.isfinite(values)]
    if values.size and np.ptp(values) > 0:
        margin = 0.05 * np.ptp(values)
        axes.set_ylim(values.min() - margin, values.max() + margin)


def _content_axis(
    axes: Any, times_s: FloatArray, x: FloatArray, metal: str, shown_s: tuple[float, float]
) -> None:
    """An axis of x in Li_xM at the top, ticks where it passes round values."""
    known = np.isfinite(x) & (times_s >= shown_s[0]) & (times_s <= shown_s[1])
    at, labels = content_ticks(times_s[known], x[known])
    if not len(at):
        return
    top = axes.secondary_xaxis("top")
    top.set_xticks(at, labels)
    top.set_xlabel(f"$x$ in Li$_x${metal}")


def content_ticks(times_s: FloatArray, x: FloatArray) -> tuple[FloatArray, list[str]]:
    """Times at which x passes round values, and these values as text.

    Where x turns back, times of the part in which it changes most, from its first to last extreme.
    """
    if len(x) < 2 or not np.ptp(x) > 0:
        return np.empty(0), []
    low, high = sorted((int(np.argmin(x)), int(np.argmax(x))))
    times_s, x = times_s[low : high + 1], x[low : high + 1]
    if x[0] > x[-1]:
        times_s, x = times_s[::-1], x[::-1]
    from matplotlib.ticker import MaxNLocator

    values = MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(float(x[0]), float(x[-1]))
    values = values[(values >= x[0]) & (values <= x[-1])]
    return np.interp(values, x, times_s), [f"{v:g}" for v in values]


def cells_figure(cells: Sequence[CellCurve]) -> Any:
    """Potential curves of several cells over each other, the first at the top (Fig. 1F)."""
    spans = [np.ptp(c.potential_v[np.isfinite(c.potential_v)]) for c in cells]
    step = 1.1 * float(max(spans, default=0.0))
    with style():
        figure = new_figure(SINGLE_CM, PANEL_CM + 1.4 * (len(cells) - 1) + LEGEND_CM)
        axes = figure.add_subplot()
        for i, cell in enumerate(cells):
            lift = step * (len(cells) - 1 - i)
            times = cell.times_s - cell.times_s[0]
            shifted = [_earlier(s, float(cell.times_s[0])) for s in cell.stages]
            draw_coloured(axes, times, cell.potential_v, shifted, lift)
            if len(cells) > 1:
                _name_cell(axes, cell, lift)
        axes.set_ylabel(POTENTIAL if len(cells) == 1 else f"{POTENTIAL}, curves {step:.2g} V apart")
        _legend_below(figure, [axes], [s for c in cells for s in c.stages])
    return figure


def _name_cell(axes: Any, cell: CellCurve, lift: float) -> None:
    """The cell's name at the right, at that end of its range where its curve doesn't end."""
    known = cell.potential_v[np.isfinite(cell.potential_v)]
    if known.size:
        ends_low = known[-1] < (known.min() + known.max()) / 2
        axes.annotate(
            cell.name,
            (1, (known.max() if ends_low else known.min()) + lift),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            va="top" if ends_low else "bottom",
            fontsize=SMALL_PT,
        )


def _earlier(stage: Stage, by_s: float) -> Stage:
    return replace(stage, start_s=stage.start_s - by_s, end_s=stage.end_s - by_s)


def cycling_figure(cell: CellCurve, spans: Sequence[tuple[str, float, float]]) -> Any:
    """Potential over all cycles, with De and Di over each (Fig. 4C).

    Parameters
    ----------
    cell : CellCurve
    spans : sequence of (str, float, float)
        Label, start and end in seconds: De1, Di1, ...
    """
    with style():
        figure = new_figure(DOUBLE_CM, PANEL_CM + LEGEND_CM)
        axes = figure.add_subplot()
        draw_coloured(axes, cell.times_s, cell.potential_v, cell.stages)
        axes.set_ylabel(POTENTIAL)
        axes.set_xlim(cell.times_s[0], cell.times_s[-1])
        low, high = axes.get_ylim()
        top = high + 0.03 * (high - low)
        axes.set_ylim(low, high + 0.16 * (high - low))
        for label, start, end in spans:
            axes.annotate("", (start, top), (end, top), arrowprops=BRACKET)
            axes.annotate(
                label, ((start + end) / 2, top), (0, 2.5), textcoords="offset points",
                ha="center", va="bottom",
            )  # fmt: skip
        _legend_below(figure, [axes])
    return figure
