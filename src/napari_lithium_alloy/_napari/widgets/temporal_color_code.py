"""Temporal color code: when each place alloyed, in seconds and in colours."""

import functools
from typing import Any

import numpy as np
from qtpy.QtWidgets import QComboBox, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.dock import Dock, column
from napari_lithium_alloy._napari.forms import Field, Form, rows
from napari_lithium_alloy._napari.layers import rgb_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.result_layers import onset_layers, stage_name
from napari_lithium_alloy._napari.stage_box import StageBox
from napari_lithium_alloy.core.colorcode import (
    COLORMAPS,
    ColorCodeParameters,
    lut,
    projection,
)
from napari_lithium_alloy.core.onset import OnsetMap, OnsetParameters, onset_summary
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.stages import Stage, stages_of
from napari_lithium_alloy.core.step_onsets import STEPS, onset_maps

ONSET_FIELDS = {
    "fraction": Field(
        label="Onset at (fraction of rise)",
        tip="Share of its own rise that a pixel has to cross; 0.5 is half",
        low=0.05,
        high=0.95,
        step=0.05,
    ),
    "smoothing_px": Field(
        label="Smoothing in space (px)",
        tip="Standard deviation of the Gaussian smoothing of the onset times in space",
        high=50,
        unset="from the noise",
    ),
    "smoothing_frames": Field(
        label="Smoothing in time (frames)",
        tip="Standard deviation of the Gaussian smoothing of the light along time",
        high=50,
        unset="from the noise",
    ),
    "min_snr": Field(
        label="Least rise (× noise)",
        tip="A pixel whose rise is smaller than this many times its noise has no onset",
        high=100,
        step=0.5,
    ),
    "polarity": Field(
        label="Film",
        tip="Whether its picture darkens or brightens; auto: from the stage and the mode",
    ),
}
COLOUR_FIELDS = {
    "colormap": Field(
        label="Colormap", tip="Colours from the start to the end of the range", choices=COLORMAPS
    ),
    "flat": Field(label="Flat colours", tip="Off: brightness is the size of the change"),
    "background": Field(label="Background", tip="Colour where no onset is known"),
    "site_radius_um": Field(
        label="Site radius (µm)",
        tip="Radius of the green discs that mark nucleation sites",
        low=0.01,
        high=100,
        step=0.05,
    ),
}
METHODS = {"Onset map": "onset", "Projection, maximum": "max", "Projection, SD": "sd"}


class TemporalColorCode(Dock):
    """Onset map of a stage and its colour code."""

    TITLE = "Color"
    TABLES = ("onset_summary",)
    RUN = "Compute color code"

    def controls(self) -> QWidget:
        self.method = QComboBox()
        self.method.addItems(list(METHODS))
        self.method.setToolTip(
            "Onset map: the time each pixel alloyed. Projection: Fiji's Temporal-Color Code"
        )
        self.method.currentIndexChanged.connect(self._method_chosen)
        self.stage_box = StageBox()
        self.onset_form: Form[OnsetParameters] = Form(OnsetParameters(), ONSET_FIELDS)
        self.colour_form: Form[ColorCodeParameters] = Form(ColorCodeParameters(), COLOUR_FIELDS)
        return column(
            rows(("Method", self.method)),
            self.stage_box,
            self.onset_form.native,
            self.colour_form.native,
        )

    def take(self, opened: Opened) -> None:
        self.onset_form.value = opened.config.onset
        self.colour_form.value = opened.config.color_code

    def refresh(self) -> None:
        self.stage_box.show_stages(self.session.current, prefer="step 1, cycle 1")

    def _method_chosen(self) -> None:
        onset = METHODS[self.method.currentText()] == "onset"
        self.onset_form.native.setVisible(onset)
        for name in ("flat", "background", "site_radius_um"):
            self.colour_form.show_row(name, onset)

    def run(self) -> None:
        opened, stage = self.session.need_current(), self.stage_box.stage
        method = METHODS[self.method.currentText()]
        colours = self.colour_form.value
        recording = opened.recording
        if method == "onset":
            parameters = self.onset_form.value
            opened.use(onset=parameters, color_code=colours)
            work: Any = _onset(opened, stage, parameters)
            self.start(work, functools.partial(self._show_onset, opened, stage, colours))
        else:
            table = lut(colours.colormap)
            work = projection(recording, table, stage.start_s, stage.end_s, method=method)
            done = functools.partial(self._show_projection, opened, stage, colours, method)
            self.start(work, done)

    def _show_onset(
        self, opened: Opened, stage: Stage, colours: ColorCodeParameters, onset: OnsetMap
    ) -> None:
        opened.onset_maps[stage.key] = onset
        opened.stages[stage.key] = stage
        step = Step.of(
            "onset_map",
            onset.parameters,
            colours,
            stage=stage.key,
            start_s=onset.start_s,
            end_s=onset.end_s,
        )
        steps, sites = opened.did(step), opened.sites_of(stage.cycle)
        layers = onset_layers(opened.recording, stage, onset, colours, sites, steps)
        add_layers(self.viewer, layers)
        summary = onset_summary({opened.stages[k]: m for k, m in opened.onset_maps.items()})
        self.session.put_table(opened, "onset_summary", summary)
        self.session.results_changed.emit("onset")
        self.status.setText(_sentence(stage, onset))

    def _show_projection(
        self,
        opened: Opened,
        stage: Stage,
        colours: ColorCodeParameters,
        method: str,
        rgb: np.ndarray,
    ) -> None:
        step = Step.of(
            "projection",
            colormap=colours.colormap,
            method=method,
            stage=stage.key,
            start_s=stage.start_s,
            end_s=stage.end_s,
        )
        layer = rgb_layer(
            opened.recording,
            rgb,
            slot=f"{stage.key}_projection",
            title=f"Projection {stage_name(stage)}",
            steps=opened.did(step),
        )
        add_layers(self.viewer, [layer])
        self.status.setText(
            f"Projection of {stage_name(stage)}, {stage.start_s:g} to {stage.end_s:g} s."
        )


def _onset(opened: Opened, stage: Stage, parameters: OnsetParameters) -> Work[OnsetMap]:
    yield 0, 1
    reference = opened.reference()
    others = [s for s in stages_of(opened.experiment.stages, *STEPS) if s.key != stage.key]
    maps = yield from onset_maps(
        opened.recording,
        [*others, stage],
        parameters,
        dark=reference.dark,
        valid=opened.film(reference),
        wanted=[stage],
    )
    return maps[stage]


def _sentence(stage: Stage, onset: OnsetMap) -> str:
    known = onset.onset_s[onset.reached]
    if not known.size:
        return f"{stage_name(stage)}: no pixel has an onset; see the table for why."
    low, middle, high = np.percentile(known, [5, 50, 95])
    return (
        f"{stage_name(stage)}: {100 * onset.reached.mean():.0f} % of the field, half of it by "
        f"{middle:.1f} s (5 to 95 %: {low:.1f} to {high:.1f} s); smoothing "
        f"{onset.smoothing_px:.2g} px, {onset.smoothing_frames:.2g} frames."
    )
