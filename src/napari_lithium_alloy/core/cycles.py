"""What each cycle left: capacity, efficiency, sites and pores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from napari_lithium_alloy.core.galvanostatic import Film, PotentialCurve, capacity_mah_cm2
from napari_lithium_alloy.core.stages import Stage, StageKind, cycles_of, stages_of
from napari_lithium_alloy.core.tables import conform, empty

COMING = (StageKind.SEI, StageKind.ALLOYING, StageKind.DEPOSITION)
LEAVING = (StageKind.DISSOLUTION, StageKind.DEALLOYING)


@dataclass(frozen=True, kw_only=True)
class PristinePores:
    """Pores of the film before current flows: pinholes."""

    time_s: float
    count: int
    area_fraction: float


def cycles_table(
    stages: Sequence[Stage],
    sites: pd.DataFrame,
    pore_summary: pd.DataFrame,
    *,
    potential: PotentialCurve | None = None,
    film: Film | None = None,
    pristine: PristinePores | None = None,
) -> pd.DataFrame:
    """The table `cycles`: the states P, De1*, Di1*, ... (Mao et al. 2024, Fig. 4A and B).

    Parameters
    ----------
    stages : sequence of Stage
    sites, pore_summary : pandas.DataFrame
        The tables of these names.
    potential, film : optional
        For the capacity per area; without them it and the efficiency stay NaN.
    pristine : PristinePores, optional
        Without it there is no row P.
    """
    rows: list[dict[str, Any]] = []
    if pristine is not None:
        rows.append(
            {
                "state": "P",
                "time_s": pristine.time_s,
                "pore_count": pd.NA if math.isnan(pristine.area_fraction) else pristine.count,
                "area_fraction": pristine.area_fraction,
            }
        )
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
                    **_last_pores(pore_summary, cycle),
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


def _last_pores(summary: pd.DataFrame, cycle: int) -> dict[str, Any]:
    own = summary[summary["cycle"] == cycle]
    if not len(own):
        return {}
    last = own.iloc[-1]
    unknown = pd.isna(last["total_area_um2"])
    return {
        "pore_count": pd.NA if unknown else last["count"],
        "area_fraction": last["area_fraction"],
    }
