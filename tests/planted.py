"""Synthetic recordings as tests use them: rendered once, measured against their truth."""

import dask.array as da
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from napari_lithium_alloy.core.onset import OnsetMap, OnsetParameters, OnsetReason
from napari_lithium_alloy.core.recording import BoolArray, Mode, Recording
from napari_lithium_alloy.core.synthetic import Synthetic, SyntheticParameters, make_recording

COLONIES = """
[trans]
path = '{image}'
frame_interval_s = 3600
pixel_size_um = 0.065
[correction]
drift = false  # a colony at the border is not in the field common to all frames
[[stages]]
kind = "deposition"
start_s = 0.0
end_s = 32400.0
[analysis.nucleation]
min_radius_um = 1.0
max_radius_um = 3.0
min_contrast = 0.005
polarity = "either"
"""
"""recording.toml of the real colonies, to be told where their images are."""
QUICK = """
[analysis.nucleation]
min_radius_um = 0.2
max_radius_um = 0.6
[analysis.site_statistics]
draws = 19
simulations = 19
[analysis.complementarity]
n_permutations = 99
"""
"""What is added to a recording.toml for an analysis that is done soon."""


def recording_of(frames, times_s=None, **more) -> Recording:
    """A recording of frames in memory, a second apart unless times are given."""
    frames = np.asarray(frames)
    times_s = np.arange(len(frames), dtype=float) if times_s is None else times_s
    known = {"name": "cell", "mode": "trans", "pixel_size_um": 0.065, "dark_counts": 0.0}
    return Recording(
        frames=da.from_array(frames, chunks=(1, -1, -1)),
        times_s=times_s,
        window=lambda t, y, x: frames[t, y, x],
        **(known | more),
    )


def rendered(recording: Recording) -> Recording:
    """The same recording with its frames in memory, so that no test pays for them twice."""
    frames = np.stack([recording.read(t) for t in range(recording.n_frames)])
    return recording.replace(
        frames=da.from_array(frames, chunks=(1, -1, -1)), window=lambda t, y, x: frames[t, y, x]
    )


def planted(parameters: SyntheticParameters, mode: Mode = "trans"):
    """What was made, and its experiment with one recording in memory."""
    made = make_recording(parameters)
    recording = rendered(made.experiment.recording(mode))
    return made, made.experiment.replace(recordings=(recording,))


def onset_error_s(
    onset: OnsetMap, made: Synthetic, key: str, where: BoolArray | None = None
) -> tuple[float, float]:
    """Mean absolute error, and the share of the truth's pixels that have an onset."""
    truth = made.truth.onset_s[key]
    known = np.isfinite(truth) if where is None else np.isfinite(truth) & where
    both = known & onset.reached
    return float(np.abs(onset.onset_s - truth)[both].mean()), float(both.sum() / known.sum())


def site_score(
    found: pd.DataFrame, truth: pd.DataFrame, within_um: float = 0.3
) -> tuple[float, float]:
    """F1 of sites matched one to one (optimal assignment), and the largest distance of a match."""
    distance = np.hypot(
        found["y_um"].to_numpy(float)[:, None] - truth["y_um"].to_numpy(float),
        found["x_um"].to_numpy(float)[:, None] - truth["x_um"].to_numpy(float),
    )
    i, j = linear_sum_assignment(np.where(distance <= within_um, distance, 1e6))
    matched = distance[i, j][distance[i, j] <= within_um]
    f1 = 2 * matched.size / (len(found) + len(truth))
    return f1, float(matched.max()) if matched.size else np.nan


def exact_map(onset_s, sd_s: float = 0.0, seed: int = 0, amplitude=1.0) -> OnsetMap:
    """An onset map of these times, NaN never reached, with independent noise of this size."""
    truth = np.asarray(onset_s, dtype=float)
    known = np.isfinite(truth)
    noise = sd_s * np.random.default_rng(seed).standard_normal(truth.shape)
    return OnsetMap(
        onset_s=(truth + noise).astype(np.float32),
        onset_sd_s=np.where(known, max(sd_s, 1e-4), np.nan).astype(np.float32),
        amplitude=np.where(known, amplitude, 0).astype(np.float32),
        reason=np.where(known, OnsetReason.REACHED, OnsetReason.NEVER).astype(np.uint8),
        start_s=0.0,
        end_s=float(np.ceil(np.nanmax(truth))) if known.any() else 1.0,
        polarity="darkens",
        parameters=OnsetParameters(smoothing_px=0.0, smoothing_frames=0.0),
    )
