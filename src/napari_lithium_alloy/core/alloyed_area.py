"""The table `alloyed_fraction`: the share of the field a step has reached, against time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.onset import OnsetMap, alloyed_fraction
from napari_lithium_alloy.core.order_statistics import quantiles_within
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.tables import conform, empty
from napari_lithium_alloy.core.time_scale import ContentAt


def alloyed_fraction_table(
    maps: Mapping[Stage, OnsetMap], times_s: FloatArray, content_at: ContentAt | None = None
) -> pd.DataFrame:
    """The table `alloyed_fraction`: a row a frame of each step, until its last pixel is reached.

    Of a dealloying step it is the share that has dealloyed. Where the step's bounds are some
    seconds wrong, it begins or ends with the pixels and not with the bounds.

    Parameters
    ----------
    maps : mapping of Stage to OnsetMap
    times_s : numpy.ndarray
        (T,) times of the recording's frames.
    content_at : callable, optional
        Li content x at times; without it `li_content_x` stays empty.
    """
    parts = []
    for stage, onset in maps.items():
        first, last = _ends(onset)
        times = times_s[(times_s >= first) & (times_s <= last)]
        columns = {
            "time_s": times,
            "cycle": stage.cycle,
            "stage": stage.name,
            "alloyed_fraction": alloyed_fraction(onset, times),
            "li_content_x": np.nan if content_at is None else content_at(times),
        }
        if len(times):
            parts.append(conform("alloyed_fraction", pd.DataFrame(columns)))
    return pd.concat(parts, ignore_index=True) if parts else empty("alloyed_fraction")


def _ends(onset: OnsetMap) -> tuple[float, float]:
    """The step's bounds or, where onsets lie beyond them, the first and last of these."""
    n, (first, last) = quantiles_within(onset.onset_s, [0.0, 1.0])
    if not n:
        return onset.start_s, onset.end_s
    return min(onset.start_s, first), max(onset.end_s, last)
