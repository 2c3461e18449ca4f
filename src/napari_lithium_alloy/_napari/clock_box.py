"""The link of the cycler's clock: typed, suggested, by points, or from time stamps."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QPushButton, QWidget

from napari_lithium_alloy.core.galvanostatic import ClockLink

WAYS = {
    "typed": "typed",
    "points": "by points",
    "time stamps": "from time stamps",
    "steps": "suggested",
}


class ClockBox(QWidget):
    """Offset and rate of the cycler's clock, the ways to find them, and how well they fit."""

    typed = Signal(float, float)
    """Offset in seconds and rate, as they stand after one was typed."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = _number(-1e9, 1e9, 2, "Cycler time at the recording's time 0")
        self.rate = _number(1e-6, 1e6, 6, "Cycler seconds per second of the recording, 1 as a rule")
        self.rate.setSingleStep(1e-4)
        self.suggest = QPushButton("Suggest")
        self.suggest.setToolTip(
            "The offset (within 300 s) at which most steps of picture and potential coincide"
        )
        self.points = QPushButton("Points…")
        self.points.setCheckable(True)
        self.points.setToolTip(
            "Click one moment on the potential, then the same moment on the mean intensity: one "
            "pair gives the offset, a second pair the rate, too"
        )
        self.stamps = QPushButton("Time stamps")
        self.stamps.setToolTip(
            "The offset from the absolute times in the cycler's and in the images' file"
        )
        self.fit = QLabel()
        self.fit.setToolTip(
            "Residual: root mean square by which steps of the picture still differ in time from "
            "those of the potential, over the steps that have a counterpart"
        )
        self._lay_out()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        for column, widget in enumerate(
            (QLabel("Offset (s)"), self.offset, QLabel("Rate"), self.rate)
        ):
            grid.addWidget(widget, 0, column)
        buttons = QGridLayout()
        for column, button in enumerate((self.suggest, self.points, self.stamps)):
            buttons.addWidget(button, 0, column)
        grid.addLayout(buttons, 1, 0, 1, 4)
        grid.addWidget(self.fit, 2, 0, 1, 4)
        for column in (1, 3):
            grid.setColumnStretch(column, 1)
        for box in (self.offset, self.rate):
            box.valueChanged.connect(self._typed)

    def show_link(self, clock: ClockLink | None, fit: str = "") -> None:
        """Show a link and, in words, how well it fits; None where there is no potential."""
        self.setEnabled(clock is not None)
        clock = ClockLink() if clock is None else clock
        for box, value in ((self.offset, clock.offset_s), (self.rate, clock.rate)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        if not self.isEnabled():
            self.points.setChecked(False)
        self.fit.setText(", ".join(filter(None, (WAYS.get(clock.way, clock.way), fit))))

    def _typed(self) -> None:
        self.typed.emit(self.offset.value(), self.rate.value())


def _number(low: float, high: float, decimals: int, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setDecimals(decimals)
    box.setKeyboardTracking(False)
    box.setMinimumWidth(60)
    box.setButtonSymbols(box.ButtonSymbols.NoButtons)  # room for the digits
    box.setToolTip(tip)
    return box
