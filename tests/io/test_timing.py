"""The clock of a recording: what wins over what."""

import numpy as np
import pytest
import tifffile

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.image_stacks import open_stack
from napari_lithium_alloy.io.text_tables import read_times

COUNTS = np.zeros((4, 6, 6), np.uint8)
UNEVEN = [0.0, 1.1, 1.9, 3.2]


@pytest.fixture
def stack(tmp_path):
    path = tmp_path / "cell.tif"
    tifffile.imwrite(path, COUNTS, imagej=True, metadata={"axes": "TYX", "finterval": 2.0})
    return path


def test_given_times_win_over_interval_over_sidecar_over_the_file(stack):
    assert open_stack(stack)[0].times_source == "ImageJ finterval"
    sidecar = stack.with_name("cell_times.csv")
    sidecar.write_text("frame,time_s\n" + "".join(f"{i},{t}\n" for i, t in enumerate(UNEVEN)))
    beside = open_stack(stack)[0]
    np.testing.assert_array_equal(beside.times_s, UNEVEN)
    assert beside.times_source == "cell_times.csv"
    interval = open_stack(stack, frame_interval_s=0.5)[0]
    np.testing.assert_array_equal(interval.times_s, [0, 0.5, 1, 1.5])
    assert interval.times_source == "frame_interval_s"
    given = open_stack(stack, frame_interval_s=0.5, times=[1, 2, 4, 8])[0]
    np.testing.assert_array_equal(given.times_s, [1, 2, 4, 8])


@pytest.mark.parametrize("name", ["cell_times.csv", "cell.times.csv"])
def test_names_of_sidecars(stack, name):
    stack.with_name(name).write_text("time_s\n0\n1\n2\n4\n")
    np.testing.assert_array_equal(open_stack(stack)[0].times_s, [0, 1, 2, 4])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("time_s\n1\n2\n", [1, 2]),
        ("# a note\nframe,time [s]\n0,1.5\n1,2.5\n", [1.5, 2.5]),
        ("frame;time/ms\n0;1500,5\n1;2500,5\n", [1.5005, 2.5005]),
        ("Time (min)\tframe\n1\t0\n2\t1\n", [60, 120]),
        ("time_start_s,x\n1,0\n2,0\n", [1, 2]),
    ],
)
def test_times_in_tables(tmp_path, text, seconds):
    (tmp_path / "t.csv").write_text(text)
    np.testing.assert_allclose(read_times(tmp_path / "t.csv"), seconds)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("frame,t\n0,1\n", r"t\.csv has no column time_s, only frame, t"),
        ("time_s\n", r"t\.csv has a header but no rows"),
        ("", r"t\.csv is empty"),
        ("time_s\n0\n1\nlate\n3\n", r"t\.csv: line 4, column time_s, holds 'late'"),
        ("time_s\n0\n2\n1\n3\n", r"t\.csv: times must rise, but frame 2 \(1 s\)"),
        ("time_s\n0\n2\n", r"t\.csv: there are 4 frames but 2 times"),
    ],
)
def test_bad_tables_of_times_are_named(stack, tmp_path, text, sentence):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(AlloyError, match=sentence):
        open_stack(stack, times=tmp_path / "t.csv")


def test_bad_given_times(stack):
    with pytest.raises(AlloyError, match="frame_interval_s is -1"):
        open_stack(stack, frame_interval_s=-1)
    with pytest.raises(AlloyError, match="cell: there are 4 frames but 2 times"):
        open_stack(stack, times=[0, 1])
    with pytest.raises(AlloyError, match=r"gone\.csv cannot be opened"):
        open_stack(stack, times="gone.csv")
