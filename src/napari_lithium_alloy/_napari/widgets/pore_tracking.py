"""Pore tracking: holes in the film over dissolution and dealloying."""

import functools

import numpy as np
from qtpy.QtWidgets import QComboBox, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.dock import column
from napari_lithium_alloy._napari.forms import Field, Form, rows
from napari_lithium_alloy._napari.label_store import make_labels
from napari_lithium_alloy._napari.layers import pore_tracks_layer, pores_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plot_dock import PlotDock
from napari_lithium_alloy._napari.plots import Curve, CurveCanvas, Plot
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pore_tracking import PoreTracks, PoreWindow, track_pores
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of

FIELDS = {
    "threshold": Field(
        label="Threshold (of film to bare)",
        tip="Share of the step from film to bare substrate above which a pixel is pore",
        low=0.05,
        high=0.95,
        step=0.05,
    ),
    "min_area_um2": Field(
        label="Least area (µm²)", tip="Smaller holes are left out", high=100, step=0.01
    ),
    "film_window_um": Field(
        label="Film window (µm)",
        tip="Size of the surroundings whose median is the film's brightness",
        low=0.1,
        high=1000,
        step=0.5,
    ),
    "substrate": Field(
        label="Bare substrate (× film)",
        tip="Brightness of bare substrate relative to the pristine film",
        high=1e3,
        unset="from the recording",
    ),
    "averaged_frames": Field(
        label="Averaged frames",
        tip="Frames averaged where the pores of a cycle's end are told",
        low=1,
        high=1000,
    ),
}
ALL_CYCLES = "All cycles"


class PoreTracking(PlotDock):
    """Pores as labels, tracks and areas."""

    TITLE = "Pores"
    TABLES = ("pore_summary", "pores", "pore_events")
    RUN = "Track pores"

    def controls(self) -> QWidget:
        self.cycles = QComboBox()
        self.cycles.setToolTip("Dissolution and dealloying of these cycles are looked at")
        self.form: Form[PoreParameters] = Form(PoreParameters(), FIELDS)
        self.canvas = CurveCanvas(self.viewer, "Total pore area against time is drawn here")
        self.canvas.setFixedHeight(190)
        self.canvas.time_clicked.connect(self.session.show_time)
        return column(rows(("Cycles", self.cycles)), self.form.native, self.canvas)

    def take(self, opened: Opened) -> None:
        self.form.value = opened.config.pores

    def refresh(self) -> None:
        opened = self.session.current
        cycles = sorted({s.cycle for s in ([] if opened is None else _stages(opened))})
        choices = [ALL_CYCLES, *(f"Cycle {c}" for c in cycles)]
        if choices != [self.cycles.itemText(i) for i in range(self.cycles.count())]:
            self.cycles.clear()
            self.cycles.addItems(choices)

    def show_tables(self) -> None:
        super().show_tables()
        self.draw()

    def windows(self, opened: Opened) -> list[PoreWindow]:
        """What is chosen; without stages, the whole recording."""
        stages = _stages(opened)
        if not stages:
            if opened.experiment.stages:
                raise AlloyError(
                    "There is no dissolution or dealloying among the stages; add one to [[stages]]."
                )
            times = opened.recording.times_s
            return [PoreWindow(cycle=1, start_s=float(times[0]), end_s=float(times[-1]))]
        chosen = self.cycles.currentText()
        found = {}
        for stage in stages:
            if chosen in (ALL_CYCLES, f"Cycle {stage.cycle}"):
                low, high = found.get(stage.cycle, (np.inf, -np.inf))
                found[stage.cycle] = min(low, stage.start_s), max(high, stage.end_s)
        return [
            PoreWindow(cycle=cycle, start_s=low, end_s=high)
            for cycle, (low, high) in sorted(found.items())
        ]

    def run(self) -> None:
        opened, parameters = self.session.need_current(), self.form.value
        opened.recording.pixel_size("Pore tracking")
        opened.use(pores=parameters)
        work = _tracked(opened, self.windows(opened), parameters)
        self.start(work, functools.partial(self._show, opened, parameters))

    def _show(self, opened: Opened, parameters: PoreParameters, tracks: PoreTracks) -> None:
        opened.pore_tracks = tracks
        steps = opened.did(Step.of("track_pores", parameters))
        layers = [
            pores_layer(opened.recording, tracks, steps),
            pore_tracks_layer(opened.recording, tracks, steps),
        ]
        add_layers(self.viewer, layers)
        opened.tables |= {
            "pores": tracks.pores,
            "pore_summary": tracks.summary,
            "pore_events": tracks.events,
        }
        self.session.results_changed.emit("tables")
        self.session.results_changed.emit("pores")
        self.status.setText(_sentence(tracks))

    def draw(self) -> None:
        """Draw total area against time, a curve a cycle."""
        opened = self.session.current
        summary = None if opened is None else opened.tables.get("pore_summary")
        label = "Total pore area (µm²)"
        if opened is None or summary is None:
            self.canvas.show_plot(Plot(x_label="Time (s)", y_label=label))
            return
        curves = [
            Curve(
                name=f"cycle {cycle}",
                x=part["time_s"].to_numpy(float),
                y=part["total_area_um2"].to_numpy(float, na_value=np.nan),
            )
            for cycle, part in summary.groupby("cycle")
        ]
        plot = Plot(x_label="Time (s)", y_label=label, curves=curves, stages=_stages(opened))
        self.canvas.show_plot(plot)


def _stages(opened: Opened) -> list[Stage]:
    return stages_of(opened.experiment.stages, StageKind.DISSOLUTION, StageKind.DEALLOYING)


def _tracked(
    opened: Opened, windows: list[PoreWindow], parameters: PoreParameters
) -> Work[PoreTracks]:
    yield 0, 1
    recording, optics, reference = opened.recording, opened.experiment.optics, opened.reference()
    return (
        yield from track_pores(
            recording,
            windows,
            reference,
            parameters,
            film=opened.film(reference),
            psf_sigma_px=optics.sigma_px(recording.pixel_size_um),
            substrate=optics.substrate_transmittance if recording.mode == "trans" else None,
            make_labels=make_labels,
        )
    )


def _sentence(tracks: PoreTracks) -> str:
    if not len(tracks.summary):
        return "No frame lies in the windows."
    last = tracks.summary.iloc[-1]
    merges = int((tracks.events["event"] == "merge").sum())
    return (
        f"{int(last['count'])} pores at the end, {last['total_area_um2']:.3g} µm² in all "
        f"({100 * last['area_fraction']:.2g} % of the field); {merges} merges. "
        f"{tracks.optics.note}"
    )
