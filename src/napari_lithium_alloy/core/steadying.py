"""Counts of a frame made light, and moved by parts of a pixel, by compiled code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray

if TYPE_CHECKING:
    from napari_lithium_alloy.core.kernels.steadying import Maps, Taps

REACH_PX = 10
"""Pixels on either side of a place whose light counts for a spline's there."""
_POLE = np.sqrt(3) - 2
_WHOLE = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class Sensor:
    """What turns a frame's counts into light.

    Attributes
    ----------
    dark, flat : numpy.ndarray
        (Y, X) float32, or (1, X) where all rows are alike.
    bad : numpy.ndarray
        (Y, X) True at pixels whose light is the median of their good neighbours'.
    bad_rows : numpy.ndarray
        (Y,) True where a row has any.
    limit : float
        Counts at and above which a pixel is clipped; NaN: none is.
    """

    dark: Float32Array
    flat: Float32Array
    bad: BoolArray
    bad_rows: BoolArray
    limit: float

    @staticmethod
    def of(
        dark: float | FloatArray, flat: FloatArray | None, bad: BoolArray, limit: float | None
    ) -> Sensor:
        """From a dark level or frame, a flat field, bad pixels and the full well's counts."""
        return Sensor(
            dark=_rows_of(dark, bad.shape[1]),
            flat=_rows_of(1.0 if flat is None else flat, bad.shape[1]),
            bad=np.ascontiguousarray(bad),
            bad_rows=np.asarray(bad.any(axis=1)),
            limit=np.nan if limit is None else float(limit),
        )

    @property
    def maps(self) -> Maps:
        """For the kernels."""
        return self.dark, self.flat, self.bad, self.bad_rows


def _rows_of(value: float | FloatArray, width: int) -> Float32Array:
    if np.ndim(value):
        return np.ascontiguousarray(value, dtype=np.float32)
    return np.full((1, width), value, dtype=np.float32)


def light_at(
    counts: NDArray[Any],
    origin: tuple[int, int],
    sensor: Sensor,
    gain: float,
    ceiling: float | None,
    start: FloatArray,
    out: Float32Array,
) -> None:
    """Write the light that lies at `start` and on, between pixels by a cubic B-spline.

    Parameters
    ----------
    counts : (Y, X) array
        Part of a frame; beyond it its border goes on.
    origin : (row, column)
        Where it begins in the frame.
    sensor : Sensor
    gain : float
        What light is divided by.
    ceiling : float or None
        Light of what a clipped pixel touches.
    start : (row, column)
        Of the first pixel of `out` from `origin`.
    out : (Y, X) float32 array
        What an unknown pixel touches becomes NaN.
    """
    from napari_lithium_alloy.core.kernels.steadying import light_of_rows, moved_rows

    counts = compilable(counts)
    top = np.float32(np.nan if ceiling is None else ceiling)
    levels = np.float32(1 / gain), np.float32(sensor.limit), top
    whole = int(start[0]), int(start[1])
    high = np.add(whole, out.shape)
    if (start == whole).all() and min(whole) >= 0 and (high <= counts.shape).all():
        light_of_rows(counts, origin, sensor.maps, levels, whole, out)
    else:
        moved_rows(counts, origin, sensor.maps, levels, *(spline_taps(s) for s in start), out)


def spline_taps(position: float) -> Taps:
    """Pixels that count for the value of a cubic B-spline at a position, and how much.

    The spline that goes through all pixels (Unser et al. 1993, DOI 10.1109/78.193220): its
    coefficients are the pixels filtered by powers of its pole, which are cut where they are less
    than the last bits of a float32.
    """
    first = int(np.floor(position + _WHOLE))
    part = max(position - first, 0.0) if position - first > _WHOLE else 0.0
    offsets = np.arange(1 - REACH_PX, REACH_PX + 1)
    if part == 0:
        return first + int(offsets[0]), 0.0, (offsets == 0).astype(np.float32)
    basis = [
        (1 - part) ** 3 / 6,
        (4 - 6 * part**2 + 3 * part**3) / 6,
        (1 + 3 * part + 3 * part**2 - 3 * part**3) / 6,
        part**3 / 6,
    ]
    weights = sum(b * _POLE ** np.abs(offsets - j) for j, b in enumerate(basis, start=-1))
    weights = weights / weights.sum()
    return first + int(offsets[0]), part, weights.astype(np.float32)
