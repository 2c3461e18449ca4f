"""Numbers and times as instruments and spreadsheets write them in different countries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

CLOCK = re.compile(
    r"(?:(?P<d>\d+)(?:\s*d(?:ays?)?,?\s*|[\s.-]))?(?P<h>\d+):(?P<m>\d{1,2}):(?P<s>\d{1,2}(?:[.,]\d*)?)"
)
STAMP = re.compile(
    r"(?P<a>\d{1,4})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<c>\d{1,4})"
    r"(?:[T\s]+(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d+))?)?\s*(?P<half>[AP]M)?"
    r"(?:\s*(?P<zone>Z|[+-]\d{2}:?\d{2})(?!\d))?)?",
    re.IGNORECASE,
)

POINT_NOT_BEFORE_THREE = re.compile(r"\.(?!\d{3}(?:\D|$))")


def uses_decimal_comma(texts: Iterable[str]) -> bool:
    """Whether the comma is the decimal mark: there is one, it comes last, and no point can be."""
    texts = list(texts)
    if any(POINT_NOT_BEFORE_THREE.search(t) for t in texts):
        return False
    with_comma = [t for t in texts if "," in t]
    return bool(with_comma) and all(t.rfind(",") > t.rfind(".") for t in with_comma)


def to_number(text: str, *, decimal_comma: bool = False) -> float:
    """The number a text says, NaN for an empty one.

    Digits may be grouped by the mark that is not the decimal one, in threes.

    Raises
    ------
    ValueError
        If it is not a number.
    """
    plain = text.strip()
    if not plain:
        return float("nan")
    group, mark = (".", ",") if decimal_comma else (",", ".")
    if group in plain:
        if not re.fullmatch(rf"[-+]?\d{{1,3}}(?:[{group}]\d{{3}})+(?:[{mark}]\d*)?", plain):
            raise ValueError(text)
        plain = plain.replace(group, "")
    if "_" in plain:
        raise ValueError(text)
    return float(plain.replace(mark, "."))


def clock_seconds(text: str) -> float:
    """Seconds of "hh:mm:ss.fff", with any number of hours, and of "d hh:mm:ss"; NaN if empty.

    Raises
    ------
    ValueError
        If it is not such a time.
    """
    if not text.strip():
        return float("nan")
    found = CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    whole = 86400 * int(found["d"] or 0) + 3600 * int(found["h"]) + 60 * int(found["m"])
    return whole + float(found["s"].replace(",", "."))


def writes_day_first(texts: Iterable[str]) -> bool:
    """Whether a date such as 13/02/2021 among the texts shows that the day comes first."""
    return any(
        len(found["a"]) <= 2 and 12 < int(found["a"]) <= 31
        for text in texts
        if (found := STAMP.search(text))
    )


def to_stamp(text: str, *, day_first: bool | None = None) -> datetime:
    """Date and time as written, with a time zone only where one is.

    Parameters
    ----------
    text : str
        2021-02-03 16:17:59.5, 2021-02-03T16:17:59+01:00, 02/03/2021 4:17:59 PM or
        03.02.2021 16:17.
    day_first : bool or None
        Whether 02/03/2021 is in March; None: only if it is written with points.

    Raises
    ------
    ValueError
        If it is not a date.
    """
    found = STAMP.match(text.strip())
    if found is None:
        raise ValueError(text)
    a, b, c = (int(found[k]) for k in "abc")
    if len(found["a"]) == 4:
        year, month, day = a, b, c
    elif found["mark"] == "." if day_first is None else day_first:
        day, month, year = a, b, c
    else:
        month, day, year = a, b, c
    hour = int(found["h"] or 0)
    if found["half"]:
        hour = hour % 12 + 12 * (found["half"].upper() == "PM")
    microsecond = int((found["f"] or "0")[:6].ljust(6, "0"))
    return datetime(
        year if year > 99 else 2000 + year,
        *(month, day, hour, int(found["m"] or 0), int(found["s"] or 0), microsecond),
        tzinfo=_zone(found["zone"]),
    )


def _zone(text: str | None) -> tzinfo | None:
    """The time zone that Z, +01:00 or -0700 names."""
    if not text:
        return None
    if text in "Zz":
        return UTC
    minutes = 60 * int(text[1:3]) + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
