"""Files as each cycler's program writes them, made here."""

from datetime import UTC, datetime, timedelta

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.cyclers import read_potential

SECONDS, VOLTS, MILLIAMPERES = [0.0, 60.0, 120.0], [1.5, 0.25, -0.05], [0.0, 0.5, -0.25]
START = datetime(2021, 3, 2, 16, 17, 59)
GAMRY = (
    "EXPLAIN\nTAG\tPWR800_CHARGE\nDATE\tLABEL\t{date}\tDate\nTIME\tLABEL\t16:17:59\tTime\n"
    "{more}OCVCURVE\tTABLE\t1\n\tPt\tT\tVf\tAch\n\t#\ts\tV vs. Ref.\tV\n\t0\t1\t9\t0\n"
    "CURVE1\tTABLE\t2\n\tPt\tT\tVf\tIm\n\t#\ts\tV vs. Ref.\tA\n"
    "\t0\t0\t1{p}5\t0\n\t1\t60\t2{p}5E-001\t5E-004\n"
    "CURVE2\tTABLE\t1\n\tPt\tT\tVf\tIm\n\t#\ts\tV vs. Ref.\tA\n\t0\t120\t-0{p}05\t-2{p}5E-4\nEND\n"
)
CHI = (
    "Mar. 2, 2021   16:17:59\nChronopotentiometry\nFile: run.bin\nInstrument Model:  CHI760E\n"
    "Header: \nNote: \n\nCathodic Current (A) = {c}\nAnodic Current (A) = 0.0002\n"
    "High E Limit (V) = 3\nInit P/N = {pn}\nSegment = {n}\n\nTime/sec, Potential/V\n\n"
    "0.000e+0, 1.5\n6.000e+1, 0.25\n1.200e+2, -0.05\n"
)
LANDT = (
    "Record,Step-Index,StepTime/Sec,TestTime/Sec,Current/uA,Capacity/uAh,Voltage/V,SysTime\n"
    "1,1,0,0,0,0,1.5,2021-03-02 16:17:59\n2,2,0,60,500,0,0.25,2021-03-02 16:18:59\n"
    "3,2,60,120,-250,8,-0.05,2021-03-02 16:19:59\n"
)
ARBIN = (
    "Data_Point,Test_Time(s),Date_Time,Step_Time(s),Step_Index,Current(A),Voltage(V)\n"
    "1,0,03/02/2021 16:17:59.000,0,1,0,1.5\n2,60,03/02/2021 16:18:59.000,0,2,0.0005,0.25\n"
    "3,120,03/02/2021 16:19:59.000,60,2,-0.00025,-0.05\n"
)
NEWARE = (
    "Record ID,Step ID,Time(h:min:s.ms),Voltage(V),Current(mA),Realtime\n"
    "1,1,00:00:00.000,1.5,0,2021-03-02 16:17:59\n"
    "2,1,00:01:00.000,0.25,0.5,2021-03-02 16:18:59\n"
    "3,2,00:00:00.000,-0.05,-0.25,2021-03-02 16:19:59\n"
)
BDF = (
    "test_time_second,voltage_volt,current_ampere,unix_time_second\n0,1.5,0,1614701879\n"
    "60,0.25,5e-4,1614701939\n120,-0.05,-2.5e-4,1614701999\n"
)
ECLAB = (
    "EC-Lab ASCII FILE\nNb header lines : 80\n\nGalvanostatic Cycling\n\n"
    "Acquisition started on : 03/02/2021 16:17:59.000\n{blank}"
    "mode\ttime/s\tcontrol/V/mA\tEwe/V\tstep time/s\t<I>/mA\t\n"
    "1\t{t0}\t9\t1{p}5\t0\t0{p}0\n1\t{t1}\t9\t2{p}5E-001\t0\t5{p}0E-001\n"
    "1\t{t2}\t9\t-5{p}0E-002\t60\t-2{p}5E-001\n"
).replace("{blank}", "x (V)               0\n" * 73)
ABSOLUTE = [f"{START + timedelta(seconds=s):%m/%d/%Y %H:%M:%S.%f}"[:-3] for s in SECONDS]


def check(curve, *, current=MILLIAMPERES, started=START):
    np.testing.assert_allclose(curve.times_s, SECONDS)
    np.testing.assert_allclose(curve.potential_v, VOLTS)
    np.testing.assert_allclose(curve.current_ma, current, atol=1e-12)
    assert curve.started == started


def eclab(mark, times):
    return ECLAB.format(p=mark, t0=times[0], t1=times[1], t2=times[2])


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("a.DTA", GAMRY.format(date="3/2/2021", more="", p="."), ("T/s", "Vf/V", "Im/A")),
        ("a.dta", GAMRY.format(date="02.03.2021", more="", p=","), ("T/s", "Vf/V", "Im/A")),
        (
            "a.DTA",
            GAMRY.format(date="2/3/2021", more="DCCALDATE\tLABEL\t17/12/2014\tDate\n", p=","),
            ("T/s", "Vf/V", "Im/A"),
        ),
        ("landt.csv", LANDT, ("TestTime/Sec", "Voltage/V", "Current/uA")),
        ("arbin.CSV", ARBIN, ("Test_Time(s)", "Voltage(V)", "Current(A)")),
        (
            "neware.csv",
            NEWARE,
            ("Time(h:min:s.ms) (h:m:s) placed by Realtime", "Voltage(V)", "Current(mA)"),
        ),
        ("bdf.csv", BDF, ("test_time_second", "voltage_volt", "current_ampere")),
        ("a.mpt", eclab(",", ["0", "6,0E+001", "1,2E+002"]), ("time/s", "Ewe/V", "<I>/mA")),
        ("a.mpt", eclab(".", ABSOLUTE), ("time/s", "Ewe/V", "<I>/mA")),
    ],
    ids=[
        *("gamry", "gamry-comma", "gamry-day-first", "landt", "arbin", "neware-steps", "bdf"),
        *("eclab-80-lines", "eclab-absolute"),
    ],
)
def test_dialects(tmp_path, name, text, columns):
    (tmp_path / name).write_text(text, encoding="utf-8")
    curve = read_potential(tmp_path / name)
    check(curve, started=START.replace(tzinfo=UTC) if name == "bdf.csv" else START)
    assert tuple(curve.columns.values()) == columns


@pytest.mark.parametrize("date", ["03.02.2021", "03-02-2021", "03/02/21", "2021/03/02"])
def test_eclab_writes_the_month_first_with_any_mark(tmp_path, date):
    text = eclab(".", SECONDS).replace("03/02/2021", date)
    (tmp_path / "a.mpt").write_text(text)
    check(read_potential(tmp_path / "a.mpt"))


def test_eclab_with_no_more_head_than_three_lines(tmp_path):
    (tmp_path / "a.mpt").write_text(
        "EC-Lab ASCII FILE\nNb header lines : 3\ntime/s\tEwe/V\t<I>/mA\n"
        "0\t1.5\t0\n60\t0.25\t0.5\n120\t-0.05\t-0.25\n"
    )
    check(read_potential(tmp_path / "a.mpt"), started=None)


@pytest.mark.parametrize(
    ("polarity", "segments", "current"),
    [("N", "1", [0.5] * 3), ("P", "1", [-0.2] * 3), ("N", "2", None)],
)
def test_ch_instruments_chronopotentiogram(tmp_path, polarity, segments, current):
    text = CHI.format(c="5e-4", pn=polarity, n=segments)
    (tmp_path / "cp.txt").write_text(text, newline="\r\n")
    curve = read_potential(tmp_path / "cp.txt")
    if current is None:
        assert curve.current_ma is None
        assert "current" not in curve.columns
    else:
        check(curve, current=current)
        assert curve.columns["current"].endswith("athodic Current (A)") or current[0] < 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Time/ms\tE/V\n0\t1\n500\t2\n", [0, 0.5]),
        ("Time [min];E [mV]\n0,5;1000\n1,5;2000\n", [30, 90]),
        ("Total Time,Voltage(V)\n0-23:59:59,1\n1-00:00:01.5,2\n", [86399, 86401.5]),
        ("Running Time (d), Ewe (V vs. Li/Li+)\n0,1\n0.5,2\n", [0, 43200]),
        ("Time (h), E vs. Li/Li+ / V\n1,1\n2,2\n", [3600, 7200]),
        ("time/s  Ewe/V\n  0   1\n  1   2\n", [0, 1]),
        ('"Time (s)","WE(1).Potential (V)"\n"0.5","1"\n"1.5","2"\n', [0.5, 1.5]),
        ("step time/s,time/s,Ewe/V\n0,0,1\n0,5,2\n", [0, 5]),
        ("Step Time (s),Ewe/V\n3,1\n3,2\n", [3, 3]),
        ("DateTime,Ewe/V\n13/02/2021 23:59:00,1\n14/02/2021 00:00:00,2\n", [0, 60]),
        ("Unix Time / s,Ewe/V\n1614701879,1\n1614701880.5,2\n", [0, 1.5]),
    ],
)
def test_times_in_any_unit(tmp_path, text, seconds):
    (tmp_path / "p.txt").write_text(text, encoding="utf-16" if "ms" in text else "utf-8")
    curve = read_potential(tmp_path / "p.txt")
    np.testing.assert_allclose(curve.times_s, seconds)
    np.testing.assert_allclose(curve.potential_v, [1, 2])


def test_points_at_the_same_time_are_kept(tmp_path):
    (tmp_path / "p.csv").write_text("time/s,Ewe/V\n0,1\n5,1\n5,3\n5,2\n6,2\n")
    curve = read_potential(tmp_path / "p.csv")
    np.testing.assert_array_equal(curve.times_s, [0, 5, 5, 5, 6])
    np.testing.assert_array_equal(curve.potential_v, [1, 1, 3, 2, 2])


def test_columns_that_cannot_be_told_are_chosen(tmp_path):
    file = tmp_path / "p.csv"
    file.write_text(
        "made by hand\nZeit;E1/mV;E2;Strom (\u00b5A)\n0;1;1,5;0\n60;1;0,25;500\n120;1;-0,05;-250\n",
        encoding="utf-8",
    )
    with pytest.raises(AlloyError, match=r"potential_column .*: Zeit, E1/mV, E2, Strom \(µA\)\.$"):
        read_potential(file)
    chosen = {"time": "Zeit", "potential": "E2", "current": "Strom (\u00b5A)"}
    curve = read_potential(file, columns=chosen)
    check(curve, started=None)
    assert curve.columns == {
        "time": "Zeit (taken as s)",
        "potential": "E2 (taken as V)",
        "current": "Strom (\u00b5A)",
    }
    with_unit = read_potential(file, columns={**chosen, "potential": "E1/mV"})
    np.testing.assert_allclose(with_unit.potential_v, 1e-3)
    with pytest.raises(AlloyError, match=r"p\.csv has no column E3; its columns are: Zeit, E1/mV"):
        read_potential(file, columns={**chosen, "potential": "E3"})
    with pytest.raises(AlloyError, match="no quantity tension; choose time, potential, current"):
        read_potential(file, columns={"tension": "E2"})


@pytest.mark.parametrize("dates", [True, False])
def test_arbin_workbook_of_two_channel_sheets(tmp_path, dates):
    book = openpyxl.Workbook()
    book.active.title = "Global_Info"
    book.active.append(["Test name", "cell 1"])
    summary = book.create_sheet("StatisticByCycle_1")
    header = ["Data_Point", "Test_Time(s)", "Date_Time", "Current(A)", "Voltage(V)"]
    summary.append(header)
    summary.append([1, 1e6, START, 1, 9])
    rows = list(zip(SECONDS, MILLIAMPERES, VOLTS, strict=True))
    for name, part in (("Channel_1_1", rows[:2]), ("Channel_1_2", rows[2:])):
        sheet = book.create_sheet(name)
        sheet.append(header)
        for s, i, v in part:
            time = timedelta(seconds=s) if not dates else s
            sheet.append([1, time, START + timedelta(seconds=s) if dates else None, i / 1e3, v])
    other = book.create_sheet("Notes")
    other.append(["time/s", "Ewe/V"])
    other.append([0, 9])
    book.save(tmp_path / "a.xlsx")
    curve = read_potential(tmp_path / "a.xlsx")
    check(curve, started=START if dates else None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.tuples(*[st.floats(-1e6, 1e6, allow_subnormal=False)] * 2), min_size=1, max_size=8
    ),
    delimiter=st.sampled_from(["\t", ";"]),
    mark=st.sampled_from([".", ","]),
    order=st.permutations(["time/min", "Ewe/mV", "<I>/\u00b5A", "note"]),
    preamble=st.integers(0, 5),
    write=st.sampled_from([repr, "{:.17e}".format]),
)
def test_numbers_survive_any_layout(tmp_path, values, delimiter, mark, order, preamble, write):
    data = [
        {"time/min": float(k), "Ewe/mV": e, "<I>/\u00b5A": i} for k, (e, i) in enumerate(values)
    ]
    lines = ["Some setting : 3"] * preamble + [delimiter.join(order)]
    lines += [
        delimiter.join(write(d[c]).replace(".", mark) if c in d else "rest" for c in order)
        for d in data
    ]
    (tmp_path / "p.txt").write_text("\n".join(lines), encoding="utf-8")
    curve = read_potential(tmp_path / "p.txt")
    np.testing.assert_array_equal(curve.times_s, [60.0 * k for k in range(len(data))])
    np.testing.assert_allclose(curve.potential_v, [e / 1e3 for e, _ in values], rtol=1e-14)
    np.testing.assert_allclose(curve.current_ma, [i / 1e3 for _, i in values], rtol=1e-14)
