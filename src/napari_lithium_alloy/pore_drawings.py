"""The paper's figures of pores and cycles, of one analysis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from napari_lithium_alloy.core.cycles import LEAVING
from napari_lithium_alloy.core.photometry import Reference
from napari_lithium_alloy.core.pore_lives import area_ratio_curves
from napari_lithium_alloy.core.pore_sequences import chosen_pores, pore_sequences
from napari_lithium_alloy.core.pore_tracking import PoreTracks, window_ends
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import FloatArray, IntArray
from napari_lithium_alloy.core.stages import Stage, cycles_of, stages_of
from napari_lithium_alloy.core.state_montage import film_reference, state_montage
from napari_lithium_alloy.frame_parts import pore_windows
from napari_lithium_alloy.io.figures.cycles import pore_cycles_figure, states_figure
from napari_lithium_alloy.io.figures.lineage import lineage_figure, pore_lines
from napari_lithium_alloy.io.figures.pores import (
    area_ratio_figure,
    sequences_figure,
    sizes_figure,
)
from napari_lithium_alloy.pair_drawings import Drawing
from napari_lithium_alloy.result import AnalysisResult


def pore_drawings(result: AnalysisResult) -> Iterator[Drawing]:
    """Figs. 3E, S16, S17, 4A, 5D, 4B and 5E, and a tree of the pores; none of what is not known."""
    tracks = result.pore_tracks
    if len(result.tables["cycles"]):
        yield "states", partial(_states, result)
    if len(result.tables["size_distribution"]):
        yield "sizes", partial(_sizes, result)
    if tracks is None or not len(tracks.pores):
        return
    yield "states_pores", partial(_states, result, outlines=True)
    known = tracks.pores[tracks.pores["area_um2"] > 0]
    for cycle in sorted(int(c) for c in known["cycle"].unique()):
        curves = area_ratio_curves(tracks.pores, cycle)
        if not curves["area_ratio"].notna().any():
            continue
        chosen = chosen_pores(tracks.pores, result.tables["pore_lives"], cycle)
        yield f"area_ratio_cycle{cycle}", partial(_area_ratio, result, tracks, cycle, chosen)
        if chosen:
            yield f"pore_sequences_cycle{cycle}", partial(_opening, result, tracks, cycle, chosen)
    cycles, overlaps = result.tables["cycles"], result.tables["pore_overlaps"]
    if cycles["total_area_um2"].notna().any() or overlaps["fraction"].notna().any():
        yield "pore_cycles", partial(pore_cycles_figure, cycles, overlaps)
    windows = _windows(tracks)
    lines = pore_lines(
        result.tables["pore_lives"], tracks.lineage, max(end for _, end in windows.values())
    )
    if lines:
        n = len(result.tables["pore_lives"])
        stages = stages_of(result.experiment.stages, *LEAVING)
        yield "pore_lineage", partial(lineage_figure, lines, tracks.graph, windows, stages, n)


def _windows(tracks: PoreTracks) -> dict[int, tuple[float, float]]:
    """First and last time at which pores were followed, by cycle."""
    times = tracks.summary.groupby("cycle")["time_s"].agg(["min", "max"])
    return {int(c): (float(row["min"]), float(row["max"])) for c, row in times.iterrows()}


def _leaving(result: AnalysisResult, cycle: int) -> list[Stage]:
    return stages_of(result.experiment.stages, *LEAVING, cycle=cycle)


def _area_ratio(
    result: AnalysisResult, tracks: PoreTracks, cycle: int, chosen: Sequence[int]
) -> Any:
    curves = area_ratio_curves(tracks.pores, cycle, chosen)
    return area_ratio_figure(curves, _leaving(result, cycle), _cycle_title(result, cycle))


def _cycle_title(result: AnalysisResult, cycle: int) -> str:
    return f"cycle {cycle}" if len(cycles_of(result.experiment.stages)) > 1 else ""


def _opening(result: AnalysisResult, tracks: PoreTracks, cycle: int, chosen: Sequence[int]) -> Any:
    work = pore_sequences(
        result.recording, tracks, _level(result), cycle, chosen, result.config.montage
    )
    return sequences_figure(finish(work), _leaving(result, cycle))


def _level(result: AnalysisResult) -> Reference:
    return film_reference(result.recording, result.reference, result.film)


def _sizes(result: AnalysisResult) -> Any:
    areas: dict[tuple[int, str], FloatArray] = {}
    for cycle, own in result.tables["sites"].groupby("cycle"):
        areas[int(cycle), "site"] = own["area_um2"].to_numpy(float)
    for cycle, own in result.tables["pores"].groupby("cycle"):
        last = own[own["time_s"] == own["time_s"].max()]
        areas[int(cycle), "pore"] = last["area_um2"].to_numpy(float)
    return sizes_figure(areas, result.tables["size_distribution"])


def _states(result: AnalysisResult, *, outlines: bool = False) -> Any:
    tracks, pores = result.pore_tracks, {}
    if outlines and tracks is not None:
        pores = {0: tracks.pristine.labels}
        pores |= window_ends(tracks, pore_windows(result.experiment.stages))
    shown: dict[int, IntArray] = pores
    work = state_montage(
        result.recording,
        result.tables["cycles"],
        _level(result),
        result.config.montage,
        pores=shown,
        film=result.film,
    )
    return states_figure(finish(work), outlines=outlines)
