"""Long work as generators."""

from napari_lithium_alloy.core.progress import finish, part


def work(n):
    for i in range(n):
        yield i + 1, n
    return "done"


def parts():
    first = yield from part(work(4), 0, 100, 300)
    second = yield from part(work(2), 100, 300, 300)
    return first, second


def test_finishing_gives_the_result():
    assert finish(work(3)) == "done"
    assert finish(work(0)) == "done"
    assert finish(parts()) == ("done", "done")


def test_parts_share_one_scale():
    assert list(parts()) == [
        *((25, 300), (50, 300), (75, 300), (100, 300)),
        *((200, 300), (300, 300)),
    ]


def test_a_part_that_has_nothing_to_do_is_no_division_by_zero():
    def nothing():
        yield 0, 0
        return 1

    assert list(part(nothing(), 10, 20, 30)) == [(10, 30)]
