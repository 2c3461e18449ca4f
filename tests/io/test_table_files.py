"""Tables and maps come back as they were written, with their provenance."""

import io
import string

import numpy as np
import openpyxl
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.tables import TABLES, conform, empty
from napari_lithium_alloy.io.image_stacks import open_stack
from napari_lithium_alloy.io.tables import (
    _write_numbers,
    read_csv,
    read_map,
    read_steps,
    write_csv,
    write_map,
    write_xlsx,
)

STEPS = (
    Step(name="onset_map", parameters={"fraction": 0.5, "note": "µm, line\nbreak"}),
    Step(name="correlate", parameters={"seed": 0}),
)
VALUES = {
    "float64": st.one_of(st.floats(allow_infinity=False), st.just(float("nan"))),
    "Int64": st.one_of(st.integers(-(2**53), 2**53), st.none()),
    "string": st.one_of(
        st.text(string.ascii_letters + " ,;\"'#\nµ'", min_size=1), st.just("NA"), st.none()
    ),
    "boolean": st.one_of(st.booleans(), st.none()),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("table", TABLES)
@given(data=st.data())
def test_every_table_comes_back_equal(folder, table, data):
    n = data.draw(st.integers(0, 4))
    rows = pd.DataFrame(
        {
            c: pd.array(data.draw(st.lists(VALUES[t], min_size=n, max_size=n)), dtype=t)
            for c, t in TABLES[table].items()
        }
    )
    frame = conform(table, rows)
    write_csv(folder / f"{table}.csv", frame, STEPS)
    pd.testing.assert_frame_equal(
        read_csv(folder / f"{table}.csv"), frame, check_exact=True, check_dtype=True
    )


def test_provenance_is_above_the_header(tmp_path):
    write_csv(tmp_path / "sites.csv", empty("sites"), STEPS)
    lines = (tmp_path / "sites.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# napari-lithium-alloy ")
    assert lines[1].startswith('# step: {"name": "onset_map"')
    assert lines[3] == ",".join(TABLES["sites"])
    assert read_steps(tmp_path / "sites.csv") == list(STEPS)


def test_missing_values_are_empty(tmp_path):
    frame = pd.DataFrame({"a": [np.nan, 0.1 + 0.2], "b": ["x", pd.NA]})
    write_csv(tmp_path / "other.csv", frame)
    assert (tmp_path / "other.csv").read_text().splitlines()[2:] == [",x", "0.30000000000000004,"]
    assert read_csv(tmp_path / "other.csv")["a"][1] == 0.1 + 0.2


def test_a_table_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"a": [1]}))
    before = (tmp_path / "t.csv").read_bytes()

    def breaks(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", breaks)
    with pytest.raises(OSError, match="disk full"):
        write_csv(tmp_path / "t.csv", pd.DataFrame({"a": [2]}))
    assert (tmp_path / "t.csv").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_workbook(tmp_path):
    sites = pd.DataFrame({"site": [1, 2], "x_um": [0.5, np.nan]})
    write_xlsx(tmp_path / "t.xlsx", {"sites": sites, "pores": empty("pores")}, STEPS)
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert book.sheetnames == ["sites", "pores", "provenance"]
    assert [[c.value for c in row] for row in book["sites"].rows] == [
        ["site", "x_um"],
        [1, 0.5],
        [2, None],
    ]
    assert "onset_map" in book["provenance"]["A3"].value
    book.close()


def test_map_keeps_nan_and_its_pixel_size(tmp_path):
    image = np.array([[1.5, np.nan, 3.25], [0.0, -1.0, 1e6]])
    write_map(
        tmp_path / "onset.tif", image, pixel_size_um=0.065, description={"quantity": "onset_s"}
    )
    np.testing.assert_array_equal(read_map(tmp_path / "onset.tif"), image.astype(np.float32))
    assert open_stack(tmp_path / "onset.tif")[0].pixel_size_um == pytest.approx(0.065, rel=1e-5)
    with tifffile.TiffFile(tmp_path / "onset.tif") as tif:
        assert tif.imagej_metadata["unit"] == "um"
        assert tif.imagej_metadata["Info"] == '{"quantity": "onset_s"}'
    write_map(tmp_path / "plain.tif", image)
    assert open_stack(tmp_path / "plain.tif")[0].pixel_size_um is None


def test_bad_tables_and_maps_are_one_sentence(tmp_path):
    with pytest.raises(AlloyError, match=r"gone\.csv cannot be opened"):
        read_csv(tmp_path / "gone.csv")
    (tmp_path / "sites.csv").write_text("# nothing\n")
    with pytest.raises(AlloyError, match=r"sites\.csv is not a table"):
        read_csv(tmp_path / "sites.csv")
    (tmp_path / "sites.csv").write_text("size\n1\n")
    with pytest.raises(AlloyError, match="The table sites has no column size"):
        read_csv(tmp_path / "sites.csv")
    (tmp_path / "map.tif").write_text("text")
    with pytest.raises(AlloyError, match=r"map\.tif cannot be read as a map"):
        read_map(tmp_path / "map.tif")


@given(
    st.lists(
        st.tuples(
            st.floats(width=64),
            st.sampled_from([0.0, -0.0, 1e-5, 1e22, np.nan, np.inf]),
            st.one_of(st.none(), st.integers(-5, 5)),
            st.booleans(),
        ),
        max_size=30,
    )
)
@settings(max_examples=60, deadline=None)
def test_long_tables_hold_the_numbers_that_pandas_writes(rows):
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    table = pd.DataFrame(
        {
            "a": pd.Series(columns[0], dtype=float),
            "b": pd.Series(columns[1], dtype=float),
            "n": pd.Series(columns[2], dtype="Int64"),
            "is": pd.Series(columns[3], dtype=bool),
        }
    )
    ours = io.StringIO()
    _write_numbers(table, ours)
    head, *lines = ours.getvalue().removesuffix("\n").split("\n")
    assert head == "a,b,n,is"
    expected = table.to_csv(index=False, lineterminator="\n").removesuffix("\n").split("\n")[1:]
    for line, usual in zip(lines, expected, strict=True):
        texts, theirs = line.split(","), usual.split(",")
        assert [t and np.float64(t).tobytes() for t in texts[:2]] == [
            t and np.float64(t).tobytes() for t in theirs[:2]
        ]
        assert texts[2:] == theirs[2:]


def test_a_table_longer_than_a_part_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_lithium_alloy.io.tables.LONG_ROWS", 10)
    monkeypatch.setattr("napari_lithium_alloy.io.tables.PART_ROWS", 7)
    table = pd.DataFrame({"x": np.random.default_rng(0).random(40), "n": np.arange(40)})
    write_csv(tmp_path / "numbers.csv", table)
    lines = (tmp_path / "numbers.csv").read_text().splitlines()
    assert lines[1] == "x,n"
    assert len(lines) == 42
    assert [float(line.split(",")[0]) for line in lines[2:]] == table["x"].tolist()
