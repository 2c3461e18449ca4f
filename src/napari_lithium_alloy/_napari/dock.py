"""What all docks have: recording line, Run, progress and Cancel, status, tables."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.table_view import ResultTables
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.progress import Progress, Work

PROGRESS_S = 0.1


class RecordingBox(QComboBox):
    """Chooses the recording all docks of the viewer work on."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setToolTip("The recording the docks work on; follows the selected layer")

    def show_recordings(self, opened: list[Opened], current: Opened | None) -> None:
        """Offer these recordings."""
        self.blockSignals(True)
        self.clear()
        for one in opened:
            mode = one.recording.mode
            self.addItem(f"{one.name} ({mode})" if mode and mode not in one.name else one.name)
        if current in opened:
            self.setCurrentIndex(opened.index(current))
        if not opened:
            self.addItem("no recording open")
        self.setEnabled(bool(opened))
        self.blockSignals(False)


class Dock(QWidget):
    """A dock of the plugin.

    Subclasses build their controls in `controls`, start their analysis in `run`, and list the
    tables they show in `TABLES`. Events of session and viewer are connected while the dock is
    open and let go when it closes; what is done meanwhile is read anew when it opens again.
    """

    TITLE: ClassVar[str] = ""
    TABLES: ClassVar[tuple[str, ...]] = ()
    RUN: ClassVar[str] = "Run"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.session = session_of(self.viewer)
        self._worker: Any = None
        self._work: Work[Any] | None = None
        self._cancelled = threading.Event()
        self._done: Callable[[Any], None] | None = None
        self._connected = False
        self._taken: Opened | None = None
        self.setWindowTitle(self.TITLE)
        self.recording_box = RecordingBox()
        self.recording_box.activated.connect(self._choose_recording)
        self.run_button = QPushButton(self.RUN)
        self.run_button.clicked.connect(self._run_clicked)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(self.cancel)
        self.progress = QProgressBar()
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.tables = ResultTables(self.TABLES, self._steps, self._plot_saver())
        self._lay_out()
        self._show_busy(False)
        self.connect_events()

    # What a dock is made of

    def controls(self) -> QWidget:
        """The dock's own controls."""
        return QWidget()

    def results(self) -> QWidget | None:
        """What stands between the status line and the tables, if anything."""
        return None

    def run(self) -> None:
        """Start the dock's analysis.

        Raises
        ------
        AlloyError
            If it cannot be started; shown as a notification.
        """

    def refresh(self) -> None:
        """Show the current recording's choices and results."""

    def take(self, opened: Opened) -> None:
        """Show the parameters of a recording the dock has turned to."""

    def layers_changed(self, _event: Any = None) -> None:
        """Take notice of layers that came or went."""

    def _plot_saver(self) -> Any:
        return None

    # Layout

    def _lay_out(self) -> None:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._recording_row())
        layout.addWidget(self.controls())
        layout.addLayout(self._run_row())
        layout.addWidget(self.status)
        results = self.results()
        if results is not None:
            layout.addWidget(results)
        layout.addWidget(self.tables, 1)
        self._scroll(inner)

    def _scroll(self, inner: QWidget) -> None:
        """Put controls that may be taller than the dock into it."""
        area = self._area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(inner)
        self.fit()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def fit(self) -> None:
        """Make the dock as wide as its controls need."""
        bar = self._area.verticalScrollBar().sizeHint().width()
        self._area.setMinimumWidth(self._area.widget().minimumSizeHint().width() + bar)

    def _recording_row(self) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Recording"))
        row.addWidget(self.recording_box, 1)
        return box

    def _run_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.run_button, 1)
        row.addWidget(self.progress, 1)
        row.addWidget(self.cancel_button)
        return row

    # Events

    def connect_events(self) -> None:
        """Follow session and viewer, and show their state."""
        if not self._connected:
            self._connected = True
            self.session.recordings_changed.connect(self._session_changed)
            self.session.current_changed.connect(self._session_changed)
            self.session.results_changed.connect(self._results_changed)
            self.viewer.layers.events.inserted.connect(self.layers_changed)
            self.viewer.layers.events.removed.connect(self.layers_changed)
        self._session_changed()

    def disconnect_events(self) -> None:
        """Let go of session and viewer, and stop what runs."""
        if self._connected:
            self._connected = False
            self.session.recordings_changed.disconnect(self._session_changed)
            self.session.current_changed.disconnect(self._session_changed)
            self.session.results_changed.disconnect(self._results_changed)
            self.viewer.layers.events.inserted.disconnect(self.layers_changed)
            self.viewer.layers.events.removed.disconnect(self.layers_changed)
            self.cancel()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._connected:
            self.connect_events()

    def hideEvent(self, event: QHideEvent) -> None:
        if not event.spontaneous():
            self.disconnect_events()
        super().hideEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.disconnect_events()
        return super().event(event)

    def _session_changed(self) -> None:
        current = self.session.current
        self.recording_box.show_recordings(self.session.opened, current)
        if current is not None and current is not self._taken:
            self._taken = current
            self.take(current)
        with self.errors_shown():
            self.refresh()
        self.show_tables()

    def _results_changed(self, kind: str) -> None:
        if kind == "tables":
            self.show_tables()
        else:
            with self.errors_shown():
                self.refresh()

    def _choose_recording(self, index: int) -> None:
        if index < len(self.session.opened):
            self.session.current = self.session.opened[index]

    def show_tables(self) -> None:
        """Show the current recording's tables."""
        current = self.session.current
        self.tables.show_tables({} if current is None else current.tables)

    def _steps(self) -> Any:
        return () if self.session.current is None else self.session.current.steps

    # Work

    @property
    def busy(self) -> bool:
        """Whether an analysis runs."""
        return self._worker is not None

    def start(self, work: Work[Any], done: Callable[[Any], None]) -> None:
        """Run long work beside the viewer; `done` gets its result in the viewer's thread."""
        from napari.qt.threading import create_worker

        if self.busy:
            raise AlloyError("An analysis is running; cancel it or wait for it to end.")
        self._done, self._work, self._cancelled = done, work, threading.Event()
        self._worker = create_worker(
            _guarded, work, self._cancelled, _start_thread=False, _ignore_errors=True
        )
        self._worker.yielded.connect(self._show_progress)
        self._worker.returned.connect(self._returned)
        self._worker.errored.connect(self._errored)
        self._worker.aborted.connect(self._stopped)
        self._show_busy(True)
        self._worker.start()

    def cancel(self) -> None:
        """Stop what runs at its next step; nothing of it is kept.

        The worker's own `quit` would leave the dock busy for ever where no step follows: a worker
        that is told to quit and comes to its end says neither that it ended nor that it stopped.
        """
        if self._worker is not None:
            self._cancelled.set()
            self.status.setText("Cancelled.")

    @contextmanager
    def errors_shown(self) -> Iterator[None]:
        """Show an AlloyError raised inside as one notification and in the status line."""
        try:
            yield
        except AlloyError as error:
            self.fail(error)

    def fail(self, error: AlloyError) -> None:
        """Say what is wrong."""
        from napari.utils.notifications import show_error

        self.status.setText(str(error))
        show_error(str(error))

    def _run_clicked(self) -> None:
        with self.errors_shown():
            self.run()

    def _show_progress(self, progress: Progress) -> None:
        done, total = progress
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(done)

    def _returned(self, result: Any) -> None:
        done = self._done
        self._stopped()
        if self._cancelled.is_set():
            return
        if isinstance(result, _Refused):
            self.fail(result.error)
        elif done is not None:
            with self.errors_shown():
                done(result)

    def _errored(self, error: Exception) -> None:
        from napari.utils.notifications import notification_manager

        self._stopped()
        notification_manager.receive_error(type(error), error, error.__traceback__)

    def _stopped(self) -> None:
        if self._work is not None:
            self._work.close()  # a worker that was stopped leaves it open, and files with it
        self._worker = self._done = self._work = None
        self._show_busy(False)

    def _show_busy(self, busy: bool) -> None:
        self.run_button.setVisible(not busy)
        self.progress.setVisible(busy)
        self.cancel_button.setVisible(busy)
        if busy:
            self.progress.setRange(0, 0)


class AnalysisFailedError(Exception):
    """An unforeseen RuntimeError of an analysis: a worker swallows RuntimeErrors themselves."""


@dataclass(frozen=True)
class _Refused:
    """An analysis that could not be done."""

    error: AlloyError


def _guarded(work: Work[Any], cancelled: threading.Event) -> Work[Any]:
    """The same work until it is cancelled, telling of its progress ten times a second at most.

    An AlloyError is wrapped in its result, so that it makes one notification and no traceback: a
    worker raises an exception it is handed.
    """
    told_s = 0.0
    try:
        while not cancelled.is_set():
            progress = next(work)
            if time.monotonic() - told_s > PROGRESS_S:
                told_s = time.monotonic()
                yield progress
        return None
    except StopIteration as stop:
        return stop.value
    except AlloyError as error:
        return _Refused(error)
    except RuntimeError as error:
        raise AnalysisFailedError(str(error)) from error
    finally:
        work.close()


def column(*widgets: QWidget) -> QWidget:
    """Controls below each other."""
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return box
