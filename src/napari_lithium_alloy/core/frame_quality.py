"""Sharpness, clipping and corrections of each frame, as a table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.correction import Correction
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.tables import conform

LEAST_CLIPPED_PX = 10


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


def frame_quality(recording: Recording, correction: Correction | None = None) -> Work[pd.DataFrame]:
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
    """
    from napari_lithium_alloy.core.kernels.frame_sums import quality_sums

    limit, n = recording.saturation_counts, recording.n_frames
    sharpness, saturated = np.full((2, n), np.nan)
    pixels = math.prod(recording.field_shape)
    compared = pixels - 2 * recording.field_shape[1]

    def look(frames: tuple[int, int]) -> None:
        for t in range(*frames):
            counts = compilable(recording.read(t))
            total, squares, clipped = quality_sums(counts, math.inf if limit is None else limit)
            if compared > 0 and total:
                sharpness[t] = squares / compared / (total / pixels) ** 2
            if limit is not None:
                saturated[t] = clipped / pixels

    yield from by_rows(look, n, most=4)
    table = pd.DataFrame(
        {"time_s": recording.times_s, "sharpness": sharpness, "saturated_fraction": saturated}
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
