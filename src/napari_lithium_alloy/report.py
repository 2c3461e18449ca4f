"""The paper's figures of one analysis, a movie, and the stages of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_lithium_alloy.config import config_of
from napari_lithium_alloy.core.alloyed_images import is_uniform
from napari_lithium_alloy.core.curves import FIELD
from napari_lithium_alloy.core.cycles import COMING, LEAVING
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.field import film_of
from napari_lithium_alloy.core.isochrones import isochrones
from napari_lithium_alloy.core.montage import stage_montage
from napari_lithium_alloy.core.photometry import Reference, reference_frame
from napari_lithium_alloy.core.progress import Work, finish, part
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.stage_detection import detect_stages
from napari_lithium_alloy.core.stages import Stage, StageKind, cycles_of, stages_of
from napari_lithium_alloy.core.time_scale import time_scale
from napari_lithium_alloy.io.figures.curves import (
    CellCurve,
    absorbance_figure,
    cells_figure,
    cycling_figure,
    potential_figure,
)
from napari_lithium_alloy.io.figures.fronts import front_figure
from napari_lithium_alloy.io.figures.images import montage_figure, onset_figure
from napari_lithium_alloy.io.figures.movie import View, write_movie
from napari_lithium_alloy.io.figures.page import (
    check_figures_out,
    checked_formats,
    save_figure,
)
from napari_lithium_alloy.measured import steadied
from napari_lithium_alloy.pair_drawings import Drawing, pair_drawings
from napari_lithium_alloy.pipeline import found_stages
from napari_lithium_alloy.placement_drawings import placement_drawings
from napari_lithium_alloy.pore_drawings import pore_drawings
from napari_lithium_alloy.result import AnalysisResult
from napari_lithium_alloy.site_drawings import site_drawings

LEAST_RESOLVED = 0.02
"""Share of the field; with less a step has no front to draw, as a uniform one."""
HALVES = (("lithiation", COMING), ("delithiation", LEAVING))


def with_stages(experiment: Experiment, recording_name: str | None = None) -> Work[Experiment]:
    """The experiment with its stages: those given, else those found in potential and picture."""
    if experiment.stages:
        return experiment
    recording = experiment.recording(recording_name)
    steady = yield from part(steadied(experiment, recording), 0, 50, 100)
    reference = _reference(experiment, steady)
    found = found_stages(experiment, steady, reference, film_of(steady, reference))
    stages = yield from part(found, 50, 100, 100)
    return experiment.replace(stages=tuple(stages))


def _reference(experiment: Experiment, recording: Recording) -> Reference:
    return reference_frame(
        recording,
        config_of(experiment, recording).normalization,
        current_starts_s=experiment.current_starts_s(),
    )


def save_movie(
    experiment: Experiment, out: Path, *, recording_name: str | None = None, fps: int = 20
) -> Work[Path]:
    """Save an annotated movie of trans beside epi, or of the one recording named; its path.

    Raises
    ------
    AlloyError
        If the package that writes video is not installed, or the file cannot be written.
    """
    both = [r for mode in ("trans", "epi") if (r := experiment.by_mode(mode)) is not None]
    if recording_name is not None or not both:
        both = [experiment.recording(recording_name)]
    experiment = yield from part(with_stages(experiment, recording_name), 0, 10, 100)
    views = []
    for i, recording in enumerate(both):
        begin = 10 + 10 * i
        steady = yield from part(steadied(experiment, recording), begin, begin + 10, 100)
        views.append(View(recording=steady, reference=_reference(experiment, steady)))
    cell = cell_curve(experiment)
    x = None if cell is None else _content(experiment, cell.times_s)
    stages = cell_stages(experiment.stages, tuple(StageKind))
    written = yield from part(write_movie(out, views, stages, cell, x, fps=fps), 30, 100, 100)
    return written


def save_figures(
    result: AnalysisResult,
    out: Path,
    formats: Sequence[str] = ("png", "svg"),
    *,
    others: Sequence[Experiment] = (),
    overwrite: bool = False,
) -> Work[list[Path]]:
    """Save the figures of an analysis, one after the other; their paths.

    Parameters
    ----------
    result : AnalysisResult
    out : Path
        A folder, made where it isn't there.
    formats : sequence of str
        Out of png, svg, pdf and tif.
    others : sequence of Experiment
        Further cells whose potential is drawn under that of this one (Fig. 1F).
    overwrite : bool

    Raises
    ------
    AlloyError
        If there are no stages, or the folder holds figures and `overwrite` is not set, or cannot
        be written.
    """
    formats = checked_formats(formats)
    check_figures_out(out, overwrite=overwrite)
    if not result.experiment.stages:
        raise AlloyError(
            "No stages are given and none were found, and figures are of stages; add [[stages]] "
            "to recording.toml."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AlloyError(
            f"{out} cannot be made ({error.strerror}); choose another folder."
        ) from error
    drawings = list(_drawings(result, others))
    written: list[Path] = []
    for i, (name, draw) in enumerate(drawings):
        written += save_figure(draw(), out, name, formats)
        yield i + 1, len(drawings)
    return written


def _drawings(result: AnalysisResult, others: Sequence[Experiment]) -> Iterator[Drawing]:
    stages = result.experiment.stages
    for cycle in cycles_of(stages):
        for half, kinds in HALVES:
            name = f"cycle{cycle}_{half}"
            shown = [s for s in stages_of(stages, *kinds, cycle=cycle) if _has_frames(result, s)]
            if shown:
                yield f"montage_{name}", partial(_montage, result, shown)
            of_cell = cell_stages(stages, kinds, cycle)
            if of_cell:
                yield f"potential_{name}", partial(_potential, result, of_cell)
        steps = [
            s
            for s in stages_of(stages, StageKind.ALLOYING, cycle=cycle)
            if _has_absorbance(result, s)
        ]
        if steps:
            yield f"absorbance_cycle{cycle}", partial(_absorbance, result, steps)
    yield from _of_onsets(result)
    yield from pair_drawings(result)
    yield from placement_drawings(result)
    yield from pore_drawings(result)
    yield from site_drawings(result)
    cell = cell_curve(result.experiment)
    if cell is not None:
        yield "cycling", partial(cycling_figure, cell, cycle_spans(stages))
        cells = (c for c in (cell, *map(cell_curve, others)) if c is not None)
        first = [c for c in map(_first_lithiation, cells) if c.times_s.size]
        if first:
            yield "cells", partial(cells_figure, first)


def _of_onsets(result: AnalysisResult) -> Iterator[Drawing]:
    for stage in stages_of(result.experiment.stages, StageKind.ALLOYING, *LEAVING):
        if stage.key in result.onset_maps:
            yield f"onset_{stage.key}", partial(_onset, result, stage)
        front = result.front_maps.get(stage.key)
        if front is not None and front.resolved.mean() > LEAST_RESOLVED:
            yield f"front_{stage.key}", partial(_front, result, stage)


def _has_frames(result: AnalysisResult, stage: Stage) -> bool:
    return bool(result.recording.frames_between(stage.start_s, stage.end_s).size)


def _has_absorbance(result: AnalysisResult, stage: Stage) -> bool:
    curves = result.tables["curves"]
    own = curves[(curves["stage"] == stage.name) & (curves["cycle"] == stage.cycle)]
    return bool(own["normalized_absorbance"].notna().any())


def cell_stages(
    stages: Sequence[Stage], kinds: Sequence[StageKind], cycle: int | None = None
) -> list[Stage]:
    """The cell's stages of these kinds in order; the field's where the cell's isn't known."""
    chosen = [s for s in stages if s.kind in kinds and cycle in (None, s.cycle)]
    in_cell = {s.key for s in chosen if s.scope == "cell"}
    kept = [s for s in chosen if s.scope == "cell" or s.key not in in_cell]
    return sorted(kept, key=lambda s: s.start_s)


def cell_curve(experiment: Experiment) -> CellCurve | None:
    """The potential of a cell on the recording's clock, with its stages; None without potential.

    Of a cell without stages they are found in the potential.
    """
    potential = experiment.potential
    if potential is None:
        return None
    stages = list(experiment.stages) or detect_stages(potential, None, None)
    return CellCurve(
        name=experiment.name,
        times_s=potential.recording_times_s,
        potential_v=potential.potential_v,
        stages=cell_stages(stages, tuple(StageKind)),
    )


def cycle_spans(stages: Sequence[Stage]) -> list[tuple[str, float, float]]:
    """Label, start and end in seconds of each deposition (De1) and dissolution (Di1)."""
    spans = []
    for cycle in cycles_of(stages):
        for label, kinds in (("De", COMING), ("Di", LEAVING)):
            own = cell_stages(stages, kinds, cycle)
            if own:
                end = max(s.end_s for s in own)
                spans.append((f"{label}{cycle}", own[0].start_s, end))
    return spans


def _first_lithiation(cell: CellCurve) -> CellCurve:
    coming = [s for s in cell.stages if s.kind in COMING]
    if not coming:
        return cell
    first = [s for s in coming if s.cycle == coming[0].cycle]
    part = cell.between(first[0].start_s, max(s.end_s for s in first))
    return CellCurve(
        name=part.name, times_s=part.times_s, potential_v=part.potential_v, stages=first
    )


def _montage(result: AnalysisResult, stages: Sequence[Stage]) -> Any:
    # Where a step is uniform, half the rise everywhere at once says nothing of a share.
    maps = {key: onset for key, onset in result.onset_maps.items() if not is_uniform(onset)}
    work = stage_montage(
        result.recording, stages, result.reference, result.config.montage, onset_maps=maps
    )
    return montage_figure(finish(work))


def _potential(result: AnalysisResult, stages: Sequence[Stage]) -> Any:
    experiment = result.experiment
    curves = result.tables["curves"]
    mean = curves[curves["region"] == FIELD]
    intensity = mean["time_s"].to_numpy(float), mean["mean_counts"].to_numpy(float)
    cell, x = cell_curve(experiment), None
    if cell is not None:
        start, end = min(s.start_s for s in stages), max(s.end_s for s in stages)
        cell = cell.between(start, end)
        x = _content(experiment, cell.times_s)
        cell = cell if cell.times_s.size else None
    return potential_figure(cell, intensity, stages, li_content=x, metal=_metal(experiment))


def _metal(experiment: Experiment) -> str:
    return "M" if experiment.film is None else experiment.film.metal


def _content(experiment: Experiment, times_s: FloatArray) -> FloatArray | None:
    if experiment.potential is None or experiment.film is None:
        return None
    return experiment.li_content_at(times_s)


def _absorbance(result: AnalysisResult, steps: Sequence[Stage]) -> Any:
    signal = "reflectance" if result.recording.mode == "epi" else "absorbance"
    return absorbance_figure(result.tables["curves"], steps, signal)


def _onset(result: AnalysisResult, stage: Stage) -> Any:
    sites, size = result.tables["sites"], result.recording.pixel_size_um
    positions = np.empty((0, 2))
    if size is not None and stage.kind is StageKind.ALLOYING:
        own = sites[sites["cycle"] == stage.cycle]
        positions = own[["y_um", "x_um"]].to_numpy(float) / size
    onset, colours = result.onset_maps[stage.key], result.config.color_code
    experiment = result.experiment
    scale = time_scale(onset, stage, colours.legend, experiment.li_content_at, _metal(experiment))
    return onset_figure(onset, stage, colours, sites_px=positions, pixel_size_um=size, scale=scale)


def _front(result: AnalysisResult, stage: Stage) -> Any:
    table = result.tables["alloyed_fraction"]
    return front_figure(
        result.front_maps[stage.key],
        isochrones(result.onset_maps[stage.key], result.config.isochrones),
        stage,
        table[(table["cycle"] == stage.cycle) & (table["stage"] == stage.name)],
        pixel_size_um=result.recording.pixel_size("Front speeds"),
    )
