"""Complementarity map: where two stages complement each other, and how surely."""

import functools
from typing import Any

import pandas as pd
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.compare_controls import FIELDS, SHARES, FieldBox, ImageChoice
from napari_lithium_alloy._napari.comparing import (
    Compared,
    Comparison,
    all_compared,
    compared,
    layers_of,
    other_onsets,
    own_images,
    own_layers,
    spots_of,
    steps_of,
    with_rows,
)
from napari_lithium_alloy._napari.dock import column
from napari_lithium_alloy._napari.forms import Form, rows
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.pair_plot import PairCanvas, rows_to_draw, shifts_of
from napari_lithium_alloy._napari.pair_words import moment_words, pair_words, table_words
from napari_lithium_alloy._napari.plot_dock import PlotDock
from napari_lithium_alloy._napari.whole_work import regions_in
from napari_lithium_alloy.core.alloyed_images import Pair
from napari_lithium_alloy.core.complementarity import ComplementarityParameters
from napari_lithium_alloy.core.curves import FIELD
from napari_lithium_alloy.core.errors import AlloyError

PAIRS, SHIFTS = "r of pairs", "r against boundary shift"


class ComplementarityMap(PlotDock):
    """Pearson's r of two images with its null, where it comes from, and that of all pairs."""

    TITLE = "Compare"
    TABLES = ("colocalization", "boundary_shifts")
    RUN = "Compare"

    def controls(self) -> QWidget:
        self.first = ImageChoice("A", "unalloyed_middle")
        self.second = ImageChoice("B", "alloyed_middle")
        self.field = FieldBox()
        self.form: Form[ComplementarityParameters] = Form(ComplementarityParameters(), FIELDS)
        for choice in (self.first, self.second):
            choice.changed.connect(self._chosen)
        for name in SHARES:
            self.form[name].changed.connect(self._tell)
        self.form["thresholds"].changed.connect(self._show_thresholds)
        self._show_thresholds()
        self.field.about_to_open.connect(self._offer_regions)
        self.field.currentIndexChanged.connect(self._draw)
        named = (("A", self.first), ("B", self.second), ("Field", self.field))
        choices = rows(*named, label_px=0)
        return column(choices, self.form.native)

    def _show_thresholds(self) -> None:
        """Ask for thresholds only where they are fixed."""
        self.form.show_row("threshold_a", self.form["thresholds"].value == "fixed")

    def results(self) -> QWidget:
        self.plotted = QComboBox()
        self.plotted.addItems([PAIRS, SHIFTS])
        self.plotted.setToolTip("What is drawn; a boundary set too early looks complementary")
        self.plotted.currentIndexChanged.connect(self._draw)
        self.canvas = PairCanvas(self.viewer, "r of pairs is drawn here")
        self.canvas.pair_clicked.connect(self.choose)
        return column(self.plotted, self.canvas)

    def _run_row(self) -> QHBoxLayout:
        row = super()._run_row()
        self.all_button = QPushButton("All pairs")
        self.all_button.setToolTip("Compare all steps, sites and pores of each cycle (Fig. 5C)")
        self.all_button.clicked.connect(self._all_clicked)
        row.insertWidget(1, self.all_button)
        return row

    def _show_busy(self, busy: bool) -> None:
        super()._show_busy(busy)
        self.all_button.setVisible(not busy)

    # Events

    def layers_changed(self, _event: Any = None) -> None:
        self.refresh()

    def take(self, opened: Opened) -> None:
        self.form.value = opened.config.complementarity

    def refresh(self) -> None:
        opened = self.session.current
        steps = {} if opened is None else steps_of(opened)
        titles = {} if opened is None else steps | other_onsets(opened) | spots_of(opened)
        titles |= {name: name for name in own_layers(self.viewer)}
        self.first.offer(titles, list(steps), 0)
        self.second.offer(titles, list(steps), 1)
        self._offer_regions()
        self._chosen()

    def show_tables(self) -> None:
        super().show_tables()
        self._draw()

    def _offer_regions(self) -> None:
        opened = self.session.current
        drawn = [] if opened is None else regions_in(self.session, opened)
        self.field.offer([region.name for region in drawn])

    # What is chosen

    @property
    def pair(self) -> Pair:
        """Names of the two images in the table."""
        return self.first.name, self.second.name

    def choose(self, a: str, b: str) -> None:
        """Choose a pair by its names in the table."""
        self.first.choose(a)
        self.second.choose(b)

    def _chosen(self) -> None:
        self._tell()
        self._draw()

    def _tell(self) -> None:
        for choice in (self.first, self.second):
            choice.tell(self._moment_words)

    def _moment_words(self, key: str, moment: str) -> str:
        opened = self.session.need_current()
        if key not in opened.onset_maps:
            return ""  # of the recording before; this one's are offered next
        shares = ComplementarityParameters(**{name: self.form[name].value for name in SHARES})
        return moment_words(opened, opened.stages[key], moment, shares)

    def _draw(self) -> None:
        tables = {} if self.session.current is None else self.session.current.tables
        shifts = shifts_of(tables.get("boundary_shifts"), self.pair)
        self.plotted.setVisible(bool(len(shifts)))
        if len(shifts) and self.plotted.currentText() == SHIFTS:
            self.canvas.show_shifts(shifts)
        else:
            where = self.field.currentData()
            drawn = rows_to_draw(tables.get("colocalization"), self.pair, where)
            self.canvas.show_pairs(drawn, self.pair)

    # Work

    def _comparison(self) -> Comparison:
        opened, parameters = self.session.need_current(), self.form.value
        where, region = self.field.currentData(), None
        if where != FIELD:
            drawn = {r.name: r for r in regions_in(self.session, opened)}
            if where not in drawn:
                raise AlloyError(f"There is no region {where} any more; choose another field.")
            region = drawn[where]
        opened.use(complementarity=parameters)
        own = own_images(self.viewer, self.pair, opened.recording)
        return Comparison(opened=opened, region=region, parameters=parameters, images=own)

    def run(self) -> None:
        comparison, pair = self._comparison(), self.pair
        sources = {choice.source.currentData() for choice in (self.first, self.second)} - {None}
        if len(sources) < 2:
            raise AlloyError(
                "Two different maps are needed; compute onset maps in the Temporal color code dock."
            )
        self.start(compared(comparison, pair), functools.partial(self._show, comparison, pair))

    def run_all(self) -> None:
        """Compare all pairs of the recording."""
        comparison = self._comparison()
        self.start(all_compared(comparison), functools.partial(self._show_all, comparison))

    def _all_clicked(self) -> None:
        with self.errors_shown():
            self.run_all()

    def _show(self, comparison: Comparison, pair: Pair, result: Compared) -> None:
        add_layers(self.viewer, layers_of(comparison, pair, result))
        self._keep(comparison, result.table)
        self.status.setText(pair_words(result.table.iloc[0]))

    def _show_all(self, comparison: Comparison, table: pd.DataFrame) -> None:
        comparison.opened.did(comparison.step())
        self._keep(comparison, table)
        self.status.setText(table_words(table))

    def _keep(self, comparison: Comparison, rows_found: pd.DataFrame) -> None:
        opened = comparison.opened
        table = with_rows(opened.tables.get("colocalization"), rows_found)
        self.session.put_table(opened, "colocalization", table)
