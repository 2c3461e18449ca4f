"""Stages as bands of a plot, their bounds draggable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_lithium_alloy._napari.plots import BAND_ALPHA
from napari_lithium_alloy.core.stages import Bound, Scope, Stage, bound_range, neighbour_of, touches

LABEL_HEIGHT = 0.9
"""Where labels stand, as a share of a band's height."""
SPANS: dict[Scope, tuple[float, float]] = {"cell": (0.5, 1.0), "field": (0.0, 0.5)}
"""Parts of the plot's height for each scope, where both are shown."""


class StageBands(QObject):
    """Bands in the stages' colours; a bound that two stages share is one line.

    Lines of hand-set bounds are solid, of detected ones dashed. Those of the cell are above those
    of the field where there are both.

    Parameters
    ----------
    item : pyqtgraph.PlotItem
    """

    moved = Signal(object, str, float)
    """A stage, which of its bounds, and the time it was dragged to."""

    def __init__(self, item: Any) -> None:
        import pyqtgraph

        super().__init__()
        self._pg, self._item = pyqtgraph, item
        self.stages: Sequence[Stage] = ()
        self.bands: list[tuple[Stage, Any, Any]] = []
        self.lines: list[tuple[Any, Stage, Bound]] = []
        item.getViewBox().sigRangeChanged.connect(self._fit_labels)

    def show_stages(self, stages: Sequence[Stage], ink: str) -> None:
        """Draw these stages; nothing is redrawn where they are those shown."""
        if stages is not self.stages:
            self._clear()
            self.stages = stages
            spans = SPANS if len({s.scope for s in stages}) > 1 else {}
            for stage in sorted(stages, key=lambda s: s.start_s):
                self._draw(stage, spans.get(stage.scope, (0.0, 1.0)))
        for _, _, label in self.bands:
            label.setColor(ink)
        self._fit_labels()

    def _clear(self) -> None:
        for _, band, _ in self.bands:
            self._item.removeItem(band)
        for line, _, _ in self.lines:
            self._item.removeItem(line)
        self.bands, self.lines = [], []

    def _draw(self, stage: Stage, span: tuple[float, float]) -> None:
        colour = self._pg.mkColor(stage.colour)
        colour.setAlphaF(BAND_ALPHA)
        band = self._pg.LinearRegionItem(
            (stage.start_s, stage.end_s),
            movable=False,
            span=span,
            brush=colour,
            pen=self._pg.mkPen(None),
        )
        band.setZValue(-10)
        self._item.addItem(band, ignoreBounds=True)
        label = self._pg.InfLineLabel(
            band.lines[0],
            stage_label(stage, both=span != (0.0, 1.0)),
            position=LABEL_HEIGHT,
            anchors=[(0, 0.5), (0, 0.5)],
        )
        self.bands.append((stage, band, label))
        for bound in ("start_s", "end_s"):
            before = neighbour_of(self.stages, stage, "start_s")
            if not (bound == "start_s" and touches(stage, before, "start_s")):
                self._draw_line(stage, bound, span)

    def _draw_line(self, stage: Stage, bound: Bound, span: tuple[float, float]) -> None:
        given = stage.source == "given"
        style = Qt.PenStyle.SolidLine if given else Qt.PenStyle.DashLine
        limits = bound_range(self.stages, stage, bound)
        line = self._pg.InfiniteLine(
            getattr(stage, bound),
            angle=90,
            movable=True,
            span=span,
            bounds=[limit if math.isfinite(limit) else None for limit in limits],
            pen=self._pg.mkPen(stage.colour, width=1, style=style),
            hoverPen=self._pg.mkPen(stage.colour, width=4),
        )
        line.setToolTip(_tip(stage, bound))
        line.sigPositionChanged.connect(self._dragged)
        line.sigPositionChangeFinished.connect(self._dropped)
        self._item.addItem(line, ignoreBounds=True)
        self.lines.append((line, stage, bound))

    def _of(self, line: Any) -> tuple[Stage, Bound]:
        return next((stage, bound) for one, stage, bound in self.lines if one is line)

    def _dragged(self, line: Any) -> None:
        """The bands follow while a line is dragged."""
        stage, bound = self._of(line)
        neighbour = neighbour_of(self.stages, stage, bound)
        for one, band, _ in self.bands:
            if one is stage:
                band.lines[bound == "end_s"].setValue(line.value())
            elif one is neighbour and touches(stage, neighbour, bound):
                band.lines[bound == "start_s"].setValue(line.value())

    def _dropped(self, line: Any) -> None:
        stage, bound = self._of(line)
        self.moved.emit(stage, bound, float(line.value()))

    def _fit_labels(self) -> None:
        """Show the labels for which their bands are wide enough."""
        box = self._item.getViewBox()
        (low, high), width = box.viewRange()[0], box.width()
        for stage, _, label in self.bands:
            seen_s = min(stage.end_s, high) - max(stage.start_s, low)
            room = width * seen_s / (high - low) if high > low else 0.0
            label.setVisible(stage.start_s >= low and label.boundingRect().width() <= room)


def stage_label(stage: Stage, *, both: bool) -> str:
    """What is written in a band, where both scopes are shown or one."""
    return f"{stage.label}, field" if both and stage.scope == "field" else stage.label


def _tip(stage: Stage, bound: Bound) -> str:
    """Which bound it is, when, and how sure."""
    side = "Start" if bound == "start_s" else "End"
    sd_s = getattr(stage, bound.replace("_s", "_sd_s"))
    sure = "set by hand" if stage.source == "given" else f"detected, SD {sd_s:.2g} s"
    return (
        f"{side} of {stage.label}, cycle {stage.cycle} ({stage.scope}): "
        f"{getattr(stage, bound):.2f} s, {sure}"
    )
