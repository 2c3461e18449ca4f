"""Correct and align: steady frames, and other pictures laid over them."""

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_lithium_alloy._napari.correct_page import CorrectPage
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plot_dock import PlotDock


class CorrectAndAlign(PlotDock):
    """Lamp, drift and camera of the current recording."""

    TITLE = "Correct"
    TABLES = ("corrections",)
    RUN = "Measure"

    def controls(self) -> QWidget:
        self.correct = CorrectPage(self)
        self.canvas = self.correct.canvas
        return self.correct.form

    def _lay_out(self) -> None:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._recording_row())
        layout.addWidget(self.controls())
        layout.addLayout(self._run_row())
        layout.addWidget(self.status)
        layout.addWidget(self.correct.result)
        layout.addWidget(self.tables, 1)
        self._scroll(inner)
        self.run_button.setToolTip("Find drift, lamp and bad pixels in the frames as read")

    def take(self, opened: Opened) -> None:
        self.correct.take(opened)

    def refresh(self) -> None:
        self.correct.refresh()

    def run(self) -> None:
        self.correct.run()
