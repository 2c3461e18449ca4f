"""Number of nuclei against current density, over several recordings, at equal charge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.site_counts import poisson_interval
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.core.tables import conform, empty

ROUNDS = 50
CLOSE = 1e-10


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyCell:
    """Sites of one cycle of an analysed recording, for a comparison.

    Attributes
    ----------
    name : str
    cycle : int
    onsets_s : numpy.ndarray
        (N,) when each site appeared; NaN where that is not known.
    times_s, charge_mah_cm2, current_ma_cm2 : numpy.ndarray
        (T,) of the deposition: charge per area since its start, and current per area.
    area_um2 : float
        Of the film in the field.
    """

    name: str
    cycle: int
    onsets_s: FloatArray
    times_s: FloatArray
    charge_mah_cm2: FloatArray
    current_ma_cm2: FloatArray
    area_um2: float


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """Density of sites = factor x (current density) ** exponent.

    Attributes
    ----------
    factor_um2 : float
        Density at 1 mA cm-2, um-2.
    exponent, exponent_sd : float
        NaN, and `reason` says why, where currents don't differ or no site was found.
    reason : str
    """

    factor_um2: float = math.nan
    exponent: float = math.nan
    exponent_sd: float = math.nan
    reason: str = ""


def site_charge(
    sites: pd.DataFrame, experiment: Experiment, recording: Recording, field: pd.DataFrame
) -> pd.DataFrame:
    """The table `site_charge`: charge since a deposition began, and sites that had appeared.

    A row a frame of each deposition; without potential, current or film it has none.

    Parameters
    ----------
    sites, field : pandas.DataFrame
        The tables `sites` and `site_field`.
    experiment : Experiment
    recording : Recording
    """
    potential, film = experiment.potential, experiment.film
    charge = None if potential is None else potential.charge_mah()
    if potential is None or film is None or charge is None:
        return empty("site_charge")
    areas = dict(zip(field["cycle"], field["area_um2"], strict=True))
    rows = []
    for stage in stages_of(experiment.stages, StageKind.DEPOSITION):
        frames = recording.frames_between(stage.start_s, stage.end_s)
        times = np.unique([stage.start_s, *recording.times_s[frames], stage.end_s])
        known = np.interp(times, potential.recording_times_s, charge, left=math.nan, right=math.nan)
        onsets = np.sort(sites.loc[sites["cycle"] == stage.cycle, "onset_s"].dropna().to_numpy())
        count = np.searchsorted(onsets, times, side="right")
        rows.append(
            pd.DataFrame(
                {
                    "cycle": stage.cycle,
                    "time_s": times,
                    "charge_mah_cm2": np.abs(known - known[0]) / film.area_cm2,
                    "current_ma_cm2": np.abs(potential.current_at(times)) / film.area_cm2,
                    "site_count": count,
                    "density_um2": count / areas.get(stage.cycle, math.nan),
                }
            )
        )
    return conform("site_charge", pd.concat(rows)) if rows else empty("site_charge")


def study_cell(name: str, tables: dict[str, pd.DataFrame], cycle: int = 1) -> StudyCell:
    """A cycle of an analysis from its tables `sites`, `site_charge` and `site_field`.

    Raises
    ------
    AlloyError
        If the charge or the film's area is not known.
    """
    sites, charge, field = (
        t[t["cycle"] == cycle] for t in (tables[n] for n in ("sites", "site_charge", "site_field"))
    )
    charge = charge[charge["charge_mah_cm2"].notna()]
    if len(charge) < 2 or not len(field):
        raise AlloyError(
            f"{name}: the charge of the deposition in cycle {cycle} is not known; give pixel size, "
            "potential with current, film and stages in recording.toml and analyse it again."
        )
    return StudyCell(
        name=name,
        cycle=cycle,
        onsets_s=sites["onset_s"].to_numpy(float, na_value=np.nan),
        times_s=charge["time_s"].to_numpy(float),
        charge_mah_cm2=charge["charge_mah_cm2"].to_numpy(float),
        current_ma_cm2=charge["current_ma_cm2"].to_numpy(float),
        area_um2=float(field["area_um2"].iloc[0]),
    )


def compare_sites(
    cells: Sequence[StudyCell], charge_mah_cm2: float | None = None
) -> tuple[pd.DataFrame, PowerLaw]:
    """The table `site_study`, and how the density of sites goes with the current density.

    Sites count that had appeared when the same charge per area had passed in every recording
    since its deposition began.

    Parameters
    ----------
    cells : sequence of StudyCell
    charge_mah_cm2 : float, optional
        That charge; None: the least total of all.

    Raises
    ------
    AlloyError
        If there is no recording, or the charge is not passed in all.
    """
    if not cells:
        raise AlloyError("There is nothing to compare; name analysed recordings.")
    least = min(cells, key=lambda c: float(c.charge_mah_cm2[-1]))
    most = float(least.charge_mah_cm2[-1])
    charge = most if charge_mah_cm2 is None else charge_mah_cm2
    if not 0 < charge <= most * (1 + 1e-9):
        raise AlloyError(
            f"A charge of {charge:g} mAh cm-2 is not passed in every recording ({least.name}: "
            f"{most:.4g}); give one between 0 and that."
        )
    table = pd.DataFrame([_counted(cell, charge) for cell in cells])
    law = power_law(
        table["current_ma_cm2"].to_numpy(), table["site_count"].to_numpy(float),
        table["area_um2"].to_numpy(),
    )  # fmt: skip
    table["fitted_um2"] = law.factor_um2 * table["current_ma_cm2"] ** law.exponent
    return conform("site_study", table), law


def _counted(cell: StudyCell, charge: float) -> dict[str, Any]:
    at_s = float(np.interp(charge, cell.charge_mah_cm2, cell.times_s))
    within = cell.times_s <= at_s
    whole = charge >= cell.charge_mah_cm2[-1] * (1 - 1e-9)
    untimed = int(np.isnan(cell.onsets_s).sum())
    count = int((cell.onsets_s <= at_s).sum())
    if whole:  # whatever was found had appeared by the end
        count = len(cell.onsets_s)
    low, high = poisson_interval(count)
    left_out = f"{untimed} sites without an onset are left out"
    return {
        "name": cell.name,
        "cycle": cell.cycle,
        "charge_mah_cm2": charge,
        "time_s": at_s,
        "current_ma_cm2": float(np.mean(cell.current_ma_cm2[within])),
        "site_count": count,
        "area_um2": cell.area_um2,
        "density_um2": count / cell.area_um2,
        "density_low_um2": low / cell.area_um2,
        "density_high_um2": high / cell.area_um2,
        "reason": left_out if untimed and not whole else "",
    }


def power_law(currents: FloatArray, counts: FloatArray, areas: FloatArray) -> PowerLaw:
    """Poisson regression of counts: log(count / area) = log(factor) + exponent log(current).

    The exponent's standard deviation is that of the counts, widened where recordings scatter more
    than counts would (Pearson's chi-square over the degrees of freedom).

    Parameters
    ----------
    currents, counts, areas : numpy.ndarray
        (N,) of each recording; mA cm-2, sites and um2.
    """
    known = (currents > 0) & (areas > 0) & np.isfinite(currents)
    x, n, area = np.log(currents[known]), counts[known], areas[known]
    if len(x) < 2 or np.ptp(x) < 1e-3:
        return PowerLaw(reason="a power law needs recordings of different current densities")
    if n.sum() == 0:
        return PowerLaw(reason="no sites")
    with_sites = x[n > 0]
    if np.ptp(with_sites) == 0 and with_sites[0] in (x.min(), x.max()):
        return PowerLaw(reason="only the highest or lowest current has sites; no power law fits")
    design = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    beta = np.array([math.log(n.sum() / area.sum()), 0.0])
    for _ in range(ROUNDS):
        mean = area * np.exp(np.clip(design @ beta, -60, 60))
        information = design.T @ (mean[:, np.newaxis] * design)
        step = np.linalg.solve(information, design.T @ (n - mean))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < CLOSE:
            break
    excess = float(((n - mean) ** 2 / mean).sum()) / (len(x) - 2) if len(x) > 2 else 1.0
    sd = math.sqrt(np.linalg.inv(information)[1, 1] * max(excess, 1.0))
    return PowerLaw(
        factor_um2=math.exp(float(beta[0] - beta[1] * x.mean())),
        exponent=float(beta[1]),
        exponent_sd=sd,
    )
