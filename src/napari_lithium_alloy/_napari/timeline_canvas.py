"""Potential and mean intensity on screen, with stages and a cursor at the time shown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal

from napari_lithium_alloy._napari.plot_canvas import LETTER_PX
from napari_lithium_alloy._napari.plots import COLOURS, Curve, CurveCanvas
from napari_lithium_alloy._napari.stage_bands import StageBands
from napari_lithium_alloy._napari.timeline_paper import figure_of_timeline
from napari_lithium_alloy._napari.timeline_plot import (
    HEADROOM,
    LEGEND_ROOM,
    TimelinePlot,
    li_ticks,
    y_range,
)

RIGHT_COLOUR = COLOURS[0]
"""Of the mean intensity and its axis; the potential has that of the text."""
MARK_PX = 10
LEGEND_ENTRY_PX = 92
DASH = (2.0, 2.0)
"""Drawn and left out, in widths of the line."""
BETWEEN_ALPHA = 0.25
"""Of the potential between stages where these are coloured."""


class TimelineCanvas(CurveCanvas):
    """Two y axes over time or Li content; a click gives the time, a dragged bound its stage."""

    bound_moved = Signal(object, str, float)

    def __init__(self, viewer: Any, hint: str = "") -> None:
        super().__init__(viewer, hint)
        pg = self._pg
        self.legend.hide()
        self.right_view = pg.ViewBox()
        self.right_view.setZValue(self.item.zValue() - 1)
        self.item.scene().addItem(self.right_view)
        for side in ("right", "top"):
            self.item.showAxis(side)
            self.item.getAxis(side).setSIPrefixEnableRanges(())
            self.item.getAxis(side).enableAutoSIPrefix(False)
        self.item.getAxis("right").linkToView(self.right_view)
        self.right_view.setXLink(self.item)
        self.left_curve, self.right_curve = pg.PlotDataItem(), pg.PlotDataItem()
        self.left_mark, self.right_mark = (pg.ScatterPlotItem(size=MARK_PX) for _ in range(2))
        for box, items in (
            (self.item, (self.left_curve, self.left_mark)),
            (self.right_view, (self.right_curve, self.right_mark)),
        ):
            for item in items:
                box.addItem(item)
        self.parts: list[Any] = []
        self.point = pg.InfiniteLine(angle=90, movable=False)
        self.item.addItem(self.point, ignoreBounds=True)
        self.point.hide()
        self.item.showButtons()
        self.item.layout.setContentsMargins(1, 1, 1, LETTER_PX)
        for box in (self.item.getViewBox(), self.right_view):
            box.setMouseEnabled(x=True, y=False)
        self.bands = StageBands(self.item)
        # Queued: the line that was dragged is replaced, but not within its own mouse event.
        self.bands.moved.connect(self.bound_moved, Qt.ConnectionType.QueuedConnection)
        self.item.getViewBox().sigResized.connect(self._align)
        self.item.getViewBox().sigXRangeChanged.connect(self._tick)
        self._range: tuple[float, float] | None = None

    def show_plot(self, plot: TimelinePlot) -> None:
        """Draw curves and stages; the view stays unless the recording's times are others."""
        self.plot = plot
        for right, item in ((False, self.left_curve), (True, self.right_curve)):
            curve = self._curve(right=right)
            x, y = ([], []) if curve is None else (curve.x, curve.y)
            item.setData(np.asarray(x, float), np.asarray(y, float), connect="finite")
            box = self.right_view if right else self.item.getViewBox()
            shown = y_range(np.asarray(y, float), LEGEND_ROOM if plot.by_li else HEADROOM)
            if shown is not None:
                box.setYRange(*shown, padding=0)
            self.item.showAxis("right" if right else "left", curve is not None)
        self._colour_parts()
        self.widget.setVisible(bool(plot.curves))
        self.hint.setVisible(not plot.curves)
        if plot.x_range != self._range:
            self._range = plot.x_range
            self.item.setXRange(*plot.x_range, padding=0.01)
        self._align()
        self._tick()
        self.follow_theme()

    def show_time(self, time_s: float) -> None:
        """Put the cursor at a time or, against Li content, at what x and the curves are then."""
        plot = self.plot
        if not (isinstance(plot, TimelinePlot) and plot.by_li):
            super().show_time(time_s)
            self._mark(math.nan)
            return
        x = self._mark(time_s)
        super().show_time(x)

    def show_point(self, time_s: float) -> None:
        """Keep a moment that was clicked in sight; NaN for none."""
        self.point.setValue(time_s)
        self.point.setVisible(math.isfinite(time_s))

    def _mark(self, time_s: float) -> float:
        """Mark the curves where they are at a time; the Li content there, NaN for none."""
        x = math.nan
        for right, mark in ((True, self.right_mark), (False, self.left_mark)):
            curve = self._curve(right=right)
            point = (math.nan, math.nan)
            if curve is not None and math.isfinite(time_s):
                point = self.plot.point_at(curve, time_s)
            known = math.isfinite(point[0])
            mark.setData([point[0]] if known else [], [point[1]] if known else [])
            x = point[0] if known else x
        return x

    def _curve(self, *, right: bool) -> Curve | None:
        """The curve of the right axis or that of the left one."""
        return next((c for c in self.plot.curves if (c.name == self.plot.right) == right), None)

    def _colour_parts(self) -> None:
        """Against Li content, draw the potential's stages over it, dashed where Li leaves."""
        for item in self.parts:
            self.item.removeItem(item)
        self.legend.clear()
        self.parts = []
        curve, plot = self._curve(right=False), self.plot
        self.legend.setVisible(plot.by_li and curve is not None)
        if not plot.by_li or curve is None:
            return
        named = set()
        for stage, x, y in plot.parts(curve):
            dash = None if stage.darkens else DASH
            part = self._pg.PlotDataItem(
                x,
                y,
                pen=self._pg.mkPen(stage.colour, width=3, dash=dash),
                connect="finite",
            )
            self.item.addItem(part)
            self.parts.append(part)
            if stage.label not in named:
                named.add(stage.label)
                self.legend.addItem(part, stage.label)
        self._fit_legend()

    def follow_theme(self) -> None:
        super().follow_theme()
        viewer, plot = self._viewer(), self.plot
        if viewer is None or not isinstance(plot, TimelinePlot):
            return
        from napari.utils.theme import get_theme

        ink = get_theme(viewer.theme).text.as_hex()
        above = plot.li_label if self._knows_li and not plot.by_li else ""
        for side, label in (("bottom", plot.x_title), ("top", above)):
            axis = self.item.getAxis(side)
            axis.setPen(ink)
            axis.setTextPen(ink)
            axis.setLabel(label, color=ink)
            axis.showLabel(bool(label))
        axis = self.item.getAxis("right")
        axis.setPen(RIGHT_COLOUR)
        axis.setTextPen(RIGHT_COLOUR)
        axis.setLabel(plot.right, color=RIGHT_COLOUR)
        for curve, mark, colour in (
            (self.left_curve, self.left_mark, ink),
            (self.right_curve, self.right_mark, RIGHT_COLOUR),
        ):
            curve.setPen(self._pg.mkPen(colour, width=2))
            mark.setBrush(self._pg.mkBrush(colour))
        if plot.by_li:
            self.legend.setBrush(self._pg.mkBrush(None))
            between = self._pg.mkColor(ink)
            between.setAlphaF(BETWEEN_ALPHA)
            self.left_curve.setPen(self._pg.mkPen(between, width=1))
        self.point.setPen(self._pg.mkPen(ink, width=2, dash=DASH))
        self.bands.show_stages(plot.stages, ink)

    def figure(self) -> Any:
        """The timeline on white, for paper."""
        return figure_of_timeline(self.plot, RIGHT_COLOUR)

    @property
    def _knows_li(self) -> bool:
        return bool(np.isfinite(self.plot.li_content).any())

    def _fit_legend(self) -> None:
        """As many names in a row as the plot's width has room for."""
        columns = int(self.item.getViewBox().width() // LEGEND_ENTRY_PX)
        self.legend.setColumnCount(max(1, min(len(self.legend.items), columns)))

    def _align(self) -> None:
        self._fit_legend()
        self.right_view.setGeometry(self.item.getViewBox().sceneBoundingRect())
        self.right_view.linkedViewChanged(self.item.getViewBox(), self.right_view.XAxis)

    def _tick(self) -> None:
        plot = self.plot
        if isinstance(plot, TimelinePlot):
            low, high = self.item.getViewBox().viewRange()[0]
            ticks = [] if plot.by_li else li_ticks(plot.li_times_s, plot.li_content, low, high)
            self.item.getAxis("top").setTicks([ticks])

    def _clicked(self, event: Any) -> None:
        """Give the time of a click; against Li content, that of the curves' nearest point."""
        box = self.item.getViewBox()
        if not box.sceneBoundingRect().contains(event.scenePos()):
            return
        if not self.plot.by_li:
            super()._clicked(event)
            return
        nearest_s, least_px = math.nan, math.inf
        for curve in self.plot.curves:
            view = self.right_view if curve.name == self.plot.right else box
            at = view.mapSceneToView(event.scenePos())
            width, height = view.viewPixelSize()
            px = np.hypot((curve.x - at.x()) / width, (curve.y - at.y()) / height)
            if np.isfinite(px).any() and np.nanmin(px) < least_px:
                least_px = float(np.nanmin(px))
                nearest_s = float(self.plot.times_s[curve.name][np.nanargmin(px)])
        if math.isfinite(nearest_s):
            self.time_clicked.emit(nearest_s)
