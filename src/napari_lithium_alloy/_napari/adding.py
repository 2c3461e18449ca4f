"""Layers into a viewer: a recomputation replaces its own earlier layer and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_lithium_alloy._napari.layers import (
    METADATA_KEY,
    WITH_BAR,
    LayerTuple,
    about,
    set_about,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_IDENTITY = ("kind", "slot", "recording", "source")
_KEPT = ("visible", "opacity", "blending")
_PLACED = ("units", "scale", "translate")


def add_layers(viewer: ViewerModel, layers: Iterable[LayerTuple | None]) -> list[Layer]:
    """Add layers of ours, replacing those that show the same thing of the same recording."""
    added = [add_layer(viewer, layer) for layer in layers if layer is not None]
    if any(_covers(layer) for layer in added):
        for layer in viewer.layers:
            if _covers(layer) and layer not in added:
                layer.visible = False
    shown = [layer for layer in added if layer.visible]
    if shown:
        viewer.layers.selection.active = shown[-1]
    return added


def _covers(layer: Layer) -> bool:
    """Whether it is a visible map of ours: one covers all others, whose colour bars remain."""
    return bool(layer.visible) and about(layer).get("kind") in ("map", "onset", "onset_sd", "rgb")


def add_layer(viewer: ViewerModel, layer: LayerTuple) -> Layer:
    """Add one layer of ours.

    The layer of the same kind, slot and recording is replaced in its place and keeps how it is
    shown; one that was edited by hand stays, and so does any layer of the user's.
    """
    from napari.layers import Layer

    data, attributes, kind = layer
    new = Layer.create(data, attributes, kind)
    for old in same_as(viewer, new):
        if not about(old).get("edited", False):
            return _replace(viewer, old, new)
    viewer.layers.insert(_place(viewer, new), new)
    return _ready(new)


def _place(viewer: ViewerModel, layer: Layer) -> int:
    """Images go above all images but below points, shapes, labels and tracks."""
    if type(layer).__name__ != "Image":
        return len(viewer.layers)
    images = [i for i, other in enumerate(viewer.layers) if type(other).__name__ == "Image"]
    return images[-1] + 1 if images else 0


def same_as(viewer: ViewerModel, layer: Layer) -> list[Layer]:
    """Layers in the viewer that show the same thing of the same recording."""
    wanted = _identity(layer)
    return [other for other in viewer.layers if _identity(other) == wanted]


def mark_edited(layer: Layer) -> None:
    """Remember that a layer was changed by hand: no recomputation replaces it."""
    if not about(layer).get("edited", False):
        set_about(layer, edited=True)


def _identity(layer: Layer) -> tuple[object, ...]:
    if METADATA_KEY not in layer.metadata:
        return (id(layer),)
    described = about(layer)
    return tuple(described.get(key) for key in _IDENTITY)


def _replace(viewer: ViewerModel, old: Layer, new: Layer) -> Layer:
    if type(old).__name__ == type(new).__name__ == "Image" and _alike(old, new):
        return _update_image(old, new)
    for name in _KEPT:
        setattr(new, name, getattr(old, name))
    index, name = viewer.layers.index(old), old.name
    viewer.layers.remove(old)
    viewer.layers.insert(index, new)
    new.name = name
    return _ready(new)


def _alike(old: Layer, new: Layer) -> bool:
    return bool(old.rgb == new.rgb and old.multiscale == new.multiscale)


def _update_image(old: Layer, new: Layer) -> Layer:
    """New pixels in the same layer: far quicker than another layer."""
    old.data = new.data
    if not old.rgb:
        old.contrast_limits_range = new.contrast_limits_range
        old.contrast_limits = new.contrast_limits
        old.colormap = new.colormap
    for name in _PLACED:
        setattr(old, name, getattr(new, name))
    if old.name == about(old).get("title"):
        old.name = about(new).get("title", old.name)  # its unit may be another
    old.metadata = {**old.metadata, METADATA_KEY: about(new)}
    old.visible = old.visible or new.visible
    return old


def _ready(layer: Layer) -> Layer:
    """What napari cannot be told in the attributes of a layer."""
    if about(layer).get("kind") in WITH_BAR:
        layer.colorbar.visible = True
    if hasattr(layer.events, "paint"):
        layer.events.paint.connect(_painted)
    return layer


def _painted(event: object) -> None:
    mark_edited(event.source)  # type: ignore[attr-defined]
