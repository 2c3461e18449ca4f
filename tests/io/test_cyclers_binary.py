"""Binary cycler files: damaged ones, missing extras, and what is made of their columns."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.cyclers import read_potential
from napari_lithium_alloy.io.cyclers.steps import steps_in_time


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("p.mpr", "galvani", "biologic"),
        ("p.nda", "NewareNDA", "neware"),
        ("p.ndax", "NewareNDA", "neware"),
    ],
)
def test_the_extra_that_is_missing_is_named(tmp_path, monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(AlloyError, match=rf"{name} needs the extra {extra}: pip install .*or expo"):
        read_potential(tmp_path / name)


@pytest.mark.parametrize("cut", [0, 20, 3000, 20000])
def test_binary_files_cut_short(shared, tmp_path, cut):
    pytest.importorskip("galvani", reason="the extra biologic is not installed")
    (tmp_path / "p.mpr").write_bytes((shared / "real/echem/cp.mpr").read_bytes()[:cut])
    with pytest.raises(AlloyError, match=r"p\.mpr is cut short, damaged or of a kind that is not"):
        read_potential(tmp_path / "p.mpr")


@pytest.mark.parametrize("name", ["p.nda", "p.ndax"])
@pytest.mark.parametrize("content", [b"", b"NEWARE", b"no such thing" * 99, b"PK\3\4"])
def test_neware_files_that_are_none(tmp_path, name, content):
    pytest.importorskip("NewareNDA", reason="the extra neware is not installed")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AlloyError, match=rf"{name} is cut short, damaged or of a kind that is not"):
        read_potential(tmp_path / name)


def test_charge_over_time_is_current_where_a_galvanostatic_file_stores_no_current(
    tmp_path, monkeypatch
):
    data = np.array(
        [(0, 0.0, 0.0, 2.0), (0, 10.0, -1e-3, 1.0), (0, 10.0, -1e-3, 1.0), (0, 30.0, 4e-3, 0.5)],
        dtype=[("flags", "u1"), ("time/s", "f8"), ("dq/mA.h", "f8"), ("Ewe/V", "f4")],
    )
    fake = ModuleType("galvani")
    fake.BioLogic = SimpleNamespace(MPRfile=lambda file: SimpleNamespace(data=data))
    monkeypatch.setitem(sys.modules, "galvani", fake)
    (tmp_path / "p.mpr").write_bytes(b"x")
    curve = read_potential(tmp_path / "p.mpr")
    np.testing.assert_allclose(curve.current_ma, [0, -0.36, 0, 0.72])
    assert curve.started is None


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_neware_steps_are_placed_by_date_even_when_the_clock_is_set_back(
    tmp_path, monkeypatch, zone
):
    dates = pd.to_datetime(
        [f"2021-03-02 16:{t}" for t in ("17:59", "18:00", "18:10", "18:10", "15:00", "15:02")]
    )
    frame = pd.DataFrame(
        {
            "Step": [1, 1, 2, 2, 3, 3],
            "Time": np.float32([0, 1.25, 0, 0.5, 0, 2]),
            "Voltage": [3.0, 2.0, 1.0, 0.5, 0.25, 0.125],
            "Current(mA)": [0, 0, -1, -1, 1, 1],
            "Timestamp": dates.tz_localize(zone),
        }
    )
    fake = ModuleType("NewareNDA")
    fake.read = lambda path, log_level: frame
    monkeypatch.setitem(sys.modules, "NewareNDA", fake)
    (tmp_path / "p.nda").write_bytes(b"x")
    curve = read_potential(tmp_path / "p.nda")
    np.testing.assert_allclose(curve.times_s, [0, 1.25, 11, 11.5, 11.5, 13.5])
    np.testing.assert_array_equal(curve.potential_v, frame["Voltage"])
    np.testing.assert_array_equal(curve.current_ma, frame["Current(mA)"])
    assert curve.started == dates[0].to_pydatetime()
    assert curve.columns["current"] == "Current(mA)"


def test_a_pause_and_a_clock_set_back_within_a_step():
    within_s = np.array([0.0, 10, 10.01, 20, 30, 40, 0, 10])
    since_s = np.array([0.0, 10, 500, 510, 355, 365, 400, 410])
    np.testing.assert_allclose(
        steps_in_time(within_s, since_s), [0, 10, 500, 509.99, 519.99, 529.99, 564.99, 574.99]
    )


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.floats(0.1, 100), st.floats(0, 1000)),
        min_size=1,
        max_size=12,
    )
)
def test_steps_of_true_times_are_put_back_within_the_rounding_of_their_dates(steps):
    true, within, numbers, now = [], [], [], 0.0
    for number, (points, interval, rest) in enumerate(steps):
        now += rest
        for point in range(points):
            true.append(now + point * interval)
            within.append(point * interval)
            numbers.append(number)
        now = true[-1]
    true = np.array(true) - true[0]
    times = steps_in_time(np.array(within), np.floor(true), np.array(numbers))
    assert (np.diff(times) >= 0).all()
    assert np.abs(times - true).max() < 1.001
