"""A canvas of curves: live in the viewer's colours, saved through matplotlib."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_lithium_alloy.core.errors import AlloyError
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
    """

    x_label: str
    y_label: str
    curves: Sequence[Curve] = ()
    stages: Sequence[Stage] = ()
    y_range: tuple[float, float] | None = None


class CurveCanvas(QWidget):
    """Curves in the theme of the viewer, with a time cursor.

    Parameters
    ----------
    viewer : napari Viewer
        Whose theme it follows.
    hint : str
        Shown while there is no curve.
    """

    time_clicked = Signal(float)

    def __init__(self, viewer: Any, hint: str = "") -> None:
        import pyqtgraph

        super().__init__()
        self._pg = pyqtgraph
        self._viewer = weakref.ref(viewer)
        self.plot = Plot(x_label="Time (s)", y_label="")
        self.widget = pyqtgraph.PlotWidget()
        self.item = self.widget.getPlotItem()
        self.item.setMenuEnabled(False)
        self.item.hideButtons()
        self.legend = self.item.addLegend(offset=(8, 1), labelTextSize="9pt", verSpacing=-6)
        self.cursor = pyqtgraph.InfiniteLine(angle=90, movable=False)
        self.item.addItem(self.cursor, ignoreBounds=True)
        self.cursor.hide()
        self._bands: list[Any] = []
        self.widget.scene().sigMouseClicked.connect(self._clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.hint = QLabel(hint)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.widget)
        layout.addWidget(self.hint)
        self.widget.hide()
        self.follow_theme()

    def show_plot(self, plot: Plot) -> None:
        """Draw curves and stage bands; the view fits them."""
        self.plot = plot
        self.item.clear()
        self.item.addItem(self.cursor, ignoreBounds=True)
        for i, curve in enumerate(plot.curves):
            pen = self._pg.mkPen(COLOURS[i % len(COLOURS)], width=2)
            self.item.plot(
                np.asarray(curve.x, float), np.asarray(curve.y, float),
                pen=pen, name=curve.name, connect="finite",
            )  # fmt: skip
        self._bands = [self._draw_band(stage) for stage in plot.stages]
        self.item.enableAutoRange()
        if plot.y_range is not None:
            self.item.setYRange(*plot.y_range, padding=0)
        self.legend.setColumnCount(max(len(plot.curves), 1))
        self.legend.setVisible(len(plot.curves) > 1)
        self.widget.setVisible(bool(plot.curves))
        self.hint.setVisible(not plot.curves)
        self.follow_theme()

    def show_time(self, time_s: float) -> None:
        """Put the cursor at a time."""
        self.cursor.setValue(time_s)
        self.cursor.setVisible(bool(np.isfinite(time_s)))

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        from napari.utils.theme import get_theme

        viewer = self._viewer()
        if viewer is None:
            return
        theme = get_theme(viewer.theme)
        ink, ground = theme.text.as_hex(), theme.background.as_hex()
        self.widget.setBackground(ground)
        for side, label in (("bottom", self.plot.x_label), ("left", self.plot.y_label)):
            axis = self.item.getAxis(side)
            axis.setSIPrefixEnableRanges(())  # or turning it off keeps the factor of this moment
            axis.enableAutoSIPrefix(False)
            axis.setPen(ink)
            axis.setTextPen(ink)
            axis.setLabel(label, color=ink)
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

    def follow_viewer(self) -> None:
        """Follow the viewer's theme from now on."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.events.theme.connect(self.follow_theme)
            self.follow_theme()

    def let_go(self) -> None:
        """Stop following the viewer."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.events.theme.disconnect(self.follow_theme)

    def save(self, path: Path) -> None:
        """Save what is shown as PNG or SVG.

        Raises
        ------
        AlloyError
            If nothing is shown, or the name ends otherwise.
        """
        if not self.plot.curves:
            raise AlloyError("There is no plot yet; run the analysis first.")
        if path.suffix.lower() not in (".png", ".svg"):
            raise AlloyError(f"{path.name}: plots are saved as .png or .svg; name one of them.")
        try:
            self.figure().savefig(path, dpi=200)
        except OSError as error:
            raise AlloyError(f"{path} cannot be written: {error.strerror}.") from error

    def figure(self) -> Any:
        """What is shown as a matplotlib figure, on white."""
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
        if box.sceneBoundingRect().contains(event.scenePos()):
            self.time_clicked.emit(float(box.mapSceneToView(event.scenePos()).x()))


def figure_of(plot: Plot) -> Any:
    """The same plot as a matplotlib figure, on white."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for i, curve in enumerate(plot.curves):
        axes.plot(curve.x, curve.y, color=COLOURS[i % len(COLOURS)], label=curve.name)
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
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    if plot.y_range is not None:
        axes.set_ylim(plot.y_range)
    axes.legend(frameon=False, fontsize=8, loc="best")
    return figure
