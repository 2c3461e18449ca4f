"""Who came of whom: objects linked from frame to frame, with births, merges, splits and ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from skimage import segmentation

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.tables import conform, empty

EVENTS = ("birth", "merge", "split", "closure")
LEAST_OVERLAP = 0.5
"""Overlap, as a share of the smaller one's area, that makes two regions one object."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Lineage:
    """Descent of objects; each lives from its birth, or a merge or split, to its end.

    Attributes
    ----------
    events : pandas.DataFrame
        The table `pore_events`: time_s, event (birth, merge, split, closure), pore, parents.
    parents : dict of int to list of int
        Of each object that came of a merge or a split, as napari's Tracks take them.
    """

    events: pd.DataFrame
    parents: Mapping[int, list[int]]

    def children(self) -> dict[int, list[int]]:
        """Objects that came of each."""
        found: dict[int, list[int]] = {}
        for child, parents in self.parents.items():
            for parent in parents:
                found.setdefault(parent, []).append(child)
        return found

    def ancestors(self, pore: int) -> set[int]:
        """All it came of, itself included: the way back in time."""
        return _reached(pore, self.parents)

    def descendants(self, pore: int) -> set[int]:
        """All that came of it, itself included: the way forward."""
        return _reached(pore, self.children())

    def count(self, event: str) -> int:
        """Number of events of a kind; a split into n counts once."""
        return count_events(self.events)[event]


def _reached(start: int, links: Mapping[int, list[int]]) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        for other in links.get(waiting.pop(), []):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


@dataclass(eq=False)
class LineageBuilder:
    """Links label images, one after the other, by overlap.

    A region goes on an object if they overlap by half of the smaller one; else it is linked to
    the object it overlaps most, if neither has another link. An object that is not seen keeps its
    place and its number until `close` is called.
    """

    events: list[dict[str, object]] = field(default_factory=list)
    parents: dict[int, list[int]] = field(default_factory=dict)
    latest: IntArray = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    next_number: int = 1
    _at: IntArray = field(default_factory=lambda: np.zeros(0, int))
    _unseen_since: dict[int, float] = field(default_factory=dict)
    _sizes: IntArray = field(default_factory=lambda: np.zeros(1, int))

    def add(self, regions: IntArray, time_s: float) -> IntArray:
        """Link the regions 1..n of a frame to the objects so far; (n + 1,) their numbers."""
        at = np.flatnonzero(regions != 0)
        return self.add_pixels(regions.shape, at, regions.ravel()[at], time_s)

    def add_pixels(
        self, shape: tuple[int, ...], at: IntArray, regions: IntArray, time_s: float
    ) -> IntArray:
        """The same for regions given by their pixels.

        Parameters
        ----------
        shape : (int, int)
            Of the picture.
        at, regions : (N,) int arrays
            Pixels of regions, as indices of the flat picture, and which region each is of.
        time_s : float
        """
        if self.latest.shape != shape:
            if self.latest.size:
                raise AlloyError("Label images of one lineage must have one shape.")
            self.latest = np.zeros(shape, dtype=np.int32)
        n = int(regions.max(initial=0))
        region, old = self._links(at, regions, n)
        links = np.bincount(region, minlength=n + 1), np.bincount(old, minlength=self.next_number)
        number = np.zeros(n + 1, dtype=np.int32)
        goes_on = (links[0][region] == 1) & (links[1][old] == 1)
        number[region[goes_on]] = old[goes_on]
        replaced: set[int] = set()
        for one in (np.flatnonzero(number[1:] == 0) + 1).tolist():
            parents = old[region == one].tolist()
            number[one] = self._new()
            replaced.update(parents)
            kind = "merge" if len(parents) > 1 else "split" if parents else "birth"
            self._event(time_s, kind, int(number[one]), parents)
        self._remember(at, number[regions], number, replaced, time_s)
        return number

    def close(self) -> None:
        """End the objects that are not seen any more, at the time they were missed first."""
        gone = sorted(self._unseen_since.items(), key=lambda item: (item[1], item[0]))
        for number, time_s in gone:
            self._event(time_s, "closure", number, [])
        if gone:
            seen = self.latest.ravel()[self._at]
            self._keep(self._at, np.where(np.isin(seen, [n for n, _ in gone]), 0, seen))
        self._unseen_since.clear()

    def lineage(self) -> Lineage:
        """What was found so far."""
        return Lineage(events=events_table(self.events), parents=self.parents)

    def _new(self) -> int:
        self.next_number += 1
        return self.next_number - 1

    def _event(self, time_s: float, kind: str, number: int, parents: list[int]) -> None:
        if parents:
            self.parents[number] = parents
        text = " ".join(str(p) for p in parents)
        self.events.append({"time_s": time_s, "event": kind, "pore": number, "parents": text})

    def _links(self, at: IntArray, mine: IntArray, n: int) -> tuple[IntArray, IntArray]:
        """Regions and the objects they are linked to, in the order of both."""
        theirs = self.latest.ravel()[at]
        both = theirs > 0
        keys = mine[both].astype(np.int64) * self.next_number + theirs[both]
        pairs, overlap = counted(keys)
        region, old = pairs // self.next_number, pairs % self.next_number
        sizes = np.bincount(mine, minlength=n + 1)
        linked = overlap >= LEAST_OVERLAP * np.minimum(sizes[region], self._sizes[old])
        linked |= _only_choice(region, old, overlap, linked)
        return region[linked], old[linked]

    def _remember(
        self, at: IntArray, numbers: IntArray, seen: IntArray, replaced: set[int], time_s: float
    ) -> None:
        """Carry over objects that are not seen where nothing else is now."""
        held = np.zeros(self.next_number, dtype=bool)
        held[: len(self._sizes)] = self._sizes > 0
        gone_on = np.zeros(self.next_number, dtype=bool)
        gone_on[seen] = True
        gone_on[list(replaced)] = True
        held &= ~gone_on
        for number in [k for k in self._unseen_since if gone_on[k]]:
            del self._unseen_since[number]
        for number in np.flatnonzero(held).tolist():
            self._unseen_since.setdefault(number, time_s)
        if held.any():
            before = self.latest.ravel()[self._at]
            left = self._at[held[before]]
            left = left[~np.isin(left, at, kind="table")]
            at, numbers = (
                np.concatenate([left, at]),
                np.concatenate([self.latest.ravel()[left], numbers]),
            )
        self._keep(at, numbers)

    def _keep(self, at: IntArray, numbers: IntArray) -> None:
        """Make these pixels' numbers the latest."""
        latest = self.latest.reshape(-1)
        latest[self._at] = 0
        latest[at] = numbers
        self._at = at
        self._sizes = np.bincount(numbers, minlength=self.next_number)
        self._sizes[0] = 0


def counted(keys: IntArray) -> tuple[IntArray, IntArray]:
    """The different keys and how often each is there; neighbours in a row are mostly alike."""
    first = np.flatnonzero(np.diff(keys, prepend=-1) != 0)
    found, which = np.unique(keys[first], return_inverse=True)
    lengths = np.diff(first, append=len(keys))
    return found, np.bincount(which, weights=lengths, minlength=len(found)).astype(np.int64)


def _only_choice(
    region: IntArray, old: IntArray, overlap: IntArray, linked: BoolArray
) -> BoolArray:
    """Pairs that overlap little, but where neither has another: each other's largest overlap."""
    free = ~linked
    for own in (region, old):
        taken = np.zeros(int(own.max(initial=0)) + 1, dtype=bool)
        taken[own[linked]] = True
        free &= ~taken[own]
    chosen = np.zeros(len(region), dtype=bool)
    taken_regions: set[int] = set()
    taken_old: set[int] = set()
    for k in np.argsort(-overlap * free, kind="stable")[: int(free.sum())]:
        if int(region[k]) not in taken_regions and int(old[k]) not in taken_old:
            chosen[k] = True
            taken_regions.add(int(region[k]))
            taken_old.add(int(old[k]))
    return chosen


def lineage_of_labels(labels: Iterable[IntArray], times_s: FloatArray) -> tuple[IntArray, Lineage]:
    """Link the label images of a stack by overlap.

    Parameters
    ----------
    labels : iterable of (Y, X) int arrays
        Regions of each frame, 0 for none; their numbers mean nothing from frame to frame.
    times_s : (T,) float array

    Returns
    -------
    numbered : (T, Y, X) int32 array
        The same regions, each object with one number as long as it lives.
    lineage : Lineage
    """
    builder, numbered = LineageBuilder(), []
    for one, time_s in zip(labels, times_s, strict=True):
        regions = segmentation.relabel_sequential(one)[0]  # no births of numbers left out
        numbered.append(builder.add(regions, float(time_s))[regions])
    builder.close()
    return np.stack(numbered), builder.lineage()


def lineage_of_links(spots: pd.DataFrame, links: pd.DataFrame) -> tuple[pd.DataFrame, Lineage]:
    """The lineage of spots linked by another program, such as TrackMate.

    Parameters
    ----------
    spots : pandas.DataFrame
        With columns spot (any integers) and time_s.
    links : pandas.DataFrame
        With columns source and target, the spots linked, in whichever order of time.

    Returns
    -------
    spots : pandas.DataFrame
        The same with a column pore: its number in the lineage.
    lineage : Lineage

    Raises
    ------
    AlloyError
        If a link names a spot that is not there, or two of one time.
    """
    time = dict(zip(spots["spot"].tolist(), spots["time_s"].tolist(), strict=True))
    before, after = _directed(links, time)
    number: dict[int, int] = {}
    events: list[dict[str, object]] = []
    parents: dict[int, list[int]] = {}
    for spot in sorted(time, key=lambda s: (time[s], s)):
        old = before.get(spot, [])
        if len(old) == 1 and len(after[old[0]]) == 1:
            number[spot] = number[old[0]]
            continue
        number[spot] = max(number.values(), default=0) + 1
        came_of = sorted({number[s] for s in old})
        if came_of:
            parents[number[spot]] = came_of
        kind = "merge" if len(came_of) > 1 else "split" if came_of else "birth"
        text = " ".join(str(p) for p in came_of)
        events.append({"time_s": time[spot], "event": kind, "pore": number[spot], "parents": text})
    numbered = spots.assign(pore=[number[s] for s in spots["spot"]])
    return numbered, Lineage(events=events_table(events), parents=parents)


def _directed(
    links: pd.DataFrame, time: Mapping[int, float]
) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Earlier spots of each, and later ones."""
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for a, b in zip(links["source"].tolist(), links["target"].tolist(), strict=True):
        if a not in time or b not in time:
            raise AlloyError(f"A link names spot {a if a not in time else b}, which is not there.")
        if time[a] == time[b]:
            raise AlloyError(f"Spots {a} and {b} are linked but of one time; remove the link.")
        early, late = (a, b) if time[a] < time[b] else (b, a)
        before.setdefault(late, []).append(early)
        after.setdefault(early, []).append(late)
    return before, after


def count_events(events: pd.DataFrame) -> dict[str, int]:
    """Number of each kind of event; a split into n counts once."""
    again = (events["event"] == "split") & events.duplicated(["time_s", "parents"])
    counts = events.loc[~again, "event"].value_counts()
    return {kind: int(counts.get(kind, 0)) for kind in EVENTS}


def events_table(events: list[dict[str, object]]) -> pd.DataFrame:
    """The table `pore_events` in the order of time."""
    if not events:
        return empty("pore_events")
    rows = pd.DataFrame(events).sort_values("time_s", kind="stable")
    return conform("pore_events", rows)
