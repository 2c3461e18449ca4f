"""Nucleation sites: detect, correct by hand, measure."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.dock import column
from napari_lithium_alloy._napari.forms import Form
from napari_lithium_alloy._napari.layers import sites_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.site_dock import SiteDock, told_sites
from napari_lithium_alloy._napari.site_fields import FIELDS, button
from napari_lithium_alloy._napari.site_places import (
    PLACES,
    SitePlacesCanvas,
    Tables,
    density_text,
    keep_site_tables,
    site_statistics_work,
)
from napari_lithium_alloy._napari.site_plot import SiteCanvas
from napari_lithium_alloy._napari.site_points import (
    selected_in,
    show_in,
)
from napari_lithium_alloy._napari.site_views import VIEWS, SiteContext
from napari_lithium_alloy._napari.site_work import (
    Measured,
    SiteSearch,
    candidates_of,
    chosen_sites,
    detected,
    measured_again,
    searched,
    taken_over,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.site_detection import suggested_threshold, threshold_curve
from napari_lithium_alloy.core.stages import Stage

PREVIEW_MS = 120
PLACES_PX = 230


class NucleationSites(SiteDock):
    """Where lithium metal appears."""

    TITLE = "Sites"
    TABLES = ("sites", "site_growth", "site_ranks", "site_field", "site_spacing")
    RUN = "Detect sites"

    def controls(self) -> QWidget:
        self._drawn_for: list[int] = []
        self.site_box()
        self.form: Form[NucleationParameters] = Form(NucleationParameters(), FIELDS)
        self._timer = QTimer(self, singleShot=True, interval=PREVIEW_MS)
        self._timer.timeout.connect(self._preview_now)
        self.form["min_snr"].changed.connect(self._threshold_changed)
        self.suggest_button = button(
            "Suggest threshold",
            "The lowest threshold at which noise makes few sites",
            self._suggest,
        )
        self.lock_button = button(
            "Lock selected", "Keep the selected points as they are in every new detection; "
            "once more frees them (L)", self.lock,
        )  # fmt: skip
        row = QWidget()
        buttons = QHBoxLayout(row)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self.suggest_button)
        buttons.addWidget(self.lock_button)
        return column(self.stage_box, self.form.native, row)

    def results(self) -> QWidget:
        self.view = QComboBox()
        self.view.addItems([*VIEWS, *PLACES])
        self.view.setToolTip("What is drawn")
        self.view.currentIndexChanged.connect(self._draw)
        self.canvas = SiteCanvas(self.viewer)
        self.canvas.threshold_moved.connect(self._line_moved)
        self.places = SitePlacesCanvas(
            self.viewer, "Press Where they sit to compare\nwith sites placed at random"
        )
        self.places.setFixedHeight(PLACES_PX)
        self.places.hide()
        return column(self.view, self.canvas, self.places)

    def _run_row(self) -> QHBoxLayout:
        row = super()._run_row()
        self.measure_button = button(
            "Measure",
            "Measure the sites as they are in the Points layer now",
            self._measure_clicked,
        )
        self.places_button = button(
            "Where they sit",
            "Ranks of alloying at the sites, their spacing and density, against chance",
            self._places_clicked,
        )
        row.insertWidget(1, self.measure_button)
        row.insertWidget(2, self.places_button)
        return row

    def _show_busy(self, busy: bool) -> None:
        super()._show_busy(busy)
        self.measure_button.setVisible(not busy)
        self.places_button.setVisible(not busy)

    def _plot_saver(self) -> Any:
        return self.save_plot

    def save_plot(self, path: Path) -> None:
        """Save the plot as PNG or SVG."""
        (self.places if self.view.currentText() in PLACES else self.canvas).save(path)

    def connect_events(self) -> None:
        if not self._connected:
            self.canvas.follow_viewer()
            self.places.follow_viewer()
        super().connect_events()

    def disconnect_events(self) -> None:
        if self._connected:
            self.canvas.let_go()
            self.places.let_go()
            self._timer.stop()
        super().disconnect_events()

    def take(self, opened: Opened) -> None:
        self._quiet = True
        self.form.value = opened.config.nucleation
        self._quiet = False

    def refresh(self) -> None:
        self.stage_box.show_stages(self.session.current)
        self._find_layer()
        self._draw()

    def show_tables(self) -> None:
        super().show_tables()
        self._draw()

    def _selected(self, _event: Any = None) -> None:
        selected = selected_in(self._layer)
        if selected != self._drawn_for and self.view.currentIndex() > 0:
            self._draw()

    # Threshold

    def _threshold_changed(self) -> None:
        if not self._quiet and self.session.current is not None:
            self._timer.start()

    def _line_moved(self, threshold: float) -> None:
        self.form["min_snr"].value = round(max(threshold, 0.1), 2)

    def _preview_now(self) -> None:
        with self.errors_shown():
            self.preview()

    def preview(self) -> None:
        """Show the sites above the threshold as it is, without measuring; search if needed."""
        opened, stage = self.session.current, self.stage_box.chosen
        if opened is None or stage is None or self.busy:
            return
        parameters = self.form.value
        if candidates_of(opened, stage, parameters) is None:
            self.start(searched(opened, stage, parameters), functools.partial(self._found, opened))
            return
        self._show_chosen(opened, stage, parameters)

    def _found(self, opened: Opened, search: SiteSearch) -> None:
        opened.candidates[search.stage.cycle] = search
        self._show_chosen(opened, search.stage, self.form.value)

    def _show_chosen(self, opened: Opened, stage: Stage, parameters: NucleationParameters) -> None:
        self._edited()
        found = opened.candidates[stage.cycle].found
        sites = chosen_sites(opened, stage.cycle, found, parameters)
        opened.put_sites(stage.cycle, sites)
        self._quiet = True
        if self._layer is None:
            add_layers(self.viewer, [sites_layer(opened.recording, sites, stage.cycle, [])])
            self._find_layer()
        else:
            show_in(self._layer, sites, opened.recording.pixel_size("Nucleation sites"))
        self._quiet = False
        self._keep(opened, stage, sites)
        self.status.setText(
            f"{told_sites(sites)} at SNR {parameters.min_snr:g}; Measure measures them."
        )

    def _suggest(self) -> None:
        with self.errors_shown():
            self.suggest()

    def suggest(self) -> None:
        """Set the threshold where noise makes few of the sites.

        Raises
        ------
        AlloyError
            If nothing was looked for yet, or noise makes sites at every threshold.
        """
        opened, stage = self.session.need_current(), self.stage_box.stage
        found = candidates_of(opened, stage, self.form.value)
        if found is None:
            self.preview()
            return
        threshold = suggested_threshold(threshold_curve(found))
        if not np.isfinite(threshold):
            raise AlloyError("No threshold tells sites from noise here; set one by hand.")
        self.form["min_snr"].value = round(threshold + 0.005, 2)

    def _draw(self, _event: Any = None) -> None:
        opened, stage = self.session.current, self.stage_box.chosen
        self._drawn_for = selected_in(self._layer)
        if opened is None or stage is None or not hasattr(self, "places"):
            return
        view = self.view.currentText()
        self.places.setVisible(view in PLACES)
        self.canvas.setVisible(view in VIEWS)
        if view in PLACES:
            PLACES[view](self.places, opened, stage.cycle)
            return
        parameters = self.form.value
        context = SiteContext(
            opened=opened,
            cycle=stage.cycle,
            parameters=parameters,
            candidates=candidates_of(opened, stage, parameters),
            selected=self._drawn_for,
        )
        self.canvas.show_plot(VIEWS[view](context))

    # Detection and measurement

    def run(self) -> None:
        opened, stage = self.session.need_current(), self.stage_box.stage
        opened.recording.pixel_size("Finding nucleation sites")
        self._edited()
        parameters = self.form.value
        opened.use(nucleation=parameters)
        work = detected(opened, stage, parameters)
        self.start(work, functools.partial(self._detected, opened, stage, parameters))

    def measure(self) -> None:
        """Measure the sites as they are in the layer."""
        opened, stage = self.session.need_current(), self.stage_box.stage
        self._edited()
        parameters = self.form.value
        work = measured_again(opened, stage, parameters, opened.sites_of(stage.cycle))
        self.start(work, functools.partial(self._show, opened, stage, parameters))

    def _measure_clicked(self) -> None:
        with self.errors_shown():
            self.measure()

    def _places_clicked(self) -> None:
        with self.errors_shown():
            self.compare_places()

    def compare_places(self) -> None:
        """Compare where the sites sit with placements at random."""
        opened, stage = self.session.need_current(), self.stage_box.stage
        opened.recording.pixel_size("Where sites sit")
        if self._timer.isActive():  # a threshold moved a moment ago holds, too
            self._timer.stop()
            self.preview()
        self._edited()
        work = site_statistics_work(opened, stage)
        self.start(work, functools.partial(self._placed, opened, stage))

    def _placed(self, opened: Opened, stage: Stage, tables: Tables) -> None:
        keep_site_tables(opened, stage.cycle, tables)
        opened.did(Step.of("site_statistics", opened.config.site_statistics, stage=stage.key))
        if self.view.currentText() not in PLACES:
            self.view.setCurrentText(next(iter(PLACES)))
        self.session.results_changed.emit("tables")
        self.status.setText(density_text(opened, stage.cycle))

    def _detected(
        self,
        opened: Opened,
        stage: Stage,
        parameters: NucleationParameters,
        result: tuple[SiteSearch, Measured],
    ) -> None:
        opened.candidates[stage.cycle] = result[0]
        self._show(opened, stage, parameters, result[1])

    def _with_edits(self, opened: Opened, cycle: int, result: Measured) -> Measured:
        """What was measured, with what was done by hand meanwhile."""
        before = opened.sites_of(cycle)
        self._edited()
        return (
            result if opened.sites_of(cycle).equals(before) else taken_over(opened, cycle, result)
        )

    def _show(
        self, opened: Opened, stage: Stage, parameters: NucleationParameters, result: Measured
    ) -> None:
        sites, growth = self._with_edits(opened, stage.cycle, result)
        bounds = {"stage": stage.key, "start_s": stage.start_s, "end_s": stage.end_s}
        steps = opened.did(Step.of("detect_sites", parameters, **bounds))
        self._watch(None)
        opened.put_sites(stage.cycle, sites)
        add_layers(self.viewer, [sites_layer(opened.recording, sites, stage.cycle, steps)])
        self._find_layer()
        others = opened.tables.get("site_growth", growth.iloc[:0])
        others = others[others["cycle"] != stage.cycle]
        parts = [part for part in (others, growth) if len(part)]
        opened.tables["site_growth"] = pd.concat(parts, ignore_index=True) if parts else growth
        self._keep(opened, stage, sites)
        self.session.results_changed.emit("sites")
        timed = int(sites["onset_s"].notna().sum())
        self.status.setText(f"{told_sites(sites)} in cycle {stage.cycle}, {timed} with an onset.")
