"""Figures of nucleation sites: one dendrite over time, areas of some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from napari_lithium_alloy.core.site_montage import SiteMontage
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.io.figures.page import (
    DOUBLE_CM,
    SMALL_PT,
    colour_on_paper,
    new_figure,
    scale_bar,
    show_image,
    style,
    write_on,
)

LABEL_CM, GAP_CM = 0.6, 0.08
SIDE_CM = 2.1
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00")


def dendrite_figure(montages: Sequence[SiteMontage]) -> Any:
    """Crops of one dendrite with their times, a row a mode (Fig. 3C, D)."""
    columns = max(len(m.images) for m in montages)
    side = min(SIDE_CM, (DOUBLE_CM - LABEL_CM) / columns - GAP_CM)
    width = LABEL_CM + columns * (side + GAP_CM)
    height = len(montages) * (side + GAP_CM)
    with style():
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        for i, montage in enumerate(montages):
            bottom = (len(montages) - 1 - i) * (side + GAP_CM)
            figure.text(
                0.5 * LABEL_CM / width, (bottom + side / 2) / height, montage.mode,
                rotation=90, ha="center", va="center", fontweight="bold",
            )  # fmt: skip
            for j, image in enumerate(montage.grey()):
                left = LABEL_CM + j * (side + GAP_CM)
                box = (left / width, bottom / height, side / width, side / height)
                axes = figure.add_axes(box)
                show_image(axes, image)
                write_on(axes, f"{montage.times_s[j]:.4g} s", 0.04, 0.95, ha="left", va="top")
                if j == 0:
                    scale_bar(axes, image.shape[:2], montage.pixel_size_um)
        return figure


def growth_figure(growth: pd.DataFrame, sites: Sequence[int], stages: Sequence[Stage]) -> Any:
    """Area of some discs through deposition and dissolution (Fig. S16)."""
    with style():
        figure = new_figure(DOUBLE_CM / 2, DOUBLE_CM / 3)
        axes = figure.add_subplot()
        for colour, number in zip(COLOURS, sites, strict=False):
            own = growth[growth["site"] == number]
            axes.plot(own["time_s"], own["area_um2"], color=colour, lw=1, label=f"site {number}")
        for stage in stages:
            axes.axvspan(stage.start_s, stage.end_s, color=colour_on_paper(stage), alpha=0.12, lw=0)
        axes.set_xlabel("Time (s)")
        axes.set_ylabel("Area (µm²)")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=SMALL_PT)
        return figure
