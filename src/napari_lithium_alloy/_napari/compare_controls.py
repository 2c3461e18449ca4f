"""Controls of the complementarity dock: images to compare, the field, and parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_lithium_alloy._napari.forms import Field, beside
from napari_lithium_alloy.core.alloyed_images import MOMENTS
from napari_lithium_alloy.core.curves import FIELD

REGIONS = {
    **{
        f"{region}_{moment}": f"{region}, {moment}"
        for region in ("unalloyed", "alloyed")
        for moment in MOMENTS
    },
    "onset": "onset time",
}

SHARES = ("start_progress", "progress", "end_progress")
BOUNDS = {"low": 0.01, "high": 0.99, "step": 0.05}
FIELDS = {
    "start_progress": Field(
        label="Start, middle, end (of area)",
        tip="Share of the alloyed area that is a step's start",
        **BOUNDS,
    ),
    "progress": Field(
        label="Middle",
        tip="Share of the alloyed area that is a step's middle",
        beside=True,
        **BOUNDS,
    ),
    "end_progress": Field(
        label="End", tip="Share of the alloyed area that is a step's end", beside=True, **BOUNDS
    ),
    "detrend": Field(
        label="Detrend",
        tip="Trend across the field taken out of both maps first: one they share is no relation",
    ),
    "thresholds": Field(
        label="Manders' thresholds",
        tip="How the thresholds of Manders' M1 and M2 in the table are chosen",
    ),
    "threshold_a": Field(
        label="Fixed thresholds (A, B)",
        tip="Of map A where Manders' thresholds are fixed, in its own units; for masks 0.5",
        low=-1e12,
        high=1e12,
        unset="A",
    ),
    "threshold_b": Field(
        label="Fixed threshold of B",
        tip="Of map B where Manders' thresholds are fixed, in its own units; for masks 0.5",
        low=-1e12,
        high=1e12,
        unset="B",
        beside=True,
    ),
    "window_px": Field(
        label="Window of local r (px)",
        tip="Standard deviation of the Gaussian window of the map of local r",
        low=1,
        high=1e4,
        unset="from the maps",
    ),
}


class ImageChoice(QWidget):
    """One of the images that can be compared; of a step, a region at one of its moments.

    Parameters
    ----------
    tip : str
        Which of the two it is.
    region : str
        Of `REGIONS`, chosen at first.
    """

    changed = Signal()

    def __init__(self, tip: str, region: str) -> None:
        super().__init__()
        self.source, self.region = _box(), _box()
        self.source.setToolTip(f"{tip}: a step, sites, pores, or an image layer (Y, X)")
        self.region.setToolTip(
            "Where the step has alloyed, or not yet, at a moment of it; or its onset times"
        )
        for key, title in REGIONS.items():
            self.region.addItem(title, key)
        self.region.setCurrentIndex(list(REGIONS).index(region))
        self.when = QLabel()
        self.when.setToolTip("Alloyed share, when it is reached, and progress of time (Fig. 2A)")
        self.when.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._steps: frozenset[str] = frozenset()
        self._by_hand = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(beside(self.source, self.region))
        layout.addWidget(self.when)
        self.source.activated.connect(self._picked)
        self.region.currentIndexChanged.connect(self.changed)

    def offer(self, titles: Mapping[str, str], steps: Sequence[str], place: int) -> None:
        """Offer images by their keys; what was chosen by hand stays, else that in a place is."""
        chosen = self.source.currentData() if self._by_hand else None
        self._steps = frozenset(steps)
        self.source.blockSignals(True)
        self.source.clear()
        for key, title in titles.items():
            self.source.addItem(title, key)
        index = self.source.findData(chosen)
        self.source.setCurrentIndex(index if index >= 0 else min(place, len(titles) - 1))
        self.source.blockSignals(False)
        self.region.setVisible(self.step is not None)

    def choose(self, name: str) -> None:
        """Choose an image by its name in the table, if it is offered."""
        for key in self._steps:
            if name.startswith(f"{key}_"):
                self.region.setCurrentIndex(list(REGIONS).index(name.removeprefix(f"{key}_")))
                name = key
                break
        if self.source.findData(name) >= 0:
            self.source.setCurrentIndex(self.source.findData(name))
            self._picked()

    @property
    def step(self) -> str | None:
        """Key of the chosen step, None for any other image."""
        key = self.source.currentData()
        return key if key in self._steps else None

    @property
    def name(self) -> str:
        """Of the chosen image in the table; empty without any."""
        key = self.source.currentData() or ""
        return f"{key}_{self.region.currentData()}" if key in self._steps else key

    def tell(self, words: Callable[[str, str], str]) -> None:
        """Say when the chosen moment of the step is."""
        moment = self.region.currentData().split("_")[-1]
        told = self.step is not None and moment in MOMENTS
        self.when.setVisible(told)
        self.when.setText(words(self.step or "", moment) if told else "")

    def _picked(self) -> None:
        self._by_hand = True
        self.region.setVisible(self.step is not None)
        self.changed.emit()


class FieldBox(QComboBox):
    """The whole field, or a region drawn in it; read anew whenever it opens."""

    about_to_open = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip("Compare within the whole field, or within a region of the ROI layer")
        self.offer(())

    def showPopup(self) -> None:
        self.about_to_open.emit()
        super().showPopup()

    def offer(self, names: Sequence[str]) -> None:
        """Offer regions by name; the chosen one stays while it is there."""
        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        self.addItem("whole field", FIELD)
        for name in names:
            self.addItem(name, name)
        self.setCurrentIndex(max(self.findData(chosen), 0))
        self.blockSignals(False)


def _box() -> QComboBox:
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box
