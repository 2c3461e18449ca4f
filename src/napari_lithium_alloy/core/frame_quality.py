"""Sharpness, clipping and corrections of each frame, as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.correction import Correction
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import Recording
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
    limit = recording.saturation_counts
    rows = []
    for t, time in enumerate(recording.times_s):
        counts = recording.read(t)
        light = counts.astype(np.float32)
        mean = float(light.mean())
        steps = float(((light[2:] - light[:-2]) ** 2).mean()) if len(light) > 2 else np.nan
        rows.append(
            {
                "time_s": time,
                "sharpness": steps / mean**2 if mean else np.nan,
                "saturated_fraction": np.nan if limit is None else float((counts >= limit).mean()),
            }
        )
        yield t + 1, recording.n_frames
    table = pd.DataFrame(rows)
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
