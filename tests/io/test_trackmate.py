"""TrackMate's tables as a lineage: real ones, ones by hand, and ones that are not."""

import pandas as pd
import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.trackmate import read_trackmate

SPOTS = "id,frame,position_x,position_y\n"
EDGES = "spot_source_id,spot_target_id\n"


def test_real_tracks_have_one_merge(shared):
    folder = shared / "real" / "tracks"
    name = "trackmate_tracks_with_merging"
    edges = folder / f"{name}_edges.csv"
    spots, lineage = read_trackmate(folder / f"{name}_spots.csv", edges, 2.0)
    assert len(spots) == 134
    assert len(pd.read_csv(edges)) == 129
    assert lineage.count("merge") == 1
    assert lineage.count("split") == 0
    # A forest of spots and edges: ends are spots without a later one, trees are births less merges.
    assert lineage.count("birth") == 134 - 129 + 1
    ((child, parents),) = lineage.parents.items()
    assert len(parents) == 2
    assert lineage.ancestors(child) == {child, *parents}
    assert all(lineage.descendants(p) == {p, child} for p in parents)
    merge = lineage.events.query("event == 'merge'").iloc[0]
    assert spots.query(f"pore == {child}")["time_s"].min() == merge["time_s"]
    assert (spots["time_s"] == 2.0 * spots["frame"]).all()
    # Every edge is inside one pore, or from a parent to its child.
    pore = spots.set_index("spot")["pore"]
    links = pd.read_csv(edges)
    between = links[
        pore.loc[links["spot_source_id"]].values != pore.loc[links["spot_target_id"]].values
    ]
    assert len(between) == 2


def written(tmp_path, spots, edges):
    for name, text in (("spots.csv", spots), ("edges.csv", edges)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "spots.csv", tmp_path / "edges.csv"


def test_capitals_and_further_header_lines_are_read(tmp_path):
    spots = (
        "LABEL,ID,FRAME,POSITION_X,POSITION_Y\nLabel,Spot ID,Frame,X,Y\nLabel,Spot ID,Frame,X,Y\n"
        ",,,(micron),(micron)\na,7,0,1.5,2\nb,9,1,1.5,2.5\nc,8,1,4,4\n"
    )
    edges = "LABEL,SPOT_SOURCE_ID,SPOT_TARGET_ID\nLabel,Source,Target\n,,\n,,\nx,9,7\n"
    found, lineage = read_trackmate(*written(tmp_path, spots, edges))
    assert found["spot"].tolist() == [7, 9, 8]
    assert found.set_index("spot")["pore"].to_dict() == {7: 1, 9: 1, 8: 2}
    assert found["y"].tolist() == [2, 2.5, 4]
    assert lineage.events["event"].tolist() == ["birth", "birth"]


def test_a_split_is_one(tmp_path):
    spots = SPOTS + "1,0,0,0\n2,1,0,0\n3,1,5,5\n"
    _, lineage = read_trackmate(*written(tmp_path, spots, EDGES + "1,2\n1,3\n"))
    assert lineage.count("split") == 1
    assert lineage.parents == {2: [1], 3: [1]}


@pytest.mark.parametrize(
    ("spots", "edges", "sentence"),
    [
        ("id,frame,position_y\n1,0,0\n", EDGES, "spots.csv has no column position_x"),
        (SPOTS + "1,0,0,0\n", "source,target\n", "edges.csv has no column spot_source_id"),
        (SPOTS + "1,0,0,0\n2,1,here,0\n", EDGES, "spots.csv, line 3: not a number"),
        (SPOTS + "1,0,0,0\n", EDGES + "1,4\n", "names spot 4, which is not there"),
        (SPOTS + "1,0,0,0\n2,0,1,1\n", EDGES + "1,2\n", "linked but of one time"),
        ("", EDGES, "cannot be read as CSV"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, spots, edges, sentence):
    with pytest.raises(AlloyError, match=sentence) as error:
        read_trackmate(*written(tmp_path, spots, edges))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(AlloyError, match="cannot be read as CSV"):
        read_trackmate(tmp_path / "a.csv", tmp_path / "b.csv")
