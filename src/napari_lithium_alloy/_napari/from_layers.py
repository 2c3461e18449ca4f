"""What layers hold: regions drawn in Shapes, recordings in somebody's image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.layers import kind_of, placement
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray, Recording, Region

if TYPE_CHECKING:
    from napari.layers import Layer


def regions_of(
    layer: Layer, recording: Recording, affine: FloatArray | None = None
) -> list[Region]:
    """Regions drawn in a Shapes layer, in pixels of the recording.

    Vertices go through world coordinates, so a layer that was moved, scaled or turned is right;
    of a 3-D layer the time axis is dropped. `affine` is where the recording is laid, if it is:
    the map (3, 3) in micrometres from its own world.
    """
    names = list(layer.features.get("name", pd.Series(dtype=object)))
    size = placement(recording, 2)["scale"][0]
    regions = []
    for i, (vertices, shape) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        if shape in ("line", "path"):
            continue
        world = np.array([layer.data_to_world(v)[-2:] for v in np.asarray(vertices)], dtype=float)
        if affine is not None:
            world = (world - affine[:2, 2]) @ np.linalg.inv(affine[:2, :2]).T
        name = names[i] if i < len(names) and isinstance(names[i], str) else ""
        regions.append(
            Region(
                name=name or f"ROI {i + 1}",
                kind="ellipse" if shape == "ellipse" else "polygon",
                vertices_px=world / size,
            )
        )
    return _numbered(regions)


def _numbered(regions: list[Region]) -> list[Region]:
    """The same regions under names that differ from each other and from the whole field's."""
    taken, named = {"field"}, []
    for region in regions:
        name, n = region.name, 2
        while name in taken:
            name, n = f"{region.name} ({n})", n + 1
        taken.add(name)
        named.append(Region(name=name, kind=region.kind, vertices_px=region.vertices_px))
    return named


def recording_of_image(layer: Layer) -> Recording:
    """A recording made of somebody's (T, Y, X) image layer.

    Times are the layer's world times where its first unit is one of time, else frames counted
    as seconds.

    Raises
    ------
    AlloyError
        If the layer is no grey (T, Y, X) image of counts.
    """
    import dask.array as da

    if kind_of(layer) not in (None, "counts") or getattr(layer, "rgb", True) or layer.ndim != 3:
        raise AlloyError(
            f"{layer.name} is not a recording; choose a layer of counts over time (T, Y, X)."
        )
    data = layer.data
    if not isinstance(data, da.Array):
        data = da.from_array(np.asarray(data), chunks=(1, -1, -1))
    unit = layer.units[0]
    timed = unit.is_compatible_with("second")
    step = layer.scale[0] * ((1 * unit).to("second").magnitude if timed else 1.0)
    length = layer.units[-1]
    metric = length.is_compatible_with("micrometer")
    return Recording(
        name=layer.name,
        frames=data,
        times_s=(layer.translate[0] if timed else 0.0) + step * np.arange(len(data)),
        pixel_size_um=float((layer.scale[-1] * length).to("micrometer").magnitude)
        if metric
        else None,
        times_source="the layer's scale" if timed else "frames counted as seconds",
        source=str(layer.source.path or ""),
    )
