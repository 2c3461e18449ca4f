"""Potential and current from text files, and as recording.toml names them."""

import numpy as np
import pytest
import tifffile

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.cyclers import read_potential
from napari_lithium_alloy.io.recording_file import open_experiment

SECONDS, VOLTS, MILLIAMPERES = [0.0, 60.0, 120.0], [1.5, 0.25, -0.05], [0.0, 0.5, -0.25]


@pytest.mark.parametrize(
    "text",
    [
        "time_s,potential_v,current_ma\n0,1.5,0\n60,0.25,0.5\n120,-0.05,-0.25\n",
        "time/s\tEwe/V\tI/mA\n0\t1.5\t0\n60\t0.25\t0.5\n120\t-0.05\t-0.25\n",
        "# made by us\nTime [min];Voltage [mV];I [\u00b5A]\n0;1500;0\n1;250;500\n2;-50;-250\n",
        "Current(A),cycle,Test Time / h,Voltage(V)\n"
        "0,1,0,1.5\n5e-4,1,{0},0.25\n-2.5e-4,1,{1},-0.05\n",
        "time/s;<Ewe>/V;<I>/mA\n0;1,5;0,0\n60;0,25;0,5\n120;-0,05;-0,25\n",
        "EC-Lab ASCII FILE\nNb header lines : 4\n\nmode\ttime/s\tEwe/V\t<I>/mA\t\n"
        "1\t0,0E+000\t1,5E+000\t0,0\t\n1\t6,0E+001\t2,5E-001\t5,0E-001\t\n"
        "1\t1,2E+002\t-5,0E-002\t-2,5E-001\t\n",
    ],
    ids=["ours", "tabs", "milli", "hours", "commas", "mpt"],
)
def test_units_and_separators(tmp_path, text):
    text = text.replace("{0}", repr(1 / 60)).replace("{1}", repr(2 / 60))
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    curve = read_potential(tmp_path / "p.csv", clock_offset_s=10.0)
    np.testing.assert_allclose(curve.times_s, SECONDS)
    np.testing.assert_allclose(curve.potential_v, VOLTS)
    np.testing.assert_allclose(curve.current_ma, MILLIAMPERES)
    np.testing.assert_allclose(curve.recording_times_s, np.array(SECONDS) - 10)


def test_latin_1_and_a_missing_current(tmp_path):
    (tmp_path / "p.txt").write_bytes(
        "time/s\tEwe/V\tC/\u00b5F\n0\t1\t2\n1\t2\t3\n".encode("latin-1")
    )
    curve = read_potential(tmp_path / "p.txt")
    assert curve.current_ma is None
    np.testing.assert_array_equal(curve.potential_v, [1, 2])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("time,potential_v\n0,1\n", r"p\.csv has no column of time, such as time/s, with its unit"),
        ("time_s,current_ma\n0,1\n", r"p\.csv has no column of potential, .*: time_s, current_ma"),
        ("time_s,potential_v\n", r"p\.csv has a header but no rows"),
        (
            "time_s,potential_v\n0,1\n2,1\n1,1\n",
            r"p\.csv: times must not fall, .*line 4, column time_s \(1 s\)",
        ),
        ("time_s,potential_v\n0,1\n,1\n", r"p\.csv: line 3 has no time in column time_s"),
        ("time_s,potential_v\n0,high\n", r"p\.csv: line 2, column potential_v, holds 'high'"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path, text, sentence):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(AlloyError, match=sentence):
        read_potential(tmp_path / "p.csv")


def test_formats_that_are_not_read_are_said(tmp_path):
    (tmp_path / "p.res").write_bytes(b"BIO-LOGIC")
    with pytest.raises(AlloyError, match=r"p\.res is not a cycler file that is read: give CSV"):
        read_potential(tmp_path / "p.res")
    (tmp_path / "p.txt").write_bytes(b"\0\1\2")
    with pytest.raises(AlloyError, match=r"p\.txt is not a text file"):
        read_potential(tmp_path / "p.txt")
    with pytest.raises(AlloyError, match=r"gone\.csv cannot be opened"):
        read_potential(tmp_path / "gone.csv")


def test_columns_chosen_in_recording_toml(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 9, 8), np.uint16), photometric="minisblack")
    (tmp_path / "p.csv").write_text(
        "when,E1/V,E2/mV,amps\n0,1,1500,0\n60,1,250,0.5\n120,1,-50,-0.25\n"
    )
    toml = tmp_path / "recording.toml"
    head = '[trans]\npath = "a.tif"\nframe_interval_s = 1\n[potential]\npath = "p.csv"\n'
    toml.write_text(head)
    with pytest.raises(AlloyError, match=r"p\.csv has no column of potential.*potential_column"):
        open_experiment(toml)
    toml.write_text(
        head + 'time_column = "when"\npotential_column = "E2/mV"\ncurrent_column = "amps"\n'
    )
    curve = open_experiment(toml).potential
    np.testing.assert_allclose(curve.times_s, SECONDS)
    np.testing.assert_allclose(curve.potential_v, VOLTS)
    np.testing.assert_allclose(curve.current_ma, MILLIAMPERES)
    assert curve.columns["current"] == "amps (taken as mA)"
