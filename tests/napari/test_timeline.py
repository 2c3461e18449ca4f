import dataclasses
import math
import shutil
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.opening import open_layers
from napari_lithium_alloy._napari.potential_dialog import PotentialDialog
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.timeline_plot import li_ticks
from napari_lithium_alloy._napari.widgets.temporal_color_code import TemporalColorCode
from napari_lithium_alloy._napari.widgets.timeline import Timeline
from napari_lithium_alloy._napari.widgets.workspace import OWN_KEY, Workspace
from napari_lithium_alloy.core.galvanostatic import ClockLink, li_content
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


def test_potential_and_mean_intensity_on_one_clock_with_li_content_above(timeline, opened, gold):
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

    canvas = timeline.canvas
    assert canvas.item.getAxis("top").labelText == "x in LiₓAu"
    assert canvas.item.getAxis("bottom").labelText == "Time (s)"
    experiment = gold.experiment
    rate = experiment.film.li_content_rate(np.abs(experiment.potential.current_ma).max())
    ((ticks),) = canvas.item.getAxis("top")._tickLevels
    times = {float(text): time for time, text in reversed(ticks)}
    assert times[1.0] == pytest.approx(opened.experiment.origins_s()[0] + 1 / rate, abs=1.0)


def test_epi_is_drawn_as_relative_reflectance(viewer, timeline, finished):
    session = session_of(viewer)
    session.current = next(o for o in session.opened if o.recording.mode == "epi")
    finished(timeline)
    assert timeline.canvas.plot.right == "Mean relative reflectance"
    values = timeline.canvas.plot.curves[1].y
    assert np.isfinite(values).all()
    assert values[0] == pytest.approx(1.0, abs=0.02)


def x_at(opened, times_s):
    experiment = opened.experiment
    return li_content(
        experiment.potential,
        experiment.film,
        np.atleast_1d(np.asarray(times_s, float)),
        origins_s=experiment.origins_s(),
    )


def test_curves_against_li_content_are_a_loop(viewer, timeline, opened):
    timeline.axis.setCurrentIndex(1)
    canvas, plot = timeline.canvas, timeline.canvas.plot
    assert canvas.item.getAxis("bottom").labelText == "x in LiₓAu"
    assert canvas.item.getAxis("top").labelText == ""
    potential, intensity = plot.curves
    stages = {s.key: s for s in opened.experiment.stages}
    for key, way in (("cycle1_step1", 1), ("cycle1_dealloying1", -1)):
        stage = stages[key]
        middle_s = (stage.start_s + stage.end_s) / 2
        x, volts = plot.point_at(potential, middle_s)
        assert x == pytest.approx(x_at(opened, middle_s)[0], abs=0.05)
        at = opened.experiment.potential.potential_at(np.array([middle_s]))[0]
        assert volts == pytest.approx(at, abs=0.02)
        part = next(x for s, x, _ in plot.parts(potential) if s is stage)
        assert np.all(way * np.diff(part) >= 0)
    reached = np.nanmax(x_at(opened, opened.recording.times_s))
    assert np.nanmax(intensity.x) == pytest.approx(reached)
    low, high = canvas.item.getViewBox().viewRange()[0]
    assert low < 0 < np.nanmax(potential.x) < high
    assert canvas.bands.bands == [] == canvas.bands.lines
    labels = [label.text for _, label in canvas.legend.items]
    assert labels == [s.label for s in opened.experiment.stages if s.label != "SEI"]
    pens = [part.opts["pen"] for part in canvas.parts]
    styles = {label: pen.style() for label, pen in zip(labels, pens, strict=True)}
    assert styles["step 1"] == Qt.PenStyle.SolidLine
    assert styles["step 1'"] == styles["dissolution"] == Qt.PenStyle.CustomDashLine
    timeline.axis.setCurrentIndex(0)
    assert len(canvas.bands.bands) == len(opened.experiment.stages)
    assert canvas.parts == []


def test_the_cursor_is_at_the_x_of_the_frame_shown_and_clicks_find_it(viewer, timeline, opened):
    timeline.axis.setCurrentIndex(1)
    canvas = timeline.canvas
    stages = {s.key: s for s in opened.experiment.stages}
    for key in ("cycle1_step2", "cycle1_dissolution"):
        viewer.dims.set_point(0, (stages[key].start_s + stages[key].end_s) / 2)
        shown = session_of(viewer).time_s
        x = x_at(opened, shown)[0]
        assert canvas.cursor.isVisible()
        assert canvas.cursor.value() == pytest.approx(x, abs=0.05)
        (mark,) = canvas.left_mark.points()
        at = opened.experiment.potential.potential_at(np.array([shown]))[0]
        assert (mark.pos().x(), mark.pos().y()) == pytest.approx((x, at), abs=0.05)
        (mark,) = canvas.right_mark.points()
        frame = int(np.flatnonzero(opened.recording.times_s == shown)[0])
        assert mark.pos().y() == opened.field_signal.values("absorbance")[frame]
    viewer.dims.set_point(0, stages["cycle1_SEI"].start_s)
    assert not canvas.cursor.isVisible()
    assert len(canvas.left_mark.points()) == 0
    canvas.resize(700, 300)
    box, potential = canvas.item.getViewBox(), canvas.plot.curves[0]
    for key in ("cycle1_step1", "cycle1_dealloying1"):
        time_s = (stages[key].start_s + stages[key].end_s) / 2
        scene = box.mapViewToScene(QPointF(*canvas.plot.point_at(potential, time_s)))
        canvas._clicked(SimpleNamespace(scenePos=lambda at=scene: at))
        assert session_of(viewer).time_s == pytest.approx(time_s, abs=1.5)


def test_without_li_content_the_axis_stays_time(viewer, timeline, gold_file, finished):
    timeline.axis.setCurrentIndex(1)
    viewer.layers.clear()
    add_layers(viewer, open_layers(gold_file.parent / "trans.tif"))
    finished(timeline)
    assert session_of(viewer).current.experiment.film is None
    assert timeline.axis.currentIndex() == 0
    assert not timeline.axis.isEnabled()
    assert not timeline.canvas.plot.by_li


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


def test_the_cursor_follows_the_slider_which_recomputes_nothing_and_a_click_moves_it(
    viewer, timeline, opened, monkeypatch
):
    viewer.dims.set_point(0, 40.3)
    shown = session_of(viewer).time_s
    assert timeline.canvas.cursor.value() == shown
    assert abs(shown - 40.3) <= 0.5 * opened.recording.frame_interval_s + 1e-9
    timeline.canvas.time_clicked.emit(61.0)
    assert session_of(viewer).time_s == pytest.approx(61.0, abs=0.51)
    assert timeline.canvas.cursor.value() == session_of(viewer).time_s

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


def test_detection_keeps_what_is_given_and_tables_are_exported(
    timeline, opened, gold, finished, tmp_path
):
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


def test_lines_stop_at_neighbours_and_a_bound_is_typed_in_the_table(timeline, opened):
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

    lines = {(s.key, bound): line for line, s, bound in timeline.canvas.bands.lines}
    stages = {s.key: s for s in opened.experiment.stages}
    line = lines["cycle1_step1", "end_s"]
    line.setValue(1e6)
    assert line.value() == stages["cycle1_step2"].start_s
    line.setValue(-1e6)
    assert line.value() == pytest.approx(stages["cycle1_step1"].start_s, abs=0.011)


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
    timeline.clock.box.offset.setValue(offset + 7.5)
    assert np.allclose(timeline.canvas.plot.curves[0].x, before - 7.5)
    at = np.array([session_of(viewer).time_s + 7.5])
    overlay = viewer.canvas.overlays.text.text
    assert f"E = {potential.potential_at(at)[0]:.3f} V" in overlay


def test_typed_rate_and_offset_with_their_residual(timeline, opened):
    assert timeline.clock.box.fit.text().startswith("residual ")
    curve = opened.experiment.potential
    timeline.clock.box.rate.setValue(1.01)
    now = opened.experiment.potential
    assert (now.clock_rate, now.clock_way) == (1.01, "typed")
    expected = (curve.times_s - curve.clock_offset_s) / 1.01
    assert np.allclose(timeline.canvas.plot.curves[0].x, expected)
    steps = [s for s in opened.steps if s.name == "link_clock"]
    assert [s.parameters["rate"] for s in steps] == [1.01]
    timeline.clock.box.rate.setValue(1.0)
    box, planted = timeline.clock.box, curve.clock_offset_s
    before = float(box.fit.text().split()[2])
    box.offset.setValue(planted + 2.0)
    residual_s = opened.experiment.potential.clock_residual_s
    assert residual_s > before
    assert residual_s == pytest.approx(np.hypot(before, 2.0), abs=1.0)
    assert box.fit.text().startswith(f"typed, residual {residual_s:.2f} s, ")
    assert box.fit.text().endswith(" steps")
    assert timeline.status.text() == f"Clock offset {planted + 2:.2f} s."
    box.offset.setValue(planted - 5000)
    assert box.fit.text().startswith("typed, only 0 of ")
    assert math.isnan(opened.experiment.potential.clock_residual_s)


def test_a_suggested_offset_is_the_planted_one(timeline, opened, gold, finished):
    planted = gold.experiment.potential.clock_offset_s
    timeline.clock.link(opened, ClockLink(offset_s=planted + 60))
    timeline.clock.box.suggest.click()
    finished(timeline)
    potential = opened.experiment.potential
    assert potential.clock_offset_s == pytest.approx(planted, abs=2)
    assert potential.clock_way == "steps"
    assert 0 < potential.clock_residual_s < 2
    assert timeline.clock.box.fit.text().startswith("suggested, residual ")
    assert timeline.clock.box.offset.value() == pytest.approx(planted, abs=2)


def test_two_points_link_the_clocks(viewer, timeline, opened):
    offset = opened.experiment.potential.clock_offset_s
    viewer.dims.set_point(0, 40.0)
    shown = session_of(viewer).time_s
    timeline.axis.setCurrentIndex(1)
    timeline.clock.box.points.click()
    assert timeline.axis.currentIndex() == 0
    assert timeline.status.text() == "Click a moment on the potential."
    timeline.canvas.time_clicked.emit(30.0)
    assert timeline.status.text() == "Now click the same moment on the mean intensity."
    assert timeline.canvas.point.isVisible()
    assert timeline.canvas.point.value() == 30.0
    timeline.canvas.time_clicked.emit(18.0)
    assert not timeline.canvas.point.isVisible()
    potential = opened.experiment.potential
    assert potential.clock_offset_s == pytest.approx(offset + 12.0)
    assert (potential.clock_rate, potential.clock_way) == (1.0, "points")
    assert session_of(viewer).time_s == shown
    assert "Click a second pair" in timeline.status.text()
    timeline.clock.box.points.click()
    timeline.canvas.time_clicked.emit(18.0)
    assert session_of(viewer).time_s == pytest.approx(18.0, abs=0.51)


def test_two_pairs_of_points_give_the_rate(timeline, opened, errors):
    offset = opened.experiment.potential.clock_offset_s
    timeline.clock.box.points.click()
    for time_s in (30.0, 30.0, 132.0, 20.0):
        timeline.canvas.time_clicked.emit(time_s)
    assert errors[-1].startswith("The two pairs of points give no rate")
    assert opened.experiment.potential.clock_offset_s == pytest.approx(offset)
    for time_s in (132.0, 130.0):
        timeline.canvas.time_clicked.emit(time_s)
    potential = opened.experiment.potential
    assert potential.clock_rate == pytest.approx(1.02)
    assert potential.clock_offset_s == pytest.approx(offset + 30 - 1.02 * 30)
    assert not timeline.clock.box.points.isChecked()
    assert timeline.status.text().endswith(" s, rate 1.02.")
    assert np.interp(130, potential.recording_times_s, potential.times_s) == pytest.approx(
        offset + 132
    )


def test_time_stamps_link_the_clocks(timeline, opened, errors):
    timeline.clock.box.stamps.click()
    (message,) = errors
    assert message.endswith("trans.tif does not say when it was recorded; link the clocks by "
                            "points or type the offset.")  # fmt: skip
    started = datetime(2024, 5, 6, 9, 0, 0)
    potential = dataclasses.replace(opened.experiment.potential, started=started)
    timeline.session.change_experiment(opened, potential=potential)
    at = started + timedelta(seconds=40)
    timeline.session.change_recording(opened, first_frame_at=at)
    timeline.clock.box.stamps.click()
    now = opened.experiment.potential
    assert now.clock_offset_s == pytest.approx(40 - opened.recording.times_s[0])
    assert now.clock_way == "time stamps"
    assert timeline.status.text().endswith("both stamps are taken as of one time zone.")


# Potential


COUNTED = "counter;elapsed;channel 1\n0;0;380\n1;5;-60\n2;6;-70\n"


def choose(monkeypatch, **chosen):
    """Answer the dialog of columns: quantity="column, unit"; what it said is kept."""
    said = []

    def answer(dialog):
        for quantity, text in chosen.items():
            column, _, unit = text.partition(", ")
            dialog.columns[quantity].setCurrentText(column)
            if unit:
                dialog.units[quantity].setCurrentText(unit)
        dialog.accept()
        said.append(dialog.said.text())
        return dialog.result()

    monkeypatch.setattr(PotentialDialog, "exec", answer)
    return said


def test_a_potential_is_read_and_its_columns_kept(viewer, copied, finished, monkeypatch, errors):
    text = copied.read_text().replace('path = "potential.csv"', 'path = "counted.txt"')
    copied.write_text(text)
    copied.with_name("counted.txt").write_text(COUNTED)
    workspace = Workspace(viewer)
    viewer.window.add_dock_widget(workspace, name=f"{OWN_KEY} (Lithium alloy)", area="right")
    said = choose(monkeypatch, time="elapsed")
    workspace._open_asked(str(copied))
    assert "counted.txt has no column of potential" in said[0]
    assert errors == []
    assert session_of(viewer).current is None
    choose(monkeypatch, time="elapsed, min", potential="channel 1, mV")
    workspace._open_asked(str(copied.parent))
    finished(workspace)
    potential = session_of(viewer).current.experiment.potential
    assert potential.times_s.tolist() == [0, 300, 360]
    assert potential.potential_v.tolist() == [0.38, -0.06, -0.07]
    again = open_experiment(copied).potential
    assert again.potential_v.tolist() == potential.potential_v.tolist()


def test_a_potential_for_a_recording_that_has_none(viewer, copied, finished, monkeypatch):
    add_layers(viewer, open_layers(copied.parent / "trans.tif"))
    dock = Timeline(viewer)
    viewer.window.add_dock_widget(dock, name="Timeline test")
    finished(dock)
    assert dock.files.potential_button.isEnabled()
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_: (str(copied.parent / "potential.csv"), "")
    )
    choose(monkeypatch)
    dock.files.potential_button.click()
    finished(dock)
    opened = session_of(viewer).current
    assert dock.clock.box.isEnabled()
    assert [c.name for c in dock.canvas.plot.curves] == ["Potential", "Mean absorbance"]
    assert dock.status.text().startswith("Potential: ")
    dock.clock.link(opened, ClockLink(offset_s=2.5, rate=1.001, way="typed"))
    copied.unlink()
    file = dock.files.save()
    potential = open_experiment(file).potential
    assert (potential.clock_offset_s, potential.clock_rate) == (2.5, 1.001)
    assert potential.clock_way == "typed"
    assert np.array_equal(potential.potential_v, opened.experiment.potential.potential_v)


def test_without_a_potential_the_picture_alone_gives_the_fields_stages(
    viewer, gold_file, finished, errors
):
    add_layers(viewer, open_layers(gold_file.parent / "trans.tif"))
    dock = Timeline(viewer)
    viewer.window.add_dock_widget(dock, name="Timeline test")
    finished(dock)
    assert not dock.clock.box.isEnabled()
    assert [c.name for c in dock.canvas.plot.curves] == ["Mean absorbance"]
    detect(dock, finished)
    stages = session_of(viewer).current.experiment.stages
    assert {s.scope for s in stages} == {"field"}
    assert errors == []
    dock.clock._suggest_clicked()
    (message,) = errors
    assert "has no potential; choose the cycler's file by Potential…" in message


# Saving


def test_stages_and_clock_are_saved_and_read_again(viewer, copied, finished, monkeypatch):
    text = copied.read_text()
    copied.write_text("# my notes\n" + text)
    add_layers(viewer, open_layers(copied))
    dock = Timeline(viewer)
    viewer.window.add_dock_widget(dock, name="Timeline test")
    finished(dock)
    detect(dock, finished)
    dock.clock.link(session_of(viewer).current, ClockLink(offset_s=3.25, way="typed"))
    stages = session_of(viewer).current.experiment.stages
    asked = []
    monkeypatch.setattr(
        QMessageBox,
        "question",
        lambda _, __, text: asked.append(text) or QMessageBox.StandardButton.No,
    )
    dock.files.save_button.click()
    assert copied.read_text() == "# my notes\n" + text
    assert f"Replace in {copied}" in asked[0]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    dock.files.save_button.click()
    again = open_experiment(copied)
    assert copied.read_text().startswith("# my notes\n")
    assert again.potential.clock_offset_s == 3.25
    for scope in ("cell", "field"):
        saved = bounds_of(stages, scope)
        read = bounds_of(again.stages, scope)
        assert read.keys() == saved.keys()
        for key, bounds in saved.items():
            assert read[key] == pytest.approx(bounds, abs=6e-4)
    n = len(stages)
    assert dock.status.text() == f"{n} stages, potential and clock saved to recording.toml."


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
