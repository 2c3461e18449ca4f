"""Potential and mean intensity against time or Li content, with stages and a time cursor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal

from napari_lithium_alloy._napari.plots import BAND_ALPHA, COLOURS, CurveCanvas, Plot
from napari_lithium_alloy._napari.stage_bands import SPANS, StageBands, stage_label
from napari_lithium_alloy.core.recording import FloatArray

TIME = "Time (s)"
RIGHT_COLOUR = COLOURS[0]
"""Of the mean intensity and its axis; the potential has that of the text."""
FOOTROOM, HEADROOM = 0.06, 0.2
"""Beyond a curve's range, in units of it."""
LETTER_PX = 6
"""Below the lower label: pyqtgraph cuts what hangs below its line."""
ABOUT_TICKS = 20
ORIGIN = 0.05
"""How far from 0, in units of a tick's step, x starts at the latest at an origin."""
LETTER = 0.011
"""Width of a letter in a figure, as a share of its axis."""
JUMP = 20.0
"""Change of x from one value to the next, in units of the usual one, at which it starts anew."""
LEAST_APART = 0.03
"""Smallest distance of two ticks as a share of the axis."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TimelinePlot(Plot):
    """What the timeline shows.

    Attributes
    ----------
    right : str
        Name of the curve on the right axis, its label too; any other is on the left.
    x_range : (float, float)
        Times shown at first, seconds.
    li_times_s, li_content : numpy.ndarray
        (N,) Li content x and when it is reached; empty where it is not known.
    li_label : str
        Such as "x in LiₓAu".
    by_li : bool
        Whether x is below and time above, or the other way round.
    """

    right: str = ""
    x_range: tuple[float, float] = (0.0, 1.0)
    li_times_s: FloatArray
    li_content: FloatArray
    li_label: str = ""
    by_li: bool = False

    @property
    def li_side(self) -> str:
        """Where the axis of x is."""
        return "bottom" if self.by_li else "top"

    @property
    def time_side(self) -> str:
        """Where the axis of time is."""
        return "top" if self.by_li else "bottom"


def li_ticks(
    times_s: FloatArray, x: FloatArray, low_s: float, high_s: float
) -> list[tuple[float, str]]:
    """Times within a range at which x is a round number, and that number.

    x rises and falls, so a number may come several times; 0 comes at each cycle's origin.
    """
    inside = (times_s >= low_s) & (times_s <= high_s) & np.isfinite(x)
    t, v = times_s[inside], x[inside]
    if len(t) < 2 or not np.ptp(v) > 0:
        return []
    rough = float(np.abs(np.diff(v)).sum()) / ABOUT_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough)
    decimals = max(0, -math.floor(math.log10(step)))
    change = np.abs(np.diff(v))
    jumps = change > JUMP * np.median(change[change > 0])
    starts = [0, *(np.flatnonzero(jumps) + 1)]
    found = [(float(t[i]), f"{0:.{decimals}f}") for i in starts if abs(v[i]) < ORIGIN * step]
    for i in np.flatnonzero(np.floor(v[:-1] / step) != np.floor(v[1:] / step)):
        if not jumps[i]:
            number = step * max(np.floor(v[i] / step), np.floor(v[i + 1] / step))
            at = t[i] + (number - v[i]) / (v[i + 1] - v[i]) * (t[i + 1] - t[i])
            found.append((float(at), f"{number + 0.0:.{decimals}f}"))
    kept: list[tuple[float, str]] = []
    for tick in sorted(found):
        if not kept or tick[0] - kept[-1][0] > LEAST_APART * (high_s - low_s):
            kept.append(tick)
    return kept


class TimelineCanvas(CurveCanvas):
    """Two y axes over one clock; a click gives the time, a dragged bound its stage."""

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
            self.item.getAxis(side).enableAutoSIPrefix(False)
        self.item.getAxis("right").linkToView(self.right_view)
        self.right_view.setXLink(self.item)
        self.left_curve, self.right_curve = pg.PlotDataItem(), pg.PlotDataItem()
        self.item.addItem(self.left_curve)
        self.right_view.addItem(self.right_curve)
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
        by_side: dict[bool, Any] = {c.name == plot.right: c for c in plot.curves}
        for right, item in ((False, self.left_curve), (True, self.right_curve)):
            curve = by_side.get(right)
            x, y = ([], []) if curve is None else (curve.x, curve.y)
            item.setData(np.asarray(x, float), np.asarray(y, float), connect="finite")
            box = self.right_view if right else self.item.getViewBox()
            _leave_headroom(box, np.asarray(y, float))
        self.item.showAxis("left", False in by_side)
        self.item.showAxis("right", True in by_side)
        self.widget.setVisible(bool(plot.curves))
        self.hint.setVisible(not plot.curves)
        if plot.x_range != self._range:
            self._range = plot.x_range
            self.item.setXRange(*plot.x_range, padding=0.01)
        self._align()
        self._tick()
        self.follow_theme()

    def follow_theme(self) -> None:
        super().follow_theme()
        viewer, plot = self._viewer(), self.plot
        if viewer is None or not isinstance(plot, TimelinePlot):
            return
        from napari.utils.theme import get_theme

        ink = get_theme(viewer.theme).text.as_hex()
        labels = {plot.time_side: TIME, plot.li_side: plot.li_label if self._knows_li else ""}
        for side, label in labels.items():
            axis = self.item.getAxis(side)
            axis.setPen(ink)
            axis.setTextPen(ink)
            axis.setLabel(label, color=ink)
            axis.showLabel(bool(label))
        axis = self.item.getAxis("right")
        axis.setPen(RIGHT_COLOUR)
        axis.setTextPen(RIGHT_COLOUR)
        axis.setLabel(plot.right, color=RIGHT_COLOUR)
        self.left_curve.setPen(self._pg.mkPen(ink, width=2))
        self.right_curve.setPen(self._pg.mkPen(RIGHT_COLOUR, width=2))
        self.bands.show_stages(plot.stages, ink)

    def figure(self) -> Any:
        """The timeline on white, for paper."""
        return figure_of_timeline(self.plot)

    @property
    def _knows_li(self) -> bool:
        return bool(np.isfinite(self.plot.li_content).any())

    def _align(self) -> None:
        self.right_view.setGeometry(self.item.getViewBox().sceneBoundingRect())
        self.right_view.linkedViewChanged(self.item.getViewBox(), self.right_view.XAxis)

    def _tick(self) -> None:
        plot = self.plot
        if isinstance(plot, TimelinePlot):
            low, high = self.item.getViewBox().viewRange()[0]
            ticks = li_ticks(plot.li_times_s, plot.li_content, low, high)
            self.item.getAxis(plot.li_side).setTicks([ticks])
            self.item.getAxis(plot.time_side).setTicks(None)


def figure_of_timeline(plot: TimelinePlot) -> Any:
    """The timeline as a matplotlib figure, on white (Mao et al. 2024, Fig. 1E)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    for curve in plot.curves:
        on_right = curve.name == plot.right
        colour = RIGHT_COLOUR if on_right else "black"
        axes = right if on_right else left
        axes.plot(curve.x, curve.y, color=colour, linewidth=1.5)
        axes.set_ylabel(curve.name if on_right else plot.y_label, color=colour)
        axes.tick_params(axis="y", colors=colour)
    names = {c.name for c in plot.curves}
    left.yaxis.set_visible(bool(names - {plot.right}))
    right.yaxis.set_visible(plot.right in names)
    left.set_xlim(plot.x_range)
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
    _paper_axes(left, plot)
    return figure


def _paper_axes(left: Any, plot: TimelinePlot) -> None:
    """Time and x, one below and one above."""
    left.set_xlabel(TIME)
    ticks = li_ticks(plot.li_times_s, plot.li_content, *plot.x_range)
    if not ticks:
        return
    other = left.secondary_xaxis("bottom" if plot.by_li else "top")
    other.set_xticks([t for t, _ in ticks], [text for _, text in ticks])
    other.set_xlabel(plot.li_label)
    if plot.by_li:
        left.xaxis.set_ticks_position("top")
        left.xaxis.set_label_position("top")


def _leave_headroom(box: Any, values: FloatArray) -> None:
    """Show all of a curve and, above it, room for the names of the stages."""
    known = values[np.isfinite(values)]
    if known.size:
        low, high = float(known.min()), float(known.max())
        span = high - low or 1.0
        box.setYRange(low - FOOTROOM * span, high + HEADROOM * span, padding=0)
