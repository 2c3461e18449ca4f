"""Searching for and measuring nucleation sites of an opened recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import spatial

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.site_edits import with_source
from napari_lithium_alloy.core.nucleation import NucleationParameters, keep_edits
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.site_detection import SiteCandidates, find_candidates
from napari_lithium_alloy.core.site_growth import SiteTimes, measure_sites
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.tables import empty

Measured = tuple[pd.DataFrame, pd.DataFrame]
SAME_PLACE_UM = 1e-4


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteSearch:
    """Candidates, and what they were found in and with."""

    recording: Recording
    stage: Stage
    parameters: NucleationParameters
    found: SiteCandidates

    def serves(self, recording: Recording, stage: Stage, parameters: NucleationParameters) -> bool:
        """Whether it holds the candidates at any threshold of these parameters."""
        same = _searched(self.parameters) == _searched(parameters)
        reached = parameters.min_snr >= self.found.lowest_snr
        return self.recording is recording and self.stage == stage and same and reached


def _searched(parameters: NucleationParameters) -> NucleationParameters:
    """The parameters without those that only choose among candidates."""
    return dataclasses.replace(parameters, min_snr=0.0, min_contrast=0.0)


def candidates_of(
    opened: Opened, stage: Stage, parameters: NucleationParameters
) -> SiteCandidates | None:
    """Those of the last search, if it was made with the same parameters."""
    search = opened.candidates.get(stage.cycle)
    if search is None or not search.serves(opened.recording, stage, parameters):
        return None
    return search.found


def searched(opened: Opened, stage: Stage, parameters: NucleationParameters) -> Work[SiteSearch]:
    """Find the candidates of a deposition, or take those found before."""
    yield 0, 100
    found = candidates_of(opened, stage, parameters)
    if found is None:
        reference = opened.reference()
        work = find_candidates(
            opened.recording,
            stage.start_s,
            stage.end_s,
            parameters,
            valid=opened.film(reference),
            cycle=stage.cycle,
            dark=reference.dark,
        )
        found = yield from part(work, 0, 100, 100)
    return SiteSearch(recording=opened.recording, stage=stage, parameters=parameters, found=found)


def chosen_sites(
    opened: Opened, cycle: int, found: SiteCandidates, parameters: NucleationParameters
) -> pd.DataFrame:
    """Candidates above the threshold and what was done by hand; what was measured stays so."""
    deleted = np.array(opened.deleted_um.get(cycle, []), dtype=float).reshape(-1, 2)
    known = opened.sites_of(cycle)
    sites = with_source(keep_edits(found.accepted(parameters), known, deleted))
    return _with_measured(sites, known)


def kept_by_hand(opened: Opened) -> Callable[[int, pd.DataFrame], pd.DataFrame]:
    """What makes new sites of a cycle those with all that was done by hand until now."""
    known = {c: opened.sites_of(c) for c in _cycles_of(opened)}
    deleted = {c: np.array(places, dtype=float) for c, places in opened.deleted_um.items()}

    def keep(cycle: int, found: pd.DataFrame) -> pd.DataFrame:
        edited = known.get(cycle, with_source(empty("sites")))
        return with_source(keep_edits(found, edited, deleted.get(cycle, np.empty((0, 2)))))

    return keep


def take_sites(opened: Opened, sites: pd.DataFrame, growth: pd.DataFrame) -> Measured:
    """The sites of a whole analysis, with what was done by hand while it ran; their growth."""
    cycles = sorted({*_cycles_of(opened), *(int(c) for c in sites["cycle"].dropna().unique())})
    parts: list[Measured] = []
    for cycle in cycles:
        own = with_source(sites[sites["cycle"] == cycle].reset_index(drop=True))
        of_own = growth[growth["cycle"] == cycle]
        deleted = np.array(opened.deleted_um.get(cycle, []), dtype=float).reshape(-1, 2)
        again = keep_edits(own, opened.sites_of(cycle), deleted)
        places = [t[["y_um", "x_um"]].to_numpy(float) for t in (own, again)]
        changed = len(own) != len(again) or not np.allclose(*places)
        parts.append(taken_over(opened, cycle, (own, of_own)) if changed else (own, of_own))
        opened.put_sites(cycle, parts[-1][0])
    joined = [pd.concat([p[k] for p in parts if len(p[k])]) if any(len(p[k]) for p in parts)
              else (sites, growth)[k] for k in (0, 1)]  # fmt: skip
    return joined[0].reset_index(drop=True), joined[1].reset_index(drop=True)


def _cycles_of(opened: Opened) -> list[int]:
    """Cycles in which anything is known of sites."""
    known = set() if opened.sites is None else set(opened.sites["cycle"].dropna().unique())
    return sorted({int(c) for c in known} | set(opened.deleted_um))


def _with_measured(sites: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Sites with what is known of those in the same places; their numbers stay."""
    if not len(sites) or not len(known):
        return sites
    places = known[["y_um", "x_um"]].to_numpy(float)
    away, at = spatial.KDTree(places).query(sites[["y_um", "x_um"]].to_numpy(float))
    same = (away < SAME_PLACE_UM) & known["area_um2"].notna().to_numpy()[at]
    sites = sites.copy()
    for column in sites.columns.difference(["site", "locked"]):
        values = known[column].array.take(at)
        sites[column] = sites[column].where(~same, pd.Series(values, index=sites.index))
    return sites


def taken_over(opened: Opened, cycle: int, result: Measured) -> Measured:
    """What was measured, less what was deleted by hand meanwhile and with what was added."""
    measured, growth = result
    deleted = np.array(opened.deleted_um.get(cycle, []), dtype=float).reshape(-1, 2)
    sites = with_source(keep_edits(measured, opened.sites_of(cycle), deleted))
    sites = _with_measured(sites, measured.reset_index(drop=True))
    new = {
        (y, x): n for n, y, x in sites[["site", "y_um", "x_um"]].itertuples(index=False, name=None)
    }
    places = measured[["site", "y_um", "x_um"]].itertuples(index=False, name=None)
    number = {n: new[y, x] for n, y, x in places if (y, x) in new}
    growth = growth[growth["site"].isin(list(number))].copy()
    growth["site"] = growth["site"].map(number).astype("Int64")
    return sites, growth.reset_index(drop=True)


def detected(
    opened: Opened, stage: Stage, parameters: NucleationParameters
) -> Work[tuple[SiteSearch, Measured]]:
    """Find sites, keep what was done by hand, and measure them all."""
    search = yield from part(searched(opened, stage, parameters), 0, 100, 200)
    sites = chosen_sites(opened, stage.cycle, search.found, parameters)
    measured = yield from part(measured_again(opened, stage, parameters, sites), 100, 200, 200)
    return search, measured


def measured_again(
    opened: Opened, stage: Stage, parameters: NucleationParameters, sites: pd.DataFrame
) -> Work[Measured]:
    """Measure sites as they are."""
    measured, growth = yield from measure_sites(
        opened.recording,
        sites,
        stage.start_s,
        stage.end_s,
        opened.reference(),
        parameters,
        times=SiteTimes.of(stage, opened.experiment.stages),
    )
    return with_source(measured), growth
