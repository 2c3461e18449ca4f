"""Figures over a study: a quantity of each recording against a condition, with means of cells."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_lithium_alloy.core.study_series import Against, Series
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
NEXT, NEXT_LOG = 0.025, 1.06
"""From a point to the next of the same value: share of the axis, or factor."""


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
    for i, series in enumerate(shown.series):
        _draw_series(axes, series, i, panel)
    if shown.ticks:
        axes.set_xticks(list(shown.ticks), list(shown.ticks.values()))
        axes.set_xlim(min(shown.ticks) - 0.6, max(shown.ticks) + 0.6)
    elif shown.series:
        _scale(axes, np.unique(np.concatenate([s.x for s in shown.series])), shown.logarithmic)
    if not shown.series:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no value", transform=axes.transAxes, ha="center", fontsize=SMALL_PT)


def _scale(axes: Any, at: Any, logarithmic: bool) -> None:
    """An axis that says the values of the condition, where they are few."""
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(at[0] / 1.4, at[-1] * 1.4)
    else:
        span = at[-1] - at[0] or abs(at[0]) or 1.0
        axes.set_xlim(at[0] - 0.15 * span, at[-1] + 0.15 * span)
    if len(at) <= 6:
        from matplotlib.ticker import NullLocator

        axes.set_xticks(at, [f"{v:g}" for v in at])
        axes.xaxis.set_minor_locator(NullLocator())


def _draw_series(axes: Any, series: Series, i: int, panel: Panel) -> None:
    colour, mark = REGION_COLOURS[i % len(REGION_COLOURS)], MARKERS[i % len(MARKERS)]
    x = _side_by_side(series.x, panel.against)
    for at, name in zip(x, series.recordings, strict=True):
        axes.plot([at, at], panel.intervals.get(name, (np.nan, np.nan)), color=FAINT, linewidth=0.8)
    axes.plot(x, series.y, mark, color=colour, markersize=2.6, markeredgewidth=0, alpha=0.8)
    error = np.stack([series.mean - series.low, series.high - series.mean])
    for error_known in (True, False):  # one cell has a mean, and no error rather than none
        use = np.isfinite(series.mean) & (np.isfinite(error).all(axis=0) == error_known)
        axes.errorbar(
            series.mean_x[use], series.mean[use], yerr=error[:, use] if error_known else None,
            fmt="_", color=colour, markersize=9, capsize=2.5, elinewidth=0.9,
            markeredgewidth=1.1,
        )  # fmt: skip
    axes.plot([], [], mark, color=colour, markersize=3.5, label=series.name or None)


def _side_by_side(x: Any, shown: Against) -> Any:
    """Places of points, those of one value beside each other."""
    moved = x.astype(float).copy()
    every = np.unique(np.concatenate([s.x for s in shown.series]))
    step = NEXT * (every[-1] - every[0] or 1.0)
    for value in np.unique(x):
        same = np.flatnonzero(x == value)
        offset = np.arange(len(same)) - (len(same) - 1) / 2
        moved[same] = value * NEXT_LOG**offset if shown.logarithmic else value + step * offset
    return moved
