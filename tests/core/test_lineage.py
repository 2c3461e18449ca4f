"""Lineages against a slow linker of sets, of real colonies that merge, and walked both ways."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.lineage import Lineage, lineage_of_labels, lineage_of_links
from napari_lithium_alloy.core.tables import TABLES, empty

SIDE = 26


def discs(places):
    """Labels of the regions that discs (row, column, radius) make together."""
    y, x = np.ogrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), bool)
    for row, column, radius in places:
        mask |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return ndimage.label(mask)[0]


def pixels_of(labels):
    return {int(k): frozenset(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels) if k}


def linked(now, before):
    """Pairs (region, object): those that overlap by half, then the largest overlap of the free."""
    shared = {(a, b): len(p & q) for a, p in now.items() for b, q in before.items() if p & q}
    pairs = {(a, b) for (a, b), n in shared.items() if n >= 0.5 * min(len(now[a]), len(before[b]))}
    mine, theirs = {a for a, _ in pairs}, {b for _, b in pairs}
    free = [(-n, a, b) for (a, b), n in shared.items() if a not in mine and b not in theirs]
    for _, a, b in sorted(free):
        if a not in mine and b not in theirs:
            pairs.add((a, b))
            mine.add(a)
            theirs.add(b)
    return pairs


def slow_lineage(stack):
    """Numbers of each frame's regions and events, by dictionaries of sets of pixels."""
    before, missed, frames, events, last = {}, {}, [], [], 0
    for t, labels in enumerate(stack):
        now = pixels_of(labels)
        pairs = linked(now, before)
        number, replaced = {}, set()
        for a in sorted(now):
            old = sorted(b for k, b in pairs if k == a)
            if len(old) == 1 and sum(b == old[0] for _, b in pairs) == 1:
                number[a] = old[0]
                continue
            last += 1
            number[a] = last
            replaced |= set(old)
            kind = "merge" if len(old) > 1 else "split" if old else "birth"
            events.append((t, kind, last, old))
        frames.append({number[a]: p for a, p in now.items()})
        covered = frozenset().union(*now.values()) if now else frozenset()
        hidden = {b: q - covered for b, q in before.items() if b not in replaced}
        hidden = {b: q for b, q in hidden.items() if b not in number.values()}
        missed = {b: missed.get(b, t) for b in hidden}
        before = {b: q for b, q in hidden.items() if q} | frames[-1]
    return frames, events, missed


places = st.lists(
    st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), st.integers(2, 5)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(first=places, seed=st.integers(0, 2**16))
def test_moving_discs_are_linked_as_the_slow_linker_does(first, seed):
    rng = np.random.default_rng(seed)
    now, stack = np.array(first, float), []
    for _ in range(6):
        there = rng.uniform(size=len(now)) > 0.15
        stack.append(discs(now[there]))
        now = now + np.column_stack(
            [rng.normal(0, 1.5, (len(now), 2)), rng.normal(0, 0.5, len(now))]
        )
    numbered, lineage = lineage_of_labels(stack, np.arange(6.0))
    frames, events, _ = slow_lineage(stack)
    assert [pixels_of(one) for one in numbered] == frames
    assert [pixels_of(one > 0) for one in numbered] == [pixels_of(s > 0) for s in stack]
    found = lineage.events[lineage.events["event"] != "closure"]
    told = [
        (int(e.time_s), e.event, int(e.pore), [int(p) for p in e.parents.split()])
        for e in found.itertuples()
    ]
    assert told == events
    assert lineage.parents == {pore: old for _, _, pore, old in events if old}


def test_what_is_not_seen_at_the_end_closed_when_it_was_missed_first():
    stack = [discs([(8, 8, 4), (18, 18, 4)])] * 2 + [discs([(8, 8, 4)])] * 3
    _, lineage = lineage_of_labels(stack, np.arange(5.0))
    closed = lineage.events[lineage.events["event"] == "closure"]
    assert closed[["time_s", "pore"]].to_numpy().tolist() == [[2.0, 2]]
    _, _, missed = slow_lineage(stack)
    assert missed == {2: 2}


def test_numbers_left_out_of_labels_are_no_births():
    stack = [40 * discs([(8, 8, 4)]), 7 * discs([(8, 8, 4), (19, 19, 3)])]
    numbered, lineage = lineage_of_labels(stack, np.arange(2.0))
    assert lineage.events["pore"].tolist() == [1, 2]
    assert np.unique(numbered).tolist() == [0, 1, 2]


def test_ancestors_and_descendants_are_walked_both_ways():
    # 1 and 2 become 4; 4 and 3 become 5; 5 splits into 6 and 7.
    lineage = Lineage(events=empty("pore_events"), parents={4: [1, 2], 5: [4, 3], 6: [5], 7: [5]})
    assert lineage.ancestors(6) == {6, 5, 4, 3, 2, 1}
    assert lineage.descendants(1) == {1, 4, 5, 6, 7}
    assert lineage.descendants(7) == {7}
    assert lineage.children() == {1: [4], 2: [4], 4: [5], 3: [5], 5: [6, 7]}
    everyone = range(1, 8)
    assert all((a in lineage.ancestors(b)) == (b in lineage.descendants(a))
               for a in everyone for b in everyone)  # fmt: skip


def test_discs_that_meet_and_part_are_a_merge_and_one_split():
    apart, together = [(12, 6, 5), (12, 19, 5)], [(12, 9, 5), (12, 16, 5)]
    stack = [discs(p) for p in (apart, together, together, apart)]
    numbered, lineage = lineage_of_labels(stack, np.array([0.0, 10, 20, 30]))
    assert list(lineage.events.columns) == list(TABLES["pore_events"])
    assert lineage.events["event"].tolist() == ["birth", "birth", "merge", "split", "split"]
    assert lineage.events["time_s"].tolist() == [0, 0, 10, 30, 30]
    assert lineage.parents == {3: [1, 2], 4: [3], 5: [3]}
    assert [lineage.count(e) for e in ("birth", "merge", "split", "closure")] == [2, 1, 1, 0]
    assert [np.unique(n)[1:].tolist() for n in numbered] == [[1, 2], [3], [3], [4, 5]]


def test_label_images_have_one_shape():
    with pytest.raises(AlloyError, match="one shape"):
        lineage_of_labels([np.ones((3, 3), int), np.ones((3, 4), int)], np.arange(2.0))


def test_links_may_name_the_later_spot_first():
    spots = pd.DataFrame({"spot": [5, 3, 9, 4], "time_s": [0.0, 0, 1, 2]})
    links = pd.DataFrame({"source": [9, 3, 4], "target": [5, 9, 9]})
    numbered, lineage = lineage_of_links(spots, links)
    assert numbered["pore"].tolist() == [2, 1, 3, 3]
    assert lineage.parents == {3: [1, 2]}


def rough_cores(frame, times):
    """Labels of large places whose roughness is several times the picture's own.

    The rougher they must be, the less of the blur of the 9 px window lies around them.
    """
    mean, square = (ndimage.uniform_filter(f, 9) for f in (frame, frame**2))
    rough = np.sqrt(np.maximum(square - mean**2, 0))
    labels, n = ndimage.label(rough > times * np.median(rough))
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    large = np.flatnonzero(sizes > 600)
    return np.where(np.isin(labels, large[large > 0]), labels, 0)


# Cells between the two colonies touch at frame 8; their cores are one from frame 9 on.
@pytest.mark.parametrize(("times", "frame"), [(3.0, 9), (2.0, 8)])
def test_two_real_colonies_merge(shared, times, frame):
    (path,) = (shared / "real" / "colonies").glob("A3_merge_crop*.tif")
    frames = tifffile.imread(path).astype(float)
    stack = [rough_cores(one, times) for one in frames]
    numbered, lineage = lineage_of_labels(stack, np.arange(len(stack), dtype=float))
    assert lineage.events["event"].tolist() == ["birth", "birth", "merge"]
    merge = lineage.events.iloc[-1]
    assert merge["time_s"] == frame
    assert lineage.ancestors(int(merge["pore"])) == {1, 2, 3}
    assert np.unique(numbered[frame - 1])[1:].tolist() == [1, 2]
    assert np.unique(numbered[frame])[1:].tolist() == [3]
