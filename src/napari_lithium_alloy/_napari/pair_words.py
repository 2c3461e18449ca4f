"""What the complementarity dock says of moments of steps, of a pair and of all pairs."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy.core.alloyed_images import progress_at, time_at_progress
from napari_lithium_alloy.core.complementarity import ComplementarityParameters
from napari_lithium_alloy.core.montage import time_progress
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.stages import Stage

LEAST_P = 0.001
"""A smaller p is not told more finely."""

_times: WeakKeyDictionary[OnsetMap, dict[float, float]] = WeakKeyDictionary()


def time_at(onset: OnsetMap, share: float) -> float:
    """`time_at_progress`, remembered: it is told whenever a layer comes or goes."""
    known = _times.setdefault(onset, {})
    if share not in known:
        known[share] = time_at_progress(onset, share)
    return known[share]


def moment_words(
    opened: Opened, stage: Stage, moment: str, parameters: ComplementarityParameters
) -> str:
    """Share of the area, time and progress of time (Fig. 2A) at a moment of a step."""
    onset, recording = opened.onset_maps[stage.key], opened.recording
    share = progress_at(parameters, moment)
    time_s = time_at(onset, share)
    own = recording.times_s[recording.frames_between(onset.start_s, onset.end_s)]
    passed = time_progress(np.array([time_s]), own, recording.frame_interval_s)[0]
    if not np.isfinite(passed):
        return "nothing alloys"
    return f"{100 * share:.3g} % of the area at {time_s:.1f} s, {100 * passed:.0f} % of the time"


def pair_words(row: pd.Series) -> str:
    """R of a row with its null, for the status line."""
    if pd.isna(row["pearson_r"]):
        return f"No r: {row['reason']}."
    reason = "" if pd.isna(row["reason"]) else str(row["reason"])
    beware = f" {reason[0].upper()}{reason[1:]}." if reason else ""
    words = f"Pearson's r = {row['pearson_r']:.2f}"
    if pd.notna(row["null_low"]):
        tests = [
            *[("p_value", "shifts"), ("p_blocks", "blocks"), ("p_effective", "t-test")],
            ("p_placement", "sites placed at random"),
        ]
        told = ", ".join(f"{_p(row[c])} ({name})" for c, name in tests if pd.notna(row[c]))
        words += f", by chance {row['null_low']:.2f} to {row['null_high']:.2f}; p: {told}"
    return (
        f"{words}. {row['n_effective']:.0f} effective samples in {row['n_px']} px; with the "
        f"trend r = {row['r_with_trend']:.2f}.{beware}"
    )


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= LEAST_P else f"< {LEAST_P:g}"


def table_words(table: pd.DataFrame) -> str:
    """How many pairs are beyond chance, for the status line."""
    r = table["pearson_r"]
    told = r.notna() & table["null_low"].notna()
    beyond = told & ~r.between(table["null_low"], table["null_high"])
    none = int(r.isna().sum())
    return (
        f"{len(table)} pairs: {int(beyond.sum())} of {int(told.sum())} with a null lie beyond "
        "95 % of what chance gives" + (f"; {none} have no r, the table says why." if none else ".")
    )
