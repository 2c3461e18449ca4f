"""Figures of pores: how they open, one by one and together, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.montage import Limits, grey_values
from napari_lithium_alloy.core.pore_sequences import PoreSequence, PoreSequences
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.io.figures.page import (
    CM_PER_INCH,
    DOUBLE_CM,
    INK,
    MARKERS,
    REGION_COLOURS,
    SINGLE_CM,
    SMALL_PT,
    colour_on_paper,
    new_figure,
    scale_bar,
    show_image,
    style,
    write_on,
)

TIME = "Time (s)"
BAND_ALPHA = 0.13
PANEL_CM = 5.6
PICTURE_CM, GAP_CM = 1.8, 0.09
"""Side of a picture of a pore, and the gap between two."""
MARGINS_CM = 0.45, 1.15, 0.4, 0.75
"""Left, right, over and under the pictures and areas of pores."""
SIZES_CM = 4.6, 2.5
"""Height of a distribution that is the only one, and of each of several."""
KINDS = {"site": ("Li discs", REGION_COLOURS[0]), "pore": ("pores", REGION_COLOURS[1])}
MOST_MARKERS = 20
SHOWN_SHARE, FAR_OUT = 98.0, 1.5
"""Percentile of the areas, and its multiple, up to which a size distribution is drawn."""


def area_ratio_figure(curves: pd.DataFrame, stages: Sequence[Stage], title: str = "") -> Any:
    """Area of pores and of all together, relative to their last, against time (Fig. 3E).

    Parameters
    ----------
    curves : pandas.DataFrame
        Of `area_ratio_curves`.
    stages : sequence of Stage
        Dissolution and dealloying: bands in their colours.
    title : str
    """
    with style():
        figure = new_figure(SINGLE_CM, PANEL_CM + 0.9)
        axes = figure.add_subplot()
        times = curves["time_s"]
        axes.set_xlim(times.min(), times.max())
        stage_bands(axes, stages)
        chosen = [int(p) for p in curves["final_pore"].unique() if p]
        for i, pore in enumerate([*chosen, 0]):
            own = curves[curves["final_pore"] == pore].sort_values("time_s")
            axes.plot(
                own["time_s"].to_numpy(float),
                own["area_ratio"].to_numpy(float),
                color=_colour(i) if pore else INK,
                linestyle="-" if pore else "--",
                linewidth=0.9 if pore else 1.3,
                marker=MARKERS[i % len(MARKERS)] if pore else None,
                markevery=(i, max(1, len(own) // MOST_MARKERS)),
                label=f"pore {pore}" if pore else "entire area",
            )
        axes.set_ylim(0, max(1.12, 1.05 * float(curves["area_ratio"].max())))
        axes.set_xlabel(TIME)
        axes.set_ylabel("Area relative to final pore")
        figure.legend(
            loc="outside lower center", ncols=3, title=title or None, title_fontsize=SMALL_PT
        )
    return figure


def _colour(i: int) -> str:
    return REGION_COLOURS[i % len(REGION_COLOURS)]


def stage_bands(axes: Any, stages: Sequence[Stage], *, named: bool = True) -> None:
    """Bands in the stages' colours over what axes show, their names above."""
    left, right = axes.get_xlim()
    for stage in stages:
        start, end = max(stage.start_s, left), min(stage.end_s, right)
        if end > start:
            colour = colour_on_paper(stage)
            axes.axvspan(start, end, color=colour, alpha=BAND_ALPHA, linewidth=0, zorder=0)
            if named:
                axes.annotate(
                    stage.label, ((start + end) / 2, 1), (0, 2), ha="center", va="bottom",
                    xycoords=("data", "axes fraction"), textcoords="offset points",
                    fontsize=SMALL_PT, color=colour, fontweight="bold", annotation_clip=False,
                )  # fmt: skip


def sequences_figure(sequences: PoreSequences, stages: Sequence[Stage]) -> Any:
    """Pictures of pores as they open, each pore's in one range, beside their areas (Fig. S16).

    Parameters
    ----------
    sequences : PoreSequences
    stages : sequence of Stage
        Dissolution and dealloying: bands behind the areas.
    """
    n_images = max(len(s.times_s) for s in sequences.pores)
    n_rows = len(sequences.pores)
    left, right, top, below = MARGINS_CM
    step = PICTURE_CM + GAP_CM
    height = n_rows * step + top + below
    begin = left + n_images * step + GAP_CM
    with style():
        figure = new_figure(DOUBLE_CM, height)
        figure.set_layout_engine("none")
        for i, sequence in enumerate(sequences.pores):
            bottom = height - top - (i + 1) * step
            lefts = [left + k * step for k in range(len(sequence.times_s))]
            row = [_at(figure, (x, bottom, PICTURE_CM, PICTURE_CM)) for x in lefts]
            _draw_sequence(row, sequence, sequences.limits[i], _colour(i))
            axes = _at(figure, (begin, bottom, DOUBLE_CM - right - begin, PICTURE_CM))
            _draw_area(axes, sequence, stages, _colour(i), named=i == 0, last=i == n_rows - 1)
            if i == n_rows // 2:
                axes.set_ylabel("Area (µm²)", labelpad=2)
            if i == n_rows - 1:
                scale_bar(row[0], sequence.images.shape[1:], sequences.pixel_size_um)
    return figure


def _at(figure: Any, place: tuple[float, float, float, float]) -> Any:
    """Axes at left, bottom, of width and height in cm."""
    width, height = (CM_PER_INCH * side for side in figure.get_size_inches())
    x, y, w, h = place
    return figure.add_axes((x / width, y / height, w / width, h / height))


def _draw_sequence(
    panels: Sequence[Any], sequence: PoreSequence, limits: Limits, colour: str
) -> None:
    grey = grey_values(sequence.images, limits)
    for k, axes in enumerate(panels):
        show_image(axes, grey[k])
        if sequence.outlines[k].any():
            axes.contour(sequence.outlines[k], [0.5], colors=colour, linewidths=0.7)
        write_on(
            axes, f"{round(float(sequence.times_s[k]), 1):g} s", 0.04, 0.95, ha="left", va="top"
        )
    panels[0].set_ylabel(f"pore {sequence.pore}", color=colour, fontweight="bold", labelpad=2)


def _draw_area(
    axes: Any, sequence: PoreSequence, stages: Sequence[Stage], colour: str, **where: bool
) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(sequence.curve_s[0], sequence.curve_s[-1])
    stage_bands(axes, stages, named=where["named"])
    axes.plot(sequence.curve_s, sequence.area_um2, color=colour)
    shown = np.interp(sequence.times_s, sequence.curve_s, sequence.area_um2)
    axes.plot(sequence.times_s, shown, linestyle="", marker="o", markersize=2.6, color=colour)
    top = 1.25 * float(np.nanmax(sequence.area_um2))
    ticks = MaxNLocator(nbins=3, steps=[1, 2, 5, 10]).tick_values(0, top)
    axes.set_ylim(0, top)
    # Labels near an edge would touch those of the next row.
    axes.set_yticks([t for t in ticks if 0 <= t <= 0.85 * top])
    axes.get_yticklabels()[0].set_verticalalignment("bottom")
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    if where["last"]:
        axes.set_xlabel(TIME, labelpad=1)
    else:
        axes.tick_params(labelbottom=False)


def sizes_figure(areas: Mapping[tuple[int, str], FloatArray], table: pd.DataFrame) -> Any:
    """Distributions of the sizes of Li discs (left) and of pores, a row a cycle (Fig. S17).

    Parameters
    ----------
    areas : mapping of (int, str) to numpy.ndarray
        By cycle and kind (site, pore), um2: what the distribution is of.
    table : pandas.DataFrame
        `size_distribution`.
    """
    kinds = [k for k in KINDS if (table["kind"] == k).any()]
    cycles = sorted(int(c) for c in table["cycle"].unique())
    height = SIZES_CM[len(cycles) > 1] * len(cycles) + 1
    with style():
        figure = new_figure(SINGLE_CM if len(kinds) == 1 else DOUBLE_CM, height)
        shape = {"squeeze": False, "sharex": "col"}
        panels = figure.subplots(len(cycles), len(kinds), **shape)
        for kind, column in zip(kinds, panels.T, strict=True):
            word, colour = KINDS[kind]
            of_kind = table[table["kind"] == kind]
            top = _most_shown([a for (_, k), a in areas.items() if k == kind], of_kind)
            for cycle, axes in zip(cycles, column, strict=True):
                own = of_kind[of_kind["cycle"] == cycle].sort_values("low_um2")
                known = areas.get((cycle, kind), np.empty(0))
                known = known[np.isfinite(known)]
                name = word[0].upper() + word[1:]
                name = f"{name}, cycle {cycle}" if len(cycles) > 1 else name
                axes.set_title(f"{name}: {_said(known, top)}", loc="left", pad=3)
                _draw_sizes(axes, own, known, colour)
            column[0].set_xlim(0, top)
            column[-1].set_xlabel("Cross-sectional area (µm²)")
            column[len(cycles) // 2].set_ylabel(f"Number of {word}")
    return figure


def _said(areas: FloatArray, top_um2: float) -> str:
    beyond = int((areas > top_um2).sum())
    more = f", {beyond} larger" if beyond else ""
    return f"n = {len(areas)}, median {np.median(areas):.2f} µm²{more}" if areas.size else "none"


def _draw_sizes(axes: Any, own: pd.DataFrame, areas: FloatArray, colour: str) -> None:
    """Bars of one cycle, their median as a line."""
    if not len(own) or not areas.size:
        axes.set_yticks([])
        return
    low, high, counts = (own[c].to_numpy(float) for c in ("low_um2", "high_um2", "count"))
    axes.bar(low, counts, high - low, align="edge", color=colour, edgecolor="white", linewidth=0.4)
    axes.axvline(float(np.median(areas)), color=INK, linestyle="--", linewidth=0.8)
    axes.set_ylim(0, 1.12 * counts.max())
    axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)


def _most_shown(areas: Sequence[FloatArray], table: pd.DataFrame) -> float:
    """The area up to which a distribution is drawn: all, or without what lies far out."""
    width = float((table["high_um2"] - table["low_um2"]).iloc[0])
    every = np.concatenate(areas)
    every = every[np.isfinite(every)]
    most = min(every.max(), FAR_OUT * np.percentile(every, SHOWN_SHARE))
    return float((np.ceil(most / width) + 1) * width)
