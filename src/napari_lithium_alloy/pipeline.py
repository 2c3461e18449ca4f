"""The whole analysis of one recording: from an experiment to its tables and maps.

Docks and command line call the same core functions; this is their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.config import AnalysisConfig, config_of
from napari_lithium_alloy.core.alloyed_area import alloyed_fraction_table
from napari_lithium_alloy.core.alloyed_images import is_uniform
from napari_lithium_alloy.core.boundary_shifts import boundary_shifts
from napari_lithium_alloy.core.clock_link import clock_step
from napari_lithium_alloy.core.complementarity import colocalization
from napari_lithium_alloy.core.correction import Correction, corrected
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.curves import complete_curves, region_curves, suggest_regions
from napari_lithium_alloy.core.cycles import LEAVING, cycles_table
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.field import film_of
from napari_lithium_alloy.core.frame_quality import clipping_level, frame_quality
from napari_lithium_alloy.core.front_speed import FrontMap, front_map, with_fronts
from napari_lithium_alloy.core.galvanostatic import li_content
from napari_lithium_alloy.core.label_stack import LabelMaker, SparseLabels
from napari_lithium_alloy.core.onset import LEAST_FRAMES, OnsetMap, onset_summary
from napari_lithium_alloy.core.pair_images import pair_images
from napari_lithium_alloy.core.photometry import (
    Float32Array,
    Reference,
    reference_frame,
)
from napari_lithium_alloy.core.placements import site_placements
from napari_lithium_alloy.core.pore_edits import PoreEdit
from napari_lithium_alloy.core.pore_results import PORE_TABLES, pore_tables
from napari_lithium_alloy.core.pore_tracking import PoreTracks, PoreWindow, track_pores
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import BoolArray, Recording, Region
from napari_lithium_alloy.core.site_detection import find_candidates, threshold_curve
from napari_lithium_alloy.core.site_growth import SiteTimes, measure_sites
from napari_lithium_alloy.core.site_places import sites_and_steps
from napari_lithium_alloy.core.site_statistics import site_tables
from napari_lithium_alloy.core.site_study import site_charge
from napari_lithium_alloy.core.spot_masks import spot_masks
from napari_lithium_alloy.core.stage_detection import detect_stages
from napari_lithium_alloy.core.stages import (
    Stage,
    StageKind,
    cycles_of,
    stage_lags,
    stages_of,
    stages_table,
)
from napari_lithium_alloy.core.step_onsets import STEPS, onset_maps
from napari_lithium_alloy.core.tables import conform, empty
from napari_lithium_alloy.io.recording_file import inputs_of
from napari_lithium_alloy.io.results import write_results

HUNDRED = 100
KeepSites = Callable[[int, pd.DataFrame], pd.DataFrame]


@dataclass(eq=False, kw_only=True)
class AnalysisResult:
    """Everything an analysis found.

    Attributes
    ----------
    experiment, recording, config, reference
        What it was made from; the experiment with the stages found where none were given, the
        recording with its corrections taken out.
    as_read : Recording
        The recording as it was read.
    correction : Correction
    film : numpy.ndarray
        (Y, X) True where there is film that every frame shows.
    regions : list of Region
        Regions of the curves.
    tables : dict of str to pandas.DataFrame
        By the names of `core.tables`.
    onset_maps : dict of str to OnsetMap
        By stage key, such as cycle1_step1.
    front_maps : dict of str to FrontMap
        Speed and direction of their fronts, by the same keys; none without a pixel size.
    pore_tracks : PoreTracks or None
    pore_edits : tuple of PoreEdit
        Corrections of pores by hand that were made.
    keep_sites : callable or None
        What was done by hand to the sites.
    notes : list of str
        What the user should know, a sentence each.
    provenance : list of Step
    """

    experiment: Experiment
    recording: Recording
    config: AnalysisConfig
    as_read: Recording
    correction: Correction
    reference: Reference
    film: BoolArray
    regions: list[Region] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    onset_maps: dict[str, OnsetMap] = field(default_factory=dict)
    front_maps: dict[str, FrontMap] = field(default_factory=dict)
    pore_tracks: PoreTracks | None = None
    pore_edits: tuple[PoreEdit, ...] = ()
    keep_sites: KeepSites | None = None
    notes: list[str] = field(default_factory=list)
    provenance: list[Step] = field(default_factory=list)

    def did(self, name: str, *parameters: Any, **more: Any) -> None:
        """Add a step to the provenance."""
        self.provenance.append(Step.of(name, *parameters, **more))


def analyze(
    experiment: Experiment,
    config: AnalysisConfig | None = None,
    *,
    recording_name: str | None = None,
    pore_edits: Sequence[PoreEdit] = (),
    keep_sites: KeepSites | None = None,
    make_labels: LabelMaker = SparseLabels,
) -> Work[AnalysisResult]:
    """Analyse one recording of an experiment from beginning to end.

    Parameters
    ----------
    experiment : Experiment
    config : AnalysisConfig, optional
        None: what recording.toml says, else defaults.
    recording_name : str, optional
        None: trans, else epi.
    pore_edits : sequence of PoreEdit
        Corrections of pores by hand.
    keep_sites : callable, optional
        Given a cycle and the sites found in it, those to measure: with what was done by hand.
    make_labels : callable
        Makes the label stack of the pores, in memory or on disk.

    Raises
    ------
    AlloyError
        If something needed is not known (mode, pixel size) or the stages do not fit the frames.
    """
    recording = experiment.recording(recording_name)
    config = config_of(experiment, recording) if config is None else config
    _check_known(experiment, recording)
    as_read, clipping = as_measured(recording, config)
    correction = yield from part(measured_correction(experiment, as_read, config), 0, 100, 1000)
    recording = corrected(as_read, correction)
    reference = reference_frame(
        recording,
        config.normalization,
        current_starts_s=experiment.current_starts_s(),
    )
    result = AnalysisResult(
        experiment=experiment,
        recording=recording,
        config=config,
        as_read=as_read,
        correction=correction,
        reference=reference,
        film=film_of(recording, reference),
        pore_edits=tuple(pore_edits),
        keep_sites=keep_sites,
        notes=[*recording.notes, *clipping, *correction.notes, reference.note],
    )
    if experiment.potential is not None:
        result.provenance.append(clock_step(experiment.potential.clock))
    result.did("measure_correction", config.correction, done=correction.done)
    result.did(
        "reference_frame", config.normalization, recording=recording.name, note=reference.note
    )
    parts = (_detected, _onsets, _fronts, _curves, _sites, _pores, _pairs, _places, _boundaries)
    for i, work in enumerate(parts):
        begin = (i + 1) * HUNDRED
        yield from part(work(result, make_labels), begin, begin + HUNDRED, 10 * HUNDRED)
    result.tables |= stage_tables(result.experiment)
    _cycles(result)
    return result


def found_stages(
    experiment: Experiment, recording: Recording, reference: Reference, film: BoolArray
) -> Work[list[Stage]]:
    """Stages of the cell and of the field, from the potential and the field's signal."""
    curves = yield from region_curves(recording, reference, valid=film, with_spread=True)
    signal = "relative_reflectance" if recording.mode == "epi" else "absorbance"
    return detect_stages(
        experiment.potential,
        recording.times_s,
        curves[signal].to_numpy(dtype=float),
        spread=curves["spread"].to_numpy(dtype=float),
    )


def _detected(result: AnalysisResult, _: LabelMaker) -> Work[None]:
    """Find the stages where none are given."""
    if result.experiment.stages:
        return
    stages = yield from found_stages(
        result.experiment, result.recording, result.reference, result.film
    )
    result.experiment = result.experiment.replace(stages=tuple(stages))
    result.did("detect_stages", stages=[s.key for s in stages])
    if not stages:
        result.notes.append(
            "No stages are given and none were found, so only curves were made; add [[stages]] "
            "to recording.toml."
        )
        return
    names = ", ".join(dict.fromkeys(s.label for s in stages))
    result.notes.append(
        f"No stages are given; these were found: {names}. Check them in stages.csv."
    )
    if result.recording.pixel_size_um is None:
        result.notes.append(
            "Sites and pores need the pixel size; give pixel_size_um in recording.toml."
        )


def measured_correction(
    experiment: Experiment, recording: Recording, config: AnalysisConfig
) -> Work[Correction]:
    """What is wrong with a recording's frames, with what else is known of the experiment."""
    potential = experiment.potential
    return measure_correction(
        recording,
        config.correction,
        regions=experiment.regions,
        current_starts_s=experiment.current_starts_s(),
        switches_s=() if potential is None else potential.switches_s().tolist(),
    )


def steadied(experiment: Experiment, recording: Recording) -> Work[Recording]:
    """A recording as the analysis measures it: what is wrong with its frames taken out."""
    if recording.corrections:
        return recording
    config = config_of(experiment, recording)
    as_read, _ = as_measured(recording, config)
    correction = yield from measured_correction(experiment, as_read, config)
    return corrected(as_read, correction)


def as_measured(recording: Recording, config: AnalysisConfig) -> tuple[Recording, list[str]]:
    """The recording with the dark level chosen and the counts at which it clips, and notes."""
    return _with_clipping(_with_dark(recording, config))


def _with_dark(recording: Recording, config: AnalysisConfig) -> Recording:
    """The recording with the dark level chosen for the analysis."""
    dark = config.normalization.dark_counts
    return recording if dark is None else recording.replace(dark_counts=dark)


def _with_clipping(recording: Recording) -> tuple[Recording, list[str]]:
    """The recording with the counts at which it clips, where the frames show them, and a note."""
    level = clipping_level(recording)
    known = recording.saturation_counts
    if level is None or (known is not None and level >= known):
        return recording, []
    note = f"Pixels of {level:g} counts are taken as clipped; else give full_well_counts."
    return recording.replace(saturation_counts=level), [note]


def _check_known(experiment: Experiment, recording: Recording) -> None:
    if recording.mode is None:
        raise AlloyError(
            f"It is not known whether {recording.name} was recorded in trans or epi; name its "
            "path under [trans] or [epi] of a recording.toml, or use --mode."
        )
    needs_size = {StageKind.DEPOSITION, *LEAVING} & {s.kind for s in experiment.stages}
    if needs_size:
        recording.pixel_size("Measuring sites and pores")


def _onsets(result: AnalysisResult, _: LabelMaker) -> Work[None]:
    mapped = stages_of(result.experiment.stages, *STEPS, StageKind.DISSOLUTION)
    stages = [s for s in mapped if not _too_short(result, s)]
    maps = yield from onset_maps(
        result.recording,
        stages,
        result.config.onset,
        dark=result.reference.dark,
        valid=result.film,
    )
    for stage, onset in maps.items():
        result.onset_maps[stage.key] = onset
        result.did("onset_map", onset.parameters, stage=stage.key)
    result.tables["onset_summary"] = onset_summary(maps)


def _fronts(result: AnalysisResult, _: LabelMaker) -> Work[None]:
    """What follows from the onset maps: speeds of fronts, and the area alloyed against time."""
    recording, experiment = result.recording, result.experiment
    by_key = {s.key: s for s in stages_of(experiment.stages, *STEPS)}
    maps = {by_key[k]: onset for k, onset in result.onset_maps.items() if k in by_key}
    fronts: dict[Stage, FrontMap] = {}
    for i, (stage, onset) in enumerate(maps.items()):
        yield i, len(maps)
        if recording.pixel_size_um is None:
            break
        front = front_map(
            onset,
            recording.pixel_size_um,
            result.config.front,
            frame_interval_s=recording.frame_interval_s,
        )
        fronts[stage] = result.front_maps[stage.key] = front
        result.did("front_map", front.parameters, stage=stage.key)
    result.tables["onset_summary"] = with_fronts(result.tables["onset_summary"], fronts)
    result.tables["alloyed_fraction"] = alloyed_fraction_table(
        maps, recording.times_s, experiment.li_content_at
    )


def _too_short(
    result: AnalysisResult, stage: Stage, least: int = LEAST_FRAMES, what: str = "an onset map"
) -> bool:
    """Whether a stage that was found, not given, holds too few frames for something; noted."""
    n = len(result.recording.frames_between(stage.start_s, stage.end_s))
    if stage.source == "given" or n >= least:
        return False
    result.notes.append(f"{stage.label} of cycle {stage.cycle} is too short for {what}.")
    return True


def _curves(result: AnalysisResult, _: LabelMaker) -> Work[None]:
    experiment, recording = result.experiment, result.recording
    lamps = [r for r in experiment.regions if r.name == result.config.correction.reference_region]
    drawn = [r for r in experiment.regions if r not in lamps]
    result.regions = [*(drawn or _suggested(result)), *lamps]
    work = region_curves(recording, result.reference, result.regions, valid=result.film)
    curves = yield from part(work, 0, HUNDRED, 2 * HUNDRED)
    result.tables["curves"] = complete_curves(
        curves,
        experiment.stages,
        experiment.potential,
        experiment.film,
        experiment.origins_s(),
        level_frames=result.config.normalization.level_frames,
    )
    regions = {r.name: r.vertices_px for r in result.regions}
    result.did("region_curves", result.config.normalization, regions=regions)
    quality = frame_quality(result.as_read, result.correction)
    result.tables["corrections"] = yield from part(quality, HUNDRED, 2 * HUNDRED, 2 * HUNDRED)


def _suggested(result: AnalysisResult) -> list[Region]:
    """Area Init and Area Fnl of the first step that is not uniform, else of the first."""
    maps = list(result.onset_maps.items())
    if not maps:
        return []
    key, onset = next((m for m in maps if not is_uniform(m[1])), maps[0])
    regions = suggest_regions(onset)
    if regions:
        result.notes.append(
            f"Area Init and Area Fnl are suggested: the squares that alloyed first and last in "
            f"{key}."
        )
    return regions


def _sites(result: AnalysisResult, _: LabelMaker) -> Work[None]:
    recording, parameters = result.recording, result.config.nucleation
    deposition = stages_of(result.experiment.stages, StageKind.DEPOSITION)
    stages = [s for s in deposition if not _too_short(result, s, 2, "sites")]
    if recording.pixel_size_um is None:
        stages = []
    sites, growth, thresholds = [empty("sites")], [empty("site_growth")], []
    for i, stage in enumerate(stages):
        search = find_candidates(
            recording,
            stage.start_s,
            stage.end_s,
            parameters,
            valid=result.film,
            cycle=stage.cycle,
            dark=result.reference.dark,
        )
        begin, whole = 2 * i * HUNDRED, 2 * len(stages) * HUNDRED
        candidates = yield from part(search, begin, begin + HUNDRED, whole)
        thresholds.append(threshold_curve(candidates))
        accepted = candidates.accepted(parameters)
        if result.keep_sites is not None:
            accepted = result.keep_sites(stage.cycle, accepted)
        work = measure_sites(
            recording,
            accepted,
            stage.start_s,
            stage.end_s,
            result.reference,
            parameters,
            times=SiteTimes.of(stage, result.experiment.stages),
        )
        measured = yield from part(work, begin + HUNDRED, begin + 2 * HUNDRED, whole)
        sites.append(measured[0])
        growth.append(measured[1])
        result.did("detect_sites", parameters, stage=stage.key)
    result.tables["sites"] = _joined("sites", sites)
    result.tables["site_growth"] = _joined("site_growth", growth)
    result.tables["site_thresholds"] = _joined("site_thresholds", thresholds)


def _joined(name: str, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [t for t in tables if len(t)]
    return conform(name, pd.concat(filled, ignore_index=True)) if filled else empty(name)


def pore_windows(stages: Sequence[Stage]) -> list[PoreWindow]:
    """From the start of each cycle's dissolution to the end of its dealloying."""
    windows = []
    for cycle in cycles_of(stages):
        own = stages_of(stages, *LEAVING, cycle=cycle)
        if own:
            end = max(s.end_s for s in own)
            windows.append(PoreWindow(cycle=cycle, start_s=own[0].start_s, end_s=end))
    return windows


def _pores(result: AnalysisResult, make_labels: LabelMaker) -> Work[None]:
    recording, optics = result.recording, result.experiment.optics
    windows = pore_windows(result.experiment.stages)
    if recording.pixel_size_um is None:
        windows = []
    result.tables |= {name: empty(name) for name in PORE_TABLES}
    if not windows:
        return
    tracks = yield from track_pores(
        recording,
        windows,
        result.reference,
        result.config.pores,
        film=result.film,
        psf_sigma_px=optics.sigma_px(recording.pixel_size_um),
        substrate=optics.substrate_transmittance if recording.mode == "trans" else None,
        edits=result.pore_edits,
        make_labels=make_labels,
    )
    result.pore_tracks = tracks
    result.tables |= pore_tables(
        tracks,
        windows,
        result.tables["sites"],
        result.film,
        recording.pixel_size("Measuring pores"),
        result.pore_edits,
    )
    result.notes.append(tracks.optics.note)
    edits = result.tables["pore_edits"].to_dict("records")
    optics_used = {"substrate": tracks.optics.substrate, "psf_sigma_px": tracks.optics.psf_sigma_px}
    result.did("track_pores", result.config.pores, **optics_used, edits=edits)


def alloying_maps(result: AnalysisResult) -> dict[str, OnsetMap]:
    """Onset maps of the alloying steps, in order."""
    stages = stages_of(result.experiment.stages, StageKind.ALLOYING)
    return {s.key: result.onset_maps[s.key] for s in stages if s.key in result.onset_maps}


def _pairs(result: AnalysisResult, _: LabelMaker) -> Work[None]:
    """Every step with every later one, and with sites and pores of its cycle."""
    steps, parameters = alloying_maps(result), result.config.complementarity
    found = pair_images(steps, _spots(result), parameters)
    size, sites = result.recording.pixel_size_um, result.tables["sites"]
    table = yield from colocalization(
        found.images, found.pairs, parameters, uniform=found.uniform, valid=result.film,
        placements=None if size is None
        else site_placements(sites, result.film, size, seed=parameters.seed),
    )  # fmt: skip
    result.tables["colocalization"] = table
    result.did("colocalization", parameters)


def _places(result: AnalysisResult, _: LabelMaker) -> Work[None]:
    """Where sites sit: their spacing, and the ranks of alloying at them."""
    config, recording = result.config, result.recording
    found = yield from sites_and_steps(
        recording,
        result.experiment.stages,
        result.tables["sites"],
        result.onset_maps,
        result.film,
        config.nucleation,
        config.site_statistics,
        dark=result.reference.dark,
    )
    result.tables |= site_tables(found)
    result.tables["site_charge"] = site_charge(
        result.tables["sites"], result.experiment, recording, result.tables["site_field"]
    )
    result.did("site_statistics", config.site_statistics)


def _boundaries(result: AnalysisResult, _: LabelMaker) -> Work[None]:
    """What r between steps owes to where the boundary between them is set."""
    found = [empty("boundary_shifts")]
    alloying = stages_of(result.experiment.stages, StageKind.ALLOYING)
    cycles = cycles_of(alloying)
    for i, cycle in enumerate(cycles):
        work = boundary_shifts(
            result.recording,
            [s for s in alloying if s.cycle == cycle and s.key in result.onset_maps],
            result.config.onset,
            result.config.complementarity,
            dark=result.reference.dark,
            valid=result.film,
            known=result.onset_maps,
        )
        found.append((yield from part(work, i * HUNDRED, (i + 1) * HUNDRED, len(cycles) * HUNDRED)))
    result.tables["boundary_shifts"] = _joined("boundary_shifts", found)


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


def _cycles(result: AnalysisResult) -> None:
    experiment, size = result.experiment, result.recording.pixel_size_um
    result.tables["cycles"] = cycles_table(
        experiment.stages,
        result.tables["sites"],
        result.pore_tracks,
        potential=experiment.potential,
        film=experiment.film,
        film_um2=float(result.film.sum()) * (math.nan if size is None else size) ** 2,
    )


def write_result(result: AnalysisResult, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Write all tables, onset and front maps and provenance.json into a folder; their paths.

    Raises
    ------
    AlloyError
        If the folder holds results and `overwrite` is not set, or cannot be written.
    """
    maps: dict[str, Float32Array] = {}
    for key, onset in result.onset_maps.items():
        maps[f"onset_{key}"] = onset.onset_s
        maps[f"onset_sd_{key}"] = onset.onset_sd_s
        maps[f"rise_time_{key}"] = onset.rise_time_s
    for key, front in result.front_maps.items():
        maps[f"front_speed_{key}"] = front.speed_um_s
        maps[f"front_speed_sd_{key}"] = front.speed_sd_um_s
        maps[f"front_direction_{key}"] = front.direction_rad
    return write_results(
        out,
        result.tables,
        maps,
        steps=result.provenance,
        inputs=inputs_of(result.experiment),
        pixel_size_um=result.recording.pixel_size_um,
        overwrite=overwrite,
    )
