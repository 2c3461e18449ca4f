"""Points layers in which matched places are marked, numbered in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.layers import METADATA_KEY, about, placement

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Points

    from napari_lithium_alloy._napari.opened import Opened

COLOURS = {"moving": "#e69f00", "fixed": "#56b4e9"}
SIZE_SHARE = 0.02
"""Of a point, as a share of the picture's width."""
ON_SCREEN_PX = (10, 16)
"""Limits of it on the screen: napari does not scale points by a layer's affine."""


def is_landmarks(layer: Layer, of: str | None = None) -> bool:
    """Whether places are marked in a layer (on the picture of a name)."""
    described = about(layer)
    return described.get("kind") == "landmarks" and of in (None, described.get("picture"))


def add_landmarks(
    viewer: ViewerModel, fixed: Opened, name: str, moving: Layer
) -> tuple[Points, Points]:
    """Add a layer to mark places on a picture and one for the same places on a recording.

    Layers of the same names that are there already are used again.
    """
    where = {key: getattr(moving, key)[-2:] for key in ("scale", "translate", "units")}
    placed = placement(fixed.recording, 2)
    on_fixed = _layer(viewer, fixed.name, "fixed", placed, fixed.recording.field_shape[1])
    on_moving = _layer(viewer, name, "moving", where, moving.data.shape[-1 - bool(moving.rgb)])
    for layer, like in ((on_moving, moving.affine.affine_matrix), (on_fixed, None)):
        if not len(layer.data):
            full = np.eye(3)
            if like is not None:
                full[:2, :2], full[:2, 2] = like[-3:-1, -3:-1], like[-3:-1, -1]
            else:
                full = fixed.affine
            layer.affine = full
    viewer.layers.selection.active = on_moving
    return on_moving, on_fixed


def _layer(
    viewer: ViewerModel, picture: str, role: str, where: dict[str, Any], width: int
) -> Points:
    for layer in viewer.layers:
        if is_landmarks(layer, of=picture) and about(layer)["role"] == role:
            return layer
    made = viewer.add_points(
        np.empty((0, 2)),
        name=f"Points on {picture}",
        **{"axis_labels": ("y", "x"), **where},
        features=pd.DataFrame({"n": pd.Series(dtype=int)}),
        text={"string": "{n}", "color": COLOURS[role], "anchor": "upper_left", "size": 12},
        size=max(SIZE_SHARE * width, 1.0),
        symbol="cross",
        canvas_size_limits=ON_SCREEN_PX,
        face_color=COLOURS[role],
        border_color=COLOURS[role],
        metadata={METADATA_KEY: {"kind": "landmarks", "picture": picture, "role": role}},
    )
    made.events.data.connect(_number)
    made.mode = "add"
    return made


def _number(event: Any) -> None:
    """Points are numbered in the order in which they were marked."""
    layer = event.source
    layer.features = pd.DataFrame({"n": np.arange(1, len(layer.data) + 1)})
    layer.feature_defaults = {"n": len(layer.data) + 1}
