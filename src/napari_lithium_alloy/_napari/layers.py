"""The only module that knows layer names, metadata, scale, units and axis labels.

A layer is described as napari's LayerDataTuple, (data, attributes, type). Every layer carries
`units`, `axis_labels` and, under `metadata["napari-lithium-alloy"]`, one plain-JSON dict that
says what it is, of which recording and by which steps it came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy import __version__
from napari_lithium_alloy._napari.stacks import OnGrid, counts_on_grid, with_previews
from napari_lithium_alloy.core.clock import EvenGrid, even_grid
from napari_lithium_alloy.core.provenance import Step, to_plain
from napari_lithium_alloy.core.recording import FloatArray, IntArray, Recording, Region

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_lithium_alloy.core.isochrones import Isochrones
    from napari_lithium_alloy.core.pore_tracking import PoreTracks

METADATA_KEY = "napari-lithium-alloy"
WITH_BAR = ("map", "onset", "onset_sd", "front")
"""Kinds of layers whose values a colour bar tells."""
LayerTuple = tuple[Any, dict[str, Any], str]
Kind = Literal[
    "counts",
    "stack",
    "map",
    "onset",
    "onset_sd",
    "front",
    "isochrones",
    "rgb",
    "montage",
    "sites",
    "pores",
    "pore_tracks",
    "regions",
]
ISOCHRONE_WIDTH_PX = 0.6
LABEL_APART_PX = 20
"""Labels of isochrones that are nearer would be written over each other."""
REGION_COLOUR = "#ff6a00"
SITE_GREEN, SITE_ORANGE = "#00e000", "#ffa000"
"""Of nucleation sites, and of those locked by hand."""
MONTAGE_APART = 1.05
"""Where a montage begins, in units of the field's width."""
QUANTITY_NAMES = {
    "transmittance": "Transmittance",
    "absorbance": "Absorbance",
    "relative_reflectance": "Relative reflectance",
    "normalized_absorbance": "Normalized absorbance",
}
_LEVELS = {
    "transmittance": (0.3, 1.3),
    "absorbance": (-0.05, 0.5),
    "relative_reflectance": (0.5, 1.8),
    "normalized_absorbance": (0.0, 1.0),
}


def placement(recording: Recording, ndim: int, *, grid: EvenGrid | None = None) -> dict[str, Any]:
    """Scale, translation, units and axis labels of a layer of this recording."""
    size, unit = recording.pixel_size_um, "micrometer"
    if size is None:
        size, unit = 1.0, "pixel"
    if ndim == 2:
        return {
            "scale": (size, size),
            "translate": (0.0, 0.0),
            "units": (unit, unit),
            "axis_labels": ("y", "x"),
        }
    grid = grid or even_grid(recording.times_s)
    return {
        "scale": (grid.step_s, size, size),
        "translate": (grid.start_s, 0.0, 0.0),
        "units": ("second", unit, unit),
        "axis_labels": ("time", "y", "x"),
    }


def provenance(
    recording: Recording,
    kind: Kind,
    slot: str = "",
    steps: Sequence[Step] = (),
    **more: Any,
) -> dict[str, Any]:
    """The metadata of a layer: plain JSON.

    Parameters
    ----------
    recording : Recording
    kind : str
        What the layer is.
    slot : str
        What distinguishes it from others of its kind: a quantity, a stage's key.
    steps : sequence of Step
        How it came about.
    """
    plain = {
        "kind": kind,
        "slot": slot,
        "recording": recording.name,
        "mode": recording.mode,
        "pixel_size_um": recording.pixel_size_um,
        "times_s": recording.times_s,
        "times_source": recording.times_source,
        "source": recording.source,
        "corrections": recording.corrections,
        "steps": [s.to_json() for s in steps],
        "version": __version__,
        **more,
    }
    return {METADATA_KEY: to_plain(plain)}


def about(layer: Layer) -> dict[str, Any]:
    """What a layer says of itself; empty for a layer that isn't ours."""
    found = layer.metadata.get(METADATA_KEY, {})
    return dict(found) if isinstance(found, dict) else {}


def kind_of(layer: Layer) -> str | None:
    """What a layer of ours is, or None for any other layer."""
    return about(layer).get("kind")


def set_about(layer: Layer, **changes: Any) -> None:
    """Change what a layer says of itself, replacing the dict whole."""
    new = {**about(layer), **to_plain(changes)}
    layer.metadata = {**layer.metadata, METADATA_KEY: new}


def _named(title: str, recording: Recording) -> str:
    """Name of a result's layer, short for the layer list; its metadata name the recording."""
    return f"{title}, epi" if recording.mode == "epi" else title


def counts_layer(recording: Recording, opened_from: str = "") -> LayerTuple:
    """The recording itself, read a frame at a time; `opened_from` opens it again."""
    grid = even_grid(recording.times_s)
    data = with_previews(counts_on_grid(recording, grid.frame_of_step))
    first, last = recording.read(0), recording.read(recording.n_frames - 1)
    low, high = (float(v) for v in np.nanpercentile(np.stack([first, last]), (0.1, 99.9)))
    attributes = {
        **placement(recording, 3, grid=grid),
        "rgb": False,
        "multiscale": isinstance(data, list),
        "name": recording.name,
        "colormap": "gray",
        "contrast_limits": (low, high if high > low else low + 1.0),
        "metadata": provenance(recording, "counts", opened_from=opened_from),
    }
    return data, attributes, "image"


def stack_layer(
    recording: Recording, frames: Any, quantity: str, steps: Sequence[Step]
) -> LayerTuple:
    """A lazy (T, Y, X) quantity of the recording."""
    grid = even_grid(recording.times_s)
    data = with_previews(OnGrid(frames, grid.frame_of_step))
    attributes = {
        **placement(recording, 3, grid=grid),
        "rgb": False,
        "multiscale": isinstance(data, list),
        "name": _named(QUANTITY_NAMES[quantity], recording),
        "colormap": "gray_r" if "absorbance" in quantity else "gray",
        "contrast_limits": _LEVELS[quantity],
        "metadata": provenance(recording, "stack", quantity, steps, quantity=quantity),
    }
    return data, attributes, "image"


def map_layer(
    recording: Recording,
    image: NDArray[Any],
    *,
    kind: Kind,
    slot: str,
    title: str,
    colormap: Any,
    steps: Sequence[Step],
    limits: tuple[float, float] | None = None,
    visible: bool = True,
) -> LayerTuple:
    """A float map (Y, X) with a colour bar; `title` holds its quantity and unit.

    `colormap` is a name or one of napari's. Contrast runs from the 1st to the 99th percentile
    unless `limits` are given.
    """
    image = np.asarray(image, dtype=np.float32)
    if limits is None:
        known = image[np.isfinite(image)]
        low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 1.0)
        limits = (float(low), float(high) if high > low else float(low) + 1.0)
    attributes = {
        **placement(recording, 2),
        "name": _named(title, recording),
        "colormap": colormap,
        "contrast_limits": limits,
        "blending": "translucent",
        "visible": visible,
        "rgb": False,
        "multiscale": False,
        "metadata": provenance(recording, kind, slot, steps, title=_named(title, recording)),
    }
    return image, attributes, "image"


def rgb_layer(
    recording: Recording,
    rgb: NDArray[np.uint8],
    *,
    slot: str,
    title: str,
    steps: Sequence[Step],
    visible: bool = True,
) -> LayerTuple:
    """A colour picture (Y, X, 3)."""
    attributes = {
        **placement(recording, 2),
        "name": _named(title, recording),
        "rgb": True,
        "multiscale": False,
        "visible": visible,
        "metadata": provenance(recording, "rgb", slot, steps),
    }
    return rgb, attributes, "image"


def isochrones_layer(
    recording: Recording,
    lines: Isochrones,
    colours: NDArray[np.uint8],
    *,
    slot: str,
    title: str,
    steps: Sequence[Step],
    visible: bool = True,
) -> LayerTuple:
    """Isochrones as paths in their colours (N, 3); one of each time says its seconds."""
    attributes = {
        **placement(recording, 2),
        "name": _named(title, recording),
        "shape_type": "path",
        "features": pd.DataFrame({"time_s": lines.times_s, "label": _labels(lines)}),
        "feature_defaults": {"time_s": np.nan, "label": ""},
        "text": {"string": "{label}", "size": 9, "color": "white"},
        "edge_color": np.column_stack([colours / 255, np.ones(len(colours))]),
        "face_color": "transparent",
        "edge_width": ISOCHRONE_WIDTH_PX,
        "opacity": 1.0,
        "ndim": 2,
        "visible": visible,
        "metadata": provenance(recording, "isochrones", slot, steps),
    }
    if not len(lines.times_s):  # napari makes no colours of none
        attributes |= {"edge_color": "white", "text": None}
    return [np.asarray(path) for path in lines.paths_px] or None, attributes, "shapes"


def _labels(lines: Isochrones) -> NDArray[np.object_]:
    """The seconds of each time, on the line that passes nearest to where napari writes them."""
    centres = [(path.min(axis=0) + path.max(axis=0)) / 2 for path in lines.paths_px]
    labels = np.full(len(centres), "", dtype=object)
    if not centres:
        return labels
    first, last = (end(np.concatenate(lines.paths_px), axis=0) for end in (np.min, np.max))
    placed: list[NDArray[np.float64]] = []
    for time in np.unique(lines.times_s):
        off = {}
        for i in np.flatnonzero(lines.times_s == time):
            own = np.hypot(*(lines.paths_px[i] - centres[i]).T).min()
            near = min((np.hypot(*(other - centres[i])) for other in placed), default=np.inf)
            edge = min(*(centres[i] - first), *(last - centres[i]))
            off[i] = own + sum(max(LABEL_APART_PX - far, 0) for far in (near, edge))
        best = min(off, key=lambda i: off[i])
        labels[best] = f"{time:g} s"
        placed.append(centres[best])
    return labels


def montage_layer(
    recording: Recording,
    picture: NDArray[np.uint8],
    side_px: float,
    steps: Sequence[Step],
) -> LayerTuple:
    """A montage (Y, X, 3) to the right of the field; `side_px`: its pixels' side in the field's."""
    placed = placement(recording, 2)
    size = placed["scale"][0]
    placed["scale"] = (size * side_px, size * side_px)
    placed["translate"] = (0.0, size * recording.field_shape[1] * MONTAGE_APART)
    attributes = {
        **placed,
        "name": _named("Montage", recording),
        "rgb": True,
        "interpolation2d": "linear",  # its text stays legible from afar
        "multiscale": False,
        "metadata": provenance(recording, "montage", "", steps),
    }
    return picture, attributes, "image"


def sites_layer(
    recording: Recording, sites: pd.DataFrame, cycle: int, steps: Sequence[Step]
) -> LayerTuple:
    """Nucleation sites of a cycle as Points with their measurements as features."""
    size = recording.pixel_size("Nucleation sites")
    features = site_features(sites)
    unmeasured = {c: "" if features[c].dtype.kind == "O" else np.nan for c in features}
    attributes = {
        **placement(recording, 2),
        "name": _named(f"Nucleation sites cycle {cycle}", recording),
        "features": features,
        "feature_defaults": {**unmeasured, "source": "added", "locked": False},
        "size": site_sizes(sites, size),
        "face_color": "transparent",
        "border_color": site_colours(sites) if len(sites) else SITE_GREEN,
        "border_width": 0.15,
        "metadata": provenance(recording, "sites", f"cycle{cycle}", steps),
    }
    return sites[["y_um", "x_um"]].to_numpy(float).reshape(-1, 2) / size, attributes, "points"


def site_colours(sites: pd.DataFrame) -> list[str]:
    """Green, locked ones orange."""
    locked = sites["locked"].astype("boolean").fillna(False)
    return [SITE_ORANGE if one else SITE_GREEN for one in locked]


def site_sizes(sites: pd.DataFrame, pixel_size_um: float) -> FloatArray:
    """(N,) diameters in pixels, of those not measured a usual one."""
    radius = sites["radius_um"].astype(float).fillna(0.3).to_numpy()
    return np.asarray(np.maximum(2 * radius / pixel_size_um, 3.0))


def site_features(sites: pd.DataFrame) -> pd.DataFrame:
    """The table of sites in types that napari's features keep: numbers as float, text as str."""
    numeric = sites.select_dtypes("number").columns
    table = sites.reset_index(drop=True).astype(dict.fromkeys(numeric, float))
    text = [c for c in table.columns if c not in numeric]
    return table.astype(dict.fromkeys(text, object))


def pores_layer(recording: Recording, tracks: PoreTracks, steps: Sequence[Step]) -> LayerTuple:
    """Pores over time as Labels; a pore keeps its number."""
    grid = even_grid(recording.times_s)
    image_of_frame = np.full(recording.n_frames, -1)
    image_of_frame[tracks.frames] = np.arange(len(tracks.frames))
    data = OnGrid(tracks.labels, image_of_frame[grid.frame_of_step])
    attributes = {
        **placement(recording, 3, grid=grid),
        "name": _named("Pores", recording),
        "multiscale": False,
        "metadata": provenance(recording, "pores", "", steps),
    }
    return data, attributes, "labels"


def pore_preview_layer(recording: Recording, labels: IntArray) -> LayerTuple:
    """Pores of one frame as 2-D Labels, outlines only."""
    attributes = {
        **placement(recording, 2),
        "name": _named("Pore preview", recording),
        "metadata": provenance(recording, "pore_preview", "", ()),
    }
    return np.asarray(labels), attributes, "labels"


def pore_tracks_layer(
    recording: Recording, tracks: PoreTracks, steps: Sequence[Step]
) -> LayerTuple | None:
    """Paths of the pores, merges in `graph`; None without a pore."""
    if not len(tracks.tracks):
        return None
    grid = even_grid(recording.times_s)
    rows = np.array(tracks.tracks, dtype=float)
    seconds = np.asarray(tracks.times_s)[rows[:, 1].astype(int)]
    rows[:, 1] = [grid.step_at(t) for t in seconds]
    _, first = np.unique(rows[:, :2], axis=0, return_index=True)  # a jittered step may hold two
    rows = rows[np.sort(first)]
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    known = set(rows[:, 0].astype(int).tolist())
    graph = {
        int(child): [int(p) for p in parents if p in known]
        for child, parents in tracks.graph.items()
        if child in known
    }
    attributes = {
        **placement(recording, 3, grid=grid),
        "name": _named("Pore tracks", recording),
        "graph": {child: parents for child, parents in graph.items() if parents},
        "tail_length": 30,
        "metadata": provenance(recording, "pore_tracks", "", steps),
    }
    return rows, attributes, "tracks"


def regions_layer(recording: Recording, regions: Sequence[Region]) -> LayerTuple:
    """Regions of interest as 2-D Shapes, their names written in them."""
    attributes = {
        **placement(recording, 2),
        "name": _named("ROIs", recording),
        "shape_type": [r.kind for r in regions],
        "features": pd.DataFrame({"name": pd.Series([r.name for r in regions], dtype=object)}),
        "feature_defaults": {"name": "ROI"},
        "text": {"string": "{name}", "size": 10, "color": REGION_COLOUR, "anchor": "upper_left"},
        "edge_color": REGION_COLOUR,
        "face_color": "transparent",
        "edge_width": 1,
        "opacity": 1.0,
        "ndim": 2,
        "metadata": provenance(recording, "regions"),
    }
    return [np.asarray(r.vertices_px, float) for r in regions] or None, attributes, "shapes"
