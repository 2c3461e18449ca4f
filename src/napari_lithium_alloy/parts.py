"""The parts of an analysis: what each measures, and where that goes in the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.alloyed_area import alloyed_fraction_table
from napari_lithium_alloy.core.alloyed_images import is_uniform
from napari_lithium_alloy.core.boundary_shifts import boundary_shifts
from napari_lithium_alloy.core.curves import complete_curves, region_curves, suggest_regions
from napari_lithium_alloy.core.cycles import cycles_table
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.frame_quality import frame_quality
from napari_lithium_alloy.core.front_speed import FrontMap, front_map, with_fronts
from napari_lithium_alloy.core.galvanostatic import li_content
from napari_lithium_alloy.core.label_stack import LabelMaker
from napari_lithium_alloy.core.memory import LEAST_PLANES
from napari_lithium_alloy.core.onset import OnsetMap, onset_summary
from napari_lithium_alloy.core.pair_images import pair_images
from napari_lithium_alloy.core.pair_table import colocalization
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pieces import Piece
from napari_lithium_alloy.core.placements import Placements, site_placements
from napari_lithium_alloy.core.pore_results import PORE_TABLES, pore_tables
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.core.row_blocks import both
from napari_lithium_alloy.core.site_places import sites_and_steps
from napari_lithium_alloy.core.site_statistics import site_tables
from napari_lithium_alloy.core.site_study import site_charge
from napari_lithium_alloy.core.spot_masks import spot_masks
from napari_lithium_alloy.core.stages import (
    Stage,
    StageKind,
    cycles_of,
    stage_lags,
    stages_of,
    stages_table,
)
from napari_lithium_alloy.core.steady_copy import SteadyCopy
from napari_lithium_alloy.core.step_onsets import STEPS
from napari_lithium_alloy.core.tables import empty
from napari_lithium_alloy.frame_parts import COPY, ONSETS, SITES, frame_pieces, pore_windows
from napari_lithium_alloy.io.tables import LONG_ROWS, csv_text
from napari_lithium_alloy.result import AnalysisResult, Tables, alloying_maps

HUNDRED = 100
APPENDED = ("sites", "site_growth", "site_thresholds", "boundary_shifts", *PORE_TABLES)
"""Tables that may stay without rows."""
MOST_ROWS = 10**6
"""Of a table whose text is made ahead: that of a longer one takes too much memory."""


def pieces_of(
    result: AnalysisResult,
    make_labels: LabelMaker,
    copy: SteadyCopy | None = None,
    *,
    written: bool = False,
) -> list[Piece[AnalysisResult]]:
    """What is left to do once a recording is steadied and its stages are known.

    Parameters
    ----------
    result : AnalysisResult
    make_labels : callable
    copy : SteadyCopy, optional
        Of the frames; None: it is whole.
    written : bool
        Whether the result will be.
    """
    result.tables |= {name: empty(name) for name in APPENDED}
    frames = frame_pieces(result, make_labels, copy)
    maps, spots, copying = (
        tuple(p.name for p in frames if p.name.startswith(kind)) for kind in (ONSETS, SITES, COPY)
    )
    cycles = cycles_of(stages_of(result.experiment.stages, StageKind.ALLOYING))
    pieces: list[Piece[AnalysisResult]] = [
        *frames,
        # What follows may read all frames.
        Piece(
            name="fronts",
            make=_fronts,
            take=_take_fronts,
            needs=(*copying, *maps),
            planes=21,
            keep=False,
        ),
        Piece(
            name="curves", make=_curves, take=_take_curves, needs=("fronts",), weight=2, planes=11
        ),
        Piece(
            name="spots",
            make=_spot_tables,
            take=_take_spots,
            needs=("pores", *spots),
            planes=11,
            keep=False,
        ),
        *(
            Piece(
                name=f"boundaries_cycle{cycle}",
                make=partial(_boundaries, cycle=cycle),
                take=_take_boundaries,
                needs=("fronts",),
                weight=2,
                planes=18,
            )
            for cycle in cycles
        ),
        Piece(
            name="places",
            make=_places,
            take=_take_places,
            needs=("fronts", "spots"),
            weight=3,
            planes=35,
        ),
        # The largest last, beside the one before it where there is room.
        Piece(
            name="pairs",
            make=_pairs,
            take=_take_pairs,
            needs=("spots", *(f"boundaries_cycle{cycle}" for cycle in cycles)),
            weight=4,
            planes=LEAST_PLANES,
        ),
        Piece(name="cycles", make=_cycles, take=_take, needs=("spots",), keep=False),
    ]
    texts: Piece[AnalysisResult] = Piece(
        name="texts",
        make=_texts,
        take=_take_texts,
        needs=("spots", "curves"),
        beside=True,
        keep=False,
    )
    return [*pieces, texts] if written else pieces


def independent(pieces: Sequence[Piece[AnalysisResult]]) -> list[str]:
    """Names of the pieces that need no other, and are worth making elsewhere."""
    return [p.name for p in pieces if p.keep and not p.needs]


def _take(result: AnalysisResult, tables: Tables) -> None:
    result.tables |= tables


@dataclass(frozen=True, eq=False, kw_only=True)
class _Fronts:
    """Onset maps in the order of their stages, what follows from them, and its tables."""

    maps: dict[str, OnsetMap]
    fronts: dict[str, FrontMap]
    tables: Tables


def _fronts(result: AnalysisResult) -> Work[_Fronts]:
    """What follows from the onset maps: speeds of fronts, and the area alloyed against time."""
    recording, experiment = result.recording, result.experiment
    stages = stages_of(experiment.stages, *STEPS, StageKind.DISSOLUTION)
    maps = {s: result.onset_maps[s.key] for s in stages if s.key in result.onset_maps}
    steps = {s: onset for s, onset in maps.items() if s.kind in STEPS}
    fronts: dict[Stage, FrontMap] = {}
    for i, (stage, onset) in enumerate(steps.items()):
        yield i, len(steps)
        if recording.pixel_size_um is None:
            break
        fronts[stage] = front_map(
            onset,
            recording.pixel_size_um,
            result.config.front,
            frame_interval_s=recording.frame_interval_s,
        )
    tables = {
        "onset_summary": with_fronts(onset_summary(maps), fronts),
        "alloyed_fraction": alloyed_fraction_table(
            steps, recording.times_s, experiment.li_content_at
        ),
    }
    return _Fronts(
        maps={s.key: onset for s, onset in maps.items()},
        fronts={s.key: front for s, front in fronts.items()},
        tables=tables,
    )


def _take_fronts(result: AnalysisResult, found: _Fronts) -> None:
    result.onset_maps = found.maps
    result.front_maps = found.fronts
    result.tables |= found.tables
    for key, front in found.fronts.items():
        result.did("front_map", front.parameters, stage=key)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Curves:
    """Regions, which of them are suggested from which map, and tables of curves and frames."""

    regions: list[Region]
    suggested: str
    tables: Tables


def _curves(result: AnalysisResult) -> Work[_Curves]:
    experiment, recording = result.experiment, result.recording
    lamps = [r for r in experiment.regions if r.name == result.config.correction.reference_region]
    drawn = [r for r in experiment.regions if r not in lamps]
    key, suggested = ("", []) if drawn else _suggested(result)
    regions = [*(drawn or suggested), *lamps]
    sums = result.frame_sums
    work = region_curves(recording, result.reference, regions, valid=result.film, sums=sums)
    curves = yield from part(work, 0, HUNDRED, 2 * HUNDRED)
    table = complete_curves(
        curves,
        experiment.stages,
        experiment.potential,
        experiment.film,
        experiment.origins_s(),
        level_frames=result.config.normalization.level_frames,
    )
    work = frame_quality(result.as_read, result.correction, sums)
    quality = yield from part(work, HUNDRED, 2 * HUNDRED, 2 * HUNDRED)
    return _Curves(
        regions=regions,
        suggested=key if suggested else "",
        tables={"curves": table, "corrections": quality},
    )


def _take_curves(result: AnalysisResult, found: _Curves) -> None:
    result.regions = found.regions
    result.tables |= found.tables
    if found.suggested:
        result.notes.append(
            f"Area Init and Area Fnl are suggested: the squares that alloyed first and last in "
            f"{found.suggested}."
        )
    regions = {r.name: r.vertices_px for r in found.regions}
    result.did("region_curves", result.config.normalization, regions=regions)


def _suggested(result: AnalysisResult) -> tuple[str, list[Region]]:
    """Area Init and Area Fnl of the first step that is not uniform, else of the first."""
    maps = list(result.onset_maps.items())
    if not maps:
        return "", []
    key, onset = next((m for m in maps if not is_uniform(m[1])), maps[0])
    return key, suggest_regions(onset)


def _spot_tables(result: AnalysisResult) -> Work[Tables]:
    """The tables of pores, for which their sites are known."""
    yield 0, 1
    tracks, windows = result.pore_tracks, pore_windows(result.experiment.stages)
    if tracks is None:
        return {}
    return pore_tables(
        tracks,
        windows,
        result.tables["sites"],
        result.film,
        result.recording.pixel_size("Measuring pores"),
        result.pore_edits,
    )


def _take_spots(result: AnalysisResult, tables: Tables) -> None:
    tracks = result.pore_tracks
    if tracks is None:
        return
    result.tables |= tables
    result.notes.append(tracks.optics.note)
    edits = tables["pore_edits"].to_dict("records")
    optics = {"substrate": tracks.optics.substrate, "psf_sigma_px": tracks.optics.psf_sigma_px}
    result.did("track_pores", result.config.pores, **optics, edits=edits)


def _pairs(result: AnalysisResult) -> Work[pd.DataFrame]:
    """Every step with every later one, and with sites and pores of its cycle."""
    steps, parameters = alloying_maps(result), result.config.complementarity
    size, sites = result.recording.pixel_size_um, result.tables["sites"]

    def placed() -> dict[str, Placements] | None:
        if size is None:
            return None
        return site_placements(sites, result.film, size, seed=parameters.seed)

    found, placements = both(lambda: pair_images(steps, _spots(result), parameters), placed)
    return (
        yield from colocalization(
            found.images,
            found.pairs,
            parameters,
            uniform=found.uniform,
            valid=result.film,
            placements=placements,
        )
    )


def _take_pairs(result: AnalysisResult, table: pd.DataFrame) -> None:
    result.tables["colocalization"] = table
    result.did("colocalization", result.config.complementarity)


def _places(result: AnalysisResult) -> Work[Tables]:
    """Where sites sit: their spacing, and the ranks of alloying at them."""
    config, recording = result.config, result.recording
    sites = result.tables["sites"]
    found = yield from sites_and_steps(
        recording,
        result.experiment.stages,
        sites,
        result.onset_maps,
        result.film,
        config.nucleation,
        config.site_statistics,
        dark=result.reference.dark,
    )
    tables = site_tables(found)
    charge = site_charge(sites, result.experiment, recording, tables["site_field"])
    return tables | {"site_charge": charge}


def _take_places(result: AnalysisResult, tables: Tables) -> None:
    result.tables |= tables
    result.did("site_statistics", result.config.site_statistics)


def _boundaries(result: AnalysisResult, *, cycle: int) -> Work[pd.DataFrame]:
    """What r between steps of a cycle owes to where the boundary between them is set."""
    steps = stages_of(result.experiment.stages, StageKind.ALLOYING, cycle=cycle)
    return (
        yield from boundary_shifts(
            result.recording,
            [s for s in steps if s.key in result.onset_maps],
            result.config.onset,
            result.config.complementarity,
            dark=result.reference.dark,
            valid=result.film,
            known=result.onset_maps,
        )
    )


def _take_boundaries(result: AnalysisResult, table: pd.DataFrame) -> None:
    result.append("boundary_shifts", table)


def _spots(result: AnalysisResult) -> dict[str, Float32Array]:
    """(Y, X) masks of each cycle's sites and pores."""
    recording, sites, tracks = result.recording, result.tables["sites"], result.pore_tracks
    ends_s = {w.cycle: w.end_s for w in pore_windows(result.experiment.stages)}
    return spot_masks(sites, tracks, ends_s, recording.field_shape, recording.pixel_size_um)


def stage_tables(experiment: Experiment) -> dict[str, pd.DataFrame]:
    """The tables `stages` and `stage_lags`."""
    x_at: dict[float, float] = {}
    if experiment.potential is not None and experiment.film is not None:
        bounds = np.unique([t for s in experiment.stages for t in (s.start_s, s.end_s)])
        x = li_content(
            experiment.potential, experiment.film, bounds, origins_s=experiment.origins_s()
        )
        x_at = dict(zip(bounds.tolist(), x.tolist(), strict=True))
    return {
        "stages": stages_table(experiment.stages, x_at),
        "stage_lags": stage_lags(experiment.stages),
    }


def _cycles(result: AnalysisResult) -> Work[Tables]:
    yield 0, 1
    experiment, size = result.experiment, result.recording.pixel_size_um
    cycles = cycles_table(
        experiment.stages,
        result.tables["sites"],
        result.pore_tracks,
        potential=experiment.potential,
        film=experiment.film,
        film_um2=float(result.film.sum()) * (math.nan if size is None else size) ** 2,
    )
    return stage_tables(experiment) | {"cycles": cycles}


def _texts(result: AnalysisResult) -> Work[dict[str, tuple[pd.DataFrame, str]]]:
    """Texts of long tables, made while other pieces leave a processor something to do."""
    texts = {}
    for name, table in list(result.tables.items()):
        yield 0, 1
        if LONG_ROWS <= len(table) <= MOST_ROWS:
            texts[name] = table, csv_text(table)
    return texts


def _take_texts(result: AnalysisResult, texts: dict[str, tuple[pd.DataFrame, str]]) -> None:
    result.texts = texts
