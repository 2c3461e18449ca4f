"""Columns that cannot be told by their names, chosen by hand with their units."""

import openpyxl
import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.cyclers import ColumnsNotToldError, columns_of, read_potential
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.stages_file import save_columns

GERMAN = """\
Versuch 7
Zelle;A3
Datum;Nr;Spannung;Strom
01.02.2021 10:00:00;1;0,5;10
01.02.2021 10:01:00;2;0,25;10
01.02.2021 10:03:00;3;-0,05;-20
"""
NUMBERS = "counter\telapsed\tchannel 1\tchannel 2\n0\t0\t500\t0.01\n1\t1\t250\t-0.02\n"


def test_the_error_names_the_columns_to_choose_from(tmp_path):
    for name, text, names in (
        ("a.csv", GERMAN, ("Datum", "Nr", "Spannung", "Strom")),
        ("b.txt", NUMBERS, ("counter", "elapsed", "channel 1", "channel 2")),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ColumnsNotToldError, match="no column of potential") as caught:
            read_potential(tmp_path / name)
        assert caught.value.names == names
        assert caught.value.path == tmp_path / name


def test_chosen_columns_and_units(tmp_path):
    (tmp_path / "a.csv").write_text(GERMAN)
    chosen = {"time": "Datum", "potential": "Spannung", "current": "Strom"}
    curve = read_potential(tmp_path / "a.csv", columns=chosen, units={"current": "µA"})
    assert curve.times_s.tolist() == [0, 60, 180]
    assert curve.potential_v.tolist() == [0.5, 0.25, -0.05]
    assert curve.current_ma == pytest.approx([0.01, 0.01, -0.02])
    assert curve.columns["current"] == "Strom (taken as µA)"
    assert curve.started.isoformat() == "2021-02-01T10:00:00"
    (tmp_path / "b.txt").write_text(NUMBERS)
    curve = read_potential(
        tmp_path / "b.txt",
        columns={"time": "elapsed", "potential": "channel 1", "current": "channel 2"},
        units={"time": "h", "potential": "mV", "current": "A"},
    )
    assert curve.times_s.tolist() == [0, 3600]
    assert curve.potential_v.tolist() == [0.5, 0.25]
    assert curve.current_ma.tolist() == [10, -20]
    assert curve.chosen == {
        "time_column": "elapsed",
        "potential_column": "channel 1",
        "current_column": "channel 2",
        "time_unit": "h",
        "potential_unit": "mV",
        "current_unit": "A",
    }


def test_a_chosen_unit_wins_over_the_headers(tmp_path):
    (tmp_path / "a.csv").write_text("time/s,Ewe/V\n0,500\n1,400\n")
    columns = {"time": "time/s", "potential": "Ewe/V"}
    curve = read_potential(
        tmp_path / "a.csv", columns=columns, units={"time": "min", "potential": "mV"}
    )
    assert curve.times_s.tolist() == [0, 60]
    assert curve.potential_v.tolist() == [0.5, 0.4]


def test_columns_of_a_file(tmp_path):
    (tmp_path / "a.csv").write_text("time/s,Ewe/V,I/mA,Ece/V\n0,1,2,3\n")
    assert columns_of(tmp_path / "a.csv") == (
        ("time/s", "Ewe/V", "I/mA", "Ece/V"),
        {"time": "time/s", "potential": "Ewe/V", "current": "I/mA"},
    )
    (tmp_path / "b.txt").write_text(NUMBERS)
    assert columns_of(tmp_path / "b.txt")[1] == {}
    book = openpyxl.Workbook()
    for row in (("run 7",), ("alpha", "beta", "gamma"), (0, 1.5, 2), (1, 1.25, 2)):
        book.active.append(row)
    book.save(tmp_path / "c.xlsx")
    assert columns_of(tmp_path / "c.xlsx") == (("alpha", "beta", "gamma"), {})
    curve = read_potential(tmp_path / "c.xlsx", columns={"time": "alpha", "potential": "beta"})
    assert curve.potential_v.tolist() == [1.5, 1.25]
    (tmp_path / "d.csv").write_text("")
    with pytest.raises(AlloyError, match="is empty"):
        columns_of(tmp_path / "d.csv")


@pytest.mark.parametrize("names", ["time\tE\tI", "Zeit\tSpannung\tStrom"])
def test_units_in_a_line_of_their_own(tmp_path, names):
    (tmp_path / "a.txt").write_text(f"run 7\n{names}\nmin\tmV\tA\n0\t500\t0.01\n1\t400\t0.02\n")
    header = tuple(f"{n}/{u}" for n, u in zip(names.split(), ("min", "mV", "A"), strict=True))
    found, told = columns_of(tmp_path / "a.txt")
    assert found == header
    chosen = {} if told else dict(zip(("time", "potential", "current"), header, strict=True))
    curve = read_potential(tmp_path / "a.txt", columns=chosen)
    assert curve.times_s.tolist() == [0, 60]
    assert curve.potential_v.tolist() == [0.5, 0.4]
    assert curve.current_ma.tolist() == [10, 20]
    assert tuple(curve.columns.values()) == header


def test_wrong_choices_are_said(tmp_path):
    (tmp_path / "b.txt").write_text(NUMBERS)
    with pytest.raises(AlloyError, match="furlong is no unit of time; give s, ms, min, h"):
        read_potential(tmp_path / "b.txt", units={"time": "furlong"})
    with pytest.raises(AlloyError, match="There is no quantity charge; choose time, potential,"):
        read_potential(tmp_path / "b.txt", columns={"charge": "counter"})


def test_a_choice_is_kept_in_recording_toml(tmp_path, gold_like):
    file, chosen = gold_like, {"time_column": "elapsed", "potential_column": "channel 1"}
    with pytest.raises(ColumnsNotToldError):
        open_experiment(file)
    save_columns(file, {**chosen, "potential_unit": "mV"})
    assert open_experiment(file).potential.potential_v.tolist() == [0.5, 0.25]
    save_columns(file, chosen)
    assert open_experiment(file).potential.potential_v.tolist() == [500, 250]
    assert file.read_text().startswith("# mine\n")


@pytest.fixture
def gold_like(tmp_path):
    import numpy as np
    import tifffile

    frames = np.ones((4, 6, 7), np.uint16)
    tifffile.imwrite(tmp_path / "film.tif", frames, photometric="minisblack")
    (tmp_path / "b.txt").write_text(NUMBERS)
    file = tmp_path / "recording.toml"
    file.write_text('# mine\n[trans]\npath = "film.tif"\n\n[potential]\npath = "b.txt"\n')
    return file
