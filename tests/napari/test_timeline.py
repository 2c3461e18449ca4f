import dataclasses
import math
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.opening import open_layers
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.timeline_plot import li_ticks
from napari_lithium_alloy._napari.widgets.temporal_color_code import TemporalColorCode
from napari_lithium_alloy._napari.widgets.timeline import Timeline
from napari_lithium_alloy._napari.widgets.workspace import OWN_KEY, Workspace
from napari_lithium_alloy.core.stages import stage_lags, stages_table
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.tables import read_csv


@pytest.fixture
def timeline(viewer, opened, finished):
    dock = Timeline(viewer)
    viewer.window.add_dock_widget(dock, name="Timeline test", area="bottom")
    finished(dock)
    return dock


@pytest.fixture
def copied(gold_file, tmp_path):
    """The gold recording in a folder of its own, to be written to."""
    shutil.copytree(gold_file.parent, tmp_path / "gold")
    return tmp_path / "gold" / "recording.toml"


def bounds_of(stages, scope="cell"):
    return {s.key: (s.start_s, s.end_s) for s in stages if s.scope == scope}


def detect(dock, finished):
    dock._run_clicked()
    finished(dock)


# Plot


def test_potential_and_mean_intensity_on_one_clock(timeline, opened, gold):
    potential, intensity = timeline.canvas.plot.curves
    curve = gold.experiment.potential
    assert np.allclose(potential.x, curve.times_s - curve.clock_offset_s)
    assert np.allclose(potential.y, curve.potential_v)
    assert intensity.name == "Mean absorbance"
    assert np.array_equal(intensity.x, opened.recording.times_s)
    timeline.signal.setCurrentText("Mean counts")
    counts = timeline.canvas.plot.curves[1].y
    film = opened.film(opened.reference())
    assert counts[30] == pytest.approx(opened.recording.read(30)[film].mean(), rel=1e-5)
    shown = [s for s, _, _ in timeline.canvas.bands.bands]
    assert shown == sorted(opened.experiment.stages, key=lambda s: s.start_s)
    assert timeline.status.text() == ""


def test_epi_is_drawn_as_relative_reflectance(viewer, timeline, finished):
    session = session_of(viewer)
    session.current = next(o for o in session.opened if o.recording.mode == "epi")
    finished(timeline)
    assert timeline.canvas.plot.right == "Mean relative reflectance"
    values = timeline.canvas.plot.curves[1].y
    assert np.isfinite(values).all()
    assert values[0] == pytest.approx(1.0, abs=0.02)


def test_li_content_above_or_below(timeline, opened, gold):
    canvas = timeline.canvas
    assert canvas.item.getAxis("top").labelText == "x in LiₓAu"
    timeline.axis.setCurrentIndex(1)
    assert canvas.item.getAxis("bottom").labelText == "x in LiₓAu"
    assert canvas.item.getAxis("top").labelText == "Time (s)"
    experiment = gold.experiment
    rate = experiment.film.li_content_rate(np.abs(experiment.potential.current_ma).max())
    ((ticks),) = canvas.item.getAxis("bottom")._tickLevels
    times = {float(text): time for time, text in reversed(ticks)}
    assert times[1.0] == pytest.approx(opened.experiment.origins_s()[0] + 1 / rate, abs=1.0)


def test_ticks_of_x_are_round_where_it_rises_falls_and_starts_anew():
    times = np.linspace(0, 100, 1001)
    x = np.where(times < 60, 0.1 * (times - 10), 5 - 0.1 * (times - 60))
    x[times < 10] = np.nan
    x[times >= 90] = 0.1 * (times[times >= 90] - 90)
    ticks = li_ticks(times, x, 0.0, 100.0)
    assert [text for _, text in ticks] == list("0123454301")
    values = np.interp([t for t, _ in ticks], times, np.nan_to_num(x))
    assert np.allclose(values, [float(text) for _, text in ticks], atol=0.02)
    close = li_ticks(times, x, 20.0, 22.0)
    assert {text for _, text in close} >= {"1.02", "1.10", "1.18"}
    assert li_ticks(times, x, 0.0, 5.0) == []
    assert li_ticks(np.empty(0), np.empty(0), 0.0, 5.0) == []


def test_the_cursor_follows_the_slider_and_a_click_moves_it(viewer, timeline, opened):
    viewer.dims.set_point(0, 40.3)
    shown = session_of(viewer).time_s
    assert timeline.canvas.cursor.value() == shown
    assert abs(shown - 40.3) <= 0.5 * opened.recording.frame_interval_s + 1e-9
    timeline.canvas.time_clicked.emit(61.0)
    assert session_of(viewer).time_s == pytest.approx(61.0, abs=0.51)
    assert timeline.canvas.cursor.value() == session_of(viewer).time_s


def test_the_slider_recomputes_nothing(viewer, timeline, monkeypatch):
    drawn = []
    monkeypatch.setattr(timeline.canvas, "show_plot", drawn.append)
    for time_s in (20.0, 33.0, 50.0):
        viewer.dims.set_point(0, time_s)
        assert timeline.canvas.cursor.value() == session_of(viewer).time_s
    assert drawn == []


def test_the_plot_is_saved_and_follows_the_theme(viewer, timeline, tmp_path):
    for name in ("timeline.svg", "timeline.png"):
        timeline.save_plot(tmp_path / name)
    svg = (tmp_path / "timeline.svg").read_text()
    assert svg.lstrip().startswith("<?xml")
    assert (tmp_path / "timeline.png").read_bytes()[:4] == b"\x89PNG"
    viewer.theme = "light"
    pen = timeline.canvas.left_curve.opts["pen"].color().lightness()
    viewer.theme = "dark"
    assert pen < 80 < timeline.canvas.left_curve.opts["pen"].color().lightness()


# Stages


def test_detection_keeps_what_is_given(timeline, opened, gold, finished):
    given = opened.experiment.stages
    detect(timeline, finished)
    stages = opened.experiment.stages
    assert tuple(s for s in stages if s.scope == "cell") == given
    field = bounds_of(stages, "field")
    for key in ("cycle1_step1", "cycle1_step2", "cycle1_dealloying1"):
        assert field[key] == pytest.approx(bounds_of(given)[key], abs=6)
    pd.testing.assert_frame_equal(opened.tables["stage_lags"], stage_lags(stages))
    assert timeline.status.text().endswith(f"{len(given)} set by hand or given kept.")
    assert "detect_stages" in [s.name for s in opened.steps]


def test_without_given_stages_all_are_detected(timeline, opened, finished):
    session, given = timeline.session, opened.experiment.stages
    session.change_experiment(opened, stages=())
    detect(timeline, finished)
    stages = opened.experiment.stages
    assert {s.source for s in stages} == {"detected"}
    found = bounds_of(stages)
    for key in ("cycle1_step1", "cycle1_step2", "cycle1_dealloying1"):
        assert found[key] == pytest.approx(bounds_of(given)[key], abs=3.5)


def test_a_dragged_bound_is_hand_set_and_other_docks_follow(
    viewer, timeline, opened, finished, qtbot
):
    color = TemporalColorCode(viewer)
    viewer.window.add_dock_widget(color, name="color test")
    color.stage_box.choice.setCurrentText("step 1, cycle 1")
    timeline.session.change_experiment(opened, stages=())
    detect(timeline, finished)
    bands = timeline.canvas.bands
    line, stage, _ = next(
        one
        for one in bands.lines
        if (one[1].key, one[1].scope, one[2]) == ("cycle1_step1", "field", "start_s")
    )
    line.setValue(stage.start_s + 2.5)
    band = next(b for s, b, _ in bands.bands if s is stage)
    assert band.getRegion() == pytest.approx((stage.start_s + 2.5, stage.end_s))
    line.sigPositionChangeFinished.emit(line)
    qtbot.waitUntil(lambda: stage not in opened.experiment.stages)
    moved = next(
        s for s in opened.experiment.stages if (s.key, s.scope) == (stage.key, stage.scope)
    )
    assert moved == dataclasses.replace(
        stage,
        start_s=stage.start_s + 2.5,
        source="given",
        start_sd_s=math.nan,
        end_sd_s=math.nan,
    )
    assert color.stage_box.start.value() == pytest.approx(moved.start_s, abs=0.01)
    other = next(o for o in timeline.session.opened if o is not opened)
    assert other.experiment is opened.experiment
    detect(timeline, finished)
    assert moved in opened.experiment.stages


def send(canvas, kind, time_s, button, held):
    """A mouse event in the plot, at a third of its height."""
    box = canvas.item.getViewBox()
    low, high = box.viewRange()[1]
    scene = box.mapViewToScene(QPointF(time_s, low + (high - low) / 3))
    at, view = canvas.widget.mapFromScene(scene), canvas.widget.viewport()
    none = Qt.KeyboardModifier.NoModifier
    place, outside = QPointF(at), QPointF(view.mapToGlobal(at))
    QApplication.sendEvent(view, QMouseEvent(kind, place, outside, button, held, none))


def test_with_the_mouse_at_the_bottom_of_the_window(make_napari_viewer, gold_file, qtbot, finished):
    viewer = make_napari_viewer(show=True)
    add_layers(viewer, open_layers(gold_file))
    timeline = Timeline(viewer)
    wrapped = viewer.window.add_dock_widget(timeline, name="Timeline test", area="right")
    finished(timeline)
    main = wrapped.window()
    down = Qt.DockWidgetArea.BottomDockWidgetArea
    qtbot.waitUntil(lambda: main.dockWidgetArea(wrapped) == down)
    qtbot.wait(200)
    session, canvas = session_of(viewer), timeline.canvas
    stages = {s.key: s for s in session.current.experiment.stages}
    boundary = stages["cycle1_dissolution"].start_s
    assert stages["cycle1_deposition"].end_s == boundary
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    send(canvas, QEvent.Type.MouseMove, boundary, none, none)
    send(canvas, QEvent.Type.MouseButtonPress, boundary, left, left)
    for part in np.linspace(0.1, 1, 10):
        send(canvas, QEvent.Type.MouseMove, boundary + 8 * part, none, left)
        qtbot.wait(20)
    send(canvas, QEvent.Type.MouseButtonRelease, boundary + 8, left, none)
    qtbot.waitUntil(lambda: session.current.experiment.stages[3].end_s != boundary)
    moved = {s.key: s for s in session.current.experiment.stages}
    assert moved["cycle1_deposition"].end_s == pytest.approx(boundary + 8, abs=1.5)
    assert moved["cycle1_dissolution"].start_s == moved["cycle1_deposition"].end_s
    send(canvas, QEvent.Type.MouseButtonPress, 70.0, left, left)
    send(canvas, QEvent.Type.MouseButtonRelease, 70.0, left, none)
    assert session.time_s == pytest.approx(70.0, abs=1.5)


def test_lines_stop_at_neighbours(timeline, opened):
    lines = {(s.key, bound): line for line, s, bound in timeline.canvas.bands.lines}
    stages = {s.key: s for s in opened.experiment.stages}
    line = lines["cycle1_step1", "end_s"]
    line.setValue(1e6)
    assert line.value() == stages["cycle1_step2"].start_s
    line.setValue(-1e6)
    assert line.value() == pytest.approx(stages["cycle1_step1"].start_s, abs=0.011)


def test_a_bound_is_typed_in_the_table(timeline, opened):
    model = timeline.tables.model
    columns = list(model.table.columns)
    row = model.table["kind"].tolist().index("deposition")
    start = model.index(row, columns.index("start_s"))
    assert model.flags(start) & Qt.ItemFlag.ItemIsEditable
    assert not model.flags(model.index(row, 0)) & Qt.ItemFlag.ItemIsEditable
    before = next(s for s in opened.experiment.stages if s.kind == "deposition")
    assert not model.setData(start, "soon")
    assert not model.setData(start, "nan")
    assert model.setData(start, f"{before.start_s + 1.25:.2f}".replace(".", ","))
    after = next(s for s in opened.experiment.stages if s.kind == "deposition")
    assert after.start_s == pytest.approx(before.start_s + 1.25, abs=0.006)
    assert timeline.tables.model.table["start_s"].iloc[row] == after.start_s


def test_tables_are_exported(timeline, opened, finished, tmp_path):
    detect(timeline, finished)
    timeline.tables.export(tmp_path / "stages.csv")
    written = read_csv(tmp_path / "stages.csv")
    columns = ["cycle", "kind", "step", "scope", "start_s", "end_s", "source"]
    expected = stages_table(opened.experiment.stages)
    pd.testing.assert_frame_equal(written[columns], expected[columns])
    step1 = written.query("kind == 'alloying' and step == 1 and scope == 'cell'").iloc[0]
    assert step1["end_x"] > 1
    timeline.tables.export(tmp_path / "all.xlsx")
    sheets = pd.read_excel(tmp_path / "all.xlsx", sheet_name=None)
    assert set(sheets) == {"stages", "stage_lags", "provenance"}


def test_the_whole_analysis_brings_its_stages_along(viewer, gold_file, finished, errors):
    workspace = Workspace(viewer)
    viewer.window.add_dock_widget(workspace, name=f"{OWN_KEY} (Lithium alloy)", area="right")
    workspace.arrange()
    workspace.open_recording(gold_file)
    dock = viewer.window.dock_widgets["Timeline (Lithium alloy)"]
    finished(dock)
    opened = session_of(viewer).current
    dock.session.change_experiment(opened, stages=())
    workspace._run_clicked()
    finished(workspace)
    assert errors == []
    assert {s.key for s in opened.experiment.stages} >= {"cycle1_step1", "cycle1_step2"}
    assert [s for s, _, _ in dock.canvas.bands.bands]
    assert len(dock.tables.tables["stages"]) == len(opened.experiment.stages)


# Clock


def test_a_typed_offset_shifts_the_potential(viewer, timeline, opened):
    before = timeline.canvas.plot.curves[0].x
    offset = opened.experiment.potential.clock_offset_s
    viewer.dims.set_point(0, 40.0)
    potential = opened.experiment.potential
    timeline.clock.offset.setValue(offset + 7.5)
    assert np.allclose(timeline.canvas.plot.curves[0].x, before - 7.5)
    at = np.array([session_of(viewer).time_s + 7.5])
    overlay = viewer.canvas.overlays.text.text
    assert f"E = {potential.potential_at(at)[0]:.3f} V" in overlay


def test_a_suggested_offset_is_the_planted_one(timeline, opened, gold, finished):
    planted = gold.experiment.potential.clock_offset_s
    timeline.shift_clock(planted + 60)
    timeline.clock.suggest.click()
    finished(timeline)
    assert opened.experiment.potential.clock_offset_s == pytest.approx(planted, abs=2)
    assert "(RMS)" in timeline.status.text()
    assert timeline.clock.offset.value() == pytest.approx(planted, abs=2)


def test_two_points_link_the_clocks(viewer, timeline, opened):
    offset = opened.experiment.potential.clock_offset_s
    viewer.dims.set_point(0, 40.0)
    shown = session_of(viewer).time_s
    timeline.clock.points.click()
    assert timeline.status.text() == "Click a moment on the potential."
    timeline.canvas.time_clicked.emit(30.0)
    assert timeline.status.text() == "Now click the same moment on the mean intensity."
    timeline.canvas.time_clicked.emit(18.0)
    assert opened.experiment.potential.clock_offset_s == pytest.approx(offset + 12.0)
    assert session_of(viewer).time_s == shown
    assert not timeline.clock.points.isChecked()
    timeline.canvas.time_clicked.emit(18.0)
    assert session_of(viewer).time_s == pytest.approx(18.0, abs=0.51)


def test_without_a_potential_the_picture_alone_gives_the_fields_stages(
    viewer, gold_file, finished, errors
):
    add_layers(viewer, open_layers(gold_file.parent / "trans.tif"))
    dock = Timeline(viewer)
    viewer.window.add_dock_widget(dock, name="Timeline test")
    finished(dock)
    assert not dock.clock.isEnabled()
    assert [c.name for c in dock.canvas.plot.curves] == ["Mean absorbance"]
    detect(dock, finished)
    stages = session_of(viewer).current.experiment.stages
    assert {s.scope for s in stages} == {"field"}
    assert errors == []
    dock._suggest_clicked()
    (message,) = errors
    assert message.endswith("has no potential; name the cycler's file under [potential] of "
                            "recording.toml.")  # fmt: skip


# Saving


def test_stages_and_clock_are_saved_and_read_again(viewer, copied, finished, monkeypatch):
    text = copied.read_text()
    copied.write_text("# my notes\n" + text)
    add_layers(viewer, open_layers(copied))
    dock = Timeline(viewer)
    viewer.window.add_dock_widget(dock, name="Timeline test")
    finished(dock)
    detect(dock, finished)
    dock.shift_clock(3.25)
    stages = session_of(viewer).current.experiment.stages
    asked = []
    monkeypatch.setattr(
        QMessageBox,
        "question",
        lambda _, __, text: asked.append(text) or QMessageBox.StandardButton.No,
    )
    dock.save_button.click()
    assert copied.read_text() == "# my notes\n" + text
    assert f"Replace the stages in {copied}" in asked[0]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    dock.save_button.click()
    again = open_experiment(copied)
    assert copied.read_text().startswith("# my notes\n")
    assert again.potential.clock_offset_s == 3.25
    for scope in ("cell", "field"):
        saved = bounds_of(stages, scope)
        read = bounds_of(again.stages, scope)
        assert read.keys() == saved.keys()
        for key, bounds in saved.items():
            assert read[key] == pytest.approx(bounds, abs=6e-4)
    assert dock.status.text() == f"{len(stages)} stages saved to recording.toml."


# True time


def write_recording(folder, name, times_s):
    """Frames whose counts are ten times their own time."""
    counts = np.round(10 * times_s).astype(np.uint16)
    frames = np.broadcast_to(counts[:, None, None], (len(times_s), 6, 8))
    tifffile.imwrite(folder / f"{name}.tif", frames, photometric="minisblack")
    np.savetxt(folder / f"{name}.csv", times_s, header="time_s", comments="")
    return f'[{name}]\npath = "{name}.tif"\ntimes = "{name}.csv"\n'


def test_uneven_recordings_of_different_rates_stay_in_true_time(viewer, tmp_path, finished):
    rng = np.random.default_rng(8)
    slow = np.arange(60) + 0.05 * rng.uniform(-1, 1, 60)
    slow[30:] += 14
    fast = 0.4 + 0.25 * np.arange(290)
    text = write_recording(tmp_path, "trans", slow) + write_recording(tmp_path, "epi", fast)
    (tmp_path / "recording.toml").write_text(text)
    layers = add_layers(viewer, open_layers(tmp_path / "recording.toml"))
    dock = Timeline(viewer)
    viewer.window.add_dock_widget(dock, name="Timeline test")
    session = session_of(viewer)
    by_mode = {o.recording.mode: o for o in session.opened}
    pictures = {session.opened_of(layer).recording.mode: layer for layer in layers}
    for time_s in (0.5, 12.0, 29.0, 36.0, 43.0, 44.0, 61.7, 72.0):
        viewer.dims.set_point(0, time_s)
        point = viewer.dims.point[0]
        for mode, times in (("trans", slow), ("epi", fast)):
            session.current = by_mode[mode]
            shown = session.time_s
            step = np.median(np.diff(times))
            if mode == "trans" and slow[29] < point < slow[30] - 0.6 * step:
                assert shown == slow[29]
            else:
                assert abs(shown - point) <= 1.05 * step
                assert shown in times
            assert viewer.canvas.overlays.text.text.startswith(f"t = {shown:.1f} s")
            assert dock.canvas.cursor.value() == shown
            layer = pictures[mode]
            index = int(np.round(layer.world_to_data(viewer.dims.point)[0]))
            picture = np.asarray(layer.data[min(index, len(layer.data) - 1)])
            assert picture[0, 0] == round(10 * shown)
    finished(dock)
    session.current = by_mode["trans"]
    finished(dock)
    curve = dock.canvas.plot.curves[-1]
    assert np.array_equal(curve.x, slow)
    assert np.allclose(session.current.field_signal.values("mean_counts"), np.round(10 * slow))
