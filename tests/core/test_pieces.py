"""Work in pieces: order, what runs together, what is kept, errors and giving up."""

import sys
import threading
import time
from functools import partial

import pytest

from napari_lithium_alloy.core.pieces import TURN_S, Piece, run_pieces
from napari_lithium_alloy.core.progress import finish


class InMemory:
    """Keeps values in a dict."""

    def __init__(self, **values):
        self.values = values

    def load(self, name):
        return self.values.get(name)

    def save(self, name, value):
        self.values[name] = value


def piece(name, needs=(), work=None, **more):
    def make(state):
        yield 0, 2
        value = work(state) if work else f"{name} after {sorted(state)}"
        yield 1, 2
        return value

    def take(state, value):
        state[name] = value

    return Piece(name=name, make=make, take=take, needs=needs, **more)


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_pieces_are_taken_in_order_and_made_after_what_they_need(at_once):
    def slow(_):
        time.sleep(0.05)
        return "slow"

    pieces = [
        piece("a", work=slow),
        piece("b"),
        piece("c", needs=("a", "b"), work=lambda state: dict(state)),
        piece("d", needs=("c",), work=lambda state: list(state)),
    ]
    state, shares = {}, []
    for done, total in run_pieces(state, pieces, at_once=at_once):
        shares.append(done / total)
    assert list(state) == ["a", "b", "c", "d"]
    assert state["c"].keys() == {"a", "b"}
    assert state["d"] == ["a", "b", "c"]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_as_many_as_asked_for_run_together():
    together = threading.Barrier(3)
    meet = partial(piece, work=lambda _: together.wait(10))
    finish(run_pieces({}, [meet("a"), meet("b"), meet("c")], at_once=3))
    most, running, lock = [0], [0], threading.Lock()

    def count(_):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1

    finish(run_pieces({}, [piece(n, work=count) for n in "abcdef"], at_once=2))
    assert most[0] <= 2


def test_pieces_share_the_room_there_is():
    held, most, lock = [0.0], [0.0], threading.Lock()

    def hold(planes, _):
        with lock:
            held[0] += planes
            most[0] = max(most[0], held[0])
        time.sleep(0.02)
        with lock:
            held[0] -= planes

    sizes = {"a": 5, "b": 4, "c": 3, "d": 9, "e": 2}
    pieces = [piece(n, work=partial(hold, size), planes=size) for n, size in sizes.items()]
    state = {}
    finish(run_pieces(state, pieces, at_once=3, room=8))
    assert list(state) == list(sizes)
    assert most[0] == 9  # the one that is larger than the room, alone
    assert held[0] == 0


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_piece_waits_for_what_another_is_still_making(at_once):
    made, before_last = [], threading.Event()

    def frames(_):
        for frame in range(5):
            if frame == 4 and at_once > 1:
                assert before_last.wait(10)  # what needs the first frames runs beside
            made.append(frame)
            yield frame + 1, 5

    def begins_with(n):
        seen = list(made)
        before_last.set()
        assert len(seen) >= n
        return len(seen)

    copy = Piece(name="copy", make=frames, take=lambda _, __: None, beside=True)
    late = piece("late", ready=lambda: len(made) == 5, work=lambda _: begins_with(5))
    early = piece("early", ready=lambda: len(made) >= 3, work=lambda _: begins_with(3))
    state = {}
    finish(run_pieces(state, [copy, late, early], at_once=at_once))
    assert list(state) == ["late", "early"]
    assert state["late"] == 5
    assert state["early"] == (4 if at_once > 1 else 5)


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_was_kept_is_not_made_again(at_once):
    def never(_):
        raise AssertionError

    kept = InMemory(a="before")
    pieces = [
        piece("a", work=never), piece("b", needs=("a",)), piece("c", needs=("a",), keep=False)
    ]  # fmt: skip
    state = {}
    finish(run_pieces(state, pieces, kept, at_once=at_once))
    assert state["a"] == "before"
    assert kept.values.keys() == {"a", "b"}


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_error_of_a_piece_is_raised_and_others_stay_kept(at_once):
    def fail(_):
        raise ValueError("no film")

    kept = InMemory()
    with pytest.raises(ValueError, match="no film"):
        finish(run_pieces({}, [piece("a"), piece("b", needs=("a",), work=fail)], kept))
    assert kept.values.keys() == {"a"}
    with pytest.raises(ValueError, match="no film"):
        finish(run_pieces({}, [piece("a", work=fail), piece("b")], at_once=at_once))


def test_given_up_pieces_end_at_their_next_step():
    in_a_step, go_on, ended = (threading.Event() for _ in range(3))

    def endless(_):
        try:
            while True:
                yield 0, 1
                in_a_step.set()
                go_on.wait(30)
        finally:
            ended.set()

    kept = InMemory()
    work = run_pieces(
        {},
        [Piece(name="endless", make=endless, take=lambda *_: None), piece("b")],
        kept,
        at_once=2,
    )
    next(work)
    assert in_a_step.wait(30)
    work.close()
    assert not ended.is_set()  # the step was not waited for
    go_on.set()
    assert ended.wait(30)
    assert "endless" not in kept.values


def test_turns_of_threads_are_short_while_pieces_run_and_as_before_then():
    before, seen = sys.getswitchinterval(), []
    finish(run_pieces({}, [piece("a", work=lambda _: seen.append(sys.getswitchinterval()))]))
    assert seen == [pytest.approx(TURN_S)]
    assert sys.getswitchinterval() == before
    given_up = run_pieces({}, [piece("a")], at_once=2)
    next(given_up)
    assert sys.getswitchinterval() == pytest.approx(TURN_S)
    given_up.close()
    assert sys.getswitchinterval() == before
