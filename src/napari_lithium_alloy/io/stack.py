"""What a file of images says, before it becomes recordings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.recording import FloatArray

ReadPlane = Callable[[int, int, int, slice, slice], NDArray[Any]]
"""Reads rows and columns of the plane of a time, a channel and a z: (Y, X) or (Y, X, samples)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Timing:
    """When planes were taken, as far as the file says.

    Attributes
    ----------
    plane_times_s : numpy.ndarray or None
        (T, C, Z) seconds, NaN where the file gives none.
    plane_source : str
        What they are called in the file ("OME DeltaT").
    interval_s : float or None
        Time from frame to frame, seconds.
    interval_source : str
        What it is called in the file ("finterval").
    note : str
        What the user should know of the interval.
    started : datetime.datetime or None
        When its time 0 was; without a time zone, the local time of the computer.
    """

    plane_times_s: FloatArray | None = None
    plane_source: str = ""
    interval_s: float | None = None
    interval_source: str = ""
    note: str = ""
    started: datetime | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Stack:
    """One position of a file: planes over time, channel and z, read on demand.

    Attributes
    ----------
    sizes : tuple of int
        Number of times, channels and z planes.
    field_shape : tuple of int
        Rows and columns.
    dtype : numpy.dtype
        Of the counts, in native byte order.
    read : callable
        Reads part of one plane; safe to call from several threads.
    mapped : numpy.ndarray or None
        (T, C, Z, Y, X) memory map of the counts, where the file allows.
    color : bool
        Whether planes have a last axis of samples (RGB or RGBA).
    present : numpy.ndarray or None
        (T, C, Z) False where a plane was never recorded; None: all are there.
    timing : Timing
    pixel_yx_um : tuple of float or None
        Height and width of a pixel, micrometres.
    channel_names : tuple of str
        Empty where channels have no names.
    position_name : str
        Empty where the position has no name.
    saturation_counts : float or None
        Largest count the camera gives; None: what the dtype holds.
    notes : tuple of str
    """

    sizes: tuple[int, int, int]
    field_shape: tuple[int, int]
    dtype: np.dtype[Any]
    read: ReadPlane
    mapped: NDArray[Any] | None = None
    color: bool = False
    present: NDArray[np.bool_] | None = None
    timing: Timing = field(default_factory=Timing)
    pixel_yx_um: tuple[float, float] | None = None
    channel_names: tuple[str, ...] = ()
    position_name: str = ""
    saturation_counts: float | None = None
    notes: tuple[str, ...] = ()

    def frames_of(self, channel: int, z: int) -> NDArray[np.integer[Any]]:
        """Times at which the plane of this channel and z was recorded."""
        if self.present is None:
            return np.arange(self.sizes[0])
        return np.flatnonzero(self.present[:, channel, z])

    def with_time_from(self, axis: int, note: str) -> Self:
        """The same planes with axis 1 (channels) or 2 (z) taken as time; there is one time."""

        def read(t: int, c: int, z: int, y: slice, x: slice) -> NDArray[Any]:
            index = [t, c, z]
            index[0], index[axis] = index[axis], index[0]
            return self.read(index[0], index[1], index[2], y, x)

        def swapped(planes: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if planes is None else np.swapaxes(planes, 0, axis)

        sizes = list(self.sizes)
        sizes[0], sizes[axis] = sizes[axis], sizes[0]
        timing = dataclasses.replace(self.timing, plane_times_s=swapped(self.timing.plane_times_s))
        return dataclasses.replace(
            self,
            sizes=(sizes[0], sizes[1], sizes[2]),
            read=read,
            present=swapped(self.present),
            mapped=swapped(self.mapped),
            timing=timing,
            channel_names=() if axis == 1 else self.channel_names,
            notes=(*self.notes, note),
        )
