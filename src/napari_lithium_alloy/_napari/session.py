"""What the docks of one viewer share: recordings, their results, and the time shown."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_lithium_alloy._napari.aligning import Laid, lay, lay_recording
from napari_lithium_alloy._napari.counts_view import show_frames, shows_corrected
from napari_lithium_alloy._napari.from_layers import recording_of_image
from napari_lithium_alloy._napari.layers import about, kind_of, placement
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.opening import take_opened
from napari_lithium_alloy.config import AnalysisConfig, config_of
from napari_lithium_alloy.core.correction import Correction
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.recording import Recording

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


MODE_KEY = "Alt-E"
"""Toggles between trans and epi."""


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
        "stages", "correction", or "tables".
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
        viewer.bind_key(MODE_KEY, show_other_mode, overwrite=True)
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
                known = Opened(experiment, recording, config_of(experiment, recording))
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
        opened.as_read = opened.as_read.replace(**changes)
        for layer in self.viewer.layers:
            if self.opened_of(layer) is opened and kind_of(layer) in ("counts", "stack"):
                where = placement(opened.recording, layer.ndim, grid=opened.grid)
                for key in ("units", "scale", "translate"):
                    setattr(layer, key, where[key])
        if opened.correction is not None and shows_corrected(self, opened):
            show_frames(self, opened, opened.correction)
        self.recordings_changed.emit()
        self.results_changed.emit("normalization")

    def correct(self, opened: Opened, correction: Correction | None) -> None:
        """Let all docks work on corrected frames or, with None, on those that were read."""
        opened.correction = correction
        show_frames(self, opened, correction)
        self.lay(opened, opened.laid)
        self.recordings_changed.emit()
        self.results_changed.emit("correction")

    def lay(self, opened: Opened, laid: Laid | None) -> None:
        """Lay a recording on another or, with None, put it back; all its layers follow."""
        before, opened.laid = opened.laid, laid
        lay_recording(self, opened, own=before is not None or laid is not None)

    def change_experiment(self, opened: Opened, **changes: Any) -> None:
        """Set stages or clock of a cell by hand, for all its recordings that are open."""
        before = opened.experiment
        after = before.replace(**changes)
        for one in self.opened:
            if one.experiment is before:
                one.experiment = after
        self.results_changed.emit("stages")
        self._follow_slider()

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
        opened = self.opened_of(layer)
        if opened is not None:
            if opened.laid is not None:
                lay(layer, opened.affine)
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
        for other in self.opened:
            if other.laid is not None and other.laid.onto is opened:
                self.lay(other, None)
        if self._current is opened:
            self.current = self.opened[0] if self.opened else None
        self.recordings_changed.emit()


def show_other_mode(viewer: ViewerModel) -> None:
    """Show the epi recordings in place of the trans ones, or the other way round."""
    counts = [layer for layer in viewer.layers if kind_of(layer) == "counts"]
    trans_shown = any(layer.visible and about(layer)["mode"] == "trans" for layer in counts)
    for layer in counts:
        layer.visible = (about(layer)["mode"] == "trans") != trans_shown


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
