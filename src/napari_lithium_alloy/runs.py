"""An analysis into a folder, in pieces that can be made independently of each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.pore_edits import PoreEdit
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.io.results import check_out
from napari_lithium_alloy.pipeline import AnalysisResult, analyze, write_result


def begin_run(
    experiment: Experiment, out: Path, *, recording_name: str | None = None, overwrite: bool = False
) -> Work[list[str]]:
    """Prepare an analysis; names of the pieces that can be made independently of each other."""
    check_out(out, overwrite=overwrite)
    experiment.recording(recording_name)
    yield 1, 1
    return []


def make_piece(
    experiment: Experiment, out: Path, name: str, *, recording_name: str | None = None
) -> Work[None]:
    """Make one piece and keep it in `out`."""
    del experiment, out, name, recording_name
    yield 1, 1


def analyze_into(
    experiment: Experiment,
    out: Path,
    *,
    recording_name: str | None = None,
    pore_edits: Sequence[PoreEdit] = (),
    overwrite: bool = False,
) -> Work[tuple[AnalysisResult, list[Path]]]:
    """Analyse and write; goes on from what an interrupted run left."""
    check_out(out, overwrite=overwrite)
    result = yield from analyze(experiment, recording_name=recording_name, pore_edits=pore_edits)
    return result, write_result(result, out, overwrite=overwrite)
