"""GIF, AVI, MP4 and ND2."""

import importlib.util
import sys
from types import SimpleNamespace

import imageio.v3 as iio
import numpy as np
import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.image_stacks import open_stack

RAMP = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8), (48, 64))
GREY = np.stack([np.roll(RAMP, 8 * i, axis=1) for i in range(9)])


def test_gif_frames_in_any_order(tmp_path):
    iio.imwrite(tmp_path / "film.gif", GREY, duration=200, loop=0)
    (recording,) = open_stack(tmp_path / "film.gif")
    for t in (8, 0, 3):
        np.testing.assert_array_equal(recording.read(t), GREY[t])
    np.testing.assert_allclose(recording.times_s, np.arange(9) * 0.2)
    assert "playback rate" in recording.notes[-1]


@pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="needs the extra video")
@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("avi", "mpeg4")])
def test_video(tmp_path, suffix, codec):
    path = tmp_path / f"film.{suffix}"
    rgb = np.repeat(GREY[..., None], 3, axis=-1)
    with iio.imopen(path, "w", plugin="pyav") as file:
        file.write(rgb, codec=codec, fps=5, in_pixel_format="rgb24")
    (recording,) = open_stack(path)
    assert recording.frames.shape == (9, 48, 64)
    assert recording.frame_interval_s == pytest.approx(0.2)
    for t in (8, 0, 3):
        error = np.abs(recording.read(t).astype(float) - GREY[t])
        assert np.median(error) < 6


def test_video_without_its_package_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "film.mp4").write_bytes(b"x")
    (tmp_path / "film.nd2").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setitem(sys.modules, "nd2", None)
    with pytest.raises(AlloyError, match=r"film\.mp4 is video.*napari-lithium-alloy\[video\]"):
        open_stack(tmp_path / "film.mp4")
    with pytest.raises(AlloyError, match=r"film\.nd2 is ND2.*napari-lithium-alloy\[nd2\]"):
        open_stack(tmp_path / "film.nd2")


@pytest.mark.parametrize("name", ["film.gif", "film.mp4", "film.nd2"])
def test_a_file_that_is_no_movie(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a movie at all" * 10)
    with pytest.raises(AlloyError, match=f"{name} cannot be"):
        open_stack(tmp_path / name)


class FakeND2:
    """Two positions, three times and two channels, as the package nd2 gives them."""

    counts = np.random.default_rng(5).integers(0, 4000, (6, 2, 8, 9), dtype=np.uint16)
    sizes = {"T": 3, "P": 2, "C": 2, "Y": 8, "X": 9}  # noqa: RUF012
    loop_indices = tuple({"T": t, "P": p} for t in range(3) for p in range(2))
    attributes = SimpleNamespace(bitsPerComponentSignificant=12)
    dtype = np.dtype("uint16")
    metadata = SimpleNamespace(
        channels=[SimpleNamespace(channel=SimpleNamespace(name=n)) for n in ("trans", "epi")]
    )

    def __init__(self, path):
        self.read = []

    def read_frame(self, k):
        return self.counts[k]

    def voxel_size(self):
        return SimpleNamespace(x=0.11, y=0.11, z=1.0)

    def frame_metadata(self, k):
        return SimpleNamespace(
            channels=[SimpleNamespace(time=SimpleNamespace(relativeTimeMs=1000.0 * k + 7))]
        )

    def close(self):
        pass


def test_nd2_positions_and_channels(tmp_path, monkeypatch):
    (tmp_path / "cell.nd2").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "nd2", SimpleNamespace(ND2File=FakeND2))
    (recording,) = open_stack(tmp_path / "cell.nd2", position=1, channel="epi")
    np.testing.assert_array_equal(np.asarray(recording.frames), FakeND2.counts[1::2, 1])
    np.testing.assert_allclose(recording.times_s, [1.007, 3.007, 5.007])
    assert recording.pixel_size_um == 0.11
    assert recording.saturation_counts == 4095
    assert len(open_stack(tmp_path / "cell.nd2")) == 4
