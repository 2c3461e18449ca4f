"""What each cycle left: capacity, efficiency, sites and pores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.by_label import numbers_in
from napari_lithium_alloy.core.galvanostatic import Film, PotentialCurve, capacity_mah_cm2
from napari_lithium_alloy.core.lineage import count_events
from napari_lithium_alloy.core.pore_tracking import PoreTracks
from napari_lithium_alloy.core.stages import Stage, StageKind, cycles_of, stages_of
from napari_lithium_alloy.core.tables import conform, empty

COMING = (StageKind.SEI, StageKind.ALLOYING, StageKind.DEPOSITION)
LEAVING = (StageKind.DISSOLUTION, StageKind.DEALLOYING)


def cycles_table(
    stages: Sequence[Stage],
    sites: pd.DataFrame,
    pore_tracks: PoreTracks | None = None,
    *,
    potential: PotentialCurve | None = None,
    film: Film | None = None,
    film_um2: float = math.nan,
) -> pd.DataFrame:
    """The table `cycles`: the states P, De1*, Di1*, ... (Mao et al. 2024, Fig. 4A and B).

    What pores did in a cycle stands beside its Di: births, merges, splits and closures; the area
    of pores that were not there before, and by how much those that were have grown.

    Parameters
    ----------
    stages : sequence of Stage
    sites : pandas.DataFrame
        The table of this name.
    pore_tracks : PoreTracks, optional
        Without them there is no row P.
    potential, film : optional
        For the capacity per area; without them it and the efficiency stay NaN.
    film_um2 : float
        Area of the film in view.
    """
    rows: list[dict[str, Any]] = []
    if pore_tracks is not None:
        rows.append(_pristine(pore_tracks, film_um2))
    for cycle in cycles_of(stages):
        plating = stages_of(stages, StageKind.DEPOSITION, cycle=cycle)
        leaving = stages_of(stages, *LEAVING, cycle=cycle)
        charge = _capacity(stages_of(stages, *COMING, cycle=cycle), potential, film)
        if plating:
            rows.append(
                {
                    "cycle": cycle,
                    "state": f"De{cycle}*",
                    "time_s": max(s.end_s for s in plating),
                    "capacity_mah_cm2": charge,
                    "site_count": int((sites["cycle"] == cycle).sum()),
                }
            )
        if leaving:
            discharge = _capacity(leaving, potential, film)
            rows.append(
                {
                    "cycle": cycle,
                    "state": f"Di{cycle}*",
                    "time_s": max(s.end_s for s in leaving),
                    "capacity_mah_cm2": discharge,
                    "coulombic_efficiency": discharge / charge if charge > 0 else math.nan,
                    **_pores_of(pore_tracks, cycle),
                }
            )
    return conform("cycles", pd.DataFrame(rows)) if rows else empty("cycles")


def _capacity(
    stages: Sequence[Stage], potential: PotentialCurve | None, film: Film | None
) -> float:
    if potential is None or film is None or not stages:
        return math.nan
    start, end = min(s.start_s for s in stages), max(s.end_s for s in stages)
    return capacity_mah_cm2(potential, film, start, end)


def _pristine(tracks: PoreTracks, film_um2: float) -> dict[str, Any]:
    pristine = tracks.pristine
    return {
        "state": "P",
        "time_s": pristine.time_s,
        "pore_count": pd.NA if math.isnan(pristine.area_um2) else pristine.count,
        "area_fraction": pristine.area_um2 / film_um2,
        "total_area_um2": pristine.area_um2,
    }


def _pores_of(tracks: PoreTracks | None, cycle: int) -> dict[str, Any]:
    """What is there at a cycle's end, and what happened in it."""
    if tracks is None:
        return {}
    own = tracks.summary[tracks.summary["cycle"] == cycle]
    if not len(own):
        return {}
    last = own.iloc[-1]
    unknown = pd.isna(last["total_area_um2"])
    inside = tracks.events["time_s"].between(own["time_s"].min(), own["time_s"].max())
    events = count_events(tracks.events[inside])
    return {
        "pore_count": pd.NA if unknown else last["count"],
        "area_fraction": last["area_fraction"],
        "total_area_um2": last["total_area_um2"],
        "pore_births": events["birth"],
        "pore_merges": events["merge"],
        "pore_splits": events["split"],
        "pore_closures": events["closure"],
        **_growth(tracks, cycle, math.nan if unknown else float(last["total_area_um2"])),
    }


def _growth(tracks: PoreTracks, cycle: int, total_um2: float) -> dict[str, float]:
    """Area of the pores that are new in a cycle, and growth of those that are not."""
    earlier = tracks.summary[tracks.summary["cycle"] < cycle]
    before = tracks.pristine.area_um2 if not len(earlier) else earlier["total_area_um2"].iloc[-1]
    if math.isnan(total_um2):
        return {"new_area_um2": math.nan, "growth_um2": math.nan}
    new = new_pores(tracks, cycle)["area_um2"].sum()
    return {"new_area_um2": float(new), "growth_um2": total_um2 - float(new) - float(before)}


def new_pores(tracks: PoreTracks, cycle: int) -> pd.DataFrame:
    """Pores at a cycle's end none of whose ancestors was there before the cycle."""
    ends = tracks.summary.loc[tracks.summary["cycle"] == cycle, "time_s"]
    own = tracks.pores[tracks.pores["cycle"] == cycle]
    last = own[own["time_s"] == ends.max()]
    earlier = set(tracks.pores.loc[tracks.pores["cycle"] < cycle, "pore"].tolist())
    earlier |= set(numbers_in(tracks.pristine.labels).tolist())
    new = [not (tracks.lineage.ancestors(int(p)) & earlier) for p in last["pore"]]
    return last[np.array(new, dtype=bool)]
