"""What the plot of nucleation sites can show; a further view is one more line of VIEWS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plots import Curve
from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.site_detection import (
    SiteCandidates,
    suggested_threshold,
    threshold_curve,
)
from napari_lithium_alloy.core.tables import empty

MOST_CURVES = 6


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteContext:
    """What a view is drawn from.

    Attributes
    ----------
    opened : Opened
    cycle : int
    parameters : NucleationParameters
    candidates : SiteCandidates or None
        Of the last search with these parameters.
    selected : sequence of int
        Numbers of the sites selected in the layer.
    """

    opened: Opened
    cycle: int
    parameters: NucleationParameters
    candidates: SiteCandidates | None
    selected: Sequence[int]


@dataclass(frozen=True, eq=False, kw_only=True)
class SitePlot:
    """One plot of sites, on screen and on paper.

    Attributes
    ----------
    x_label, y_label : str
        As they are written, with units.
    curves : sequence of Curve
    logarithmic, logarithmic_x : bool
        Whether the y axis is (values under 0.5 are drawn there), and the x axis.
    threshold : float or None
        A line that can be dragged; NaN and None: none.
    suggested : float or None
        A dashed line with its name.
    hint : str
        What to do where there are no curves.
    """

    x_label: str = ""
    y_label: str = ""
    curves: Sequence[Curve] = ()
    logarithmic: bool = False
    logarithmic_x: bool = False
    threshold: float | None = None
    suggested: float | None = None
    hint: str = ""


def threshold_plot(context: SiteContext) -> SitePlot:
    """How many sites reach a signal-to-noise, and how many of them noise makes."""
    curve = _curve_of(context)
    if not len(curve):
        return SitePlot(hint="Detect sites to see how many\nthere are at each threshold")
    x, counts = curve["threshold"].to_numpy(float), curve["count"].to_numpy(float)
    false = curve["expected_false"].to_numpy(float)
    curves = [Curve(name="sites", x=x, y=counts)]
    if np.isfinite(false).any():
        curves.append(Curve(name="expected from noise", x=x, y=false))
    return SitePlot(
        x_label="Least SNR",
        y_label="Number",
        curves=curves,
        logarithmic=True,
        logarithmic_x=True,
        threshold=context.parameters.min_snr,
        suggested=suggested_threshold(curve),
    )


def _curve_of(context: SiteContext) -> pd.DataFrame:
    """Counts by threshold of the last search, else of the last whole analysis."""
    if context.candidates is not None:
        return threshold_curve(context.candidates)
    table = context.opened.tables.get("site_thresholds")
    if table is None:
        return empty("site_thresholds")
    return table[(table["cycle"] == context.cycle) & table["threshold"].notna()]


def growth_plot(context: SiteContext) -> SitePlot:
    """Area against time of the sites selected, else the median of all with its quartiles."""
    table = context.opened.tables.get("site_growth")
    own = None if table is None else table[table["cycle"] == context.cycle]
    if own is None or not own["area_um2"].notna().any():
        return SitePlot(hint="Detect or measure sites\nto see how they grow")
    wide = own.pivot_table(index="time_s", columns="site", values="area_um2")
    times = wide.index.to_numpy(float)
    chosen = [n for n in context.selected if n in wide.columns][:MOST_CURVES]
    curves = [Curve(name=f"site {n}", x=times, y=wide[n].to_numpy(float)) for n in chosen]
    return SitePlot(
        x_label="Time (s)", y_label="Area (µm²)", curves=curves or _quartiles(times, wide)
    )


def _quartiles(times: FloatArray, wide: pd.DataFrame) -> list[Curve]:
    shares = (("median of all", 0.5), ("upper quartile", 0.75), ("lower quartile", 0.25))
    return [
        Curve(name=name, x=times, y=wide.quantile(share, axis=1).to_numpy(float))
        for name, share in shares
    ]


VIEWS: dict[str, Callable[[SiteContext], SitePlot]] = {
    "Number against threshold": threshold_plot,
    "Growth of selected sites": growth_plot,
}
"""Views offered in the dock, by name."""
