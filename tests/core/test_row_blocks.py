"""Blocks of rows in threads."""

import os
import threading

import numpy as np
import pytest

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.row_blocks import by_rows, in_order, thread_count, use_threads


@pytest.mark.parametrize("n_rows", [1, 7, 128, 1000])
@pytest.mark.parametrize("most", [1, 16, 128])
def test_every_row_is_done_once(n_rows, most):
    done = np.zeros(n_rows, int)

    def work(rows):
        assert 0 < rows[1] - rows[0] <= most
        done[slice(*rows)] += 1

    steps = list(by_rows(work, n_rows, most=most))
    assert (done == 1).all()
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_an_error_in_a_block_is_raised():
    def fail(rows):
        raise ValueError(f"rows {rows[0]}")

    with pytest.raises(ValueError, match="rows 0"):
        finish(by_rows(fail, 300))


def test_given_up_work_ends_soon_and_leaves_nothing_running():
    begun, go_on = [], threading.Event()

    def wait_a_moment(rows):
        begun.append(rows)
        go_on.wait(5)

    work = by_rows(
        lambda rows: begun.append(rows) if rows[0] == 0 else wait_a_moment(rows), 400, most=1
    )
    next(work)
    go_on.set()
    work.close()
    n = len(begun)
    assert finish(by_rows(lambda rows: None, 4)) is None
    assert len(begun) == n


@pytest.mark.parametrize("n", [1, 3])
def test_work_uses_the_threads_it_may(n):
    used, together = set(), threading.Barrier(n)

    def meet(rows):
        together.wait(5)
        used.add(threading.current_thread().name)

    use_threads(n)
    try:
        finish(by_rows(meet, 12, most=1))
    finally:
        use_threads(None)
    assert len(used) == n


def test_all_processors_are_used_that_the_process_may_use():
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert thread_count() == allowed


def test_blocks_of_blocks_do_not_wait_for_each_other():
    done = np.zeros((12, 9), int)

    def outer(rows):
        def inner(columns):
            done[slice(*rows), slice(*columns)] += 1

        finish(by_rows(inner, 9, most=2))

    finish(by_rows(outer, 12, most=1))
    assert (done == 1).all()


def test_results_ahead_come_in_order_and_no_more_than_asked_are_made():
    made = []

    def square(i):
        made.append(i)
        return i * i

    use_threads(2)
    try:
        results = in_order(square, range(20), most=3)
        assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
        results.close()
        assert max(made) <= 4 + 3
        assert list(in_order(square, range(2), most=3)) == [0, 1]
        assert list(in_order(square, range(0), most=3)) == []
    finally:
        use_threads(None)


def test_an_error_ahead_is_raised_in_its_turn():
    def fail(i):
        if i == 2:
            raise ValueError("third")
        return i

    results = in_order(fail, range(10), most=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="third"):
        next(results)


def test_results_ahead_in_one_of_the_threads_do_not_wait_for_each_other():
    found = []
    use_threads(1)
    try:
        finish(by_rows(lambda rows: found.extend(in_order(abs, range(3), most=2)), 1))
    finally:
        use_threads(None)
    assert found == [0, 1, 2]
