"""What the docks of one viewer share: recordings, their results, and the time shown."""

from __future__ import annotations

import dataclasses
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_lithium_alloy._napari.layers import about, kind_of, placement, recording_of_image
from napari_lithium_alloy._napari.opening import take_opened
from napari_lithium_alloy._napari.site_edits import with_source
from napari_lithium_alloy.config import AnalysisConfig, config_of
from napari_lithium_alloy.core.clock import EvenGrid, even_grid
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.field import film_mask
from napari_lithium_alloy.core.galvanostatic import li_content
from napari_lithium_alloy.core.photometry import NormalizationParameters, Reference, reference_frame
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import BoolArray, Recording
from napari_lithium_alloy.core.stages import Stage, stage_at, stages_of
from napari_lithium_alloy.core.tables import empty

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_lithium_alloy.core.onset import OnsetMap
    from napari_lithium_alloy.core.pore_tracking import PoreTracks
    from napari_lithium_alloy.pipeline import AnalysisResult


@dataclass(eq=False)
class Opened:
    """One recording of a viewer and what was found in it.

    Attributes
    ----------
    experiment, recording
        What it is; the recording is replaced when its mode, clock or pixel size is set by hand.
    config : AnalysisConfig
        Parameters of every analysis: what recording.toml says, then what was last run.
    onset_maps : dict
        Onset maps by the key of their stage (cycle1_step1) or of their time range.
    stages : dict
        The stage or range of each onset map, by the same key.
    sites : pandas.DataFrame or None
        The table `sites` with a column `source` (detected, added, moved).
    deleted_um : dict
        By cycle, places (y, x) of detected sites that were deleted or moved, micrometres.
    pore_tracks : PoreTracks or None
    tables : dict
        Results by the name of their table.
    steps : list of Step
        What was done, for exported tables.
    result : AnalysisResult or None
        The last run of the whole analysis.
    """

    experiment: Experiment
    recording: Recording
    config: AnalysisConfig
    onset_maps: dict[str, OnsetMap] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    sites: pd.DataFrame | None = None
    deleted_um: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    pore_tracks: PoreTracks | None = None
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    result: AnalysisResult | None = None

    @property
    def name(self) -> str:
        """What the docks call it."""
        return self.recording.name

    @property
    def normalization(self) -> NormalizationParameters:
        """Parameters of the reference frame."""
        return self.config.normalization

    def use(self, **parameters: Any) -> None:
        """Remember the parameters an analysis was run with."""
        self.config = dataclasses.replace(self.config, **parameters)

    def film(self, reference: Reference) -> BoolArray:
        """(Y, X) True where there is film; bare glass is told in transmitted light only."""
        if self.recording.mode == "trans":
            return film_mask(reference.image)
        return np.ones(self.recording.field_shape, dtype=bool)

    @property
    def grid(self) -> EvenGrid:
        """The even grid on which it is shown."""
        return even_grid(self.recording.times_s)

    def reference(self) -> Reference:
        """Its reference frame under the current parameters."""
        return reference_frame(
            self.recording,
            self.normalization,
            current_starts_s=self.experiment.current_starts_s(),
        )

    def sites_of(self, cycle: int) -> pd.DataFrame:
        """Sites of a cycle, with the column `source`."""
        sites = with_source(empty("sites")) if self.sites is None else self.sites
        return sites[sites["cycle"] == cycle].reset_index(drop=True)

    def put_sites(self, cycle: int, sites: pd.DataFrame) -> None:
        """Replace the sites of a cycle."""
        if self.sites is None:
            self.sites = sites
            return
        others = self.sites[self.sites["cycle"] != cycle]
        parts = [part for part in (others, sites) if len(part)]
        self.sites = pd.concat(parts, ignore_index=True) if parts else sites

    def did(self, step: Step) -> list[Step]:
        """Note a step in place of an earlier one of the same name and stage; what was done."""
        where = step.parameters.get("stage")
        kept = [s for s in self.steps if (s.name, s.parameters.get("stage")) != (step.name, where)]
        self.steps = [*kept, step]
        return [step]

    def describes(self, time_s: float) -> str:
        """Time, potential, Li content and stage at a time, for the canvas."""
        words = [f"t = {time_s:.1f} s"]
        experiment = self.experiment
        at = np.array([time_s])
        if experiment.potential is not None:
            potential = float(experiment.potential.potential_at(at)[0])
            if np.isfinite(potential):
                words.append(f"E = {potential:.3f} V")
            if experiment.film is not None:
                x = li_content(
                    experiment.potential, experiment.film, at, origins_s=experiment.origins_s()
                )
                if np.isfinite(x[0]):
                    words.append(f"x = {x[0]:.2f}")
        stage = stage_at(stages_of(experiment.stages, *{s.kind for s in experiment.stages}), time_s)
        if stage is not None:
            done = 100 * (time_s - stage.start_s) / (stage.end_s - stage.start_s)
            words.append(f"{stage.label}, {done:.0f} %")
        return "   ".join(words)


class Session:
    """The shared state of one viewer's docks.

    Signals
    -------
    recordings_changed
        A recording was opened, closed or changed.
    current_changed
        The docks now work on another recording.
    results_changed(str)
        Results of this kind changed: "normalization", "onset", "sites", "pores", "regions",
        or "tables".
    time_changed(float)
        The true time shown by the slider, seconds.
    """

    recordings_changed: ClassVar = Signal()
    current_changed: ClassVar = Signal()
    results_changed: ClassVar = Signal(str)
    time_changed: ClassVar = Signal(float)

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)
        self.opened: list[Opened] = []
        self._current: Opened | None = None
        self._adopted: weakref.WeakKeyDictionary[Layer, Opened] = weakref.WeakKeyDictionary()
        viewer.canvas.overlays.text.position = "bottom_left"
        viewer.dims.events.point.connect(self._follow_slider)
        viewer.layers.selection.events.active.connect(self._follow_selection)
        viewer.layers.events.inserted.connect(self._layer_inserted)
        viewer.layers.events.removed.connect(self._layer_removed)
        for layer in viewer.layers:
            self._register_layer(layer)
        self._follow_selection()

    @property
    def viewer(self) -> ViewerModel:
        """The viewer it belongs to."""
        viewer = self._viewer()
        if viewer is None:
            raise ReferenceError("The viewer of this session is closed.")
        return viewer

    @property
    def current(self) -> Opened | None:
        """The recording the docks work on."""
        return self._current

    @current.setter
    def current(self, opened: Opened | None) -> None:
        if opened is not self._current:
            self._current = opened
            self.current_changed.emit()
            self._follow_slider()

    def need_current(self) -> Opened:
        """The recording the docks work on, or an AlloyError that says to open one."""
        if self._current is None:
            raise AlloyError("There is no recording; open one first (Open recording…).")
        return self._current

    def add_experiment(self, experiment: Experiment) -> list[Opened]:
        """Register an experiment's recordings; one that is open already stays as it is."""
        found = []
        for recording in experiment.recordings:
            known = self.find(recording.name, recording.source)
            if known is None:
                known = Opened(experiment, recording, config_of(experiment))
                self.opened.append(known)
            found.append(known)
        if self._current is None and found:
            main = next((o for o in found if o.recording.mode == "trans"), found[0])
            self.current = main
            if main.recording.pixel_size_um is not None:
                self.viewer.canvas.overlays.scale_bar.visible = True
        self.recordings_changed.emit()
        return found

    def find(self, name: str | None, source: str | None = None) -> Opened | None:
        """The opened recording of this name (and source)."""
        for opened in self.opened:
            if opened.name == name and source in (None, opened.recording.source):
                return opened
        return None

    def opened_of(self, layer: Layer) -> Opened | None:
        """The recording a layer belongs to, or None."""
        if layer in self._adopted:
            return self._adopted[layer]
        described = about(layer)
        return self.find(described.get("recording"), described.get("source"))

    def recording_of(self, layer: Layer) -> Recording:
        """The recording whose counts a layer shows.

        Raises
        ------
        AlloyError
            If the layer isn't counts over time.
        """
        opened = self.opened_of(layer) if kind_of(layer) in ("counts", None) else None
        return recording_of_image(layer) if opened is None else opened.recording

    def change_recording(self, opened: Opened, **changes: Any) -> None:
        """Set mode, pixel size or clock by hand; its layers move with it."""
        opened.recording = opened.recording.replace(**changes)
        for layer in self.viewer.layers:
            if self.opened_of(layer) is opened and kind_of(layer) in ("counts", "stack"):
                where = placement(opened.recording, layer.ndim, grid=opened.grid)
                for key in ("units", "scale", "translate"):
                    setattr(layer, key, where[key])
        self.recordings_changed.emit()
        self.results_changed.emit("normalization")

    def put_table(self, opened: Opened, name: str, table: pd.DataFrame) -> None:
        """Keep a result table."""
        opened.tables[name] = table
        self.results_changed.emit("tables")

    @property
    def time_s(self) -> float:
        """True time of the frame shown, seconds; NaN without a recording."""
        dims = self.viewer.dims
        if self._current is None or dims.ndim < 3:
            return float("nan")
        frame = self._current.grid.frame_at(float(dims.point[-3]))
        return float(self._current.recording.times_s[frame])

    def show_time(self, time_s: float) -> None:
        """Move the slider to a time."""
        dims = self.viewer.dims
        if dims.ndim >= 3:
            dims.set_point(dims.ndim - 3, time_s)

    def _follow_slider(self) -> None:
        overlay = self.viewer.canvas.overlays.text
        time_s = self.time_s
        if self._current is None or not np.isfinite(time_s):
            overlay.visible = False
            return
        overlay.text = self._current.describes(time_s) + "  "  # napari's box is a little narrow
        overlay.visible = True
        self.time_changed.emit(time_s)

    def _follow_selection(self) -> None:
        active = self.viewer.layers.selection.active
        opened = None if active is None else self.opened_of(active)
        if opened is not None:
            self.current = opened

    def _layer_inserted(self, event: Any) -> None:
        self._register_layer(event.value)
        self._follow_slider()

    def _register_layer(self, layer: Layer) -> None:
        """Know the recording of a layer: of ours from its source, of others as it is."""
        if self.opened_of(layer) is not None:
            return
        described = about(layer)
        if described.get("kind") == "counts":
            self._reopen(described)
        elif not described and _is_stack(layer):
            self._adopt(layer)

    def _adopt(self, layer: Layer) -> None:
        """Somebody's own image over time serves as a recording."""
        recording = recording_of_image(layer)
        experiment = Experiment(name=recording.name, recordings=(recording,))
        opened = Opened(experiment, recording, AnalysisConfig())
        self._adopted[layer] = opened
        self.opened.append(opened)
        if self._current is None:
            self.current = opened
        self.recordings_changed.emit()

    def _reopen(self, described: dict[str, Any]) -> None:
        from napari.utils.notifications import show_error

        try:
            self.add_experiment(take_opened(described.get("opened_from", "")))
        except AlloyError as error:
            show_error(str(error))

    def _layer_removed(self, event: Any) -> None:
        opened = self.opened_of(event.value)
        if opened is None or kind_of(event.value) not in ("counts", None):
            return
        if any(self.opened_of(layer) is opened for layer in self.viewer.layers):
            return
        self.opened.remove(opened)
        if self._current is opened:
            self.current = self.opened[0] if self.opened else None
        self.recordings_changed.emit()


def _is_stack(layer: Layer) -> bool:
    return type(layer).__name__ == "Image" and layer.ndim == 3 and not layer.rgb


_sessions: weakref.WeakKeyDictionary[ViewerModel, Session] = weakref.WeakKeyDictionary()


def session_of(viewer: ViewerModel) -> Session:
    """The session of a viewer, made at first use.

    A plug-in is handed a proxy of the viewer; the session belongs to the viewer behind it.
    """
    real = getattr(viewer, "__wrapped__", viewer)
    if real not in _sessions:
        _sessions[real] = Session(real)
    return _sessions[real]
