"""Recordings and regions."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.recording import MappedLight, Recording, Region

FRAMES = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)


def recording(**changes) -> Recording:
    given_ = {"name": "cell", "frames": da.from_array(FRAMES), "times_s": np.arange(4.0)}
    return Recording(**(given_ | changes))


def test_loops_are_given_counts_of_one_kind_wherever_they_are_from():
    """Those of a file are read-only; for others, loops would be compiled once more."""
    counts = FRAMES.copy()
    mapped = recording(mapped=counts).mapped
    light = MappedLight(counts=mapped, dark=0.0, factor=np.ones(4, np.float32))
    assert light.counts is mapped  # by which it is known whose light it is
    for same in (mapped, compilable(counts), compilable(counts.astype(">u2")), compilable(mapped)):
        assert not same.flags.writeable
    assert np.shares_memory(counts, mapped)
    assert np.shares_memory(counts, compilable(counts))
    counts[0, 0, 0] = 7
    assert mapped[0, 0, 0] == 7


def inside_polygon(vertices, y, x):
    """Even-odd rule by walking the edges one by one: an independent, slow definition."""
    crossings = 0
    for (y0, x0), (y1, x1) in zip(vertices, [*vertices[1:], vertices[0]], strict=True):
        if (y0 <= y) != (y1 <= y):
            crossings += x0 + (y - y0) / (y1 - y0) * (x1 - x0) > x
    return crossings % 2 == 1


def oracle(inside, shape):
    return np.array([[inside(y, x) for x in range(shape[1])] for y in range(shape[0])])


def test_a_rectangle_holds_the_pixels_whose_centres_it_holds():
    corners = np.array([(0.5, 1.5), (0.5, 4.5), (3.5, 4.5), (3.5, 1.5)])
    mask = Region(name="r", vertices_px=corners).mask((5, 6))
    expected = np.zeros((5, 6), bool)
    expected[1:4, 2:5] = True
    assert np.array_equal(mask, expected)


def test_touching_rectangles_share_no_pixel_and_leave_none():
    def box(top, left):
        return np.array([(top, left), (top, left + 3), (top + 3, left + 3), (top + 3, left)], float)

    masks = [Region(name="r", vertices_px=box(y, x)).mask((6, 6)) for y in (0, 3) for x in (0, 3)]
    assert np.array_equal(np.sum(masks, axis=0), np.ones((6, 6)))


@pytest.mark.parametrize("angle_degrees", [0, 17, 45, 90, 133])
def test_a_rotated_box_and_its_ellipse(angle_degrees):
    angle = np.deg2rad(angle_degrees)
    along, across = (
        np.array([np.sin(angle), np.cos(angle)]),
        np.array([np.cos(angle), -np.sin(angle)]),
    )
    half = np.array([(-7.3, -3.1), (7.3, -3.1), (7.3, 3.1), (-7.3, 3.1)])
    corners = (12.2, 14.6) + half[:, :1] * along + half[:, 1:] * across

    def place(y, x):
        off = np.array([y - 12.2, x - 14.6])
        return off @ along / 7.3, off @ across / 3.1

    box = Region(name="b", vertices_px=corners).mask((26, 30))
    disc = Region(name="e", kind="ellipse", vertices_px=corners).mask((26, 30))
    assert np.array_equal(box, oracle(lambda y, x: max(map(abs, place(y, x))) < 1, (26, 30)))
    assert np.array_equal(disc, oracle(lambda y, x: np.hypot(*place(y, x)) <= 1, (26, 30)))


def test_a_concave_polygon_leaves_its_notch_out():
    notch = np.array([(0.5, 0.5), (0.5, 8.5), (8.5, 8.5), (4.2, 4.6), (8.5, 0.5)])
    mask = Region(name="n", vertices_px=notch).mask((10, 10))
    assert np.array_equal(mask, oracle(lambda y, x: inside_polygon(notch.tolist(), y, x), (10, 10)))
    assert mask[2, 4]
    assert not mask[7, 4]


def test_a_region_beside_the_field_or_without_width_is_empty():
    off = np.array([(20.0, 20.0), (20.0, 25.0), (25.0, 25.0)])
    assert not Region(name="off", vertices_px=off).mask((10, 10)).any()
    line = np.array([(2.0, 2.0), (2.0, 8.0), (2.0, 8.0), (2.0, 2.0)])
    assert not Region(name="line", kind="ellipse", vertices_px=line).mask((10, 10)).any()


coordinate = st.floats(-4, 18, width=32)


def on_an_edge(vertices, y, x):
    """Whether a point lies within a rounding error of an edge: on which side is nobody's word."""
    point = np.array([y, x], float)
    for start, end in zip(vertices, [*vertices[1:], vertices[0]], strict=True):
        a, along = np.array(start), np.subtract(end, start)
        share = np.clip((point - a) @ along / max(along @ along, 1e-300), 0, 1)
        if np.hypot(*(point - a - share * along)) < 1e-9:
            return True
    return False


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9))
@settings(max_examples=40, deadline=None)
def test_any_polygon_is_the_even_odd_rule_at_pixel_centres(vertices):
    mask = Region(name="p", vertices_px=np.array(vertices, float)).mask((14, 15))
    for y, x in np.ndindex(mask.shape):
        if mask[y, x] != inside_polygon(vertices, y, x):
            assert on_an_edge(vertices, y, x)


@given(st.tuples(coordinate, coordinate), st.tuples(st.floats(0.6, 12), st.floats(0.6, 12)))
@settings(max_examples=60, deadline=None)
def test_any_upright_ellipse_is_its_equation_at_pixel_centres(centre, axes):
    (cy, cx), (ry, rx) = centre, axes
    corners = np.array(
        [(cy - ry, cx - rx), (cy - ry, cx + rx), (cy + ry, cx + rx), (cy + ry, cx - rx)]
    )
    y, x = np.mgrid[:18, :21]
    distance = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2
    assume(np.abs(distance - 1).min() > 1e-9)
    mask = Region(name="e", kind="ellipse", vertices_px=corners).mask((18, 21))
    assert np.array_equal(mask, distance < 1)


def test_read_and_the_window_give_the_same_counts():
    seen = []

    def window(t, y, x):
        seen.append(t)
        return FRAMES[t, y, x]

    part = (2, slice(1, 3), slice(0, 4))
    assert np.array_equal(recording().read(*part), FRAMES[part])
    assert np.array_equal(recording(window=window).read(*part), FRAMES[part])
    assert seen == [2]


def test_frames_between_holds_both_ends_of_uneven_times():
    uneven = recording(times_s=[0.0, 0.5, 3.0, 10.0])
    assert uneven.frames_between(0.5, 3.0).tolist() == [1, 2]
    assert uneven.frame_interval_s == 2.5
    assert recording(frames=da.from_array(FRAMES[:1]), times_s=[4.0]).n_frames == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": da.from_array(FRAMES[0])}, "shape"),
        ({"frames": da.from_array(FRAMES[:0]), "times_s": []}, "shape"),
        ({"times_s": [0, 1, 2]}, "4 frames but 3 times"),
        ({"times_s": [0, 1, np.nan, 3]}, "frame 2 has no time"),
        ({"times_s": [0, 2, 1, 3]}, r"frame 2 \(1 s\) is not later than frame 1 \(2 s\)"),
        ({"times_s": [0, 1, 1, 3]}, "times must rise"),
        ({"pixel_size_um": -0.065}, "pixel size is -0.065 um"),
        ({"pixel_size_um": 0.0}, "positive"),
        ({"pixel_size_um": np.nan}, "positive"),
        ({"dark_counts": np.zeros((2, 2))}, "dark frame"),
    ],
)
def test_what_is_not_usable_is_said(changes, said):
    with pytest.raises(AlloyError, match=said):
        recording(**changes)


def test_a_missing_pixel_size_is_asked_for_by_what_needs_it():
    assert recording(pixel_size_um=0.1).pixel_size("x") == 0.1
    with pytest.raises(AlloyError, match=r"Measuring pores needs the pixel size of cell: .*toml"):
        recording().pixel_size("Measuring pores")
