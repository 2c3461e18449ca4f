"""Column specifications of every table, in one place."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.errors import AlloyError

_F, _I, _S, _B = "float64", "Int64", "string", "boolean"

TABLES: dict[str, dict[str, str]] = {
    "curves": {
        "time_s": _F,
        "cycle": _I,
        "stage": _S,
        "region": _S,
        "mean_counts": _F,
        "transmittance": _F,
        "relative_reflectance": _F,
        "absorbance": _F,
        "normalized_absorbance": _F,
        "potential_v": _F,
        "current_ma": _F,
        "li_content_x": _F,
    },
    "stages": {
        "cycle": _I,
        "kind": _S,
        "step": _I,
        "scope": _S,
        "start_s": _F,
        "end_s": _F,
        "start_sd_s": _F,
        "end_sd_s": _F,
        "start_x": _F,
        "end_x": _F,
        "source": _S,
    },
    "stage_lags": {
        "cycle": _I,
        "kind": _S,
        "step": _I,
        "start_lag_s": _F,
        "end_lag_s": _F,
    },
    "corrections": {
        "time_s": _F,
        "shift_y_um": _F,
        "shift_x_um": _F,
        "shift_quality": _F,
        "gain": _F,
        "sharpness": _F,
        "saturated_fraction": _F,
        "shift_sd_um": _F,
        "trusted": _B,
    },
    "onset_summary": {
        "cycle": _I,
        "stage": _S,
        "n_px": _I,
        "reached_fraction": _F,
        "median_s": _F,
        "p05_s": _F,
        "p95_s": _F,
        "median_sd_s": _F,
        "median_rise_time_s": _F,
        "before": _I,
        "never": _I,
        "within_noise": _I,
        "outside": _I,
        "not_told_apart": _I,
        "front_speed_median_um_s": _F,
        "front_speed_p25_um_s": _F,
        "front_speed_p75_um_s": _F,
        "front_resolved_fraction": _F,
    },
    "alloyed_fraction": {
        "time_s": _F,
        "cycle": _I,
        "stage": _S,
        "alloyed_fraction": _F,
        "li_content_x": _F,
    },
    "colocalization": {
        "a": _S,
        "b": _S,
        "pearson_r": _F,
        "null_low": _F,
        "null_high": _F,
        "p_value": _F,
        "n_px": _I,
        "n_effective": _F,
        "attainable_r": _F,
        "reason": _S,
        "r_with_trend": _F,
        "trend_degree": _I,
        "p_blocks": _F,
        "p_effective": _F,
        "length_px": _F,
        "p_placement": _F,
        "spearman_r": _F,
        "manders_m1": _F,
        "manders_m2": _F,
        "threshold_a": _F,
        "threshold_b": _F,
        "overlap": _F,
        "icq": _F,
        "region": _S,
    },
    "boundary_shifts": {
        "cycle": _I,
        "a": _S,
        "b": _S,
        "shift_s": _F,
        "pearson_r": _F,
        "null_low": _F,
        "null_high": _F,
        "p_value": _F,
        "n_px": _I,
        "reason": _S,
    },
    "sites": {
        "site": _I,
        "cycle": _I,
        "y_um": _F,
        "x_um": _F,
        "onset_s": _F,
        "radius_um": _F,
        "area_um2": _F,
        "snr": _F,
        "reason": _S,
        "contrast": _F,
        "onset_sd_s": _F,
        "growth_exponent": _F,
        "growth_exponent_sd": _F,
        "gone_s": _F,
        "leaves": _S,
        "source": _S,
        "locked": _B,
    },
    "site_thresholds": {
        "cycle": _I,
        "threshold": _F,
        "count": _I,
        "expected_false": _F,
        "reason": _S,
    },
    "site_growth": {
        "time_s": _F,
        "cycle": _I,
        "site": _I,
        "radius_um": _F,
        "area_um2": _F,
        "mean_transmittance": _F,
    },
    "site_field": {
        "cycle": _I,
        "n_sites": _I,
        "area_um2": _F,
        "density_um2": _F,
        "density_low_um2": _F,
        "density_high_um2": _F,
        "dispersion": _F,
        "dispersion_p": _F,
        "nn_mean_um": _F,
        "nn_expected_um": _F,
        "clark_evans": _F,
        "clark_evans_p": _F,
        "ripley_p": _F,
        "pair_correlation_p": _F,
        "reason": _S,
    },
    "site_spacing": {
        "cycle": _I,
        "r_um": _F,
        "l_um": _F,
        "l_low_um": _F,
        "l_high_um": _F,
        "pair_correlation": _F,
        "g_low": _F,
        "g_high": _F,
    },
    "site_ranks": {
        "cycle": _I,
        "step": _I,
        "n_sites": _I,
        "share_outer": _F,
        "share_expected": _F,
        "p_outer": _F,
        "p_value": _F,
        "detectable_fraction": _F,
        "reason": _S,
    },
    "site_rank_curve": {
        "cycle": _I,
        "step": _I,
        "rank": _F,
        "observed": _F,
        "expected": _F,
        "low": _F,
        "high": _F,
    },
    "site_charge": {
        "cycle": _I,
        "time_s": _F,
        "charge_mah_cm2": _F,
        "current_ma_cm2": _F,
        "site_count": _I,
        "density_um2": _F,
    },
    "pores": {
        "time_s": _F,
        "cycle": _I,
        "pore": _I,
        "y_um": _F,
        "x_um": _F,
        "area_um2": _F,
        "area_relative_to_final": _F,
        "resolved": _B,
        "touches_edge": _B,
        "saturated": _B,
        "pristine": _B,
        "outline_area_um2": _F,
        "final_pore": _I,
    },
    "pore_summary": {
        "time_s": _F,
        "cycle": _I,
        "count": _I,
        "total_area_um2": _F,
        "area_fraction": _F,
    },
    "pore_events": {
        "time_s": _F,
        "event": _S,
        "pore": _I,
        "parents": _S,
    },
    "pore_edits": {
        "edit": _I,
        "kind": _S,
        "cycle": _I,
        "y_um": _F,
        "x_um": _F,
    },
    "pore_lives": {
        "pore": _I,
        "cycle": _I,
        "y_um": _F,
        "x_um": _F,
        "emergence_s": _F,
        "end_s": _F,
        "ended_by": _S,
        "area_um2": _F,
        "expansion_rate_um2_s": _F,
        "expansion_rate_sd_um2_s": _F,
        "pristine": _B,
        "resolved": _B,
        "touches_edge": _B,
        "site": _I,
        "parents": _S,
        "reason": _S,
    },
    "pore_overlaps": {
        "cycle": _I,
        "pores": _S,
        "over": _S,
        "n_pores": _I,
        "n_overlapping": _I,
        "fraction": _F,
        "null_mean": _F,
        "null_low": _F,
        "null_high": _F,
        "p_value": _F,
        "reason": _S,
    },
    "size_distribution": {
        "cycle": _I,
        "kind": _S,
        "low_um2": _F,
        "high_um2": _F,
        "count": _I,
        "fraction": _F,
    },
    "cycles": {
        "cycle": _I,
        "state": _S,
        "time_s": _F,
        "capacity_mah_cm2": _F,
        "coulombic_efficiency": _F,
        "pore_count": _I,
        "area_fraction": _F,
        "site_count": _I,
        "total_area_um2": _F,
        "pore_births": _I,
        "pore_merges": _I,
        "pore_splits": _I,
        "pore_closures": _I,
        "new_area_um2": _F,
        "growth_um2": _F,
    },
}
"""Columns of each table of an analysis and their pandas types; text is a nullable string."""

STUDIES: dict[str, dict[str, str]] = {
    "site_study": {
        "name": _S,
        "cycle": _I,
        "charge_mah_cm2": _F,
        "time_s": _F,
        "current_ma_cm2": _F,
        "site_count": _I,
        "area_um2": _F,
        "density_um2": _F,
        "density_low_um2": _F,
        "density_high_um2": _F,
        "fitted_um2": _F,
        "reason": _S,
    },
    "study_recordings": {
        "status": _S,
        "reason": _S,
        "measured_ma_cm2": _F,
        "current_density_source": _S,
        "path": _S,
        "recording_name": _S,
        "results": _S,
    },
    "pair_study": {
        "cycle": _I,
        "pair": _S,
        "a": _S,
        "b": _S,
        "pearson_r": _F,
        "r_low": _F,
        "r_high": _F,
        "null_low": _F,
        "null_high": _F,
        "p_value": _F,
        "n_effective": _F,
        "attainable_r": _F,
        "reason": _S,
    },
    "replicate_means": {
        "table": _S,
        "column": _S,
        "of": _S,
        "n_cells": _I,
        "n_recordings": _I,
        "mean": _F,
        "sd": _F,
        "standard_error": _F,
        "low": _F,
        "high": _F,
        "scale": _S,
        "reason": _S,
    },
}
"""The same of tables over several analyses, behind recording, cell and conditions."""


def _columns(table: str) -> dict[str, str]:
    return TABLES[table] if table in TABLES else STUDIES[table]


def empty(table: str) -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame({c: pd.Series(dtype=t) for c, t in _columns(table).items()})


def conform(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with exactly the columns and types of a table; columns that are absent stay empty.

    Raises
    ------
    AlloyError
        If `rows` holds a column the table does not have.
    """
    columns = _columns(table)
    unknown = [c for c in rows.columns if c not in columns]
    if unknown:
        raise AlloyError(f"The table {table} has no column {unknown[0]}.")
    index = rows.index
    series = {}
    for column, kind in columns.items():
        missing = np.nan if kind == _F else pd.NA
        values = rows[column] if column in rows else pd.Series(missing, index=index)
        if kind == _F:
            values = pd.to_numeric(values, errors="raise")
        series[column] = values.astype(kind)
    return pd.DataFrame(series, index=index).reset_index(drop=True)
