"""Temporal color code: when each place alloyed, in seconds and in colours."""

import dataclasses
import functools
from typing import Any

import numpy as np
from qtpy.QtWidgets import QComboBox, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.dock import column
from napari_lithium_alloy._napari.forms import Field, Form, rows
from napari_lithium_alloy._napari.layers import rgb_layer
from napari_lithium_alloy._napari.onset_extras import (
    COLOUR_FIELDS,
    FRONT_FIELDS,
    FRONTS,
    ISOCHRONE_FIELDS,
    AddedBox,
    Found,
    area_plot,
    forget_pairs,
    found,
    front_words,
    layers_of,
    legend_words,
    tables_of,
    uncover,
)
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plot_dock import TimePlotDock
from napari_lithium_alloy._napari.plots import CurveCanvas
from napari_lithium_alloy._napari.result_layers import stage_name
from napari_lithium_alloy._napari.stage_box import StageBox
from napari_lithium_alloy.core.colorcode import (
    ColorCodeParameters,
    all_colormaps,
    lut,
    projection,
)
from napari_lithium_alloy.core.front_speed import FrontParameters
from napari_lithium_alloy.core.isochrones import IsochroneParameters
from napari_lithium_alloy.core.onset import OnsetMap, OnsetParameters
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
PLOT_PX = 160
METHODS = {"Onset map": "onset", "Projection, maximum": "max", "Projection, SD": "sd"}


class TemporalColorCode(TimePlotDock):
    """Onset map of a stage, its colour code, its fronts, and the area alloyed against time."""

    TITLE = "Color"
    TABLES = ("onset_summary", "alloyed_fraction")
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
        self.front_form: Form[FrontParameters] = Form(FrontParameters(), FRONT_FIELDS)
        self.line_form: Form[IsochroneParameters] = Form(IsochroneParameters(), ISOCHRONE_FIELDS)
        colormaps = dataclasses.replace(COLOUR_FIELDS["colormap"], choices=all_colormaps())
        self.colour_form: Form[ColorCodeParameters] = Form(
            ColorCodeParameters(), COLOUR_FIELDS | {"colormap": colormaps}
        )
        self.added = AddedBox()
        self.added.changed.connect(self._show_rows)
        self.of_onset = column(self.added, self.front_form.native, self.line_form.native)
        self._show_rows()
        return column(
            rows(("Method", self.method)),
            self.stage_box,
            self.onset_form.native,
            self.colour_form.native,
            self.of_onset,
        )

    def results(self) -> QWidget:
        self.canvas = CurveCanvas(self.viewer, "Area alloyed against time is drawn here")
        self.canvas.setFixedHeight(PLOT_PX)
        self.canvas.time_clicked.connect(self.session.show_time)
        self.stage_box.changed.connect(self._draw)
        return self.canvas

    def take(self, opened: Opened) -> None:
        config = opened.config
        self.onset_form.value = config.onset
        self.colour_form.value = config.color_code
        self.front_form.value, self.line_form.value = config.front, config.isochrones

    def refresh(self) -> None:
        self.stage_box.show_stages(self.session.current, prefer="step 1, cycle 1")

    def show_tables(self) -> None:
        super().show_tables()
        self._draw()

    def _draw(self) -> None:
        self.canvas.show_plot(area_plot(self.session.current, self.stage_box.chosen))
        self.canvas.show_time(self.session.time_s)

    def _show_rows(self) -> None:
        """Parameters of what is added only."""
        chosen = self.added.chosen
        self.front_form.native.setVisible(bool(chosen & FRONTS))
        self.line_form.native.setVisible("isochrones" in chosen)

    def _method_chosen(self) -> None:
        onset = METHODS[self.method.currentText()] == "onset"
        self.onset_form.native.setVisible(onset)
        self.of_onset.setVisible(onset)
        self.canvas.setVisible(onset)
        for name in ("flat", "background", "legend", "site_radius_um"):
            self.colour_form.show_row(name, onset)

    def run(self) -> None:
        opened, stage = self.session.need_current(), self.stage_box.stage
        method = METHODS[self.method.currentText()]
        colours = self.colour_form.value
        recording = opened.recording
        if method == "onset":
            parameters, chosen = self.onset_form.value, self.added.chosen
            front, lines = self.front_form.value, self.line_form.value
            opened.use(onset=parameters, color_code=colours, front=front, isochrones=lines)
            onset: Any = _onset(opened, stage, parameters)
            work: Any = found(onset, recording, stage, chosen, front, lines)
            self.start(work, functools.partial(self._show_onset, opened, stage, colours, chosen))
        else:
            table = lut(colours.colormap)
            work = projection(recording, table, stage.start_s, stage.end_s, method=method)
            done = functools.partial(self._show_projection, opened, stage, colours, method)
            self.start(work, done)

    def _show_onset(
        self,
        opened: Opened,
        stage: Stage,
        colours: ColorCodeParameters,
        chosen: frozenset[str],
        result: Found,
    ) -> None:
        onset, key = result.onset, stage.key
        forget_pairs(opened, key, onset)
        opened.onset_maps[key], opened.stages[key] = onset, stage
        opened.front_maps.pop(key, None)
        ends = {"start_s": onset.start_s, "end_s": onset.end_s}
        steps = opened.did(Step.of("onset_map", onset.parameters, colours, stage=key, **ends))
        if result.front is not None:
            opened.front_maps[key] = result.front
            steps += opened.did(Step.of("front_map", result.front.parameters, stage=key))
        if result.lines is not None:
            drawn = dataclasses.replace(
                opened.config.isochrones, interval_s=result.lines.interval_s
            )
            steps += opened.did(Step.of("isochrones", drawn, stage=key))
        layers = layers_of(opened, stage, result, chosen, colours, steps)
        uncover(add_layers(self.viewer, layers))
        opened.tables |= tables_of(opened)
        for kind in ("tables", "onset"):
            self.session.results_changed.emit(kind)
        words = (
            _sentence(stage, onset),
            front_words(result.front),
            legend_words(opened, stage, onset),
        )
        self.status.setText(" ".join(w for w in words if w))

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
