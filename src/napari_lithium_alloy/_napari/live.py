"""Work that follows a control while it is moved: in the background, only the last one counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_lithium_alloy.core.errors import AlloyError

WAIT_MS = 150


class Live(QObject):
    """Runs what was asked for last, a moment after it was asked for.

    Parameters
    ----------
    show : callable
        Gets the result, in the viewer's thread.
    refuse : callable
        Gets the AlloyError of work that could not be done.
    """

    def __init__(self, show: Callable[[Any], None], refuse: Callable[[AlloyError], None]) -> None:
        super().__init__()
        self._show, self._refuse = show, refuse
        self._wanted: Callable[[], Any] | None = None
        self._worker: Any = None
        self._dropped = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._begin)

    @property
    def waiting(self) -> bool:
        """Whether something is asked for that is not shown yet."""
        return self._wanted is not None or self._worker is not None

    def ask(self, work: Callable[[], Any]) -> None:
        """Do this next; what was asked for before and has not begun is dropped."""
        self._wanted = work
        self._timer.start()

    def drop(self) -> None:
        """Show nothing that is under way."""
        self._timer.stop()
        self._wanted = None
        self._dropped = self._worker is not None

    def _begin(self) -> None:
        from napari.qt.threading import create_worker

        if self._worker is not None or self._wanted is None:
            return  # it is begun when the running one ends
        work, self._wanted = self._wanted, None
        self._worker = create_worker(_refusable, work, _start_thread=False, _ignore_errors=True)
        self._worker.returned.connect(self._returned)
        self._worker.errored.connect(self._ended)
        self._worker.start()

    def _returned(self, result: tuple[Any, AlloyError | None]) -> None:
        self._ended()
        dropped, self._dropped = self._dropped, False
        if dropped or self._wanted is not None:
            return
        found, error = result
        if error is not None:
            self._refuse(error)
        else:
            self._show(found)

    def _ended(self, _error: Any = None) -> None:
        self._worker = None
        if self._wanted is not None:
            self._timer.start()


def _refusable(work: Callable[[], Any]) -> tuple[Any, AlloyError | None]:
    """The result, or why there is none: a worker raises an exception it is handed."""
    try:
        return work(), None
    except AlloyError as error:
        return None, error
