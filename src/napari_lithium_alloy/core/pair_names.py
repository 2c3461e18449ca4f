"""Short names of compared images and their pairs, as figures write them, and which lead."""

from __future__ import annotations

import re
from collections.abc import Iterable

from napari_lithium_alloy.core.alloyed_images import Pair

_NAME = re.compile(
    r"cycle(?P<cycle>\d+)_(?:(?P<spots>sites|pores)|"
    r"(?P<kind>step|dealloying)(?P<step>\d+)_"
    r"(?:onset|(?P<region>unalloyed|alloyed)_(?P<moment>start|middle|end)))"
)
_SPOTS = {"sites": "Li", "pores": "pores"}
_LEADING = (
    ("step1_unalloyed_middle", "step2_alloyed_middle"),
    ("step1_alloyed_start", "sites"),
    ("step1_alloyed_middle", "sites"),
    ("step2_alloyed_start", "sites"),
    ("step2_alloyed_middle", "sites"),
    ("step1_alloyed_middle", "pores"),
    ("step2_alloyed_middle", "pores"),
    ("sites", "pores"),
)
"""The bars of Fig. 2C, then what becomes of the film where they lie."""


def short_image(name: str) -> str:
    """An image's name as in the paper's labels: S1s, S2m, unalloyed S1m un, sites Li.

    One of a later cycle ends with it, as in "Li, cycle 2"; a name of any other kind stays.
    """
    return _with_cycle(name, _label(name))


def short_pair(a: str, b: str) -> str:
    """A pair in words: "S1 unalloyed mid & S2 alloyed mid", "S1 alloyed start & Li"."""
    words = [_words(name) for name in (a, b)]
    if _cycle(a) == _cycle(b):
        return _with_cycle(b, " & ".join(words))
    return " & ".join(_with_cycle(n, w) for n, w in zip((a, b), words, strict=True))


def leading_pairs(pairs: Iterable[Pair]) -> list[Pair]:
    """Those of Fig. 2C and with pores first, cycle by cycle; the others follow as they came."""
    given = list(pairs)
    cycles = sorted({_cycle(a) for a, _ in given} - {0})
    wanted = [(f"cycle{c}_{a}", f"cycle{c}_{b}") for c in cycles for a, b in _LEADING]
    first = [pair for pair in wanted if pair in given]
    return first + [pair for pair in given if pair not in first]


def _cycle(name: str) -> int:
    """Number of the cycle of one of our images, 0 for any other."""
    found = _NAME.fullmatch(name)
    return int(found["cycle"]) if found else 0


def _with_cycle(name: str, text: str) -> str:
    cycle = _cycle(name)
    return f"{text}, cycle {cycle}" if cycle > 1 else text


def _step(found: re.Match[str]) -> str:
    return f"S{found['step']}" + ("'" if found["kind"] == "dealloying" else "")


def _label(name: str) -> str:
    found = _NAME.fullmatch(name)
    if found is None:
        return name
    if found["spots"]:
        return _SPOTS[found["spots"]]
    if not found["region"]:
        return f"{_step(found)} onset"
    return _step(found) + found["moment"][0] + (" un" if found["region"] == "unalloyed" else "")


def _words(name: str) -> str:
    found = _NAME.fullmatch(name)
    if found is None or not found["region"]:
        return _label(name)
    moment = found["moment"].replace("middle", "mid")
    return f"{_step(found)} {found['region']} {moment}"
