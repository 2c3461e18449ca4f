"""How near the results come to what was planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from napari_lithium_alloy.core.onset import OnsetParameters, onset_map
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.core.synthetic import (
    Synthetic,
    SyntheticParameters,
    au_parameters,
    make_recording,
)
from napari_lithium_alloy.pipeline import analyze
from napari_lithium_alloy.result import AnalysisResult

SITE_TOLERANCE_UM = 0.3
CASES: dict[str, dict[str, Any]] = {
    "clean": {},
    "clean, other seed": {"seed": 7},
    "4 x noise": {"photo_electrons": 2600 / 16, "bits": 16},
    "flicker 0.6 %": {"flicker": 0.006},
    "jittered and dropped frames": {"jitter": 0.1, "dropped": 0.05},
    "bare glass, dust": {"bare_glass_um": 1.5, "dust": 8},
    "edge lag 4 s": {"edge_lag_s": 4.0},
    "defocus to 2.5 px": {"psf_sigma_end_px": 2.5},
}
UNCERTAINTY_SEEDS = (20, 21, 22)
UNCERTAINTY_CASES: dict[str, dict[str, Any]] = {
    "clean": {},
    "4 x noise": {"photo_electrons": 2600 / 16, "bits": 16},
    "frames of 0.25 s": {"frame_interval_s": 0.25},
    "frames of 2.5 s": {"frame_interval_s": 2.5},
    "frames of 2.5 s, 4 x noise": {
        "frame_interval_s": 2.5,
        "photo_electrons": 2600 / 16,
        "bits": 16,
    },
    "jittered and dropped frames": {"jitter": 0.1, "dropped": 0.05},
    "rough film (8 px)": {"correlation_um": 0.52},
    "rough film (8 px), 4 x noise": {
        "correlation_um": 0.52,
        "photo_electrons": 2600 / 16,
        "bits": 16,
    },
    "rougher film (5.4 px)": {"correlation_um": 0.35},
    "rougher film (5.4 px), 4 x noise": {
        "correlation_um": 0.35,
        "photo_electrons": 2600 / 16,
        "bits": 16,
    },
    "hardly any noise": {"photo_electrons": 2600 * 16, "bits": 16},
    "rough film (8 px), hardly any noise": {
        "correlation_um": 0.52,
        "photo_electrons": 2600 * 16,
        "bits": 16,
    },
}
SMALL: dict[str, Any] = {"count": 4, "deposition_s": 20.0, "dissolution_s": 15.0}
"""No sites or pores are looked at, so few frames are rendered."""


def accuracy_table() -> pd.DataFrame:
    """Onset error in frame intervals, F1 of sites, error of the pores' total area."""
    rows = []
    for name, changes in CASES.items():
        synthetic = make_recording(au_parameters(**changes))
        result = finish(analyze(synthetic.experiment))
        rows.append({"recording": name, **_errors(synthetic, result)})
    return pd.DataFrame(rows)


def uncertainty_table(psf_known: bool = True) -> pd.DataFrame:
    """Share of pixels whose onset lies within its stated standard deviation (68 % is right).

    Of all, and of each quarter of the pixels by that standard deviation, smallest first; the
    two alloying steps of some seeds together, errors in frame intervals.

    Parameters
    ----------
    psf_known : bool
        Whether the onsets are told with the point spread.
    """
    rows = []
    for name, changes in UNCERTAINTY_CASES.items():
        parts = [
            _error_and_sd(au_parameters(seed=seed, **SMALL, **changes), psf_known)
            for seed in UNCERTAINTY_SEEDS
        ]
        error, sd = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        quarter = np.digitize(sd, np.quantile(sd, [0.25, 0.5, 0.75]))
        covered = error <= sd
        rows.append(
            {"recording": name, "mean error": error.mean(), "median sd": np.median(sd)}
            | {"within": covered.mean()}
            | {f"quarter {q + 1}": covered[quarter == q].mean() for q in range(4)}
        )
    return pd.DataFrame(rows)


def _error_and_sd(
    parameters: SyntheticParameters, psf_known: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Size of each onset's error and its stated standard deviation, in frame intervals."""
    synthetic = make_recording(parameters)
    recording, optics = synthetic.trans, synthetic.experiment.optics
    known = psf_known and optics is not None
    how = OnsetParameters(psf_sigma_px=optics.psf_sigma_px if known else None)
    errors, sds = [], []
    for stage in stages_of(synthetic.experiment.stages, StageKind.ALLOYING):
        onset = finish(onset_map(recording, stage.start_s, stage.end_s, how))
        error = np.abs(onset.onset_s - synthetic.truth.onset_s[stage.key])
        known = np.isfinite(error)
        errors.append(error[known] / recording.frame_interval_s)
        sds.append(onset.onset_sd_s[known] / recording.frame_interval_s)
    return np.concatenate(errors), np.concatenate(sds)


def _errors(synthetic: Synthetic, result: AnalysisResult) -> dict[str, float]:
    truth, interval = synthetic.truth, result.recording.frame_interval_s
    onset = {
        f"onset error, {key.removeprefix('cycle1_')}": float(
            np.nanmean(np.abs(result.onset_maps[key].onset_s - truth.onset_s[key])) / interval
        )
        for key in ("cycle1_step1", "cycle1_step2")
    }
    area = result.tables["pore_summary"]["total_area_um2"].iloc[-1]
    planted = truth.pore_summary["total_area_um2"].iloc[-1]
    return onset | {
        "site F1": _f1(result.tables["sites"], truth.sites),
        "pore area error (%)": float(100 * (area / planted - 1)),
    }


def _f1(found: pd.DataFrame, planted: pd.DataFrame) -> float:
    a, b = (t[["y_um", "x_um"]].to_numpy(float) for t in (found, planted))
    far = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
    rows, columns = linear_sum_assignment(np.where(far <= SITE_TOLERANCE_UM, far, 1e3))
    hits = int((far[rows, columns] <= SITE_TOLERANCE_UM).sum())
    return 2 * hits / max(len(a) + len(b), 1)
