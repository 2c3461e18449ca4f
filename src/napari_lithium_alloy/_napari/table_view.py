"""Tables of results: a sortable view with units in its headers, and their export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_lithium_alloy._napari.notify import alloy_errors_shown
from napari_lithium_alloy.core.column_names import header, sentence
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.provenance import Step

WIDEST_PX = 130
"""Width of a column at first; a longer text goes on in a second line."""
MOST_WRAPPED_ROWS = 500
Edited = Callable[[int, str, float], None]
"""Gets the label of a row, a column and the number typed there."""


class TableModel(QAbstractTableModel):
    """A pandas table for Qt, sortable by any column."""

    def __init__(self, table: pd.DataFrame | None = None) -> None:
        super().__init__()
        self.table = pd.DataFrame() if table is None else table
        self.editable: frozenset[str] = frozenset()
        self.edited: Edited | None = None

    def show(self, table: pd.DataFrame) -> None:
        """Show another table."""
        self.beginResetModel()
        self.table = table
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.table)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else self.table.shape[1]

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.TextAlignmentRole:
            numeric = pd.api.types.is_numeric_dtype(self.table.dtypes.iloc[index.column()])
            side = Qt.AlignmentFlag.AlignRight if numeric else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        shown = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole, Qt.ItemDataRole.ToolTipRole)
        if role not in shown:
            return None
        value = self.table.iat[index.row(), index.column()]
        if role != Qt.ItemDataRole.DisplayRole:
            return _text(value, 10)
        # Names of maps (cycle1_step2_alloyed_middle) break into lines at spaces only.
        return _text(value, 4).replace("_", " ")

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        typed = index.isValid() and self.table.columns[index.column()] in self.editable
        return flags | Qt.ItemFlag.ItemIsEditable if typed else flags

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Hand a number typed to `edited` with its row's label and its column."""
        try:
            number = float(str(value).replace(",", "."))
        except ValueError:
            return False
        if role != Qt.ItemDataRole.EditRole or self.edited is None or not isfinite(number):
            return False
        column = str(self.table.columns[index.column()])
        self.edited(int(self.table.index[index.row()]), column, number)
        return True

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return header(str(self.table.columns[section]))
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(self.table.columns[section])
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if not 0 <= column < self.table.shape[1]:
            return
        self.layoutAboutToBeChanged.emit()
        ascending = order == Qt.SortOrder.AscendingOrder
        self.table = self.table.sort_values(
            self.table.columns[column], ascending=ascending, kind="stable"
        )
        self.layoutChanged.emit()


def _text(value: Any, digits: int) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


class ResultTables(QWidget):
    """The tables of one dock and, in one place, their export and that of its plot.

    Parameters
    ----------
    names : sequence of str
        Tables it offers.
    steps : callable
        Gives the provenance written with an export.
    save_plot : callable, optional
        Saves the dock's plot to a path (PNG or SVG).
    """

    def __init__(
        self,
        names: Sequence[str],
        steps: Callable[[], Sequence[Step]],
        save_plot: Callable[[Path], None] | None = None,
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.tables: dict[str, pd.DataFrame] = {}
        self._steps, self._save_plot = steps, save_plot
        self._typed: tuple[str, frozenset[str], Edited | None] = ("", frozenset(), None)
        self.choice = QComboBox()
        self.choice.addItems([sentence(n) for n in names])
        self.choice.setToolTip("Table to show and to export as CSV")
        self.choice.setVisible(len(names) > 1)
        self.model = TableModel()
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setSortingEnabled(True)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.verticalHeader().hide()
        self.view.horizontalHeader().setResizeContentsPrecision(30)
        self.view.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideRight)
        self.view.setMinimumHeight(110)
        self.export_button = QPushButton("Export…")
        self.export_button.setToolTip("Save the table shown as CSV, or all of this dock as XLSX")
        self.export_button.clicked.connect(self._ask_export)
        self.plot_button = QPushButton("Save plot…")
        self.plot_button.setToolTip("Save the plot as PNG or SVG")
        self.plot_button.setVisible(save_plot is not None)
        self.plot_button.clicked.connect(self._ask_plot)
        self.choice.currentIndexChanged.connect(self._show_chosen)
        self._lay_out()
        self._show_chosen()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.choice, 1)
        row.addStretch(0)
        row.addWidget(self.export_button)
        row.addWidget(self.plot_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view, 1)
        layout.addLayout(row)

    def offer(self, names: Sequence[str]) -> None:
        """Offer other tables; the one shown stays chosen where it is among them."""
        chosen = self.chosen
        self.names = tuple(names)
        self.choice.blockSignals(True)
        self.choice.clear()
        self.choice.addItems([sentence(n) for n in names])
        if chosen in self.names:
            self.choice.setCurrentIndex(self.names.index(chosen))
        self.choice.setVisible(len(names) > 1)
        self.choice.blockSignals(False)
        self._show_chosen()

    def show_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Show those of these tables that are this dock's."""
        shown = {n: tables[n] for n in self.names if n in tables}
        same = shown.keys() == self.tables.keys()
        if not same or any(shown[n] is not self.tables[n] for n in shown):
            self.tables = shown
            self._show_chosen()

    @property
    def chosen(self) -> str:
        """Name of the table shown."""
        return self.names[max(self.choice.currentIndex(), 0)] if self.names else ""

    def choose(self, name: str) -> None:
        """Show the table of a name."""
        self.choice.setCurrentIndex(self.names.index(name))

    def let_type(self, table: str, columns: Sequence[str], edited: Edited) -> None:
        """Let numbers be typed in columns of one table; `edited` gets row, column and number."""
        self._typed = (table, frozenset(columns), edited)
        self.view.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        self._show_chosen()

    def _show_chosen(self) -> None:
        name, columns, self.model.edited = self._typed
        self.model.editable = columns if name == self.chosen else frozenset()
        table = self.tables.get(self.chosen, pd.DataFrame())
        self.view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.model.show(table.dropna(axis="columns", how="all") if len(table) else table)
        self.view.resizeColumnsToContents()
        for column in range(self.model.columnCount()):
            if self.view.columnWidth(column) > WIDEST_PX:
                self.view.setColumnWidth(column, WIDEST_PX)
        if len(table) <= MOST_WRAPPED_ROWS:
            self.view.resizeRowsToContents()
        self.export_button.setEnabled(bool(self.tables))

    def export(self, path: Path) -> None:
        """Write the table shown to a .csv, or all tables of this dock to an .xlsx.

        Raises
        ------
        AlloyError
            If there is nothing to write, or the file cannot be written.
        """
        if not self.tables:
            raise AlloyError("There is no table yet; run the analysis first.")
        steps = list(self._steps())
        try:
            self._write(path, steps)
        except OSError as error:
            raise AlloyError(f"{path} cannot be written: {error.strerror}.") from error

    def _write(self, path: Path, steps: list[Step]) -> None:
        from napari_lithium_alloy.io.tables import write_csv, write_xlsx

        if path.suffix.lower() == ".xlsx":
            write_xlsx(path, self.tables, steps)
        elif self.chosen in self.tables:
            write_csv(path, self.tables[self.chosen], steps)
        else:
            raise AlloyError(f"The table {self.chosen} is empty; choose another.")

    def _ask_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export", f"{self.chosen}.csv", "CSV (*.csv);;Excel workbook (*.xlsx)"
        )
        if path:
            with alloy_errors_shown():
                self.export(Path(path))

    def _ask_plot(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save plot", "plot.png", "PNG image (*.png);;SVG drawing (*.svg)"
        )
        if path and self._save_plot is not None:
            with alloy_errors_shown():
                self._save_plot(Path(path))
