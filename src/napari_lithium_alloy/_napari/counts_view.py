"""Which frames a recording's own layers show: as they were read, or corrected."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy._napari.layers import about, kind_of, set_about
from napari_lithium_alloy._napari.stacks import OnGrid, counts_on_grid, with_previews
from napari_lithium_alloy.core.clock import even_grid
from napari_lithium_alloy.core.photometry import dark_level
from napari_lithium_alloy.core.recording import FloatArray, Recording

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_lithium_alloy._napari.opened import Opened
    from napari_lithium_alloy._napari.session import Session
    from napari_lithium_alloy.core.correction import Correction

CORRECTED = " (corrected)"
"""After the name of a layer that shows corrected frames."""
_ANY = ("counts", "regions")
"""Layers that lie right whatever the frames are."""
_own_data: weakref.WeakKeyDictionary[Layer, Any] = weakref.WeakKeyDictionary()
"""What somebody's own layers held before corrected frames were shown in them."""


def corrections_of(layer: Layer) -> tuple[str, ...]:
    """What is corrected in the frames a layer shows or was made from."""
    return tuple(about(layer).get("corrections") or ())


def counts_layers(session: Session, opened: Opened) -> list[Layer]:
    """Layers that show a recording's own frames."""
    return [
        layer
        for layer in session.viewer.layers
        if kind_of(layer) in ("counts", None) and session.opened_of(layer) is opened
    ]


def shows_corrected(session: Session, opened: Opened) -> bool:
    """Whether a recording's layer shows corrected frames."""
    return any(corrections_of(layer) for layer in counts_layers(session, opened))


def show_frames(session: Session, opened: Opened, correction: Correction | None) -> None:
    """Show corrected frames or, with None, those that were read in a recording's own layers."""
    dark = float(np.mean(dark_level(opened.as_read, opened.normalization.dark_counts)))
    recording = opened.as_read if correction is None else opened.corrected_by(correction)
    on_grid = even_grid(recording.times_s).frame_of_step
    data = counts_on_grid(recording, on_grid)
    if correction is not None and correction.moves:
        data = OnGrid(_InView(recording, correction.shift_px), on_grid)
    for layer in counts_layers(session, opened):
        if recording.corrections or corrections_of(layer):
            _show(layer, data, recording.corrections, dark)


class _InView:
    """Corrected frames, NaN where the camera did not see the sample."""

    def __init__(self, recording: Recording, shift_px: FloatArray) -> None:
        self.recording, self.shift_px = recording, shift_px
        self.shape, self.dtype = recording.frames.shape, recording.frames.dtype

    def __getitem__(self, index: int) -> NDArray[Any]:
        frame = self.recording.read(index)
        for axis, (size, shift) in enumerate(zip(frame.shape, self.shift_px[index], strict=True)):
            at = np.arange(size) + shift
            outside = (at < -0.5) | (at > size - 0.5)
            frame[(slice(None),) * axis + (outside,)] = np.nan
        return frame


def _show(layer: Layer, data: OnGrid, corrections: tuple[str, ...], dark: float) -> None:
    was, now = bool(corrections_of(layer)), bool(corrections)
    low, high = (limit + dark * (was - now) for limit in layer.contrast_limits)
    ours = kind_of(layer) == "counts"
    if not was and not ours:
        _own_data[layer] = layer.data
    shown = with_previews(data) if layer.multiscale else data
    layer.data = shown if now or ours else _own_data.pop(layer)
    widest = layer.contrast_limits_range
    layer.contrast_limits_range = min(widest[0], low), max(widest[1], high)
    layer.contrast_limits = low, high
    layer.name = layer.name.removesuffix(CORRECTED) + (CORRECTED if now else "")
    set_about(layer, corrections=corrections)


def made_of_others(session: Session, opened: Opened) -> list[str]:
    """Names of a recording's layers made from other frames than those now in use."""
    now = opened.recording.corrections
    return [
        layer.name
        for layer in session.viewer.layers
        if kind_of(layer) not in (None, *_ANY)
        and session.opened_of(layer) is opened
        and corrections_of(layer) != now
    ]
