"""Correct and align: steady frames, and other pictures laid over them."""

from qtpy.QtWidgets import QTabBar, QVBoxLayout, QWidget

from napari_lithium_alloy._napari.align_page import AlignPage
from napari_lithium_alloy._napari.correct_page import CorrectPage
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plot_dock import TimePlotDock

CORRECT, ALIGN = 0, 1
RUNS = {
    CORRECT: ("Measure", "Find drift, lamp and bad pixels in the frames as read"),
    ALIGN: ("Align", "Lay the picture over the recording"),
}
TABLE_OF = {CORRECT: "corrections", ALIGN: "alignment"}


class CorrectAndAlign(TimePlotDock):
    """Lamp, drift and camera of the current recording, and what is laid over it."""

    TITLE = "Correct"
    TABLES = ("corrections", "alignment", "landmarks")
    RUN = "Measure"

    def controls(self) -> QWidget:
        self.correct, self.align = CorrectPage(self), AlignPage(self)
        self.canvas = self.correct.canvas
        self.pages = QTabBar()
        self.pages.addTab("Correct frames")
        self.pages.addTab("Align pictures")
        self.pages.setExpanding(True)
        self.pages.currentChanged.connect(self._page_chosen)
        return self.pages

    def _lay_out(self) -> None:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.controls())
        layout.addWidget(self._recording_row())
        layout.addWidget(self.correct.form)
        layout.addWidget(self.align.form)
        layout.addLayout(self._run_row())
        layout.addWidget(self.status)
        layout.addWidget(self.correct.result)
        layout.addWidget(self.align.result)
        layout.addWidget(self.tables, 1)
        self._scroll(inner)
        self._page_chosen(CORRECT)

    def connect_events(self) -> None:
        if not self._connected:
            self.align.connect(follow=True)
        super().connect_events()

    def disconnect_events(self) -> None:
        if self._connected:
            self.align.connect(follow=False)
        super().disconnect_events()

    def take(self, opened: Opened) -> None:
        self.correct.take(opened)

    def refresh(self) -> None:
        self.correct.refresh()
        self.align.refresh()

    def run(self) -> None:
        page = self.align if self.pages.currentIndex() == ALIGN else self.correct
        page.run()

    def _page_chosen(self, page: int) -> None:
        for one, at in ((self.correct, CORRECT), (self.align, ALIGN)):
            one.form.setVisible(page == at)
            one.result.setVisible(page == at)
        text, tip = RUNS[page]
        self.run_button.setText(text)
        self.run_button.setToolTip(tip)
        self.tables.choose(TABLE_OF[page])
        self.tables.plot_button.setVisible(page == CORRECT)
