"""One place says which columns each table has."""

import numpy as np
import pandas as pd
import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.tables import STUDIES, TABLES, conform, empty

DESIGN = {
    "curves": "time_s, cycle, stage, region, mean_counts, transmittance, relative_reflectance, "
    "absorbance, normalized_absorbance, potential_v, current_ma, li_content_x",
    "stages": "cycle, kind, step, scope, start_s, end_s, start_sd_s, end_sd_s, start_x, end_x, "
    "source",
    "corrections": "time_s, shift_y_um, shift_x_um, shift_quality, gain, sharpness, "
    "saturated_fraction",
    "colocalization": "a, b, pearson_r, null_low, null_high, p_value, n_px, n_effective, "
    "attainable_r, reason",
    "sites": "site, cycle, y_um, x_um, onset_s, radius_um, area_um2, snr, reason",
    "site_growth": "time_s, cycle, site, radius_um, area_um2, mean_transmittance",
    "pores": "time_s, cycle, pore, y_um, x_um, area_um2, area_relative_to_final, resolved, "
    "touches_edge, saturated",
    "pore_summary": "time_s, cycle, count, total_area_um2, area_fraction",
    "pore_events": "time_s, event, pore, parents",
    "site_field": "cycle, n_sites, area_um2, density_um2, density_low_um2, density_high_um2, "
    "dispersion, dispersion_p, nn_mean_um, nn_expected_um, clark_evans, clark_evans_p, ripley_p, "
    "pair_correlation_p, reason",
    "site_spacing": "cycle, r_um, l_um, l_low_um, l_high_um, pair_correlation, g_low, g_high",
    "site_ranks": "cycle, step, n_sites, share_outer, share_expected, p_outer, p_value, "
    "detectable_fraction, reason",
    "site_rank_curve": "cycle, step, rank, observed, expected, low, high",
    "site_charge": "cycle, time_s, charge_mah_cm2, current_ma_cm2, site_count, density_um2",
    "cycles": "cycle, state, time_s, capacity_mah_cm2, coulombic_efficiency, pore_count, "
    "area_fraction, site_count",
}


FURTHER = {
    "pores": ["pristine", "outline_area_um2", "final_pore"],
    "cycles": [
        *("total_area_um2", "pore_births", "pore_merges", "pore_splits", "pore_closures"),
        *("new_area_um2", "growth_um2"),
    ],
    "sites": [
        *("contrast", "onset_sd_s", "growth_exponent", "growth_exponent_sd"),
        *("gone_s", "leaves", "source", "locked"),
    ],
    "corrections": ["shift_sd_um", "trusted"],
    "colocalization": [
        *(
            "r_with_trend",
            "trend_degree",
            "p_blocks",
            "p_effective",
            "length_px",
            "p_placement",
            "spearman_r",
        ),
        *("manders_m1", "manders_m2", "threshold_a", "threshold_b", "overlap", "icq", "region"),
    ],
}


@pytest.mark.parametrize("table", DESIGN)
def test_columns_are_those_of_the_design(table):
    assert list(TABLES[table]) == [*DESIGN[table].split(", "), *FURTHER.get(table, [])]


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_table_has_its_columns_and_types(table):
    frame = empty(table)
    assert len(frame) == 0
    assert {c: str(t) for c, t in frame.dtypes.items()} == TABLES[table]


def test_missing_columns_stay_empty_and_never_zero():
    table = conform("pores", pd.DataFrame({"pore": [3, 4], "time_s": [1, 2]}, index=[7, 9]))
    assert list(table.columns) == list(TABLES["pores"])
    assert table.index.tolist() == [0, 1]
    assert table["area_um2"].isna().all()
    assert table["resolved"].isna().all()
    assert table["pore"].tolist() == [3, 4]
    assert table["time_s"].dtype == np.float64


def test_whole_numbers_may_be_missing_and_stay_whole():
    table = conform("cycles", pd.DataFrame({"cycle": [None, 2], "state": ["P", "De2*"]}))
    assert table["cycle"].tolist() == [pd.NA, 2]
    assert str(table["cycle"].dtype) == "Int64"


def test_tables_over_several_analyses_are_kept_apart():
    assert not set(STUDIES) & set(TABLES)
    assert list(empty("site_study").columns) == list(STUDIES["site_study"])


def test_an_unknown_column_is_refused():
    with pytest.raises(AlloyError, match="The table pores has no column colour"):
        conform("pores", pd.DataFrame({"pore": [1], "colour": ["red"]}))
