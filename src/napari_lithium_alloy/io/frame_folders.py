"""Folders and globs of single frames."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffFileError

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.frames import FrameCache
from napari_lithium_alloy.io.stack import Stack, Timing
from napari_lithium_alloy.io.tiff_stacks import open_tiff, read_frame
from napari_lithium_alloy.io.timing import first_frame_at

TIFF_FRAMES = (".tif", ".tiff")
FRAME_SUFFIXES = (*TIFF_FRAMES, ".png", ".jpg", ".jpeg", ".bmp")
NUMBER = re.compile(r"(\d+)")
AXIS_NUMBER = re.compile(
    r"(?:^|(?<=[^a-z0-9]))(channel|ch|c|w|position|pos|p|xy|z)(\d+)(?![a-z0-9])", re.IGNORECASE
)


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sorting key that puts frame2 before frame10."""
    parts = NUMBER.split(path.name.lower())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts]


def frame_files(paths: Iterable[Path]) -> list[Path]:
    """Those that are image files, hidden ones left out."""
    return [
        p
        for p in paths
        if p.suffix.lower() in FRAME_SUFFIXES and p.is_file() and not p.name.startswith(".")
    ]


def open_frames(files: Sequence[Path], where: Path) -> list[Stack]:
    """A folder's or glob's frames as one stack over time, in natural order.

    Raises
    ------
    AlloyError
        If there are none, they are of several kinds, or their sizes differ.
    """
    if not files:
        raise AlloyError(
            f"{where} holds no frames; give a folder or a glob of TIFF, PNG, JPEG or BMP files."
        )
    ordered = sorted(files, key=natural_key)
    _check_one_kind(ordered, where)
    first = _read_whole(ordered[0])
    _check_sizes(ordered, first.shape)
    shape, dtype = first.shape, first.dtype
    cache = FrameCache(lambda t: _read_like(ordered[t], shape, dtype), parallel=True)
    cache.keep(0, first)

    def read(t: int, _c: int, _z: int, y: slice, x: slice) -> NDArray[Any]:
        return np.array(cache(t)[y, x])

    head = open_tiff(ordered[0])[0] if ordered[0].suffix.lower() in TIFF_FRAMES else None
    return [
        Stack(
            sizes=(len(ordered), 1, 1),
            field_shape=(shape[0], shape[1]),
            dtype=dtype,
            read=read,
            color=len(shape) == 3,
            timing=Timing(started=first_frame_at(head, 0, 0)) if head else Timing(),
            pixel_yx_um=head.pixel_yx_um if head else None,
            saturation_counts=head.saturation_counts if head else None,
            notes=head.notes if head else (),
        )
    ]


def _check_one_kind(files: Sequence[Path], where: Path) -> None:
    """Raise AlloyError if the names tell of several channels, positions, z planes or kinds."""
    texts = {NUMBER.sub("#", f.name.lower()) for f in files}
    if len(texts) > 1:
        one, other = sorted(texts)[:2]
        raise AlloyError(
            f"{where.name} holds frames of several kinds ({one}, {other}); give a glob that "
            "matches one kind, such as trans*.tif."
        )
    numbers = [NUMBER.findall(f.name) for f in files]
    varying = sum(len(set(column)) > 1 for column in zip(*numbers, strict=True))
    axes: dict[str, set[str]] = {}
    for f in files:
        for axis, number in AXIS_NUMBER.findall(f.stem):
            axes.setdefault(axis.lower(), set()).add(number)
    mixed = next((a for a, found in axes.items() if len(found) > 1), None)
    if varying > 1 and mixed is not None:
        number = sorted(axes[mixed])[0]
        raise AlloyError(
            f"{where.name} holds frames of several {mixed} ({', '.join(sorted(axes[mixed])[:5])}); "
            f"give a glob that matches one of them, such as *{mixed}{number}*."
        )


def _check_sizes(files: Sequence[Path], shape: tuple[int, ...]) -> None:
    """Headers are read only where a file's length says that its frame may be another size."""
    known = {(files[0].suffix, files[0].stat().st_size)}
    for file in files[1:]:
        length = (file.suffix, file.stat().st_size)
        if length in known:
            continue
        if (found := _shape_in_header(file)) != shape[:2]:
            raise AlloyError(
                f"{file.name} is {found[0]} x {found[1]} pixels, but {files[0].name} is "
                f"{shape[0]} x {shape[1]}; keep frames of one size in the folder."
            )
        known.add(length)


def _shape_in_header(file: Path) -> tuple[int, int]:
    try:
        if file.suffix.lower() in TIFF_FRAMES:
            with TiffFile(file) as tif:
                page = tif.pages.first
                return int(page.imagelength), int(page.imagewidth)
        shape = iio.improps(file).shape
    except (OSError, ValueError, TiffFileError) as error:
        raise _unreadable(file, error) from error
    return int(shape[0]), int(shape[1])


def _unreadable(file: Path, error: Exception) -> AlloyError:
    return AlloyError(
        f"{file.name} cannot be read as an image ({error}); copy it again or leave it out."
    )


def _read_whole(file: Path) -> NDArray[Any]:
    """A file's only frame: (Y, X), or (Y, X, samples)."""
    if file.suffix.lower() in TIFF_FRAMES:
        return read_frame(file)
    try:
        frame = np.asarray(iio.imread(file))
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    return frame.astype(np.uint8) if frame.dtype == bool else frame


def _read_like(file: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if not file.exists():
        raise AlloyError(f"{file} was there when the recording was opened but is gone; restore it.")
    frame = _read_whole(file)
    if frame.shape != shape or frame.dtype != dtype:
        raise AlloyError(
            f"{file.name} is {frame.dtype} {frame.shape}, not {dtype} {shape} as the "
            "first frame; keep frames of one kind in the folder."
        )
    return frame
