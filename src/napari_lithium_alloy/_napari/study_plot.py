"""A column of a study against a condition; a click on a point names its recording."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Signal

from napari_lithium_alloy._napari.plot_canvas import LETTER_PX, PlotCanvas
from napari_lithium_alloy._napari.plots import COLOURS
from napari_lithium_alloy.core.column_names import header
from napari_lithium_alloy.core.study_series import Against

SYMBOLS = ("o", "s", "t1", "d", "t", "p", "h")
POINT_PX, MEAN_PX = 9, 15
MOST_TICKS = 8
HEIGHT_PX = 270
ROOM = 0.18
"""Beside the outermost values, as a share of the axis."""
HEAD, FOOT = 0.2, 0.05
"""Above the highest value, where the legend stands, and below the lowest."""


class StudyCanvas(PlotCanvas):
    """Points are recordings; a wide mark is the mean over cells, with its 95 % interval."""

    recording_clicked = Signal(str)

    def __init__(self, viewer: Any, hint: str = "") -> None:
        super().__init__(viewer, hint)
        self.against = Against()
        self.x_name = self.y_name = ""
        self.title = ""
        self.points: list[Any] = []
        self._means: list[tuple[Any, Any]] = []
        self.legend = self.item.addLegend(offset=(8, 1), labelTextSize="9pt", verSpacing=-6)
        self.item.layout.setContentsMargins(1, 1, 1, LETTER_PX)
        self.widget.setFixedHeight(HEIGHT_PX)
        self.hint.setWordWrap(True)

    @property
    def shown(self) -> bool:
        return bool(self.against.series)

    def show_against(self, shown: Against, x_name: str, y_name: str, title: str) -> None:
        """Draw a column against a condition.

        Parameters
        ----------
        shown : Against
        x_name, y_name : str
            Names of the condition and of the column.
        title : str
            What the rows are of, for the figure.
        """
        self.against, self.x_name, self.y_name, self.title = shown, x_name, y_name, title
        self.item.clear()
        self.legend.clear()
        self.points, self._means = [], []
        for i in range(len(shown.series)):
            self._draw(i)
        self.legend.setColumnCount(max(len(shown.series), 1))
        self.legend.setVisible(len(shown.series) > 1)
        self._scale()
        self.show_hint()
        self.follow_theme()

    def follow_theme(self) -> None:
        colours = self.theme_colours()
        if colours is None:
            return
        ink, ground = colours
        self.widget.setBackground(ground)
        for side, name in (("bottom", self.x_name), ("left", self.y_name)):
            self.paint_axis(side, header(name) if name else "", ink)
        self.legend.setLabelTextColor(ink)
        for _, label in self.legend.items:
            label.setText(label.text, color=ink)
        for bars, marks in self._means:
            pen = self._pg.mkPen(ink, width=1.5)
            bars.setData(pen=pen)
            marks.setPen(pen)

    def figure(self) -> Any:
        from napari_lithium_alloy.io.figures.against import Panel, against_figure

        panel = Panel(title=self.title, y_label=header(self.y_name), against=self.against)
        return against_figure([panel], header(self.x_name))

    def _draw(self, i: int) -> None:
        series = self.against.series[i]
        colour = self._pg.mkColor(COLOURS[i % len(COLOURS)])
        error = np.stack([series.high - series.mean, series.mean - series.low])
        top, bottom = np.nan_to_num(error)
        mean_x = self.against.mean_places(i)
        bars = self._pg.ErrorBarItem(
            x=mean_x, y=series.mean, top=top, bottom=bottom, beam=0.03 * self.against.span
        )
        marks = self._pg.ScatterPlotItem(
            x=mean_x, y=series.mean, symbol=SYMBOLS[i % len(SYMBOLS)], size=MEAN_PX, brush=None
        )
        points = self._pg.ScatterPlotItem(
            x=self.against.point_places(i), y=series.y, data=series.recordings,
            symbol=SYMBOLS[i % len(SYMBOLS)], size=POINT_PX, brush=colour,
            pen=self._pg.mkPen(None), hoverable=True, hoverSize=POINT_PX + 4, tip=_tip,
        )  # fmt: skip
        points.sigClicked.connect(self._clicked)
        for one in (bars, marks, points):
            self.item.addItem(one)
        self.legend.addItem(points, series.name)
        self.points.append(points)
        self._means.append((bars, marks))

    def _scale(self) -> None:
        axis = self.item.getAxis("bottom")
        if not self.shown:
            axis.setTicks(None)
            return
        values = self.against.values
        at, room = self.against.on_axis(values), ROOM * self.against.span
        words = self.against.ticks or {v: f"{v:g}" for v in values}
        few = len(values) <= MOST_TICKS or self.against.logarithmic
        ticks = [(float(a), words[v]) for a, v in zip(at, values.tolist(), strict=True)]
        axis.setTicks([ticks] if few else None)
        low, high = self._heights()
        head = HEAD if self.legend.isVisible() else FOOT
        self.item.setYRange(low - FOOT * (high - low), high + head * (high - low), padding=0)
        self.item.setXRange(float(at[0]) - room, float(at[-1]) + room, padding=0)

    def _heights(self) -> tuple[float, float]:
        """The lowest and the highest point or end of an interval."""
        parts = [v for s in self.against.series for v in (s.y, s.low, s.high)]
        every = np.concatenate(parts)
        low, high = float(np.nanmin(every)), float(np.nanmax(every))
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def _clicked(self, _item: Any, points: Any, _event: Any = None) -> None:
        if len(points):
            self.recording_clicked.emit(str(points[0].data()))


def _tip(*, y: float, data: Any, **_more: Any) -> str:
    return f"{data}\n{y:.4g}"
