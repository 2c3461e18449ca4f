"""What each cycle left, by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from napari_lithium_alloy.core.cycles import cycles_table, new_pores
from napari_lithium_alloy.core.galvanostatic import Film, PotentialCurve
from napari_lithium_alloy.core.lineage import Lineage, events_table
from napari_lithium_alloy.core.pore_tracking import PoreTracks, PristinePores
from napari_lithium_alloy.core.pores import PoreOptics
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


ROWS = [
    (150.0, 1, 1, 0.05), (150.0, 1, 2, 0.05),
    (200.0, 1, 1, 0.25), (200.0, 1, 2, 0.25), (200.0, 1, 3, 0.1),
    (390.0, 2, 4, 0.6), (390.0, 2, 3, 0.1), (390.0, 2, 5, 0.2),
]  # fmt: skip
EVENTS = [
    {"time_s": 3.0, "event": "birth", "pore": 1, "parents": ""},
    {"time_s": 150.0, "event": "birth", "pore": 2, "parents": ""},
    {"time_s": 200.0, "event": "birth", "pore": 3, "parents": ""},
    {"time_s": 350.0, "event": "merge", "pore": 4, "parents": "1 2"},
    {"time_s": 350.0, "event": "birth", "pore": 5, "parents": ""},
    {"time_s": 390.0, "event": "closure", "pore": 5, "parents": ""},
]


def tracks(pinholes_um2=0.02):
    """Pores by hand: pinhole 1 merges with 2 of the first cycle in the second; 5 is new there."""
    film = np.ones((4, 4), bool)
    return PoreTracks(
        frames=np.arange(4),
        times_s=SUMMARY["time_s"].to_numpy(),
        labels=np.zeros((4, 4, 4), np.int32),
        pores=conform("pores", pd.DataFrame(ROWS, columns=["time_s", "cycle", "pore", "area_um2"])),
        summary=SUMMARY,
        tracks=np.empty((0, 4)),
        lineage=Lineage(events=events_table(EVENTS), parents={4: [1, 2]}),
        pristine=PristinePores(
            time_s=3.0, count=1, area_um2=pinholes_um2, labels=np.eye(4, dtype=np.int32)
        ),
        optics=PoreOptics(flat=np.ones((4, 4), np.float32), dark=0.0, film=film),
    )


def test_states_in_order_with_charge_sites_and_pores():
    table = cycles_table(
        STAGES, SITES, tracks(), potential=CURVE, film=FILM, film_um2=5.0
    ).set_index("state")
    assert table.index.tolist() == ["P", "De1*", "Di1*", "De2*", "Di2*"]
    assert list(table.reset_index().columns.sort_values()) == sorted(TABLES["cycles"])
    assert table["time_s"].tolist() == [3, 110, 200, 300, 390]
    assert table["capacity_mah_cm2"].tolist()[1:] == pytest.approx(
        [0.36 * t / 3600 / 0.5 for t in (100, 80, 90, 80)], rel=2e-2
    )
    assert table.loc["Di1*", "coulombic_efficiency"] == pytest.approx(0.8, rel=2e-2)
    assert table["site_count"].tolist() == [pd.NA, 2, pd.NA, 1, pd.NA]
    assert table["pore_count"].tolist() == [1, pd.NA, 5, pd.NA, pd.NA]
    assert table.loc["P", "area_fraction"] == pytest.approx(0.02 / 5)
    assert table.loc["Di1*", "area_fraction"] == 0.06
    assert math.isnan(table.loc["Di2*", "area_fraction"])


def test_what_pores_did_in_each_cycle():
    table = cycles_table(STAGES, SITES, tracks()).set_index("state")
    events = table[["pore_births", "pore_merges", "pore_splits", "pore_closures"]]
    assert events.loc["Di1*"].tolist() == [2, 0, 0, 0]
    assert events.loc["Di2*"].tolist() == [1, 1, 0, 1]
    assert table.loc["Di1*", "new_area_um2"] == pytest.approx(0.25 + 0.1)
    assert table.loc["Di1*", "growth_um2"] == pytest.approx(0.6 - 0.35 - 0.02)
    # its last total is not known
    assert table.loc["Di2*", ["new_area_um2", "growth_um2"]].isna().all()
    assert new_pores(tracks(), 2)["pore"].tolist() == [5]


def test_without_potential_or_film_there_is_no_capacity():
    for more in ({"potential": CURVE}, {"film": FILM}, {}):
        table = cycles_table(STAGES, SITES, tracks(), **more)
        assert table["capacity_mah_cm2"].isna().all()
        assert table["coulombic_efficiency"].isna().all()


def test_unknown_pinholes_are_not_none():
    row = cycles_table([], SITES, tracks(math.nan), film_um2=5.0).iloc[0]
    assert row["state"] == "P"
    assert pd.isna(row["pore_count"])


def test_no_stage_no_row():
    table = cycles_table([], empty("sites"))
    assert len(table) == 0
    assert list(table.columns) == list(TABLES["cycles"])
    uncycled = cycles_table([STAGES[1]], empty("sites"))
    assert len(uncycled) == 0
