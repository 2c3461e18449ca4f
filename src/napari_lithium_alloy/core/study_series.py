"""A column of a study against a condition: points of recordings, and means over cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.column_names import sentence, valued
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.replicates import (
    CELL,
    CORRELATIONS,
    RECORDING,
    cell_means,
    mean_of,
)

LOG_SPAN = 8.0
"""Ratio of the largest to the smallest value over which an axis is logarithmic."""
NEXT, BESIDE = 0.022, 0.07
"""From a point to the next of the same value, and from a series to the next: shares of the axis."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Series:
    """Points of one colour: recordings, and the mean of cells at each value of the condition.

    Attributes
    ----------
    name : str
        Values of what else was different, in words.
    recordings : list of str
        (N,) of the points.
    x, y : numpy.ndarray
        (N,).
    mean_x, mean, low, high : numpy.ndarray
        (M,) the mean and its 95 % interval, NaN where one cell has none.
    n_cells : numpy.ndarray
        (M,).
    """

    name: str
    recordings: list[str]
    x: FloatArray
    y: FloatArray
    mean_x: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    n_cells: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Against:
    """A column against a condition.

    Attributes
    ----------
    series : list of Series
    ticks : dict of float to str
        Words in place of numbers on the x axis; none: numbers.
    logarithmic : bool
        Whether the x axis is.
    """

    series: list[Series] = field(default_factory=list)
    ticks: dict[float, str] = field(default_factory=dict)
    logarithmic: bool = False

    @property
    def values(self) -> FloatArray:
        """(K,) values of the condition, rising."""
        return np.unique(np.concatenate([s.x for s in self.series]))

    def on_axis(self, x: FloatArray) -> FloatArray:
        """Where values stand along the axis: themselves, or their decadic logarithms."""
        return np.log10(x) if self.logarithmic else np.asarray(x, dtype=float)

    @property
    def span(self) -> float:
        """Length of the axis between the outermost values; 1 where there is only one."""
        at = self.on_axis(self.values)
        return float(at[-1] - at[0]) or 1.0

    def mean_places(self, i: int) -> FloatArray:
        """(M,) places along the axis of the means of a series: series stand beside each other."""
        beside = BESIDE * self.span * (i - (len(self.series) - 1) / 2)
        return self.on_axis(self.series[i].mean_x) + beside

    def point_places(self, i: int) -> FloatArray:
        """(N,) places along the axis of its points: those of one value beside each other."""
        series = self.series[i]
        centres = dict(zip(series.mean_x.tolist(), self.mean_places(i).tolist(), strict=True))
        places = np.array([centres[x] for x in series.x.tolist()])
        step = min(NEXT, BESIDE / max(np.unique(series.x, return_counts=True)[1])) * self.span
        for value in np.unique(series.x):
            same = np.flatnonzero(series.x == value)
            places[same] += step * (np.arange(len(same)) - (len(same) - 1) / 2)
        return places


def against(rows: pd.DataFrame, condition: str, split: Sequence[str], column: str) -> Against:
    """A column of a study's table against a condition.

    Rows where either is missing are left out.

    Parameters
    ----------
    rows : pandas.DataFrame
        With recording, cell, the condition, the columns of `split`, and the column.
    condition : str
    split : sequence of str
        Columns whose values have a colour each.
    column : str
        Of numbers; the mean of a recording's rows counts.
    """
    known = rows[rows[condition].notna() & rows[column].notna()]
    if not len(known):
        return Against()
    places, ticks = _places(known[condition])
    known = known.assign(**{condition: known[condition].map(places).astype(float)})
    correlation = column in CORRELATIONS
    one_each = known.assign(**{CELL: known[RECORDING]})  # of a recording each, then of a cell
    by = [condition, *split]
    points = cell_means(one_each, by, column, correlation=correlation)
    cells = cell_means(known, by, column, correlation=correlation)
    series = []
    for name, own in _parts(points, split):
        of_cells = dict(_parts(cells, split))[name]
        series.append(_series(name, own, of_cells, condition, column, correlation))
    x = np.array(list(places.values()))
    wide = not ticks and bool((x > 0).all()) and float(x.max() / x.min()) >= LOG_SPAN
    return Against(series=series, ticks=ticks, logarithmic=wide)


def _places(values: pd.Series) -> tuple[dict[object, float], dict[float, str]]:
    """Where each value stands on the axis, and words of those that are no numbers."""
    known = values.unique().tolist()
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return {v: float(v) for v in known}, {}
    order = sorted(known, key=str)
    words = {True: "yes", False: "no"}
    places = {v: float(i) for i, v in enumerate(order)}
    return places, {p: words.get(v, str(v)) for v, p in places.items()}


def _parts(frame: pd.DataFrame, split: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    if not split:
        return [("", frame)]
    groups = frame.groupby(list(split), dropna=False, sort=True)
    return [(_said(split, values), group) for values, group in groups]


def _said(split: Sequence[str], values: Sequence[object]) -> str:
    return ", ".join(
        f"{sentence(k)} not known" if pd.isna(v) else valued(k, v)
        for k, v in zip(split, values, strict=True)
    )


def _series(
    name: str,
    points: pd.DataFrame,
    cells: pd.DataFrame,
    condition: str,
    column: str,
    correlation: bool,
) -> Series:
    groups = [
        (float(x), mean_of(group[column].to_numpy(float), correlation=correlation))
        for x, group in cells.groupby(condition, sort=True)
    ]
    means = [m for _, m in groups]
    return Series(
        name=name,
        recordings=[str(r) for r in points[CELL]],
        x=points[condition].to_numpy(float),
        y=points[column].to_numpy(float),
        mean_x=np.array([x for x, _ in groups]),
        mean=np.array([m.mean for m in means]),
        low=np.array([m.low for m in means]),
        high=np.array([m.high for m in means]),
        n_cells=np.array([m.n for m in means], dtype=float),
    )
