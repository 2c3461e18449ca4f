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
            self.item.plot(self._along(curve.x), y, pen=pen, name=curve.name)
        self._legend(ink, ground)
        self.item.enableAutoRange()
        self.item.getViewBox().updateAutoRange()
        self._lines(ink)
        for side, label in (("bottom", self.plot.x_label), ("left", self.plot.y_label)):
            self.paint_axis(side, label, ink)
        ys, xs = ([getattr(c, a) for c in self.plot.curves] for a in ("y", "x"))
        zero = [(float(np.log10(LEAST_COUNT)), "0")]
        counts = self.plot.logarithmic and decades(np.concatenate(ys), zero)
        along = self.plot.logarithmic_x and decades(np.concatenate(xs), [])
        self.item.getAxis("left").setTicks(counts or None)
        self.item.getAxis("bottom").setTicks(along or None)

    def _along(self, x: Any) -> FloatArray:
        """Where values of x are drawn."""
        values = np.asarray(x, dtype=float)
        return np.log10(np.maximum(values, 1e-6)) if self.plot.logarithmic_x else values

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
            line = self._pg.InfiniteLine(
                self._along(known["suggested"]).item(), angle=90, pen=dashed
            )
            line.setToolTip("Suggested threshold")
            self.item.addItem(line, ignoreBounds=True)
        if known["in use"] is not None:
            self.line = self._pg.InfiniteLine(
                self._along(known["in use"]).item(), angle=90, movable=True,
                pen=self._pg.mkPen(COLOURS[4], width=2),
                hoverPen=self._pg.mkPen(COLOURS[4], width=4),
            )  # fmt: skip
            self.line.setToolTip("Threshold in use; drag it, or click where it shall be")
            self.line.sigPositionChangeFinished.connect(self._moved)
            self.line.sigDragged.connect(self._moved)
            self.item.addItem(self.line, ignoreBounds=True)

    def _moved(self, line: Any) -> None:
        drawn = float(line.value())
        self.threshold_moved.emit(10**drawn if self.plot.logarithmic_x else drawn)

    def _clicked(self, event: Any) -> None:
        box = self.item.getViewBox()
        if self.line is not None and box.sceneBoundingRect().contains(event.scenePos()):
            self.line.setValue(float(box.mapSceneToView(event.scenePos()).x()))
            self._moved(self.line)


def heights(values: FloatArray, logarithmic: bool) -> FloatArray:
    """Where values are drawn; nothing stands half a decade under 1 on a logarithmic axis."""
    y = np.asarray(values, dtype=float)
    return np.log10(np.maximum(y, LEAST_COUNT)) if logarithmic else y


def decades(values: FloatArray, more: list[tuple[float, str]]) -> list[list[tuple[float, str]]]:
    """Ticks of a logarithmic axis, named where there is room: 1, 2 and 5 of few decades."""
    known = values[np.isfinite(values) & (values > 0)]
    if not known.size:
        return [more, []]
    first, last = (int(np.floor(np.log10(v))) for v in (max(known.min(), 1), known.max()))
    named = (1,) if last - first > 1 else (1, 2, 5)
    marks = [(k, d) for d in range(first, last + 1) for k in range(1, 10)]
    major = [(float(np.log10(k * 10**d)), f"{k * 10**d:g}") for k, d in marks if k in named]
    return [[*more, *major], [(float(np.log10(k * 10**d)), "") for k, d in marks]]


def figure_of(plot: SitePlot) -> Any:
    """The same as a matplotlib figure, on white."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for i, curve in enumerate(plot.curves):
        axes.plot(curve.x, curve.y, color=COLOURS[i % len(COLOURS)], label=curve.name)
    if plot.logarithmic:
        axes.set_yscale("symlog", linthresh=1)
    if plot.logarithmic_x:
        axes.set_xscale("log")
    if plot.suggested is not None and np.isfinite(plot.suggested):
        axes.axvline(plot.suggested, color="black", ls="--", lw=1, label="suggested")
    if plot.threshold is not None:
        axes.axvline(plot.threshold, color=COLOURS[4], label="in use")
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.legend(frameon=False, fontsize=8)
    return figure
