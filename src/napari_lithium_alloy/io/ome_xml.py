"""What OME-XML says of times, pixels and channels."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as ET

import numpy as np

from napari_lithium_alloy.io.stack import Timing
from napari_lithium_alloy.io.units import length_um, time_s


@dataclass(frozen=True, eq=False, kw_only=True)
class OmeImage:
    """One Image element: one position."""

    name: str
    timing: Timing
    pixel_yx_um: tuple[float, float] | None
    channel_names: tuple[str, ...]
    significant_bits: int | None


def ome_images(xml: str) -> list[OmeImage]:
    """The images an OME-XML document describes; empty if it is not one."""
    try:
        root = ET.fromstring(xml)
    except ET.ParseError:
        return []
    return [
        _image(image, pixels)
        for image in root.iterfind("{*}Image")
        if (pixels := image.find("{*}Pixels")) is not None
    ]


def _image(image: ET.Element, pixels: ET.Element) -> OmeImage:
    height, width = (
        length_um(pixels.get(f"PhysicalSize{a}"), pixels.get(f"PhysicalSize{a}Unit", "um"))
        for a in "YX"
    )
    channels = pixels.findall("{*}Channel")
    names = tuple(c.get("Name") or c.get("Fluor") or "" for c in channels)
    bits = pixels.get("SignificantBits", "")
    stage = image.find("{*}StageLabel")
    return OmeImage(
        name=(stage.get("Name") if stage is not None else None) or image.get("Name") or "",
        timing=dataclasses.replace(
            _timing(pixels, max(len(channels), 1)), started=_acquired(image)
        ),
        pixel_yx_um=(height or width, width or height) if height or width else None,  # type: ignore[arg-type]
        channel_names=names if all(names) else (),
        significant_bits=int(bits) if bits.isdecimal() and int(bits) > 0 else None,
    )


def _acquired(image: ET.Element) -> datetime | None:
    """When the image's time 0 was; OME has had two names for it."""
    for name in ("AcquisitionDate", "AcquiredDate"):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(image.findtext(f"{{*}}{name}", "").strip())
    return None


def _timing(pixels: ET.Element, n_channels: int) -> Timing:
    interval = time_s(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))
    shape = (int(pixels.get("SizeT", 1)), n_channels, int(pixels.get("SizeZ", 1)))
    times = np.full(shape, np.nan)
    for plane in pixels.iterfind("{*}Plane"):
        delta = time_s(plane.get("DeltaT"), plane.get("DeltaTUnit", "s"))
        t, c, z = (int(plane.get(f"The{a}", 0)) for a in "TCZ")
        if delta is not None and t < shape[0] and c < shape[1] and z < shape[2]:
            times[t, c, z] = delta
    return Timing(
        plane_times_s=None if np.isnan(times).all() else times,
        plane_source="OME DeltaT",
        interval_s=interval,
        interval_source="OME TimeIncrement",
    )
