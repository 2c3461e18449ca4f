"""Montage, figures and movie from the workspace."""

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_lithium_alloy import report
from napari_lithium_alloy._napari.layers import about
from napari_lithium_alloy._napari.results import take_result
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.widgets.workspace import OWN_KEY, Workspace
from napari_lithium_alloy.core.montage import MontageParameters, stage_montage
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of

QUICK = ("montage_cycle1_lithiation", "cells")


@pytest.fixture
def workspace(viewer, gold_file, monkeypatch):
    monkeypatch.setattr("napari_lithium_alloy.io.figures.page.DPI", 60)
    made = Workspace(viewer)
    viewer.window.add_dock_widget(made, name=f"{OWN_KEY} (Lithium alloy)", area="right")
    made.open_recording(gold_file)
    return made


def montage_of(opened, stages, **parameters):
    recording, experiment = opened.recording, opened.experiment
    reference = reference_frame(recording, current_starts_s=experiment.current_starts_s())
    return finish(stage_montage(recording, stages, reference, MontageParameters(**parameters)))


def test_a_montage_is_a_layer_beside_the_field(viewer, workspace, finished, errors):
    width = workspace.width()
    opened = session_of(viewer).current
    form = workspace.pictures.box.form
    form["n_frames"].value, form["averaged_frames"].value = 3, 2
    workspace.pictures.box.montage.click()
    finished(workspace)
    assert errors == []
    layer = viewer.layers["Montage"]
    stages = stages_of(opened.experiment.stages, *StageKind, cycle=1)
    montage = montage_of(opened, stages, n_frames=3, averaged_frames=2)
    (magnified,) = {round(opened.recording.pixel_size_um / s) for s in layer.scale}
    side = 80 * magnified
    gap = (layer.data.shape[0] - len(stages) * side) // len(stages)
    label = layer.data.shape[1] - 3 * (side + gap)
    middle = slice(side // 3, side // 3 * 2)  # where no label is
    for i, row in enumerate(montage.rows):
        for j, image in enumerate(row.grey()):
            top, left = i * (side + gap) + gap, label + j * (side + gap)
            shown = layer.data[top : top + side, left : left + side]
            expected = image.repeat(magnified, 0).repeat(magnified, 1)
            grey, wanted = (a[middle, middle].astype(int) for a in (shown[..., 0], expected))
            assert np.abs(grey - wanted).max() <= 1
    assert layer.translate[1] > 80 * opened.recording.pixel_size_um
    assert [str(u) for u in layer.units] == ["micrometer"] * 2
    (step,) = about(layer)["steps"]
    assert (step["name"], step["parameters"]["averaged_frames"]) == ("stage_montage", 2)
    n_layers = len(viewer.layers)
    workspace.pictures.box.montage.click()
    finished(workspace)
    assert len(viewer.layers) == n_layers
    assert workspace.width() == width


def test_the_montage_is_of_the_cycle_at_the_slider(viewer, workspace, finished, errors):
    session = session_of(viewer)
    stages = (
        Stage(kind="alloying", cycle=1, start_s=20, end_s=50),
        Stage(kind="alloying", cycle=2, start_s=60, end_s=90),
        Stage(kind="deposition", cycle=2, start_s=92, end_s=110),
    )
    session.change_experiment(session.current, stages=stages)
    viewer.dims.set_point(0, 75.0)
    workspace.pictures.add_montage()
    finished(workspace)
    two = viewer.layers["Montage"].data.shape
    viewer.dims.set_point(0, 30.0)
    workspace.pictures.add_montage()
    finished(workspace)
    assert viewer.layers["Montage"].data.shape[0] * 2 == two[0]
    session.change_experiment(session.current, stages=())
    workspace.pictures.box.montage.click()
    finished(workspace)
    (message,) = errors
    assert message.startswith("A montage is of stages, and there are none yet; detect them in")


def test_one_click_analyses_and_saves_the_figures(
    viewer, workspace, finished, tmp_path, monkeypatch, errors
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    workspace.pictures.box.figures.click()
    finished(workspace, timeout=90_000)
    assert errors == []
    names = {p.name for p in tmp_path.iterdir()}
    for name in (
        *("montage_cycle1_lithiation", "absorbance_cycle1", "potential_cycle1_lithiation"),
        *("cells", "onset_cycle1_step1", "potential_cycle1_delithiation", "cycling"),
    ):
        assert {f"fig_{name}.png", f"fig_{name}.svg"} <= names
    opened = session_of(viewer).current
    result = opened.result
    assert result is not None
    assert workspace.status.text() == f"{len(names)} files of figures in {tmp_path}."
    before = {p.name: p.read_bytes() for p in tmp_path.glob("*.png")}
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    workspace.pictures.box.figures.click()
    assert not workspace.busy
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    workspace.pictures.box.form["n_frames"].value = 2
    every = report._drawings
    monkeypatch.setattr(report, "_drawings", lambda *of: [d for d in every(*of) if d[0] in QUICK])
    workspace.pictures.box.figures.click()
    finished(workspace, timeout=90_000)
    assert opened.result is result
    changed = {n for n, old in before.items() if (tmp_path / n).read_bytes() != old}
    assert changed == {"fig_montage_cycle1_lithiation.png"}
    assert workspace.status.text() == f"4 files of figures in {tmp_path}."


def test_what_was_changed_since_is_analysed_anew(
    viewer, workspace, whole, finished, tmp_path, monkeypatch
):
    every = report._drawings
    monkeypatch.setattr(
        report,
        "_drawings",
        lambda *of: [d for d in every(*of) if "dealloying" in d[0] or d[0] in QUICK],
    )
    session = session_of(viewer)
    opened = session.current
    take_result(session, opened, whole)
    result = opened.result
    links = [s for s in result.provenance if s.name == "link_clock"]
    assert [s.parameters["offset_s"] for s in links] == [result.experiment.potential.clock_offset_s]
    stages = tuple(s for s in opened.experiment.stages if s.kind is not StageKind.DEALLOYING)
    session.change_experiment(opened, stages=stages)
    workspace.pictures.save_figures(tmp_path)
    finished(workspace, timeout=90_000)
    assert opened.result is not result
    assert opened.result.experiment.stages == stages
    assert {p.stem for p in tmp_path.iterdir()} == {f"fig_{name}" for name in QUICK}


def test_a_movie_is_saved_and_can_be_cancelled(
    viewer, workspace, finished, tmp_path, monkeypatch, errors, qtbot
):
    pytest.importorskip("av")
    monkeypatch.setattr("napari_lithium_alloy.io.figures.movie.SIZE_PX", (320, 240))
    path = tmp_path / "film.mp4"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    workspace.pictures.box.movie.click()
    qtbot.waitUntil(lambda: workspace.progress.value() > 10, timeout=60_000)
    workspace.cancel_button.click()
    finished(workspace)
    assert workspace.status.text() == "Cancelled."
    assert list(tmp_path.iterdir()) == []
    session = session_of(viewer)
    for opened in list(session.opened):
        short = opened.recording.replace(
            frames=opened.recording.frames[:6], times_s=opened.recording.times_s[:6]
        )
        session.change_recording(opened, frames=short.frames, times_s=short.times_s)
    workspace.pictures.box.movie.click()
    finished(workspace, timeout=60_000)
    assert errors == []
    assert path.stat().st_size > 1000
    assert workspace.status.text() == f"{path} is written."
