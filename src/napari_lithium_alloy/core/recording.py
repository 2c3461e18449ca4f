"""One field of view: counts with their clock and pixel size."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.kernels import read_only

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]
Mode = Literal["trans", "epi"]
Window = Callable[[int, slice, slice], NDArray[Any]]
"""Reads rows and columns of one frame, given by its index."""

EVERYTHING = slice(None)


@dataclass(frozen=True, eq=False, kw_only=True)
class MappedLight:
    """Light of all frames as a memory map of counts, with what makes light of them.

    Attributes
    ----------
    counts : numpy.ndarray
        (T, Y, X).
    dark : float or numpy.ndarray
        Counts without light.
    factor : numpy.ndarray
        (T,) float32; light is what exceeds the dark counts times it.
    limit : float or None
        Counts at and above which a pixel is clipped.
    """

    counts: NDArray[Any]
    dark: float | FloatArray
    factor: NDArray[np.float32]
    limit: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", read_only(self.counts))

    def frames(self, first: int, stop: int) -> MappedLight:
        """Of successive frames.

        Raises
        ------
        IndexError
            If one of them is not there, as in a copy that is being made.
        """
        if stop > len(self.counts):
            raise IndexError(f"frame {stop - 1} of {len(self.counts)} is not there")
        window = slice(first, stop)
        return dataclasses.replace(self, counts=self.counts[window], factor=self.factor[window])


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """One field of view: (T, Y, X) counts with its clock and pixel size.

    Attributes
    ----------
    name : str
        What the user calls it; the stem of its layers' names.
    frames : dask.array.Array
        (T, Y, X) counts, lazy, one chunk a frame.
    times_s : numpy.ndarray
        (T,) mid-exposure times in seconds on the recording's clock, strictly rising; uneven is
        allowed.
    pixel_size_um : float or None
        Side of a pixel in micrometres; None where nobody has said.
    mode : {"trans", "epi"} or None
        Transmitted or reflected light; None: not known yet.
    dark_counts : float, (Y, X) array or None
        The camera's reading without light, counts; None: not known, taken as 0 and said so.
    saturation_counts : float or None
        Counts at and above which a pixel is clipped.
    flat : (Y, X) array or None
        Relative light of an empty field, mean 1; None: not known.
    common : (Y, X) array or None
        True where every frame shows the sample, once drift is corrected; None: everywhere.
    corrections : tuple of str
        What is corrected in these frames, in the order it was done.
    window : callable or None
        Reads part of one frame without dask; None: through `frames`.
    mapped : numpy.ndarray or None
        (T, Y, X) the same counts as a memory map, where the file allows; None: reading part of a
        frame may cost the decoding of all of it.
    steadied : MappedLight or None
        Of corrected frames: their light as a memory map; None: there is none.
    source : str
        The file or folder it came from.
    beside : tuple of str
        Files that say more of it: a dark frame, a flat field, times.
    times_source : str
        Where the times come from ("OME DeltaT", "finterval", "frame_interval_s", ...).
    first_frame_at : datetime.datetime or None
        When the first frame was taken, as the file says it; without a time zone it is the local
        time of its computer.
    notes : tuple of str
        What a reader had to decide and the user should know (RGB made grey, ...).

    Raises
    ------
    AlloyError
        If shape, times or pixel size are not usable.
    """

    name: str
    frames: da.Array
    times_s: FloatArray
    pixel_size_um: float | None = None
    mode: Mode | None = None
    dark_counts: float | FloatArray | None = None
    saturation_counts: float | None = None
    flat: FloatArray | None = None
    common: BoolArray | None = None
    corrections: tuple[str, ...] = ()
    window: Window | None = None
    mapped: NDArray[Any] | None = None
    steadied: MappedLight | None = None
    source: str = ""
    beside: tuple[str, ...] = ()
    times_source: str = ""
    first_frame_at: datetime | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "times_s", np.asarray(self.times_s, dtype=float))
        if self.mapped is not None:
            object.__setattr__(self, "mapped", read_only(self.mapped))
        if self.frames.ndim != 3 or 0 in self.frames.shape:
            raise AlloyError(
                f"{self.name}: a recording is frames of rows of columns (T, Y, X), "
                f"but these data have the shape {self.frames.shape}."
            )
        check_times(self.times_s, len(self.frames), self.name)
        size = self.pixel_size_um
        if size is not None and not (np.isfinite(size) and size > 0):
            raise AlloyError(
                f"{self.name}: the pixel size is {size} um; give a positive pixel_size_um."
            )
        for what, picture in (("dark frame", self.dark_counts), ("flat field", self.flat)):
            if isinstance(picture, np.ndarray) and picture.shape != self.field_shape:
                raise AlloyError(
                    f"{self.name}: the {what} is {picture.shape}, the frames are "
                    f"{self.field_shape}; give a {what} of the same camera region."
                )

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.frames.shape[0])

    @property
    def field_shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return int(self.frames.shape[1]), int(self.frames.shape[2])

    @property
    def frame_interval_s(self) -> float:
        """Median time between frames, seconds; NaN for a single frame."""
        return float(np.median(np.diff(self.times_s))) if self.n_frames > 1 else float("nan")

    def pixel_size(self, what_for: str) -> float:
        """Pixel size in micrometres, or an AlloyError that says what it is needed for."""
        if self.pixel_size_um is None:
            raise AlloyError(
                f"{what_for} needs the pixel size of {self.name}: "
                "give pixel_size_um in recording.toml, or set it in the Normalization dock."
            )
        return self.pixel_size_um

    def frames_between(self, start_s: float, end_s: float) -> IntArray:
        """Indices of the frames from start_s to end_s, both included."""
        return np.flatnonzero((self.times_s >= start_s) & (self.times_s <= end_s))

    def read(self, t: int, y: slice = EVERYTHING, x: slice = EVERYTHING) -> NDArray[Any]:
        """Counts of frame `t` (rows `y`, columns `x`), without dask where the file allows."""
        if self.window is not None:
            return self.window(t, y, x)
        return np.asarray(self.frames[t, y, x])

    def frame(self, t: int) -> NDArray[Any]:
        """Counts of frame `t`, of a map the map's own: they are not to be changed."""
        return self.read(t) if self.mapped is None else np.asarray(self.mapped[t])

    def light(self, dark: float | FloatArray) -> MappedLight | None:
        """Counts less this dark level, mapped; None where they are not."""
        if self.mapped is not None:
            same = np.ones(self.n_frames, np.float32)
            limit = self.saturation_counts
            return MappedLight(counts=self.mapped, dark=dark, factor=same, limit=limit)
        return self.steadied if np.all(np.asarray(dark) == 0) else None

    def replace(self, **changes: Any) -> Self:
        """The same recording with some attributes changed; other frames have no memory map."""
        if changes.keys() & {"frames", "window"}:
            changes.setdefault("mapped", None)
            changes.setdefault("steadied", None)
        return dataclasses.replace(self, **changes)


def check_times(times_s: FloatArray, n_frames: int, name: str) -> None:
    """Raise AlloyError unless there is one finite time a frame and they rise."""
    if times_s.shape != (n_frames,):
        raise AlloyError(
            f"{name}: there are {n_frames} frames but {times_s.size} times; give one time a frame."
        )
    if not np.isfinite(times_s).all():
        frame = int(np.flatnonzero(~np.isfinite(times_s))[0])
        raise AlloyError(f"{name}: frame {frame} has no time; give one time a frame in times.")
    falls = np.flatnonzero(np.diff(times_s) <= 0)
    if falls.size:
        i = int(falls[0])
        raise AlloyError(
            f"{name}: times must rise, but frame {i + 1} ({times_s[i + 1]:g} s) is not later "
            f"than frame {i} ({times_s[i]:g} s); correct frame_interval_s or the times file."
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """A named part of the field, such as Area Init.

    Attributes
    ----------
    name : str
        Its name in curves and tables.
    kind : {"polygon", "ellipse"}
        A rectangle is a polygon; an ellipse is given by the corners of its bounding box.
    vertices_px : numpy.ndarray
        (N, 2) row and column, pixel centres at whole numbers; an ellipse's four corners may be
        those of a rotated box.
    """

    name: str
    kind: Literal["polygon", "ellipse"] = "polygon"
    vertices_px: FloatArray

    def mask(self, shape: tuple[int, int]) -> BoolArray:
        """(Y, X) True where a pixel's centre lies inside."""
        whole = np.zeros(shape, dtype=bool)
        window = self.window(shape)
        whole[window] = self.inside(window)
        return whole

    def inside(self, window: tuple[slice, slice]) -> BoolArray:
        """True where a pixel's centre lies inside, for the rows and columns of a window only."""
        rows, columns = window
        grid = np.moveaxis(np.mgrid[rows, columns], 0, -1).astype(float)
        if not grid.size:
            return np.zeros(grid.shape[:-1], dtype=bool)
        test = _in_ellipse if self.kind == "ellipse" else _in_polygon
        return test(np.asarray(self.vertices_px, float), grid)

    def window(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of its bounding box within a field of this shape."""
        low = np.ceil(np.min(self.vertices_px, axis=0)).astype(int)
        high = np.floor(np.max(self.vertices_px, axis=0)).astype(int) + 1
        low, high = np.clip(low, 0, shape), np.clip(high, 0, shape)
        return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _in_polygon(vertices: FloatArray, grid: FloatArray) -> BoolArray:
    """Even-odd rule; a centre on a lower edge is inside, on an upper edge outside."""
    y, x = grid[..., 0], grid[..., 1]
    inside = np.zeros(y.shape, dtype=bool)
    for (y0, x0), (y1, x1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y >= min(y0, y1)) & (y < max(y0, y1))
        inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _in_ellipse(corners: FloatArray, grid: FloatArray) -> BoolArray:
    centre = corners.mean(axis=0)
    half_axes = np.stack([corners[1] - corners[0], corners[2] - corners[1]]) / 2
    if abs(np.linalg.det(half_axes)) < 1e-12:
        return np.zeros(grid.shape[:-1], dtype=bool)
    unit = (grid - centre) @ np.linalg.inv(half_axes)
    return np.asarray((unit**2).sum(axis=-1) <= 1)
