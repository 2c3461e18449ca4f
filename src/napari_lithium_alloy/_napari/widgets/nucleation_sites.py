"""Nucleation sites: detect, correct by hand, measure."""

import functools
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.dock import Dock, column
from napari_lithium_alloy._napari.forms import Field, Form
from napari_lithium_alloy._napari.layers import about, kind_of, site_features, sites_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.site_edits import read_edits, with_source
from napari_lithium_alloy._napari.stage_box import StageBox
from napari_lithium_alloy.core.nucleation import (
    NucleationParameters,
    change_image,
    detect_sites,
    keep_edits,
)
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.site_growth import measure_sites
from napari_lithium_alloy.core.stages import Stage, StageKind

FIELDS = {
    "min_snr": Field(
        label="Least SNR",
        tip="A site must stand out from its surroundings by this many times their noise",
        high=1000,
        step=0.5,
    ),
    "min_radius_um": Field(
        label="Smallest radius (µm)", tip="Radii looked for start here", low=0.01, step=0.05
    ),
    "max_radius_um": Field(
        label="Largest radius (µm)", tip="Radii looked for end here", low=0.01, step=0.05
    ),
    "averaged_frames": Field(
        label="Averaged frames",
        tip="Frames averaged at each end of the deposition",
        low=1,
        high=1000,
    ),
    "polarity": Field(
        label="Lithium", tip="Whether it is darker or brighter than the film; auto: darker"
    ),
}
Measured = tuple[pd.DataFrame, pd.DataFrame]


class NucleationSites(Dock):
    """Where lithium metal appears."""

    TITLE = "Sites"
    TABLES = ("sites", "site_growth")
    RUN = "Detect sites"

    def controls(self) -> QWidget:
        self._layer: Any = None
        self.stage_box = StageBox((StageKind.DEPOSITION,))
        self.stage_box.changed.connect(self._find_layer)
        self.form: Form[NucleationParameters] = Form(NucleationParameters(), FIELDS)
        return column(self.stage_box, self.form.native)

    def _run_row(self) -> QHBoxLayout:
        row = super()._run_row()
        self.measure_button = QPushButton("Measure")
        self.measure_button.setToolTip("Measure the sites as they are in the Points layer now")
        self.measure_button.clicked.connect(self._measure_clicked)
        row.insertWidget(1, self.measure_button)
        return row

    def _show_busy(self, busy: bool) -> None:
        super()._show_busy(busy)
        self.measure_button.setVisible(not busy)

    # The Points layer

    def connect_events(self) -> None:
        if not self._connected:
            self.viewer.layers.events.inserted.connect(self._find_layer)
            self.viewer.layers.events.removed.connect(self._find_layer)
        super().connect_events()

    def disconnect_events(self) -> None:
        if self._connected:
            self.viewer.layers.events.inserted.disconnect(self._find_layer)
            self.viewer.layers.events.removed.disconnect(self._find_layer)
            self._watch(None)
        super().disconnect_events()

    def take(self, opened: Opened) -> None:
        self.form.value = opened.config.nucleation

    def refresh(self) -> None:
        self.stage_box.show_stages(self.session.current)
        self._find_layer()

    def _find_layer(self, _event: Any = None) -> None:
        opened, slot = self.session.current, self._slot()
        ours = [
            layer
            for layer in self.viewer.layers
            if kind_of(layer) == "sites"
            and about(layer)["slot"] == slot
            and self.session.opened_of(layer) is opened
        ]
        self._watch(ours[-1] if ours and opened is not None else None)

    def _watch(self, layer: Any) -> None:
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.events.data.disconnect(self._edited)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._edited)
            self._edited()

    def _slot(self) -> str:
        stage = self.stage_box.chosen
        return "" if stage is None else f"cycle{stage.cycle}"

    def _edited(self, _event: Any = None) -> None:
        """Take over what was added, moved or deleted in the layer."""
        opened, stage = self.session.current, self.stage_box.chosen
        if opened is None or stage is None or self._layer is None or self.busy:
            return
        known = opened.sites_of(stage.cycle)
        size = opened.recording.pixel_size("Nucleation sites")
        sites, vacated = read_edits(
            known,
            pd.to_numeric(self._layer.features["site"]).to_numpy(float),
            _places_um(self._layer),
            1e-3 * size,
            stage.cycle,
        )
        if vacated or not sites[["site", "source"]].equals(known[["site", "source"]]) or (
            not np.array_equal(sites[["y_um", "x_um"]], known[["y_um", "x_um"]])
        ):  # fmt: skip
            opened.deleted_um.setdefault(stage.cycle, []).extend(vacated)
            self._keep(opened, stage, sites)
            self._layer.features = site_features(sites)
            by_hand = (sites["source"] != "detected").sum()
            self.status.setText(
                f"{len(sites)} sites, {by_hand} added or moved by hand; Measure measures them."
            )

    def _keep(self, opened: Opened, stage: Stage, sites: pd.DataFrame) -> None:
        opened.put_sites(stage.cycle, sites)
        table = opened.sites.drop(columns="source")
        self.session.put_table(opened, "sites", table)

    # Detection and measurement

    def run(self) -> None:
        opened, stage = self.session.need_current(), self.stage_box.stage
        opened.recording.pixel_size("Finding nucleation sites")
        self._edited()
        parameters = self.form.value
        opened.use(nucleation=parameters)
        work = _detected(opened, stage, parameters)
        self.start(work, functools.partial(self._show, opened, stage, parameters))

    def measure(self) -> None:
        """Measure the sites as they are in the layer."""
        opened, stage = self.session.need_current(), self.stage_box.stage
        self._edited()
        parameters = self.form.value
        work = _measured(opened, stage, parameters, opened.sites_of(stage.cycle))
        self.start(work, functools.partial(self._show, opened, stage, parameters))

    def _measure_clicked(self) -> None:
        with self.errors_shown():
            self.measure()

    def _show(
        self, opened: Opened, stage: Stage, parameters: NucleationParameters, result: Measured
    ) -> None:
        sites, growth = result
        bounds = {"stage": stage.key, "start_s": stage.start_s, "end_s": stage.end_s}
        steps = opened.did(Step.of("detect_sites", parameters, **bounds))
        self._watch(None)
        opened.put_sites(stage.cycle, sites)
        add_layers(self.viewer, [sites_layer(opened.recording, sites, stage.cycle, steps)])
        self._find_layer()
        others = opened.tables.get("site_growth", growth.iloc[:0])
        others = others[others["cycle"] != stage.cycle]
        parts = [part for part in (others, growth) if len(part)]
        opened.tables["site_growth"] = pd.concat(parts, ignore_index=True) if parts else growth
        self._keep(opened, stage, sites)
        self.session.results_changed.emit("sites")
        by_hand = int((sites["source"] != "detected").sum())
        timed = int(sites["onset_s"].notna().sum())
        self.status.setText(
            f"{len(sites)} sites in cycle {stage.cycle}, {timed} with an onset"
            + (f"; {by_hand} added or moved by hand." if by_hand else ".")
        )


def _places_um(layer: Any) -> np.ndarray:
    """(N, 2) world positions of a Points layer, the last two axes."""
    places = [np.asarray(layer.data_to_world(p), dtype=float)[-2:] for p in layer.data]
    return np.array(places).reshape(-1, 2)


def _detected(opened: Opened, stage: Stage, parameters: NucleationParameters) -> Work[Measured]:
    yield 0, 1
    recording, reference = opened.recording, opened.reference()
    change = change_image(
        recording, stage.start_s, stage.end_s, parameters,
        dark=reference.dark,
    )  # fmt: skip
    found = detect_sites(
        change,
        recording.pixel_size("Finding nucleation sites"),
        parameters,
        valid=opened.film(reference),
        cycle=stage.cycle,
    )
    deleted = np.array(opened.deleted_um.get(stage.cycle, []), dtype=float).reshape(-1, 2)
    sites = keep_edits(found, opened.sites_of(stage.cycle), deleted)
    return (yield from _measured(opened, stage, parameters, sites))


def _measured(
    opened: Opened, stage: Stage, parameters: NucleationParameters, sites: pd.DataFrame
) -> Work[Measured]:
    measured, growth = yield from measure_sites(
        opened.recording, sites, stage.start_s, stage.end_s, opened.reference(), parameters
    )
    table = with_source(measured)
    table["source"] = sites["source"].to_numpy()
    return table, growth
