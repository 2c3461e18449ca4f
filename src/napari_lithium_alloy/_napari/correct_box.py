"""Form and buttons of the correction of a recording's frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_lithium_alloy._napari.correction_plot import CorrectionCanvas
from napari_lithium_alloy._napari.forms import Field, Form
from napari_lithium_alloy.core.correction import CorrectionParameters

FIELDS = {
    "drift": Field(label="Drift", tip="The sample's movement, where it exceeds its uncertainty"),
    "bad_pixels": Field(
        label="Hot and dead pixels", tip="Replaced by the median of their neighbours"
    ),
    "flat_field": Field(
        label="Flat field",
        tip="auto: the file given with the recording, else, where the sample drifts, the smooth "
        "illumination of the pristine film, taken to be even",
    ),
    "lamp": Field(
        label="Lamp",
        tip="auto: by bare glass or the reference below, else by the rest before current and its "
        "flicker; flicker only: slow changes stay",
    ),
}
CHOICES = {
    "flat_field": (("auto", "auto"), ("off", "none")),
    "lamp": (("auto", "auto"), ("flicker only", "flicker"), ("off", "none")),
}
AUTOMATIC = "found automatically"


class RegionChoice(QComboBox):
    """The lamp's reference: found automatically, or one of the regions there are."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: Callable[[], Sequence[str]] = tuple
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setToolTip(
            "What does not change, to tell the lamp by: bare glass in trans, found automatically, "
            "or a region drawn in the ROI layer"
        )
        self.show_region("")

    @property
    def region(self) -> str:
        """Name of the region; empty for what is found automatically."""
        return self.currentText() if self.currentIndex() > 0 else ""

    def show_region(self, region: str) -> None:
        """Offer the regions there are, and choose one."""
        names = [n for n in self.offered() if n != region]
        self.blockSignals(True)
        self.clear()
        self.addItems([AUTOMATIC, *([region] if region else []), *names])
        self.setCurrentIndex(1 if region else 0)
        self.blockSignals(False)

    def showPopup(self) -> None:
        self.show_region(self.region)
        super().showPopup()


class CorrectForm(QWidget):
    """What is corrected; tells when it is changed by hand."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.form: Form[CorrectionParameters] = Form(CorrectionParameters(), FIELDS)
        for name, choices in CHOICES.items():
            self.form[name].choices = choices
        for widget in self.form.widgets.values():
            widget.changed.connect(self._edited)
        self.region = RegionChoice()
        self.region.currentIndexChanged.connect(self._edited)
        self.draw_button = QPushButton("Draw")
        self.draw_button.setToolTip("Draw the lamp's reference in the ROI layer")
        reference = QWidget()
        row = QHBoxLayout(reference)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.region, 1)
        row.addWidget(self.draw_button)
        self.form.native.layout().addRow("Lamp's reference", reference)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form.native)
        self._showing = False

    @property
    def value(self) -> CorrectionParameters:
        """The parameters as they stand."""
        return dataclasses.replace(self.form.value, reference_region=self.region.region)

    @value.setter
    def value(self, parameters: CorrectionParameters) -> None:
        self._showing = True
        self.form.value = parameters
        self.region.show_region(parameters.reference_region)
        self._showing = False

    def _edited(self, _value: Any = None) -> None:
        if not self._showing:
            self.changed.emit()


class CorrectResult(QWidget):
    """What was measured, and buttons to look at it, use it and keep it."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.canvas = CorrectionCanvas(viewer, "Shifts and lamp are drawn here")
        self.in_use = QLabel()
        self.in_use.setWordWrap(True)
        self.preview = QCheckBox("Show corrected")
        self.preview.setToolTip("The recording's layer shows corrected frames, made when shown")
        self.apply = QPushButton("Apply")
        self.apply.setToolTip("All docks work on the corrected frames from now on")
        self.undo = QPushButton("Undo")
        self.undo.setToolTip("All docks work on the frames as they were read again")
        self.save = QPushButton("Save…")
        self.save.setToolTip("Write what is chosen above into recording.toml as [correction]")
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.preview, 0, 0)
        grid.addWidget(self.apply, 0, 1)
        grid.addWidget(self.undo, 0, 2)
        grid.addWidget(self.in_use, 1, 0, 1, 2)
        grid.addWidget(self.save, 1, 2, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addWidget(self.canvas)
