"""TIFF files: plain, BigTIFF, OME, ImageJ, Micro-Manager, STK, LSM."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import struct
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import TiffFile, TiffFileError, TiffPageSeries

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.stack import Stack, Timing
from napari_lithium_alloy.io.tiff_metadata import TiffMetadata, position_metadata, read_metadata
from napari_lithium_alloy.io.tiff_series import SeriesReader, truncated

DAMAGE = (TiffFileError, ValueError, IndexError, KeyError, RuntimeError, OSError, struct.error)
"""What tifffile raises on files that end too early or hold wrong offsets."""


def open_tiff(path: Path) -> list[Stack]:
    """The positions of a TIFF file, each with its planes read on demand.

    Raises
    ------
    AlloyError
        If it is not a TIFF file, is truncated, or has axes that it does not name.
    """
    tif, readers = _opened(path)
    weakref.finalize(tif, tif.filehandle.close)
    return _stacks(tif, readers)


def read_frame(path: Path) -> NDArray[Any]:
    """The only frame of a TIFF file, (Y, X) or (Y, X, samples); the file is closed again.

    Raises
    ------
    AlloyError
        As `open_tiff`, or if it holds several frames.
    """
    tif, readers = _opened(path)
    try:
        stacks = _stacks(tif, readers)
        if len(stacks) > 1 or stacks[0].sizes != (1, 1, 1):
            raise AlloyError(
                f"{path.name} holds several frames, but in a folder or glob each file is one; "
                "open the file by itself."
            )
        return stacks[0].read(0, 0, 0, slice(None), slice(None))
    finally:
        for reader in readers:
            reader.close()


def _opened(path: Path) -> tuple[TiffFile, list[SeriesReader]]:
    with _complaints() as complaints:
        try:
            tif = TiffFile(path)
        except (TiffFileError, ValueError, OSError, struct.error) as error:
            raise AlloyError(
                f"{path.name} cannot be read as a TIFF file ({error}); "
                "check that it is a TIFF image and was copied whole."
            ) from error
        try:
            if not len(tif.pages):
                raise AlloyError(f"{path.name} holds no frames; check that it was copied whole.")
            readers = [SeriesReader(tif, s, path) for s in _image_series(tif)]
        except AlloyError:
            tif.close()
            raise
        except DAMAGE as error:
            tif.close()
            raise truncated(path) from error
    if any(level >= logging.ERROR for level in complaints):
        tif.close()
        raise truncated(path)
    return tif, readers


def _stacks(tif: TiffFile, readers: list[SeriesReader]) -> list[Stack]:
    metadata = read_metadata(tif)
    positions = [(r, p) for r in readers for p in range(r.n_positions)]
    return [
        _stack(reader, position, metadata, k, len(positions))
        for k, (reader, position) in enumerate(positions)
    ]


@contextlib.contextmanager
def _complaints() -> Iterator[list[int]]:
    """Levels of what tifffile logs meanwhile: it skips damaged pages and only logs that it did."""
    levels: list[int] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            levels.append(record.levelno)

    handler = Collect()
    tifffile.logger().addHandler(handler)
    try:
        yield levels
    finally:
        tifffile.logger().removeHandler(handler)


def _image_series(tif: TiffFile) -> list[TiffPageSeries]:
    """Series of full images: no thumbnails."""
    series = [s for s in tif.series if not s.keyframe.is_reduced and s.dtype is not None]
    return series or list(tif.series)


def _stack(
    reader: SeriesReader, position: int, metadata: TiffMetadata, k: int, n_positions: int
) -> Stack:
    """One position of a series; `k` is its number among the `n_positions` of the file."""
    order, sizes = reader.axes, dict(zip(reader.axes, reader.sizes, strict=True))
    channels_last = reader.trailing is not None and reader.trailing[0] == "C"
    n_channels = reader.trailing[1] if channels_last and reader.trailing else sizes.get("C", 1)
    tcz = (sizes.get("T", 1), n_channels, sizes.get("Z", 1))

    def plane(t: int, c: int, z: int, s: int = 0) -> int:
        index = {"T": t, "C": c, "Z": z, "P": position, "S": s}
        return int(np.ravel_multi_index([index[a] for a in order], reader.sizes)) if order else 0

    def read(t: int, c: int, z: int, y: slice, x: slice) -> NDArray[Any]:
        if channels_last:
            return reader.read(plane(t, 0, z), y, x)[..., c]
        if "S" in sizes:
            samples = [reader.read(plane(t, c, z, s), y, x) for s in range(sizes["S"])]
            return np.stack(samples, axis=-1)
        return reader.read(plane(t, c, z), y, x)

    image, timing, pixel = position_metadata(metadata, k, n_positions)
    if timing.plane_times_s is None and metadata.page_time_s is not None:
        timing = _page_times(
            timing, metadata, [reader.page_index(plane(t, 0, 0)) for t in range(tcz[0])]
        )
    bits = (image.significant_bits if image else None) or reader.series.keyframe.bitspersample
    whole = reader.dtype.itemsize * 8
    return Stack(
        sizes=tcz,
        field_shape=reader.field_shape,
        dtype=reader.dtype,
        read=read,
        mapped=_mapped(reader, position),
        color="S" in sizes or (reader.trailing is not None and not channels_last),
        present=_present(reader, position, tcz, channels_last=channels_last),
        timing=timing,
        pixel_yx_um=pixel,
        channel_names=(image.channel_names if image else ()) or metadata.channel_names,
        position_name=image.name if image and n_positions > 1 else "",
        saturation_counts=2.0**bits - 1 if reader.dtype.kind == "u" and bits < whole else None,
        notes=("White is zero in this file: its counts were turned round.",)
        if reader.white_is_zero
        else (),
    )


def _mapped(reader: SeriesReader, position: int) -> NDArray[Any] | None:
    """(T, C, Z, Y, X) memory map of one position."""
    planes, axes = reader.mapped(), list(reader.axes)
    if planes is None or "S" in axes:
        return None
    if "P" in axes:
        planes = np.moveaxis(planes, axes.index("P"), 0)[position]
        axes.remove("P")
    for axis in "TCZ":
        if axis not in axes:
            planes, axes = planes[np.newaxis], [axis, *axes]
    return planes.transpose(*(axes.index(a) for a in "TCZ"), 3, 4)


def _page_times(timing: Timing, metadata: TiffMetadata, pages: list[int | None]) -> Timing:
    assert metadata.page_time_s is not None
    times = np.array([np.nan if p is None else metadata.page_time_s(p) for p in pages])
    return dataclasses.replace(
        timing,
        plane_times_s=times[:, None, None],
        plane_source=metadata.page_time_source,
    )


def _present(
    reader: SeriesReader, position: int, tcz: tuple[int, int, int], *, channels_last: bool
) -> NDArray[np.bool_] | None:
    """(T, C, Z) of one position."""
    recorded = reader.present()
    if recorded is None:
        return None
    there: NDArray[np.bool_] = recorded
    axes = list(reader.axes)
    for axis, keep in (("P", position), ("S", 0)):
        if axis in axes:
            there = np.take(there, keep, axis=axes.index(axis))
            axes.remove(axis)
    there = there.transpose([axes.index(a) for a in "TCZ" if a in axes])
    shape = (tcz[0], 1 if channels_last else tcz[1], tcz[2])
    whole: NDArray[np.bool_] = np.broadcast_to(there.reshape(shape), tcz)
    return whole
