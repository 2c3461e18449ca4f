"""Form and buttons that lay another picture over the current recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QPushButton, QVBoxLayout, QWidget

from napari_lithium_alloy._napari.forms import rows

AUTOMATIC, BY_POINTS = "what changes in both", "matched points"
KINDS = {
    "shift": "translation",
    "shift, rotation": "rigid",
    "shift, rotation, scale": "similarity",
    "any linear map": "affine",
}


class Choice(QComboBox):
    """A box of things by their names; what is chosen stays while it is there."""

    def __init__(
        self, tip: str, nothing: str, identity: Callable[[Any], Any] = lambda thing: thing
    ) -> None:
        super().__init__()
        self._nothing, self._identity = nothing, identity
        self.things: list[Any] = []
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setToolTip(tip)

    def offer(self, things: Sequence[tuple[str, Any]]) -> None:
        """Offer these names and what they stand for."""
        before = None if self.chosen is None else self._identity(self.chosen)
        self.things = [thing for _, thing in things]
        self.blockSignals(True)
        self.clear()
        self.addItems([name for name, _ in things] or [self._nothing])
        self.setEnabled(bool(things))
        self.choose(before)
        self.blockSignals(False)

    def choose(self, identity: Any) -> None:
        """Choose the thing that is this one, or else the first."""
        same = (i for i, one in enumerate(self.things) if self._identity(one) is identity)
        self.setCurrentIndex(next(same, 0))

    @property
    def chosen(self) -> Any:
        """What is chosen, or None."""
        at = self.currentIndex()
        return self.things[at] if 0 <= at < len(self.things) else None


class AlignForm(QWidget):
    """Which picture is laid over the recording, and by what."""

    picture_chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.picture = Choice(
            "Another recording, such as epi, or an image, such as an electron micrograph",
            "open another recording or image",
            identity=lambda picture: picture.layer,
        )
        self.way = QComboBox()
        self.way.setToolTip(
            "Recordings of one film are laid by what changes in both, whatever their contrast; "
            "any picture by places marked on both in the same order"
        )
        self.kind = QComboBox()
        self.kind.addItems(list(KINDS))
        self.kind.setToolTip("What may differ between the two besides their pixel size")
        self.moving = Choice("Points marked on the picture", "none yet")
        self.fixed = Choice("The same places on the recording, in the same order", "none yet")
        self.add_button = QPushButton("Add points layers")
        self.add_button.setToolTip("Two numbered Points layers, one on each picture, to mark in")
        self.rows = rows(
            ("Picture", self.picture),
            ("Align by", self.way),
            ("May differ by", self.kind),
            ("Points on picture", self.moving),
            ("Points on recording", self.fixed),
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.rows)
        layout.addWidget(self.add_button)
        self.picture.currentIndexChanged.connect(self.picture_chosen)
        self.way.currentIndexChanged.connect(self._show_points)
        self.offer_ways(automatic=False)

    @property
    def by_points(self) -> bool:
        """Whether points are matched."""
        return self.way.currentText() == BY_POINTS

    def offer_ways(self, *, automatic: bool) -> None:
        """Offer the ways there are for a picture."""
        ways = [AUTOMATIC, BY_POINTS] if automatic else [BY_POINTS]
        if [self.way.itemText(i) for i in range(self.way.count())] != ways:
            self.way.clear()
            self.way.addItems(ways)
            self.kind.setCurrentIndex(0 if automatic else 2)
        self._show_points()

    def _show_points(self) -> None:
        for widget in (self.moving, self.fixed):
            self.rows.layout().setRowVisible(widget, self.by_points)
        self.add_button.setVisible(self.by_points)


class AlignResult(QWidget):
    """What can be done with a picture that is aligned."""

    def __init__(self) -> None:
        super().__init__()
        self.back = QPushButton("Put back")
        self.back.setToolTip("The picture goes back to where it was opened")
        self.regions = QPushButton("Take over ROIs")
        self.regions.setToolTip(
            "The recording's regions become those of the picture's recording, at the same places"
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.back, 0, 0)
        grid.addWidget(self.regions, 0, 1)
