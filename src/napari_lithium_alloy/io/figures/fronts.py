"""The figure of a step's front: its speed with isochrones, and the area it has reached."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.colorcode import lut
from napari_lithium_alloy.core.front_speed import FrontMap
from napari_lithium_alloy.core.isochrones import Isochrones
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.io.figures.page import (
    CM_PER_INCH,
    INK,
    SINGLE_CM,
    SMALL_PT,
    colour_on_paper,
    new_figure,
    scale_bar,
    show_image,
    style,
)

SPEED_COLOURS = "plasma"
UNKNOWN_GREY = 0.6
LINE_COLOUR = "white"
SHOWN = (2.0, 98.0)
"""Percentiles of the speeds that have the first and the last colour; on a logarithmic scale."""
FROM_ENDS = 1.15
"""Factor from the ends of a bar within which a number would hang over."""
TITLE_CM, BELOW_CM, AXIS_CM, MARGIN_CM = 0.4, 1.0, 1.1, 0.08
"""Room above and below the panels, for the curve's numbers, and at the sides."""
BAR_CM = (0.12, 0.17)
"""Gap between image and colour bar, and the bar's height."""


def front_figure(
    front: FrontMap,
    lines: Isochrones,
    stage: Stage,
    fraction: pd.DataFrame,
    *,
    pixel_size_um: float,
) -> Any:
    """Front speed in colours under isochrones, beside the alloyed fraction against time.

    Parameters
    ----------
    front : FrontMap
    lines : Isochrones
    stage : Stage
        The step that they are of.
    fraction : pandas.DataFrame
        Rows of the table `alloyed_fraction` of that step.
    pixel_size_um : float
    """
    rows, columns = front.speed_um_s.shape
    side = (SINGLE_CM - AXIS_CM - 2 * MARGIN_CM) / 2
    height = side * rows / columns
    with style():
        figure = new_figure(SINGLE_CM, TITLE_CM + height + BELOW_CM)
        figure.set_layout_engine("none")
        place = functools.partial(_place, figure)
        image = place(MARGIN_CM, BELOW_CM, side, height)
        gap, thick = BAR_CM
        bar = place(MARGIN_CM, BELOW_CM - gap - thick, side, thick)
        _draw_speed(figure, image, bar, front)
        for path in lines.paths_px:
            image.plot(path[:, 1], path[:, 0], color=LINE_COLOUR, linewidth=0.4)
        scale_bar(image, (rows, columns), pixel_size_um, zorder=3)
        image.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
        image.set_title(
            f"{stage.label}, isochrones every {lines.interval_s:g} s",
            fontsize=SMALL_PT, pad=3, color=colour_on_paper(stage),
        )  # fmt: skip
        left = SINGLE_CM - MARGIN_CM - side
        _draw_fraction(place(left, BELOW_CM, side, height), stage, fraction)
    return figure


def _place(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """Axes at a place in cm."""
    across, up = (CM_PER_INCH * inches for inches in figure.get_size_inches())
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _draw_speed(figure: Any, axes: Any, bar_axes: Any, front: FrontMap) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm
    from matplotlib.ticker import NullLocator

    known = front.speed_um_s[front.resolved]
    low, high = np.percentile(known, SHOWN) if known.size else (0.1, 1.0)
    norm = LogNorm(float(low), float(max(high, 1.01 * low)), clip=True)
    table = lut(SPEED_COLOURS)
    share = np.asarray(norm(np.where(front.resolved, front.speed_um_s, low)))
    image = table[np.round(255 * share).astype(int)]
    image[~front.resolved] = round(255 * UNKNOWN_GREY)
    show_image(axes, image)
    bar = figure.colorbar(
        ScalarMappable(norm, ListedColormap(table / 255)), cax=bar_axes, orientation="horizontal",
        extend="both",
    )  # fmt: skip
    bar.ax.xaxis.set_minor_locator(NullLocator())
    ticks = round_speeds(float(low), float(high))
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.set_label("Front speed (µm s$^{-1}$), grey: none", labelpad=1, fontsize=SMALL_PT)
    bar.outline.set_linewidth(0.4)


def round_speeds(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten well within a range, else its middle to two digits."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [k * 10.0**p for p in powers for k in (1, 2, 5)]
    inside = [tick for tick in ticks if low * FROM_ENDS <= tick <= high / FROM_ENDS]
    return inside or [float(f"{math.sqrt(low * high):.2g}")]


def _draw_fraction(axes: Any, stage: Stage, fraction: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    share = 100 * fraction["alloyed_fraction"].to_numpy(float)
    axes.plot(fraction["time_s"].to_numpy(float), share, color=colour_on_paper(stage))
    axes.axhline(50, color=INK, linewidth=0.4, linestyle=":")
    axes.set(ylim=(0, 104))
    axes.set_xlabel("Time (s)", labelpad=1)
    axes.set_ylabel(f"Area {'alloyed' if stage.darkens else 'dealloyed'} (%)", labelpad=1)
    axes.margins(x=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], prune="upper"))
