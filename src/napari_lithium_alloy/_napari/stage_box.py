"""Chooses a stage, or a time range of it typed in seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QVBoxLayout, QWidget

from napari_lithium_alloy._napari.forms import rows
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.result_layers import stage_name
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of

ALL_KINDS = tuple(StageKind)


class StageBox(QWidget):
    """A stage of the current recording, its bounds open to correction.

    The bounds typed are the field's: they make a stage of the same kind with scope `field`.
    A recording without stages offers each kind over its whole length.

    Parameters
    ----------
    kinds : collection of StageKind
        Kinds offered.
    """

    changed = Signal()

    def __init__(self, kinds: Collection[StageKind] = ALL_KINDS) -> None:
        super().__init__()
        self._kinds = tuple(kinds)
        self._stages: list[Stage] = []
        self._shown: Opened | None = None
        self.choice = QComboBox()
        self.choice.setToolTip("Stage to analyse; its bounds are below")
        self.choice.currentIndexChanged.connect(self._show_bounds)
        self.start, self.end = _seconds("First moment used"), _seconds("Last moment used")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(
            rows(("Stage", self.choice), ("From (s)", self.start), ("To (s)", self.end))
        )

    def show_stages(self, opened: Opened | None, prefer: str = "") -> None:
        """Offer the stages of a recording; what was chosen and typed stays where it can."""
        stages = [] if opened is None else _stages(opened, self._kinds)
        if opened is self._shown and stages == self._stages:
            return
        chosen = self.choice.currentText() if opened is self._shown else prefer
        self._shown, self._stages = opened, stages
        self.choice.blockSignals(True)
        self.choice.clear()
        self.choice.addItems([stage_name(s) for s in stages])
        self.choice.setCurrentIndex(max(self.choice.findText(chosen), 0) if stages else -1)
        self.choice.blockSignals(False)
        self.setEnabled(bool(stages))
        self._show_bounds()

    def _show_bounds(self) -> None:
        stage = self.chosen
        if stage is not None:
            self.start.setValue(stage.start_s)
            self.end.setValue(stage.end_s)
        self.changed.emit()

    @property
    def chosen(self) -> Stage | None:
        """The stage chosen, with the bounds it came with; None where there is none."""
        i = self.choice.currentIndex()
        return self._stages[i] if 0 <= i < len(self._stages) else None

    @property
    def stage(self) -> Stage:
        """What is chosen.

        Raises
        ------
        AlloyError
            If there is none, or it would end before it starts.
        """
        stage, start, end = self.chosen, self.start.value(), self.end.value()
        if stage is None:
            raise AlloyError(
                "There is no such stage; open a recording, or add the stage to [[stages]] of "
                "recording.toml."
            )
        if abs(start - stage.start_s) < 0.01 and abs(end - stage.end_s) < 0.01:
            return stage
        return dataclasses.replace(stage, start_s=start, end_s=end, scope="field")


def _stages(opened: Opened, kinds: tuple[StageKind, ...]) -> list[Stage]:
    found = stages_of(opened.experiment.stages, *kinds)
    if found or opened.experiment.stages:
        return found
    start, end = float(opened.recording.times_s[0]), float(opened.recording.times_s[-1])
    if not end > start:
        return []
    steps = [Stage(kind=StageKind.ALLOYING, step=n, start_s=start, end_s=end) for n in (1, 2, 3, 4)]
    others = [Stage(kind=k, start_s=start, end_s=end) for k in kinds if k != StageKind.ALLOYING]
    return (steps if StageKind.ALLOYING in kinds else []) + others


def _seconds(tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(-1e7, 1e7)
    box.setDecimals(2)
    box.setToolTip(tip)
    return box
