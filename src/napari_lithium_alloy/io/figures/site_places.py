"""Figures of where nuclei sit, how they lie to each other, and how many there are (Fig. S11)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.site_study import PowerLaw
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.io.figures.page import (
    DOUBLE_CM,
    FAINT,
    INK,
    REGION_COLOURS,
    SINGLE_CM,
    SMALL_PT,
    new_figure,
    style,
)

PANEL_CM = 5.7
MOST_IN_A_ROW = 3
BAND = "95 % of chance"
HEADROOM = 1.18
"""Of an axis, for the words above the curves."""


def ranks_figure(ranks: pd.DataFrame, curve: pd.DataFrame, outer: float) -> Any:
    """Density of sites against the rank of alloying at them, a panel a step.

    Parameters
    ----------
    ranks, curve : pandas.DataFrame
        Rows of the tables `site_ranks` and `site_rank_curve` of one cycle.
    outer : float
        Ranks below it and above 1 less it are the first and the last alloyed area.
    """
    columns = len(ranks) if len(ranks) <= MOST_IN_A_ROW else 2
    rows = math.ceil(len(ranks) / columns)
    with style():
        figure = new_figure(PANEL_CM * columns, PANEL_CM * rows)
        every = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (_, row) in zip(every, ranks.iterrows(), strict=False):
            _draw_ranks(axes, row, curve[curve["step"] == row["step"]], outer)
        for axes in every[len(ranks) :]:
            axes.remove()
    return figure


def _draw_ranks(axes: Any, row: pd.Series, curve: pd.DataFrame, outer: float) -> None:
    stage = Stage(kind=StageKind.ALLOYING, step=int(row["step"]), start_s=0, end_s=1)
    axes.set_title(stage.label, color=stage.colour, pad=3)
    axes.set(xlim=(0, 1))
    axes.set_xlabel("Rank of alloying, by area\n(0: first, 1: last)", labelpad=1)
    axes.set_ylabel("Density of sites\n(1: that of the area)", labelpad=1)
    if not len(curve):
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, _wrapped(str(row["reason"])), transform=axes.transAxes, ha="center",
            va="center", fontsize=SMALL_PT,
        )  # fmt: skip
        return
    x, observed, expected, low, high = (
        curve[c].to_numpy(float) for c in ("rank", "observed", "expected", "low", "high")
    )
    for side in ((0, outer), (1 - outer, 1)):
        axes.axvspan(*side, color=INK, alpha=0.06, linewidth=0)
    axes.fill_between(x, low, high, color=FAINT, alpha=0.7, linewidth=0, label=BAND)
    axes.plot(x, expected, color=INK, linewidth=0.6, linestyle=":", label="expected")
    axes.plot(x, observed, color=stage.colour, linewidth=1.2, label="sites")
    top = HEADROOM * float(max(observed.max(), high.max()))
    axes.set_ylim(0, 1.25 * top)
    axes.legend(loc="upper right", borderaxespad=0.3, labelspacing=0.2)
    share, chance = 100 * row["share_outer"], 100 * row["share_expected"]
    axes.set_title(
        f"{stage.label}, {row['n_sites']} sites: {said_p(row['p_value'])}\n"
        f"shaded: {share:.0f} % (chance {chance:.0f} %), {said_p(row['p_outer'])}",
        color=stage.colour, pad=3, fontsize=SMALL_PT, linespacing=1.3,
    )  # fmt: skip


def spacing_figure(field: pd.Series, spacing: pd.DataFrame) -> Any:
    """L(r) - r and the pair correlation of a cycle's sites over the bands of random ones.

    Parameters
    ----------
    field : pandas.Series
        A row of the table `site_field`.
    spacing : pandas.DataFrame
        Rows of the table `site_spacing` of the same cycle.
    """
    r = spacing["r_um"].to_numpy(float)
    l_r, l_low, l_high = (spacing[c].to_numpy(float) - r for c in ("l_um", "l_low_um", "l_high_um"))
    g, g_low, g_high = (spacing[c].to_numpy(float) for c in ("pair_correlation", "g_low", "g_high"))
    with style():
        figure = new_figure(DOUBLE_CM * 0.72, 5.2)
        left, right = figure.subplots(1, 2)
        _draw_band(left, r, (l_r, l_low, l_high), 0, "L(r) − r (µm)", field["ripley_p"])
        _draw_band(
            right, r, (g, g_low, g_high), 1, "Pair correlation g(r)", field["pair_correlation_p"]
        )
        right.set_ylim(
            0, min(right.get_ylim()[1], 1.3 * max(float(g.max()), float(g_high[2:].max())))
        )
        figure.suptitle(density_words(field), fontsize=SMALL_PT)
    return figure


def _draw_band(
    axes: Any, r: Any, curves: Sequence[Any], chance: float, label: str, p: float
) -> None:
    observed, low, high = curves
    axes.fill_between(r, low, high, color=FAINT, alpha=0.7, linewidth=0, label=BAND)
    axes.axhline(chance, color=INK, linewidth=0.6, linestyle=":")
    axes.plot(r, observed, color=REGION_COLOURS[0], linewidth=1.2, label="sites")
    axes.set(xlim=(0, float(r[-1])))
    least, most = axes.get_ylim()
    axes.set_ylim(least, most + 0.3 * (most - least))
    axes.set_xlabel("Distance r (µm)", labelpad=1)
    axes.set_ylabel(label, labelpad=1)
    axes.legend(loc="upper right", borderaxespad=0.3, labelspacing=0.2)
    axes.text(0.03, 0.96, said_p(p), transform=axes.transAxes, va="top", fontsize=SMALL_PT)


def density_words(field: pd.Series) -> str:
    """Number, density and Clark and Evans's index of a field, for above a plot."""
    words = (
        f"{field['n_sites']} sites, {field['density_um2']:.3g} "
        f"({field['density_low_um2']:.3g} to {field['density_high_um2']:.3g}) µm⁻²"
    )
    if not pd.isna(field["clark_evans"]):
        words += (
            f"; nearest neighbour {field['nn_mean_um']:.2g} µm, {field['clark_evans']:.2f} × "
            f"that of chance ({said_p(field['clark_evans_p'])})"
        )
    return words


def study_figure(table: pd.DataFrame, law: PowerLaw) -> Any:
    """Density of sites against current density at equal charge, on logarithmic scales (Fig. S11).

    Parameters
    ----------
    table : pandas.DataFrame
        `site_study`.
    law : PowerLaw
    """
    x, y, low, high = (
        table[c].to_numpy(float)
        for c in ("current_ma_cm2", "density_um2", "density_low_um2", "density_high_um2")
    )
    with style():
        figure = new_figure(SINGLE_CM, 6.2)
        axes = figure.add_subplot()
        seen = y > 0
        axes.errorbar(
            x[seen], y[seen], yerr=(y[seen] - low[seen], high[seen] - y[seen]), fmt="o", capsize=2,
            markersize=4, color=REGION_COLOURS[0], label="sites, 95 % of a count", zorder=3,
        )  # fmt: skip
        if (~seen).any():
            axes.plot(
                x[~seen], high[~seen], "v", markersize=4, color=REGION_COLOURS[0],
                fillstyle="none", label="no site (upper limit)",
            )  # fmt: skip
        if math.isfinite(law.exponent):
            line = np.geomspace(x.min() / 1.2, x.max() * 1.2, 50)
            axes.plot(
                line, law.factor_um2 * line**law.exponent, color=REGION_COLOURS[1], zorder=2,
                label=f"exponent {law.exponent:.2f} ± {law.exponent_sd:.2f}",
            )  # fmt: skip
        axes.set(xscale="log", yscale="log")
        _plain_ticks(axes)
        axes.set_xlabel("Current density (mA cm$^{-2}$)", labelpad=1)
        axes.set_ylabel("Density of sites (µm$^{-2}$)", labelpad=1)
        charge = 1e3 * float(table["charge_mah_cm2"].iloc[0])
        axes.set_title(f"after {charge:.3g} µAh cm$^{{-2}}$ of deposition", pad=3)
        axes.legend(loc="best")
        axes.margins(0.12)
    return figure


def _plain_ticks(axes: Any) -> None:
    """Numbers as people write them, also between the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(_general))
        axis.set_minor_formatter(NullFormatter())


def _general(value: float, _position: int | None = None) -> str:
    return f"{value:g}"


def said_p(p: float) -> str:
    """A p-value as it is written: p = 0.03."""
    return "p not known" if pd.isna(p) else f"p = {p:.2g}"


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 28)
