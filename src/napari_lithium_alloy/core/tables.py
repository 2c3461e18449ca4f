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
    "cycles": {
        "cycle": _I,
        "state": _S,
        "time_s": _F,
        "capacity_mah_cm2": _F,
        "coulombic_efficiency": _F,
        "pore_count": _I,
        "area_fraction": _F,
        "site_count": _I,
    },
}
"""Columns of each table and their pandas types; text is a nullable string, never an empty NaN."""


def empty(table: str) -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame({c: pd.Series(dtype=t) for c, t in TABLES[table].items()})


def conform(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with exactly the columns and types of a table; columns that are absent stay empty.

    Raises
    ------
    AlloyError
        If `rows` holds a column the table does not have.
    """
    columns = TABLES[table]
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
