"""Many recordings analysed on a cluster: recording by recording, and each in pieces."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from napari_lithium_alloy import batch_tasks
from napari_lithium_alloy.batch_tasks import Begun, Job
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.study_file import Study, StudyEntry

RESULTS = "recordings"
"""Folder of the results of each recording, under that of the study."""
Result = TypeVar("Result")
Status = Literal["analysed", "current", "failed", "stopped"]


@dataclass(kw_only=True)
class Outcome:
    """What became of one recording.

    Attributes
    ----------
    entry : StudyEntry
    out : Path
        Folder of its results.
    status : str
        "analysed" now; "current": its results were there; "failed"; "stopped" before its end.
    reason : str
        Why it failed, a sentence.
    begun : Begun or None
    notes : tuple of str
    """

    entry: StudyEntry
    out: Path
    status: Status = "stopped"
    reason: str = "the batch was stopped before its end"
    begun: Begun | None = None
    notes: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether it has results."""
        return self.status in ("analysed", "current")


Told = Callable[[Outcome], None]
"""Gets each outcome as soon as it is known."""
Stepped = Callable[[int, int], None]
"""Gets how many tasks are done, and how many are known of."""


def outcomes_of(study: Study, out: Path) -> list[Outcome]:
    """What a batch is to bring about, nothing of which has happened yet.

    Raises
    ------
    AlloyError
        If `out` is a file.
    """
    if out.is_file():
        raise AlloyError(f"{out} is a file; give a folder for the study.")
    return [Outcome(entry=e, out=out / RESULTS / e.folder) for e in study.entries]


def analyse_all(
    client: Any,
    outcomes: Sequence[Outcome],
    *,
    threads: int = 0,
    told: Told = lambda _: None,
    stepped: Stepped = lambda _done, _known: None,
) -> None:
    """Analyse recordings on a cluster; their outcomes are set as they come to be known.

    A recording that cannot be analysed fails alone. Results that are current are left as they
    are. KeyboardInterrupt stops what runs and goes on to the caller.

    Parameters
    ----------
    client : distributed.Client
        Whose workers see the same files under the same paths.
    outcomes : sequence of Outcome
    threads : int
        That each task works in; 0: as many as its worker has.
    told, stepped : callable
    """
    for outcome in outcomes:
        try:
            outcome.out.parent.mkdir(parents=True, exist_ok=True)
            _sweep(outcome.out)
        except OSError as error:
            raise AlloyError(
                f"{outcome.out.parent} cannot be written ({error.strerror}); choose another folder."
            ) from error
    driver = _Driver(client, outcomes, threads, told)
    for n in driver.run():
        stepped(n, driver.known)
    for outcome in outcomes:
        _sweep(outcome.out)


def run_tasks(client: Any, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """What each task returns, run by the workers of a cluster; an error of one is raised.

    Parameters
    ----------
    client : distributed.Client
    tasks : sequence of callable
        That can be sent to other processes.
    """
    futures = [client.submit(task, pure=False, priority=-i) for i, task in enumerate(tasks)]
    try:
        return list(client.gather(futures))
    finally:
        client.cancel(futures, force=True)


def _sweep(out: Path) -> None:
    """Remove what a process that was killed while it wrote has left."""
    for left in out.parent.glob(f".{out.name}-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@dataclass(kw_only=True)
class _Task:
    """A task that runs: of which recording, and what."""

    index: int
    kind: Literal["begin", "piece", "finish"]
    future: Any = field(repr=False)


class _Driver:
    """Begins every recording and finishes it; where workers would be idle, by its pieces.

    Earlier recordings go first, so that they end one after another. A recording is made in one
    piece while there are as many others left as workers: to begin it anew for each piece costs.
    """

    def __init__(self, client: Any, outcomes: Sequence[Outcome], threads: int, told: Told) -> None:
        from distributed import as_completed

        self._client, self._outcomes, self._threads, self._told = client, outcomes, threads, told
        self._running: dict[str, _Task] = {}
        self._open_pieces = [0] * len(outcomes)
        self._left = set(range(len(outcomes)))
        self.known = 0
        self._ended = as_completed([], loop=client.loop)

    def run(self) -> Iterator[int]:
        """Run all; yields how many tasks have ended."""
        try:
            for index in range(len(self._outcomes)):
                self._submit(index, "begin")
            for n, future in enumerate(self._ended, start=1):
                self._took(self._running.pop(future.key))
                yield n
        finally:
            self._client.cancel([t.future for t in self._running.values()], force=True)

    def _submit(self, index: int, kind: Literal["begin", "piece", "finish"], *more: str) -> None:
        outcome = self._outcomes[index]
        job = Job(
            path=str(outcome.entry.path.resolve()),
            out=str(outcome.out.resolve()),
            recording_name=outcome.entry.recording_name,
            threads=self._threads,
        )
        future = self._client.submit(
            getattr(batch_tasks, kind), job, *more, priority=-index, pure=False
        )
        self.known += 1
        self._running[future.key] = _Task(index=index, kind=kind, future=future)
        self._ended.add(future)

    def _took(self, task: _Task) -> None:
        """Go on from a task that has ended."""
        index, outcome = task.index, self._outcomes[task.index]
        if task.kind == "piece":  # an error in it is met again, and told, where it is put together
            self._open_pieces[index] -= 1
            if not self._open_pieces[index]:
                self._submit(index, "finish")
            return
        failure = _failure(task.future)
        if failure:
            outcome.status, outcome.reason = "failed", failure
        elif task.kind == "begin":
            begun: Begun = task.future.result()
            outcome.begun = begun
            if not begun.current:
                self._go_on(index, begun)
                return
            outcome.status, outcome.reason, outcome.notes = "current", "", begun.notes
        else:
            outcome.status, outcome.reason = "analysed", ""
            outcome.notes = task.future.result()
        self._left.discard(index)
        self._told(outcome)

    def _go_on(self, index: int, begun: Begun) -> None:
        pieces = begun.pieces if len(self._left) < len(self._client.nthreads()) else ()
        self._open_pieces[index] = len(pieces)
        for name in pieces:
            self._submit(index, "piece", name)
        if not pieces:
            self._submit(index, "finish")


def _failure(future: Any) -> str:
    """Why a task failed, a sentence; empty where it did not."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        return "its task was cancelled on the cluster; run the batch again"
    error = future.exception()
    if error is None:
        return ""
    if isinstance(error, AlloyError):
        return str(error)
    if isinstance(error, KilledWorker):
        return (
            "every worker that took it died, which most often is for want of memory; give each "
            "more memory or take fewer"
        )
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def known_density(outcome: Outcome, given: float | None) -> tuple[float, str]:
    """Current density of a recording in mA cm-2, and where it is from or why it is NaN.

    One by potential and film is rounded to two digits: replicates then fall together.
    """
    if given is not None:
        return float(given), "given"
    begun = outcome.begun
    if begun is None:
        return math.nan, "not given, and the recording could not be opened"
    if math.isnan(begun.measured_ma_cm2):
        return math.nan, f"not given, and {begun.measured_reason}"
    return float(f"{begun.measured_ma_cm2:.2g}"), "its potential and film"
