"""Pore tracking: holes in the film over dissolution and dealloying."""

import functools
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.dock import column
from napari_lithium_alloy._napari.forms import Form, rows
from napari_lithium_alloy._napari.layers import (
    kind_of,
    pore_preview_layer,
    pore_tracks_layer,
    pores_layer,
)
from napari_lithium_alloy._napari.live import Live
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plot_dock import TimePlotDock
from napari_lithium_alloy._napari.plots import CurveCanvas, Plot
from napari_lithium_alloy._napari.pore_fields import FIELDS, rows_of_method
from napari_lithium_alloy._napari.pore_hand import PoreHand, PoreTools
from napari_lithium_alloy._napari.pore_views import VIEWS, leaving_stages
from napari_lithium_alloy._napari.pore_work import (
    Preview,
    Tracked,
    pore_sentence,
    pore_windows_of,
    preview,
    tracked,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.pore_edits import PoreEdit
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pore_results import PORE_TABLES
from napari_lithium_alloy.core.provenance import Step

ALL_CYCLES = "All cycles"
PLOT_PX = 200


class PoreTracking(TimePlotDock):
    """Pores as labels, tracks and areas."""

    TITLE = "Pores"
    TABLES = PORE_TABLES
    RUN = "Track pores"

    def controls(self) -> QWidget:
        self._waits = False
        self.cycles = QComboBox()
        self.cycles.setToolTip("The cycle whose areas relative to the final pore are drawn")
        self.cycles.currentIndexChanged.connect(self.draw)
        self.form: Form[PoreParameters] = Form(PoreParameters(), FIELDS)
        for widget in self.form.widgets.values():
            widget.changed.connect(self._ask_preview)
        self.form["method"].changed.connect(self._show_rows)
        self._show_rows()
        self.preview_box = QCheckBox("Preview at the time shown")
        self.preview_box.setToolTip("Show what these parameters find in the frame shown, at once")
        self.preview_box.toggled.connect(self._ask_preview)
        self._live = Live(self._show_preview, self._refuse_preview)
        return column(rows(("Cycles", self.cycles)), self.form.native, self.preview_box)

    def results(self) -> QWidget:
        self._pore = 0
        self.tools = PoreTools()
        self.hand = PoreHand(self.tools, self._size_um)
        self.hand.edited.connect(self.correct)
        self.hand.told.connect(self.status.setText)
        self.tools.undo.connect(self.take_back)
        self.plotted = QComboBox()
        self.plotted.addItems(list(VIEWS))
        self.plotted.setToolTip("What is drawn; a pore selected in the layer is drawn alone")
        self.plotted.currentIndexChanged.connect(self.draw)
        self.canvas = CurveCanvas(self.viewer, "Pore areas are drawn here")
        self.canvas.setFixedHeight(PLOT_PX)
        self.canvas.time_clicked.connect(self.session.show_time)
        return column(rows(("Correct by hand", self.tools)), self.plotted, self.canvas)

    def _show_rows(self) -> None:
        for name, shown in rows_of_method(self.form["method"].value).items():
            self.form.show_row(name, shown)

    # The Labels layer

    def layers_changed(self, _event: Any = None) -> None:
        self._find_layer()

    def connect_events(self) -> None:
        if not self._connected:
            self.session.time_changed.connect(self._ask_preview)
        super().connect_events()

    def disconnect_events(self) -> None:
        if self._connected:
            self.session.time_changed.disconnect(self._ask_preview)
            self._live.drop()
            self._watch(None)
        super().disconnect_events()

    def _find_layer(self, _event: Any = None) -> None:
        ours = [
            layer
            for layer in self.viewer.layers
            if kind_of(layer) == "pores" and self.session.opened_of(layer) is self.session.current
        ]
        self._watch(ours[-1] if ours and self.session.current is not None else None)

    def _watch(self, layer: Any) -> None:
        old = self.hand.layer
        if old is not None and old is not layer:
            old.events.selected_label.disconnect(self._selected)
        if layer is not old:
            self._pore = 0
        if layer is not None and layer is not old:
            layer.events.selected_label.connect(self._selected)
        self.hand.watch(layer)
        self.tools.setEnabled(layer is not None)

    def _selected(self, event: Any) -> None:
        self._pore = int(event.source.selected_label)
        self.draw()

    def _size_um(self) -> float:
        return self.session.need_current().recording.pixel_size("Pores")

    # State

    def take(self, opened: Opened) -> None:
        self.form.value = opened.config.pores

    def refresh(self) -> None:
        opened = self.session.current
        cycles = sorted({s.cycle for s in ([] if opened is None else leaving_stages(opened))})
        choices = [ALL_CYCLES, *(f"Cycle {c}" for c in cycles)]
        if choices != [self.cycles.itemText(i) for i in range(self.cycles.count())]:
            self.cycles.clear()
            self.cycles.addItems(choices)
        self._find_layer()

    @property
    def cycle(self) -> int | None:
        """The cycle chosen; None: all."""
        chosen = self.cycles.currentText()
        return int(chosen.removeprefix("Cycle ")) if chosen.startswith("Cycle ") else None

    # Preview

    def _ask_preview(self, _value: Any = None) -> None:
        opened = self.session.current
        if not self.preview_box.isChecked() or opened is None:
            self._live.drop()
            return
        with self.errors_shown():
            parameters = self.form.value
            self._live.ask(functools.partial(preview, opened, self.session.time_s, parameters))

    def _show_preview(self, found: Preview) -> None:
        opened = self.session.current
        if opened is not None and self.preview_box.isChecked():
            add_layers(self.viewer, [pore_preview_layer(opened.recording, found.labels)])
            self.status.setText(found.sentence)

    def _refuse_preview(self, error: AlloyError) -> None:
        self.status.setText(str(error))

    # Corrections by hand

    def correct(self, edits: list[PoreEdit]) -> None:
        """Keep corrections, each but a deletion for the cycle shown, and track again."""
        opened = self.session.need_current()
        at = self.session.time_s
        windows = pore_windows_of(opened)
        cycle = next((w.cycle for w in windows if w.start_s <= at <= w.end_s), None)
        opened.pore_edits += [e.in_cycle(cycle) for e in edits]
        self._again()

    def take_back(self) -> None:
        """Take back the last correction by hand and track again."""
        opened = self.session.current
        if opened is None or not opened.pore_edits:
            self.status.setText("There is no correction by hand to take back.")
            return
        opened.pore_edits.pop()
        self._again()

    def _again(self) -> None:
        """Track anew, in place of a tracking that runs without the last correction."""
        if self.busy:
            self._waits = True
            self.status.setText("The correction is made when this tracking has ended.")
            return
        with self.errors_shown():
            self.run()

    def _show_busy(self, busy: bool) -> None:
        super()._show_busy(busy)
        if not busy and self._waits:
            self._waits = False
            QTimer.singleShot(0, self._again)

    # Tracking

    def run(self) -> None:
        opened, parameters = self.session.need_current(), self.form.value
        opened.recording.pixel_size("Pore tracking")
        opened.use(pores=parameters)
        work = tracked(opened, pore_windows_of(opened), parameters)
        self.start(work, functools.partial(self._show, opened, parameters))

    def _show(self, opened: Opened, parameters: PoreParameters, result: Tracked) -> None:
        tracks, tables = result
        opened.pore_tracks = tracks
        optics = tracks.optics
        told = {"substrate": optics.substrate, "psf_sigma_px": optics.psf_sigma_px}
        edits = tables["pore_edits"].to_dict("records")
        steps = opened.did(Step.of("track_pores", parameters, **told, edits=edits))
        layers = [
            pores_layer(opened.recording, tracks, steps),
            pore_tracks_layer(opened.recording, tracks, steps),
        ]
        self.hand.release()
        add_layers(self.viewer, layers)
        opened.tables |= tables
        self.session.results_changed.emit("tables")
        self.session.results_changed.emit("pores")
        self.status.setText(pore_sentence(tracks, tables["pore_edits"]["edit"].nunique()))

    def show_tables(self) -> None:
        super().show_tables()
        self.draw()

    def draw(self) -> None:
        """Draw what is chosen."""
        opened = self.session.current
        if opened is None or "pores" not in opened.tables or "pore_summary" not in opened.tables:
            self.canvas.show_plot(Plot(x_label="Time (s)", y_label="Total pore area (µm²)"))
            return
        self.canvas.show_plot(VIEWS[self.plotted.currentText()](opened, self._pore, self.cycle))
