"""Folders and globs of single frames."""

import gc
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io import frame_folders
from napari_lithium_alloy.io.frame_folders import natural_key
from napari_lithium_alloy.io.image_stacks import open_stack

COUNTS = np.random.default_rng(3).integers(0, 255, (12, 8, 9), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    frames = tmp_path / "Au trans 01"
    frames.mkdir()
    for i, frame in enumerate(COUNTS):
        tifffile.imwrite(frames / f"frame{i}.tif", frame, compression="zlib")
    return frames


def test_frames_come_in_natural_order(folder):
    (recording,) = open_stack(folder)
    np.testing.assert_array_equal(np.asarray(recording.frames), COUNTS)
    np.testing.assert_array_equal(
        recording.read(10, slice(2, 4), slice(1, 5)), COUNTS[10, 2:4, 1:5]
    )
    assert recording.name == "Au trans 01"
    assert recording.mode == "trans"


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=2, max_size=20))
def test_natural_order_is_numeric(numbers):
    names = sorted((Path(f"f{n}.tif") for n in numbers), key=natural_key)
    assert [int(p.stem[1:]) for p in names] == sorted(numbers)


def test_a_glob_chooses(folder):
    (recording,) = open_stack(folder / "frame1*.tif")
    np.testing.assert_array_equal(np.asarray(recording.frames), COUNTS[[1, 10, 11]])
    assert recording.name == "frame1"


def test_brackets_in_a_folders_name_are_no_glob(tmp_path):
    folder = tmp_path / "cell [3] trans"
    folder.mkdir()
    for i, frame in enumerate(COUNTS[:2]):
        tifffile.imwrite(folder / f"f{i}.tif", frame)
    assert open_stack(folder / "f*.tif")[0].n_frames == 2
    assert open_stack(folder)[0].name == "cell [3] trans"
    with pytest.raises(AlloyError, match=r"gone\.tif does not exist"):
        open_stack(folder / "gone.tif")


def test_times_beside_or_in_the_folder(folder):
    table = "time_s\n" + "".join(f"{t}\n" for t in range(12))
    (folder / "times.csv").write_text(table)
    assert open_stack(folder)[0].times_source == "times.csv"
    assert open_stack(folder / "frame*.tif")[0].times_source == "times.csv"


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_other_formats_of_frames(tmp_path, suffix):
    for i, frame in enumerate(COUNTS):
        iio.imwrite(tmp_path / f"{i}.{suffix}", frame)
    (recording,) = open_stack(tmp_path)
    np.testing.assert_array_equal(np.asarray(recording.frames), COUNTS)


def test_opening_reads_one_frame(folder, monkeypatch):
    read = []
    original = frame_folders._read_whole

    def counted(file):
        read.append(file.name)
        return original(file)

    monkeypatch.setattr(frame_folders, "_read_whole", counted)
    (recording,) = open_stack(folder)
    assert read == ["frame0.tif"]
    np.asarray(recording.frames[7])
    assert read == ["frame0.tif", "frame7.tif"]


def test_frames_of_unequal_size_are_refused(folder):
    tifffile.imwrite(folder / "frame5.tif", COUNTS[5, :4])
    with pytest.raises(AlloyError, match=r"frame5\.tif is 4 x 9 pixels, but frame0\.tif is 8 x 9"):
        open_stack(folder)


def test_several_kinds_of_frames_are_never_mixed(folder, tmp_path):
    tifffile.imwrite(folder / "epi0.tif", COUNTS[0])
    with pytest.raises(AlloyError, match=r"several kinds \(epi#\.tif, frame#\.tif\); give a glob"):
        open_stack(folder)
    for c in (0, 1):
        for t in (0, 1):
            tifffile.imwrite(tmp_path / f"img_channel00{c}_time00{t}.tif", COUNTS[0])
    with pytest.raises(AlloyError, match=r"several channel \(000, 001\); give a glob.*channel000"):
        open_stack(tmp_path)
    assert open_stack(tmp_path / "*channel001*")[0].n_frames == 2


def test_bad_folders_are_one_sentence(folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(AlloyError, match="empty holds no frames; give a folder or a glob"):
        open_stack(empty)
    with pytest.raises(AlloyError, match=r"x\*\.tif holds no frames"):
        open_stack(folder / "x*.tif")
    (folder / "frame3.tif").write_text("not an image")
    with pytest.raises(AlloyError, match=r"frame3\.tif cannot be read as an image"):
        open_stack(folder)
    tifffile.imwrite(folder / "frame3.tif", COUNTS[3])
    tifffile.imwrite(folder / "frame0.tif", COUNTS[:2])
    with pytest.raises(AlloyError, match=r"frame0\.tif holds several frames"):
        open_stack(folder)


def test_a_frame_that_goes_away_later_is_named(folder):
    (recording,) = open_stack(folder)
    (folder / "frame4.tif").unlink()
    with pytest.raises(AlloyError, match=r"frame4\.tif was there .* but is gone"):
        recording.read(4)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files through /proc")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_files_do_not_stay_open(tmp_path, compression):
    for i, frame in enumerate(COUNTS):
        tifffile.imwrite(tmp_path / f"{i}.tif", frame, compression=compression)
    (recording,) = open_stack(tmp_path)
    gc.collect()
    gc.disable()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for t in range(12):
        recording.read(t)
    after = len(list(Path("/proc/self/fd").iterdir()))
    gc.enable()
    assert after == before
