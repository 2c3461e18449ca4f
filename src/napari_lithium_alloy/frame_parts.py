"""The parts of an analysis that read frames: the copy of them, onset maps, sites, pores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from napari_lithium_alloy.core.cycles import LEAVING
from napari_lithium_alloy.core.label_stack import LabelMaker
from napari_lithium_alloy.core.onset import LEAST_FRAMES, OnsetMap
from napari_lithium_alloy.core.pieces import Piece
from napari_lithium_alloy.core.pore_tracking import PoreTracks, PoreWindow, track_pores
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.site_detection import (
    SiteCandidates,
    find_candidates,
    threshold_curve,
)
from napari_lithium_alloy.core.site_growth import SiteTimes, measure_sites
from napari_lithium_alloy.core.stages import Stage, StageKind, cycles_of, stages_of
from napari_lithium_alloy.core.steady_copy import SteadyCopy
from napari_lithium_alloy.core.step_onsets import STEPS, neighbours, onset_maps
from napari_lithium_alloy.result import AnalysisResult, Tables

COPY, ONSETS, CANDIDATES, SITES = "copy", "onsets_", "candidates_", "sites_"
"""What names of pieces begin with."""


def frame_pieces(
    result: AnalysisResult, make_labels: LabelMaker, copy: SteadyCopy | None
) -> list[Piece[AnalysisResult]]:
    """Those that read frames; they need nothing of each other, but sites their candidates.

    While the frames are still copied, what is asked of the first ones is made of those that are
    there.
    """
    seen = _Frames(result.recording, copy)
    return [
        *seen.copying(),
        *(
            piece
            for stage in _depositions(result)
            for piece in (_search_piece(stage, seen), _site_piece(stage, seen))
        ),
        *(_onset_piece(result, group, seen) for group in _onset_groups(result)),
        Piece(
            name="pores",
            make=partial(_pores, make_labels=make_labels),
            take=_take_pores,
            ready=seen.whole,
            weight=8,
            planes=24,
        ),
    ]


@dataclass(frozen=True)
class _Frames:
    """Frames that may still be copied."""

    recording: Recording
    copy: SteadyCopy | None

    def copying(self) -> list[Piece[AnalysisResult]]:
        """The copy itself, where it is not whole."""
        copy = self.copy
        if copy is None or self.whole():
            return []
        return [
            Piece(
                name=COPY,
                make=lambda _: copy.make(),
                take=lambda _, __: None,
                beside=True,
                weight=6,
                planes=6,
                keep=False,
            )
        ]

    def whole(self) -> bool:
        """Whether all are there."""
        return self.copy is None or self.copy.n_there >= self.recording.n_frames

    def until(self, end_s: float, more: int = 0) -> tuple[Recording, Callable[[], bool]]:
        """The recording up to a time and some frames more, and whether they are there."""
        before = int((self.recording.times_s <= end_s).sum()) + more
        n, copy = min(before, self.recording.n_frames), self.copy
        if copy is None:
            return self.recording, self.whole
        return copy.up_to(n), lambda: copy.n_there >= n


def _onset_groups(result: AnalysisResult) -> list[list[Stage]]:
    """Stages with onset maps; those told apart from each other together."""
    mapped = stages_of(result.experiment.stages, *STEPS, StageKind.DISSOLUTION)
    return neighbours([s for s in mapped if not _too_short(result, s)])


def _onset_piece(
    result: AnalysisResult, stages: list[Stage], seen: _Frames
) -> Piece[AnalysisResult]:
    """Onset maps of neighbouring stages, and their levels in some frames beyond."""
    recording, ready = seen.until(max(s.end_s for s in stages), result.config.onset.level_frames)
    return Piece(
        name=f"{ONSETS}{stages[0].key}",
        make=partial(_group_onsets, stages=stages, recording=recording),
        take=_take_onsets,
        ready=ready,
        weight=2 + len(stages),
        planes=42,
    )


def _group_onsets(
    result: AnalysisResult, *, stages: list[Stage], recording: Recording
) -> Work[dict[str, OnsetMap]]:
    maps = yield from onset_maps(
        recording,
        stages,
        result.config.onset,
        dark=result.reference.dark,
        valid=result.film,
    )
    return {stage.key: onset for stage, onset in maps.items()}


def _take_onsets(result: AnalysisResult, maps: dict[str, OnsetMap]) -> None:
    for key, onset in maps.items():
        result.onset_maps[key] = onset
        result.did("onset_map", onset.parameters, stage=key)


def _too_short(
    result: AnalysisResult, stage: Stage, least: int = LEAST_FRAMES, what: str = "an onset map"
) -> bool:
    """Whether a stage that was found, not given, holds too few frames for something; noted."""
    n = len(result.recording.frames_between(stage.start_s, stage.end_s))
    if stage.source == "given" or n >= least:
        return False
    result.notes.append(f"{stage.label} of cycle {stage.cycle} is too short for {what}.")
    return True


def _depositions(result: AnalysisResult) -> list[Stage]:
    """Those in which sites are looked for."""
    stages = stages_of(result.experiment.stages, StageKind.DEPOSITION)
    long = [s for s in stages if not _too_short(result, s, 2, "sites")]
    return [] if result.recording.pixel_size_um is None else long


def _search_piece(stage: Stage, seen: _Frames) -> Piece[AnalysisResult]:
    """What may be a site of a deposition."""
    recording, ready = seen.until(stage.end_s)
    return Piece(
        name=f"{CANDIDATES}{stage.key}",
        make=partial(_search, stage=stage, recording=recording),
        take=partial(_take_candidates, stage=stage),
        ready=ready,
        weight=7,
        planes=39,
    )


def _search(result: AnalysisResult, *, stage: Stage, recording: Recording) -> Work[SiteCandidates]:
    return (
        yield from find_candidates(
            recording,
            stage.start_s,
            stage.end_s,
            result.config.nucleation,
            valid=result.film,
            cycle=stage.cycle,
            dark=result.reference.dark,
        )
    )


def _take_candidates(result: AnalysisResult, candidates: SiteCandidates, *, stage: Stage) -> None:
    result.site_candidates[stage.key] = candidates
    result.append("site_thresholds", threshold_curve(candidates))


def _site_piece(stage: Stage, seen: _Frames) -> Piece[AnalysisResult]:
    """Sites of a deposition, measured until its cycle ends."""
    return Piece(
        name=f"{SITES}{stage.key}",
        make=partial(_sites, stage=stage),
        take=partial(_take_sites, stage=stage),
        needs=(f"{CANDIDATES}{stage.key}",),
        ready=seen.whole,
        weight=2,
        planes=8,
    )


def _sites(result: AnalysisResult, *, stage: Stage) -> Work[Tables]:
    parameters = result.config.nucleation
    accepted = result.site_candidates[stage.key].accepted(parameters)
    if result.keep_sites is not None:
        accepted = result.keep_sites(stage.cycle, accepted)
    sites, growth = yield from measure_sites(
        result.recording,
        accepted,
        stage.start_s,
        stage.end_s,
        result.reference,
        parameters,
        times=SiteTimes.of(stage, result.experiment.stages),
    )
    return {"sites": sites, "site_growth": growth}


def _take_sites(result: AnalysisResult, tables: Tables, *, stage: Stage) -> None:
    for name, table in tables.items():
        result.append(name, table)
    result.did("detect_sites", result.config.nucleation, stage=stage.key)


def pore_windows(stages: Sequence[Stage]) -> list[PoreWindow]:
    """From the start of each cycle's dissolution to the end of its dealloying."""
    windows = []
    for cycle in cycles_of(stages):
        own = stages_of(stages, *LEAVING, cycle=cycle)
        if own:
            end = max(s.end_s for s in own)
            windows.append(PoreWindow(cycle=cycle, start_s=own[0].start_s, end_s=end))
    return windows


def _pores(result: AnalysisResult, *, make_labels: LabelMaker) -> Work[PoreTracks | None]:
    recording, optics = result.recording, result.experiment.optics
    windows = pore_windows(result.experiment.stages)
    if recording.pixel_size_um is None or not windows:
        return None
    return (
        yield from track_pores(
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
    )


def _take_pores(result: AnalysisResult, tracks: PoreTracks | None) -> None:
    result.pore_tracks = tracks
