"""Timeline: potential and mean intensity on one clock, with the stages of cell and field."""

import functools
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QDockWidget,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_lithium_alloy._napari.field_signal import (
    FieldSignal,
    detected_in,
    field_signal,
    moments_in,
)
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plot_dock import TimePlotDock
from napari_lithium_alloy._napari.timeline_canvas import TimelineCanvas
from napari_lithium_alloy._napari.timeline_clock import TimelineClock
from napari_lithium_alloy._napari.timeline_content import SIGNALS, content_of, li_label
from napari_lithium_alloy._napari.timeline_files import TimelineFiles
from napari_lithium_alloy._napari.timeline_plot import TIME, TimelinePlot
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.stages import Bound, Stage, merge_detected, move_bound
from napari_lithium_alloy.parts import stage_tables

SIDE_PX = 330


class Timeline(TimePlotDock):
    """Potential, mean intensity and stages against time or Li content."""

    TITLE = "Timeline"
    TABLES = ("stages", "stage_lags")
    RUN = "Detect stages"

    def controls(self) -> QWidget:
        self._tried: tuple[Any, ...] = ()
        self._tabled: Any = None
        self._placed = False
        self.signal = QComboBox()
        self.signal.addItems(list(SIGNALS))
        self.signal.setToolTip("Mean of the field on the right axis")
        self.signal.currentIndexChanged.connect(self.draw)
        self.axis = QComboBox()
        self.axis.addItems([TIME, "x in LiₓM"])
        self.axis.setToolTip(
            "What curves are drawn against: time, where stages can be dragged, or x, where they "
            "are colours of the potential (dashed while Li leaves) and each cycle is a loop"
        )
        self.axis.currentIndexChanged.connect(self.draw)
        self.axis.activated.connect(self._axis_chosen)
        self.clock = TimelineClock(self)
        self.clock.box.points.toggled.connect(self._points_toggled)
        self.files = TimelineFiles(self)
        self.canvas = TimelineCanvas(self.viewer, "Potential and mean intensity are drawn here")
        self.canvas.time_clicked.connect(self._clicked)
        self.canvas.bound_moved.connect(self._bound_moved)
        return self.canvas

    def _lay_out(self) -> None:
        plot = self.controls()
        self.run_button.setToolTip(
            "Find the stages of cell and field; those set by hand or given stay as they are"
        )
        choices = QHBoxLayout()
        for choice, letters in ((self.signal, 12), (self.axis, 7)):
            choice.setSizeAdjustPolicy(
                choice.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            choice.setMinimumContentsLength(letters)
            choices.addWidget(choice, letters)
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.recording_box)
        layout.addLayout(choices)
        layout.addLayout(self._run_row())
        layout.addWidget(self.clock.box)
        layout.addWidget(self.files.box)
        layout.addWidget(self.status)
        layout.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(side)
        area.setFixedWidth(SIDE_PX)
        split = QSplitter()
        split.addWidget(plot)
        split.addWidget(self.tables)
        split.setSizes([700, 500])
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 6, 6, 6)
        row.addWidget(area)
        row.addWidget(split, 1)
        self.tables.view.setMinimumHeight(60)
        self.tables.let_type("stages", ("start_s", "end_s"), self._typed)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._placed:
            self._placed = True
            QTimer.singleShot(0, self._move_down)

    def _move_down(self) -> None:
        """Go to the bottom, wide: the menu opens every dock at the right."""
        dock, main = self.parent(), self.window()
        at_right = Qt.DockWidgetArea.RightDockWidgetArea
        docked = isinstance(dock, QDockWidget) and isinstance(main, QMainWindow)
        if docked and main.dockWidgetArea(dock) == at_right:
            main.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)

    def take(self, opened: Opened) -> None:
        mode = opened.recording.mode
        self.signal.setCurrentIndex({"trans": 1, "epi": 2}.get(mode or "", 0))

    def refresh(self) -> None:
        opened = self.session.current
        self.clock.show()
        self.files.show()
        if opened is not None and opened.experiment is not self._tabled:
            self._tabled = opened.experiment
            opened.tables |= stage_tables(opened.experiment)
            self.show_tables()
        self.draw()
        self._measure(opened)

    def _measure(self, opened: Opened | None) -> None:
        """Measure the field and how the clock fits where they aren't known; once, if cancelled."""
        if opened is None or self.busy:
            return
        known, potential = opened.field_signal, opened.experiment.potential
        lacking = known is None or not known.is_of(opened)
        read = potential and (potential.source, tuple(potential.columns.items()))
        wanted = (opened.recording, opened.normalization, read)
        if wanted == self._tried:
            return
        self._tried = wanted
        if potential is not None and (lacking or self.clock.wanted(opened)):
            work = moments_in(opened, potential)
            self.start(work, functools.partial(self._measured_both, opened))
        elif lacking:
            self.start(field_signal(opened), functools.partial(self._measured, opened))

    def _measured(self, opened: Opened, signal: FieldSignal) -> None:
        opened.field_signal = signal
        self.draw()

    def _measured_both(self, opened: Opened, found: tuple[FieldSignal, Any]) -> None:
        self.clock.take(opened, found)
        self.draw()

    # Stages

    def run(self) -> None:
        opened = self.session.need_current()
        self.start(detected_in(opened), functools.partial(self._merge, opened))

    def _merge(self, opened: Opened, found: tuple[FieldSignal, list[Stage]]) -> None:
        opened.field_signal, detected = found
        given = [s for s in opened.experiment.stages if s.source == "given"]
        merged = merge_detected(given, detected)
        opened.did(Step.of("detect_stages", stages=[s.key for s in merged]))
        self.session.change_experiment(opened, stages=merged)
        n = sum(s.source == "detected" for s in merged)
        words = f"{n} stages detected" if n else "No stage was detected"
        kept = f"; {len(given)} set by hand or given kept." if given else "."
        self.status.setText(words + kept)

    def _bound_moved(self, stage: Stage, bound: Bound, time_s: float) -> None:
        opened = self.session.need_current()
        stages = move_bound(opened.experiment.stages, stage, bound, time_s)
        self.session.change_experiment(opened, stages=stages)

    def _typed(self, row: int, column: str, time_s: float) -> None:
        stages = self.session.need_current().experiment.stages
        stage = sorted(stages, key=lambda s: (s.start_s, s.scope))[row]
        self._bound_moved(stage, column, time_s)

    # Clock

    def _clicked(self, time_s: float) -> None:
        if not self.clock.take_click(time_s):
            self.session.show_time(time_s)

    def _points_toggled(self, wanted: bool) -> None:
        if wanted:
            self.axis.setCurrentIndex(0)  # moments are clicked in time

    # Plot

    def _axis_chosen(self, index: int) -> None:
        self.status.setText("Bounds of stages are dragged against time." if index else "")

    def draw(self) -> None:
        """Draw what is known of the current recording."""
        opened = self.session.current
        if opened is None:
            nothing = np.empty(0)
            self.canvas.show_plot(
                TimelinePlot(x_label=TIME, y_label="", li_times_s=nothing, li_content=nothing)
            )
            return
        self.axis.setItemText(1, li_label(opened))
        by_li = self.axis.currentIndex() == 1
        plot = content_of(opened, self.signal.currentText(), by_li=by_li)
        self.axis.setEnabled(bool(np.isfinite(plot.li_content).any()))
        if by_li and not plot.by_li:
            self.axis.setCurrentIndex(0)
            return
        self.canvas.show_plot(plot)
        self.canvas.show_time(self.session.time_s)
