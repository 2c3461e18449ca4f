"""What a worker of a batch does: module-level functions of plain values, for any process."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dask

from napari_lithium_alloy.core.current_density import current_density
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.progress import finish as finished
from napari_lithium_alloy.core.row_blocks import use_threads
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.run_stamp import current_notes, seen_inputs, stamp_of, write_stamp
from napari_lithium_alloy.runs import analyze_into, begin_run, make_piece


@dataclass(frozen=True, kw_only=True)
class Job:
    """One recording to analyse.

    Attributes
    ----------
    path, out : str
        The recording, and the folder for its results.
    recording_name : str or None
    threads : int
        That a task works in; 0: as many as its worker has.
    """

    path: str
    out: str
    recording_name: str | None = None
    threads: int = 0


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What is known of a recording before it is analysed.

    Attributes
    ----------
    current : bool
        Whether its results are there and are what an analysis would give.
    pieces : tuple of str
        That can be made independently of each other.
    measured_ma_cm2 : float
        Its current density by potential and film, NaN where `measured_reason` says why.
    measured_reason : str
    notes : tuple of str
        Of the results that are there.
    """

    current: bool = False
    pieces: tuple[str, ...] = ()
    measured_ma_cm2: float
    measured_reason: str = ""
    notes: tuple[str, ...] = ()


@contextmanager
def _settled(job: Job) -> Iterator[Experiment]:
    """The experiment, in a process that takes no more than its share of the machine."""
    threads = job.threads or _worker_threads()
    use_threads(threads)
    # a dask array computed in a task would go back to the cluster, piece by piece
    scheduler = {"scheduler": "threads", "num_workers": threads}
    with dask.config.set(scheduler if threads > 1 else {"scheduler": "synchronous"}):
        yield open_experiment(job.path)


def _worker_threads() -> int:
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def _worker_bytes() -> float | None:
    """What a task may hold of its worker's memory; None: nothing limits it."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:  # called outside of a cluster
        return None
    limit = worker.memory_manager.memory_limit
    return float(limit) / max(worker.state.nthreads, 1) if limit else None


def begin(job: Job) -> Begun:
    """Open a recording and prepare its analysis, unless its results are current."""
    out = Path(job.out)
    with _settled(job) as experiment:
        density = current_density(experiment)
        known = functools.partial(
            Begun, measured_ma_cm2=density.value_ma_cm2, measured_reason=density.reason
        )
        notes = current_notes(out, experiment, job.recording_name)
        if notes is not None:
            return known(current=True, notes=tuple(notes))
        stamp_of(out).unlink(missing_ok=True)
        work = begin_run(experiment, out, recording_name=job.recording_name, overwrite=True)
        return known(pieces=tuple(finished(work)))


def piece(job: Job, name: str) -> None:
    """Make one piece of a recording's analysis."""
    with _settled(job) as experiment:
        work = make_piece(experiment, Path(job.out), name, recording_name=job.recording_name)
        finished(work)


def finish(job: Job) -> tuple[str, ...]:
    """Finish a recording's analysis and write it; its notes."""
    out = Path(job.out)
    with _settled(job) as experiment:
        seen = seen_inputs(experiment, out)
        work = analyze_into(
            experiment,
            out,
            recording_name=job.recording_name,
            overwrite=True,
            memory_bytes=_worker_bytes(),
        )
        result, _ = finished(work)
        if seen_inputs(experiment, out) == seen:  # else the next batch analyses it again
            write_stamp(out, seen, job.recording_name, result.notes)
    return tuple(result.notes)
