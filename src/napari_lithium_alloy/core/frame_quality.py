"""Sharpness, clipping and corrections of each frame, as a table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy.core.correction import Correction
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.tables import conform

Asked = tuple[Any, int, FloatArray]
LEAST_CLIPPED_PX = 10
STEP_ROWS = 2
LARGE_ROWS = 1024
"""Of so many rows or more, every other tells a frame's sharpness: what is seen is wider."""


def clipping_level(recording: Recording) -> float | None:
    """Counts at which a camera of fewer bits than its file clips; None where it does not show.

    Told from frames of beginning, middle and end: many pixels at one largest value that is 1
    under a power of two, as 4095 of 12 bits in a 16-bit file.
    """
    if recording.frames.dtype.kind != "u":
        return None
    n = recording.n_frames
    frames = [recording.read(t) for t in {0, n // 2, n - 1}]
    peak = int(max(f.max() for f in frames))
    full = peak >= 255 and (peak + 1) & peak == 0
    clipped = full and any(int((f == peak).sum()) >= LEAST_CLIPPED_PX for f in frames)
    return float(peak) if clipped else None


class FrameSums:
    """Sums over each frame that tell its quality; who reads the frames for more makes them too.

    In large fields every other row tells the sharpness; clipped pixels are counted in all.

    Parameters
    ----------
    recording : Recording
        As it was read.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.made = False
        self._limit = recording.saturation_counts
        height, self._width = recording.field_shape
        self._every = 2 if height >= LARGE_ROWS else 1
        self._summed = len(range(0, height, self._every))
        self._compared = sum(y >= STEP_ROWS for y in range(0, height, self._every))
        self._sums = np.zeros((recording.n_frames, 3))

    def of(self, frames: slice, counts: NDArray[Any]) -> Asked:
        """What a kernel is asked of these counts of some frames, and where it puts it."""
        return _under(self._limit, counts.dtype), self._every, self._sums[frames]

    def add(self, t: int, frame: NDArray[Any]) -> None:
        """Make those of a frame, given its counts."""
        from napari_lithium_alloy.core.kernels.frame_sums import quality_sums

        counts = compilable(frame)[np.newaxis]
        quality_sums(counts, self.of(slice(t, t + 1), counts))

    def make(self) -> Work[None]:
        """Read all frames for them."""

        def look(frames: tuple[int, int]) -> None:
            for t in range(*frames):
                self.add(t, self.recording.frame(t))

        yield from by_rows(look, self.recording.n_frames, most=4)
        self.made = True

    @property
    def sharpness(self) -> FloatArray:
        """(T,); NaN where it cannot be told."""
        total, squares, _ = self._sums.T
        sharpness = np.full(len(total), np.nan)
        known = total != 0 if self._compared else np.zeros(len(total), bool)
        mean = total[known] / (self._summed * self._width)
        sharpness[known] = squares[known] / (self._compared * self._width) / mean**2
        return sharpness

    @property
    def saturated(self) -> FloatArray:
        """(T,) share of clipped pixels; NaN where their counts are not known."""
        if self._limit is None:
            return np.full(len(self._sums), np.nan)
        return np.asarray(self._sums[:, 2] / math.prod(self.recording.field_shape))


def _under(limit: float | None, dtype: np.dtype[Any]) -> Any:
    """The highest number of a type under a limit; without one, its highest."""
    if dtype.kind == "f":
        return np.nextafter(dtype.type(np.inf if limit is None else limit), dtype.type(-np.inf))
    most = np.iinfo(dtype).max
    return dtype.type(most if limit is None else min(max(math.ceil(limit) - 1, 0), most))


def frame_quality(
    recording: Recording, correction: Correction | None = None, sums: FrameSums | None = None
) -> Work[pd.DataFrame]:
    """The table `corrections`: drift, lamp, sharpness and share of saturated pixels of each frame.

    Sharpness is the mean squared difference of pixels two rows apart over the squared mean of the
    frame (Brenner's measure, Brenner et al. 1976, DOI 10.1177/24.1.1254907); it is for
    comparing frames of one recording. The saturated share is NaN where the counts of a clipped
    pixel are not known. What was not measured stays empty.

    Parameters
    ----------
    recording : Recording
        As it was read.
    correction : Correction, optional
    sums : FrameSums, optional
        Of the recording, where other work made them.
    """
    sums = sums or FrameSums(recording)
    if not sums.made:
        yield from sums.make()
    table = pd.DataFrame(
        {
            "time_s": recording.times_s,
            "sharpness": sums.sharpness,
            "saturated_fraction": sums.saturated,
        }
    )
    if correction is not None:
        table = table.assign(**_correction_columns(correction, recording.pixel_size_um))
    return conform("corrections", table)


def _correction_columns(correction: Correction, pixel_size_um: float | None) -> dict[str, Any]:
    columns: dict[str, Any] = {"trusted": correction.trusted}
    if correction.lamp.source != "none":
        columns["gain"] = correction.lamp.gain
    shifts = correction.shifts
    if shifts is not None:
        size = np.nan if pixel_size_um is None else pixel_size_um
        columns |= {
            "shift_y_um": shifts.shift_px[:, 0] * size,
            "shift_x_um": shifts.shift_px[:, 1] * size,
            "shift_sd_um": shifts.sd_px * size,
            "shift_quality": shifts.quality,
        }
    return columns
