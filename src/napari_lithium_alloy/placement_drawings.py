"""Figures of where nuclei sit and how they lie to each other, of one analysis."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from napari_lithium_alloy.io.figures.site_places import ranks_figure, spacing_figure
from napari_lithium_alloy.pair_drawings import Drawing
from napari_lithium_alloy.result import AnalysisResult


def placement_drawings(result: AnalysisResult) -> Iterator[Drawing]:
    """Ranks of alloying at the sites of each cycle, and the sites' spacing."""
    tables = result.tables
    for _, field in tables["site_field"].iterrows():
        cycle = field["cycle"]
        ranks, curve, spacing = (
            tables[name][tables[name]["cycle"] == cycle]
            for name in ("site_ranks", "site_rank_curve", "site_spacing")
        )
        if len(curve):
            outer = result.config.site_statistics.outer
            yield f"site_ranks_cycle{cycle}", partial(ranks_figure, ranks, curve, outer)
        if len(spacing):
            yield f"site_spacing_cycle{cycle}", partial(spacing_figure, field, spacing)
