"""What a recording was made from, in the units of the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.synthetic.fields import disc_coverage
from napari_lithium_alloy.core.synthetic.holes import Hole, Site

_SUMMARY = ["cycle", "time_s", "count", "total_area_um2", "area_fraction"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """Planted truth; world positions are row and column times the pixel size.

    Attributes
    ----------
    onset_s : dict of str to numpy.ndarray
        By stage key (cycle1_step1, ..., cycle1_dealloying1): (Y, X) seconds, NaN on bare glass
        and where a pore already was.
    film : numpy.ndarray
        (Y, X) bool, False on bare glass.
    sites : pandas.DataFrame
        site, cycle, y_um, x_um, onset_s, radius_um, dead, leaves_pore.
    pores : pandas.DataFrame
        At each cycle's end, a row a connected pore: cycle, pore, y_um, x_um, area_um2.
    pore_summary : pandas.DataFrame
        cycle (0: pristine), time_s, count, total_area_um2, area_fraction (of the field).
    merges : pandas.DataFrame
        time_s, pore (the one that goes on), parents ("1 4").
    pore_coverage : dict of int to numpy.ndarray
        By cycle (0: pristine): (Y, X) share of each pixel that is a pore, at the cycle's end.
    drift_px, epi_drift_px : numpy.ndarray
        (T, 2) rows and columns the film has moved in each frame, without the epi offset.
    gain, epi_gain : numpy.ndarray
        (T,) brightness of the lamp.
    epi_offset_px : (float, float)
    clock_offset_s : float
        Cycler time minus recording time.
    edge_lag_s : float
        How much later the corners are than the centre.
    """

    onset_s: dict[str, FloatArray]
    film: BoolArray
    sites: pd.DataFrame
    pores: pd.DataFrame
    pore_summary: pd.DataFrame
    merges: pd.DataFrame
    pore_coverage: dict[int, FloatArray]
    drift_px: FloatArray
    epi_drift_px: FloatArray
    gain: FloatArray
    epi_gain: FloatArray
    epi_offset_px: tuple[float, float]
    clock_offset_s: float
    edge_lag_s: float


def sites_table(sites: Sequence[Site], pixel_size_um: float) -> pd.DataFrame:
    """A row a nucleus, numbered from 1 over all cycles."""
    columns = ["site", "cycle", "y_um", "x_um", "onset_s", "radius_um", "dead", "leaves_pore"]
    rows = [
        (
            number,
            s.cycle,
            s.y * pixel_size_um,
            s.x * pixel_size_um,
            s.onset_s,
            s.radius * pixel_size_um,
            s.dead,
            s.leaves_pore,
        )
        for number, s in enumerate(sites, start=1)
    ]
    return pd.DataFrame(rows, columns=columns)


def connected(holes: Sequence[Hole], time_s: float) -> list[list[int]]:
    """Indices of the holes there are at a time, those that touch together, lowest first."""
    radii = [h.radius_at(time_s) for h in holes]
    group = {i: i for i, r in enumerate(radii) if r > 0}
    for a, b in combinations(group, 2):
        if _distance(holes[a], holes[b]) < radii[a] + radii[b]:
            low, high = sorted((group[a], group[b]))
            group = {i: low if g == high else g for i, g in group.items()}
    return [[i for i, g in group.items() if g == first] for first in sorted(set(group.values()))]


def pores_tables(
    holes: Sequence[Hole], ends_s: dict[int, float], shape: tuple[int, int], pixel_size_um: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Connected pores at each cycle's end, and their sums (cycle 0: the pristine film)."""
    pores, sums = [], []
    for cycle, time_s in {0: 0.0, **ends_s}.items():
        total = 0.0
        groups = connected(holes, time_s)
        for members in groups:
            discs = np.array(
                [(holes[i].y, holes[i].x, holes[i].radius_at(time_s)) for i in members]
            )
            share = disc_coverage(shape, discs)
            area = float(share.sum(dtype=float))
            y, x = (float((share.sum(axis=1 - k) @ np.arange(shape[k])) / area) for k in (0, 1))
            area_um2 = area * pixel_size_um**2
            pores.append((cycle, members[0] + 1, y * pixel_size_um, x * pixel_size_um, area_um2))
            total += area_um2
        field_um2 = shape[0] * shape[1] * pixel_size_um**2
        sums.append((cycle, time_s, len(groups), total, total / field_um2))
    return (
        pd.DataFrame(pores, columns=["cycle", "pore", "y_um", "x_um", "area_um2"]),
        pd.DataFrame(sums, columns=_SUMMARY),
    )


def merges_table(holes: Sequence[Hole], until_s: float) -> pd.DataFrame:
    """When pores came to touch: a row a merge, in order of time."""
    contacts = sorted(
        (time_s, a, b)
        for a, b in combinations(range(len(holes)), 2)
        if (time_s := _contact_s(holes[a], holes[b], until_s)) is not None
    )
    group = list(range(len(holes)))
    rows = []
    for time_s, a, b in contacts:
        low, high = sorted((group[a], group[b]))
        if low != high:
            group = [low if g == high else g for g in group]
            rows.append((time_s, low + 1, f"{low + 1} {high + 1}"))
    return pd.DataFrame(rows, columns=["time_s", "pore", "parents"])


def _distance(a: Hole, b: Hole) -> float:
    return float(np.hypot(a.y - b.y, a.x - b.x))


def _contact_s(a: Hole, b: Hole, until_s: float) -> float | None:
    distance = _distance(a, b)

    def overlap(time_s: float) -> float:
        radii = a.radius_at(time_s), b.radius_at(time_s)
        return sum(radii) - distance if min(radii) > 0 else -distance

    return float(brentq(overlap, 0.0, until_s, xtol=1e-6)) if overlap(until_s) > 0 else None
