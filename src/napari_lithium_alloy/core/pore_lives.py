"""When each pore appeared, how fast it grew, how it ended; and how large pores are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.pore_tracking import PoreTracks
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.smoothing import median_of, noise_of_second
from napari_lithium_alloy.core.tables import conform, empty

EMERGED_SHARE, EMERGED_NOISES = 0.1, 5.0
"""Of its last area, and of its noise, what a pore's area must pass for it to have emerged."""
SUSTAINED_FRAMES = 3
GROWTH_SHARES = (0.1, 0.9)
"""Shares of its growth between which a pore's expansion rate is fitted."""
LEAST_GROWTH_NOISES, LEAST_GROWTH = 3.0, 0.2
"""Growth, in units of its noise and as a share of the last area, that a rate needs."""
NEAR_SITE = 1.0
"""How far from a site, in radii of its disc, a pore opens that is the site's."""
BIN_UM2 = 0.05


def pore_lives(tracks: PoreTracks, sites: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table `pore_lives`: a row a pore, from its birth, or a merge or split, to its end.

    `emergence_s` is when its area passed a tenth of its last area (and five times its noise) to
    stay, between frames by a straight line; of a pore that came of others it is when they met.
    The expansion rate is the slope of a line through the area between a tenth and nine tenths of
    its growth (Mao et al. 2024, Fig. S16), with its standard error. Where a value cannot be known
    it is NaN, and `reason` says why.

    Parameters
    ----------
    tracks : PoreTracks
    sites : pandas.DataFrame, optional
        The table `sites`: a pore that opens within the disc of one of its cycle or of an earlier
        one gets its number.
    """
    if not len(tracks.pores):
        return empty("pore_lives")
    rows = tracks.pores.sort_values(["pore", "time_s"], kind="stable")
    columns = {str(name): rows[name].to_numpy() for name in rows.columns}
    begins = np.flatnonzero(np.diff(columns["pore"], prepend=-1))
    context = _Context.of(tracks)
    table = pd.DataFrame(
        [
            _life({name: v[first:stop] for name, v in columns.items()}, context)
            for first, stop in itertools.pairwise([*begins.tolist(), len(rows)])
        ]
    )
    if sites is not None and len(sites):
        table["site"] = _sites_at(table, sites)
    return conform("pore_lives", table)


@dataclass(frozen=True, eq=False)
class _Context:
    """What happened to pores: when each cycle was first looked at; parents; ends and by what."""

    began_s: dict[int, float]
    parents: dict[int, str]
    ends: dict[int, tuple[float, str]]

    @staticmethod
    def of(tracks: PoreTracks) -> _Context:
        events = tracks.events
        times_s: dict[int, float] = {}
        kinds: dict[int, str] = {}
        parents: dict[int, str] = {}
        ends: dict[int, tuple[float, str]] = {}
        for pore, time_s, event, of in zip(
            *(events[c].tolist() for c in ("pore", "time_s", "event", "parents")), strict=True
        ):
            parents.setdefault(pore, str(of or ""))
            if event == "closure":
                ends.setdefault(pore, (float(time_s), "closure"))
            else:
                times_s.setdefault(pore, float(time_s))
                kinds.setdefault(pore, str(event))
        met: dict[int, tuple[float, str]] = {}
        for child, olds in tracks.graph.items():
            for old in olds:
                met.setdefault(old, (times_s[child], kinds[child]))
        began = tracks.summary.groupby("cycle")["time_s"].min()
        return _Context({int(c): float(t) for c, t in began.items()}, parents, ends | met)


def _life(own: dict[str, NDArray[Any]], context: _Context) -> dict[str, Any]:
    pore, cycle = int(own["pore"][0]), int(own["cycle"][0])
    times, areas = own["time_s"].astype(float), own["area_um2"].astype(float)
    parents = context.parents.get(pore, "")
    pristine = bool(own["pristine"].any())
    first = own["cycle"] == cycle
    began = context.began_s.get(cycle, math.nan)
    emergence, reason = _emergence(times[first], areas[first], bool(parents), pristine, began)
    rate, sd, why = _expansion(times[first], areas[first])
    ended, by = context.ends.get(pore, (math.nan, ""))
    return {
        "pore": pore,
        "cycle": 0 if pristine else cycle,
        "y_um": float(own["y_um"][-1]),
        "x_um": float(own["x_um"][-1]),
        "emergence_s": emergence,
        "end_s": ended,
        "ended_by": by,
        "area_um2": float(areas[-1]),
        "expansion_rate_um2_s": rate,
        "expansion_rate_sd_um2_s": sd,
        "pristine": pristine,
        "resolved": bool(own["resolved"][-1]),
        "touches_edge": bool(own["touches_edge"][-1]),
        "parents": parents,
        "reason": "; ".join(r for r in (reason, why) if r),
    }


def _emergence(
    times: FloatArray, areas: FloatArray, of_others: bool, pristine: bool, window_s: float
) -> tuple[float, str]:
    if pristine:
        return math.nan, "a pinhole of the pristine film"
    if of_others:
        return float(times[0]), ""
    noise = noise_of_second(np.diff(areas, n=2)) if len(areas) > 4 else 0.0
    level = max(EMERGED_SHARE * median_of(areas[-SUSTAINED_FRAMES:]), EMERGED_NOISES * noise)
    above = areas > level
    # At the end fewer frames are enough.
    later = np.concatenate([above, np.ones(SUSTAINED_FRAMES - 1, dtype=bool)])
    stays = np.all([later[k : k + len(above)] for k in range(SUSTAINED_FRAMES)], axis=0)
    if not stays.any():
        return math.nan, "its area never passed its noise"
    i = int(np.argmax(stays))
    if i == 0:
        if times[0] <= window_s:
            return math.nan, "there when its cycle's dissolution began"
        return float(times[0]), ""
    share = (level - areas[i - 1]) / (areas[i] - areas[i - 1])
    return float(times[i - 1] + share * (times[i] - times[i - 1])), ""


def _expansion(times: FloatArray, areas: FloatArray) -> tuple[float, float, str]:
    """Slope of the area while it grows and its standard error, um2/s."""
    if len(areas) < 5:
        return math.nan, math.nan, "too few frames for an expansion rate"
    noise = noise_of_second(np.diff(areas, n=2))
    low, high = median_of(areas[:SUSTAINED_FRAMES]), median_of(areas[-SUSTAINED_FRAMES:])
    if high - low < max(LEAST_GROWTH_NOISES * noise, LEAST_GROWTH * high):
        return math.nan, math.nan, "its area did not grow"
    share = (areas - low) / (high - low)
    stop = int(np.flatnonzero(share >= GROWTH_SHARES[1])[0])
    before = np.flatnonzero(share[:stop] <= GROWTH_SHARES[0])
    if not before.size:
        return math.nan, math.nan, "its growth does not lie in the frames"
    start = int(before[-1])
    t, a = times[start : stop + 1], areas[start : stop + 1]
    if len(t) < 3:
        steep = (a[-1] - a[0]) / (t[-1] - t[0])
        return float(steep), math.nan, "grew within two frames, so its rate has no error"
    centred = t - t.mean()
    slope = float(centred @ a / (centred @ centred))
    left = a - a.mean() - slope * centred
    return slope, float(np.sqrt(left @ left / (len(t) - 2) / (centred @ centred))), ""


def _sites_at(lives: pd.DataFrame, sites: pd.DataFrame) -> list[Any]:
    """Number of the site in whose disc each pore lies, the nearest of its cycle or before."""
    y_um, x_um, radius_um = (sites[c].to_numpy(float) for c in ("y_um", "x_um", "radius_um"))
    cycles, numbers = sites["cycle"].to_numpy(), sites["site"].to_numpy()
    found: list[Any] = []
    for cycle, y, x, area in zip(
        *(lives[c].tolist() for c in ("cycle", "y_um", "x_um", "area_um2")), strict=True
    ):
        radius = np.fmax(radius_um, math.sqrt(max(area, 0) / math.pi))
        ratio = np.hypot(y_um - y, x_um - x) / np.maximum(radius, 1e-9)
        ratio[cycles > cycle] = np.inf
        nearest = int(np.argmin(ratio))
        found.append(int(numbers[nearest]) if ratio[nearest] <= NEAR_SITE else pd.NA)
    return found


def area_ratio_curves(
    pores: pd.DataFrame, cycle: int, final_pores: Sequence[int] | None = None
) -> pd.DataFrame:
    """Area relative to the final pore against time, of final pores and of all (Fig. 3E).

    Parameters
    ----------
    pores : pandas.DataFrame
        The table of this name.
    cycle : int
    final_pores : sequence of int, optional
        Numbers at the cycle's end; None: all of them. What later merged counts together.

    Returns
    -------
    pandas.DataFrame
        Columns time_s, final_pore (0: all together), area_ratio; 0 while a pore is not there yet,
        NaN where its area or its last one is not known.
    """
    own = pores[(pores["cycle"] == cycle) & pores["final_pore"].notna()]
    if not len(own):
        return pd.DataFrame({"time_s": [], "final_pore": [], "area_ratio": []})
    rows = own.assign(unknown=own["area_um2"].isna()).groupby(["time_s", "final_pore"])
    sums = rows["area_um2"].sum().mask(rows["unknown"].any())
    areas = sums.unstack(fill_value=0.0)
    missing = set(final_pores or []) - set(areas.columns)
    if missing:
        raise AlloyError(
            f"Pore {min(missing)} is not there at the end of cycle {cycle}; choose one that is."
        )
    chosen = list(areas.columns if final_pores is None else final_pores)
    areas[0] = areas.sum(axis=1, skipna=False)
    last = areas.iloc[-1]
    ratios = areas[[*chosen, 0]] / last[[*chosen, 0]].where(last > 0)
    long = ratios.melt(ignore_index=False, var_name="final_pore", value_name="area_ratio")
    return long.reset_index().astype({"final_pore": "int64"})


def size_distribution(
    sites: pd.DataFrame, pores: pd.DataFrame, bin_um2: float = BIN_UM2
) -> pd.DataFrame:
    """The table `size_distribution` of sites' final discs and of pores at cycles' ends (Fig. S17).

    Parameters
    ----------
    sites, pores : pandas.DataFrame
        The tables of these names.
    bin_um2 : float
        Width of a bin; the first starts at 0.
    """
    groups: list[tuple[int, str, FloatArray]] = []
    for cycle, own in sites.groupby("cycle"):
        groups.append((int(cycle), "site", own["area_um2"].to_numpy(float)))
    for cycle, own in pores.groupby("cycle"):
        last = own[own["time_s"] == own["time_s"].max()]
        groups.append((int(cycle), "pore", last["area_um2"].to_numpy(float)))
    rows: list[dict[str, Any]] = []
    for cycle, kind, every in groups:
        areas = every[np.isfinite(every)]
        if not areas.size:
            continue
        n = max(1, math.ceil(float(areas.max()) / bin_um2 + 1e-9))
        counts, edges = np.histogram(np.maximum(areas, 0), bins=n, range=(0, n * bin_um2))
        rows += [
            {"cycle": cycle, "kind": kind, "low_um2": low, "high_um2": high, "count": count,
             "fraction": count / areas.size}
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]  # fmt: skip
    return conform("size_distribution", pd.DataFrame(rows)) if rows else empty("size_distribution")
