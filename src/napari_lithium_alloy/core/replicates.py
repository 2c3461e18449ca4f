"""Means over replicate cells, with their errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.tables import STUDIES, empty

RECORDING, CELL, CURRENT_DENSITY = "recording", "cell", "current_density_ma_cm2"
"""Columns in front of every table of a study, before its other conditions."""
VALUE = "value"
LEVEL = 0.95
KEYS = (
    *("cycle", "stage", "kind", "step", "scope", "state", "region", "a", "b", "pair"),
    *("pores", "over"),
)
"""Columns that say what a row of a table is of: never averaged over."""
CORRELATIONS = ("pearson_r", "spearman_r", "r_with_trend")
"""Averaged as Fisher's z."""


@dataclass(frozen=True, kw_only=True)
class Mean:
    """Mean of independent values with its error.

    Attributes
    ----------
    n : int
        Values that are known.
    mean : float
    sd, standard_error : float
        Of the values, or of Fisher's z where `scale` says so.
    low, high : float
        95 % interval of the mean, by Student's t.
    scale : str
        "value" or "Fisher z".
    reason : str
        Why something is NaN.
    """

    n: int = 0
    mean: float = math.nan
    sd: float = math.nan
    standard_error: float = math.nan
    low: float = math.nan
    high: float = math.nan
    scale: str = "value"
    reason: str = ""


def mean_of(values: FloatArray, *, correlation: bool = False) -> Mean:
    """Mean, standard deviation and error, and the 95 % interval of independent values.

    Correlations are averaged as Fisher's z and turned back, as r itself is bounded and skewed;
    sd and standard error are then those of z.

    Parameters
    ----------
    values : numpy.ndarray
        (N,); those that are NaN don't count.
    correlation : bool

    References
    ----------
    Fisher, Metron 1921, 1, 3; Student, Biometrika 1908, 6, 1 (DOI 10.1093/biomet/6.1.1).
    """
    scale = "Fisher z" if correlation else "value"
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    n = len(known)
    if n == 0:
        return Mean(scale=scale, reason="no value")
    if correlation and (np.abs(known) >= 1).any():
        return Mean(n=n, scale=scale, reason="an r of 1 or -1 has no Fisher's z")
    scaled = np.arctanh(known) if correlation else known
    middle = float(scaled.mean())
    if n == 1:
        return Mean(n=1, mean=float(known[0]), scale=scale, reason="one cell has no error")
    sd = float(scaled.std(ddof=1))
    error = sd / math.sqrt(n)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * error
    mean, low, high = (
        math.tanh(v) if correlation else v for v in (middle, middle - half, middle + half)
    )
    return Mean(n=n, mean=mean, sd=sd, standard_error=error, low=low, high=high, scale=scale)


def cell_means(
    rows: pd.DataFrame, by: Sequence[str], value: str, *, correlation: bool = False
) -> pd.DataFrame:
    """One value a cell: that of rows of a recording, then of recordings of a cell.

    Rows of one recording, and recordings of one cell, are not independent.

    Parameters
    ----------
    rows : pandas.DataFrame
        With columns recording, cell, those of `by`, and `value`.
    by : sequence of str
        Columns that tell groups apart; missing values are a group of their own.
    value : str
        A column of numbers.
    correlation : bool

    Returns
    -------
    pandas.DataFrame
        The columns of `by`, cell, n_recordings (that have a value), and `value`.
    """
    by = [*by, CELL]
    known = rows[[RECORDING, *by]].assign(**{VALUE: _numbers(rows, value)})
    if correlation:
        with np.errstate(divide="ignore", invalid="ignore"):
            known[VALUE] = np.arctanh(known[VALUE])
    of_recording = known.groupby([*by, RECORDING], dropna=False, sort=False)[VALUE].mean()
    grouped = of_recording.reset_index().groupby(by, dropna=False, sort=False)[VALUE]
    cells = grouped.agg(["count", "mean"]).reset_index()
    if correlation:
        cells["mean"] = np.tanh(cells["mean"])
    return cells.rename(columns={"count": "n_recordings", "mean": value})


def recording_means(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """One value of a column a recording for each of its keys, with whose rows they are.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of a table, of one recording.
    column : str
    """
    keys = keys_of(rows, column)
    named = rows.assign(**{RECORDING: "", CELL: ""})
    means = cell_means(named, keys, column, correlation=column in CORRELATIONS)
    return means[[*keys, column]]


def _numbers(rows: pd.DataFrame, value: str) -> FloatArray:
    if not pd.api.types.is_numeric_dtype(rows[value]):
        raise AlloyError(f"The column {value} holds no numbers; name another.")
    numbers: FloatArray = rows[value].to_numpy(dtype=float, na_value=np.nan)
    return numbers


def replicate_means(
    rows: pd.DataFrame, conditions: Sequence[str], table: str, column: str
) -> pd.DataFrame:
    """The table `replicate_means` of one column: its mean over cells under each condition.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of the table of all recordings, with recording, cell and conditions in front.
    conditions : sequence of str
        Columns whose values tell groups of replicates apart.
    table, column : str
        What is averaged; of the columns of `KEYS` that the table has, each value is apart, and
        left out where no cell has a value under any condition.
    """
    keys = keys_of(rows, column)
    correlation = column in CORRELATIONS
    by = [*conditions, *keys]
    cells = cell_means(rows, by, column, correlation=correlation)
    made = []
    groups = cells.groupby(by, dropna=False, sort=False) if by else [((), cells)]
    seen = _seen(cells, keys, column)
    for values, group in groups:
        if keys and tuple(group[keys].iloc[0].astype(str)) not in seen:
            continue
        mean = mean_of(group[column].to_numpy(float), correlation=correlation)
        given = dict(zip(by, values, strict=True))
        made.append(
            {
                **{c: given[c] for c in conditions},
                "table": table,
                "column": column,
                "of": said_keys(keys, [given[k] for k in keys]),
                "n_cells": mean.n,
                "n_recordings": int(group["n_recordings"].sum()),
                **{k: getattr(mean, k) for k in ("mean", "sd", "standard_error", "low", "high")},
                "scale": mean.scale,
                "reason": mean.reason,
            }
        )
    if not made:
        return empty("replicate_means")
    frame = pd.DataFrame(made)
    kinds = STUDIES["replicate_means"]
    frame = frame.astype({c: k for c, k in kinds.items() if c in frame})
    return frame.sort_values([*conditions], kind="stable", ignore_index=True)


def _seen(cells: pd.DataFrame, keys: Sequence[str], column: str) -> set[tuple[str, ...]]:
    """Keys that some cell has a value of: a pristine film has no pores under any condition."""
    known = cells.loc[cells[column].notna(), list(keys)]
    return set(known.astype(str).itertuples(index=False, name=None))


def keys_of(rows: pd.DataFrame, column: str) -> list[str]:
    """Columns that say what the rows of a table are of; the words of a pair say it all."""
    keys = ["pair"] if "pair" in rows else KEYS
    return [k for k in keys if k in rows and k != column and rows[k].notna().any()]


def said_keys(keys: Sequence[str], values: Sequence[object]) -> str:
    """Keys in words, such as "cycle 1 step2"; a text stands for itself."""
    return " ".join(
        str(v) if isinstance(v, str) else f"{k} {v}"
        for k, v in zip(keys, values, strict=True)
        if not pd.isna(v)
    )
