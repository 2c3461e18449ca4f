"""The timeline as a figure on white (Mao et al. 2024, Fig. 1E)."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_lithium_alloy._napari.plots import BAND_ALPHA
from napari_lithium_alloy._napari.stage_bands import SPANS, stage_label
from napari_lithium_alloy._napari.timeline_plot import TimelinePlot, li_ticks
from napari_lithium_alloy.io.figures.page import colour_on_paper

MOST_COLUMNS = 8
LETTER = 0.011
"""Width of a letter in a figure, as a share of its axis."""


def figure_of_timeline(plot: TimelinePlot, right_colour: str) -> Any:
    """The timeline as a matplotlib figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    for curve in plot.curves:
        on_right = curve.name == plot.right
        colour = right_colour if on_right else "black"
        axes = right if on_right else left
        axes.plot(curve.x, curve.y, color=colour, linewidth=0.8 if plot.by_li else 1.5)
        axes.set_ylabel(curve.name if on_right else plot.y_label, color=colour)
        axes.tick_params(axis="y", colors=colour)
    names = {c.name for c in plot.curves}
    left.yaxis.set_visible(bool(names - {plot.right}))
    right.yaxis.set_visible(plot.right in names)
    left.set_xlim(plot.x_range)
    left.set_xlabel(plot.x_title)
    if plot.by_li:
        _colour_parts(figure, left, plot)
    else:
        _draw_bands(left, plot)
        _li_axis(left, plot)
    return figure


def _draw_bands(left: Any, plot: TimelinePlot) -> None:
    spans = SPANS if len({s.scope for s in plot.stages}) > 1 else {}
    for stage in plot.stages:
        low, high = spans.get(stage.scope, (0.0, 1.0))
        left.axvspan(
            stage.start_s, stage.end_s, low, high,
            color=stage.colour, alpha=BAND_ALPHA, linewidth=0,
        )  # fmt: skip
        label = stage_label(stage, both=bool(spans))
        if stage.end_s - stage.start_s > LETTER * len(label) * np.ptp(plot.x_range):
            left.annotate(
                label,
                ((stage.start_s + stage.end_s) / 2, high - 0.01),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                fontsize=7,
            )


def _li_axis(left: Any, plot: TimelinePlot) -> None:
    ticks = li_ticks(plot.li_times_s, plot.li_content, *plot.x_range)
    if ticks:
        top = left.secondary_xaxis("top")
        top.set_xticks([t for t, _ in ticks], [text for _, text in ticks])
        top.set_xlabel(plot.li_label)


def _colour_parts(figure: Any, left: Any, plot: TimelinePlot) -> None:
    """The potential's stages in their colours, dashed where lithium leaves."""
    curve = next((c for c in plot.curves if c.name != plot.right), None)
    named: dict[str, Any] = {}
    for stage, x, y in [] if curve is None else plot.parts(curve):
        dash = "-" if stage.darkens else "--"
        (line,) = left.plot(x, y, dash, color=colour_on_paper(stage), linewidth=2)
        named.setdefault(stage.label, line)
    if named:
        figure.legend(
            named.values(), named, loc="outside lower center", ncols=min(len(named), MOST_COLUMNS),
            frameon=False, fontsize=7,
        )  # fmt: skip
