"""What every plot has: the viewer's colours, a hint while it is empty, a file on request."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_lithium_alloy.core.errors import AlloyError

LETTER_PX = 6
"""Below the lower label: pyqtgraph cuts what hangs below its line."""


class PlotCanvas(QWidget):
    """A plot in the theme of the viewer; subclasses draw it there and on paper.

    Parameters
    ----------
    viewer : napari Viewer
        Whose theme it follows.
    hint : str
        Shown while there is nothing to draw.
    """

    def __init__(self, viewer: Any, hint: str = "") -> None:
        import pyqtgraph

        super().__init__()
        self._pg = pyqtgraph
        self._viewer = weakref.ref(viewer)
        self.widget = pyqtgraph.PlotWidget()
        self.item = self.widget.getPlotItem()
        self.item.setMenuEnabled(False)
        self.item.hideButtons()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.hint = QLabel(hint)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.widget)
        layout.addWidget(self.hint)
        self.widget.hide()

    @property
    def shown(self) -> bool:
        """Whether there is anything to see."""
        raise NotImplementedError

    def figure(self) -> Any:
        """What is shown as a matplotlib figure, on white."""
        raise NotImplementedError

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        raise NotImplementedError

    def show_hint(self) -> None:
        """The hint in place of an empty plot."""
        self.widget.setVisible(self.shown)
        self.hint.setVisible(not self.shown)

    def theme_colours(self) -> tuple[str, str] | None:
        """Text and background of the viewer's theme; None without a viewer."""
        from napari.utils.theme import get_theme

        viewer = self._viewer()
        if viewer is None:
            return None
        theme = get_theme(viewer.theme)
        return theme.text.as_hex(), theme.background.as_hex()

    def paint_axis(self, side: str, label: str, ink: str) -> None:
        """An axis with its label as it is written, in a colour."""
        axis = self.item.getAxis(side)
        axis.setSIPrefixEnableRanges(())  # or turning it off keeps the factor of this moment
        axis.enableAutoSIPrefix(False)
        axis.setPen(ink)
        axis.setTextPen(ink)
        axis.setLabel(label, color=ink)

    def follow_viewer(self) -> None:
        """Follow the viewer's theme from now on."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.events.theme.connect(self.follow_theme)
            self.follow_theme()

    def let_go(self) -> None:
        """Stop following the viewer."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.events.theme.disconnect(self.follow_theme)

    def save(self, path: Path) -> None:
        """Save what is shown as PNG or SVG.

        Raises
        ------
        AlloyError
            If nothing is shown, or the name ends otherwise.
        """
        if not self.shown:
            raise AlloyError("There is no plot yet; run the analysis first.")
        if path.suffix.lower() not in (".png", ".svg"):
            raise AlloyError(f"{path.name}: plots are saved as .png or .svg; name one of them.")
        try:
            self.figure().savefig(path, dpi=200)
        except OSError as error:
            raise AlloyError(f"{path} cannot be written: {error.strerror}.") from error
