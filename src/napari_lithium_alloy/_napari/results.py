"""The result of a whole analysis into a viewer: layers, tables, and what the docks hold."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.correcting import Measured, use_measured
from napari_lithium_alloy._napari.layers import (
    LayerTuple,
    kind_of,
    pore_tracks_layer,
    pores_layer,
    regions_layer,
    sites_layer,
)
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.result_layers import onset_layers
from napari_lithium_alloy._napari.session import Session
from napari_lithium_alloy._napari.site_work import take_sites
from napari_lithium_alloy.core.stages import stages_of

if TYPE_CHECKING:
    from napari_lithium_alloy.result import AnalysisResult


def take_result(session: Session, opened: Opened, result: AnalysisResult) -> None:
    """Show a whole analysis; sites changed by hand stay as they are."""
    opened.config = result.config
    if result.experiment.stages and not opened.experiment.stages:
        session.change_experiment(opened, stages=result.experiment.stages)
    stages = stages_of(opened.experiment.stages, *{s.kind for s in opened.experiment.stages})
    by_key = {s.key: s for s in stages}
    opened.onset_maps |= result.onset_maps
    opened.front_maps |= result.front_maps
    opened.stages |= {key: by_key[key] for key in result.onset_maps}
    opened.pore_tracks = result.pore_tracks
    opened.steps = list(result.provenance)
    opened.measured = Measured.of(result.correction, result.as_read)
    use_measured(session, opened)  # all layers lie on the frames the analysis worked on
    tables = dict(result.tables)
    if "sites" in tables:
        sites, growth = take_sites(opened, tables["sites"], tables["site_growth"])
        tables |= {"sites": sites, "site_growth": growth}
        if opened.sites is not None:  # none were found, or changed by hand, in any cycle
            tables["sites"] = opened.sites
    opened.tables |= tables
    opened.result = dataclasses.replace(result, tables=tables)
    add_layers(session.viewer, _layers(session, opened, result))
    for kind in ("tables", "normalization", "onset", "sites", "pores"):
        session.results_changed.emit(kind)


def _has_regions(session: Session, opened: Opened) -> bool:
    return any(
        kind_of(layer) == "regions" and session.opened_of(layer) is opened
        for layer in session.viewer.layers
    )


def _layers(session: Session, opened: Opened, result: AnalysisResult) -> list[LayerTuple | None]:
    recording, steps = opened.recording, opened.steps
    layers: list[LayerTuple | None] = []
    for i, (key, onset) in enumerate(result.onset_maps.items()):
        stage = opened.stages[key]
        sites = opened.sites_of(stage.cycle)
        colours = result.config.color_code
        scale = opened.scale_of(stage, onset)
        made = onset_layers(
            recording, stage, onset, colours, sites, steps, scale=scale, visible=i == 0
        )
        layers += made if i == 0 else made[:1]  # the rest of each stage is a click in its dock
    if opened.sites is not None and recording.pixel_size_um is not None:
        for i, cycle in enumerate(sorted(set(opened.sites["cycle"]))):
            layer = sites_layer(recording, opened.sites_of(cycle), int(cycle), steps)
            layer[1]["visible"] = i == 0
            layers.append(layer)
    if result.regions and not _has_regions(session, opened):
        layers.append(regions_layer(recording, result.regions))
    if result.pore_tracks is not None:
        layers.append(pores_layer(recording, result.pore_tracks, steps))
        layers.append(pore_tracks_layer(recording, result.pore_tracks, steps))
    return layers
