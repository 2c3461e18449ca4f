"""Analyses that write their results, and go on where an earlier one was interrupted."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_lithium_alloy import __version__
from napari_lithium_alloy.config import AnalysisConfig, config_of
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.label_stack import SparseLabels
from napari_lithium_alloy.core.mapped_pages import mapped_file
from napari_lithium_alloy.core.memory import needed_memory
from napari_lithium_alloy.core.pieces import made
from napari_lithium_alloy.core.pore_edits import PoreEdit
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.steady_copy import copied_bytes
from napari_lithium_alloy.io.hashes import Hashes
from napari_lithium_alloy.io.recording_file import inputs_of
from napari_lithium_alloy.io.results import check_out
from napari_lithium_alloy.io.unfinished import Unfinished, state_of, was_left
from napari_lithium_alloy.parts import independent, pieces_of
from napari_lithium_alloy.pipeline import analyze, begun
from napari_lithium_alloy.result import AnalysisResult, write_result

HUNDRED = 100
TOLD_BYTES = 2**28
"""Of a recording for which it is told beforehand what its analysis needs."""


def analyze_into(
    experiment: Experiment,
    out: Path,
    *,
    config: AnalysisConfig | None = None,
    recording_name: str | None = None,
    pore_edits: Sequence[PoreEdit] = (),
    overwrite: bool = False,
    memory_bytes: float | None = None,
) -> Work[tuple[AnalysisResult, list[Path]]]:
    """Analyse a recording and write the results; what an interrupted run left is not made again.

    Until the results are written, pieces of them lie in a folder `.unfinished` in `out`.

    Parameters
    ----------
    experiment : Experiment
    out : Path
    config : AnalysisConfig, optional
        None: what recording.toml says, else defaults.
    recording_name : str, optional
    pore_edits : sequence of PoreEdit
    overwrite : bool
        Whether results that are there may be replaced.
    memory_bytes : float, optional
        As of `analyze`.

    Raises
    ------
    AlloyError
        If the recording cannot be analysed, or the folder not written.
    """
    made_from = _made_from(experiment, config, recording_name, pore_edits)
    kept = _opened(out, made_from, overwrite=overwrite)
    try:
        with kept.alone(), _hashes_of(experiment) as hashes:
            work = analyze(
                experiment,
                config,
                recording_name=recording_name,
                pore_edits=pore_edits,
                kept=kept,
                memory_bytes=memory_bytes,
            )
            result = yield from part(work, 0, 99, HUNDRED)
            written = write_result(
                result, out, overwrite=True, hashes=hashes.all(), room=kept.folder
            )
    finally:
        kept.clear_if_empty()
    kept.clear()
    yield HUNDRED, HUNDRED
    return result, written


def begin_run(
    experiment: Experiment,
    out: Path,
    *,
    recording_name: str | None = None,
    overwrite: bool = False,
) -> Work[list[str]]:
    """Do what all of an analysis needs; names of the pieces that need nothing of each other.

    Any process that sees the same files can then make them with `make_piece`, before
    `analyze_into` does the rest.

    Raises
    ------
    AlloyError
        As of `analyze_into`.
    """
    made_from = _made_from(experiment, None, recording_name, ())
    kept = _opened(out, made_from, overwrite=overwrite, shared=True)
    try:
        with kept.alone():
            result = yield from begun(experiment, recording_name=recording_name, kept=kept)
            names = independent(pieces_of(result, SparseLabels))
    finally:
        kept.clear_if_empty()
    return [name for name in names if not kept.has(name)]


def make_piece(
    experiment: Experiment, out: Path, name: str, *, recording_name: str | None = None
) -> Work[None]:
    """Make a piece of an analysis that `begin_run` began, and keep it."""
    kept = Unfinished(out, _made_from(experiment, None, recording_name, ()))
    result = yield from part(
        begun(experiment, recording_name=recording_name, kept=kept), 0, 20, HUNDRED
    )
    piece = next((p for p in pieces_of(result, SparseLabels) if p.name == name), None)
    if piece is not None:
        yield from part(made(piece, result, kept), 20, HUNDRED, HUNDRED)


def _hashes_of(experiment: Experiment) -> Hashes:
    mapped: dict[Path, memoryview] = {}
    for recording in experiment.recordings:
        mapped |= mapped_file(recording.mapped)
    return Hashes(inputs_of(experiment), mapped)


def _opened(
    out: Path, made_from: dict[str, Any], *, overwrite: bool, shared: bool = False
) -> Unfinished:
    """What an interrupted run left, or nothing; refused where results would be replaced."""
    check_out(out, overwrite=overwrite or was_left(out, made_from))
    return Unfinished(out, made_from, shared=shared)


def _made_from(
    experiment: Experiment,
    config: AnalysisConfig | None,
    recording_name: str | None,
    pore_edits: Sequence[PoreEdit],
) -> dict[str, Any]:
    """All that an analysis depends on."""
    recording = experiment.recording(recording_name)
    return {
        "version": __version__,
        "files": state_of(inputs_of(experiment)),
        "recording": _plain_fields(recording),
        "shape": recording.frames.shape,
        "config": config_of(experiment, recording) if config is None else config,
        "regions": experiment.regions,
        "stages": experiment.stages,
        "film": experiment.film,
        "optics": experiment.optics,
        "potential": None if experiment.potential is None else _plain_fields(experiment.potential),
        "x_origins_s": experiment.x_origins_s,
        "pore_edits": tuple(pore_edits),
    }


def _plain_fields(told: Any) -> dict[str, Any]:
    """Fields of a dataclass that are plain, and hashes of those that are arrays."""
    found: dict[str, Any] = {}
    for name in (f.name for f in dataclasses.fields(told)):
        value = getattr(told, name)
        if name == "mapped":
            continue
        if isinstance(value, np.ndarray):
            found[name] = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        elif isinstance(value, str | int | float | tuple | None):
            found[name] = value
    return found


def told_before(
    experiment: Experiment, recording_name: str | None = None, memory_bytes: float | None = None
) -> str:
    """What an analysis of a large recording will read and need, in a sentence; of others none."""
    recording = experiment.recording(recording_name)
    n, rows, columns = recording.frames.shape
    read = math.prod(recording.frames.shape) * recording.frames.dtype.itemsize
    if read < TOLD_BYTES:
        return ""
    copy = copied_bytes(recording)
    memory = needed_memory(recording, memory_bytes)
    return (
        f"{recording.name}: {n} frames of {rows} x {columns} px ({read / 1e9:.1f} GB); about "
        f"{memory / 1e9:.1f} GB of memory, and up to {copy / 1e9:.1f} GB of disk while it runs."
    )
