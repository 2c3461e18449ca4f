"""The cycler files others recorded, as they are described beside them."""

import csv
from datetime import datetime

import numpy as np
import pytest

from napari_lithium_alloy.io.cyclers import read_potential

PAIRS = ("cp", "gcpl.issue_149", "gcpl.pr_182.1")


@pytest.fixture
def echem(shared):
    return shared / "real" / "echem"


def spans(curve):
    return [
        (float(v[0]), float(v[-1]), float(v.min()), float(v.max()))
        for v in (curve.times_s, curve.potential_v, curve.current_ma)
    ]


@pytest.mark.parametrize(
    ("name", "n", "times", "potentials", "currents", "columns", "started"),
    [
        (
            *("cp.mpt", 121, (328.364192, 447.364589, 328.364192, 447.364589)),
            (-3.2463198, -3.5944343, -3.5944343, -3.2463198),
            (-99.888, -99.91855, -99.956718, -99.849831),
            ("time/s", "<Ewe>/V", "I/mA"),
            datetime(2021, 3, 2, 16, 17, 59),
        ),
        (
            *("gcpl.issue_149.mpt", 132, (30.152999, 659.985796, 30.152999, 659.985796)),
            (3.4228721, 3.4320145, 3.4137828, 3.4466355),
            (0.0, -0.02999591, -0.02999932, 0.03001142),
            ("time/s", "Ewe/V", "<I>/mA"),
            datetime(2024, 1, 10, 11, 2, 29, 886000),
        ),
        (
            *("gcpl.pr_182.1.mpt", 2533, (0.0, 302518.9476, 0.0, 302518.9476)),
            (2.3403094, 1.1594497, 0.0038288473, 2.3545616),
            (0.0, 0.0, -0.25005355, 0.22177228),
            ("time/s", "Ewe/V", "<I>/mA"),
            None,
        ),
        (
            *("CHARGE_3.DTA", 66, (0.1, 6.56833, 0.1, 6.56833)),
            (-0.289835, 0.297851, -0.289835, 0.297851),
            (20.0063, 20.0068, 20.0058, 20.0069),
            ("T/s", "Vf/V", "Im/A"),
            datetime(2015, 11, 12, 11, 16, 43),
        ),
        (
            *("CHI1040C_CV_charge_time.txt", 14400, (0.04, 576.0, 0.04, 576.0)),
            (-0.9, -0.899, -0.9, 0.9),
            (0.01305, 0.01085, -0.004901, 0.01305),
            ("Time/s", "Potential/V", "Current/A"),
            datetime(2024, 10, 4, 11, 25, 46),
        ),
        (
            *("batmo_bdf.csv", 21206, (500.0, 1411480.0, 500.0, 1411480.0)),
            (3.31121479, 3.00654799, 2.36335385, 3.59659726),
            (6.05515801, 0.0, -121.10316018, 121.10316018),
            ("Test Time / h", "Voltage / V", "Current / A"),
            None,
        ),
        (
            *("neware_uio.csv", 9065, (0.0, 518538.0, 0.0, 518538.0)),
            (2.917, 0.4251, 0.05, 2.957),
            (0.0, 0.99171, -0.9918, 0.99174),
            ("Cumulative Time (h:m:s)", "Voltage(V)", "Current(A)"),
            datetime(2022, 5, 18, 16, 27, 52),
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_files_hold_what_they_hold(echem, name, n, times, potentials, currents, columns, started):
    curve = read_potential(echem / name)
    assert len(curve.times_s) == len(curve.potential_v) == len(curve.current_ma) == n
    for found, expected in zip(spans(curve), (times, potentials, currents), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
    assert dict(curve.columns) == dict(zip(("time", "potential", "current"), columns, strict=True))
    assert curve.started == started
    assert (np.diff(curve.times_s) >= 0).all()


@pytest.mark.parametrize("name", PAIRS)
def test_binary_and_text_of_one_run_agree(echem, name):
    pytest.importorskip("galvani", reason="the extra biologic is not installed")
    binary, text = read_potential(echem / f"{name}.mpr"), read_potential(echem / f"{name}.mpt")
    for key in ("times_s", "potential_v", "current_ma"):
        np.testing.assert_allclose(getattr(binary, key), getattr(text, key), rtol=1e-5, atol=1e-9)
    assert binary.columns == text.columns
    assert binary.started == text.started


def test_every_row_of_the_neware_file_is_as_a_plain_reader_sees_it(echem):
    with (echem / "neware_uio.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    curve = read_potential(echem / "neware_uio.csv")
    seconds = [
        sum(int(v) * w for v, w in zip(r["Cumulative Time"].split(":"), (3600, 60, 1), strict=True))
        for r in rows
    ]
    np.testing.assert_array_equal(curve.times_s, seconds)
    np.testing.assert_array_equal(curve.potential_v, [float(r["Voltage(V)"]) for r in rows])
    np.testing.assert_allclose(curve.current_ma, [1e3 * float(r["Current(A)"]) for r in rows])


def test_steps_placed_by_dates_keep_step_with_the_test_time(echem, tmp_path):
    text = (echem / "neware_uio.csv").read_text().replace("Cumulative Time", "Ignored", 1)
    (tmp_path / "steps.csv").write_text(text)
    placed, test = read_potential(tmp_path / "steps.csv"), read_potential(echem / "neware_uio.csv")
    assert placed.columns["time"] == "Time (h:m:s) placed by Date"
    assert (np.diff(placed.times_s) >= 0).all()
    assert np.abs(placed.times_s - test.times_s).max() < 20
