"""Figures of pores: how they open, one by one and together, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.montage import grey_values
from napari_lithium_alloy.core.pore_sequences import PoreSequence, PoreSequences
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.io.figures.page import (
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
SEQUENCE_CM = 2.0
"""Side of a picture of a pore."""
MOST_MARKERS = 20
SHOWN_SHARE = 99.0
"""Percentile of the areas up to which a size distribution is drawn."""


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
        axes.set_title(title, loc="left", fontsize=SMALL_PT, pad=10)
        figure.legend(loc="outside lower center", ncols=3)
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
    """Pictures of pores as they open, and their areas beside them (Fig. S16).

    Parameters
    ----------
    sequences : PoreSequences
    stages : sequence of Stage
        Dissolution and dealloying: bands behind the areas.
    """
    n_images = max(len(s.times_s) for s in sequences.pores)
    n_rows = len(sequences.pores)
    with style():
        figure = new_figure(DOUBLE_CM, SEQUENCE_CM * n_rows + 0.9)
        figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
        panels = figure.subplots(
            n_rows, n_images + 1, squeeze=False,
            width_ratios=[SEQUENCE_CM] * n_images + [DOUBLE_CM - SEQUENCE_CM * n_images],
        )  # fmt: skip
        for i, (sequence, row) in enumerate(zip(sequences.pores, panels, strict=True)):
            _draw_sequence(row[:-1], sequence, sequences, _colour(i))
            _draw_area(row[-1], sequence, stages, _colour(i), named=i == 0, last=i == n_rows - 1)
        scale_bar(panels[-1, 0], sequences.pores[-1].images.shape[1:], sequences.pixel_size_um)
        figure.supylabel("")
    return figure


def _draw_sequence(
    panels: Sequence[Any], sequence: PoreSequence, sequences: PoreSequences, colour: str
) -> None:
    grey = grey_values(sequence.images, sequences.limits)
    for k, axes in enumerate(panels):
        if k >= len(grey):
            axes.set_axis_off()
            continue
        show_image(axes, grey[k])
        if sequence.outlines[k].any():
            axes.contour(sequence.outlines[k], [0.5], colors=colour, linewidths=0.7)
        write_on(axes, f"{sequence.times_s[k]:g} s", 0.04, 0.95, ha="left", va="top")
    panels[0].set_ylabel(f"pore {sequence.pore}", color=colour, fontweight="bold", labelpad=2)


def _draw_area(
    axes: Any, sequence: PoreSequence, stages: Sequence[Stage], colour: str, **where: bool
) -> None:
    axes.set_xlim(sequence.curve_s[0], sequence.curve_s[-1])
    stage_bands(axes, stages, named=where["named"])
    axes.plot(sequence.curve_s, sequence.area_um2, color=colour)
    shown = np.interp(sequence.times_s, sequence.curve_s, sequence.area_um2)
    axes.plot(sequence.times_s, shown, linestyle="", marker="o", markersize=2.6, color=colour)
    axes.set_ylim(0, 1.12 * float(sequence.area_um2.max()))
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_ylabel("Area (µm²)", labelpad=2)
    if where["last"]:
        axes.set_xlabel(TIME, labelpad=1)
    else:
        axes.tick_params(labelbottom=False)


def sizes_figure(areas: Mapping[tuple[int, str], FloatArray], table: pd.DataFrame) -> Any:
    """Distributions of the sizes of Li discs and of pores, cycles over each other (Fig. S17).

    Parameters
    ----------
    areas : mapping of (int, str) to numpy.ndarray
        By cycle and kind (site, pore), um2: what the distribution is of.
    table : pandas.DataFrame
        `size_distribution`.
    """
    names = {"site": "Li discs, end of deposition", "pore": "Pores, end of cycle"}
    kinds = [k for k in names if (table["kind"] == k).any()]
    with style():
        figure = new_figure(SINGLE_CM if len(kinds) == 1 else DOUBLE_CM, PANEL_CM)
        panels = figure.subplots(1, len(kinds), squeeze=False)[0]
        for axes, kind in zip(panels, kinds, strict=True):
            own = table[table["kind"] == kind]
            _draw_sizes(axes, own, {c: a for (c, k), a in areas.items() if k == kind})
            axes.set_xlabel("Cross-sectional area (µm²)")
            axes.set_ylabel("Number of Li discs" if kind == "site" else "Number of pores")
            axes.set_title(names[kind])
    return figure


def _draw_sizes(axes: Any, table: pd.DataFrame, areas: Mapping[int, FloatArray]) -> None:
    """Steps of each cycle, with its median as a mark on the axis."""
    cycles = sorted(int(c) for c in table["cycle"].unique())
    for i, cycle in enumerate(cycles):
        own = table[table["cycle"] == cycle].sort_values("low_um2")
        edges = np.append(own["low_um2"].to_numpy(float), own["high_um2"].iloc[-1])
        known = areas[cycle][np.isfinite(areas[cycle])]
        middle = float(np.median(known))
        name = f"n = {len(known)}, median {middle:.2g} µm²"
        counts = own["count"].to_numpy(float)
        axes.stairs(counts, edges, fill=True, color=_colour(i), alpha=0.2, linewidth=0)
        axes.stairs(
            counts, edges, color=_colour(i), linewidth=1.0, linestyle=("-", "--", ":")[i % 3],
            label=name if len(cycles) == 1 else f"cycle {cycle}: {name}",
        )  # fmt: skip
        axes.plot(
            middle, 0, marker="^", markersize=5, color=_colour(i), clip_on=False, zorder=5,
            markeredgecolor="white", markeredgewidth=0.4,
        )  # fmt: skip
    every = np.concatenate([a[np.isfinite(a)] for a in areas.values()])
    width = float((table["high_um2"] - table["low_um2"]).iloc[0])
    top = np.ceil(np.percentile(every, SHOWN_SHARE) / width + 1) * width
    axes.set_xlim(0, top)
    beyond = int((every > top).sum())
    axes.set_ylim(0, 1.15 * float(table["count"].max()))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(
        loc="upper right",
        title=f"{beyond} larger than {top:.2g} µm² not shown" if beyond else None,
        title_fontsize=SMALL_PT,
    )
