"""What the dock Pore tracking can draw of its tables."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plots import Curve, Plot
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.pore_lives import area_ratio_curves
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of

MOST_CHOSEN = 5
TIME = "Time (s)"


def leaving_stages(opened: Opened) -> list[Stage]:
    """The stages in which pores open."""
    return stages_of(opened.experiment.stages, StageKind.DISSOLUTION, StageKind.DEALLOYING)


def total_area(opened: Opened, _pore: int, _cycle: int | None) -> Plot:
    """Total area against time, a curve a cycle."""
    return _summary(opened, "total_area_um2", "Total pore area (µm²)")


def count(opened: Opened, _pore: int, _cycle: int | None) -> Plot:
    """Number of pores against time, a curve a cycle."""
    return _summary(opened, "count", "Pores")


def _summary(opened: Opened, column: str, label: str) -> Plot:
    summary = opened.tables["pore_summary"]
    curves = [
        Curve(
            name=f"cycle {cycle}",
            x=part["time_s"].to_numpy(float),
            y=part[column].to_numpy(float, na_value=np.nan),
        )
        for cycle, part in summary.groupby("cycle")
    ]
    return Plot(x_label=TIME, y_label=label, curves=curves, stages=leaving_stages(opened))


def area_ratio(opened: Opened, pore: int, cycle: int | None) -> Plot:
    """Area relative to the final pore, of the field and of chosen pores (Fig. 3E).

    The pore selected in the layer, else those that end largest.
    """
    pores = opened.tables["pores"]
    label = "Area relative to final"
    cycle = _cycle_of(pores, pore, cycle)
    if cycle is None:
        return Plot(x_label=TIME, y_label=label)
    own = pores[pores["cycle"] == cycle]
    last = own[own["time_s"] == own["time_s"].max()]
    chosen = last.nlargest(MOST_CHOSEN, "area_um2")["pore"].tolist()
    selected = own.loc[own["pore"] == pore, "final_pore"].dropna()
    if len(selected):
        chosen = [int(selected.iloc[0])]
    try:
        curves = area_ratio_curves(pores, cycle, chosen)
    except AlloyError:
        curves = area_ratio_curves(pores, cycle)
    drawn = [
        Curve(
            name="all" if number == 0 else f"pore {number}",
            x=part["time_s"].to_numpy(float),
            y=part["area_ratio"].to_numpy(float),
        )
        for number, part in sorted(curves.groupby("final_pore"))
    ]
    stages = [s for s in leaving_stages(opened) if s.cycle == cycle]
    return Plot(x_label=TIME, y_label=label, curves=drawn, stages=stages)


def _cycle_of(pores: pd.DataFrame, pore: int, cycle: int | None) -> int | None:
    if cycle is not None or not len(pores):
        return cycle if len(pores) else None
    of_pore = pores.loc[pores["pore"] == pore, "cycle"]
    return int(of_pore.iloc[-1] if len(of_pore) else pores["cycle"].iloc[0])


def area_of_cycles(opened: Opened, _pore: int, _cycle: int | None) -> Plot:
    """Area fraction of the pristine film and at each cycle's end (Figs. 4B and 5E)."""
    return _states(opened, "area_fraction", 100.0, "Pore area (% of the film)")


def count_of_cycles(opened: Opened, _pore: int, _cycle: int | None) -> Plot:
    """Number of pores of the pristine film and at each cycle's end (Figs. 4B and 5E)."""
    return _states(opened, "count", 1.0, "Pores")


def _states(opened: Opened, column: str, factor: float, label: str) -> Plot:
    ends = opened.tables["pore_summary"].groupby("cycle").tail(1).set_index("cycle")
    x, y = ends.index.to_numpy(float), factor * ends[column].to_numpy(float, na_value=np.nan)
    ticks = {float(c): f"Di{c}*" for c in ends.index}
    tracks = opened.pore_tracks
    if tracks is not None and len(x):
        film_um2 = tracks.optics.film.sum() * opened.recording.pixel_size("Pores") ** 2
        fraction = tracks.pristine.area_um2 / float(film_um2)
        count = tracks.pristine.count if math.isfinite(fraction) else math.nan
        first = count if column == "count" else fraction
        x, y = np.concatenate([[x[0] - 1], x]), np.concatenate([[factor * first], y])
        ticks[float(x[0])] = "P"
    curve = Curve(name=label, x=x, y=y)
    return Plot(
        x_label="State", y_label=label, curves=[curve], timed=False, marked=True, x_ticks=ticks
    )


def sizes(opened: Opened, _pore: int, _cycle: int | None) -> Plot:
    """Size distributions of discs and pores (Fig. S17)."""
    table = opened.tables.get("size_distribution", pd.DataFrame({"kind": []}))
    curves = []
    for (kind, cycle), part in table.groupby(["kind", "cycle"]) if len(table) else ():
        edges = np.repeat([*part["low_um2"], part["high_um2"].iloc[-1]], 2).astype(float)
        share = 100 * np.repeat(part["fraction"].to_numpy(float), 2)
        name = f"{'pores' if kind == 'pore' else 'discs'} {cycle}"
        curves.append(Curve(name=name, x=edges, y=np.concatenate([[0], share, [0]])))
    return Plot(x_label="Area (µm²)", y_label="Share (%)", curves=curves, timed=False)


VIEWS: dict[str, Callable[[Opened, int, int | None], Plot]] = {
    "Total area": total_area,
    "Area relative to final": area_ratio,
    "Count": count,
    "Area fraction by cycle": area_of_cycles,
    "Count by cycle": count_of_cycles,
    "Sizes": sizes,
}
"""What can be drawn, by the words that choose it: of the recording, the selected pore and cycle."""
