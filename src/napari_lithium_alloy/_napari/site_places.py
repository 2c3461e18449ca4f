"""What is known of the sites' places, drawn in a dock: ranks of alloying, spacing, density."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plot_canvas import LETTER_PX, PlotCanvas
from napari_lithium_alloy._napari.plots import COLOURS
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.site_places import sites_and_steps
from napari_lithium_alloy.core.site_statistics import site_tables
from napari_lithium_alloy.core.site_study import site_charge
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.io.figures.site_places import (
    density_words,
    ranks_figure,
    said_p,
    spacing_figure,
)

BAND_ALPHA = 0.2
HEADROOM = 1.4
Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True, eq=False, kw_only=True)
class Banded:
    """A curve over the band that chance gives."""

    name: str
    colour: str
    x: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class SitePlot:
    """What a canvas shows.

    Attributes
    ----------
    title, x_label, y_label : str
    chance : float
        Where the curves of random sites lie.
    curves : sequence of Banded
    paper : callable
        Draws the same as a matplotlib figure.
    """

    title: str
    x_label: str
    y_label: str
    chance: float
    curves: Sequence[Banded]
    paper: Callable[[], Any]


class SitePlacesCanvas(PlotCanvas):
    """Curves of where sites sit, each over what chance gives."""

    def __init__(self, viewer: Any, hint: str = "") -> None:
        super().__init__(viewer, hint)
        self.plot: SitePlot | None = None
        self.item.setMouseEnabled(x=False, y=False)
        self.item.layout.setContentsMargins(1, 1, 1, LETTER_PX)
        self.legend = self.item.addLegend(offset=(8, 1), labelTextSize="9pt", verSpacing=-6)

    @property
    def shown(self) -> bool:
        return self.plot is not None

    def show_plot(self, plot: SitePlot | None) -> None:
        """Draw a plot; None: the hint."""
        self.plot = plot
        self.follow_theme()

    def follow_theme(self) -> None:
        self.item.clear()
        self.show_hint()
        colours = self.theme_colours()
        if self.plot is None or colours is None:
            return
        ink, ground = colours
        self.widget.setBackground(ground)
        for curve in self.plot.curves:
            self._draw(curve)
        dotted = self._pg.mkPen(ink, width=1, style=self._pg.QtCore.Qt.PenStyle.DotLine)
        self.item.addLine(y=self.plot.chance, pen=dotted)
        self.item.setTitle(self.plot.title, color=ink, size="9pt")
        self.paint_axis("bottom", self.plot.x_label, ink)
        self.paint_axis("left", self.plot.y_label, ink)
        self.legend.setLabelTextColor(ink)
        for _, label in self.legend.items:
            label.setText(label.text, color=ink)
        self._fit()

    def figure(self) -> Any:
        return None if self.plot is None else self.plot.paper()

    def _draw(self, curve: Banded) -> None:
        faint = self._pg.mkColor(curve.colour)
        faint.setAlphaF(BAND_ALPHA)
        ends = [self._pg.PlotCurveItem(curve.x, end) for end in (curve.low, curve.high)]
        self.item.addItem(self._pg.FillBetweenItem(*ends, brush=faint))
        pen = self._pg.mkPen(curve.colour, width=2)
        self.item.plot(curve.x, curve.observed, pen=pen, name=curve.name)

    def _fit(self) -> None:
        curves = [] if self.plot is None else self.plot.curves
        if curves:
            values = np.concatenate([v for c in curves for v in (c.observed, c.low, c.high)])
            least, most = float(np.nanmin(values)), float(np.nanmax(values))
            self.item.setYRange(least, least + HEADROOM * (most - least), padding=0.02)
            self.item.setXRange(0.0, 1.03 * max(float(c.x[-1]) for c in curves), padding=0)


def show_ranks(canvas: SitePlacesCanvas, opened: Opened, cycle: int) -> None:
    """Density of a cycle's sites against the rank of each step's alloying, over chance."""
    canvas.show_plot(ranks_plot(opened.tables, cycle, opened.config.site_statistics.outer))


def show_ripley(canvas: SitePlacesCanvas, opened: Opened, cycle: int) -> None:
    """L(r) - r of a cycle's sites over that of as many at random."""
    canvas.show_plot(spacing_plot(opened.tables, cycle, ripley=True))


def show_pair_correlation(canvas: SitePlacesCanvas, opened: Opened, cycle: int) -> None:
    """Pair correlation of a cycle's sites over that of as many at random."""
    canvas.show_plot(spacing_plot(opened.tables, cycle, ripley=False))


def density_text(opened: Opened, cycle: int) -> str:
    """Number, density and nearest neighbours of a cycle's sites; empty before they are known."""
    field = _of_cycle(opened.tables, "site_field", cycle)
    return density_words(field.iloc[0]) if len(field) else ""


def ranks_plot(tables: Tables, cycle: int, outer: float) -> SitePlot | None:
    """What `show_ranks` draws; None where no step has ranks."""
    ranks, curve = (_of_cycle(tables, name, cycle) for name in ("site_ranks", "site_rank_curve"))
    curves = []
    for _, row in ranks.iterrows():
        own = curve[curve["step"] == row["step"]]
        if len(own):
            stage = Stage(kind=StageKind.ALLOYING, step=int(row["step"]), start_s=0, end_s=1)
            name = f"{stage.label}, {said_p(row['p_value'])}"
            curves.append(_banded(own, name, stage.colour, ("rank", "observed", "low", "high")))
    if not curves:
        return None
    shares = [
        f"step {r['step']}, outer ranks: {100 * r['share_outer']:.0f} %, "
        f"chance {100 * r['share_expected']:.0f} %, {said_p(r['p_outer'])}"
        for _, r in ranks[ranks["p_outer"].notna()].iterrows()
    ]
    return SitePlot(
        title="<br>".join(shares),
        x_label="Rank of alloying, by area (0: first, 1: last)",
        y_label="Site density (film: 1)",
        chance=1.0,
        curves=curves,
        paper=lambda: ranks_figure(ranks, curve, outer),
    )


def spacing_plot(tables: Tables, cycle: int, *, ripley: bool) -> SitePlot | None:
    """What `show_ripley` and `show_pair_correlation` draw; None of fewer than three sites."""
    field, table = (_of_cycle(tables, name, cycle) for name in ("site_field", "site_spacing"))
    if not len(table):
        return None
    row = field.iloc[0]
    columns = (
        ("l_um", "l_low_um", "l_high_um") if ripley else ("pair_correlation", "g_low", "g_high")
    )
    shown = table.copy()
    if ripley:
        for column in columns:
            shown[column] -= shown["r_um"]
    p = row["ripley_p"] if ripley else row["pair_correlation_p"]
    return SitePlot(
        title=f"{row['n_sites']} sites, {row['density_um2']:.3g} µm⁻²",
        x_label="Distance r (µm)",
        y_label="L(r) − r (µm)" if ripley else "Pair correlation g(r)",
        chance=0.0 if ripley else 1.0,
        curves=[_banded(shown, f"sites, {said_p(p)}", COLOURS[0], ("r_um", *columns))],
        paper=lambda: spacing_figure(row, table),
    )


def _banded(table: pd.DataFrame, name: str, colour: str, columns: Sequence[str]) -> Banded:
    x, observed, low, high = (table[c].to_numpy(float) for c in columns)
    return Banded(name=name, colour=colour, x=x, observed=observed, low=low, high=high)


def _of_cycle(tables: Tables, name: str, cycle: int) -> pd.DataFrame:
    if name not in tables:
        return pd.DataFrame()
    return tables[name][tables[name]["cycle"] == cycle]


def site_statistics_work(opened: Opened, stage: Stage) -> Work[Tables]:
    """Tables of where the sites of a deposition's cycle sit, as the dock has them now.

    Ranks are told for alloying steps whose onset maps are known. `keep_site_tables` keeps them.
    """
    reference = opened.reference()
    known = {k: opened.stages[k] for k in opened.onset_maps if k in opened.stages}
    steps = [s for s in known.values() if s.kind is StageKind.ALLOYING and s.cycle == stage.cycle]
    sites = opened.sites_of(stage.cycle)
    found = yield from sites_and_steps(
        opened.recording,
        [stage, *steps],
        sites,
        opened.onset_maps,
        opened.film(reference),
        opened.config.nucleation,
        opened.config.site_statistics,
        dark=reference.dark,
    )
    tables = site_tables(found)
    experiment = opened.experiment.replace(stages=(stage,))
    tables["site_charge"] = site_charge(sites, experiment, opened.recording, tables["site_field"])
    return tables


def keep_site_tables(opened: Opened, cycle: int, tables: Tables) -> None:
    """Put a cycle's tables in place of those known of it."""
    for name, table in tables.items():
        others = opened.tables.get(name, table.iloc[:0])
        parts = [t for t in (others[others["cycle"] != cycle], table) if len(t)]
        joined = pd.concat(parts, ignore_index=True) if parts else table
        opened.tables[name] = joined.sort_values("cycle", kind="stable", ignore_index=True)


PLACES: dict[str, Callable[[SitePlacesCanvas, Opened, int], None]] = {
    "Ranks of alloying": show_ranks,
    "Ripley's L": show_ripley,
    "Pair correlation": show_pair_correlation,
}
"""What a SitePlacesCanvas can draw of a cycle, by the words that choose it."""
