"""Figures of pores and cycles: what they show of planted tables, and what they leave out."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from napari_lithium_alloy.core.lineage import Lineage, events_table
from napari_lithium_alloy.core.pore_sequences import PoreSequence, PoreSequences
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.state_montage import StateImage, StateMontage
from napari_lithium_alloy.core.tables import conform, empty
from napari_lithium_alloy.io.figures.cycles import pore_cycles_figure, states_figure
from napari_lithium_alloy.io.figures.lineage import lineage_figure, pore_lines
from napari_lithium_alloy.io.figures.pores import (
    area_ratio_figure,
    sequences_figure,
    sizes_figure,
)

LEAVING = [
    Stage(kind="dissolution", start_s=0, end_s=6),
    Stage(kind="dealloying", step=1, start_s=6, end_s=10),
]


def texts(figure):
    return {t.get_text() for t in figure.findobj(Text)} - {""}


def test_each_pore_and_all_have_a_line_over_the_stages():
    times = np.arange(11.0)
    rows = [
        pd.DataFrame({"time_s": times, "final_pore": p, "area_ratio": times / 10})
        for p in (0, 4, 9)
    ]
    figure = area_ratio_figure(pd.concat(rows), LEAVING)
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines) == ["pore 4", "pore 9", "entire area"]
    assert lines["pore 9"].get_ydata() == pytest.approx(times / 10)
    assert len({line.get_color() for line in lines.values()}) == 3
    assert {"dissolution", "step 1'", "Time (s)", "Area relative to final pore"} <= texts(figure)
    bands = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]
    assert bands == [(0, 6), (6, 10)]


def test_pictures_of_a_pore_stand_beside_its_area():
    times, area = np.arange(11.0), np.linspace(0, 0.2, 11)
    outlines = np.zeros((3, 9, 9), bool)
    outlines[1:, 3:6, 3:6] = True
    sequences = PoreSequences(
        pores=tuple(
            PoreSequence(
                pore=p, times_s=np.array([1.0, 5.25, 10.0]), images=np.ones((3, 9, 9), np.float32),
                outlines=outlines, curve_s=times, area_um2=area,
            )
            for p in (4, 9)
        ),
        limits=((0.0, 1.0), (0.0, 2.0)),
        pixel_size_um=0.1,
    )  # fmt: skip
    figure = sequences_figure(sequences, LEAVING)
    assert {"pore 4", "pore 9", "1 s", "5.2 s", "10 s", "Area (µm²)", "Time (s)"} <= texts(figure)
    pictures = [a for a in figure.axes if a.images]
    assert len(pictures) == 6
    assert [int(a.images[0].get_array()[4, 4]) for a in pictures] == [255] * 3 + [128] * 3
    curve = next(a for a in figure.axes if not a.images).get_lines()[0]
    assert curve.get_ydata() == pytest.approx(area)


def test_sizes_are_bars_with_their_number_and_median():
    areas = {(1, "site"): np.array([0.42, 0.48, np.nan]), (1, "pore"): np.array([0.02, 0.03, 0.2])}
    rows = [
        (1, "site", 0.4, 0.45, 1), (1, "site", 0.45, 0.5, 1),
        (1, "pore", 0.0, 0.05, 2), (1, "pore", 0.05, 0.1, 0), (1, "pore", 0.1, 0.15, 0),
        (1, "pore", 0.15, 0.2, 0), (1, "pore", 0.2, 0.25, 1),
    ]  # fmt: skip
    columns = ["cycle", "kind", "low_um2", "high_um2", "count"]
    table = conform("size_distribution", pd.DataFrame(rows, columns=columns))
    figure = sizes_figure(areas, table)
    assert {"Li discs: n = 2, median 0.45 µm²", "Pores: n = 3, median 0.03 µm²"} <= texts(figure)
    assert [p.get_height() for p in figure.axes[1].patches] == [2, 0, 0, 0, 1]
    alone = sizes_figure(areas, table[table["kind"] == "pore"])
    assert len(alone.axes) == 1
    second = sizes_figure(areas, pd.concat([table, table.assign(cycle=2).iloc[:2]]))
    assert {"Li discs, cycle 2: none", "Pores, cycle 2: none"} <= texts(second)


def states(n_cycles, **more):
    shape = (20, 20)
    found = [StateImage(state="P", cycle=0, time_s=0.0, image=np.ones(shape, np.float32))]
    for cycle in range(1, n_cycles + 1):
        for state, level in (("De", 0.2), ("Di", 0.8)):
            pores = np.zeros(shape, int) if state == "Di" else None
            if pores is not None:
                pores[5:8, 5:8] = 1
            image = np.full(shape, level, np.float32)
            name = f"{state}{cycle}*"
            found.append(StateImage(state=name, cycle=cycle, time_s=9.0, image=image, pores=pores))
    known = {"limits": (0.0, 1.0), "quantity": "Transmittance", "pixel_size_um": 0.5, "binned": 1}
    return StateMontage(states=tuple(found), **(known | more))


@pytest.mark.parametrize(("n_cycles", "n_rows"), [(0, 2), (1, 2), (3, 2), (7, 4)])
def test_states_stand_above_each_other_by_cycle_in_one_range(n_cycles, n_rows):
    montage = states(n_cycles)
    figure = states_figure(montage, outlines=True)
    pictures = [a for a in figure.axes if a.images]
    assert len(pictures) == len(montage.states)
    assert {"P  0 s", "Transmittance,\none range for all states", "pores outlined"} <= texts(figure)
    boxes = [a.get_position() for a in pictures]
    assert all(b.x0 >= 0 and b.x1 <= 1.001 and b.y0 >= -0.001 and b.y1 <= 1.001 for b in boxes)
    assert len({(round(b.x0, 3), round(b.y0, 3)) for b in boxes}) == len(boxes)
    assert len({round(b.y0, 3) for b in boxes}) == max(n_rows - (n_cycles == 0), 1)
    assert all(int(a.images[0].get_array()[0, 0]) == round(255 * s.image[0, 0])
               for a, s in zip(pictures, montage.states, strict=True))  # fmt: skip


def test_states_without_a_range_have_no_bar():
    figure = states_figure(states(1, limits=(np.nan, np.nan), pixel_size_um=None))
    assert len(figure.axes) == 3


@pytest.fixture
def cycles():
    ends = {
        "cycle": [pd.NA, 1, 1, 2], "state": ["P", "De1*", "Di1*", "Di2*"],
        "pore_count": [2, pd.NA, 10, 8], "area_fraction": [0.001, np.nan, 0.02, 0.05],
        "total_area_um2": [0.1, np.nan, 2.0, 5.0], "pore_births": [pd.NA, pd.NA, 9, 1],
        "pore_merges": [pd.NA, pd.NA, 0, 3], "new_area_um2": [np.nan, np.nan, 1.8, 0.5],
        "growth_um2": [np.nan, np.nan, 0.1, 2.5],
    }  # fmt: skip
    return conform("cycles", pd.DataFrame(ends))


@pytest.fixture
def overlaps():
    rows = [
        (1, "new", "sites", 10, 8, 0.8, 0.1, 0.0, 0.3, 0.001, ""),
        (2, "all", "pores before", 8, 8, 1.0, 0.1, 0.0, 0.3, 0.013, ""),
        (2, "new", "sites", 1, pd.NA, *[np.nan] * 5, "fewer than 3 pores"),
    ]
    columns = [
        "cycle", "pores", "over", "n_pores", "n_overlapping", "fraction", "null_mean", "null_low",
        "null_high", "p_value", "reason",
    ]  # fmt: skip
    return conform("pore_overlaps", pd.DataFrame(rows, columns=columns))


def test_counts_area_and_where_it_came_from(cycles, overlaps):
    figure = pore_cycles_figure(cycles, overlaps)
    area, parts, shares, count = figure.axes
    assert area.get_lines()[0].get_ydata() == pytest.approx([0.1, 2, 5])
    assert count.get_lines()[0].get_ydata() == pytest.approx([2, 10, 8])
    assert area.get_ylabel() == "Pore area fraction (%)"
    assert count.yaxis.get_label_position() == "right"
    heights = np.reshape([p.get_height() for p in parts.patches], (3, 2))
    assert heights == pytest.approx(np.array([[0.1, 2.0], [0.1, 2.5], [1.8, 0.5]]))
    assert "Di2*\n1 births\n3 merges" in texts(figure)
    assert {"8/8, p = 0.013", "8/10, p ≤ 0.001", "cycle 1", "cycle 2"} <= texts(figure)
    dots = [line.get_xdata()[0] for line in shares.get_lines() if line.get_marker() == "o"]
    assert dots == [1.0, 0.8]


def test_pores_of_unknown_area_leave_shares_only_or_nothing(cycles, overlaps):
    unknown = cycles.assign(total_area_um2=np.nan, area_fraction=np.nan, pore_count=pd.NA)
    assert len(pore_cycles_figure(unknown, overlaps).axes) == 1
    assert pore_cycles_figure(unknown, empty("pore_overlaps")) is None
    assert len(pore_cycles_figure(cycles, empty("pore_overlaps")).axes) == 3


def family(n_alone):
    """Pores 1 and 2 merge into 4, 3 joins to 5, which splits into 6 and 7; others stay alone."""
    parents = {4: [1, 2], 5: [3, 4], 6: [5], 7: [5]}
    ends = {1: 2.0, 2: 2.0, 3: 4.0, 4: 4.0, 5: 8.0}
    kinds = {4: ("merge", 2.0), 5: ("merge", 4.0), 6: ("split", 8.0), 7: ("split", 8.0)}
    pores = range(1, 8 + n_alone)
    events = [
        {"time_s": kinds.get(p, (0, 1.0))[1], "event": kinds.get(p, ("birth",))[0], "pore": p,
         "parents": " ".join(map(str, parents.get(p, [])))}
        for p in pores
    ]  # fmt: skip
    lives = pd.DataFrame(
        {"pore": list(pores), "cycle": 1, "end_s": [ends.get(p, np.nan) for p in pores],
         "ended_by": ["merge" if p in ends else "" for p in pores]}
    )  # fmt: skip
    lives.loc[lives["pore"] == 1, "cycle"] = 0
    return conform("pore_lives", lives), Lineage(events=events_table(events), parents=parents)


def test_what_merges_is_drawn_side_by_side():
    lives, lineage = family(2)
    lines = {line.pore: line for line in pore_lines(lives, lineage, 10.0)}
    assert sorted(lines) == list(range(1, 10))
    rows = {p: line.row for p, line in lines.items()}
    assert rows[4] == (rows[1] + rows[2]) / 2
    assert rows[5] == (rows[3] + rows[4]) / 2
    assert abs(rows[1] - rows[2]) == 1
    assert len({rows[p] for p in (1, 2, 3)} | {rows[8], rows[9]}) == 5
    assert rows[6] != rows[7]
    at_end = [line.row for line in lines.values() if line.end_s == 10]
    assert len(set(at_end)) == len(at_end) == 4
    assert (lines[4].start_s, lines[4].end_s, lines[4].begun_by) == (2, 4, "merge")
    assert [lines[p].origin for p in (1, 2, 4, 6, 8)] == [0, 1, 0, 0, 1]
    figure = lineage_figure(list(lines.values()), lineage.parents, {1: (0.0, 10.0)}, LEAVING, 9)
    assert {"pinhole", "since cycle 1", "birth", "merge", "split", "Pores"} <= texts(figure)
    assert "closure" not in texts(figure)


def test_of_many_pores_those_with_merges_are_drawn():
    lives, lineage = family(80)
    lines = pore_lines(lives, lineage, 10.0)
    assert sorted(line.pore for line in lines) == list(range(1, 8))
    figure = lineage_figure(lines, lineage.parents, {1: (0.0, 10.0)}, LEAVING, len(lives))
    assert "Pores, 7 of 87" in texts(figure)
    alone = lives[lives["pore"] > 7]
    assert pore_lines(alone, lineage, 10.0) == []
    assert pore_lines(empty("pore_lives"), lineage, 10.0) == []
