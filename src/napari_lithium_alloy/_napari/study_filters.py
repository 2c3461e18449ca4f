"""Choices that narrow a study's table down: a condition's value, what a row is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget

from napari_lithium_alloy.core.column_names import header

ALL = "all"
LETTERS = 9
"""Of a box's choice that are seen at least."""


class Filters(QWidget):
    """A box a column; the values it had stay chosen where the next table has them, too."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.boxes: dict[str, QComboBox] = {}
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._chosen: dict[str, str] = {}

    def show_columns(
        self, rows: pd.DataFrame, conditions: Sequence[str], keys: Sequence[str]
    ) -> None:
        """Offer the values of these columns.

        Parameters
        ----------
        rows : pandas.DataFrame
        conditions : sequence of str
            All values of them are shown unless one is chosen.
        keys : sequence of str
            What a row is of: one value of each is shown, the first unless another is chosen.
        """
        while self._form.rowCount():
            self._form.removeRow(0)
        self.boxes = {}
        for name in (*conditions, *keys):
            values = list(dict.fromkeys(text_of(v) for v in _sorted(rows[name])))
            if len(values) < 2:
                continue
            box = QComboBox()
            narrow(box)
            box.addItems([ALL, *values] if name in conditions else values)
            box.setCurrentText(self._chosen.get(name, box.itemText(0)))
            box.currentTextChanged.connect(self._changed)
            self.boxes[name] = box
            self._form.addRow(header(name), box)
        self.setVisible(bool(self.boxes))

    def chosen(self) -> dict[str, str]:
        """Values chosen, by column."""
        every = {name: box.currentText() for name, box in self.boxes.items()}
        return {name: value for name, value in every.items() if value != ALL}

    def apply(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of the chosen values; columns a table does not have narrow nothing."""
        for name, value in self.chosen().items():
            if name in rows:
                rows = rows[rows[name].map(text_of, na_action=None) == value]
        return rows

    def _changed(self, _text: str) -> None:
        self._chosen |= {name: box.currentText() for name, box in self.boxes.items()}
        self.changed.emit()


def narrow(box: QComboBox) -> None:
    """Let a box be narrower than what it offers."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(LETTERS)


def _sorted(values: pd.Series) -> pd.Series:
    """Numbers in their order, words as they come."""
    return values.sort_values() if pd.api.types.is_numeric_dtype(values) else values


def text_of(value: Any) -> str:
    """A value as a filter shows it."""
    if pd.isna(value):
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
