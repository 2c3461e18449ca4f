"""Units as instruments write them."""

from __future__ import annotations

import math

LENGTH_UM = {
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    "cm": 1e4,
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("um", "micron", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("a", "å", "angstrom"), 1e-4),
    "pm": 1e-6,
    **dict.fromkeys(("in", "inch"), 25400.0),
}
TIME_S = {
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond"), 1e-3),
    **dict.fromkeys(("us", "microsecond"), 1e-6),
    **dict.fromkeys(("min", "minute"), 60.0),
    **dict.fromkeys(("h", "hr", "hour"), 3600.0),
    **dict.fromkeys(("d", "day"), 86400.0),
}
POTENTIAL_V = {"v": 1.0, "mv": 1e-3, "volt": 1.0}
CURRENT_MA = {"a": 1e3, "ma": 1.0, "ua": 1e-3, "na": 1e-6, "ampere": 1e3}


def factor(unit: object, units: dict[str, float]) -> float | None:
    """What one `unit` is in the unit of `units`; None for a unit that is not among them.

    Both micro signs, ImageJ's escaped one, and plurals are understood.
    """
    name = str(unit).strip().strip('"').lower().replace("\\u00b5", "u")
    name = name.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    known = units.get(name)
    return units.get(name.removesuffix("s")) if known is None else known


def length_um(value: object, unit: object) -> float | None:
    """A length in micrometres; None where value or unit say nothing."""
    return _converted(value, factor(unit, LENGTH_UM))


def time_s(value: object, unit: object) -> float | None:
    """A time in seconds; None where value or unit say nothing."""
    return _converted(value, factor(unit, TIME_S))


def _converted(value: object, by: float | None) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return None if by is None or not math.isfinite(number) else number * by
