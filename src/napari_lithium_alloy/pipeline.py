"""The whole analysis of one recording: from an experiment to its tables and maps.

Docks and command line call the same core functions; this is their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from napari_lithium_alloy.config import AnalysisConfig, config_of
from napari_lithium_alloy.core.clock_link import clock_step
from napari_lithium_alloy.core.correction import Correction, corrected
from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.cycles import LEAVING
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.field import film_of
from napari_lithium_alloy.core.frame_quality import FrameSums
from napari_lithium_alloy.core.label_stack import LabelMaker, SparseLabels
from napari_lithium_alloy.core.mapped_pages import know_pages
from napari_lithium_alloy.core.memory import room_planes
from napari_lithium_alloy.core.photometry import Reference, reference_frame
from napari_lithium_alloy.core.pieces import Kept, Piece, made, run_pieces
from napari_lithium_alloy.core.pore_edits import PoreEdit
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, Recording
from napari_lithium_alloy.core.row_blocks import thread_count
from napari_lithium_alloy.core.stage_detection import detect_stages
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.steady_copy import Arrays, SteadyCopy
from napari_lithium_alloy.measured import as_measured, measured_correction
from napari_lithium_alloy.parts import pieces_of
from napari_lithium_alloy.result import AnalysisResult, KeepSites

BEGINNING, WHOLE = 300, 1000
"""Of the progress: until frames are steadied and stages known, and in all."""


class KeptAnalysis(Kept, Arrays, Protocol):
    """What outlives an interruption."""


def analyze(
    experiment: Experiment,
    config: AnalysisConfig | None = None,
    *,
    recording_name: str | None = None,
    pore_edits: Sequence[PoreEdit] = (),
    keep_sites: KeepSites | None = None,
    make_labels: LabelMaker = SparseLabels,
    kept: KeptAnalysis | None = None,
    memory_bytes: float | None = None,
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
    kept : KeptAnalysis, optional
        Where what is found is kept, so that an interrupted analysis goes on from there; None:
        nowhere.
    memory_bytes : float, optional
        Most memory to be used, beside mapped files; None: `default_memory()`. With less, fewer
        parts run at the same time; the results are the same.

    Raises
    ------
    AlloyError
        If something needed is not known (mode, pixel size) or the stages do not fit the frames.
    """
    begin = _begun(experiment, config, recording_name, kept)
    result, copy = yield from part(begin, 0, BEGINNING, WHOLE)
    result.pore_edits = tuple(pore_edits)
    result.keep_sites = keep_sites
    lazy = corrected(result.as_read, result.correction)
    work = run_pieces(
        result,
        pieces_of(result, make_labels, copy, written=kept is not None),
        kept,
        at_once=thread_count(),
        room=room_planes(result.recording, memory_bytes),
    )
    yield from part(work, BEGINNING, WHOLE, WHOLE)
    result.recording = lazy  # a copy of its frames may vanish
    return result


def begun(
    experiment: Experiment,
    config: AnalysisConfig | None = None,
    *,
    recording_name: str | None = None,
    kept: KeptAnalysis | None = None,
) -> Work[AnalysisResult]:
    """An analysis as far as all its pieces need it: frames steadied, stages known.

    Raises
    ------
    AlloyError
        As `analyze` does.
    """
    begin = _begun(experiment, config, recording_name, kept)
    result, copy = yield from part(begin, 0, 1, 2)
    yield from part(copy.make(), 1, 2, 2)
    return result


def _begun(
    experiment: Experiment,
    config: AnalysisConfig | None,
    recording_name: str | None,
    kept: KeptAnalysis | None,
) -> Work[tuple[AnalysisResult, SteadyCopy]]:
    """The same, but for the copy of the frames, unless stages are looked for in it."""
    recording = experiment.recording(recording_name)
    config = config_of(experiment, recording) if config is None else config
    _check_known(experiment, recording)
    yield from part(know_pages(recording.mapped), 0, 5, 100)
    as_read, clipping = as_measured(recording, config)
    measuring: Piece[None] = Piece(
        name="correction",
        make=lambda _: measured_correction(experiment, as_read, config),
        take=lambda _, __: None,
    )
    correction: Correction = yield from part(made(measuring, None, kept), 5, 60, 100)
    steady = corrected(as_read, correction)
    reference = reference_frame(
        steady,
        config.normalization,
        current_starts_s=experiment.current_starts_s(),
    )
    film = film_of(steady, reference)
    sums = FrameSums(as_read)
    copy = SteadyCopy(as_read, correction, kept, sums)
    result = AnalysisResult(
        experiment=experiment,
        recording=copy.recording,
        config=config,
        as_read=as_read,
        frame_sums=sums,
        correction=correction,
        reference=reference,
        film=film,
        notes=[*recording.notes, *clipping, *correction.notes, reference.note],
    )
    if experiment.potential is not None:
        result.provenance.append(clock_step(experiment.potential.clock))
    result.did("measure_correction", config.correction, done=correction.done)
    result.did(
        "reference_frame", config.normalization, recording=recording.name, note=reference.note
    )
    if not experiment.stages:
        yield from part(copy.make(), 60, 80, 100)
        detecting: Piece[AnalysisResult] = Piece(name="stages", make=_detected, take=_take_detected)
        stages = yield from part(made(detecting, result, kept), 80, 100, 100)
        _take_detected(result, stages)
    return result, copy


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


def _detected(result: AnalysisResult) -> Work[list[Stage]]:
    """The stages where none are given."""
    return found_stages(result.experiment, result.recording, result.reference, result.film)


def _take_detected(result: AnalysisResult, stages: list[Stage]) -> None:
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


def _check_known(experiment: Experiment, recording: Recording) -> None:
    if recording.mode is None:
        raise AlloyError(
            f"It is not known whether {recording.name} was recorded in trans or epi; name its "
            "path under [trans] or [epi] of a recording.toml, or use --mode."
        )
    needs_size = {StageKind.DEPOSITION, *LEAVING} & {s.kind for s in experiment.stages}
    if needs_size:
        recording.pixel_size("Measuring sites and pores")
