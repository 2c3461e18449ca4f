"""Numbers and times of different countries."""

import math
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.io.numerals import (
    clock_seconds,
    to_number,
    to_stamp,
    uses_decimal_comma,
    writes_day_first,
)

FINITE = st.floats(-1e300, 1e300)


@given(FINITE)
def test_any_float_survives_either_decimal_mark(value):
    assert to_number(repr(value)) == value
    assert to_number(repr(value).replace(".", ","), decimal_comma=True) == value
    assert to_number(f"{value:.15E}".replace(".", ","), decimal_comma=True) == pytest.approx(
        value, rel=1e-14
    )


@given(st.integers(-(10**12), 10**12), st.integers(0, 99))
def test_grouped_digits(whole, cents):
    english = f"{whole:,}.{cents:02}"
    german = english.translate(str.maketrans(",.", ".,"))
    plain = float(f"{whole}.{cents:02}")
    assert to_number(english) == plain
    assert to_number(german, decimal_comma=True) == plain


@given(st.lists(FINITE.map("{:.3f}".format), min_size=1))
def test_the_decimal_mark_of_a_column_is_told(points):
    assert not uses_decimal_comma(points)
    assert uses_decimal_comma([p.replace(".", ",") for p in points])


@pytest.mark.parametrize(
    ("texts", "comma"),
    [
        (["1,234.5", "0.5"], False),
        (["1.234,5", "0,5"], True),
        (["1,234", "0.5"], False),
        (["1.234", "0,5"], True),
        (["1", "2"], False),
        (["", "1,5"], True),
    ],
)
def test_decimal_marks_beside_grouping(texts, comma):
    assert uses_decimal_comma(texts) is comma


@pytest.mark.parametrize("text", ["high", "1,5", "1.2.3", "1,23,4", "1_000", "--", "0x10", "1 2"])
def test_what_is_not_a_number_is_refused(text):
    with pytest.raises(ValueError, match=text.replace(".", r"\.")):
        to_number(text)


def test_nothing_is_not_a_number():
    assert math.isnan(to_number(" "))
    assert math.isnan(clock_seconds(""))


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_clock_times(h, m, s, ms):
    seconds = 3600 * h + 60 * m + s + ms / 1000
    assert clock_seconds(f"{h:02}:{m:02}:{s:02}.{ms:03}") == pytest.approx(seconds)
    assert clock_seconds(f"{h}:{m:02}:{s:02},{ms:03}") == pytest.approx(seconds)
    for days in ("2-", "2 ", "2d ", "2.", "2 days, "):
        text = f"{days}{h % 24:02}:{m:02}:{s:02}.{ms:03}"
        assert clock_seconds(text) == pytest.approx(172800 + seconds - 3600 * (h - h % 24))


@pytest.mark.parametrize("text", ["12:30", "1:2:3:4", "a:b:c", "01:00:00 PM"])
def test_what_is_not_a_clock_time_is_refused(text):
    with pytest.raises(ValueError, match=text):
        clock_seconds(text)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_dates_as_instruments_write_them(when):
    assert to_stamp(when.isoformat(sep=" ")) == when
    assert to_stamp(when.isoformat()) == when
    assert to_stamp(f"{when:%m/%d/%Y %H:%M:%S.%f}") == when
    assert to_stamp(f"{when:%d/%m/%Y %H:%M:%S.%f}", day_first=True) == when
    assert to_stamp(f"{when:%d.%m.%Y %H:%M:%S,%f}") == when
    assert to_stamp(f"{when:%m/%d/%Y %I:%M:%S.%f %p}") == when


def test_the_order_of_day_and_month_is_told_by_any_date():
    assert writes_day_first(["01/02/2021", "x", "13/02/2021 10:00:00"])
    assert writes_day_first(["13.02.2021"])
    assert not writes_day_first(["01/02/2021", "02/13/2021", "2021-13-02", "21:13:02"])
    assert to_stamp("02.03.2021", day_first=False) == datetime(2021, 2, 3)
    with pytest.raises(ValueError, match="month"):
        to_stamp("13/02/2021")
    with pytest.raises(ValueError, match="noon"):
        to_stamp("noon")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("2021-02-03T16:17:59Z", 0),
        ("2021-02-03 16:17:59.000+01:00", 60),
        ("02/03/2021 4:17:59 PM -0730", -450),
    ],
)
def test_stamps_with_a_time_zone(text, minutes):
    zone = timezone(timedelta(minutes=minutes))
    assert to_stamp(text) == datetime(2021, 2, 3, 16, 17, 59, tzinfo=zone)
    assert to_stamp(text).utcoffset() == timedelta(minutes=minutes)
