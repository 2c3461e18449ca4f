"""Figures of cycles: the states' images, what each left of pores, and where these opened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.state_montage import StateImage, StateMontage
from napari_lithium_alloy.io.figures.page import (
    CM_PER_INCH,
    DOUBLE_CM,
    FAINT,
    INK,
    REGION_COLOURS,
    SINGLE_CM,
    SMALL_PT,
    bar_length_um,
    new_figure,
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
CHANCE, MEAN = "#d8d8d8", "#707070"
OVERLAPS = {
    ("all", "pores before"): "pores on earlier pores",
    ("new", "sites"): "new pores on Li sites",
    ("new", "sites before"): "new pores on earlier sites",
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
        _draw_key(figure, montage, (side, height), outlines=outlines)
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
    show_image(axes, montage.grey(state))
    if outlines and state.pores is not None and state.pores.any():
        n = montage.binned
        extent = (-0.5, state.pores.shape[1] / n - 0.5, -0.5, state.pores.shape[0] / n - 0.5)
        axes.contour(
            state.pores > 0, [0.5], colors=OUTLINE, linewidths=0.6, extent=extent, origin="lower"
        )
    write_on(axes, f"{state.state}  {round(state.time_s, 1):g} s", 0.03, 0.965, ha="left", va="top")


def _draw_key(
    figure: Any, montage: StateMontage, tile: tuple[float, float], *, outlines: bool
) -> None:
    """What grey means and how long a micrometre is, over P, where it hides nothing."""
    width, height = (tile[k] / (CM_PER_INCH * figure.get_size_inches()[k]) for k in (0, 1))
    low, high = montage.limits
    if math.isfinite(low) and high > low:
        _draw_greys(figure, montage, (0.12 * width, 1 - 0.4 * height, 0.76 * width, 0.06 * height))
    if montage.pixel_size_um is not None:
        _draw_scale(figure, montage, (0.5 * width, 1 - 0.92 * height), width)
    if outlines:
        figure.text(
            0.12 * width, 1 - 0.27 * height, "pores outlined", color="#a06000",
            fontsize=SMALL_PT, fontweight="bold",
        )  # fmt: skip


def _draw_greys(figure: Any, montage: StateMontage, place: tuple[float, ...]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mapped = ScalarMappable(Normalize(*montage.limits), "gray")
    bar = figure.colorbar(mapped, cax=figure.add_axes(place), orientation="horizontal")
    bar.set_label(f"{montage.quantity},\none range for all states", labelpad=1)
    bar.outline.set_linewidth(0.4)


def _draw_scale(
    figure: Any, montage: StateMontage, middle: tuple[float, float], tile_width: float
) -> None:
    """A scale bar of the images, black on white."""
    from matplotlib.patches import Rectangle

    image_um = montage.states[0].image.shape[1] * float(montage.pixel_size_um or 1)
    length_um = bar_length_um(image_um)
    x, y = middle
    length, thick = tile_width * length_um / image_um, 0.006
    figure.add_artist(Rectangle((x - length / 2, y), length, 2 * thick, color=INK, lw=0))
    figure.text(x, y + 3 * thick, f"{length_um:g} µm", ha="center", va="bottom")


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
    draws: list[tuple[Any, pd.DataFrame, float]] = []
    if len(known):
        draws.append((_draw_counts, ends, 1.0))
    parts = known[known["new_area_um2"].notna() & known["growth_um2"].notna()]
    if len(parts):
        draws.append((_draw_parts, parts, 0.5 + 0.17 * min(len(ends), 4)))
    if len(shares):
        draws.append((_draw_shares, shares, 0.95))
    if not draws:
        return None
    with style():
        figure = new_figure(SINGLE_CM if len(draws) == 1 else DOUBLE_CM, PANEL_CM + 0.8)
        figure.get_layout_engine().set(wspace=0.06)
        widths = [width for *_, width in draws]
        panels = figure.subplots(1, len(draws), squeeze=False, width_ratios=widths)[0]
        for axes, (draw, table, _) in zip(panels, draws, strict=True):
            draw(axes, table)
    return figure


def _draw_counts(axes: Any, ends: pd.DataFrame) -> None:
    x = np.arange(len(ends))
    area = 100 * ends["area_fraction"].to_numpy(float)
    count = ends["pore_count"].to_numpy(float, na_value=math.nan)
    axes.plot(x, area, color=AREA_COLOUR, marker="s", markersize=4)
    other = axes.twinx()
    other.plot(x, count, color=COUNT_COLOUR, marker="o", markersize=4, linestyle="--",
               markerfacecolor="white")  # fmt: skip
    sides = (  # of different headroom, so that the curves' ends do not lie on each other
        (axes, area, "Pore area fraction (%)", AREA_COLOUR, 1.12),
        (other, count, "Pore count", COUNT_COLOUR, 1.35),
    )
    for one, values, label, colour, room in sides:
        one.set_ylabel(label, color=colour)
        one.tick_params(axis="y", colors=colour)
        one.set_ylim(0, room * max(float(np.nanmax(values)), 1e-9))
        one.yaxis.get_major_locator().set_params(nbins=6)
    other.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xticks(x, ends["state"].tolist())
    axes.set_xlim(-0.4, len(ends) - 0.6)
    axes.set_xlabel("Pristine, and ends of cycles")


def _draw_parts(axes: Any, own: pd.DataFrame) -> None:
    """Stacked bars of a cycle's pore area, with its births and merges below."""
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
    axes.set_xlim(-0.6, len(own) - 0.4)
    axes.set_ylim(0, 1.35 * float(np.nanmax(total + lost)))
    axes.set_ylabel("Pore area (µm²)")
    axes.legend(loc="upper left", reverse=True)


def _number(value: Any) -> str:
    return "?" if pd.isna(value) else str(int(value))


def _draw_shares(axes: Any, shares: pd.DataFrame) -> None:
    """A line a cycle: the share as a dot over the interval that chance gives, p beside it."""
    y, ticks, labels = 0.0, [], []
    for kind, name in OVERLAPS.items():
        own = shares[_is(shares, kind)].sort_values("cycle")
        if len(own):
            axes.text(0.02, y + 0.1, name, va="center", fontsize=SMALL_PT, fontweight="bold")
            y += 1
        for row in own.itertuples():
            known = math.isfinite(row.null_low)
            if known:
                axes.barh(y, row.null_high - row.null_low, 0.7, left=row.null_low, color=CHANCE,
                          linewidth=0)  # fmt: skip
                axes.plot([row.null_mean] * 2, [y - 0.35, y + 0.35], color=MEAN, linewidth=0.8)
            beyond = known and not row.null_low <= row.fraction <= row.null_high
            axes.plot(row.fraction, y, marker="o", markersize=4, color=INK, clip_on=False,
                      markerfacecolor=INK if beyond else "white")  # fmt: skip
            axes.annotate(
                f"{row.n_overlapping}/{row.n_pores}{_p_text(row.p_value)}", (1.06, y),
                xycoords=("axes fraction", "data"), va="center", fontsize=SMALL_PT,
            )  # fmt: skip
            ticks.append(y)
            pinholes = row.cycle == 1 and row.over == "pores before"
            labels.append(f"cycle {row.cycle}" + (",\npinholes" if pinholes else ""))
            y += 1
    axes.set_yticks(ticks, labels)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1), ylim=(max(y, 5) - 0.4, -0.8))
    axes.set_xlabel("Share of pores\n(grey: moved at random, 95 %)")


def _is(shares: pd.DataFrame, kind: tuple[str, str]) -> pd.Series:
    return (shares["pores"] == kind[0]) & (shares["over"] == kind[1])


def _p_text(p: float) -> str:
    return "" if not math.isfinite(p) else f", p {'=' if p > 1e-3 else '≤'} {max(p, 1e-3):.2g}"
