"""Asks which columns of a cycler's file are time, potential and current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QGridLayout, QLabel, QWidget

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.io.cyclers import OFFERED_UNITS, QUANTITIES, columns_of, read_potential
from napari_lithium_alloy.io.stages_file import save_columns

BY_NAME = "as its name says"
NONE = "none"
CHOOSE = "choose…"
WIDE_PX = 460


class PotentialDialog(QDialog):
    """Columns and units of a cycler's file; accepted only when the file can be read so.

    Parameters
    ----------
    parent : QWidget
    path : Path
    names : sequence of str
        The file's columns.
    told : mapping of str to str
        Columns that are told by their names to be "time", "potential" and "current".
    """

    def __init__(
        self, parent: QWidget, path: Path, names: Sequence[str], told: Mapping[str, str]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Potential")
        self.setMinimumWidth(WIDE_PX)
        self.path, self.told = path, dict(told)
        self.curve: PotentialCurve | None = None
        self.columns = {q: self._column(q, names, told.get(q)) for q in QUANTITIES}
        self.units = {q: self._unit(q) for q in QUANTITIES}
        self.said = QLabel()
        self.said.setWordWrap(True)
        Button = QDialogButtonBox.StandardButton  # noqa: N806 - a class of Qt's
        buttons = QDialogButtonBox(Button.Ok | Button.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        grid = QGridLayout(self)
        grid.addWidget(QLabel(f"Columns of {path.name}"), 0, 0, 1, 3)
        for row, quantity in enumerate(QUANTITIES, 1):
            grid.addWidget(QLabel(quantity.capitalize()), row, 0)
            grid.addWidget(self.columns[quantity], row, 1)
            grid.addWidget(self.units[quantity], row, 2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.said, 4, 0, 1, 3)
        grid.addWidget(buttons, 5, 0, 1, 3)

    def _column(self, quantity: str, names: Sequence[str], told: str | None) -> QComboBox:
        box = QComboBox()
        box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(16)
        first = CHOOSE if quantity != "current" else NONE
        box.addItem(first if told is None else f"{told} (told by its name)")
        box.addItems(list(names))
        box.setToolTip(f"Column of the file that holds the {quantity}")
        return box

    def _unit(self, quantity: str) -> QComboBox:
        box = QComboBox()
        box.addItems([BY_NAME, *OFFERED_UNITS[quantity]])
        box.setToolTip(
            f"Unit of this column; {OFFERED_UNITS[quantity][0]} where its name says none"
        )
        return box

    def accept(self) -> None:
        """Read the file as chosen; where that fails say why and stay."""
        units = {q: b.currentText() for q, b in self.units.items() if b.currentIndex() > 0}
        columns = {q: name for q, name in self.told.items() if q in units}
        columns |= {q: b.currentText() for q, b in self.columns.items() if b.currentIndex() > 0}
        try:
            self.curve = read_potential(self.path, columns=columns, units=units)
        except AlloyError as error:
            self.said.setText(str(error))
            return
        super().accept()


def ask_potential(parent: QWidget, path: Path) -> PotentialCurve | None:
    """The potential in a cycler's file with the columns somebody chooses; None if cancelled.

    Raises
    ------
    AlloyError
        If the file is no cycler's file, or damaged.
    """
    names, told = columns_of(path)
    dialog: Any = PotentialDialog(parent, path, names, told)
    return dialog.curve if dialog.exec() else None


def choose_columns(parent: QWidget, recording_file: Path, path: Path) -> bool:
    """Have columns of a cycler's file chosen and kept in recording.toml; whether they were.

    Raises
    ------
    AlloyError
        If recording.toml cannot be written.
    """
    curve = ask_potential(parent, path)
    if curve is None:
        return False
    save_columns(recording_file, curve.chosen)
    return True


def told_in(curve: PotentialCurve) -> str:
    """What was read, for people."""
    times, volts, current = curve.times_s, curve.potential_v, curve.current_ma
    words = [
        f"Potential: {len(times)} points",
        f"{times[0]:g} to {times[-1]:g} s",
        f"{volts.min():.3g} to {volts.max():.3g} V",
        "no current" if current is None else f"{current.min():.3g} to {current.max():.3g} mA",
    ]
    return ", ".join(words) + "."
