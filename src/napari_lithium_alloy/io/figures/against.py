"""Figures over a study: a quantity of each recording against a condition, with means of cells."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_lithium_alloy.core.study_series import Against
from napari_lithium_alloy.io.figures.page import (
    DOUBLE_CM,
    FAINT,
    MARKERS,
    REGION_COLOURS,
    SINGLE_CM,
    SMALL_PT,
    new_figure,
    style,
)

MOST_IN_A_ROW = 3
HEIGHT_CM = 5.2
MOST_IN_LEGEND = 8
TITLE_LETTERS = 38
MOST_TICKS = 6
ROOM = 0.18
"""Beside the outermost values, as a share of the axis."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Panel:
    """One quantity against the condition.

    Attributes
    ----------
    title, y_label : str
    against : Against
    bounds : (float, float), optional
        Of the y axis, where the quantity has some.
    intervals : dict
        By recording, the interval of its own value.
    """

    title: str
    y_label: str
    against: Against
    bounds: tuple[float, float] | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def against_figure(panels: Sequence[Panel], x_label: str) -> Any:
    """A panel a quantity: points are recordings, dashes means over cells with their 95 %."""
    columns = min(len(panels), MOST_IN_A_ROW)
    rows = math.ceil(len(panels) / columns)
    width = SINGLE_CM if columns == 1 else DOUBLE_CM * columns / MOST_IN_A_ROW
    with style():
        figure = new_figure(width, HEIGHT_CM * rows)
        every = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(every, panels, strict=False):
            _draw(axes, panel, x_label)
        for axes in every[len(panels) :]:
            axes.remove()
        names = [s.name for s in max((p.against.series for p in panels), key=len)]
        if len(names) > 1:
            handles, labels = every[0].get_legend_handles_labels()
            figure.legend(
                handles[:MOST_IN_LEGEND], labels[:MOST_IN_LEGEND],
                loc="outside lower center", ncols=min(len(names), 4),
            )  # fmt: skip
    return figure


def _draw(axes: Any, panel: Panel, x_label: str) -> None:
    shown = panel.against
    axes.set_title(textwrap.fill(panel.title, TITLE_LETTERS), pad=3, fontsize=SMALL_PT)
    axes.set_xlabel(x_label, labelpad=1)
    axes.set_ylabel(panel.y_label, labelpad=1)
    if panel.bounds is not None:
        axes.set_ylim(panel.bounds)
        if panel.bounds[0] < 0 < panel.bounds[1]:
            axes.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    for i in range(len(shown.series)):
        _draw_series(axes, i, panel)
    if shown.ticks:
        axes.set_xticks(list(shown.ticks), list(shown.ticks.values()))
        axes.set_xlim(min(shown.ticks) - 0.6, max(shown.ticks) + 0.6)
    elif shown.series:
        _scale(axes, shown)
    if not shown.series:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no value", transform=axes.transAxes, ha="center", fontsize=SMALL_PT)


def _scale(axes: Any, shown: Against) -> None:
    """An axis that says the values of the condition, where they are few."""
    values, room = shown.values, ROOM * shown.span
    ends = shown.on_axis(values[[0, -1]]) + np.array([-room, room])
    if shown.logarithmic:
        axes.set_xscale("log")
        ends = 10**ends
    axes.set_xlim(*ends)
    if len(values) <= MOST_TICKS:
        from matplotlib.ticker import NullLocator

        axes.set_xticks(values, [f"{v:g}" for v in values])
        axes.xaxis.set_minor_locator(NullLocator())


def _draw_series(axes: Any, i: int, panel: Panel) -> None:
    shown = panel.against
    series = shown.series[i]
    x, mean_x = (
        10**at if shown.logarithmic else at for at in (shown.point_places(i), shown.mean_places(i))
    )
    colour, mark = REGION_COLOURS[i % len(REGION_COLOURS)], MARKERS[i % len(MARKERS)]
    for at, name in zip(x, series.recordings, strict=True):
        axes.plot([at, at], panel.intervals.get(name, (np.nan, np.nan)), color=FAINT, linewidth=0.8)
    axes.plot(x, series.y, mark, color=colour, markersize=2.6, markeredgewidth=0, alpha=0.8)
    error = np.stack([series.mean - series.low, series.high - series.mean])
    for error_known in (True, False):  # one cell has a mean, and no error rather than none
        use = np.isfinite(series.mean) & (np.isfinite(error).all(axis=0) == error_known)
        axes.errorbar(
            mean_x[use], series.mean[use], yerr=error[:, use] if error_known else None,
            fmt="_", color=colour, markersize=9, capsize=2.5, elinewidth=0.9,
            markeredgewidth=1.1,
        )  # fmt: skip
    axes.plot([], [], mark, color=colour, markersize=3.5, label=series.name or None)
