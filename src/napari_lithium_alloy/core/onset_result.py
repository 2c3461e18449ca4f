"""What an onset map holds, and what is summed up of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy.core.onset_parameters import OnsetParameters
from napari_lithium_alloy.core.order_statistics import quantiles_within
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.tables import conform

Polarity = Literal["darkens", "brightens"]


class OnsetReason(IntEnum):
    """Why a pixel has or has not an onset time."""

    REACHED = 0
    BEFORE = 1
    NEVER = 2
    WITHIN_NOISE = 3
    OUTSIDE = 4
    NOT_TOLD_APART = 5

    @property
    def text(self) -> str:
        """Words for people."""
        return _REASON_TEXTS[self]


_REASON_TEXTS = {
    OnsetReason.REACHED: "reached",
    OnsetReason.BEFORE: "before the window",
    OnsetReason.NEVER: "never",
    OnsetReason.WITHIN_NOISE: "within noise",
    OnsetReason.OUTSIDE: "outside the common field",
    OnsetReason.NOT_TOLD_APART: "not told apart from the neighbouring step",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class OnsetMap:
    """When each pixel alloyed (or dealloyed), and how sure that is.

    Attributes
    ----------
    onset_s : numpy.ndarray
        (Y, X) float32 seconds on the recording's clock, NaN where not reached.
    onset_sd_s : numpy.ndarray
        (Y, X) float32 standard deviation, seconds: noise, sparse frames, and what is left of the
        delays by the point spread and by smoothing.
    amplitude : numpy.ndarray
        (Y, X) float32 size of the change in decades (absorbance), positive the way asked for.
    reason : numpy.ndarray
        (Y, X) uint8, an `OnsetReason`.
    start_s, end_s : float
        The stage; onsets beside a neighbouring step may lie a little outside.
    polarity : {"darkens", "brightens"}
    parameters : OnsetParameters
        With the smoothing that was chosen.
    rise_time_s : numpy.ndarray
        (Y, X) float32 seconds from 10 to 90 % of the rise around a pixel, without what sparse
        frames and smoothing in time add to it and, where it is known, the point spread across a
        front; NaN where not reached. One NaN where it was not measured.
    amplitude_noise : float
        Standard deviation of `amplitude` from noise, decades.
    """

    onset_s: Float32Array
    onset_sd_s: Float32Array
    amplitude: Float32Array
    reason: NDArray[np.uint8]
    start_s: float
    end_s: float
    polarity: Polarity
    parameters: OnsetParameters
    rise_time_s: Float32Array = field(default_factory=lambda: np.full((1, 1), np.nan, np.float32))
    amplitude_noise: float = math.nan

    @property
    def reached(self) -> BoolArray:
        """(Y, X) True where there is an onset."""
        return np.asarray(self.reason == OnsetReason.REACHED)

    @property
    def smoothing_px(self) -> float:
        """Standard deviation of the smoothing in space, pixels."""
        return self.parameters.smoothing_px or 0.0

    @property
    def smoothing_frames(self) -> float:
        """Standard deviation of the smoothing in time, frames."""
        return self.parameters.smoothing_frames or 0.0

    def reasons(self) -> dict[str, int]:
        """Number of pixels for each reason, by its words."""
        return {r.text: int(np.count_nonzero(self.reason == r)) for r in OnsetReason}


def alloyed_fraction(onset: OnsetMap, times_s: FloatArray) -> FloatArray:
    """(T,) share of the field (all but what lies outside) alloyed at each time, 0 to 1."""
    field = int(np.count_nonzero(onset.reason != OnsetReason.OUTSIDE))
    before = int(np.count_nonzero(onset.reason == OnsetReason.BEFORE))
    if not field:
        return np.full(len(times_s), np.nan)
    return (before + _counts_until(onset, np.asarray(times_s, dtype=float))) / field


def _counts_until(onset: OnsetMap, times_s: FloatArray) -> FloatArray:
    """(T,) onsets up to each time."""
    from napari_lithium_alloy.core.kernels.onset_counts import count_by_times

    times, at = np.unique(times_s, return_inverse=True)
    onsets, reached = np.ascontiguousarray(onset.onset_s), onset.reached
    found: list[IntArray] = []

    def count(rows: Rows) -> None:
        counts = np.zeros(len(times) + 1, dtype=np.int64)
        count_by_times(onsets, reached, times, rows, counts)
        found.append(counts)

    finish(by_rows(count, len(onsets)))
    return np.cumsum(np.sum(found, axis=0))[at].astype(float)


def onset_summary(maps: Mapping[Stage, OnsetMap]) -> pd.DataFrame:
    """The table `onset_summary`: a row a map."""
    rows: list[dict[str, Any]] = []
    for stage, onset in maps.items():
        n_reached, (p05, median, p95) = quantiles_within(onset.onset_s, [0.05, 0.5, 0.95])
        sd, rise = (quantiles_within(i, [0.5])[1][0] for i in (onset.onset_sd_s, onset.rise_time_s))
        count = {r: int(np.count_nonzero(onset.reason == r)) for r in OnsetReason}
        field = onset.reason.size - count[OnsetReason.OUTSIDE]
        rows.append(
            {
                "cycle": stage.cycle,
                "stage": stage.name,
                "n_px": field,
                "reached_fraction": n_reached / field if field else np.nan,
                "median_s": median,
                "p05_s": p05,
                "p95_s": p95,
                "median_sd_s": sd,
                "median_rise_time_s": rise,
                "before": count[OnsetReason.BEFORE],
                "never": count[OnsetReason.NEVER],
                "within_noise": count[OnsetReason.WITHIN_NOISE],
                "outside": count[OnsetReason.OUTSIDE],
                "not_told_apart": count[OnsetReason.NOT_TOLD_APART],
            }
        )
    return conform("onset_summary", pd.DataFrame(rows))
