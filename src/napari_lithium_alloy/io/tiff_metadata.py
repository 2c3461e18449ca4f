"""Times and pixel sizes in the dialects of TIFF."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from tifffile import TiffFile, TiffPage

from napari_lithium_alloy.io.ome_xml import OmeImage, ome_images
from napari_lithium_alloy.io.stack import Timing
from napari_lithium_alloy.io.units import LENGTH_UM, factor, length_um, time_s

PLAUSIBLE_PIXEL_UM = 100.0
RESOLUTION_UNIT_CM = 3
MICRO_MANAGER_TAG = 51123
ELAPSED_MS = re.compile(r'"?ElapsedTime-ms"?\s*:\s*"?([-+.\deE]+)')


@dataclass(frozen=True, eq=False, kw_only=True)
class TiffMetadata:
    """What a TIFF file says beside its pixels, one `OmeImage` a position where it has them.

    `plane_times_s` reads the time of one page, None in dialects that keep none in the pages.
    """

    images: tuple[OmeImage, ...]
    timing: Timing
    pixel_yx_um: tuple[float, float] | None
    channel_names: tuple[str, ...]
    page_time_s: Callable[[int], float] | None
    page_time_source: str = ""


def read_metadata(tif: TiffFile) -> TiffMetadata:
    """The metadata of a file of any dialect; what it does not say stays None."""
    images = tuple(ome_images(tif.ome_metadata)) if tif.ome_metadata else ()
    micro_manager = tif.is_micromanager and MICRO_MANAGER_TAG in tif.pages.first.tags
    return TiffMetadata(
        images=images,
        timing=_timing(tif),
        pixel_yx_um=_pixel_size(tif),
        channel_names=_channel_names(tif),
        page_time_s=(lambda index: _elapsed_s(tif, index)) if micro_manager else None,
        page_time_source="Micro-Manager ElapsedTime-ms" if micro_manager else "",
    )


def _timing(tif: TiffFile) -> Timing:
    if tif.is_lsm and tif.lsm_metadata:
        return lsm_timing(tif.lsm_metadata)
    if tif.is_stk and tif.stk_metadata:
        return stk_timing(tif.stk_metadata)
    if tif.is_imagej and tif.imagej_metadata:
        unit = tif.imagej_metadata.get("tunit", "s")
        interval = time_s(tif.imagej_metadata.get("finterval"), unit)
        return Timing(
            interval_s=interval,
            interval_source="ImageJ finterval",
            started=_micro_manager_start(tif),
        )
    return Timing(started=_micro_manager_start(tif))


def _micro_manager_start(tif: TiffFile) -> datetime | None:
    """When a Micro-Manager acquisition started ("2018-10-03 13:54:41 -0700")."""
    summary = (tif.micromanager_metadata or {}).get("Summary", {}) if tif.is_micromanager else {}
    text = str(summary.get("StartTime", "")).replace(" -", "-").replace(" +", "+")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def lsm_timing(meta: dict[str, Any]) -> Timing:
    """Times of a Zeiss LSM file: a stamp a time point, or their interval."""
    stamps = np.asarray(meta.get("TimeStamps", ()), dtype=float)
    return Timing(
        plane_times_s=stamps[:, None, None] if stamps.size else None,
        plane_source="LSM TimeStamps",
        interval_s=time_s(meta.get("TimeIntervall"), "s"),
        interval_source="LSM TimeInterval",
    )


def stk_timing(meta: dict[str, Any]) -> Timing:
    """Times of a MetaMorph STK file: when each plane was created, since the first."""
    created = meta.get("DatetimeCreated")
    if created is None or not len(created):
        return Timing()
    since = np.asarray(created, dtype="datetime64[ms]") - np.datetime64(created[0], "ms")
    return Timing(
        plane_times_s=(since.astype(float) / 1000)[:, None, None],
        plane_source="MetaMorph creation times",
        started=np.datetime64(created[0], "ms").item(),
    )


def _elapsed_s(tif: TiffFile, index: int) -> float:
    """Elapsed time of a Micro-Manager page, read from its tag without parsing all of its JSON."""
    page = tif.pages.get(index, aspage=True)
    tag = page.tags.get(MICRO_MANAGER_TAG) if isinstance(page, TiffPage) else None
    if tag is None:
        return float("nan")
    value = tag.value
    if isinstance(value, dict):
        return time_s(value.get("ElapsedTime-ms"), "ms") or float("nan")
    found = ELAPSED_MS.search(str(value))
    return float(found[1]) / 1000 if found else float("nan")


def _pixel_size(tif: TiffFile) -> tuple[float, float] | None:
    if tif.is_lsm and tif.lsm_metadata:
        return _pair(*(length_um(tif.lsm_metadata.get(f"VoxelSize{a}"), "m") for a in "YX"))
    if tif.is_stk and tif.stk_metadata and tif.stk_metadata.get("SpatialCalibration", True):
        meta = tif.stk_metadata
        unit = meta.get("CalibrationUnits")
        return _pair(*(length_um(meta.get(f"{a}Calibration"), unit) for a in "YX"))
    resolution = [_resolution(tif, f"{a}Resolution") for a in "YX"]
    if None in resolution:
        return None
    height, width = (1 / r for r in resolution if r)
    if tif.is_imagej and tif.imagej_metadata:
        by = factor(tif.imagej_metadata.get("unit"), LENGTH_UM)
        return _pair(height * by, width * by) if by else None
    unit_tag = tif.pages.first.tags.get("ResolutionUnit")
    if unit_tag is None or unit_tag.value != RESOLUTION_UNIT_CM:
        return None
    height, width = height * LENGTH_UM["cm"], width * LENGTH_UM["cm"]
    return _pair(height, width) if max(height, width) < PLAUSIBLE_PIXEL_UM else None


def _resolution(tif: TiffFile, name: str) -> float | None:
    tag = tif.pages.first.tags.get(name)
    if tag is None:
        return None
    numerator, denominator = tag.value
    return numerator / denominator if numerator and denominator else None


def _pair(height: float | None, width: float | None) -> tuple[float, float] | None:
    if height is None or width is None or not (height > 0 and width > 0):
        return None
    return height, width


def _channel_names(tif: TiffFile) -> tuple[str, ...]:
    if tif.is_micromanager and tif.micromanager_metadata:
        names = tif.micromanager_metadata.get("Summary", {}).get("ChNames", ())
        return tuple(str(n) for n in names) if isinstance(names, (list, tuple)) else ()
    if tif.is_lsm and tif.lsm_metadata:
        colors = tif.lsm_metadata.get("ChannelColors") or {}
        return tuple(str(n) for n in colors.get("ColorNames", ()))
    return ()


def position_metadata(
    metadata: TiffMetadata, position: int, n_positions: int
) -> tuple[OmeImage | None, Timing, tuple[float, float] | None]:
    """The OME image of a position, and its timing and pixel size from the best source."""
    image = metadata.images[position] if len(metadata.images) == n_positions else None
    if image is None:
        return None, metadata.timing, metadata.pixel_yx_um
    timing = image.timing
    if timing.plane_times_s is None and timing.interval_s is None:
        timing = metadata.timing
    elif timing.plane_times_s is None:
        timing = dataclasses.replace(
            timing,
            plane_times_s=metadata.timing.plane_times_s,
            plane_source=metadata.timing.plane_source,
        )
    started = image.timing.started or metadata.timing.started
    return (
        image,
        dataclasses.replace(timing, started=started),
        image.pixel_yx_um or metadata.pixel_yx_um,
    )
