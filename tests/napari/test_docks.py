import threading

import numpy as np
import pandas as pd
import pytest

from napari_lithium_alloy._napari.from_layers import regions_of
from napari_lithium_alloy._napari.layers import about, kind_of
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.widgets.complementarity_map import ComplementarityMap
from napari_lithium_alloy._napari.widgets.correct_and_align import CorrectAndAlign
from napari_lithium_alloy._napari.widgets.normalization import Normalization
from napari_lithium_alloy._napari.widgets.nucleation_sites import NucleationSites
from napari_lithium_alloy._napari.widgets.pore_tracking import PoreTracking
from napari_lithium_alloy._napari.widgets.roi_curves import RoiCurves
from napari_lithium_alloy._napari.widgets.temporal_color_code import TemporalColorCode
from napari_lithium_alloy._napari.widgets.timeline import Timeline
from napari_lithium_alloy.core.colorcode import ColorCodeParameters, color_code, lut
from napari_lithium_alloy.core.curves import complete_curves, region_curves
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.isochrones import isochrones
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.core.step_onsets import onset_maps
from napari_lithium_alloy.io.tables import read_csv, read_steps

DOCKS = (
    CorrectAndAlign,
    Normalization,
    TemporalColorCode,
    ComplementarityMap,
    NucleationSites,
    PoreTracking,
    RoiCurves,
    Timeline,
)


@pytest.fixture
def dock_of(viewer, opened, qtbot):
    def make(cls):
        dock = cls(viewer)
        viewer.window.add_dock_widget(dock, name=f"{cls.TITLE} test")
        return dock

    return make


def layers_of(viewer, kind):
    return [layer for layer in viewer.layers if kind_of(layer) == kind]


def run(dock, finished):
    dock._run_clicked()
    finished(dock)


def test_normalization_makes_lazy_layers(viewer, opened, dock_of, finished, errors):
    dock = dock_of(Normalization)
    for name in ("Transmittance", "Absorbance", "Normalized absorbance"):
        dock.quantity.setCurrentText(name)
        run(dock, finished)
    stacks = layers_of(viewer, "stack")
    assert [about(s)["quantity"] for s in stacks] == [
        "transmittance",
        "absorbance",
        "normalized_absorbance",
    ]
    recording, reference = opened.recording, opened.reference()
    transmittance = (recording.read(40) - reference.dark) / reference.image
    assert np.allclose(stacks[0].data[40], transmittance, rtol=1e-5)
    assert np.allclose(stacks[1].data[40], -np.log10(transmittance), atol=1e-5)
    assert [str(u) for u in stacks[0].units] == ["second", "micrometer", "micrometer"]
    assert about(stacks[2])["steps"][0]["parameters"]["stage"] == "cycle1_step1"
    assert len(opened.tables["field_curve"]) == recording.n_frames
    assert errors == []


def test_what_the_file_does_not_say_is_set_in_normalization(viewer, finished):
    viewer.add_image(np.full((6, 8, 8), 50, np.uint16), name="film")
    dock = Normalization(viewer)
    opened = session_of(viewer).current
    assert opened.recording.mode is None
    dock.mode.setCurrentText("epi")
    dock.mode.activated.emit(2)
    dock.pixel_size.value = "0,1"
    dock.pixel_size.native.editingFinished.emit()
    dock.interval.value = "2.5"
    dock.interval.native.editingFinished.emit()
    assert opened.recording.mode == "epi"
    assert opened.recording.pixel_size_um == pytest.approx(0.1)
    assert opened.recording.times_s.tolist() == [0, 2.5, 5, 7.5, 10, 12.5]
    assert dock.quantity.itemText(0) == "Relative reflectance"
    dock.disconnect_events()


def test_a_dark_frame_from_a_file(viewer, opened, dock_of, tmp_path):
    import tifffile

    dark = np.full((2, 80, 80), 90, np.uint16)
    dark[1] = 100
    tifffile.imwrite(tmp_path / "dark.tif", dark, photometric="minisblack")
    dock_of(Normalization).set_dark_frame(tmp_path / "dark.tif")
    assert np.all(opened.recording.dark_counts == 95)


def test_onset_map_and_its_colours(viewer, opened, gold, dock_of, finished):
    dock = dock_of(TemporalColorCode)
    assert dock.stage_box.choice.currentText() == "step 1, cycle 1"
    run(dock, finished)
    (layer,) = layers_of(viewer, "onset")
    stage = opened.stages["cycle1_step1"]
    reference = opened.reference()
    same = finish(
        onset_maps(
            opened.recording,
            stages_of(opened.experiment.stages, StageKind.ALLOYING),
            opened.config.onset,
            dark=reference.dark,
            valid=opened.film(reference),
        )
    )
    assert np.array_equal(layer.data, same[stage].onset_s, equal_nan=True)
    truth = gold.truth.onset_s["cycle1_step1"]
    assert np.nanmean(np.abs(layer.data - truth)) < 0.5
    assert layer.colorbar.visible
    assert [str(u) for u in layer.units] == ["micrometer", "micrometer"]
    assert layer.name == "Onset step 1, cycle 1 (s)"
    (sd,) = layers_of(viewer, "onset_sd")
    assert not sd.visible
    code, inverted = layers_of(viewer, "rgb")
    colours = opened.config.color_code
    assert np.array_equal(code.data, color_code(same[stage], colours))
    assert np.array_equal(inverted.data, color_code(same[stage], colours, inverted=True))
    assert about(layer)["steps"][0]["parameters"]["fraction"] == 0.5
    assert opened.tables["onset_summary"]["stage"].tolist() == ["step1"]
    assert dock.tables.model.rowCount() == 1


def test_the_front_of_a_step_and_its_isochrones(viewer, opened, dock_of, finished):
    dock = dock_of(TemporalColorCode)
    for name in ("rise", "speed", "direction", "isochrones"):
        dock.added.boxes[name].setChecked(True)
    dock.line_form["interval_s"].value = "4"
    assert dock.line_form.native.isVisibleTo(dock)
    run(dock, finished)
    onset, front = opened.onset_maps["cycle1_step1"], opened.front_maps["cycle1_step1"]
    rise, speed, direction = layers_of(viewer, "front")
    assert np.array_equal(rise.data, onset.rise_time_s, equal_nan=True)
    assert rise.name == "Rise time step 1, cycle 1 (s)"
    assert np.array_equal(speed.data, front.speed_um_s, equal_nan=True)
    assert np.array_equal(direction.data, front.direction_rad, equal_nan=True)
    assert speed.name == "Front speed step 1, cycle 1 (µm/s)"
    assert direction.contrast_limits == pytest.approx([-np.pi, np.pi])
    assert direction.visible
    assert not any(layer.visible for layer in (speed, *layers_of(viewer, "onset")))
    assert speed.colorbar.visible
    (lines,) = layers_of(viewer, "isochrones")
    expected = isochrones(onset, opened.config.isochrones)
    assert expected.interval_s == 4
    names = [step["name"] for step in about(lines)["steps"]]
    assert names == ["onset_map", "front_map", "isochrones"]
    assert about(lines)["steps"][2]["parameters"]["interval_s"] == 4
    assert lines.features["time_s"].tolist() == expected.times_s.tolist()
    assert set(lines.shape_type) == {"path"}
    assert [str(u) for u in lines.units] == ["micrometer", "micrometer"]
    assert lines.axis_labels == ("y", "x")
    assert np.allclose(lines.data[0], expected.paths_px[0])
    share = (expected.times_s[0] - onset.start_s) / (onset.end_s - onset.start_s)
    assert lines.edge_color[0][:3] == pytest.approx(lut("viridis")[round(255 * share)] / 255)
    told = sorted(label for label in lines.features["label"] if label)
    assert told == sorted(f"{t:g} s" for t in set(expected.times_s))
    assert "µm/s (quartiles" in dock.status.text()
    row = opened.tables["onset_summary"].iloc[0]
    assert row["front_speed_median_um_s"] == front.summary()["front_speed_median_um_s"]
    dock.line_form["interval_s"].value = ""
    run(dock, finished)
    (again,) = layers_of(viewer, "isochrones")  # replaced, not added
    assert len(again.data) != len(expected.paths_px)
    assert len(layers_of(viewer, "front")) == 3


def test_the_onset_layer_is_in_the_legends_unit(viewer, opened, dock_of, finished):
    dock = dock_of(TemporalColorCode)
    dock.colour_form["legend"].value = "x"
    run(dock, finished)
    (layer,) = layers_of(viewer, "onset")
    onset, experiment = opened.onset_maps["cycle1_step1"], opened.experiment
    assert layer.name == "Onset step 1, cycle 1 (x)"
    middle = np.array([40, 40])
    x = experiment.li_content_at(onset.onset_s[40, 40:41])
    assert layer.data[tuple(middle)] == pytest.approx(x[0], abs=0.01)
    ends = experiment.li_content_at(np.array([onset.start_s, onset.end_s]))
    assert layer.contrast_limits == pytest.approx(ends.tolist(), abs=0.02)
    dock.colour_form["legend"].value = "% alloyed"
    run(dock, finished)
    (layer,) = layers_of(viewer, "onset")
    assert layer.name == "Onset step 1, cycle 1 (% alloyed)"
    assert np.nanmax(layer.data) == pytest.approx(100 * onset.reached.mean(), abs=3)
    layer.name = "mine"
    dock.colour_form["legend"].value = "s"
    run(dock, finished)
    (layer,) = layers_of(viewer, "onset")
    assert layer.name == "mine"  # a name given by hand stays
    assert np.array_equal(layer.data, onset.onset_s, equal_nan=True)


def test_a_legend_that_is_not_known_is_in_seconds_and_says_so(viewer, opened, dock_of, finished):
    dock = dock_of(TemporalColorCode)
    opened.experiment = opened.experiment.replace(film=None)
    dock.colour_form["legend"].value = "x"
    run(dock, finished)
    (layer,) = layers_of(viewer, "onset")
    assert layer.name == "Onset step 1, cycle 1 (s)"
    assert dock.status.text().endswith("The legend is in s: x is not known over this stage.")


def test_where_x_falls_the_colours_of_the_bar_do_and_a_named_colormap_is_shown(
    viewer, opened, dock_of, finished
):
    dock = dock_of(TemporalColorCode)
    dock.stage_box.choice.setCurrentText("step 1', cycle 1")
    dock.colour_form["legend"].value = "x"
    run(dock, finished)
    (layer,) = layers_of(viewer, "onset")
    low, high = layer.contrast_limits
    assert low < high
    first = lut("viridis")[0] / 255  # of the start, where x is highest
    assert layer.colormap.map(np.array([1.0]))[0, :3] == pytest.approx(first, abs=0.01)

    opened.use(color_code=ColorCodeParameters(colormap="hot"))
    dock.take(opened)
    assert dock.colour_form.value.colormap == "hot"


def test_the_area_alloyed_is_drawn_and_its_cursor_follows(viewer, opened, dock_of, finished):
    dock = dock_of(TemporalColorCode)
    assert not dock.canvas.plot.curves
    run(dock, finished)
    (curve,) = dock.canvas.plot.curves
    table = opened.tables["alloyed_fraction"]
    assert curve.y.tolist() == (100 * table["alloyed_fraction"]).tolist()
    assert dock.canvas.plot.y_label == "Area alloyed (%)"
    dock.session.show_time(40.0)
    assert dock.canvas.cursor.value() == dock.session.time_s
    dock.method.setCurrentText("Projection, SD")
    assert not dock.of_onset.isVisibleTo(dock)
    assert not dock.canvas.isVisibleTo(dock)
    dock.stage_box.choice.setCurrentText("step 1', cycle 1")
    assert dock.canvas.plot.y_label == "Area dealloyed (%)"
    assert not dock.canvas.plot.curves


def test_without_a_pixel_size_there_is_no_speed(viewer, opened, dock_of, finished, errors):
    dock = dock_of(TemporalColorCode)
    dock.session.change_recording(opened, pixel_size_um=None)
    run(dock, finished)
    assert not opened.front_maps
    assert opened.tables["onset_summary"]["front_speed_median_um_s"].isna().all()
    dock.added.boxes["speed"].setChecked(True)
    run(dock, finished)
    (message,) = errors
    assert "Front speeds" in message


def test_a_projection_is_one_picture_and_typed_bounds_make_a_stage_of_the_field(
    viewer, dock_of, opened, finished
):
    dock = dock_of(TemporalColorCode)
    dock.method.setCurrentText("Projection, maximum")
    run(dock, finished)
    (layer,) = layers_of(viewer, "rgb")
    assert layer.data.shape == (80, 80, 3)

    dock.method.setCurrentIndex(0)
    dock.stage_box.start.setValue(dock.stage_box.start.value() + 3)
    run(dock, finished)
    stage = opened.stages["cycle1_step1"]
    assert stage.scope == "field"
    assert opened.onset_maps["cycle1_step1"].start_s == stage.start_s


def test_sites_and_their_edits_survive_a_new_detection(viewer, opened, gold, dock_of, finished):
    dock = dock_of(NucleationSites)
    run(dock, finished)
    (layer,) = layers_of(viewer, "sites")
    truth = gold.truth.sites[["y_um", "x_um"]].to_numpy(float)
    found = opened.sites[["y_um", "x_um"]].to_numpy(float)
    nearest = np.hypot(*(truth[:, None] - found[None]).T).min(axis=0)
    assert np.all(nearest < 0.3)
    assert layer.features["radius_um"].notna().all()
    size = opened.recording.pixel_size_um
    n = len(layer.data)
    layer.add([[40.0, 5.0]])
    layer.data = np.vstack([layer.data[0] + [0, 8], layer.data[2:]])
    assert dock.session.current.sites["source"].tolist() == (
        ["moved"] + ["detected"] * (n - 2) + ["added"]
    )
    assert len(opened.deleted_um[1]) == 2
    run(dock, finished)
    (layer,) = layers_of(viewer, "sites")
    kept = opened.sites
    assert sorted(kept["source"]) == ["added"] + ["detected"] * (n - 2) + ["moved"]
    added = kept[kept["source"] == "added"].iloc[0]
    assert (added["y_um"] / size, added["x_um"] / size) == pytest.approx((40, 5))
    moved = kept[kept["source"] == "moved"].iloc[0]
    assert moved["x_um"] == pytest.approx(found[0, 1] + 8 * size)
    assert len(layer.data) == n
    assert list(layer.features["source"]) == kept["source"].tolist()
    assert opened.tables["sites"]["source"].tolist() == kept["source"].tolist()
    dock._measure_clicked()
    finished(dock)
    assert sorted(opened.sites["source"]) == sorted(kept["source"])
    assert set(opened.tables["site_growth"]["site"]) == set(opened.sites["site"])


def test_edits_made_while_the_dock_is_closed_are_kept(viewer, opened, dock_of, finished):
    dock = dock_of(NucleationSites)
    run(dock, finished)
    n = len(opened.sites)
    dock.disconnect_events()
    (layer,) = layers_of(viewer, "sites")
    layer.data = layer.data[1:]
    again = dock_of(NucleationSites)
    assert len(opened.sites) == n - 1
    run(again, finished)
    assert len(opened.sites) == n - 1


def test_pores_as_labels_tracks_and_tables(viewer, opened, gold, dock_of, finished, tmp_path):
    dock = dock_of(PoreTracking)
    run(dock, finished)
    (labels,) = layers_of(viewer, "pores")
    summary = opened.tables["pore_summary"]
    last = summary.iloc[-1]
    shown = labels.data[opened.grid.step_at(last["time_s"])]
    assert len(np.unique(shown)) - 1 == last["count"]
    assert not labels.data[0].any()
    assert labels.scale[0] == pytest.approx(opened.grid.step_s)
    truth = gold.truth.pore_summary.iloc[-1]
    assert last["count"] == truth["count"]
    (tracks,) = layers_of(viewer, "pore_tracks")
    assert set(np.unique(tracks.data[:, 0])) == set(opened.tables["pores"]["pore"])
    (curve,) = dock.canvas.plot.curves
    assert np.allclose(curve.y, summary["total_area_um2"])
    assert dock.canvas.plot.y_label == "Total pore area (µm²)"
    dock.save_plot(tmp_path / "areas.svg")
    assert (tmp_path / "areas.svg").read_text().lstrip().startswith("<?xml")


def test_painted_labels_are_never_replaced(viewer, opened, dock_of, finished):
    dock = dock_of(PoreTracking)
    run(dock, finished)
    (labels,) = layers_of(viewer, "pores")
    end = opened.grid.step_at(opened.tables["pore_summary"]["time_s"].iloc[-1])
    labels.data_setitem((np.array([end]), np.array([3]), np.array([4])), 99)
    assert labels.data[end][3, 4] == 99
    run(dock, finished)
    assert labels in viewer.layers
    assert len(layers_of(viewer, "pores")) == 2


def test_curves_follow_the_regions_drawn(viewer, opened, dock_of, finished, qtbot):
    color, dock = dock_of(TemporalColorCode), dock_of(RoiCurves)
    run(color, finished)
    dock._new_clicked()
    (shapes,) = layers_of(viewer, "regions")
    assert list(shapes.features["name"]) == ["Area Init", "Area Fnl"]
    assert shapes.ndim == 2
    qtbot.waitUntil(lambda: "curves" in opened.tables, timeout=20_000)
    finished(dock)
    curves = opened.tables["curves"]
    reference = opened.reference()
    film = opened.film(reference)

    regions = regions_of(shapes, opened.recording)
    experiment = opened.experiment
    same = complete_curves(
        finish(region_curves(opened.recording, reference, regions, valid=film)),
        experiment.stages,
        experiment.potential,
        experiment.film,
        experiment.origins_s(),
    )
    pd.testing.assert_frame_equal(curves, same)
    summary = opened.tables["curve_summary"].set_index(["region", "stage"])["half_s"]
    assert summary["Area Init", "step1"] < summary["field", "step1"] < summary["Area Fnl", "step1"]
    assert [c.name for c in dock.canvas.plot.curves] == ["field", "Area Init", "Area Fnl"]
    before = summary["Area Init", "step1"]
    moved = [np.array(d) for d in shapes.data]
    moved[0], moved[1] = moved[1], moved[0]
    shapes.data = moved
    qtbot.waitUntil(
        lambda: (
            opened.tables["curve_summary"].set_index(["region", "stage"])["half_s"][
                "Area Init", "step1"
            ]
            > before
        ),
        timeout=20_000,
    )
    finished(dock)


def test_without_an_onset_map_regions_are_drawn_by_hand(viewer, dock_of, opened, finished, qtbot):
    dock = dock_of(RoiCurves)
    dock._new_clicked()
    (shapes,) = layers_of(viewer, "regions")
    assert len(shapes.data) == 0
    assert shapes.mode == "add_rectangle"
    shapes.add_rectangles([[5, 5], [15, 15]])
    qtbot.waitUntil(lambda: "curves" in opened.tables, timeout=20_000)
    finished(dock)
    shapes.add_rectangles([[25, 25], [35, 35]])
    qtbot.waitUntil(
        lambda: set(opened.tables["curves"]["region"]) == {"field", "Area Init", "Area Fnl"},
        timeout=20_000,
    )
    finished(dock)


def test_exports_equal_the_tables(viewer, opened, dock_of, finished, tmp_path):
    dock = dock_of(NucleationSites)
    run(dock, finished)
    dock.tables.export(tmp_path / "sites.csv")
    dock.tables.export(tmp_path / "all.xlsx")
    table = opened.tables["sites"].replace({"reason": {"": pd.NA}})  # empty text is empty in CSV
    pd.testing.assert_frame_equal(read_csv(tmp_path / "sites.csv"), table)
    sheets = pd.read_excel(tmp_path / "all.xlsx", sheet_name=None)
    assert {"sites", "site_growth"} <= set(sheets)
    assert np.allclose(sheets["sites"]["y_um"], opened.tables["sites"]["y_um"])
    assert [s.name for s in read_steps(tmp_path / "sites.csv")] == ["detect_sites"]


def test_shapes_drawn_over_time_serve_as_regions(viewer, opened, dock_of, finished):
    size, step = opened.recording.pixel_size_um, opened.grid.step_s
    corners = np.array([[9, 10, 10], [9, 10, 20], [9, 20, 20], [9, 20, 10]], float)
    viewer.add_shapes([corners], scale=(step, size, size), name="mine")
    dock = dock_of(RoiCurves)
    run(dock, finished)
    curves = opened.tables["curves"]
    inside = curves[curves["region"] == "ROI 1"]["mean_counts"].iloc[0]
    assert inside == pytest.approx(opened.recording.read(0)[10:20, 10:20].mean())


def test_without_a_recording_a_dock_says_so_once(viewer, errors):
    for cls in DOCKS:
        errors.clear()
        dock = cls(viewer)
        dock._run_clicked()
        assert len(errors) == 1
        assert errors[0].endswith(".")
        assert dock.status.text() == errors[0]
        assert not dock.busy
        dock.disconnect_events()
        dock.deleteLater()


def test_a_dock_lets_go_when_closed_and_opens_again(viewer, opened):
    session = session_of(viewer)
    n = len(session.results_changed)
    for cls in DOCKS:
        dock = cls(viewer)
        wrapped = viewer.window.add_dock_widget(dock, name=f"closed {cls.TITLE}")
        assert len(session.results_changed) == n + 1
        viewer.window.remove_dock_widget(wrapped)
        assert len(session.results_changed) == n
        again = cls(viewer)
        reopened = viewer.window.add_dock_widget(again, name=f"open {cls.TITLE}")
        assert again.recording_box.currentText() == dock.recording_box.currentText()
        viewer.window.remove_dock_widget(reopened)
        dock.deleteLater()
        again.deleteLater()


def test_cancel_keeps_nothing_and_frees_the_dock_whose_plot_follows_the_theme(
    viewer, opened, dock_of, finished
):
    dock = dock_of(PoreTracking)
    dock._run_clicked()
    assert dock.busy
    assert dock.cancel_button.isVisibleTo(dock)
    dock.cancel()
    finished(dock)
    assert "pores" not in opened.tables
    assert dock.status.text() == "Cancelled."
    run(dock, finished)
    assert "pores" in opened.tables

    viewer.theme = "light"
    light = dock.canvas.widget.backgroundBrush().color().lightness()
    viewer.theme = "dark"
    assert dock.canvas.widget.backgroundBrush().color().lightness() < 80 < light


@pytest.mark.parametrize("refused", [False, True])
def test_work_that_ends_as_it_is_cancelled_frees_the_dock_and_counts_for_nothing(
    viewer, opened, dock_of, finished, errors, refused
):
    at_its_end, cancelled, shown = threading.Event(), threading.Event(), []
    dock = dock_of(PoreTracking)

    def ends():
        yield 0, 1
        at_its_end.set()
        assert cancelled.wait(20)
        if refused:
            raise AlloyError("It cannot be done.")

    dock.start(ends(), shown.append)
    assert at_its_end.wait(20)
    dock.cancel()
    cancelled.set()
    finished(dock)
    assert dock.run_button.isVisibleTo(dock)
    assert dock.status.text() == "Cancelled."
    assert shown == errors == []


def test_a_runtime_error_does_not_leave_the_dock_busy(
    viewer, opened, dock_of, finished, monkeypatch
):
    from napari.utils.notifications import notification_manager

    raised = []
    monkeypatch.setattr(notification_manager, "receive_error", lambda _, e, *more: raised.append(e))
    dock = dock_of(PoreTracking)

    def fails():
        yield 0, 1
        raise RuntimeError("odd")

    dock.start(fails(), print)
    finished(dock)
    assert dock.run_button.isVisibleTo(dock)
    assert [str(e) for e in raised] == ["odd"]


def test_what_an_analysis_refuses_or_is_no_number_is_one_sentence(
    viewer, opened, dock_of, finished, errors
):
    dock = dock_of(TemporalColorCode)
    dock.stage_box.end.setValue(dock.stage_box.start.value() + 1)
    run(dock, finished)
    (message,) = errors
    assert "needs at least 4" in message
    assert dock.status.text() == message
    assert dock.run_button.isVisibleTo(dock)

    errors.clear()
    dock.onset_form["smoothing_px"].value = "much"
    dock._run_clicked()
    (message,) = errors
    assert "Smoothing in space (px): much is no number" in message
