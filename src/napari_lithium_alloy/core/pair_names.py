"""Short names of compared images and their pairs, as figures write them, and which they show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

from napari_lithium_alloy.core.alloyed_images import Pair

_NAME = re.compile(
    r"cycle(?P<cycle>\d+)_(?:(?P<spots>sites|pores)|(?P<stage>SEI|deposition|dissolution)_onset|"
    r"(?P<kind>step|dealloying)(?P<step>\d+)_"
    r"(?:onset|(?P<region>unalloyed|alloyed)_(?P<moment>start|middle|end)))"
)
_SPOTS = {"sites": "Li", "pores": "pores"}


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


def paper_pairs(steps: Sequence[str], spots: Sequence[str]) -> list[Pair]:
    """The bars of Fig. 2C of the steps of a cycle, then those with pores.

    Parameters
    ----------
    steps : sequence of str
        Their keys (cycle1_step1), in order.
    spots : sequence of str
        Names of the cycle's masks (cycle1_sites, cycle1_pores).
    """
    pairs = [(f"{a}_unalloyed_middle", f"{b}_alloyed_middle") for a, b in combinations(steps, 2)]
    pairs += [
        (f"{key}_alloyed_{moment}", spot)
        for spot in spots
        for key in steps
        for moment in ("start", "middle")
    ]
    return pairs + list(combinations(spots, 2))


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
    if found["stage"]:
        return f"{found['stage']} onset"
    if not found["region"]:
        return f"{_step(found)} onset"
    return _step(found) + found["moment"][0] + (" un" if found["region"] == "unalloyed" else "")


def _words(name: str) -> str:
    found = _NAME.fullmatch(name)
    if found is None or not found["region"]:
        return _label(name)
    moment = found["moment"].replace("middle", "mid")
    return f"{_step(found)} {found['region']} {moment}"
