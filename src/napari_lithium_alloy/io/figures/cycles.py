"""Figures of cycles: the states' images, what each left of pores, and where these opened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.state_montage import PRISTINE, StateImage, StateMontage
from napari_lithium_alloy.io.figures.page import (
    DOUBLE_CM,
    FAINT,
    INK,
    REGION_COLOURS,
    SINGLE_CM,
    SMALL_PT,
    new_figure,
    scale_bar,
    show_image,
    style,
    write_on,
)

MOST_COLUMNS, LEAST_COLUMNS = 6, 4
GAP_CM = 0.08
OUTLINE = "#e69f00"
PANEL_CM = 5.6
AREA_COLOUR, COUNT_COLOUR = REGION_COLOURS[0], REGION_COLOURS[1]
PARTS = (
    ("there before", FAINT, ""),
    ("growth of old pores", REGION_COLOURS[4], ""),
    ("new pores", REGION_COLOURS[1], "//"),
)
OVERLAPS = {
    ("all", "pores before"): "pores on\nearlier pores",
    ("new", "sites"): "new pores on\nLi sites",
    ("new", "sites before"): "new pores on\nearlier sites",
}


def states_figure(montage: StateMontage, *, outlines: bool = False) -> Any:
    """Images of all states in one range: above De*, below Di*, P first (Figs. 4A and 5D).

    Parameters
    ----------
    montage : StateMontage
    outlines : bool
        Whether pores are outlined.
    """
    places, n_rows, n_columns = _places(montage.states)
    rows, columns = montage.states[0].image.shape
    side = DOUBLE_CM / max(n_columns, LEAST_COLUMNS) - GAP_CM
    height = side * rows / columns
    size = n_columns * (side + GAP_CM) - GAP_CM, n_rows * (height + GAP_CM) - GAP_CM
    with style():
        figure = new_figure(*size)
        figure.set_layout_engine("none")
        for state, (row, column) in zip(montage.states, places, strict=True):
            left, top = column * (side + GAP_CM), size[1] - row * (height + GAP_CM)
            axes = figure.add_axes(
                (left / size[0], (top - height) / size[1], side / size[0], height / size[1])
            )
            _draw_state(axes, montage, state, outlines=outlines)
        _draw_key(figure, montage, (side, height, size), outlines=outlines)
    return figure


def _places(states: Sequence[StateImage]) -> tuple[list[tuple[int, int]], int, int]:
    """Row and column of each state; number of rows and columns. A column a cycle, P the first."""
    cycles = sorted({s.cycle for s in states if s.cycle})
    per_line = MOST_COLUMNS - 1
    column = {0: (0, 0)} | {c: (i // per_line, 1 + i % per_line) for i, c in enumerate(cycles)}
    places = [
        (2 * column[s.cycle][0] + (not s.state.startswith("De")), column[s.cycle][1])
        for s in states
    ]
    return places, 2 + 2 * max(c[0] for c in column.values()), 1 + max(c for _, c in places)


def _draw_state(axes: Any, montage: StateMontage, state: StateImage, *, outlines: bool) -> None:
    shown = montage.grey(state)
    show_image(axes, shown)
    if outlines and state.pores is not None and state.pores.any():
        n = montage.binned
        extent = (-0.5, state.pores.shape[1] / n - 0.5, -0.5, state.pores.shape[0] / n - 0.5)
        axes.contour(
            state.pores > 0, [0.5], colors=OUTLINE, linewidths=0.6, extent=extent, origin="lower"
        )
    write_on(axes, f"{state.state}  {round(state.time_s, 1):g} s", 0.03, 0.965, ha="left", va="top")
    if state.state == PRISTINE:
        scale_bar(axes, (shown.shape[0], shown.shape[1]), montage.pixel_size_um)


def _draw_key(
    figure: Any,
    montage: StateMontage,
    sizes: tuple[float, float, tuple[float, float]],
    *,
    outlines: bool,
) -> None:
    """What grey means, over the image of P."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    side, height, size = sizes
    low, high = montage.limits
    bottom = (size[1] - 0.55 * height) / size[1]
    axes = figure.add_axes((0.12 * side / size[0], bottom, 0.76 * side / size[0], 0.22 / size[1]))
    if math.isfinite(low) and high > low:
        bar = figure.colorbar(
            ScalarMappable(Normalize(low, high), "gray"), cax=axes, orientation="horizontal"
        )
        bar.set_label(f"{montage.quantity},\none range for all states", labelpad=1)
        bar.outline.set_linewidth(0.4)
    else:
        axes.remove()
    if outlines:
        x, y = 0.12 * side / size[0], bottom + 0.5 / size[1]
        figure.text(x, y, "pores outlined", color="#a06000", fontsize=SMALL_PT, fontweight="bold")


def pore_cycles_figure(cycles: pd.DataFrame, overlaps: pd.DataFrame) -> Any:
    """Pores against cycles: area fraction and count, where the area came from, where they opened.

    The first is Figs. 4B and 5E. The second parts the area of each cycle's end into what was
    there before, by how much old pores have grown, and new pores (dashed: what has closed). The
    third sets the share of pores on earlier pores or sites against that of the same pores moved
    to random places. What nothing is known of is left out; None where that is all.

    Parameters
    ----------
    cycles, overlaps : pandas.DataFrame
        The tables `cycles` and `pore_overlaps`.
    """
    ends = cycles[~cycles["state"].str.startswith("De")]
    known = ends[ends["total_area_um2"].notna()]
    shares = overlaps[overlaps["fraction"].notna()]
    draws = []
    if len(known):
        draws += [lambda axes: _draw_counts(axes, ends), lambda axes: _draw_parts(axes, ends)]
    if len(shares):
        draws.append(lambda axes: _draw_shares(axes, shares))
    if not draws:
        return None
    with style():
        figure = new_figure(SINGLE_CM if len(draws) == 1 else DOUBLE_CM, PANEL_CM + 0.8)
        figure.get_layout_engine().set(wspace=0.06)
        for axes, draw in zip(figure.subplots(1, len(draws), squeeze=False)[0], draws, strict=True):
            draw(axes)
    return figure


def _draw_counts(axes: Any, ends: pd.DataFrame) -> None:
    x = np.arange(len(ends))
    area = 100 * ends["area_fraction"].to_numpy(float)
    count = ends["pore_count"].to_numpy(float, na_value=math.nan)
    axes.plot(x, area, color=AREA_COLOUR, marker="s", markersize=4)
    other = axes.twinx()
    other.plot(x, count, color=COUNT_COLOUR, marker="o", markersize=4, linestyle="--",
               markerfacecolor="white")  # fmt: skip
    sides = (
        (axes, area, "Pore area fraction (%)", AREA_COLOUR),
        (other, count, "Pore count", COUNT_COLOUR),
    )
    for one, values, label, colour in sides:
        one.set_ylabel(label, color=colour)
        one.tick_params(axis="y", colors=colour)
        one.set_ylim(0, 1.15 * max(float(np.nanmax(values)), 1e-9))
        one.yaxis.get_major_locator().set_params(nbins=6)
    other.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xticks(x, ends["state"].tolist())
    axes.set_xlim(-0.4, len(ends) - 0.6)
    axes.set_xlabel("State: pristine, ends of cycles")


def _draw_parts(axes: Any, ends: pd.DataFrame) -> None:
    """Stacked bars of a cycle's pore area, with its births and merges below."""
    own = ends[ends["new_area_um2"].notna() & ends["growth_um2"].notna()]
    x = np.arange(len(own))
    total, new, growth = (
        own[c].to_numpy(float) for c in ("total_area_um2", "new_area_um2", "growth_um2")
    )
    grown, lost = np.maximum(growth, 0), np.maximum(-growth, 0)
    heights = (np.maximum(total - new - grown, 0), grown, new)
    bottom = np.zeros(len(own))
    for height, (name, colour, hatch) in zip(heights, PARTS, strict=True):
        axes.bar(x, height, 0.6, bottom=bottom, color=colour, hatch=hatch, label=name,
                 edgecolor="white", linewidth=0.4)  # fmt: skip
        bottom += height
    for at, top, less in zip(x, total, lost, strict=True):
        if less > 0.02 * np.nanmax(total):
            axes.bar(at, less, 0.6, bottom=top, fill=False, linestyle=":", edgecolor=INK)
    labels = [
        f"{row.state}\n{_number(row.pore_births)} births\n{_number(row.pore_merges)} merges"
        for row in own.itertuples()
    ]
    axes.set_xticks(x, labels)
    axes.set_xlim(-0.6, max(len(own) - 0.4, 1.6))
    axes.set_ylim(0, 1.35 * float(np.nanmax(total + lost)))
    axes.set_ylabel("Pore area (µm²)")
    axes.legend(loc="upper left", reverse=True)


def _number(value: Any) -> str:
    return "?" if pd.isna(value) else str(int(value))


def _draw_shares(axes: Any, shares: pd.DataFrame) -> None:
    """Dots of shares over the interval that chance gives, with p."""
    kinds = [k for k in OVERLAPS if (_is(shares, k)).any()]
    cycles = sorted(int(c) for c in shares["cycle"].unique())
    step = 0.8 / max(len(cycles), 1)
    for i, kind in enumerate(kinds):
        for row in shares[_is(shares, kind)].itertuples():
            k = cycles.index(int(row.cycle))
            x = i + (k - (len(cycles) - 1) / 2) * step
            if math.isfinite(row.null_low):
                axes.bar(x, row.null_high - row.null_low, 0.7 * step, bottom=row.null_low,
                         color="#d8d8d8", linewidth=0)  # fmt: skip
                axes.plot([x - 0.35 * step, x + 0.35 * step], [row.null_mean] * 2,
                          color="#707070", linewidth=0.8)  # fmt: skip
            axes.plot(x, row.fraction, marker="o", markersize=4, color=REGION_COLOURS[k % 6])
            axes.annotate(
                _p_text(row.p_value), (x, max(row.fraction, row.null_high)), (0, 4), ha="center",
                va="bottom", textcoords="offset points", fontsize=SMALL_PT, rotation=90,
            )  # fmt: skip
    for k, cycle in enumerate(cycles):
        axes.plot([], [], "o", color=REGION_COLOURS[k % 6], markersize=4, label=f"cycle {cycle}")
    axes.bar(0, 0, color="#d8d8d8", label="by chance, 95 %")
    axes.set_xticks(range(len(kinds)), [OVERLAPS[k] for k in kinds])
    axes.set(xlim=(-0.6, len(kinds) - 0.4), ylim=(0, 1.75), yticks=np.linspace(0, 1, 6))
    axes.set_ylabel("Share of pores", y=0.3)
    axes.legend(loc="upper right", ncols=2)


def _is(shares: pd.DataFrame, kind: tuple[str, str]) -> pd.Series:
    return (shares["pores"] == kind[0]) & (shares["over"] == kind[1])


def _p_text(p: float) -> str:
    return "" if not math.isfinite(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
