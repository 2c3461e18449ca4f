"""Large work as named pieces: some at the same time, and not again those that were kept."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from napari_lithium_alloy.core.memory import freed_memory_kept, give_back
from napari_lithium_alloy.core.progress import Progress, Work

State = TypeVar("State")

STEPS = 1000
"""Of the progress of all pieces together."""
LOOK_S = 0.05
"""How often progress is looked at."""
TURN_S = 0.0005
"""How long a thread may keep Python's lock when others wait: they need it for moments, between
loops that run without it."""


class Kept(Protocol):
    """Where what pieces found is kept, such as a folder that outlives an interruption."""

    def load(self, name: str) -> Any | None:
        """What was kept under a name; None: nothing."""

    def save(self, name: str, value: Any) -> None:
        """Keep a value under a name, whole or not at all."""


@dataclass(frozen=True, kw_only=True)
class Piece(Generic[State]):
    """One piece of work on a state.

    Attributes
    ----------
    name : str
    make : callable
        Long work that reads the state and returns what it found.
    take : callable
        Puts that into the state; quick. Pieces are taken in their order, one at a time.
    needs : tuple of str
        Pieces, before it in order, that must be taken before it is made.
    ready : callable
        Whether what else it needs is there, which a piece that runs may see to.
    beside : bool
        Whether it is begun whatever else runs, as one that waits for the disk most of the time.
    weight : float
        About its share of the time.
    planes : float
        About the pictures of single precision that it holds at once.
    keep : bool
        Whether what it found is worth keeping for after an interruption.
    """

    name: str
    make: Callable[[State], Work[Any]]
    take: Callable[[State, Any], None]
    needs: tuple[str, ...] = ()
    ready: Callable[[], bool] = lambda: True
    beside: bool = False
    weight: float = 1.0
    planes: float = 0.0
    keep: bool = True


def made(piece: Piece[State], state: State, kept: Kept | None) -> Work[Any]:
    """What a piece finds, or found before an interruption."""
    if kept is not None and piece.keep:
        before = kept.load(piece.name)
        if before is not None:
            return before
    value = yield from piece.make(state)
    if kept is not None and piece.keep:
        kept.save(piece.name, value)
    return value


def run_pieces(
    state: State,
    pieces: Sequence[Piece[State]],
    kept: Kept | None = None,
    *,
    at_once: int = 1,
    room: float = math.inf,
) -> Work[None]:
    """Make and take all pieces, up to `at_once` of them at the same time.

    What is found does not depend on how many run at once. Given up, pieces that run end at their
    next step, and what others found stays kept.

    Parameters
    ----------
    state
    pieces : sequence of Piece
    kept : Kept, optional
    at_once : int
    room : float
        Planes that pieces may hold that run at the same time; one always runs.
    """
    with freed_memory_kept(), _short_turns():
        yield from _run_pieces(_Run(state, pieces, kept), pieces, at_once, room)


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads take shorter turns of Python's lock: 6 GB are then analysed in 3 % less time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _run_pieces(
    run: _Run[State], pieces: Sequence[Piece[State]], at_once: int, room: float
) -> Work[None]:
    if at_once <= 1:
        for piece in pieces:
            yield from run.alone(piece)
        return
    beside = sum(p.beside for p in pieces)
    threads = ThreadPoolExecutor(at_once + beside, thread_name_prefix="piece")
    try:
        while run.left:
            for piece in run.ready(at_once, room):
                run.begin(piece, threads)
            run.take_what_is_found()
            yield run.progress()
            run.wait()
    finally:
        run.stopped.set()
        threads.shutdown(wait=False, cancel_futures=True)


class _Run(Generic[State]):
    """Which pieces run, are found, and are taken."""

    def __init__(self, state: State, pieces: Sequence[Piece[State]], kept: Kept | None) -> None:
        self.state, self.kept = state, kept
        self.left = list(pieces)
        assert len({p.name for p in pieces}) == len(pieces), "pieces of one name"
        self.running: dict[str, Future[Any]] = {}
        self.shares = {p.name: 0.0 for p in pieces}
        self.weights = {p.name: p.weight for p in pieces}
        self.most_planes = max((p.planes for p in pieces), default=0.0)
        self.taken: set[str] = set()
        self.stopped, self.moved = threading.Event(), threading.Event()

    def progress(self) -> Progress:
        """Of all together."""
        done = sum(self.weights[name] * share for name, share in self.shares.items())
        return int(STEPS * done / sum(self.weights.values())), STEPS

    def alone(self, piece: Piece[State]) -> Work[None]:
        """Make a piece here, and take it."""
        work = self._work(piece)
        while True:
            try:
                self._note(piece, next(work))
            except StopIteration as stop:
                self._take(piece, stop.value)
                yield self.progress()
                return
            yield self.progress()

    def ready(self, at_once: int, room: float) -> list[Piece[State]]:
        """Pieces that can be begun, as many as may run."""
        busy = [p for p in self.left if p.name in self.running and not self.running[p.name].done()]
        found: list[Piece[State]] = []
        for piece in self.left:
            now = [*busy, *found]
            fits = not now or sum(p.planes for p in now) + piece.planes <= room
            free = piece.name not in self.running and self.taken.issuperset(piece.needs)
            few = piece.beside or sum(not p.beside for p in now) < at_once
            if free and fits and few and piece.ready():
                found.append(piece)
        return found

    def begin(self, piece: Piece[State], threads: ThreadPoolExecutor) -> None:
        """Make a piece in one of the threads."""
        self.running[piece.name] = threads.submit(self._make, piece)

    def _work(self, piece: Piece[State]) -> Work[Any]:
        if piece.planes == self.most_planes > 0:
            give_back()  # it asks for more than fits between what is kept
        return made(piece, self.state, self.kept)

    def _make(self, piece: Piece[State]) -> Any:
        work = self._work(piece)
        try:
            while not self.stopped.is_set():
                self._note(piece, next(work))
        except StopIteration as stop:
            return stop.value
        finally:
            work.close()
            self.moved.set()
        return None

    def _note(self, piece: Piece[State], progress: Progress) -> None:
        self.shares[piece.name] = min(progress[0] / max(progress[1], 1), 1.0)

    def take_what_is_found(self) -> None:
        """Take pieces in their order, as far as they are found; raise what one raised."""
        for future in self.running.values():
            if future.done() and future.exception() is not None:
                future.result()
        while self.left and self.left[0].name in self.running:
            future = self.running[self.left[0].name]
            if not future.done():
                return
            piece = self.left[0]
            del self.running[piece.name]
            self._take(piece, future.result())

    def _take(self, piece: Piece[State], value: Any) -> None:
        piece.take(self.state, value)
        self.shares[piece.name] = 1.0
        self.taken.add(piece.name)
        self.left.remove(piece)

    def wait(self) -> None:
        """Until a piece ends, or a moment."""
        self.moved.wait(LOOK_S)
        self.moved.clear()
