"""Emergence, growth and ends of pores with planted areas; their sizes; those chosen to be shown."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.lineage import Lineage, events_table
from napari_lithium_alloy.core.pore_lives import (
    area_ratio_curves,
    pore_lives,
    size_distribution,
)
from napari_lithium_alloy.core.pore_sequences import chosen_pores
from napari_lithium_alloy.core.pore_tracking import PoreTracks, PristinePores
from napari_lithium_alloy.core.pores import PoreOptics
from napari_lithium_alloy.core.tables import TABLES, conform, empty

TIMES = np.arange(100.0, 200.0)


def rows_of(pore, areas, times=TIMES, cycle=1, final=None, **more):
    """Rows of `pores` of one pore while its area is above 0."""
    known = {"resolved": True, "touches_edge": False, "saturated": False, "pristine": False}
    place = {"y_um": float(pore), "x_um": 2.0 * pore}
    own = pd.DataFrame({"time_s": times, "area_um2": areas})
    numbers = {"cycle": cycle, "pore": pore, "final_pore": final or pore}
    return own.assign(**(known | place | numbers | more))[np.asarray(areas) > 0]


def tracks_of(rows, events=(), parents=None, times=TIMES):
    pores = conform("pores", pd.concat(rows, ignore_index=True)) if rows else empty("pores")
    first = pores.groupby("pore")["time_s"].min()
    births = [
        {"time_s": t, "event": "birth", "pore": p, "parents": ""}
        for p, t in first.items()
        if p not in (parents or {})
    ]
    film = np.ones((4, 4), bool)
    return PoreTracks(
        frames=np.arange(len(times)),
        times_s=times,
        labels=np.zeros((len(times), 4, 4), np.int32),
        pores=pores,
        summary=summary_of(pores, times),
        tracks=np.empty((0, 4)),
        lineage=Lineage(events=events_table([*births, *events]), parents=parents or {}),
        pristine=PristinePores(time_s=0.0, count=0, area_um2=0.0, labels=np.zeros((4, 4), int)),
        optics=PoreOptics(flat=np.ones((4, 4), np.float32), dark=0.0, film=film),
    )


def summary_of(pores, times):
    """The times looked at in each cycle; nothing else of it is asked for."""
    looked = [pd.DataFrame({"time_s": times, "cycle": c}) for c in pores["cycle"].unique()]
    return conform("pore_summary", pd.concat(looked)) if looked else empty("pore_summary")


def rise(start_s, rate, final, times=TIMES):
    """Area of a pore that opens at a time and grows evenly until it is full."""
    return np.clip(rate * (times - start_s), 0, final)


def life_of(rows, **more):
    return pore_lives(tracks_of([rows], **more)).iloc[0]


@settings(max_examples=40, deadline=None)
@given(start=st.floats(105, 150), lasts=st.floats(15, 35), final=st.floats(0.05, 2.0))
def test_emergence_and_rate_of_an_even_rise_are_the_planted(start, lasts, final):
    life = life_of(rows_of(1, rise(start, final / lasts, final)))
    assert life["emergence_s"] == pytest.approx(start + 0.1 * lasts, abs=0.01)
    assert life["expansion_rate_um2_s"] == pytest.approx(final / lasts, rel=1e-6)
    assert life["expansion_rate_sd_um2_s"] == pytest.approx(0, abs=1e-9)
    assert life["area_um2"] == pytest.approx(final)
    assert math.isnan(life["end_s"])
    assert pd.isna(life["reason"]) or life["reason"] == ""


def test_the_stated_error_of_a_rate_is_its_spread():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(80):
        areas = np.maximum(rise(120, 0.01, 0.5) + rng.normal(0, 0.01, len(TIMES)), 1e-6)
        areas[TIMES < 118] = 0
        found.append(life_of(rows_of(1, areas)))
    rate, sd, start = (
        np.array([f[c] for f in found], float)
        for c in ("expansion_rate_um2_s", "expansion_rate_sd_um2_s", "emergence_s")
    )
    assert rate.mean() == pytest.approx(0.01, rel=0.02)
    assert 0.6 < rate.std() / np.median(sd) < 1.6
    assert np.median(start) == pytest.approx(125, abs=2)


@pytest.mark.parametrize(
    ("areas", "more", "emerges", "grows", "reason"),
    [
        (np.full(100, 0.3), {"pristine": True}, False, False, "a pinhole of the pristine film"),
        (np.full(100, 0.3), {}, False, False, "there when its cycle's dissolution began"),
        (np.where(TIMES >= 150, 0.3, 0), {}, True, False, "its area did not grow"),
        (np.where(TIMES >= 197, 0.3, 0), {}, True, False, "too few frames"),
        (np.where(TIMES >= 199, 0.3, 0), {}, True, False, "too few frames"),
        (np.where(TIMES % 2 < 1, 0.1, 0.3) * (TIMES > 120), {}, False, False, "passed its noise"),
    ],
)
def test_what_is_not_known_has_a_reason(areas, more, emerges, grows, reason):
    life = life_of(rows_of(1, areas, **more))
    assert math.isfinite(life["emergence_s"]) == emerges
    assert math.isfinite(life["expansion_rate_um2_s"]) == grows
    assert reason in life["reason"]
    assert life["cycle"] == (0 if more else 1)


def test_of_pores_that_merge_the_child_emerges_when_they_met():
    one, two = (np.where(TIMES < 160, rise(t, 0.01, 0.4), 0) for t in (110, 120))
    both = np.where(TIMES >= 160, 0.8 + 0.01 * (TIMES - 160), 0)
    merge = {"time_s": 160.0, "event": "merge", "pore": 3, "parents": "1 2"}
    rows = [rows_of(1, one, final=3), rows_of(2, two, final=3), rows_of(3, both)]
    lives = pore_lives(tracks_of(rows, [merge], {3: [1, 2]})).set_index("pore")
    assert lives["end_s"].tolist()[:2] == [160, 160]
    assert lives.loc[1, "ended_by"] == "merge"
    assert lives.loc[3, "emergence_s"] == 160
    assert lives.loc[3, "parents"] == "1 2"
    assert lives.loc[3, "expansion_rate_um2_s"] == pytest.approx(0.01, rel=1e-6)
    closing = [{"time_s": 170.0, "event": "closure", "pore": 1, "parents": ""}]
    closed = life_of(rows_of(1, np.where(TIMES < 170, 0.3, 0)), events=closing)
    assert (closed["end_s"], closed["ended_by"]) == (170, "closure")


def test_a_pore_within_a_sites_disc_is_the_sites():
    rows = [rows_of(k, rise(110 + k, 0.01, 0.1)) for k in (1, 2, 3)]  # at (1, 2), (2, 4), (3, 6)
    columns = ["site", "cycle", "y_um", "x_um", "radius_um"]
    sites = [(7, 1, 1.2, 2.2, 0.4), (8, 1, 2.0, 4.9, 0.4), (9, 2, 3.0, 6.0, 0.4)]
    sites = conform("sites", pd.DataFrame(sites, columns=columns))
    lives = pore_lives(tracks_of(rows), sites).set_index("pore")
    assert lives["site"].tolist() == [7, pd.NA, pd.NA]
    assert list(pore_lives(tracks_of([])).columns) == list(TABLES["pore_lives"])


def test_area_ratios_are_of_final_pores_with_all_that_merged_into_them():
    times = np.arange(4.0)
    rows = [
        rows_of(1, [0, 1, 0, 0], times, final=3),
        rows_of(2, [1, 1, 0, 0], times, final=3),
        rows_of(3, [0, 0, 3, 4], times),
        rows_of(4, [0, 0, 0, 1], times),
        rows_of(5, [9, 9, 9, 9], times, cycle=2),
    ]
    pores = conform("pores", pd.concat(rows, ignore_index=True))
    curves = area_ratio_curves(pores, 1)
    ratio = curves.pivot(index="time_s", columns="final_pore", values="area_ratio")
    assert ratio.columns.tolist() == [0, 3, 4]
    assert ratio[3].tolist() == [0.25, 0.5, 0.75, 1]
    assert ratio[4].tolist() == [0, 0, 0, 1]
    assert ratio[0].tolist() == [0.2, 0.4, 0.6, 1]
    only = area_ratio_curves(pores, 1, [4])
    assert sorted(only["final_pore"].unique()) == [0, 4]
    with pytest.raises(AlloyError, match="Pore 1 is not there at the end of cycle 1"):
        area_ratio_curves(pores, 1, [4, 1])
    assert len(area_ratio_curves(pores, 7)) == 0


def test_an_area_ratio_of_an_unknown_area_is_none():
    times = np.arange(3.0)
    rows = [
        rows_of(1, [1, 2, 4], times),
        rows_of(2, [1, 1, 0], times),
        rows_of(3, [2, 2, 2], times),
    ]
    pores = conform("pores", pd.concat(rows, ignore_index=True))
    pores.loc[(pores["pore"] == 1) & (pores["time_s"] == 1), "area_um2"] = np.nan
    pores.loc[(pores["pore"] == 3) & (pores["time_s"] == 2), "area_um2"] = 0.0
    ratio = area_ratio_curves(pores, 1).pivot(
        index="time_s", columns="final_pore", values="area_ratio"
    )
    np.testing.assert_equal(ratio[1].to_numpy(), [0.25, np.nan, 1])
    np.testing.assert_equal(ratio[0].to_numpy(), [1, np.nan, 1])
    assert ratio[3].isna().all()
    assert len(area_ratio_curves(pores.assign(area_um2=np.nan), 1)) == 3 * 4


areas_um2 = st.lists(st.floats(0, 3, allow_subnormal=False) | st.just(math.nan), max_size=30)


@settings(max_examples=40, deadline=None)
@given(sites=areas_um2, pores=areas_um2, width=st.sampled_from([0.05, 0.1, 0.25]))
def test_every_known_area_is_in_its_bin_once(sites, pores, width):
    discs = conform("sites", pd.DataFrame({"cycle": 1, "area_um2": sites}))
    last = conform("pores", pd.DataFrame({"cycle": 2, "time_s": 5.0, "area_um2": pores}))
    early = conform("pores", pd.DataFrame({"cycle": [2], "time_s": [1.0], "area_um2": [0.1]}))
    holes = pd.concat([early, last]) if pores else last
    table = size_distribution(discs, holes, width)
    for kind, cycle, areas in (("site", 1, sites), ("pore", 2, pores)):
        known = [a for a in areas if not math.isnan(a)]
        own = table[table["kind"] == kind]
        assert own["count"].sum() == len(known)
        assert (own["cycle"] == cycle).all()
        if known:
            assert own["fraction"].sum() == pytest.approx(1)
            assert own["low_um2"].iloc[0] == 0
            assert np.allclose(own["high_um2"] - own["low_um2"], width)
            top = own["high_um2"].iloc[-1]
            assert max(known) <= top + 1e-9
            for row in own.itertuples():  # but for what lies on an edge to within rounding
                inside = [a for a in known if row.low_um2 + 1e-9 < a < row.high_um2 - 1e-9]
                about = [a for a in known if row.low_um2 - 1e-9 <= a <= row.high_um2 + 1e-9]
                assert len(inside) <= row.count <= len(about)


def test_pores_to_show_are_spread_over_emergence_and_without_flaws():
    starts = np.linspace(105, 150, 10)
    rows = [rows_of(k + 1, rise(t, 0.01, 0.2)) for k, t in enumerate(starts)]
    rows[0]["resolved"], rows[9]["touches_edge"], rows[5]["saturated"] = False, True, True
    tracks = tracks_of(rows)
    lives = pore_lives(tracks)
    assert chosen_pores(tracks.pores, lives, 1) == [2, 4, 5, 7, 9]
    assert chosen_pores(tracks.pores, lives, 1, n=2) == [2, 9]
    assert chosen_pores(tracks.pores, lives, 3) == []
    assert chosen_pores(empty("pores"), empty("pore_lives"), 1) == []


def test_of_old_pores_those_that_grew_are_shown_first():
    rows = [
        rows_of(1, np.full(100, 0.1), pristine=True),
        rows_of(2, 0.2 + 0.002 * (TIMES - 100)),
        rows_of(3, rise(140, 0.01, 0.2)),
    ]
    tracks = tracks_of(rows)
    assert chosen_pores(tracks.pores, pore_lives(tracks), 1) == [3, 2, 1]
    assert chosen_pores(tracks.pores, pore_lives(tracks), 1, n=2) == [3, 2]
