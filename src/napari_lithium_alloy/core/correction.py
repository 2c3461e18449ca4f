"""Quality of each frame. Shifts and lamp gain are not measured here yet, and stay empty."""

from __future__ import annotations

import numpy as np
import pandas as pd

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


def frame_quality(recording: Recording) -> Work[pd.DataFrame]:
    """The table `corrections`: sharpness and share of saturated pixels of each frame.

    Sharpness is the mean squared difference of pixels two rows apart over the squared mean of the
    frame (Brenner's measure, Brenner et al. 1976, DOI 10.1177/24.1.1254907); it is for
    comparing frames of one recording. The saturated share is NaN where the counts of a clipped
    pixel are not known.
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
    return conform("corrections", pd.DataFrame(rows))
