"""ROI curves: normalized absorbance of regions against time, live."""

import functools
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSplitter, QVBoxLayout, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.from_layers import regions_of
from napari_lithium_alloy._napari.layers import kind_of, regions_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plot_dock import TimePlotDock
from napari_lithium_alloy._napari.plots import Curve, CurveCanvas, Plot
from napari_lithium_alloy.core.curves import (
    FIELD,
    complete_curves,
    curve_summary,
    region_curves,
    suggest_regions,
)
from napari_lithium_alloy.core.photometry import NormalizationParameters, Reference
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import Recording, Region
from napari_lithium_alloy.core.stages import stages_of

QUANTITIES = {
    "Normalized absorbance": "normalized_absorbance",
    "Absorbance": "absorbance",
    "Transmittance": "transmittance",
    "Relative reflectance": "relative_reflectance",
    "Mean counts": "mean_counts",
}
NORMALIZED_RANGE = (-0.3, 1.4)
NOT_NORMALIZED = ("deposition", "dissolution")
"""Stages in which most regions hardly change, so that their own range is noise."""
REDRAW_MS = 60


class RoiCurves(TimePlotDock):
    """Curves of the regions drawn in the ROI layer."""

    TITLE = "ROI curves"
    TABLES = ("curves", "curve_summary")
    RUN = "Compute curves"

    def controls(self) -> QWidget:
        self._layer: Any = None
        self._stale = False
        self._field: tuple[Any, ...] = ()
        self.new_button = QPushButton("New ROI layer")
        self.new_button.setToolTip(
            "Shapes layer with Area Init and Area Fnl where the onset map suggests them; draw "
            "others beside them and name them in the features table"
        )
        self.new_button.clicked.connect(self._new_clicked)
        self.quantity = QComboBox()
        self.quantity.addItems(list(QUANTITIES))
        self.quantity.setToolTip("Quantity drawn; the table holds all")
        self.quantity.currentIndexChanged.connect(self.draw)
        self.canvas = CurveCanvas(self.viewer, "Curves of the regions are drawn here")
        self.canvas.time_clicked.connect(self.session.show_time)
        self.timer = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self.timer.timeout.connect(self._recompute)
        return self.canvas

    def _lay_out(self) -> None:
        plot = self.controls()
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.recording_box)
        layout.addWidget(self.new_button)
        layout.addWidget(self.quantity)
        layout.addLayout(self._run_row())
        layout.addWidget(self.status)
        layout.addStretch(1)
        side.setFixedWidth(270)
        split = QSplitter()
        split.addWidget(plot)
        split.addWidget(self.tables)
        split.setSizes([650, 450])
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 6, 6, 6)
        row.addWidget(side)
        row.addWidget(split, 1)
        self.tables.view.setMinimumHeight(60)

    # The ROI layer

    def layers_changed(self, _event: Any = None) -> None:
        self._find_layer()

    def disconnect_events(self) -> None:
        if self._connected:
            self._watch(None)
        super().disconnect_events()

    def refresh(self) -> None:
        self._find_layer()
        opened = self.session.current
        if opened is not None and self._field and self._field[0] is not opened.recording:
            self._touched()
        self.draw()

    def show_tables(self) -> None:
        super().show_tables()
        self.draw()

    def _find_layer(self, _event: Any = None) -> None:
        """Watch our ROI layer of this recording, or else shapes the user drew elsewhere."""
        opened, active = self.session.current, self.viewer.layers.selection.active
        found = {"regions": [], None: []}
        for layer in self.viewer.layers:
            kind = kind_of(layer)
            ours = kind is None or self.session.opened_of(layer) is opened
            if type(layer).__name__ == "Shapes" and kind in found and ours:
                found[kind].append(layer)
        candidates = [*found[None], *found["regions"]]
        if active in candidates:
            candidates.append(active)
        self._watch(candidates[-1] if candidates and opened is not None else None)

    def _watch(self, layer: Any) -> None:
        if layer is self._layer:
            return
        for follow, one in ((False, self._layer), (True, layer)):
            if one is not None:
                for emitter in (one.events.set_data, one.events.data, one.events.features):
                    (emitter.connect if follow else emitter.disconnect)(self._touched)
        self._layer = layer
        if layer is not None:
            self._touched()

    def _new_clicked(self) -> None:
        with self.errors_shown():
            self.new_layer()

    def new_layer(self) -> None:
        """Add the ROI layer: given regions, else those the onset map suggests."""
        opened = self.session.need_current()
        regions = list(opened.experiment.regions)
        if not regions and opened.onset_maps:
            regions = suggest_regions(next(iter(opened.onset_maps.values())))
        old = self._layer if self._layer is not None and kind_of(self._layer) else None
        if old is not None:
            regions = regions_of(old, opened.recording, opened.affine) or regions
            self.viewer.layers.selection.active = old
            if len(old.data):
                self.status.setText("The ROI layer is there already; draw in it.")
                return
            self.viewer.layers.remove(old)
        (layer,) = add_layers(self.viewer, [regions_layer(opened.recording, regions)])
        self.viewer.layers.selection.active = layer
        if not regions:
            layer.feature_defaults = {"name": "Area Init"}
            layer.mode = "add_rectangle"
            self.status.setText("Draw Area Init, then Area Fnl and any others.")

    # Curves

    def _touched(self, _event: Any = None) -> None:
        self._stale = True
        if not self.timer.isActive():
            self.timer.start()

    def _recompute(self) -> None:
        if self._stale and not self.busy and self._layer is not None:
            _name_next(self._layer)
            with self.errors_shown():
                self.run()

    def run(self) -> None:
        opened = self.session.need_current()
        self._find_layer()
        regions: list[Region] = []
        if self._layer is not None:
            regions = regions_of(self._layer, opened.recording, opened.affine)
        self._stale = False
        work = self._curves(opened.recording, opened, regions)
        self.start(work, functools.partial(self._show, opened, regions))

    def _curves(
        self, recording: Recording, opened: Opened, regions: list[Region]
    ) -> Work[pd.DataFrame]:
        """Curves of the regions; that of the whole field is kept from the last time."""
        key: tuple[Recording, NormalizationParameters] = (recording, opened.normalization)
        if self._field[:2] != key:
            reference: Reference = opened.reference()
            film = opened.film(reference)
            field = yield from region_curves(recording, reference, valid=film)
            self._field = (*key, reference, film, field)
        reference, film, field = self._field[2:]
        drawn = yield from region_curves(
            recording, reference, regions, valid=film, with_field=False
        )
        experiment = opened.experiment
        return complete_curves(
            _interleaved(field, drawn),
            experiment.stages,
            experiment.potential,
            experiment.film,
            experiment.origins_s(),
            level_frames=opened.normalization.level_frames,
        )

    def _show(self, opened: Opened, regions: list[Region], curves: pd.DataFrame) -> None:
        opened.did(Step.of("region_curves", opened.normalization, regions=regions))
        opened.tables["curve_summary"] = curve_summary(curves)
        self.session.put_table(opened, "curves", curves)
        empty = [
            name
            for name, part in curves.groupby("region", sort=False)
            if part["mean_counts"].isna().all()
        ]
        n = len(regions)
        self.status.setText(
            f"{', '.join(empty)}: no pixel inside the field." if empty
            else f"{n} region{'s' * (n != 1)} and the whole field."
            if n
            else "The whole field; draw regions in the ROI layer."
        )  # fmt: skip
        if self._stale:
            self._touched()

    def draw(self) -> None:
        """Draw the chosen quantity of the current recording's curves."""
        opened = self.session.current
        curves = None if opened is None else opened.tables.get("curves")
        title = self.quantity.currentText()
        if curves is None:
            self.canvas.show_plot(Plot(x_label="Time (s)", y_label=title))
            return
        column = QUANTITIES[title]
        if not curves[column].notna().any():
            title, column = next((t, c) for t, c in QUANTITIES.items() if curves[c].notna().any())
        stages = stages_of(opened.experiment.stages, *{s.kind for s in opened.experiment.stages})
        plot = Plot(
            x_label="Time (s)",
            y_label=title,
            curves=_lines(curves, column),
            stages=stages,
            y_range=NORMALIZED_RANGE if column == "normalized_absorbance" else None,
        )
        self.canvas.show_plot(plot)
        self.canvas.show_time(self.session.time_s)


def _interleaved(field: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """Rows by time, the field first at each, as if both had been computed at once."""
    both = pd.concat([field, drawn], ignore_index=True) if len(drawn) else field
    return both.sort_values("time_s", kind="stable", ignore_index=True)


def _lines(curves: pd.DataFrame, column: str) -> list[Curve]:
    """A line a region; a normalized curve is broken between stages."""
    lines = []
    for region, part in curves.groupby("region", sort=False):
        y = part[column].to_numpy(float, na_value=np.nan).copy()
        if column == "normalized_absorbance":
            y[part["stage"].isin(NOT_NORMALIZED).to_numpy(bool)] = np.nan
            key = part["cycle"].astype("string") + part["stage"]
            y[1:][(key != key.shift()).fillna(True).to_numpy(bool)[1:]] = np.nan
        lines.append(Curve(name=str(region), x=part["time_s"].to_numpy(float), y=y))
    return [line for line in lines if np.isfinite(line.y).any() or line.name == FIELD]


def _name_next(layer: Any) -> None:
    """After Area Init comes Area Fnl; further shapes are ROI 3, ROI 4 and so on."""
    if kind_of(layer) != "regions":
        return
    n = len(layer.data)
    following = "Area Fnl" if n == 1 else f"ROI {n + 1}"
    if n and layer.feature_defaults["name"].iloc[0] != following:
        layer.feature_defaults = {"name": following}
