"""The paper's figures of how steps, sites and pores agree, of one analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from napari_lithium_alloy.core.alloyed_images import (
    MOMENTS,
    Pair,
    is_uniform,
    progress_at,
    stage_images,
)
from napari_lithium_alloy.core.complementarity import local_agreement, windowed_pearson
from napari_lithium_alloy.core.complementary_montage import complementary_montage
from napari_lithium_alloy.core.pair_names import paper_pairs
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import Stage, StageKind, cycles_of, stages_of
from napari_lithium_alloy.io.figures.pairs import (
    agreement_figure,
    boundary_figure,
    complementary_figure,
    matrix_figure,
    pairs_figure,
    regions_figure,
)
from napari_lithium_alloy.result import AnalysisResult

Drawing = tuple[str, Callable[[], Any]]
"""A figure's name and what draws it."""


def pair_drawings(result: AnalysisResult) -> Iterator[Drawing]:
    """Figs. 2A, 2C and 5C of each cycle, regions, agreement, and r against boundary shifts."""
    table = result.tables["colocalization"]
    known = table[table["pearson_r"].notna()]
    names = set(known["a"]) | set(known["b"])
    for cycle in cycles_of(result.experiment.stages):
        alloying = stages_of(result.experiment.stages, StageKind.ALLOYING, cycle=cycle)
        steps = [s for s in alloying if s.key in result.onset_maps]
        told = [s for s in steps if not is_uniform(result.onset_maps[s.key])]
        spots = [n for n in (f"cycle{cycle}_sites", f"cycle{cycle}_pores") if n in names]
        bars = _bars(result, told, spots)
        if bars:
            yield f"pairs_cycle{cycle}", partial(pairs_figure, table, bars)
        keys = [*(s.key for s in steps), *spots]
        if any(name.startswith(f"cycle{cycle}_") for name in names):
            yield f"matrix_cycle{cycle}", partial(matrix_figure, table, keys)
        if told:
            yield f"regions_cycle{cycle}", partial(_regions, result, told)
        for pair in pairwise(told):
            ends = f"cycle{cycle}_{pair[0].name}_{pair[1].name}"
            yield f"complementary_{ends}", partial(_complementary, result, pair)
            yield f"agreement_{ends}", partial(_agreement, result, pair)
    shifts = result.tables["boundary_shifts"]
    for cycle, own in shifts.groupby("cycle"):
        if own["pearson_r"].notna().any():
            yield f"boundary_cycle{cycle}", partial(boundary_figure, own)


def _bars(result: AnalysisResult, steps: Sequence[Stage], spots: Sequence[str]) -> list[Pair]:
    """The bars of Fig. 2C, and those with pores."""
    table = result.tables["colocalization"]
    table = table[table["pearson_r"].notna()]
    known = set(zip(table["a"], table["b"], strict=True))
    return [pair for pair in paper_pairs([s.key for s in steps], spots) if pair in known]


def _regions(result: AnalysisResult, steps: Sequence[Stage]) -> Any:
    parameters = result.config.complementarity
    maps = {s.key: result.onset_maps[s.key] for s in steps}
    return regions_figure(
        stage_images(maps, parameters),
        list(maps),
        [progress_at(parameters, moment) for moment in MOMENTS],
        result.recording.pixel_size_um,
    )


def _complementary(result: AnalysisResult, pair: tuple[Stage, Stage]) -> Any:
    first, second = (result.onset_maps[s.key] for s in pair)
    work = complementary_montage(
        result.recording, pair, (first, second), result.reference, result.config.montage
    )
    return complementary_figure(finish(work))


def _agreement(result: AnalysisResult, pair: tuple[Stage, Stage]) -> Any:
    first, second = (result.onset_maps[s.key].onset_s for s in pair)
    parameters = result.config.complementarity
    local, sigma_px = windowed_pearson(first, second, parameters, valid=result.film)
    return agreement_figure(
        local_agreement(first, second, parameters, valid=result.film),
        local,
        (f"{pair[0].key}_onset", f"{pair[1].key}_onset"),
        sigma_px=sigma_px,
        pixel_size_um=result.recording.pixel_size_um,
    )
