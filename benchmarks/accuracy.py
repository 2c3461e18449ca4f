"""How near the results come to what was planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.synthetic import Synthetic, au_parameters, make_recording
from napari_lithium_alloy.pipeline import AnalysisResult, analyze

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


def accuracy_table() -> pd.DataFrame:
    """Onset error in frame intervals, F1 of sites, error of the pores' total area."""
    rows = []
    for name, changes in CASES.items():
        synthetic = make_recording(au_parameters(**changes))
        result = finish(analyze(synthetic.experiment))
        rows.append({"recording": name, **_errors(synthetic, result)})
    return pd.DataFrame(rows)


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
