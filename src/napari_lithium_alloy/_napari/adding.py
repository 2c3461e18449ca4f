"""Layers into a viewer: a recomputation replaces its own earlier layer and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_lithium_alloy._napari.layers import METADATA_KEY, LayerTuple, about, set_about

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_IDENTITY = ("kind", "slot", "recording", "source")
_KEPT = ("visible", "opacity", "blending")


def add_layers(viewer: ViewerModel, layers: Iterable[LayerTuple | None]) -> list[Layer]:
    """Add layers of ours, replacing those that show the same thing of the same recording."""
    added = [add_layer(viewer, layer) for layer in layers if layer is not None]
    if any(_covers(layer) for layer in added):
        for layer in viewer.layers:
            if _covers(layer) and layer not in added:
                layer.visible = False
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
    viewer.layers.append(new)
    return _ready(new)


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
    for name in _KEPT:
        setattr(new, name, getattr(old, name))
    index, name = viewer.layers.index(old), old.name
    was_selected = old in viewer.layers.selection
    viewer.layers.remove(old)
    viewer.layers.insert(index, new)
    new.name = name
    if not was_selected and len(viewer.layers) > 1:
        viewer.layers.selection.discard(new)
    return _ready(new)


def _ready(layer: Layer) -> Layer:
    """What napari cannot be told in the attributes of a layer."""
    if about(layer).get("kind") in ("map", "onset", "onset_sd"):
        layer.colorbar.visible = True
    if hasattr(layer.events, "paint"):
        layer.events.paint.connect(_painted)
    return layer


def _painted(event: object) -> None:
    mark_edited(event.source)  # type: ignore[attr-defined]
