"""Recordings of fewer pixels: the mean light of squares of them."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.onset_light import window_light
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.scratch import scratch
from napari_lithium_alloy.core.smoothing import cell_means

MOSTLY = 0.5
"""Share of its pixels a square needs to be one of the field."""


class _Uncopied:
    """An array that dask takes as it is; of numpy's own it makes a copy."""

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return np.asarray(self._values[index])


def binned(
    recording: Recording,
    frames: IntArray,
    side: int,
    *,
    dark: float | FloatArray,
    valid: BoolArray,
) -> Work[tuple[Recording, BoolArray]]:
    """Successive frames of a recording in squares of pixels, and which of these are its field.

    Parameters
    ----------
    recording : Recording
    frames : numpy.ndarray
        Indices of the frames.
    side : int
        Of a square, pixels; the last ones take the rows and columns left over.
    dark : float or (Y, X) array
        Dark level, counts.
    valid : (Y, X) bool array
        The field: only its pixels count.

    Returns
    -------
    Recording
        Its counts are float32 light, less dark; NaN where a square has no pixel of the field.
    numpy.ndarray
        (Y // side, X // side) True where most of a square's pixels are of the field.
    """
    from napari_lithium_alloy.core.kernels.cell_maps import light_of_cells

    reading = window_light(recording, frames, dark=dark, falls=True, valid=valid)
    light = yield from part(reading, 0, 1, 2)
    rows, columns = (max(n // side, 1) for n in recording.field_shape)
    with scratch((len(frames), rows, columns), np.dtype(np.float32)) as room:
        counts = room.values

    def average(block: tuple[int, int]) -> None:
        for row in range(*block):
            light_of_cells(light.counts, light.factor, light.dark, valid, side, row, counts[:, row])

    yield from part(by_rows(average, rows, most=8), 1, 2, 2)
    size = recording.pixel_size_um
    small = recording.replace(
        frames=da.from_array(_Uncopied(counts), chunks=(1, rows, columns), name=False),
        times_s=recording.times_s[frames],
        pixel_size_um=None if size is None else side * size,
        window=lambda t, y, x: counts[t, y, x],
        mapped=counts,
        dark_counts=0.0,
        flat=None,
        common=None,
    )
    return small, cell_means(valid, side) > MOSTLY
