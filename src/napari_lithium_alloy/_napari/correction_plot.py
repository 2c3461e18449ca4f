"""Shifts and lamp of a recording against time, on screen and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_lithium_alloy._napari.plots import BAND_ALPHA as STAGE_ALPHA
from napari_lithium_alloy._napari.plots import COLOURS, Curve, CurveCanvas, Plot
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.stages import Stage

if TYPE_CHECKING:
    from napari_lithium_alloy.core.correction import Correction

BAND_ALPHA = 0.3
DOUBTED_COLOUR = "#d55e00"
DOUBTED = "not trusted"
SHIFTS_PX, GAIN_PX = 140, 125
"""Heights of the two plots."""
AXIS_PX = 68
"""Width of both left axes: their titles stand clear of seven characters."""
FOOTROOM, HEADROOM = 0.06, 0.35
"""Beyond the curves' range, in units of it: below, and above for their legend."""
TIME = "Time (s)"


@dataclass(frozen=True, eq=False, kw_only=True)
class CorrectionPlot(Plot):
    """Shifts with their uncertainty, and the lamp's gain.

    Attributes
    ----------
    sd : numpy.ndarray
        (T,) standard deviation of either shift, in units of the curves.
    doubted : numpy.ndarray
        (T,) True in frames that are not trusted.
    gain : sequence of Curve
        The lamp's gain in %, or nothing.
    film_stages : sequence of Stage
        Drawn behind the gain, which has no reason to follow them.
    """

    sd: FloatArray = field(default_factory=lambda: np.empty(0))
    doubted: BoolArray = field(default_factory=lambda: np.empty(0, dtype=bool))
    gain: tuple[Curve, ...] = ()
    film_stages: Sequence[Stage] = ()

    def doubted_points(self) -> tuple[FloatArray, FloatArray]:
        """Points (x, y) of all curves in frames that are not trusted."""
        x, y = ([getattr(c, axis)[self.doubted] for c in self.curves] for axis in "xy")
        return np.concatenate(x), np.concatenate(y)

    @property
    def gain_plot(self) -> Plot:
        """The lamp's gain alone."""
        stages = self.film_stages
        return Plot(x_label=TIME, y_label="Lamp (%)", curves=self.gain, stages=stages)


def plot_of(
    recording: Recording, correction: Correction, stages: Sequence[Stage] = ()
) -> CorrectionPlot:
    """What was measured of a recording's drift and lamp."""
    times_s, size, shifts = recording.times_s, recording.pixel_size_um, correction.shifts
    curves: tuple[Curve, ...] = ()
    sd = np.zeros(len(times_s))
    if shifts is not None:
        moved = shifts.shift_px * (size or 1.0)
        curves = tuple(
            Curve(name=name, x=times_s, y=y)
            for name, y in zip(("Rows", "Columns"), moved.T, strict=True)
        )
        widest = max(float(np.ptp(moved)), size or 1.0)
        sd = np.clip(np.nan_to_num(shifts.sd_px * (size or 1.0), nan=widest), 0, widest)
    span = [np.min([c.y for c in curves]), np.max([c.y for c in curves])] if curves else [0, 1]
    rise = max(float(np.ptp(span)), 1e-3)
    gain = 100 * correction.lamp.gain
    measured = correction.lamp.source != "none"
    return CorrectionPlot(
        x_label=TIME,
        y_label="Shift (px)" if size is None else "Shift (µm)",
        curves=curves,
        y_range=(span[0] - FOOTROOM * rise, span[1] + HEADROOM * rise),
        sd=sd,
        doubted=~correction.trusted,
        gain=(Curve(name="Lamp", x=times_s, y=gain),) if measured else (),
        film_stages=stages,
    )


NOTHING = CorrectionPlot(x_label=TIME, y_label="Shift (µm)")


class GainCanvas(CurveCanvas):
    """The lamp's gain over the stages, which the timeline names: here is no room for it."""

    def follow_theme(self) -> None:
        super().follow_theme()
        for label in self._bands:
            label.hide()


class CorrectionCanvas(CurveCanvas):
    """Shifts above, the lamp's gain below, with one time cursor."""

    def __init__(self, viewer: Any, hint: str = "") -> None:
        super().__init__(viewer, hint)
        self.gain = GainCanvas(viewer)
        self.gain.hint.hide()
        self.gain.time_clicked.connect(self.time_clicked)
        self.gain.item.setXLink(self.item)
        self.layout().addWidget(self.gain)
        for canvas, height in ((self, SHIFTS_PX), (self.gain, GAIN_PX)):
            canvas.widget.setFixedHeight(height)
            canvas.item.getAxis("left").setWidth(AXIS_PX)  # so that times stand below times
        self.show_plot(NOTHING)

    def show_plot(self, plot: CorrectionPlot) -> None:
        """Draw shifts, their uncertainty and frames that are not trusted, and the gain."""
        super().show_plot(plot)
        for i, curve in enumerate(plot.curves):
            self._draw_band(i, curve, plot.sd)
        self._mark_doubted(plot)
        self.gain.show_plot(plot.gain_plot)
        self.gain.setVisible(bool(plot.gain))
        self.item.getAxis("bottom").setStyle(showValues=not plot.gain)
        self.hint.setVisible(not plot.curves and not plot.gain)
        self.follow_theme()

    def _draw_band(self, i: int, curve: Curve, sd: FloatArray) -> None:
        low, high = (self._pg.PlotCurveItem(curve.x, curve.y + s * sd) for s in (-1, 1))
        colour = self._pg.mkColor(COLOURS[i])
        colour.setAlphaF(BAND_ALPHA)
        band = self._pg.FillBetweenItem(low, high, brush=colour)
        band.setZValue(-5)
        self.item.addItem(band, ignoreBounds=True)

    def _mark_doubted(self, plot: CorrectionPlot) -> None:
        if not plot.doubted.any() or not plot.curves:
            return
        self.item.plot(
            *plot.doubted_points(), pen=None, symbol="x", symbolSize=7,
            symbolBrush=DOUBTED_COLOUR, symbolPen=DOUBTED_COLOUR, name=DOUBTED,
        )  # fmt: skip
        self.legend.setColumnCount(len(plot.curves) + 1)

    def show_time(self, time_s: float) -> None:
        super().show_time(time_s)
        self.gain.show_time(time_s)

    def follow_theme(self) -> None:
        super().follow_theme()
        if hasattr(self, "gain"):  # the theme is followed once before there is a second plot
            self.gain.follow_theme()
            self.item.getAxis("bottom").showLabel(not self.plot.gain)

    def save(self, path: Path) -> None:
        if self.plot.curves or not self.plot.gain:
            super().save(path)
        else:
            self.gain.save(path)

    def figure(self) -> Any:
        return figure_of_correction(self.plot)


def figure_of_correction(plot: CorrectionPlot) -> Any:
    """The same as a matplotlib figure, on white."""
    from matplotlib.figure import Figure

    panels = [p for p in (plot, plot.gain_plot) if p.curves]
    figure = Figure(figsize=(6.5, 2.4 * len(panels) + 0.6), layout="constrained")
    found = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(found, panels, strict=True):
        for colour, curve in zip(COLOURS, panel.curves, strict=False):
            axes.plot(curve.x, curve.y, color=colour, label=curve.name)
        for stage in panel.stages:
            colour = stage.colour
            axes.axvspan(stage.start_s, stage.end_s, color=colour, alpha=STAGE_ALPHA, linewidth=0)
        if panel is plot:
            _doubts_on_paper(axes, plot)
        axes.set_ylabel(panel.y_label)
        if len(panel.curves) > 1:
            axes.legend(frameon=False, fontsize=8, loc="best")
    found[-1].set_xlabel(TIME)
    return figure


def _doubts_on_paper(axes: Any, plot: CorrectionPlot) -> None:
    """The uncertainty as a band within the curves' range, and frames that are not trusted."""
    limits = axes.get_ylim()
    for colour, curve in zip(COLOURS, plot.curves, strict=False):
        low, high = curve.y - plot.sd, curve.y + plot.sd
        axes.fill_between(curve.x, low, high, color=colour, alpha=BAND_ALPHA, linewidth=0)
    axes.set_ylim(limits)
    if plot.doubted.any():
        axes.plot(*plot.doubted_points(), "x", color=DOUBTED_COLOUR, label=DOUBTED)
