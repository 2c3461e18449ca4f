"""Links the clocks of cycler and recording: typed, suggested, or by two clicks."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QPushButton, QWidget

from napari_lithium_alloy.core.galvanostatic import PotentialCurve


class ClockBox(QWidget):
    """The clock offset of a potential curve, cycler time minus recording time."""

    offset_set = Signal(float)
    """Typed or found by two clicks, seconds."""
    said = Signal(str)
    """What the user should do or know next."""

    def __init__(self) -> None:
        super().__init__()
        self._first_s: float | None = None
        self.offset = QDoubleSpinBox()
        self.offset.setRange(-1e7, 1e7)
        self.offset.setDecimals(2)
        self.offset.setKeyboardTracking(False)
        self.offset.setToolTip("Cycler time minus recording time; shifts the potential")
        self.offset.valueChanged.connect(self.offset_set)
        self.suggest = QPushButton("Suggest")
        self.suggest.setToolTip(
            "The offset (within 300 s) at which most steps of picture and potential coincide"
        )
        self.points = QPushButton("Two points…")
        self.points.setCheckable(True)
        self.points.setToolTip(
            "Click one moment on the potential, then the same moment on the mean intensity"
        )
        self.points.toggled.connect(self._points_toggled)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.addWidget(QLabel("Clock offset (s)"), 0, 0)
        grid.addWidget(self.offset, 0, 1)
        grid.addWidget(self.suggest, 1, 0)
        grid.addWidget(self.points, 1, 1)
        for column in (0, 1):
            grid.setColumnStretch(column, 1)

    def show_curve(self, curve: PotentialCurve | None) -> None:
        """Show the offset of a potential curve."""
        self.setEnabled(curve is not None)
        self.offset.blockSignals(True)
        self.offset.setValue(0.0 if curve is None else curve.clock_offset_s)
        self.offset.blockSignals(False)
        if curve is None:
            self.points.setChecked(False)

    def take_click(self, time_s: float) -> bool:
        """Whether a click on the plot, at a time of the recording, is one of the two points."""
        if not self.points.isChecked():
            return False
        if self._first_s is None:
            self._first_s = time_s
            self.said.emit("Now click the same moment on the mean intensity.")
            return True
        offset_s = self.offset.value() + self._first_s - time_s
        self.points.setChecked(False)
        self.offset_set.emit(offset_s)
        return True

    def _points_toggled(self, wanted: bool) -> None:
        self._first_s = None
        self.said.emit("Click a moment on the potential." if wanted else "")
