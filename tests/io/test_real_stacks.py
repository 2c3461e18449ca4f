"""The files others recorded, as they are described beside them."""

import numpy as np
import pytest

from napari_lithium_alloy.io.cyclers import read_potential
from napari_lithium_alloy.io.image_stacks import open_stack


@pytest.fixture
def real(shared):
    return shared / "real"


def test_micro_manager_positions_have_their_own_uneven_times(real):
    recordings = open_stack(real / "stacks/181003_multi_pos_time_course_1_MMStack.ome.tif")
    assert [r.name.rsplit("MMStack")[1] for r in recordings] == [" position 0", " position 1"]
    first, second = recordings
    np.testing.assert_allclose(first.times_s[:3], [1.348, 5.264, 10.257])
    assert first.times_source == "OME DeltaT"
    assert first.pixel_size_um == 5.2304
    assert first.frames.shape == second.frames.shape == (10, 256, 256)
    assert (second.times_s > first.times_s).all()
    assert not np.array_equal(first.read(4), second.read(4))
    (chosen,) = open_stack(first.source, position=1)
    np.testing.assert_array_equal(chosen.read(9), second.read(9))


def test_imagej_calibration(real):
    path = real / "stacks/xyt_calibrated_16bit__golgi_bfa_sum_projection.tif"
    (recording,) = open_stack(path)
    assert recording.frames.shape == (30, 137, 147)
    assert recording.frames.dtype == np.float32
    assert recording.frame_interval_s == pytest.approx(59.86)
    assert recording.pixel_size_um == pytest.approx(0.351435, abs=1e-6)
    assert recording.saturation_counts is None


def test_ome_of_signed_bytes(real):
    (recording,) = open_stack(real / "stacks/time-series.ome.tif")
    assert recording.frames.shape == (7, 167, 439)
    assert recording.frames.dtype == np.int8
    assert recording.pixel_size_um is None


def test_encodings_of_one_image_agree(real):
    images = [
        np.asarray(open_stack(real / f"stacks/shapes_{kind}.tif")[0].frames)
        for kind in ("uncompressed", "deflate", "lzw", "lzw_tiled", "zstd")
    ]
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])


def test_gif_equals_its_stack_and_says_that_its_times_are_nominal(real):
    (gif,) = open_stack(real / "front/example_crystal_growth.gif")
    (stack,) = open_stack(real / "front/A1_crystal_front_13f_uint8.tif")
    np.testing.assert_array_equal(np.asarray(gif.frames), np.asarray(stack.frames))
    assert gif.frame_interval_s == pytest.approx(0.2)
    assert any("playback rate" in note for note in gif.notes)


@pytest.mark.parametrize(
    ("folder", "shape", "dtype"),
    [
        ("colonies/SL_170619_xy0011", (10, 720, 850), np.uint16),
        ("stacks/mitocheck-movie", (30, 190, 211), np.uint8),
    ],
)
def test_folders_of_frames(real, folder, shape, dtype):
    (recording,) = open_stack(real / folder, frame_interval_s=3600)
    assert recording.frames.shape == shape
    assert recording.frames.dtype == dtype
    assert recording.times_s[-1] == 3600 * (shape[0] - 1)
    last = sorted((real / folder).glob("*.tif"))[-1]
    np.testing.assert_array_equal(recording.read(shape[0] - 1), open_stack(last)[0].read(0))


@pytest.mark.parametrize(
    ("name", "n", "times_s", "potential_v"),
    [
        ("cp.mpt", 121, (328.364, 447.365), (-3.2463, -3.5944)),
        ("gcpl.issue_149.mpt", 132, (30.153, 659.986), (3.42287, 3.43201)),
        ("gcpl.pr_182.1.mpt", 2533, (0.0, 302518.9476), (2.34031, 1.15945)),
    ],
)
def test_biologic_text(real, name, n, times_s, potential_v):
    curve = read_potential(real / "echem" / name)
    assert len(curve.times_s) == len(curve.potential_v) == len(curve.current_ma) == n
    np.testing.assert_allclose(curve.times_s[[0, -1]], times_s, rtol=1e-5)
    np.testing.assert_allclose(curve.potential_v[[0, -1]], potential_v, rtol=1e-5)
    if name == "cp.mpt":
        np.testing.assert_allclose(curve.current_ma, -99.9, atol=0.1)
