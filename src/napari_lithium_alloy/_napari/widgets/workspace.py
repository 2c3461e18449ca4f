"""Lithium alloy workspace: opens recordings and docks, runs and exports the whole analysis."""

import functools
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_lithium_alloy._napari.dock import Dock, column
from napari_lithium_alloy._napari.open_in import open_in
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.pictures import Pictures, ask_folder
from napari_lithium_alloy._napari.potential_dialog import choose_columns
from napari_lithium_alloy._napari.results import take_result
from napari_lithium_alloy._napari.session import MODE_KEY
from napari_lithium_alloy._napari.whole_work import analysed
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.cyclers import ColumnsNotToldError
from napari_lithium_alloy.io.recording_file import recording_file_in
from napari_lithium_alloy.result import AnalysisResult, write_result

OWN_KEY = "Lithium alloy workspace"
DOCKS = {
    "Correct and align": ("correct_and_align:CorrectAndAlign", "right"),
    "Normalization": ("normalization:Normalization", "right"),
    "Temporal color code": ("temporal_color_code:TemporalColorCode", "right"),
    "Complementarity map": ("complementarity_map:ComplementarityMap", "right"),
    "Nucleation sites": ("nucleation_sites:NucleationSites", "right"),
    "Pore tracking": ("pore_tracking:PoreTracking", "right"),
    "Timeline": ("timeline:Timeline", "bottom"),
    "ROI curves": ("roi_curves:RoiCurves", "bottom"),
}
"""By their names in the menu: class and area, in the order of work."""
LEFT_PX, RIGHT_PX, BOTTOM_PX = 350, 470, 260


class Workspace(Dock):
    """The one entry: recordings in, docks arranged, everything analysed and exported."""

    TITLE = "Workspace"
    RUN = "Analyse everything"

    def controls(self) -> QWidget:
        self._arranged = False
        open_file = QPushButton("Open recording…")
        open_file.setToolTip("recording.toml, or any image file of a recording")
        open_file.clicked.connect(self._ask_file)
        open_folder = QPushButton("Open folder…")
        open_folder.setToolTip("A folder with recording.toml, a folder of frames, or a Zarr")
        open_folder.clicked.connect(self._ask_folder)
        buttons = QWidget()
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(open_file, 1)
        row.addWidget(open_folder, 1)
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.facts.setTextFormat(Qt.TextFormat.PlainText)
        self.pictures = Pictures(self)
        return column(buttons, self.facts)

    def _lay_out(self) -> None:
        super()._lay_out()
        self.run_button.setToolTip("Every analysis on this recording, as on the command line")
        self.tables.view.hide()
        self.tables.layout().setAlignment(Qt.AlignmentFlag.AlignTop)
        self.tables.export_button.setText("Export all…")
        self.tables.export_button.setToolTip(
            "Write every table, map and the provenance into a folder, as the command line does"
        )
        self.tables.export_button.clicked.disconnect()
        self.tables.export_button.clicked.connect(self._ask_export_all)
        self.tables.layout().addWidget(self.pictures.box)

    # Docks

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._arranged:
            QTimer.singleShot(0, self.arrange)

    def arrange(self) -> None:
        """Open all docks where they are not open yet: right and below in tabs."""
        self._arranged = True
        window = self.viewer.window
        docks = {"right": [self._own_dock()], "bottom": []}
        for name, (where, area) in DOCKS.items():
            docks[area].append(self._open_dock(name, where, area, bool(docks[area])))
        right, bottom = docks["right"][0], docks["bottom"][0]
        if right is None:
            return
        main = window._qt_window
        left = window._qt_viewer.dockLayerList
        main.resizeDocks([left, right], [LEFT_PX, RIGHT_PX], Qt.Orientation.Horizontal)
        main.resizeDocks([bottom], [BOTTOM_PX], Qt.Orientation.Vertical)
        for first in (right, bottom):
            QTimer.singleShot(0, first.raise_)  # a tab just added comes to the front later

    def _own_dock(self) -> Any:
        dock = self.parent()
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parent()
        if dock is not None:
            dock.setWindowTitle(self.TITLE)
        return dock

    def _open_dock(self, name: str, where: str, area: str, tabify: bool) -> Any:
        window, key = self.viewer.window, _menu_key(name)
        if key in window.dock_widgets:
            dock = window.dock_widgets[key].parent()
            dock.show()
            return dock
        module, _, cls = where.partition(":")
        made = getattr(importlib.import_module(f"{__package__}.{module}"), cls)(self.viewer)
        dock = window.add_dock_widget(made, name=key, area=area, tabify=tabify)
        dock.setWindowTitle(made.TITLE)
        return dock

    # Recordings

    def open_recording(self, path: Path) -> None:
        """Open a recording: a layer for each of its fields of view.

        Raises
        ------
        AlloyError
            If it cannot be opened.
        """
        opened = open_in(self.viewer, path)
        notes = [n for o in opened for n in o.recording.notes]
        self.status.setText(" ".join(dict.fromkeys(notes)) or f"{path.name} is open.")

    def refresh(self) -> None:
        opened = self.session.current
        self.facts.setText("" if opened is None else "\n".join(_facts(opened)))
        self.run_button.setEnabled(opened is not None)
        self.pictures.box.setEnabled(opened is not None)

    def show_tables(self) -> None:
        opened = self.session.current
        self.tables.export_button.setEnabled(opened is not None and opened.result is not None)

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open recording")
        self._open_asked(path)

    def _ask_folder(self) -> None:
        self._open_asked(QFileDialog.getExistingDirectory(self, "Open folder"))

    def _open_asked(self, path: str) -> None:
        if not path:
            return
        with self.errors_shown():
            try:
                self.open_recording(Path(path))
            except ColumnsNotToldError as error:
                if choose_columns(self, recording_file_in(Path(path)), error.path):
                    self.open_recording(Path(path))

    # The whole analysis

    def run(self) -> None:
        opened = self.session.need_current()
        work = analysed(self.session, opened)
        self.status.setText("Analysing…")
        self.start(work, functools.partial(self.show_result, opened))

    def take(self, opened: Opened) -> None:
        self.pictures.box.form.value = opened.config.montage

    def show_result(self, opened: Opened, result: AnalysisResult) -> None:
        """Show a whole analysis: its layers, tables and notes."""
        take_result(self.session, opened, result)
        n = len(result.tables)
        self.status.setText(
            " ".join([f"{opened.name}: {n} tables and their layers.", *result.notes])
        )

    def export_all(self, folder: Path, *, overwrite: bool = False) -> Sequence[Path]:
        """Write the last analysis as the command line does.

        Raises
        ------
        AlloyError
            If nothing was analysed yet, or the folder holds results already.
        """
        opened = self.session.need_current()
        if opened.result is None:
            raise AlloyError("Nothing to export yet; run Analyse everything first.")
        written = write_result(opened.result, folder, overwrite=overwrite)
        self.status.setText(f"{len(written)} files written to {folder}.")
        return written

    def _ask_export_all(self) -> None:
        asked = ask_folder(self, "results")
        if asked is not None:
            with self.errors_shown():
                self.export_all(asked[0], overwrite=asked[1])


def _menu_key(name: str) -> str:
    """The key under which napari's Plugins menu looks for a dock."""
    return f"{name} (Lithium alloy)"


def _facts(opened: Opened) -> list[str]:
    recording, stages = opened.recording, opened.experiment.stages
    size = recording.pixel_size_um
    height, width = recording.field_shape
    times = recording.times_s
    return [
        f"{recording.mode or 'mode not known'}, {recording.n_frames} frames, {width} × {height} px",
        f"{times[0]:g} to {times[-1]:.6g} s"
        + (f" ({recording.times_source})" if recording.times_source else ""),
        "pixel size not known: set it in Normalization" if size is None else f"{size:g} µm a pixel",
        f"{len(stages)} stages" if stages else "no stages given",
        *([f"corrected: {', '.join(recording.corrections)}"] if recording.corrections else []),
        *([f"{MODE_KEY}: trans or epi"] if len(opened.experiment.recordings) > 1 else []),
    ]
