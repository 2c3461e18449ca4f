"""A canvas of curves: live in the viewer's colours, saved through matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qtpy.QtCore import Signal

from napari_lithium_alloy._napari.plot_canvas import PlotCanvas
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage

# Okabe and Ito's colours, those that stand out on black and on white first.
COLOURS = ("#0090d0", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#a89000")
BAND_ALPHA = 0.22
MOST_BAND_LABELS = 6
"""More stages than that would write over each other; their colours still tell them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """One line of a plot; NaN breaks it."""

    name: str
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Plot:
    """What a canvas shows, on screen and on paper.

    Attributes
    ----------
    x_label, y_label : str
        Axis labels with their units, as they are written.
    curves : sequence of Curve
    stages : sequence of Stage
        Drawn as bands in their colours.
    y_range : (float, float), optional
        Shown part of the y axis; None: all curves.
    timed : bool
        Whether x is time: only then there is a cursor, and a click goes to a time.
    marked : bool
        Whether the points of the curves are marked.
    x_ticks : dict of float to str
        Words in place of numbers on the x axis; none: numbers.
    """

    x_label: str
    y_label: str
    curves: Sequence[Curve] = ()
    stages: Sequence[Stage] = ()
    y_range: tuple[float, float] | None = None
    timed: bool = True
    marked: bool = False
    x_ticks: Mapping[float, str] = field(default_factory=dict)


class CurveCanvas(PlotCanvas):
    """Curves with a time cursor."""

    time_clicked = Signal(float)

    def __init__(self, viewer: Any, hint: str = "") -> None:
        super().__init__(viewer, hint)
        self.plot = Plot(x_label="Time (s)", y_label="")
        self.legend = self.item.addLegend(offset=(8, 1), labelTextSize="9pt", verSpacing=-6)
        self.cursor = self._pg.InfiniteLine(angle=90, movable=False)
        self.item.addItem(self.cursor, ignoreBounds=True)
        self.cursor.hide()
        self._bands: list[Any] = []
        self._seen = False
        self.widget.scene().sigMouseClicked.connect(self._clicked)
        self.follow_theme()

    @property
    def shown(self) -> bool:
        return bool(self.plot.curves)

    def show_plot(self, plot: Plot) -> None:
        """Draw curves and stage bands; the view fits them."""
        self.plot = plot
        self.item.clear()
        self.item.addItem(self.cursor, ignoreBounds=True)
        for i, curve in enumerate(plot.curves):
            pen = self._pg.mkPen(COLOURS[i % len(COLOURS)], width=2)
            marks = {"symbol": "o", "symbolSize": 7, "symbolBrush": COLOURS[i % len(COLOURS)]}
            self.item.plot(
                np.asarray(curve.x, float), np.asarray(curve.y, float),
                pen=pen, name=curve.name, connect="finite", **(marks if plot.marked else {}),
            )  # fmt: skip
        self._bands = [self._draw_band(stage) for stage in plot.stages]
        self.cursor.setVisible(self._seen and plot.timed)
        self.item.enableAutoRange()
        self.item.getAxis("bottom").setTicks([list(plot.x_ticks.items())] if plot.x_ticks else None)
        if plot.y_range is not None:
            self.item.setYRange(*plot.y_range, padding=0)
        self.legend.setColumnCount(max(len(plot.curves), 1))
        self.legend.setVisible(len(plot.curves) > 1)
        self.show_hint()
        self.follow_theme()

    def show_time(self, time_s: float) -> None:
        """Put the cursor at a time."""
        self.cursor.setValue(time_s)
        self._seen = bool(np.isfinite(time_s))
        self.cursor.setVisible(self._seen and self.plot.timed)

    def follow_theme(self) -> None:
        colours = self.theme_colours()
        if colours is None:
            return
        ink, ground = colours
        self.widget.setBackground(ground)
        for side, label in (("bottom", self.plot.x_label), ("left", self.plot.y_label)):
            self.paint_axis(side, label, ink)
        self.legend.setLabelTextColor(ink)
        ground_behind = self._pg.mkColor(ground)
        ground_behind.setAlphaF(0.75)
        self.legend.setBrush(ground_behind)
        for _, label in self.legend.items:
            label.setText(label.text, color=ink)
        for label in self._bands:
            label.setColor(ink)
            label.setVisible(len(self._bands) <= MOST_BAND_LABELS)
        self.cursor.setPen(self._pg.mkPen(ink, width=1))

    def figure(self) -> Any:
        return figure_of(self.plot)

    def _draw_band(self, stage: Stage) -> Any:
        colour = self._pg.mkColor(stage.colour)
        colour.setAlphaF(BAND_ALPHA)
        band = self._pg.LinearRegionItem(
            (stage.start_s, stage.end_s), movable=False, brush=colour, pen=self._pg.mkPen(None)
        )
        band.setZValue(-10)
        band.setToolTip(stage.label)
        self.item.addItem(band, ignoreBounds=True)
        return self._pg.InfLineLabel(
            band.lines[0],
            stage.label,
            position=0.07 if len(self.plot.curves) > 1 else 0.92,  # where the legend isn't
            anchors=[(0, 0.5), (0, 0.5)],
        )

    def _clicked(self, event: Any) -> None:
        box = self.item.getViewBox()
        if self.plot.timed and box.sceneBoundingRect().contains(event.scenePos()):
            self.time_clicked.emit(float(box.mapSceneToView(event.scenePos()).x()))


def figure_of(plot: Plot) -> Any:
    """The same plot as a matplotlib figure, on white."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for i, curve in enumerate(plot.curves):
        mark = "o" if plot.marked else None
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(curve.x, curve.y, color=colour, label=curve.name, marker=mark)
    low, high = axes.get_xlim()
    for stage in plot.stages:
        axes.axvspan(stage.start_s, stage.end_s, color=stage.colour, alpha=BAND_ALPHA, linewidth=0)
        middle = (max(stage.start_s, low) + min(stage.end_s, high)) / 2
        if low < middle < high:
            axes.annotate(
                stage.label, (middle, 1.0), xycoords=("data", "axes fraction"),
                ha="center", va="bottom", fontsize=8,
            )  # fmt: skip
    axes.set_xlim(low, high)
    if plot.x_ticks:
        axes.set_xticks(list(plot.x_ticks), list(plot.x_ticks.values()))
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    if plot.y_range is not None:
        axes.set_ylim(plot.y_range)
    axes.legend(frameon=False, fontsize=8, loc="best")
    return figure
