"""Corrections by hand, kept by place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.pore_edits import (
    PoreEdit,
    edit_of_painting,
    edited,
    edits_of,
    edits_table,
)

PIXEL_UM = 0.5


def three():
    labels = np.zeros((20, 30), np.int32)
    labels[2:6, 2:6], labels[2:6, 12:16], labels[12:18, 4:14] = 1, 2, 3
    return labels


def edit(kind, *places, cycle=None):
    return PoreEdit(
        kind=kind, places_um=tuple((y * PIXEL_UM, x * PIXEL_UM) for y, x in places), cycle=cycle
    )


def test_delete_join_and_split_by_place():
    gone = edited(three(), [edit("delete", (3, 3))], PIXEL_UM)
    assert gone.max() == 2
    assert not gone[2:6, 2:6].any()
    joined = edited(three(), [edit("join", (3, 3), (4, 13))], PIXEL_UM)
    assert joined[3, 3] == joined[4, 13] > 0
    assert joined.max() == 2
    parted = edited(three(), [edit("split", (15, 5), (15, 12))], PIXEL_UM)
    assert parted.max() == 4
    assert parted[15, 4] != parted[15, 13]
    assert np.array_equal(parted > 0, three() > 0)


def test_corrections_follow_each_other_and_hold_for_their_cycle():
    edits = [edit("join", (3, 3), (4, 13), cycle=2), edit("delete", (3, 3))]
    assert edited(three(), edits, PIXEL_UM, cycle=2).max() == 1
    assert edited(three(), edits, PIXEL_UM, cycle=1).max() == 2


def test_a_place_without_a_pore_changes_nothing():
    for kind, places in (
        ("delete", [(10, 25)]),
        ("join", [(10, 25), (3, 3)]),
        ("split", [(10, 25), (10, 26)]),
    ):
        assert np.array_equal(edited(three(), [edit(kind, *places)], PIXEL_UM), three())


def test_a_place_beside_a_pore_means_it():
    assert edited(three(), [edit("delete", (8, 3))], PIXEL_UM).max() == 2


def test_too_few_places_are_refused():
    for kind, places in (("delete", []), ("join", [(1, 1)]), ("split", [(1, 1)])):
        with pytest.raises(AlloyError, match="give its place"):
            edit(kind, *places)


def test_what_a_stroke_means():
    before = three()
    wiped, recoloured, parted, trimmed = (three() for _ in range(4))
    wiped[wiped == 2] = 0
    recoloured[recoloured == 2] = 1
    parted[12:18, 4:9] = 9
    trimmed[12, 4:14] = 0
    assert [e.kind for e in edit_of_painting(before, wiped, PIXEL_UM)] == ["delete"]
    (join,) = edit_of_painting(before, recoloured, PIXEL_UM, cycle=3)
    assert (join.kind, join.cycle) == ("join", 3)
    (split,) = edit_of_painting(before, parted, PIXEL_UM)
    assert split.kind == "split"
    assert edit_of_painting(before, trimmed, PIXEL_UM) == []
    assert edit_of_painting(before, before, PIXEL_UM) == []


@given(st.integers(1, 3), st.integers(1, 3))
def test_making_a_strokes_corrections_gives_what_was_painted(first, second):
    before, after = three(), three()
    after[after == first] = 0 if first == second else second
    made = edited(before, edit_of_painting(before, after, PIXEL_UM), PIXEL_UM)
    assert np.array_equal(made > 0, after > 0)
    assert made.max() == len(np.unique(after)) - 1


def test_the_table_has_a_row_a_place():
    table = edits_table([edit("delete", (2, 4)), edit("join", (1, 1), (2, 2), cycle=2)])
    assert table["edit"].tolist() == [1, 2, 2]
    assert table["y_um"].tolist() == [1.0, 0.5, 1.0]
    assert len(edits_table([])) == 0


def test_an_exported_table_gives_the_corrections_back():
    edits = [
        edit("delete", (2, 4)),
        edit("join", (1, 1), (2, 2), cycle=2),
        edit("split", (1, 1), (3, 3)),
    ]
    assert edits_of(edits_table(edits)) == edits
    with pytest.raises(AlloyError, match="no column edit"):
        edits_of(edits_table(edits).drop(columns="edit"))
    with pytest.raises(AlloyError, match="cannot be corrected by 'paint'"):
        edits_of(edits_table(edits).assign(kind="paint"))
