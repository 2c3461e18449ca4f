"""Montage as a layer, figures and movie to files."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.forms import Field, Form
from napari_lithium_alloy._napari.layers import montage_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.whole_work import (
    Saved,
    figures_saved,
    montage_drawn,
    movie_saved,
)
from napari_lithium_alloy.core.montage import MontageParameters
from napari_lithium_alloy.core.provenance import Step

if TYPE_CHECKING:
    from napari_lithium_alloy._napari.widgets.workspace import Workspace

FIELDS = {
    "n_frames": Field(
        label="Images a row", tip="Evenly spaced from a stage's first frame to its last", low=1,
        high=40,
    ),
    "interval_s": Field(
        label="or one every (s)", tip="Instead: seconds between a row's images", low=1e-3,
        unset="as many as above",
    ),
    "averaged_frames": Field(
        label="Frames averaged", tip="Frames whose mean is one image", low=1, high=1000
    ),
}  # fmt: skip


class PicturesBox(QWidget):
    """Parameters of montages, and buttons for a montage, figures and a movie."""

    def __init__(self) -> None:
        super().__init__()
        self.form = Form(MontageParameters(), FIELDS)
        self.montage = QPushButton("Montage")
        self.montage.setToolTip(
            "A layer beside the field: a row for each stage of the cycle at the slider, with time "
            "stamps (Figs. 1B, 3A, 5A)"
        )
        self.figures = QPushButton("Save figures…")
        self.figures.setToolTip(
            "Figs. 1B-F, 2A-C, 3A-B, 4C, 5A-C of the paper for this recording, as PNG and SVG in a "
            "folder; analyses first what has changed"
        )
        self.movie = QPushButton("Save movie…")
        self.movie.setToolTip("MP4 of trans beside epi over the potential, in true time")
        row = QHBoxLayout()
        for button in (self.montage, self.figures, self.movie):
            row.addWidget(button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form.native)
        layout.addLayout(row)
        layout.addStretch(1)


class Pictures:
    """What the buttons of `PicturesBox` do with the current recording of the workspace."""

    def __init__(self, dock: Workspace) -> None:
        self.dock = dock
        self.box = PicturesBox()
        self.box.montage.clicked.connect(self._montage_clicked)
        self.box.figures.clicked.connect(self._figures_clicked)
        self.box.movie.clicked.connect(self._movie_clicked)

    def add_montage(self) -> None:
        """Add a montage of the stages of the cycle at the slider.

        Raises
        ------
        AlloyError
            If there is no recording, or it has no stages.
        """
        opened = self._current()
        work = montage_drawn(opened, self.dock.session.time_s)
        self._start("Drawing the montage…", work, functools.partial(self._add_layer, opened))

    def _add_layer(self, opened: Opened, drawn: tuple[Any, float]) -> None:
        steps = opened.did(Step.of("stage_montage", opened.config.montage))
        add_layers(self.dock.viewer, [montage_layer(opened.recording, *drawn, steps)])
        self.dock.viewer.reset_view()
        self._say("The montage is a layer to the right of the field.")

    def save_figures(self, folder: Path, *, overwrite: bool = False) -> None:
        """Save the figures of a paper to a folder, after an analysis where one is needed.

        Raises
        ------
        AlloyError
            If there is no recording, or its mode is not known.
        """
        opened = self._current()
        work = figures_saved(self.dock.session, opened, folder, overwrite=overwrite)
        self._start("Drawing figures…", work, functools.partial(self._saved, opened, folder))

    def _saved(self, opened: Opened, folder: Path, saved: Saved) -> None:
        result, written = saved
        if result is not opened.result:
            self.dock.show_result(opened, result)
        self._say(f"{len(written)} files of figures in {folder}.")

    def save_movie(self, path: Path) -> None:
        """Save an annotated movie.

        Raises
        ------
        AlloyError
            If there is no recording.
        """
        work = movie_saved(self.dock.session, self._current(), path)
        self._start("Writing the movie…", work, self._movie_saved)

    def _movie_saved(self, path: Path) -> None:
        self._say(f"{path} is written.")

    def _current(self) -> Opened:
        """The current recording, its montages as typed."""
        opened = self.dock.session.need_current()
        opened.use(montage=self.box.form.value)
        return opened

    def _start(self, words: str, work: Any, done: Any) -> None:
        self.dock.start(work, done)
        self._say(words)

    def _say(self, words: str) -> None:
        self.dock.status.setText(words)

    def _montage_clicked(self) -> None:
        with self.dock.errors_shown():
            self.add_montage()

    def _figures_clicked(self) -> None:
        asked = ask_folder(self.dock, "figures")
        if asked is not None:
            with self.dock.errors_shown():
                self.save_figures(asked[0], overwrite=asked[1])

    def _movie_clicked(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self.dock, "Save movie", "movie.mp4", "Movie (*.mp4)")
        if path:
            with self.dock.errors_shown():
                self.save_movie(Path(path))


def ask_folder(parent: QWidget, what: str) -> tuple[Path, bool] | None:
    """A folder and whether what is in it may be replaced; None if cancelled."""
    chosen = QFileDialog.getExistingDirectory(parent, f"Folder for the {what}")
    if not chosen:
        return None
    folder = Path(chosen)
    if not any(folder.iterdir()):
        return folder, False
    answer = QMessageBox.question(
        parent, what.capitalize(), f"{folder.name} is not empty. Replace {what} in it?"
    )
    return (folder, True) if answer == QMessageBox.StandardButton.Yes else None
