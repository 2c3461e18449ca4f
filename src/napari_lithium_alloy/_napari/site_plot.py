"""The plot of nucleation sites: curves, and a threshold that is dragged or clicked."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal

from napari_lithium_alloy._napari.plot_canvas import LETTER_PX, PlotCanvas
from napari_lithium_alloy._napari.plots import COLOURS
from napari_lithium_alloy._napari.site_views import SitePlot
from napari_lithium_alloy.core.recording import FloatArray

HEIGHT_PX = 210
LEAST_COUNT = 0.5
"""Where nothing is drawn on a logarithmic axis."""


class SiteCanvas(PlotCanvas):
    """Draws a SitePlot; `threshold_moved` tells where the line was put."""

    threshold_moved = Signal(float)

    def __init__(self, viewer: Any, hint: str = "") -> None:
        super().__init__(viewer, hint)
        self.plot = SitePlot()
        self.line: Any = None
        self.item.setMouseEnabled(x=False, y=False)
        self.item.layout.setContentsMargins(1, 1, 1, LETTER_PX)
        self.widget.setFixedHeight(HEIGHT_PX)
        self.hint.setMinimumHeight(HEIGHT_PX // 3)
        self.legend = self.item.addLegend(offset=(-6, 2), labelTextSize="9pt", verSpacing=-6)
        self.widget.scene().sigMouseClicked.connect(self._clicked)

    @property
    def shown(self) -> bool:
        return bool(self.plot.curves)

    def show_plot(self, plot: SitePlot) -> None:
        """Draw this."""
        self.plot = plot
        self.hint.setText(plot.hint)
        self._draw()

    def follow_theme(self) -> None:
        self._draw()

    def figure(self) -> Any:
        return figure_of(self.plot)

    def _draw(self) -> None:
        self.item.clear()
        self.legend.clear()
        self.line = None
        self.show_hint()
        colours = self.theme_colours()
        if not self.shown or colours is None:
            return
        ink, ground = colours
        self.widget.setBackground(ground)
        for i, curve in enumerate(self.plot.curves):
            pen = self._pg.mkPen(COLOURS[i % len(COLOURS)], width=2)
            y = heights(curve.y, self.plot.logarithmic)
            self.item.plot(np.asarray(curve.x, float), y, pen=pen, name=curve.name)
        self._legend(ink, ground)
        self.item.enableAutoRange()
        self.item.getViewBox().updateAutoRange()
        self._lines(ink)
        for side, label in (("bottom", self.plot.x_label), ("left", self.plot.y_label)):
            self.paint_axis(side, label, ink)
        self.item.getAxis("left").setTicks(self._ticks())

    def _legend(self, ink: str, ground: str) -> None:
        behind = self._pg.mkColor(ground)
        behind.setAlphaF(0.75)
        self.legend.setBrush(behind)
        self.legend.setVisible(len(self.plot.curves) > 1)
        for _, label in self.legend.items:
            label.setText(label.text, color=ink)

    def _lines(self, ink: str) -> None:
        """The suggested threshold, dashed, and the one in use, which can be dragged."""
        known = {"suggested": self.plot.suggested, "in use": self.plot.threshold}
        if known["suggested"] is not None and np.isfinite(known["suggested"]):
            dashed = self._pg.mkPen(ink, width=1, style=Qt.PenStyle.DashLine)
            line = self._pg.InfiniteLine(known["suggested"], angle=90, pen=dashed)
            line.setToolTip("Suggested threshold")
            self.item.addItem(line, ignoreBounds=True)
        if known["in use"] is not None:
            self.line = self._pg.InfiniteLine(
                known["in use"], angle=90, movable=True,
                pen=self._pg.mkPen(COLOURS[4], width=2),
                hoverPen=self._pg.mkPen(COLOURS[4], width=4),
            )  # fmt: skip
            self.line.setToolTip("Threshold in use; drag it, or click where it shall be")
            self.line.sigPositionChangeFinished.connect(self._moved)
            self.line.sigDragged.connect(self._moved)
            self.item.addItem(self.line, ignoreBounds=True)

    def _ticks(self) -> Any:
        if not self.plot.logarithmic:
            return None
        most = max(float(np.nanmax(c.y)) for c in self.plot.curves)
        decades = range(int(np.log10(max(most, 1))) + 1)
        minor = [float(np.log10(k * 10**d)) for d in decades for k in range(2, 10)]
        major = [(float(d), f"{10**d:d}") for d in decades]
        return [[(float(np.log10(LEAST_COUNT)), "0"), *major], [(m, "") for m in minor]]

    def _moved(self, line: Any) -> None:
        self.threshold_moved.emit(float(line.value()))

    def _clicked(self, event: Any) -> None:
        box = self.item.getViewBox()
        if self.line is not None and box.sceneBoundingRect().contains(event.scenePos()):
            x = float(box.mapSceneToView(event.scenePos()).x())
            self.line.setValue(x)
            self.threshold_moved.emit(x)


def heights(values: FloatArray, logarithmic: bool) -> FloatArray:
    """Where values are drawn; nothing stands half a decade under 1 on a logarithmic axis."""
    y = np.asarray(values, dtype=float)
    return np.log10(np.maximum(y, LEAST_COUNT)) if logarithmic else y


def figure_of(plot: SitePlot) -> Any:
    """The same as a matplotlib figure, on white."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for i, curve in enumerate(plot.curves):
        axes.plot(curve.x, curve.y, color=COLOURS[i % len(COLOURS)], label=curve.name)
    if plot.logarithmic:
        axes.set_yscale("symlog", linthresh=1)
    if plot.suggested is not None and np.isfinite(plot.suggested):
        axes.axvline(plot.suggested, color="black", ls="--", lw=1, label="suggested")
    if plot.threshold is not None:
        axes.axvline(plot.threshold, color=COLOURS[4], label="in use")
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.legend(frameon=False, fontsize=8)
    return figure
