"""Corrects the frames of a dock's current recording: measures, shows, uses, undoes, saves."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd
from qtpy.QtWidgets import QMessageBox

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.correct_box import CorrectForm, CorrectResult
from napari_lithium_alloy._napari.correcting import (
    Measured,
    measured_in,
    use_as_read,
    use_measured,
)
from napari_lithium_alloy._napari.correction_plot import NOTHING, plot_of
from napari_lithium_alloy._napari.counts_view import (
    made_of_others,
    show_frames,
    shows_corrected,
)
from napari_lithium_alloy._napari.dock import Dock
from napari_lithium_alloy._napari.layers import kind_of, regions_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.whole_work import regions_in
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.io.stages_file import save_correction, stages_file_of

REFERENCE = "Lamp reference"
MOST_NAMED = 3


class CorrectPage:
    """What the controls of `CorrectForm` and `CorrectResult` do.

    Parameters
    ----------
    dock : Dock
        Whose session, status line and worker are used.
    """

    def __init__(self, dock: Dock) -> None:
        self.dock = dock
        self.form, self.result = CorrectForm(), CorrectResult(dock.viewer)
        self.canvas = self.result.canvas
        self._told: Measured | None = None
        self.form.region.offered = self._regions_offered
        self.form.changed.connect(self._form_changed)
        self.form.draw_button.clicked.connect(self._draw_clicked)
        self.canvas.time_clicked.connect(dock.session.show_time)
        self.result.preview.toggled.connect(self._preview_toggled)
        self.result.apply.clicked.connect(self._apply_clicked)
        self.result.undo.clicked.connect(self._undo_clicked)
        self.result.save.clicked.connect(self._ask_save)

    def take(self, opened: Opened) -> None:
        """Show the parameters of a recording."""
        self.form.value = opened.config.correction

    def refresh(self) -> None:
        """Show what was measured of the current recording, and what is in use."""
        opened, result = self.dock.session.current, self.result
        measured = None if opened is None else opened.measured
        result.preview.setEnabled(measured is not None and bool(measured.correction.done))
        fresh = measured is not None and measured.correction is not opened.correction
        result.apply.setEnabled(fresh)
        result.undo.setEnabled(opened is not None and opened.correction is not None)
        result.save.setEnabled(opened is not None)
        result.preview.blockSignals(True)
        result.preview.setChecked(opened is not None and shows_corrected(self.dock.session, opened))
        result.preview.blockSignals(False)
        result.in_use.setText("" if opened is None else self._in_use(opened))
        if opened is not None and self.form.value != opened.config.correction:
            self.form.value = opened.config.correction
        self._tell(measured)
        if opened is None or measured is None:
            self.canvas.show_plot(NOTHING)
            return
        stages = stages_of(opened.experiment.stages, *StageKind)
        self.canvas.show_plot(plot_of(opened.as_read, measured.correction, stages))
        self.canvas.show_time(self.dock.session.time_s)

    def run(self) -> None:
        """Measure the current recording as it was read."""
        opened = self.dock.session.need_current()
        opened.use(correction=self.form.value)
        work = measured_in(opened, regions_in(self.dock.session, opened))
        self.dock.start(work, functools.partial(self._show, opened))

    def _show(self, opened: Opened, found: tuple[Measured, pd.DataFrame]) -> None:
        opened.measured, table = found
        correction = opened.measured.correction
        opened.did(Step.of("measure_correction", correction.parameters, done=correction.done))
        if shows_corrected(self.dock.session, opened):
            show_frames(self.dock.session, opened, correction)
        self.dock.session.put_table(opened, "corrections", table)
        self.dock.session.results_changed.emit("correction")
        if opened.correction is not None:
            self._say(f"{self.dock.status.text()} Apply again to use this.")

    def _tell(self, measured: Measured | None) -> None:
        """Say what was measured, once."""
        if measured is not self._told:
            self._told = measured
            notes = () if measured is None else measured.notes or ("Nothing is wrong.",)
            self._say(" ".join(notes))

    # What is used and shown

    def _in_use(self, opened: Opened) -> str:
        """Which frames the docks work on, and what was made of others."""
        done = opened.recording.corrections
        if opened.correction is None:
            words = "In use: frames as read."
        elif done:
            words = f"In use: frames corrected for {', '.join(done)}."
        else:
            words = "In use: frames as read; there is nothing to correct."
        others = made_of_others(self.dock.session, opened)
        if others:
            more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
            words += f" Made of other frames, run again: {', '.join(others[:MOST_NAMED])}{more}."
        return words

    def _preview_toggled(self, wanted: bool) -> None:
        opened = self.dock.session.current
        if opened is not None and opened.measured is not None:
            correction = opened.measured.correction if wanted else None
            show_frames(self.dock.session, opened, correction)

    def _apply_clicked(self) -> None:
        with self.dock.errors_shown():
            use_measured(self.dock.session, self.dock.session.need_current())

    def _undo_clicked(self) -> None:
        with self.dock.errors_shown():
            use_as_read(self.dock.session, self.dock.session.need_current())

    # The form

    def _form_changed(self) -> None:
        opened = self.dock.session.current
        if opened is None:
            return
        opened.use(correction=self.form.value)
        measured = opened.measured
        if measured is not None and measured.correction.parameters != opened.config.correction:
            self._say("Measure again to see what this choice gives.")

    def _regions_offered(self) -> list[str]:
        opened = self.dock.session.current
        return [] if opened is None else [r.name for r in regions_in(self.dock.session, opened)]

    def _draw_clicked(self) -> None:
        with self.dock.errors_shown():
            self.draw_reference()

    def draw_reference(self) -> None:
        """Let the lamp's reference be drawn in the ROI layer, made where there is none."""
        session = self.dock.session
        opened = session.need_current()
        own = [
            layer
            for layer in session.viewer.layers
            if kind_of(layer) == "regions" and session.opened_of(layer) is opened
        ]
        layer = own[0] if own else add_layers(
            session.viewer, [regions_layer(opened.recording, opened.experiment.regions)]
        )[0]  # fmt: skip
        session.viewer.layers.selection.active = layer
        layer.selected_data = set()  # what is selected would take the name, too
        layer.feature_defaults = {"name": REFERENCE}
        layer.mode = "add_rectangle"
        self.form.region.show_region(REFERENCE)
        self._form_changed()
        self._say(f"Draw {REFERENCE} around what does not change, then Measure.")

    # Saving

    def save(self) -> Path:
        """Write the form to recording.toml; its path.

        Raises
        ------
        AlloyError
            If there is nowhere to save it, or the reference region is not there.
        """
        session = self.dock.session
        opened = session.need_current()
        parameters, region = self.form.value, None
        if parameters.reference_region:
            named = {r.name: r for r in regions_in(session, opened)}
            region = named.get(parameters.reference_region)
            if region is None:
                raise AlloyError(f"There is no region {parameters.reference_region}; draw it.")
        file = save_correction(_as_set(opened), parameters, region)
        self._say(f"[correction] saved to {file.name}.")
        return file

    def _ask_save(self) -> None:
        with self.dock.errors_shown():
            file = stages_file_of(_as_set(self.dock.session.need_current()))
            what = "Replace [correction] in" if file.exists() else "Make"
            answer = QMessageBox.question(self.dock, "Save", f"{what} {file}?")
            if answer == QMessageBox.StandardButton.Yes:
                self.save()

    def _say(self, text: str) -> None:
        self.dock.status.setText(text)


def _as_set(opened: Opened) -> Experiment:
    """The experiment with what was set by hand on its only recording."""
    experiment = opened.experiment
    alone = len(experiment.recordings) == 1
    return experiment.replace(recordings=(opened.as_read,)) if alone else experiment
