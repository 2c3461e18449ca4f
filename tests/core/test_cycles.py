"""What each cycle left, by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from napari_lithium_alloy.core.cycles import PristinePores, cycles_table
from napari_lithium_alloy.core.galvanostatic import Film, PotentialCurve
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.tables import TABLES, conform, empty

FILM = Film(metal="Au", thickness_nm=14, area_cm2=0.5)


def stage(kind, cycle, start_s, end_s, **more):
    return Stage(kind=kind, cycle=cycle, start_s=start_s, end_s=end_s, **more)


STAGES = [
    stage("SEI", 1, 10, 20),
    stage("alloying", 1, 20, 60),
    stage("deposition", 1, 60, 110),
    stage("dissolution", 1, 120, 170),
    stage("dealloying", 1, 170, 200),
    stage("alloying", 2, 210, 250),
    stage("deposition", 2, 250, 300),
    stage("dissolution", 2, 310, 390),
]
TIMES = np.arange(401.0)
COMING = ((TIMES >= 10) & (TIMES <= 110)) | ((TIMES >= 210) & (TIMES <= 300))
LEAVING = ((TIMES >= 120) & (TIMES <= 200)) | ((TIMES >= 310) & (TIMES <= 390))
CURVE = PotentialCurve(
    times_s=TIMES,
    potential_v=np.zeros(401),
    current_ma=np.where(COMING, 0.36, np.where(LEAVING, -0.36, 0.0)),
)
SITES = conform("sites", pd.DataFrame({"site": [1, 2, 3], "cycle": [1, 1, 2]}))
SUMMARY = conform(
    "pore_summary",
    pd.DataFrame(
        {
            "time_s": [150.0, 200, 350, 390],
            "cycle": [1, 1, 2, 2],
            "count": [2, 5, 5, 4],
            "total_area_um2": [0.1, 0.6, 0.7, np.nan],
            "area_fraction": [0.01, 0.06, 0.07, np.nan],
        }
    ),
)


def test_states_in_order_with_charge_sites_and_pores():
    pristine = PristinePores(time_s=3.0, count=2, area_fraction=0.004)
    table = cycles_table(
        STAGES, SITES, SUMMARY, potential=CURVE, film=FILM, pristine=pristine
    ).set_index("state")
    assert table.index.tolist() == ["P", "De1*", "Di1*", "De2*", "Di2*"]
    assert list(table.reset_index().columns.sort_values()) == sorted(TABLES["cycles"])
    assert table["time_s"].tolist() == [3, 110, 200, 300, 390]
    assert table["capacity_mah_cm2"].tolist()[1:] == pytest.approx(
        [0.36 * t / 3600 / 0.5 for t in (100, 80, 90, 80)], rel=2e-2
    )
    assert table.loc["Di1*", "coulombic_efficiency"] == pytest.approx(0.8, rel=2e-2)
    assert table["site_count"].tolist() == [pd.NA, 2, pd.NA, 1, pd.NA]
    assert table["pore_count"].tolist() == [2, pd.NA, 5, pd.NA, pd.NA]
    assert table.loc["Di1*", "area_fraction"] == 0.06
    assert math.isnan(table.loc["Di2*", "area_fraction"])


def test_without_potential_or_film_there_is_no_capacity():
    for more in ({"potential": CURVE}, {"film": FILM}, {}):
        table = cycles_table(STAGES, SITES, SUMMARY, **more)
        assert table["capacity_mah_cm2"].isna().all()
        assert table["coulombic_efficiency"].isna().all()


def test_unknown_pinholes_are_not_none():
    pristine = PristinePores(time_s=3.0, count=0, area_fraction=math.nan)
    row = cycles_table([], SITES, SUMMARY, pristine=pristine).iloc[0]
    assert row["state"] == "P"
    assert pd.isna(row["pore_count"])


def test_no_stage_no_row():
    table = cycles_table([], empty("sites"), empty("pore_summary"))
    assert len(table) == 0
    assert list(table.columns) == list(TABLES["cycles"])
    uncycled = cycles_table([STAGES[1]], empty("sites"), empty("pore_summary"))
    assert len(uncycled) == 0
