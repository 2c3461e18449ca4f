"""Wrong and damaged cycler files are one sentence naming file, line and column."""

import contextlib
import zipfile

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.cyclers import read_potential

GOOD = "time/s\tEwe/V\t<I>/mA\n0\t1.5\t0\n60\t0.25\t0.5\n120\t-0.05\t-0.25\n"
GAMRY = "EXPLAIN\nCURVE\tTABLE\t2\n\tPt\tT\tVf\n\t#\ts\tV\n"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("p.csv", "", r"p\.csv is empty"),
        ("p.csv", "\n\n# note\n", r"p\.csv is empty"),
        ("p.txt", GOOD[:-6], r"p\.txt: line 4 has no current in column <I>/mA"),
        ("p.txt", GOOD[:-7], r"p\.txt: line 4 ends after 2 of 3 columns, before <I>/mA"),
        ("p.txt", GOOD.replace("0.25\t", "0.2S\t"), r"line 3, column Ewe/V, holds '0\.2S'"),
        ("p.txt", GOOD.replace("60", "6o"), r"line 3, column time/s, holds '6o'"),
        ("p.txt", GOOD.replace("-0.25", "-0.25E"), r"line 4, column <I>/mA, holds '-0\.25E'"),
        ("p.txt", GOOD.replace("60", ""), r"line 3 has no time in column time/s"),
        ("p.txt", GOOD.replace("120", "12"), r"line 4, column time/s \(12 s\), is below .*\(60 s"),
        ("p.txt", GOOD.replace("Ewe", "Eq"), r"no column of potential.*: time/s, Eq/V, <I>/mA\.$"),
        ("p.csv", "time/s,Ewe/V\n0,1\n1,5,2,5\n", r"line 3 has 4 values, but there are 2 columns"),
        ("p.csv", "1,2\n3,4\n", r"p\.csv has no column of potential"),
        ("p.csv", "Total Time,Ewe/V\n00:00:01,1\n00:0l:01,1\n", r"line 3, column Total Time, hol"),
        ("p.csv", "Date,Ewe/V\n2021-01-01 10:00:00,1\nlater,1\n", r"line 3, column Date, holds"),
        ("p.csv", "Date,Ewe/V\n2021-01-01,1\n2021-01-02,1\n", r"no column of time"),
        ("p.mpt", "EC-Lab ASCII FILE\nNb header lines : 80\nx\n", r"80 lines of header but has 3"),
        ("p.mpt", "EC-Lab ASCII FILE\nNb header lines : 3\ntime/s\tEwe/V\n", r"header but no rows"),
        ("p.DTA", "EXPLAIN\nTAG\tCV\n", r"p\.DTA holds no CURVE table"),
        ("p.DTA", GAMRY, r"p\.DTA: line 2 starts a curve without points"),
        ("p.DTA", GAMRY + "\t0\t1\t2\n\t1\tx\t2\n", r"p\.DTA: line 6, column T/s, holds 'x'"),
        ("p.DTA", GAMRY + "\t0\t1\t2\n\t1\t2\n", r"p\.DTA: line 6 ends after 3 of 4 columns"),
    ],
)
def test_text_files(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(AlloyError, match=sentence) as caught:
        read_potential(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["p.csv", "p.mpt", "p.DTA"])
@pytest.mark.parametrize(
    "start", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF", b"II*\0", b"PK\3\4"]
)
def test_images_and_archives_under_a_wrong_name(tmp_path, name, start):
    (tmp_path / name).write_bytes(start + bytes(range(256)))
    with pytest.raises(AlloyError, match=rf"{name} is not a text file"):
        read_potential(tmp_path / name)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(GOOD)), noise=st.binary(max_size=30))
def test_a_file_cut_anywhere_is_read_or_refused_in_a_sentence(tmp_path, cut, noise):
    (tmp_path / "p.txt").write_bytes(GOOD.encode()[:cut] + noise)
    with contextlib.suppress(AlloyError):
        curve = read_potential(tmp_path / "p.txt")
        assert (np.diff(curve.times_s) >= 0).all()
        assert np.isfinite(curve.potential_v).all()


def test_a_folder_and_a_missing_file(tmp_path):
    (tmp_path / "d.csv").mkdir()
    for name in ("d.csv", "gone.mpr"):
        with pytest.raises(AlloyError, match=rf"{name} cannot be opened"):
            read_potential(tmp_path / name)


def test_workbooks(tmp_path):
    file = tmp_path / "p.xlsx"
    file.write_text("time/s,Ewe/V\n0,1\n")
    with pytest.raises(AlloyError, match=r"p\.xlsx cannot be read as an Excel workbook"):
        read_potential(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(AlloyError, match=r"p\.xlsx cannot be read as an Excel workbook"):
        read_potential(file)
    book = openpyxl.Workbook()
    book.active.title = "Record"
    book.save(file)
    with pytest.raises(AlloyError, match=r"p\.xlsx has no sheet with rows under columns of"):
        read_potential(file)
    other = book.create_sheet("Other")
    for row in (["Zeit", "U1/V", "U2/V"], [0, 1, 2]):
        other.append(row)
    book.save(file)
    with pytest.raises(AlloyError, match=r"its columns are: Zeit, U1/V, U2/V\.$"):
        read_potential(file)
    chosen = read_potential(file, columns={"time": "Zeit", "potential": "U2/V"})
    np.testing.assert_array_equal(chosen.potential_v, [2])
    for row in (["TestTime/Sec", "Voltage/V"], [0, 1], [1, "open"]):
        book.active.append(row)
    book.save(file)
    with pytest.raises(AlloyError, match=r"sheet Record, line 3, column Voltage/V, holds 'open'"):
        read_potential(file)
