"""Reads a potential for the timeline, and saves what was set there."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMessageBox, QPushButton, QWidget

from napari_lithium_alloy._napari.dock import Dock
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.potential_dialog import ask_potential, told_in
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.io.stages_file import save_stages, stages_file_of


class TimelineFiles:
    """Two buttons: a cycler's file in, stages, potential and clock out.

    Parameters
    ----------
    dock : Dock
        Whose current recording they are of.
    """

    def __init__(self, dock: Dock) -> None:
        self.dock = dock
        self.potential_button = QPushButton("Potential…")
        self.potential_button.setToolTip("Read a cycler's file, and choose its columns")
        self.potential_button.clicked.connect(self._ask_potential)
        self.save_button = QPushButton("Save to recording.toml…")
        self.save_button.setToolTip(
            "Write stages, potential and clock into the recording's own recording.toml, or a new "
            "one beside its images"
        )
        self.save_button.clicked.connect(self._ask_save)
        self.box = QWidget()
        row = QHBoxLayout(self.box)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.potential_button)
        row.addWidget(self.save_button, 1)

    def show(self) -> None:
        """Enable what can be done with the current recording."""
        opened = self.dock.session.current
        self.potential_button.setEnabled(opened is not None)
        self.save_button.setEnabled(
            opened is not None
            and (bool(opened.experiment.stages) or opened.experiment.potential is not None)
        )

    def take_potential(self, curve: PotentialCurve) -> None:
        """Use the potential of another file, or of other columns of the same one.

        Of the same file the clock's link stays.
        """
        opened = self.dock.session.need_current()
        before = opened.experiment.potential
        if before is not None and Path(before.source).resolve() == Path(curve.source).resolve():
            curve = curve.linked(before.clock)
        self.dock.session.change_experiment(opened, potential=curve)
        self.dock.status.setText(told_in(curve))

    def save(self) -> Path:
        """Write stages, potential and clock to recording.toml; its path.

        Raises
        ------
        AlloyError
            If there is nothing to save or nowhere to save it.
        """
        opened = self.dock.session.need_current()
        file = save_stages(_as_set(opened))
        self.dock.status.setText(f"{_contents(opened)} saved to {file.name}.")
        return file

    def _ask_potential(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.dock, "Potential: a cycler's file")
        if path:
            with self.dock.errors_shown():
                curve = ask_potential(self.dock, Path(path))
                if curve is not None:
                    self.take_potential(curve)

    def _ask_save(self) -> None:
        with self.dock.errors_shown():
            opened = self.dock.session.need_current()
            file = stages_file_of(_as_set(opened))
            what = "Replace in" if file.exists() else "Make"
            answer = QMessageBox.question(self.dock, "Save", f"{what} {file}: {_contents(opened)}?")
            if answer == QMessageBox.StandardButton.Yes:
                self.save()


def _contents(opened: Opened) -> str:
    """What is saved, for people."""
    n = len(opened.experiment.stages)
    return f"{n} stages" + (", potential and clock" if opened.experiment.potential else "")


def _as_set(opened: Opened) -> Experiment:
    """The experiment with what was set by hand on its only recording."""
    experiment = opened.experiment
    alone = len(experiment.recordings) == 1
    return experiment.replace(recordings=(opened.as_read,)) if alone else experiment
