"""OME-Zarr (0.4 and 0.5) and plain Zarr arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.stack import Stack, Timing
from napari_lithium_alloy.io.units import length_um, time_s

MARKERS = (".zattrs", ".zgroup", ".zarray", "zarr.json")
PLAIN_AXES = {2: "yx", 3: "tyx", 4: "tcyx", 5: "tczyx"}


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((path / m).is_file() for m in MARKERS)


def open_zarr(path: Path) -> list[Stack]:
    """The images of an OME-Zarr, or a plain array with the axes of `PLAIN_AXES`.

    Raises
    ------
    AlloyError
        If there is no image in it that can be read.
    """
    try:
        node = zarr.open(str(path), mode="r")
        if isinstance(node, zarr.Array):
            return [_stack(node, PLAIN_AXES.get(node.ndim, ""), (), Timing(), None, path)]
        return _group_stacks(node, path)
    except (ValueError, KeyError, TypeError, OSError) as error:
        if isinstance(error, AlloyError):
            raise
        raise AlloyError(
            f"{path.name} cannot be read as Zarr ({error}); check that it was copied whole."
        ) from error


def _group_stacks(group: zarr.Group, path: Path) -> list[Stack]:
    if "multiscales" in _ome(group):
        return [_ome_stack(group, path)]
    if "plate" in _ome(group):
        raise AlloyError(f"{path.name} is a plate of wells; give the path of one image in it.")
    images = sorted((k for k, g in group.groups() if "multiscales" in _ome(g)), key=_natural)
    if images:
        return [_ome_stack(_child(group, k), path) for k in images]
    arrays = [a for _, a in group.arrays()]
    if len(arrays) == 1:
        return [_stack(arrays[0], PLAIN_AXES.get(arrays[0].ndim, ""), (), Timing(), None, path)]
    raise AlloyError(f"{path.name} holds {len(arrays)} arrays and no image; give one array's path.")


def _child(group: zarr.Group, key: str) -> zarr.Group:
    child = group[key]
    if not isinstance(child, zarr.Group):
        raise KeyError(key)
    return child


def _natural(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() else (2**31, key)


def _ome(group: zarr.Group) -> Mapping[str, Any]:
    """OME metadata: under "ome" since 0.5, at the top before."""
    attributes: Mapping[str, Any] = group.attrs.asdict()
    ome: Mapping[str, Any] = attributes.get("ome", attributes)
    return ome


def _ome_stack(group: zarr.Group, path: Path) -> Stack:
    ome = _ome(group)
    image = ome["multiscales"][0]
    axes = [a if isinstance(a, dict) else {"name": a} for a in image.get("axes", "tczyx")]
    level = image["datasets"][0]
    scale = _scale(level, len(axes)) * _scale(image, len(axes))
    names = "".join(str(a["name"]).lower() for a in axes)
    in_units = {a["name"]: (float(s), a.get("unit")) for a, s in zip(axes, scale, strict=True)}
    interval = time_s(*in_units["t"]) if "t" in in_units else None
    height, width = (length_um(*in_units[a]) for a in "yx")
    channels = [str(c.get("label", "")) for c in ome.get("omero", {}).get("channels", ())]
    array = group[level["path"]]
    timing = Timing(interval_s=interval, interval_source="OME-Zarr scale")
    pixel = (height, width) if height and width else None
    return _stack(array, names, channels, timing, pixel, path)


def _scale(holder: Mapping[str, Any], n_axes: int) -> NDArray[np.float64]:
    for transformation in holder.get("coordinateTransformations", ()):
        if transformation.get("type") == "scale":
            return np.asarray(transformation["scale"], dtype=float)
    return np.ones(n_axes)


def _stack(
    array: Any,
    axes: str,
    channels: Sequence[str],
    timing: Timing,
    pixel_yx_um: tuple[float, float] | None,
    path: Path,
) -> Stack:
    if not axes.endswith("yx") or set(axes[:-2]) - set("tcz") or array.dtype.kind not in "uif":
        raise AlloyError(
            f"{path.name} holds {array.dtype} of shape {array.shape}, not frames; give an array of "
            "numbers with the axes t, c, z, y, x."
        )
    sizes = dict(zip(axes, array.shape, strict=True))

    def read(t: int, c: int, z: int, y: slice, x: slice) -> NDArray[Any]:
        index = {"t": t, "c": c, "z": z}
        return np.array(array[(*(index[a] for a in axes[:-2]), y, x)])

    return Stack(
        sizes=(sizes.get("t", 1), sizes.get("c", 1), sizes.get("z", 1)),
        field_shape=(sizes["y"], sizes["x"]),
        dtype=np.dtype(array.dtype).newbyteorder("="),
        read=read,
        timing=timing,
        pixel_yx_um=pixel_yx_um,
        channel_names=tuple(channels) if all(channels) else (),
    )
