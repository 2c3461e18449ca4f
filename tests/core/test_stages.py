"""Stages, their order and their table."""

import math

import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.stages import (
    Stage,
    StageKind,
    cycles_of,
    stage_at,
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
