"""Nikon ND2 through the optional package nd2."""

from __future__ import annotations

import importlib
import threading
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.io.frames import FrameCache
from napari_lithium_alloy.io.stack import Stack, Timing

UNIX_EPOCH_JULIAN_DAY = 2440587.5


def open_nd2(path: Path) -> list[Stack]:
    """The positions of an ND2 file.

    Raises
    ------
    AlloyError
        If the package nd2 is not installed or cannot read the file.
    """
    try:
        file = importlib.import_module("nd2").ND2File(path)
    except ModuleNotFoundError as error:
        raise AlloyError(
            f"{path.name} is ND2, which needs the package nd2: "
            "pip install napari-lithium-alloy[nd2]."
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise AlloyError(
            f"{path.name} cannot be read as ND2 ({error}); check that it was copied whole."
        ) from error
    return [_stack(file, position) for position in range(file.sizes.get("P", 1))]


def _stack(file: Any, position: int) -> Stack:
    sizes = file.sizes
    frame_of = {
        (i.get("T", 0), i.get("Z", 0)): k
        for k, i in enumerate(file.loop_indices)
        if i.get("P", 0) == position
    }
    lock = threading.Lock()

    def decode(key: tuple[int, int]) -> NDArray[Any]:
        with lock:
            frame = np.array(file.read_frame(frame_of[key]))
        return frame.reshape(sizes.get("C", 1), sizes["Y"], sizes["X"], -1)

    cache = FrameCache(decode)
    weakref.finalize(cache, file.close)
    color = sizes.get("S", 1) > 1

    def read(t: int, c: int, z: int, y: slice, x: slice) -> NDArray[Any]:
        part = np.array(cache((t, z))[c, y, x])
        return part if color else part[..., 0]

    size = file.voxel_size()
    bits = file.attributes.bitsPerComponentSignificant
    dtype = np.dtype(file.dtype)
    return Stack(
        sizes=(sizes.get("T", 1), sizes.get("C", 1), sizes.get("Z", 1)),
        field_shape=(sizes["Y"], sizes["X"]),
        dtype=dtype,
        read=read,
        color=color,
        timing=Timing(
            plane_times_s=_times(file, frame_of, sizes),
            plane_source="ND2 relative time",
            started=_started(file, min(frame_of.values())),
        ),
        pixel_yx_um=(size.y, size.x) if size.y > 0 and size.x > 0 else None,
        channel_names=tuple(c.channel.name for c in file.metadata.channels or ()),
        saturation_counts=2.0**bits - 1 if dtype.kind == "u" else None,
    )


def _started(file: Any, k: int) -> datetime | None:
    """When its relative time was zero, from the Julian day (UTC) of a frame; None without one."""
    time = file.frame_metadata(k).channels[0].time
    days = getattr(time, "absoluteJulianDayNumber", 0) - UNIX_EPOCH_JULIAN_DAY
    if days <= 0:
        return None
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)
    return at - timedelta(milliseconds=time.relativeTimeMs)


def _times(file: Any, frame_of: dict[tuple[int, int], int], sizes: Any) -> FloatArray:
    """(T, 1, Z) seconds since the start of the recording."""
    times = np.full((sizes.get("T", 1), 1, sizes.get("Z", 1)), np.nan)
    for (t, z), k in frame_of.items():
        times[t, 0, z] = file.frame_metadata(k).channels[0].time.relativeTimeMs / 1000
    return times
