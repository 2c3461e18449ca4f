"""Normalization: counts to transmittance, absorbance, reflectance; and what a file doesn't say."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtWidgets import QComboBox, QFileDialog, QPushButton, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.dock import Dock, column
from napari_lithium_alloy._napari.forms import Field, Form, OptionalNumber, rows
from napari_lithium_alloy._napari.layers import QUANTITY_NAMES, stack_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.stage_box import StageBox
from napari_lithium_alloy.core.curves import complete_curves, region_curves
from napari_lithium_alloy.core.photometry import (
    NormalizationParameters,
    Quantity,
    Reference,
    normalize,
    quantities_of,
)
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.stages import Stage

FIELDS = {
    "reference_start_s": Field(
        label="Reference from (s)",
        tip="First moment of the reference frames",
        low=-1e7,
        high=1e7,
        unset="first frame",
    ),
    "reference_end_s": Field(
        label="Reference to (s)",
        tip="Last moment of the reference frames",
        low=-1e7,
        high=1e7,
        unset="before current flows",
    ),
    "reference_frames": Field(
        label="Else first frames",
        tip="Number of first frames averaged where it is not known when current flows",
        low=1,
        high=1000,
    ),
    "dark_counts": Field(
        label="Dark (counts)",
        tip="The camera's reading without light, subtracted everywhere",
        unset="the recording's own, else 0",
    ),
    "level_frames": Field(
        label="Frames per level",
        tip="Frames whose median is each end (0 and 1) of the normalized absorbance",
        low=1,
        high=1000,
    ),
}
MODES = {"not known": None, "trans": "trans", "epi": "epi"}


class Normalization(Dock):
    """Reference, dark and quantity of the current recording."""

    TITLE = "Normalize"
    TABLES = ("field_curve",)
    RUN = "Normalize"

    def controls(self) -> QWidget:
        self.mode = QComboBox()
        self.mode.addItems(list(MODES))
        self.mode.setToolTip("Light through the film (trans) or back from it (epi)")
        self.mode.activated.connect(self._set_mode)
        self.pixel_size = OptionalNumber(
            field=Field(label="Pixel size (µm)", tip="", low=1e-6, unset="not known"), value=None
        )
        self.pixel_size.native.setToolTip("Side of a pixel in the film's plane")
        self.pixel_size.native.editingFinished.connect(self._set_pixel_size)
        self.interval = OptionalNumber(
            field=Field(label="Frame interval (s)", tip="", low=1e-6, unset="uneven"), value=None
        )
        self.interval.native.setToolTip("Time between frames; a number typed here makes it even")
        self.interval.native.editingFinished.connect(self._set_interval)
        self.form: Form[NormalizationParameters] = Form(NormalizationParameters(), FIELDS)
        self.dark_button = QPushButton("Dark frame…")
        self.dark_button.setToolTip("An image (or stack) taken without light")
        self.dark_button.clicked.connect(self._ask_dark)
        self.quantity = QComboBox()
        self.quantity.setToolTip("What to compute; the layer is made frame by frame when shown")
        self.quantity.currentIndexChanged.connect(self._quantity_chosen)
        self.stage_box = StageBox()
        facts = rows(
            ("Mode", self.mode),
            ("Pixel size (µm)", self.pixel_size.native),
            ("Frame interval (s)", self.interval.native),
        )
        what = rows(("Quantity", self.quantity))
        return column(facts, self.form.native, self.dark_button, what, self.stage_box)

    def take(self, opened: Opened) -> None:
        self.form.value = opened.config.normalization

    def refresh(self) -> None:
        opened = self.session.current
        for widget in (self.mode, self.pixel_size.native, self.interval.native, self.quantity):
            widget.setEnabled(opened is not None)
        self.stage_box.show_stages(opened, prefer="step 1, cycle 1")
        if opened is None:
            return
        recording = opened.recording
        self.mode.setCurrentIndex(list(MODES.values()).index(recording.mode))
        size = recording.pixel_size_um
        self.pixel_size.value = "" if size is None else f"{size:g}"
        gaps = np.diff(recording.times_s)
        even = gaps.size and np.ptp(gaps) < 1e-3 * np.median(gaps)
        self.interval.value = f"{np.median(gaps):.6g}" if even else ""
        self._offer(quantities_of(recording.mode))

    def _offer(self, quantities: Sequence[Quantity]) -> None:
        chosen = self.quantity.currentText()
        self.quantity.blockSignals(True)
        self.quantity.clear()
        for quantity in quantities:
            self.quantity.addItem(QUANTITY_NAMES[quantity], quantity)
        self.quantity.setCurrentIndex(max(self.quantity.findText(chosen), 0))
        self.quantity.blockSignals(False)
        self._quantity_chosen()

    def _quantity_chosen(self) -> None:
        self.stage_box.setVisible(self.quantity.currentData() == "normalized_absorbance")

    def run(self) -> None:
        opened = self.session.need_current()
        quantity = self.quantity.currentData()
        stage = self.stage_box.stage if quantity == "normalized_absorbance" else None
        opened.use(normalization=self.form.value)
        work = _normalized(opened, quantity, stage)
        self.start(work, functools.partial(self._show, opened, quantity, stage))

    def _show(
        self,
        opened: Opened,
        quantity: Quantity,
        stage: Stage | None,
        result: tuple[Reference, Any],
    ) -> None:
        reference, frames = result
        over = {} if stage is None else {"stage": stage.key, "start_s": stage.start_s,
                                         "end_s": stage.end_s}  # fmt: skip
        steps = opened.did(Step.of("normalize", opened.normalization, quantity=quantity, **over))
        add_layers(self.viewer, [stack_layer(opened.recording, frames, quantity, steps)])
        self.status.setText(reference.note)
        self.session.results_changed.emit("normalization")
        done = functools.partial(self._tabulate, opened)
        self.start(_field_curve(opened, reference), done)

    def _tabulate(self, opened: Opened, table: pd.DataFrame) -> None:
        self.session.put_table(opened, "field_curve", table)

    def set_dark_frame(self, path: Path) -> None:
        """Use the mean of an image or stack as the dark level.

        Raises
        ------
        AlloyError
            If it cannot be read or is of another camera region.
        """
        from napari_lithium_alloy.io.recording_file import open_experiment

        opened = self.session.need_current()
        dark = open_experiment(path).recording()
        mean = np.mean([dark.read(t) for t in range(dark.n_frames)], axis=0)
        self.session.change_recording(opened, dark_counts=mean)
        self.form["dark_counts"].value = ""
        self.status.setText(f"Dark frame: {path.name}, {mean.mean():.4g} counts on average.")

    def _ask_dark(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Dark frame")
        if path:
            with self.errors_shown():
                self.set_dark_frame(Path(path))

    def _set_mode(self) -> None:
        self._change(mode=MODES[self.mode.currentText()])

    def _set_pixel_size(self) -> None:
        with self.errors_shown():
            self._change(pixel_size_um=self.pixel_size.number)

    def _set_interval(self) -> None:
        with self.errors_shown():
            step, opened = self.interval.number, self.session.need_current()
            known = opened.recording.frame_interval_s
            if step is None or abs(step - known) <= 1e-5 * known:
                return
            times = opened.recording.times_s[0] + step * np.arange(opened.recording.n_frames)
            self._change(times_s=times, times_source="frame interval typed in")

    def _change(self, **changes: Any) -> None:
        opened = self.session.current
        if opened is None:
            return
        now = {key: getattr(opened.recording, key) for key in changes}
        if any(not np.array_equal(now[key], value) for key, value in changes.items()):
            self.session.change_recording(opened, **changes)


def _normalized(
    opened: Opened, quantity: Quantity, stage: Stage | None
) -> Work[tuple[Reference, Any]]:
    yield 0, 2
    reference = opened.reference()
    yield 1, 2
    bounds = {} if stage is None else {"start_s": stage.start_s, "end_s": stage.end_s}
    levels = opened.normalization.level_frames
    return reference, normalize(
        opened.recording, reference, quantity, level_frames=levels, **bounds
    )


def _field_curve(opened: Opened, reference: Reference) -> Work[pd.DataFrame]:
    experiment = opened.experiment
    curves = yield from region_curves(opened.recording, reference, valid=opened.film(reference))
    return complete_curves(
        curves,
        experiment.stages,
        experiment.potential,
        experiment.film,
        experiment.origins_s(),
        level_frames=opened.normalization.level_frames,
    )
