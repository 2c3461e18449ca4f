"""Stages, their order and their table."""

import dataclasses
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.stages import (
    Stage,
    StageKind,
    cycles_of,
    merge_detected,
    move_bound,
    stage_at,
    stage_lags,
    stages_of,
    stages_table,
)
from napari_lithium_alloy.core.tables import TABLES

SEI = Stage(kind="SEI", start_s=5, end_s=17)
ONE = Stage(kind="alloying", step=1, start_s=17, end_s=52)
ONE_FIELD = Stage(kind="alloying", step=1, start_s=9, end_s=38, scope="field")
TWO = Stage(kind="alloying", step=2, start_s=52, end_s=85)
PLATING = Stage(kind="deposition", start_s=85, end_s=150)
LEAVING = Stage(kind="dealloying", cycle=2, start_s=200, end_s=230)
ALL = [TWO, LEAVING, ONE, PLATING, SEI, ONE_FIELD]


def test_names_for_tables_files_and_people():
    assert [s.key for s in (SEI, ONE, TWO, PLATING, LEAVING)] == [
        "cycle1_SEI",
        "cycle1_step1",
        "cycle1_step2",
        "cycle1_deposition",
        "cycle2_dealloying1",
    ]
    assert [s.label for s in (SEI, ONE, LEAVING)] == ["SEI", "step 1", "step 1'"]


def test_what_darkens_the_film():
    assert [s.darkens for s in (SEI, ONE, PLATING, LEAVING)] == [True, True, True, False]
    assert not Stage(kind="dissolution", start_s=0, end_s=1).darkens


def test_a_step_without_number_is_the_first_and_other_kinds_have_none():
    assert LEAVING.step == 1
    assert SEI.step is None


def test_the_colours_of_the_paper_and_one_for_each_step():
    colours = [Stage(kind="alloying", step=k, start_s=0, end_s=1).colour for k in (1, 2, 3, 4)]
    assert len({*colours, SEI.colour, PLATING.colour}) == 6
    assert LEAVING.colour == colours[0]


def test_stages_of_are_in_order_and_the_fields_win():
    assert stages_of(ALL, StageKind.ALLOYING) == [ONE_FIELD, TWO]
    assert stages_of(ALL, StageKind.ALLOYING, StageKind.DEALLOYING, cycle=2) == [LEAVING]
    assert stages_of([SEI, PLATING], StageKind.ALLOYING) == []


def test_stage_at_takes_the_later_where_two_touch():
    chain = [SEI, ONE, TWO]
    assert stage_at(chain, 17) == ONE
    assert stage_at(chain, 52) == TWO
    assert stage_at(chain, 85) == TWO
    assert stage_at(chain, 4.9) is None


def test_cycles_are_those_that_have_a_stage():
    assert cycles_of(ALL) == [1, 2]
    assert cycles_of([]) == []


@pytest.mark.parametrize("end_s", [3.0, 5.0, math.nan])
def test_a_stage_ends_after_its_start(end_s):
    with pytest.raises(AlloyError, match=r"Stage step 2 ends at .*; correct start_s and end_s"):
        Stage(kind="alloying", step=2, start_s=5.0, end_s=end_s)


def test_the_table_has_a_row_a_stage_with_x_where_it_is_known():
    table = stages_table(ALL, {17.0: 0.0, 52.0: 1.32})
    assert list(table.columns) == list(TABLES["stages"])
    assert table["start_s"].tolist() == [5, 9, 17, 52, 85, 200]
    step1 = table.query("kind == 'alloying' and step == 1 and scope == 'cell'").iloc[0]
    assert (step1.start_x, step1.end_x) == (0.0, 1.32)
    assert math.isnan(table["end_x"].iloc[-1])
    assert table["source"].eq("given").all()
    assert len(stages_table([])) == 0


# Detected beside given


@st.composite
def chains(draw, source):
    """Stages of one scope that do not overlap."""
    gaps = draw(st.lists(st.tuples(st.floats(0, 50), st.floats(1, 100)), max_size=6))
    steps = draw(st.permutations(range(1, 9)))
    stages, time = [], 0.0
    for step, (gap, length) in zip(steps, gaps, strict=False):
        start = time + gap
        time = start + length
        stages.append(
            Stage(
                kind="alloying", step=step, start_s=start, end_s=time, source=source, end_sd_s=1.0
            )
        )
    return stages


@given(given=chains("given"), detected=chains("detected"))
def test_given_stages_are_never_moved_and_nothing_overlaps(given, detected):
    merged = merge_detected(given, detected)
    assert [s for s in merged if s.source == "given"] == given
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(merged))
    assert len({s.key for s in merged}) == len(merged)
    known = {s.key: s for s in detected}
    for stage in merged:
        if stage.source == "detected":
            whole = known[stage.key]
            assert whole.start_s <= stage.start_s < stage.end_s <= whole.end_s
            assert stage.end_s == whole.end_s or math.isnan(stage.end_sd_s)


def test_a_detected_stage_is_cut_dropped_or_kept():
    found = [
        dataclasses.replace(s, source="detected", start_sd_s=1.0, end_sd_s=2.0)
        for s in (SEI, ONE, TWO, ONE_FIELD)
    ]
    hand = dataclasses.replace(ONE, start_s=10, end_s=60)
    sei, one_field, one, two = sorted(
        merge_detected([hand], found), key=lambda s: (s.kind != "SEI", s.scope == "cell", s.step)
    )
    assert one == hand
    assert (sei.start_s, sei.end_s, sei.start_sd_s) == (5, 10, 1.0)
    assert math.isnan(sei.end_sd_s)
    assert (two.start_s, two.end_s, two.end_sd_s) == (60, 85, 2.0)
    assert one_field == found[3]
    everything = dataclasses.replace(ONE, start_s=0, end_s=84)
    assert [s.key for s in merge_detected([everything], found[:3])] == ["cycle1_step1"]


def test_without_given_stages_the_detected_are_taken_as_they_are():
    assert merge_detected([], [TWO, SEI]) == (SEI, TWO)
    assert merge_detected([TWO, SEI], []) == (SEI, TWO)


# Bounds moved by hand


def test_a_moved_bound_makes_the_stage_given_and_takes_a_touching_neighbour_along():
    stages = [dataclasses.replace(s, source="detected", end_sd_s=2.0) for s in (SEI, ONE, TWO)]
    moved = move_bound(stages, stages[1], "end_s", 55.0)
    assert [(s.start_s, s.end_s) for s in moved] == [(5, 17), (17, 55), (55, 85)]
    assert [s.source for s in moved] == ["detected", "given", "given"]
    assert math.isnan(moved[1].end_sd_s)
    assert moved[0] is stages[0]


def test_a_moved_bound_stops_at_its_neighbours():
    apart = [SEI, dataclasses.replace(ONE, start_s=20), PLATING, ONE_FIELD]
    assert move_bound(apart, apart[1], "start_s", 3.0)[2].start_s == 17
    assert move_bound(apart, apart[1], "end_s", 400.0)[2].end_s == 85
    assert move_bound(apart, apart[1], "end_s", 10.0)[2].end_s == pytest.approx(20.01)
    assert move_bound(apart, PLATING, "end_s", 400.0)[-1].end_s == 400
    assert move_bound(apart, ONE_FIELD, "start_s", -4.0)[0].start_s == -4


@given(
    stages=chains("detected").filter(bool),
    which=st.integers(0, 5),
    bound=st.sampled_from(["start_s", "end_s"]),
    time_s=st.floats(-100, 2000),
)
def test_no_move_makes_stages_overlap(stages, which, bound, time_s):
    moved = move_bound(stages, stages[which % len(stages)], bound, time_s)
    assert [s.key for s in moved] == [s.key for s in stages]
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(moved))


# Lags


def test_lags_are_field_less_cell():
    lags = stage_lags(ALL)
    assert list(lags.columns) == list(TABLES["stage_lags"])
    (row,) = lags.to_dict("records")
    assert (row["kind"], row["step"], row["start_lag_s"], row["end_lag_s"]) == (
        "alloying", 1, -8.0, -14.0,
    )  # fmt: skip
    assert len(stage_lags([SEI, ONE])) == 0
