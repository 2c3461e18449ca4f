"""Figures of how steps, nucleation sites and pores agree (Mao et al. 2024, Figs. 2A, 2C, 5C)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.alloyed_images import MOMENTS
from napari_lithium_alloy.core.montage import Montage
from napari_lithium_alloy.core.pair_names import short_image, short_pair
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.io.figures.images import montage_figure
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
)

DIVERGING = "PiYG"
"""Colours of r and of agreement, apart also for the colour-blind, white at 0."""
OUTSIDE, INSIDE = "#0072b2", "#ffffff"
"""Filling of an r outside of what chance gives, and of one inside."""
ARROW = "#f0d000"
ARROW_UP = 0.22
"""Height of the arrows of time over an image's lower edge, as a share of it."""
ROW_CM = 0.5
CELL_CM = 1.35


def pairs_figure(table: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> Any:
    """Pearson's r of pairs as bars, each over the 95 % interval that chance gives (Fig. 2C).

    Parameters
    ----------
    table : pandas.DataFrame
        `colocalization`.
    pairs : sequence of (str, str)
        Rows of it, from top to bottom.
    """
    rows = table.set_index(["a", "b"])
    found = [rows.loc[pair] for pair in pairs]
    with style():
        figure = new_figure(SINGLE_CM, ROW_CM * len(pairs) + 1.6)
        axes = figure.add_subplot()
        for y, row in enumerate(found):
            _draw_bar(axes, y, row)
        axes.axvline(0, color=INK, linewidth=0.5)
        axes.set(xlim=(-1, 1), ylim=(len(pairs) - 0.4, -0.6))
        axes.set_yticks(range(len(pairs)), [short_pair(*pair) for pair in pairs])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(
            "Pearson's r (grey: by chance, 95 %;\none pair in twenty lies outside)", labelpad=1
        )
    return figure


def _draw_bar(axes: Any, y: int, row: pd.Series) -> None:
    r = float(row["pearson_r"])
    low, high = float(row["null_low"]), float(row["null_high"])
    if not math.isfinite(r):
        axes.text(0.02, y, _short_reason(row["reason"]), va="center", fontsize=SMALL_PT, color=INK)
        return
    if math.isfinite(low):
        axes.barh(y, high - low, left=low, height=0.86, color=FAINT, linewidth=0)
    beyond = math.isfinite(low) and not low <= r <= high
    axes.barh(
        y, r, height=0.46, color=OUTSIDE if beyond else INSIDE, edgecolor=OUTSIDE, linewidth=0.6
    )
    beside, align = (max(r, high, 0), "left") if r >= 0 else (min(r, low, 0), "right")
    beside = beside if math.isfinite(beside) else r
    text = _two_digits(r) + ("" if beyond or not math.isfinite(low) else " (n.s.)")
    axes.text(
        beside + (0.02 if r >= 0 else -0.02), y, text, va="center", ha=align, fontsize=SMALL_PT
    )


def _short_reason(reason: Any) -> str:
    text = "" if pd.isna(reason) else str(reason)
    return "uniform step" if "is uniform" in text else text.split(":")[0]


def matrix_figure(table: pd.DataFrame, names: Sequence[str], moment: str = "middle") -> Any:
    """Pearson's r of every two of steps, sites and pores as a heatmap (Fig. 5C).

    Upper left of the diagonal unalloyed, lower right alloyed regions of the steps.

    Parameters
    ----------
    table : pandas.DataFrame
        `colocalization`.
    names : sequence of str
        Keys of steps (cycle1_step1) and names of masks (cycle1_sites), in order.
    moment : {"start", "middle", "end"}
        Of the steps.
    """
    rows = table.set_index(["a", "b"])
    n = len(names)
    side = CELL_CM * n
    with style():
        figure = new_figure(min(side + 3.4, DOUBLE_CM), side + 1.5)
        axes = figure.add_subplot()
        values = np.full((n, n), np.nan)
        for i in range(n):
            for j in range(n):
                if i != j:
                    region = "alloyed" if j > i else "unalloyed"
                    values[i, j] = _draw_cell(
                        axes, rows, (names[i], names[j]), (i, j), region, moment
                    )
        image = axes.imshow(values, cmap=DIVERGING, vmin=-1, vmax=1, origin="lower")
        axes.plot([-0.5, n - 0.5], [-0.5, n - 0.5], color=INK, linewidth=0.5)
        labels = [short_image(_at(name, "alloyed", moment)) for name in names]
        axes.set_xticks(range(n), labels)
        axes.set_yticks(range(n), labels)
        axes.tick_params(length=0)
        axes.set_title(f"unalloyed, {moment}", loc="left", fontsize=SMALL_PT, pad=2)
        axes.set_xlabel(f"alloyed, {moment}", loc="right", fontsize=SMALL_PT, labelpad=1)
        bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.03)
        bar.set_label("Pearson's r [by chance, 95 %]", labelpad=1)
        bar.outline.set_linewidth(0.4)
    return figure


def _at(name: str, region: str, moment: str) -> str:
    """Name of a step's region, or of a mask itself."""
    return f"{name}_{region}_{moment}" if "_step" in name else name


def _two_digits(value: float) -> str:
    """Without a sign where nothing is left of it."""
    return f"{round(value, 2) + 0.0:.2f}"


def _draw_cell(
    axes: Any,
    rows: pd.DataFrame,
    pair: tuple[str, str],
    place: tuple[int, int],
    region: str,
    moment: str,
) -> float:
    """Write r and its null interval into a cell; r."""
    i, j = place
    names = [_at(n, region, moment) for n in pair]
    found = next(
        (rows.loc[key] for key in (tuple(names), tuple(names[::-1])) if key in rows.index), None
    )
    if found is None:
        return math.nan
    r, low, high = (float(found[c]) for c in ("pearson_r", "null_low", "null_high"))
    if not math.isfinite(r):
        axes.text(
            j,
            i,
            _short_reason(found["reason"]).replace(" ", "\n"),
            ha="center",
            va="center",
            fontsize=SMALL_PT,
            color="#606060",
        )
        return math.nan
    beyond = math.isfinite(low) and not low <= r <= high
    axes.text(
        j,
        i + 0.14,
        _two_digits(r),
        ha="center",
        va="center",
        fontweight="bold" if beyond else "normal",
    )
    if math.isfinite(low):
        axes.text(
            j,
            i - 0.22,
            f"[{_two_digits(low)}, {_two_digits(high)}]",
            ha="center",
            va="center",
            fontsize=SMALL_PT - 1.5,
        )
    return r


def complementary_figure(montage: Montage) -> Any:
    """A step backwards, the same inverted, and a later step forwards, with arrows (Fig. 2A)."""
    figure = montage_figure(montage)
    n = len(montage.rows[0].images)
    for first, ahead in ((0, False), (2 * n, True)):
        left, right = (figure.axes[k].get_position() for k in (first, first + n - 1))
        y = left.y0 + ARROW_UP * left.height
        ends = [(left.x0 + left.width / 2, y), (right.x0 + right.width / 2, y)]
        figure.add_artist(_arrow(figure, *(ends if ahead else ends[::-1])))
    return figure


def _arrow(figure: Any, start: tuple[float, float], end: tuple[float, float]) -> Any:
    from matplotlib.patches import FancyArrowPatch

    return FancyArrowPatch(
        start, end, transform=figure.transFigure, arrowstyle="-|>", mutation_scale=7,
        color=ARROW, linewidth=1.0, zorder=5,
    )  # fmt: skip


def regions_figure(
    images: Mapping[str, Float32Array],
    steps: Sequence[str],
    progress: Sequence[float],
    pixel_size_um: float | None,
) -> Any:
    """Where each step has alloyed (dark) at its start, middle and end.

    Parameters
    ----------
    images : mapping of str to (Y, X) array
        Of `stage_images`.
    steps : sequence of str
        Their keys; a row each.
    progress : sequence of float
        Shares of the area alloyed at the three moments.
    pixel_size_um : float or None
    """
    shape = images[f"{steps[0]}_alloyed_middle"].shape
    side = (SINGLE_CM - 0.2) / len(MOMENTS)
    with style():
        figure = new_figure(SINGLE_CM, (side * shape[0] / shape[1] + 0.35) * len(steps))
        panels = figure.subplots(len(steps), len(MOMENTS), squeeze=False)
        for key, row in zip(steps, panels, strict=True):
            for moment, share, axes in zip(MOMENTS, progress, row, strict=True):
                alloyed = images[f"{key}_alloyed_{moment}"]
                grey = np.where(np.isnan(alloyed), 128, 255 - 215 * np.nan_to_num(alloyed))
                show_image(axes, grey.astype(np.uint8))
                title = f"{short_image(f'{key}_alloyed_{moment}')}, {100 * share:.0f} % alloyed"
                axes.set_title(title, fontsize=SMALL_PT, pad=2)
        scale_bar(panels[0, 0], shape, pixel_size_um)
    return figure


def boundary_figure(table: pd.DataFrame) -> Any:
    """R of every two steps against shifts of the boundary between them, with its null."""
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))
    with style():
        figure = new_figure(SINGLE_CM, 4.6)
        axes = figure.add_subplot()
        for k, pair in enumerate(pairs):
            own = table[(table["a"] == pair[0]) & (table["b"] == pair[1])].sort_values("shift_s")
            if own["pearson_r"].notna().any():
                colour = REGION_COLOURS[k % len(REGION_COLOURS)]
                x = own["shift_s"].to_numpy(float)
                band = (own[c].to_numpy(float) for c in ("null_low", "null_high"))
                axes.fill_between(x, *band, color=colour, alpha=0.15, linewidth=0)
                r = own["pearson_r"].to_numpy(float)
                axes.plot(x, r, marker="o", color=colour, label=short_pair(*pair))
        axes.axhline(0, color=INK, linewidth=0.4)
        axes.set(ylim=(-1, 1))
        axes.set_xlabel("Boundary between the steps moved by (s)", labelpad=1)
        axes.set_ylabel("Pearson's r of the onsets", labelpad=1)
        axes.legend(title="bands: by chance, 95 %", title_fontsize=SMALL_PT, loc="best")
    return figure


def agreement_figure(
    agreement: Float32Array,
    local_r: Float32Array,
    pair: tuple[str, str],
    *,
    sigma_px: float,
    pixel_size_um: float | None,
) -> Any:
    """Map of local agreement, whose mean is r, beside r in a window around each pixel."""
    rows, columns = agreement.shape
    known = np.abs(agreement[np.isfinite(agreement)])
    top = float(np.percentile(known, 99)) if known.size else 1.0
    width = sigma_px if pixel_size_um is None else sigma_px * pixel_size_um
    unit = "px" if pixel_size_um is None else "µm"
    with style():
        figure = new_figure(SINGLE_CM, SINGLE_CM / 2 * rows / columns + 1.4)
        panels = figure.subplots(1, 2)
        shown = (
            (agreement, top, "Product of z-scores"),
            (local_r, 1.0, f"Local r (window σ {width:.2g} {unit})"),
        )
        for axes, (image, most, label) in zip(panels, shown, strict=True):
            axes.set(xticks=[], yticks=[], facecolor="#808080")
            picture = axes.imshow(image, cmap=DIVERGING, vmin=-most, vmax=most)
            bar = figure.colorbar(
                picture, ax=axes, orientation="horizontal", fraction=0.05, pad=0.03, aspect=22
            )
            bar.set_label(label, labelpad=1, fontsize=SMALL_PT)
            bar.outline.set_linewidth(0.4)
            scale_bar(axes, (rows, columns), pixel_size_um)
        panels[0].set_title(short_pair(*pair), fontsize=SMALL_PT, pad=3, loc="left")
    return figure
