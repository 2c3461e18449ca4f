"""Statistics of nucleation sites in a field, and of where they sit; as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset_result import OnsetMap
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.row_blocks import both
from napari_lithium_alloy.core.site_counts import dispersion, poisson_interval
from napari_lithium_alloy.core.site_ranks import RANKS, SiteRanks, site_ranks
from napari_lithium_alloy.core.site_spacing import SiteSpacing, site_spacing
from napari_lithium_alloy.core.spaced_placements import SharedPlacements
from napari_lithium_alloy.core.tables import conform, empty

FIELD, SPACING, STEPS, CURVE = "site_field", "site_spacing", "site_ranks", "site_rank_curve"


@dataclass(frozen=True, kw_only=True)
class SiteStatisticsParameters:
    """How sites' places are tested.

    Attributes
    ----------
    outer : float
        Ranks of alloying below it and above 1 less it are the first and the last alloyed area.
    inject : bool
        Whether artificial sites tell where one would have been found; else it is anywhere on film.
    draws, simulations : int
        Random placements for the ranks, and random patterns for the sites' spacing.
    seed : int
        Of the random numbers.
    """

    outer: float = 0.2
    inject: bool = True
    draws: int = 499
    simulations: int = 199
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.outer < 0.5:
            raise AlloyError(
                f"The outer ranks are {self.outer:g}; give a share between 0 and 0.5, such as 0.2."
            )
        if min(self.draws, self.simulations) < 19:
            raise AlloyError("Fewer than 19 draws cannot tell 5 %; give more, such as 499.")


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteStatistics:
    """What is known of the places of a cycle's sites.

    Attributes
    ----------
    cycle, n_sites : int
    area_um2 : float
        Of the film in the field.
    density_low_um2, density_high_um2 : float
        95 % interval of the density (exact, of a Poisson count).
    dispersion, dispersion_p : float
        Index of dispersion of counts in quadrats, two-sided p; NaN where the field holds few.
    spacing : SiteSpacing or None
        None of fewer than three sites.
    steps : dict
        Ranks of each alloying step's onset at the sites, by its number.
    detectable : numpy.ndarray
        (Y, X) chance that a site would be found, 0 where there is no film.
    """

    cycle: int
    n_sites: int
    area_um2: float
    density_low_um2: float
    density_high_um2: float
    dispersion: float
    dispersion_p: float
    spacing: SiteSpacing | None
    steps: dict[int, SiteRanks]
    detectable: Float32Array


def site_statistics(
    cycle: int,
    sites_px: FloatArray,
    film: BoolArray,
    pixel_size_um: float,
    maps: Mapping[int, OnsetMap],
    parameters: SiteStatisticsParameters | None = None,
    *,
    detectable: Float32Array | None = None,
) -> Work[SiteStatistics]:
    """All that is told of the places of a cycle's sites.

    Parameters
    ----------
    cycle : int
    sites_px : numpy.ndarray
        (N, 2) rows and columns.
    film : numpy.ndarray
        (Y, X) True where there is film.
    pixel_size_um : float
    maps : mapping of int to OnsetMap
        Onset maps of the cycle's alloying steps, by their number.
    parameters : SiteStatisticsParameters, optional
    detectable : numpy.ndarray, optional
        (Y, X) chance that a site would be found; None: 1 on film.
    """
    p = parameters or SiteStatisticsParameters()
    seen = film.astype(np.float32) if detectable is None else detectable
    placements = SharedPlacements(p.draws, p.seed)

    def apart() -> tuple[SiteSpacing | None, tuple[float, float]]:
        spacing = site_spacing(sites_px, film, pixel_size_um, n=p.simulations, seed=p.seed)
        return spacing, dispersion(sites_px, film, n=p.draws, seed=p.seed)

    def ranks() -> dict[int, SiteRanks]:
        return {
            step: site_ranks(onset, sites_px, seen, outer=p.outer, placements=placements)
            for step, onset in maps.items()
        }

    yield 0, 1
    # Placements of sites follow from each other, which leaves a processor to the rest.
    steps, (spacing, (index, index_p)) = both(ranks, apart)
    yield 1, 1
    area = float(film.sum()) * pixel_size_um**2
    low, high = poisson_interval(len(sites_px))
    return SiteStatistics(
        cycle=cycle,
        n_sites=len(sites_px),
        area_um2=area,
        density_low_um2=low / area if area else math.nan,
        density_high_um2=high / area if area else math.nan,
        dispersion=index,
        dispersion_p=index_p,
        spacing=spacing,
        steps=steps,
        detectable=seen,
    )


def site_tables(found: list[SiteStatistics]) -> dict[str, pd.DataFrame]:
    """The tables `site_field`, `site_spacing`, `site_ranks` and `site_rank_curve`."""
    rows: dict[str, list[dict[str, Any]]] = {FIELD: [], SPACING: [], STEPS: [], CURVE: []}
    for one in found:
        rows[FIELD].append(_field_row(one))
        rows[SPACING] += _spacing_rows(one)
        for step, ranks in one.steps.items():
            rows[STEPS].append(_step_row(one, step, ranks))
            rows[CURVE] += _curve_rows(one.cycle, step, ranks)
    return {
        name: conform(name, pd.DataFrame(own)) if own else empty(name) for name, own in rows.items()
    }


def _field_row(one: SiteStatistics) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cycle": one.cycle,
        "n_sites": one.n_sites,
        "area_um2": one.area_um2,
        "density_um2": one.n_sites / one.area_um2 if one.area_um2 else math.nan,
        "density_low_um2": one.density_low_um2,
        "density_high_um2": one.density_high_um2,
        "dispersion": one.dispersion,
        "dispersion_p": one.dispersion_p,
        "reason": "",
    }
    if one.spacing is None:
        return row | {"reason": "fewer than 3 sites"}
    if math.isnan(one.dispersion):
        row["reason"] = "too few sites for counts in quadrats"
    return row | {
        "nn_mean_um": float(one.spacing.nearest_um.mean()),
        "nn_expected_um": one.spacing.nn_expected_um,
        "clark_evans": one.spacing.clark_evans,
        "clark_evans_p": one.spacing.clark_evans_p,
        "ripley_p": one.spacing.ripley.p_value,
        "pair_correlation_p": one.spacing.pair_correlation.p_value,
    }


def _spacing_rows(one: SiteStatistics) -> list[dict[str, Any]]:
    if one.spacing is None:
        return []
    r, l_r, g = one.spacing.r_um, one.spacing.ripley, one.spacing.pair_correlation
    columns = {
        "cycle": np.full(len(r), one.cycle),
        "r_um": r,
        "l_um": r + l_r.observed,
        "l_low_um": r + l_r.low,
        "l_high_um": r + l_r.high,
        "pair_correlation": g.observed,
        "g_low": g.low,
        "g_high": g.high,
    }
    rows: list[dict[str, Any]] = pd.DataFrame(columns).to_dict("records")
    return rows


def _step_row(one: SiteStatistics, step: int, ranks: SiteRanks) -> dict[str, Any]:
    film = one.detectable[one.detectable > 0]
    return {
        "cycle": one.cycle,
        "step": step,
        "n_sites": int(np.isfinite(ranks.ranks).sum()),
        "share_outer": ranks.share_outer,
        "share_expected": ranks.share_expected,
        "p_outer": ranks.p_outer,
        "p_value": ranks.p_value,
        "detectable_fraction": float(film.mean()) if film.size else math.nan,
        "reason": ranks.reason,
    }


def _curve_rows(cycle: int, step: int, ranks: SiteRanks) -> list[dict[str, Any]]:
    if ranks.curve is None:
        return []
    columns = {
        "cycle": np.full(len(RANKS), cycle),
        "step": np.full(len(RANKS), step),
        "rank": RANKS,
        "observed": ranks.curve.observed,
        "expected": ranks.curve.expected,
        "low": ranks.curve.low,
        "high": ranks.curve.high,
    }
    rows: list[dict[str, Any]] = pd.DataFrame(columns).to_dict("records")
    return rows
