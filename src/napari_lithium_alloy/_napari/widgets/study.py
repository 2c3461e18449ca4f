"""Study: the results of many recordings, narrowed down, plotted, and opened from there."""

import functools
from pathlib import Path
from typing import Any

import pandas as pd
from qtpy.QtCore import QModelIndex
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QWidget

from napari_lithium_alloy._napari.dock import column
from napari_lithium_alloy._napari.open_in import chosen, open_in
from napari_lithium_alloy._napari.plot_dock import PlotDock
from napari_lithium_alloy._napari.study_filters import Filters, narrow
from napari_lithium_alloy._napari.study_plot import StudyCanvas
from napari_lithium_alloy.core.column_names import header, sentence
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.replicates import CURRENT_DENSITY, KEYS, RECORDING, keys_of
from napari_lithium_alloy.core.study_series import Against, against

LIST = "study_recordings"
FIRST = ("pearson_r", "density_um2", "radius_um", "area_um2", "measured_ma_cm2")
"""Columns plotted before others."""


class Study(PlotDock):
    """What `lithium-alloy batch` wrote."""

    TITLE = "Study"
    TABLES = (LIST,)
    RUN = "Open study…"

    def controls(self) -> QWidget:
        self.folder: Path | None = None
        self.conditions: list[str] = []
        self.loaded: dict[str, pd.DataFrame] = {}
        self.filters = Filters()
        self.filters.changed.connect(self._show)
        self.canvas = StudyCanvas(self.viewer, "Open the folder that lithium-alloy batch wrote.")
        self.canvas.recording_clicked.connect(self._open_clicked)
        self.y_box, self.x_box = QComboBox(), QComboBox()
        for box, tip in (
            (self.y_box, "Column to plot: a point a recording, the mean of its rows"),
            (self.x_box, "Condition it is plotted against; the others have a colour each"),
        ):
            box.setToolTip(tip)
            narrow(box)
            box.activated.connect(self._show)
        return self.filters

    def results(self) -> QWidget:
        axes = QWidget()
        form = QFormLayout(axes)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Plot", self.y_box)
        form.addRow("Against", self.x_box)
        return column(axes, self.canvas)

    def _lay_out(self) -> None:
        super()._lay_out()
        self.run_button.setToolTip("Choose the folder that lithium-alloy batch wrote")
        self.tables.choice.currentIndexChanged.connect(self._choose_table)
        self.tables.view.doubleClicked.connect(self._open_row)
        self.tables.view.setToolTip("A double click opens the recording of a row")
        self._offer_axes()

    # Events

    def show_tables(self) -> None:
        """The study's tables stay, whichever recording is current."""

    def _steps(self) -> list[Step]:
        if self.folder is None:
            return []
        return [Step.of("study", folder=self.folder.name, filters=self.filters.chosen())]

    # A study

    def run(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open study")
        if folder:
            self.open_study(Path(folder))

    def open_study(self, folder: Path) -> None:
        """Open the folder that a batch wrote.

        Raises
        ------
        AlloyError
            If it holds no study.
        """
        from napari_lithium_alloy.io.study_tables import study_files

        names = list(study_files(folder))
        self.start(_read(folder, LIST), functools.partial(self._opened, folder, names))

    def _opened(self, folder: Path, names: list[str], recordings: pd.DataFrame) -> None:
        from napari_lithium_alloy.io.study_tables import conditions_of

        self.folder, self.loaded = folder, {LIST: recordings}
        self.conditions = conditions_of(recordings)
        self.tables.offer(names)
        self.tables.choose(LIST)
        usable = (recordings["status"] == "analysed").sum()
        said = f"{folder.name}: {usable} of {len(recordings)} recordings analysed."
        lost = recordings[recordings["status"] == "failed"]
        self.status.setText(" ".join([said, *(f"{n} failed." for n in lost[RECORDING])]))
        self._table_came(LIST, recordings)

    def _choose_table(self, _index: int) -> None:
        name = self.tables.chosen
        if self.folder is None or name in self.loaded:
            self._offer()
            return
        with self.errors_shown():
            self.start(_read(self.folder, name), functools.partial(self._table_came, name))

    def _table_came(self, name: str, table: pd.DataFrame) -> None:
        self.loaded[name] = table
        self._offer()

    @property
    def rows(self) -> pd.DataFrame:
        """Rows of the chosen table that the filters let through."""
        return self.filters.apply(self.loaded.get(self.tables.chosen, pd.DataFrame()))

    # Choices

    def _offer(self) -> None:
        table = self.loaded.get(self.tables.chosen)
        if table is None:
            return
        conditions = [c for c in self.conditions if c in table]
        self.filters.show_columns(table, conditions, keys_of(table, ""))
        self._offer_axes()
        self._show()
        self.canvas.hint.setText("Nothing in this table is plotted.")
        self.fit()

    def _offer_axes(self) -> None:
        table = self.loaded.get(self.tables.chosen, pd.DataFrame())
        plotted = [c for c in table.columns if self._is_plotted(table, c)]
        _fill(self.y_box, plotted, next((c for c in FIRST if c in plotted), ""))
        _fill(self.x_box, [c for c in self.conditions if c in table], CURRENT_DENSITY)

    def _is_plotted(self, table: pd.DataFrame, name: str) -> bool:
        numeric = pd.api.types.is_numeric_dtype(table[name])
        words = pd.api.types.is_bool_dtype(table[name]) or name in (*self.conditions, *KEYS)
        return RECORDING in table and numeric and not words and bool(table[name].notna().any())

    def _show(self, _event: Any = None) -> None:
        rows, name = self.rows, self.tables.chosen
        self.tables.show_tables({name: rows})
        y, x = self.y_box.currentData(), self.x_box.currentData()
        if y is None or x is None:
            self.canvas.show_against(Against(), "", "", "")
            return
        split = [c for c in self.conditions if c != x and rows[c].nunique(dropna=False) > 1]
        keys = [v for k, v in self.filters.chosen().items() if k not in self.conditions]
        title = ", ".join([sentence(name), *keys])
        self.canvas.show_against(against(rows, x, split, y), x, y, title)

    # Recordings

    def _open_clicked(self, name: str) -> None:
        with self.errors_shown():
            self.open_recording(name)

    def _open_row(self, index: QModelIndex) -> None:
        shown = self.tables.model.table
        if RECORDING in shown:
            self._open_clicked(str(shown[RECORDING].iloc[index.row()]))

    def open_recording(self, name: str) -> None:
        """Open a recording of the study in the viewer, or turn to it where it is open.

        Raises
        ------
        AlloyError
            If it cannot be opened, or there is none of that name.
        """
        recordings = self.loaded.get(LIST, pd.DataFrame({RECORDING: []}))
        own = recordings[recordings[RECORDING] == name]
        if self.folder is None or not len(own):
            raise AlloyError(f"The study has no recording {name}.")
        path = (self.folder / own["path"].iloc[0]).resolve()
        which = own["recording_name"].iloc[0]
        which = None if pd.isna(which) else str(which)
        known = [o for o in self.session.opened if _is_of(o.experiment.source, path)]
        if known:
            self.session.current = chosen(known, which)
        else:
            open_in(self.viewer, path, which)
        self.status.setText(f"{name} is open.")


def _read(folder: Path, name: str) -> Work[pd.DataFrame]:
    from napari_lithium_alloy.io.study_tables import read_study_table

    yield 0, 1
    return read_study_table(folder, name)


def _is_of(source: str, path: Path) -> bool:
    """Whether an experiment came from a recording's path, which may be its folder."""
    whole = Path(source).resolve()
    return path in (whole, whole.parent)


def _fill(box: QComboBox, names: list[str], preferred: str) -> None:
    """Offer columns; the one chosen stays where it is offered."""
    before = box.currentData()
    box.clear()
    for name in names:
        box.addItem(header(name), name)
    wanted = before if before in names else preferred
    if wanted in names:
        box.setCurrentIndex(names.index(wanted))
    box.setEnabled(bool(names))
