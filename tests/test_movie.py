"""The annotated movie: its frames in true time, and what is said where it cannot be written."""

import importlib

import dask.array as da
import numpy as np
import pytest

from napari_lithium_alloy.cli import main
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.io.figures import movie
from napari_lithium_alloy.io.figures.curves import CellCurve
from napari_lithium_alloy.io.figures.movie import View, write_movie

STAGES = [Stage(kind=StageKind.ALLOYING, step=1, start_s=1, end_s=5)]
PAUSED_S = np.array([0.0, 1, 2, 6, 7])  # a pause of four intervals after 2 s


def view_of(times_s, mode="trans"):
    """Light that falls by a tenth a frame."""
    counts = (1000 - 100 * np.arange(len(times_s)))[:, None, None] * np.ones((1, 16, 16))
    recording = Recording(
        name=mode,
        frames=da.from_array(counts, chunks=(1, -1, -1)),
        times_s=times_s,
        pixel_size_um=0.1,
        mode=mode,
        dark_counts=0.0,
    )
    return View(recording=recording, reference=reference_frame(recording, current_starts_s=0.5))


@pytest.fixture(scope="module")
def cell():
    times = np.linspace(0, 8, 33)
    return CellCurve(name="cell", times_s=times, potential_v=-0.1 * times, stages=STAGES)


def test_each_frame_shows_what_was_current_then(cell):
    screen = movie._Screen([view_of(PAUSED_S), view_of(np.arange(8.0), "epi")], STAGES, cell, None)
    screen.frame_at(5.0)
    trans, epi = (float(image.get_array().mean()) for image in screen._images)
    low, high = screen._limits[0]
    assert low + trans / 255 * (high - low) == pytest.approx(0.8, abs=0.01)
    low, high = screen._limits[1]
    assert low + epi / 255 * (high - low) == pytest.approx(0.5, abs=0.01)
    assert screen._cursor.get_xdata()[0] == 5.0


def test_a_recording_outside_its_time_is_not_shown(cell):
    screen = movie._Screen([view_of(PAUSED_S), view_of(np.arange(3.0), "epi")], STAGES, cell, None)
    screen.frame_at(6.0)
    assert [image.get_visible() for image in screen._images] == [True, False]
    screen.frame_at(1.0)
    assert [image.get_visible() for image in screen._images] == [True, True]


def test_time_potential_x_and_stage_are_written(cell):
    screen = movie._Screen([view_of(PAUSED_S)], STAGES, cell, cell.times_s / 2)
    screen.frame_at(3.0)
    words = screen._title.get_text().split("    ")
    assert words == ["t = 3.0 s", "E = -0.300 V", "x = 1.50", "step 1, 50 %"]
    screen.frame_at(6.0)
    assert "step" not in screen._title.get_text()


def test_a_movie_has_a_frame_a_step_of_true_time(tmp_path, cell):
    pytest.importorskip("av")
    path = tmp_path / "new" / "film.mp4"
    assert finish(write_movie(path, [view_of(PAUSED_S)], STAGES, cell, fps=10)) == path
    import imageio.v3 as iio

    frames = iio.imread(path, plugin="pyav")
    assert frames.shape == (8, 960, 1280, 3)
    assert iio.immeta(path, plugin="pyav")["fps"] == 10
    assert list(path.parent.iterdir()) == [path]


def test_a_movie_that_is_stopped_leaves_nothing(tmp_path, cell):
    pytest.importorskip("av")
    work = write_movie(tmp_path / "film.mp4", [view_of(PAUSED_S)], STAGES, cell)
    next(work)
    work.close()
    assert not list(tmp_path.iterdir())


def test_without_a_potential_the_stages_are_shown():
    screen = movie._Screen([view_of(PAUSED_S)], STAGES, None, None)
    assert screen.frame_at(3.0).shape == (960, 1280, 3)
    assert screen._title.get_text() == "t = 3.0 s    step 1, 50 %"


def test_without_pyav_the_extra_is_named(tmp_path, cell, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(AlloyError, match=r"napari-lithium-alloy\[video\]"):
        finish(write_movie(tmp_path / "film.mp4", [view_of(PAUSED_S)], STAGES, cell))


def test_only_mp4_and_at_least_a_frame_a_second(tmp_path, cell):
    with pytest.raises(AlloyError, match=r"saved as \.mp4"):
        finish(write_movie(tmp_path / "film.avi", [view_of(PAUSED_S)], STAGES, cell))
    with pytest.raises(AlloyError, match="at least 1"):
        finish(write_movie(tmp_path / "film.mp4", [view_of(PAUSED_S)], STAGES, cell, fps=0))


def test_a_movie_that_is_there_is_not_replaced_unasked(tmp_path, capsys):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"kept")
    assert main(["movie", "nowhere.toml", "--out", str(path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert path.read_bytes() == b"kept"
