"""Pearson's r of steps and sites of each recording, for a comparison of recordings (Fig. S15)."""

from __future__ import annotations

import math
import re
from itertools import combinations

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.pair_names import paper_pairs, short_pair
from napari_lithium_alloy.core.tables import STUDIES, conform, empty

FIELD = "field"
LEAST_EFFECTIVE = 3.0
"""Effective samples that Fisher's interval needs more of."""
Z_95 = 1.959963984540054
_STEP = re.compile(r"(cycle\d+_step\d+)_onset")
_SPOTS = re.compile(r"cycle\d+_(sites|pores)")
_OWN = tuple(STUDIES["pair_study"])


def pair_study(colocalization: pd.DataFrame) -> pd.DataFrame:
    """The table `pair_study` of one recording: the pairs of Fig. 2C, and the steps' onsets.

    r_low and r_high are the 95 % interval of r itself, by Fisher's z with the effective samples;
    null_low and null_high that of chance.

    Parameters
    ----------
    colocalization : pandas.DataFrame
        The table `colocalization`.
    """
    whole = colocalization[colocalization["region"].fillna(FIELD) == FIELD]
    rows = {(str(r["a"]), str(r["b"])): r for _, r in whole.iterrows()}
    names = list(dict.fromkeys(n for pair in rows for n in pair))
    found = []
    for cycle in dict.fromkeys(n.split("_")[0] for n in names):
        own = [n for n in names if n.split("_")[0] == cycle]
        steps = sorted(m[1] for n in own if (m := _STEP.fullmatch(n)))
        onsets = [(f"{a}_onset", f"{b}_onset") for a, b in combinations(steps, 2)]
        for pair in onsets + paper_pairs(steps, [n for n in own if _SPOTS.fullmatch(n)]):
            row = rows.get(pair, rows.get(pair[::-1]))
            if row is not None:
                found.append(_row(cycle, pair, row))
    return conform("pair_study", pd.DataFrame(found)) if found else empty("pair_study")


def _row(cycle: str, pair: tuple[str, str], row: pd.Series) -> dict[str, object]:
    r, n = float(row["pearson_r"]), float(row["n_effective"])
    low, high = fisher_interval(r, n)
    reason = "" if pd.isna(row["reason"]) else str(row["reason"])
    if not reason and math.isnan(low):
        reason = "too few effective samples for an interval of r"
    return {
        **{c: row[c] for c in _OWN if c in row},
        "cycle": int(cycle.removeprefix("cycle")),
        "pair": short_pair(*pair),
        "a": pair[0],
        "b": pair[1],
        "r_low": low,
        "r_high": high,
        "reason": reason,
    }


def fisher_interval(r: float, n_effective: float) -> tuple[float, float]:
    """95 % interval of a correlation of so many effective samples; NaN with three or fewer.

    References
    ----------
    Fisher, Metron 1921, 1, 3.
    """
    if not (abs(r) < 1 and n_effective > LEAST_EFFECTIVE):
        return math.nan, math.nan
    half = Z_95 / math.sqrt(n_effective - LEAST_EFFECTIVE)
    low, high = np.tanh(np.arctanh(r) + np.array([-half, half]))
    return float(low), float(high)
