"""Docks with a plot: saved in the same place, and its cursor follows the time shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_lithium_alloy._napari.dock import Dock


class PlotDock(Dock):
    """A dock whose `controls` or layout make a `canvas`."""

    canvas: Any

    def _plot_saver(self) -> Any:
        return self.save_plot

    def save_plot(self, path: Path) -> None:
        """Save the plot as PNG or SVG."""
        self.canvas.save(path)

    def connect_events(self) -> None:
        if not self._connected:
            self.canvas.follow_viewer()
        super().connect_events()

    def disconnect_events(self) -> None:
        if self._connected:
            self.canvas.let_go()
        super().disconnect_events()


class TimePlotDock(PlotDock):
    """Its plot is against time."""

    def connect_events(self) -> None:
        if not self._connected:
            self.session.time_changed.connect(self.canvas.show_time)
        super().connect_events()

    def disconnect_events(self) -> None:
        if self._connected:
            self.session.time_changed.disconnect(self.canvas.show_time)
        super().disconnect_events()
