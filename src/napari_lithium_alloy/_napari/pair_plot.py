"""Pearson's r of pairs over what chance gives, and against shifts of a boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtGui import QFont

from napari_lithium_alloy._napari.plot_canvas import LETTER_PX, PlotCanvas
from napari_lithium_alloy._napari.plots import COLOURS
from napari_lithium_alloy.core.alloyed_images import Pair
from napari_lithium_alloy.core.pair_names import paper_pairs, short_pair
from napari_lithium_alloy.core.recording import FloatArray

MOST = 12
"""More rows than that are cut down to those of the paper and the chosen one."""
ROW_PX, AXES_PX, SHIFTS_PX = 17, 56, 194
NULL_ALPHA = 0.22
MARK_PX = 9
R_LABEL = "Pearson's r (band: 95 % of chance)"
COLUMNS = ("pearson_r", "null_low", "null_high")


def rows_to_draw(table: pd.DataFrame | None, chosen: Pair, region: str) -> pd.DataFrame:
    """Rows of `colocalization` with an r in a region and cycle, those of the paper first."""
    if table is None:
        return pd.DataFrame(columns=["a", "b", *COLUMNS])
    own = table[(table["region"] == region) & table["pearson_r"].notna()]
    cycle = next((n.split("_")[0] + "_" for n in chosen if n.startswith("cycle")), "")
    of_cycle = own["a"].str.startswith(cycle) | own["b"].str.startswith(cycle)
    own = own[of_cycle].set_index(["a", "b"], drop=False)
    wanted = [pair for pair in _paper_pairs(own) if pair in own.index]
    others = [pair for pair in own.index if pair not in wanted]
    if len(own) > MOST:
        others = [pair for pair in others if pair == chosen]
    return own.loc[[*wanted, *others]].reset_index(drop=True)


def _paper_pairs(table: pd.DataFrame) -> list[Pair]:
    """The pairs of the paper among the steps, sites and pores that a table names."""
    names = list(dict.fromkeys([*table["a"], *table["b"]]))
    regions = [n.replace("_unalloyed_", "_alloyed_") for n in names]
    steps = sorted({n.split("_alloyed_")[0] for n in regions if "_alloyed_" in n})
    spots = [n for end in ("_sites", "_pores") for n in names if n.endswith(end)]
    return paper_pairs(steps, spots)


def shifts_of(table: pd.DataFrame | None, chosen: Pair) -> pd.DataFrame:
    """Rows of `boundary_shifts` of the two steps of a pair, in order."""
    if table is None:
        return pd.DataFrame(columns=["a", "b", "shift_s", *COLUMNS])
    first, second = (table[c].str.removesuffix("onset") for c in ("a", "b"))
    earlier, later = sorted(chosen)
    own = [
        earlier.startswith(a) and later.startswith(b) for a, b in zip(first, second, strict=True)
    ]
    return table[np.array(own, dtype=bool)].sort_values("shift_s", ignore_index=True)


class PairCanvas(PlotCanvas):
    """Points on an axis of r, filled where r is beyond chance; a click gives its pair."""

    pair_clicked = Signal(str, str)

    def __init__(self, viewer: Any, hint: str = "") -> None:
        super().__init__(viewer, hint)
        self.rows = self.shifts = pd.DataFrame()
        self.chosen: Pair = ("", "")
        self.item.setMouseEnabled(x=False, y=False)
        self.item.layout.setContentsMargins(1, 1, 1, LETTER_PX)
        self.widget.scene().sigMouseClicked.connect(self._clicked)

    @property
    def shown(self) -> bool:
        return bool(len(self.rows) or len(self.shifts))

    def show_pairs(self, rows: pd.DataFrame, chosen: Pair) -> None:
        """Draw rows of `colocalization`, from top to bottom."""
        self.rows, self.shifts, self.chosen = rows, rows.iloc[:0], chosen
        self._draw()

    def show_shifts(self, shifts: pd.DataFrame) -> None:
        """Draw r of one pair of steps against shifts of the boundary between them."""
        self.rows, self.shifts = shifts.iloc[:0], shifts
        self._draw()

    def follow_theme(self) -> None:
        self._draw()

    def figure(self) -> Any:
        from napari_lithium_alloy.io.figures.pairs import boundary_figure, pairs_figure

        if len(self.shifts):
            return boundary_figure(self.shifts)
        return pairs_figure(self.rows, list(zip(self.rows["a"], self.rows["b"], strict=True)))

    def _draw(self) -> None:
        self.item.clear()
        self.show_hint()
        colours = self.theme_colours()
        if not self.shown or colours is None:
            return
        ink, ground = colours
        self.widget.setBackground(ground)
        if len(self.shifts):
            self._draw_shifts(ink, ground)
        else:
            self._draw_pairs(ink, ground)

    def _draw_pairs(self, ink: str, ground: str) -> None:
        n, y = len(self.rows), np.arange(len(self.rows), dtype=float)
        r, low, high = (self.rows[c].to_numpy(float, na_value=np.nan) for c in COLUMNS)
        pairs = list(zip(self.rows["a"], self.rows["b"], strict=True))
        known = np.isfinite(low)
        band = self._pg.BarGraphItem(
            x0=low[known], x1=high[known], y=y[known], height=0.8,
            brush=self._faint(ink), pen=None,
        )  # fmt: skip
        self.item.addItem(band)
        colour = [COLOURS[1] if pair == self.chosen else COLOURS[0] for pair in pairs]
        self._mark(r, y, colour, known & ~((low <= r) & (r <= high)), ground)
        self.item.addLine(x=0, pen=self._pg.mkPen(ink, width=1))
        self._frame(R_LABEL, "", ink)
        labels = [("▸ " if p == self.chosen else "") + short_pair(*p) for p in pairs]
        self.item.getAxis("left").setTicks([list(zip(y, labels, strict=True)), []])
        self.item.setXRange(-1, 1, padding=0.08)  # room for the numbers at both ends
        self.item.setYRange(-0.6, n - 0.4, padding=0)
        self.item.invertY(True)
        self.widget.setFixedHeight(ROW_PX * n + AXES_PX)

    def _draw_shifts(self, ink: str, ground: str) -> None:
        x = self.shifts["shift_s"].to_numpy(float)
        r, low, high = (self.shifts[c].to_numpy(float, na_value=np.nan) for c in COLUMNS)
        known = np.isfinite(low)
        ends = [self._pg.PlotCurveItem(x[known], end[known]) for end in (low, high)]
        self.item.addItem(self._pg.FillBetweenItem(*ends, brush=self._faint(ink)))
        self.item.plot(x, r, pen=self._pg.mkPen(COLOURS[0], width=2), connect="finite")
        beyond = known & ~((low <= r) & (r <= high))
        self._mark(x, r, [COLOURS[0]] * len(x), beyond, ground)
        self.item.addLine(y=0, pen=self._pg.mkPen(ink, width=1))
        self._frame("Boundary between the steps moved by (s)", "Pearson's r of onsets", ink)
        self.item.getAxis("left").setTicks(None)
        self.item.setXRange(float(x.min()), float(x.max()), padding=0.05)
        self.item.setYRange(-1, 1, padding=0.02)
        self.item.invertY(False)
        self.widget.setFixedHeight(SHIFTS_PX)

    def _faint(self, ink: str) -> Any:
        faint = self._pg.mkColor(ink)
        faint.setAlphaF(NULL_ALPHA)
        return faint

    def _mark(
        self, x: FloatArray, y: FloatArray, colours: list[str], beyond: Any, ground: str
    ) -> None:
        """Points that are filled where r lies outside of what chance gives."""
        seen = np.isfinite(x) & np.isfinite(y)
        self.marks = self._pg.ScatterPlotItem(
            x[seen], y[seen], size=MARK_PX,
            pen=[self._pg.mkPen(c, width=2) for c, s in zip(colours, seen, strict=True) if s],
            brush=[
                self._pg.mkBrush(c if filled else ground)
                for c, filled, s in zip(colours, beyond, seen, strict=True) if s
            ],
        )  # fmt: skip
        self.item.addItem(self.marks)

    def _frame(self, x_label: str, y_label: str, ink: str) -> None:
        self.paint_axis("bottom", x_label, ink)
        self.paint_axis("left", y_label, ink)
        self.item.getAxis("left").showLabel(bool(y_label))
        small = QFont(self.font())
        small.setPointSizeF(8)
        self.item.getAxis("left").setTickFont(small)

    def _clicked(self, event: Any) -> None:
        box = self.item.getViewBox()
        row = round(float(box.mapSceneToView(event.scenePos()).y()))
        if 0 <= row < len(self.rows):
            self.pair_clicked.emit(str(self.rows["a"][row]), str(self.rows["b"][row]))
