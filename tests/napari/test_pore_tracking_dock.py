"""The dock Pore tracking: preview, views, and corrections by hand that are kept."""

import numpy as np
import pytest

from napari_lithium_alloy._napari.layers import about, kind_of
from napari_lithium_alloy._napari.live import Live
from napari_lithium_alloy._napari.pore_hand import stroke_images
from napari_lithium_alloy._napari.pore_views import VIEWS
from napari_lithium_alloy._napari.widgets.pore_tracking import PoreTracking
from napari_lithium_alloy.core.errors import AlloyError


@pytest.fixture
def dock(viewer, opened, finished):
    dock = PoreTracking(viewer)
    viewer.window.add_dock_widget(dock, name="Pores test")
    dock._run_clicked()
    finished(dock)
    return dock


def layer_of(viewer, kind):
    return next(layer for layer in viewer.layers if kind_of(layer) == kind)


def last_labels(viewer, opened):
    """The Pores layer, its last step with pores, and the labels there."""
    layer = layer_of(viewer, "pores")
    step = opened.grid.step_at(opened.tables["pore_summary"]["time_s"].iloc[-1])
    return layer, step, np.array(layer.data[step])


def middle(labels, label):
    rows, columns = np.nonzero(labels == label)
    return float(rows.mean()), float(columns.mean())


def test_clicks_delete_join_and_split_pores_and_new_trackings_keep_it_so(
    viewer, opened, dock, finished
):
    _, _, labels = last_labels(viewer, opened)
    before = int(opened.tables["pore_summary"]["count"].iloc[-1])
    gone = int(labels[labels > 0][0])
    place = middle(labels, gone)
    dock.tools.buttons["delete"].click()
    dock.hand.click(*place)
    finished(dock)
    for _ in range(2):
        assert opened.tables["pore_summary"]["count"].iloc[-1] == before - 1
        _, _, labels = last_labels(viewer, opened)
        assert labels[round(place[0]), round(place[1])] == 0
        dock._run_clicked()
        finished(dock)
    assert opened.tables["pore_edits"]["kind"].tolist() == ["delete"]
    assert "1 corrections by hand are kept" in dock.status.text()
    assert opened.steps[-1].parameters["edits"][0]["kind"] == "delete"
    dock.tools.undo_button.click()
    finished(dock)
    assert opened.tables["pore_summary"]["count"].iloc[-1] == before
    assert len(opened.tables["pore_edits"]) == 0
    opened_at = float(opened.tables["pore_summary"]["time_s"].iloc[-1])
    dock.session.show_time(opened_at)
    _, _, labels = last_labels(viewer, opened)
    a, b = (middle(labels, n) for n in np.unique(labels)[1:3])
    dock.tools.buttons["join"].click()
    dock.hand.click(*a)
    assert dock.status.text() == "Now the other one."
    dock.hand.click(*b)
    finished(dock)
    _, _, joined = last_labels(viewer, opened)
    assert len(np.unique(joined)) - 1 == before - 1
    dock.tools.buttons["split"].click()
    assert not dock.tools.buttons["join"].isChecked()
    dock.hand.click(a[0] - 1, a[1])
    dock.hand.click(a[0] + 1, a[1])
    finished(dock)
    _, _, parted = last_labels(viewer, opened)
    assert len(np.unique(parted)) - 1 == before
    assert opened.tables["pore_edits"]["cycle"].tolist() == [1, 1, 1, 1]


def test_strokes_in_the_layer_are_corrections_where_they_mean_one(viewer, opened, dock, finished):
    layer, step, labels = last_labels(viewer, opened)
    before = int(opened.tables["pore_summary"]["count"].iloc[-1])
    row, column = np.argwhere(labels > 0)[0]
    layer.fill((step, row, column), 0)
    finished(dock)
    assert opened.tables["pore_edits"]["kind"].tolist() == ["delete"]
    assert opened.tables["pore_summary"]["count"].iloc[-1] == before - 1
    (now,) = (one for one in viewer.layers if kind_of(one) == "pores")
    assert not about(now).get("edited", False)

    layer, step, labels = last_labels(viewer, opened)
    seen = []
    layer.events.paint.connect(lambda event: seen.append(stroke_images(layer, event.value)))
    rows, columns = np.nonzero(labels == np.unique(labels)[1])
    layer.data_setitem((np.array([step]), rows[:1], columns[:1]), 0)
    layer.paint((step, 3, 3), 78)
    first, second = seen
    assert np.array_equal(first[0], labels)
    assert first[1][rows[0], columns[0]] == 0
    assert np.array_equal(second[0], first[1])
    assert second[1][3, 3] == 78
    assert len(opened.pore_edits) == 1  # a moved outline is no correction
    assert about(layer)["edited"]
    assert "areas do not follow" in dock.status.text()


def test_preview_form_and_views(viewer, opened, dock, qtbot, tmp_path):
    dock.session.show_time(float(opened.tables["pore_summary"]["time_s"].iloc[-1]))
    dock.preview_box.setChecked(True)
    qtbot.waitUntil(lambda: "Preview" in dock.status.text(), timeout=10_000)
    _, _, labels = last_labels(viewer, opened)
    shown = layer_of(viewer, "pore_preview")
    assert shown.ndim == 2
    assert shown.data.max() == len(np.unique(labels)) - 1
    dock.form["min_area_um2"].value = 50.0
    qtbot.waitUntil(lambda: ": 0 pores" in dock.status.text(), timeout=10_000)
    assert not layer_of(viewer, "pore_preview").data.any()

    layout = dock.form.native.layout()
    box = {name: dock.form[name].native for name in ("threshold", "hysteresis", "min_snr")}
    for method, rows in {
        "automatic": ["threshold", "min_snr"],
        "manual": ["threshold", "hysteresis"],
        "Otsu": ["hysteresis"],
    }.items():
        dock.form["method"].value = method
        assert [name for name, one in box.items() if layout.isRowVisible(one)] == rows

    for name in VIEWS:
        dock.plotted.setCurrentText(name)
        assert dock.canvas.plot.curves, name
    dock.plotted.setCurrentText("Area fraction by cycle")
    assert list(dock.canvas.plot.x_ticks.values()) == ["Di1*", "P"]
    share = opened.tables["pore_summary"]["area_fraction"].iloc[-1]
    assert dock.canvas.plot.curves[0].y[-1] == pytest.approx(100 * share)
    dock.save_plot(tmp_path / "cycles.png")

    dock.plotted.setCurrentText("Area relative to final")
    assert len(dock.canvas.plot.curves) > 2
    pore = int(opened.tables["pores"]["final_pore"].max())
    layer_of(viewer, "pores").selected_label = pore
    assert [curve.name for curve in dock.canvas.plot.curves] == ["all", f"pore {pore}"]
    assert dock.canvas.plot.curves[0].y[-1] == 1


def test_of_live_work_only_the_last_counts(qtbot):
    shown, refused = [], []
    live = Live(shown.append, refused.append)
    for number in range(5):
        live.ask(lambda number=number: number)
    qtbot.waitUntil(lambda: not live.waiting, timeout=5000)
    assert shown == [4]

    def no():
        raise AlloyError("no")

    live.ask(no)
    qtbot.waitUntil(lambda: not live.waiting, timeout=5000)
    assert [str(e) for e in refused] == ["no"]
