"""Onset maps of steps beside each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from napari_lithium_alloy.core.onset import (
    LEAST_FRAMES,
    OnsetMap,
    check_field,
    counts_fall,
    onset_map,
    stage_frames,
)
from napari_lithium_alloy.core.onset_light import OwnFrames, window_counts, window_light
from napari_lithium_alloy.core.onset_parameters import OnsetParameters
from napari_lithium_alloy.core.photometry import dark_level
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.step_boundaries import step_frames
from napari_lithium_alloy.core.step_plateaus import Chain

STEPS = (StageKind.ALLOYING, StageKind.DEALLOYING)
MOST_APART = 0.5
"""Time between two steps, or in both, over the shorter one, from which on they stand alone."""
HUNDRED = 100


def onset_maps(
    recording: Recording,
    stages: Sequence[Stage],
    parameters: OnsetParameters | None = None,
    *,
    dark: float | FloatArray | None = None,
    valid: BoolArray | None = None,
    wanted: Collection[Stage] | None = None,
) -> Work[dict[Stage, OnsetMap]]:
    """Onset maps of stages; steps that follow each other are told apart in each pixel.

    A boundary some seconds wrong does then not turn the tail of one step into the onset of the
    next, and maps of neighbouring steps share no frame.

    Parameters
    ----------
    recording : Recording
    stages : sequence of Stage
        Alloying (or dealloying) steps of one cycle are neighbours; others stand alone.
    parameters : OnsetParameters, optional
    dark : float or (Y, X) array, optional
        Dark level; None: the recording's own.
    valid : (Y, X) bool array, optional
        The field to look at; None: all of it.
    wanted : collection of Stage, optional
        Those of the stages whose maps are made; None: all.

    Returns
    -------
    dict of Stage to OnsetMap
        In the order of the stages.

    Raises
    ------
    AlloyError
        As `onset_map` does.
    """
    check_field(recording, valid)
    parameters = parameters or OnsetParameters()
    wanted = stages if wanted is None else wanted
    groups = neighbours([s for s in stages if s in wanted or _long_enough(recording, s)])
    groups = [g for g in groups if any(s in wanted for s in g)]
    total, done = sum(len(g) + 1 for g in groups) * HUNDRED, 0
    level = dark_level(recording) if dark is None else dark
    found: dict[Stage, OnsetMap] = {}
    for group in groups:
        own: list[OwnFrames] | list[None] = [None]
        seen = recording
        if len(group) > 1:
            work = _told_apart(recording, group, parameters, level, valid)
            seen, own = yield from part(work, done, done + HUNDRED, total)
        done += HUNDRED
        for stage, frames in zip(group, own, strict=True):
            if stage in wanted:
                made = onset_map(
                    seen,
                    stage.start_s,
                    stage.end_s,
                    parameters,
                    dark=level,
                    darkens=stage.darkens,
                    valid=valid,
                    own=frames,
                )
                found[stage] = yield from part(made, done, done + HUNDRED, total)
            done += HUNDRED
    return {stage: found[stage] for stage in stages if stage in found}


def neighbours(stages: Sequence[Stage]) -> list[list[Stage]]:
    """Stages in groups: steps of one cycle and kind that follow each other, others alone."""
    groups: list[list[Stage]] = []
    for stage in sorted(stages, key=lambda s: (s.cycle, str(s.kind), s.start_s)):
        if groups and _follows(groups[-1][-1], stage):
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return groups


def _long_enough(recording: Recording, stage: Stage) -> bool:
    return len(recording.frames_between(stage.start_s, stage.end_s)) >= LEAST_FRAMES


def _follows(before: Stage, stage: Stage) -> bool:
    """Whether a stage is a step that comes after another."""
    if stage.kind not in STEPS or (stage.kind, stage.cycle) != (before.kind, before.cycle):
        return False
    shorter = min(s.end_s - s.start_s for s in (before, stage))
    return stage.end_s > before.end_s and abs(stage.start_s - before.end_s) < MOST_APART * shorter


def _told_apart(
    recording: Recording,
    stages: Sequence[Stage],
    parameters: OnsetParameters,
    dark: float | FloatArray,
    valid: BoolArray | None,
) -> Work[tuple[Recording, list[OwnFrames]]]:
    """The frames around successive steps as a recording, and each step's in each pixel."""
    for stage in stages:
        stage_frames(recording, stage.start_s, stage.end_s)
    around = yield from part(_around(recording, stages, parameters.level_frames, dark), 0, 1, 2)
    light = yield from window_light(
        around,
        np.arange(around.n_frames),
        dark=dark,
        falls=counts_fall(recording, parameters, stages[0].darkens),
        valid=np.ones(recording.field_shape, dtype=bool) if valid is None else valid,
    )
    chain = Chain.of(around, stages, light, parameters.level_frames)
    return around, (yield from part(step_frames(chain), 1, 2, 2))


def _around(
    recording: Recording, stages: Sequence[Stage], more: int, dark: float | FloatArray
) -> Work[Recording]:
    """The frames of successive stages, and as many more on both sides, each read once."""
    inside = recording.frames_between(stages[0].start_s, stages[-1].end_s)
    first, last = max(int(inside[0]) - more, 0), min(int(inside[-1]) + more + 1, recording.n_frames)
    part_of = {"frames": recording.frames[first:last], "times_s": recording.times_s[first:last]}
    if recording.mapped is None and recording.light(dark) is not None:
        light = recording.steadied
        return recording.replace(
            **part_of,
            window=lambda t, y, x: recording.read(t + first, y, x),
            steadied=None if light is None else light.frames(first, last),
        )
    counts = yield from window_counts(recording, np.arange(first, last))
    return recording.replace(**part_of, window=lambda t, y, x: counts[t, y, x], mapped=counts)
