"""One series of a TIFF file: its axes, and reading its planes."""

from __future__ import annotations

import math
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffFileError, TiffFrame, TiffPage, TiffPageSeries

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.frames import FrameCache

AXIS_OF_CODE = {"T": "T", "C": "C", "Z": "Z", "R": "P", "P": "P", "M": "P", "S": "S"}
MINISWHITE = 0


def truncated(path: Path) -> AlloyError:
    """The error for a file that ends too early."""
    return AlloyError(f"{path.name} is truncated or damaged; copy it again from its source.")


class SeriesReader:
    """Reads planes of a series: from a memory map where the file allows, else decoded whole.

    Planes are numbered in the order of the series' leading axes.
    """

    def __init__(self, tif: TiffFile, series: TiffPageSeries, path: Path) -> None:
        self.path = path
        self.series = series
        self.tif = tif
        leading, self.field_shape, self.trailing = _layout(series, path)
        self.axes = [_axis(code, leading, path) for code, _ in leading]
        self.sizes = [n for _, n in leading]
        self.n_planes = math.prod(self.sizes)
        self.dtype = _native(series.dtype, path)
        self._stored = series.keyframe.dtype.newbyteorder(tif.byteorder)
        self._offset = series.dataoffset
        self._plane_shape = self.field_shape + ((self.trailing[1],) if self.trailing else ())
        self._plane_bytes = math.prod(self._plane_shape) * self._stored.itemsize
        self._lock = threading.RLock()
        self._maps: dict[str, NDArray[np.uint8]] = {}
        self._cache = FrameCache(self._decode, parallel=True)
        self.white_is_zero = series.keyframe.photometric == MINISWHITE and self.dtype.kind == "u"
        tif.filehandle.set_lock(True)
        self._check_whole()

    def _check_whole(self) -> None:
        """Raise AlloyError if the file ends before the data of its last plane do."""
        if self._offset is not None:
            if self._offset + self.n_planes * self._plane_bytes > self.tif.filehandle.size:
                raise truncated(self.path)
            return
        for page in (self._page(0), self._page(self.n_planes - 1)):
            if page is None:
                continue
            ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
            if not ends or not all(page.dataoffsets) or max(ends) > page.parent.filehandle.size:
                raise truncated(self.path)

    @property
    def _planes_a_page(self) -> int:
        return max(1, self.n_planes // len(self.series))

    def _page(self, plane: int) -> TiffPage | TiffFrame | None:
        with self._lock:
            return self.series[plane // self._planes_a_page]

    def page_index(self, plane: int) -> int | None:
        """Index in the file of the page that holds a plane."""
        page = self._page(plane)
        return None if page is None else int(page.index)

    def present(self) -> NDArray[np.bool_] | None:
        """Which planes were recorded, in the shape of the leading axes; None: all."""
        if self._offset is not None:
            return None
        there = np.array([self._page(k) is not None for k in range(self.n_planes)])
        return None if there.all() else there.reshape(self.sizes)

    def read(self, plane: int, y: slice, x: slice) -> NDArray[Any]:
        """Part of one plane, (Y, X) or (Y, X, samples)."""
        offset, path = self._place(plane)
        if offset is None:
            part = self._cache(plane)[y, x]
        else:
            stored = np.ndarray(self._plane_shape, self._stored, self._map(path), offset)
            part = stored[y, x]
        counts = np.array(part, dtype=self.dtype)
        return np.iinfo(self.dtype).max - counts if self.white_is_zero else counts

    def mapped(self) -> NDArray[Any] | None:
        """Memory map of all planes, leading axes first, where they lie in the file as counts."""
        if self._offset is None or self.trailing or self.white_is_zero:
            return None
        if self._stored != self.dtype or self._offset % self.dtype.itemsize:
            return None
        shape = (*self.sizes, *self.field_shape)
        return np.ndarray(shape, self.dtype, self._map(str(self.path)), self._offset)

    def _place(self, plane: int) -> tuple[int | None, str]:
        """Where a plane lies uncompressed in which file; None where it must be decoded."""
        if self._offset is not None:
            return self._offset + plane * self._plane_bytes, str(self.path)
        page = self._page(plane)
        if page is None or not page.is_final:
            return None, ""
        inner = plane % self._planes_a_page
        return page.dataoffsets[0] + inner * self._plane_bytes, page.parent.filehandle.path

    def _map(self, path: str) -> NDArray[np.uint8]:
        with self._lock:
            if path not in self._maps:
                self._maps[path] = np.memmap(path, dtype=np.uint8, mode="r")
            return self._maps[path]

    def _decode(self, plane: int) -> NDArray[Any]:
        page = self._page(plane)
        if page is None:
            raise AlloyError(f"{self.path.name}: plane {plane} was never recorded.")
        with self._lock:
            if page.parent.filehandle.closed:
                page.parent.filehandle.open()
                page.parent.filehandle.set_lock(True)
                weakref.finalize(page.parent, page.parent.filehandle.close)
        try:
            planes = page.asarray(maxworkers=1)
        except (TiffFileError, ValueError, RuntimeError, OSError) as error:
            raise AlloyError(
                f"{self.path.name}: plane {plane} cannot be decoded ({error}); "
                "copy the file again from its source."
            ) from error
        shaped = planes.reshape(self._planes_a_page, *self._plane_shape)
        return np.array(shaped[plane % self._planes_a_page])

    @property
    def n_positions(self) -> int:
        """Number of positions in this series."""
        return self.sizes[self.axes.index("P")] if "P" in self.axes else 1

    def close(self) -> None:
        """Let go of the file and its memory map."""
        self._maps.clear()
        self.tif.close()


def _layout(
    series: TiffPageSeries, path: Path
) -> tuple[list[tuple[str, int]], tuple[int, int], tuple[str, int] | None]:
    """Leading axes, rows and columns, and the axis after the columns, if any."""
    axes, shape = series.axes, series.shape
    at = axes.find("YX")
    if at < 0 or len(axes) > at + 3 or 0 in shape:
        raise AlloyError(
            f"{path.name} has the axes {axes} of sizes {shape}, which are not frames of rows and "
            "columns; save it as an image stack."
        )
    leading = list(zip(axes[:at], shape[:at], strict=True))
    trailing = (axes[at + 2], shape[at + 2]) if len(axes) == at + 3 else None
    return leading, (shape[at], shape[at + 1]), trailing


def _axis(code: str, leading: list[tuple[str, int]], path: Path) -> str:
    """T, C, Z, P (position) or S (samples); the one axis without a name of its own is time."""
    if code in AXIS_OF_CODE:
        return AXIS_OF_CODE[code]
    unnamed = [c for c, _ in leading if c not in AXIS_OF_CODE]
    if len(unnamed) > 1 or any(c == "T" for c, _ in leading):
        sizes = " x ".join(str(n) for _, n in leading)
        raise AlloyError(
            f"{path.name} holds {sizes} frames along axes it does not name; save it as an ImageJ "
            "or OME TIFF that says which is time."
        )
    return "T"


def _native(dtype: np.dtype[Any], path: Path) -> np.dtype[Any]:
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind not in "uif":
        raise AlloyError(f"{path.name} holds numbers of type {dtype}; save it as counts.")
    return dtype.newbyteorder("=")
