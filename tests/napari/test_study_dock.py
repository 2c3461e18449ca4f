"""The dock of a study: tables narrowed down, plotted, and a recording opened on a click."""

import numpy as np
import pandas as pd
import pytest

from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.widgets.study import Study
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.tables import conform
from napari_lithium_alloy.io.study_tables import own_kinds, study_table

pytest.importorskip("pyarrow", reason="studies need the extra [cluster]")

FRONT = {
    "recording": "string", "cell": "string", "current_density_ma_cm2": "float64",
    "salt": "string",
}  # fmt: skip
CELLS = [
    ("a1", "A", 0.5, "LiPF6"), ("a2", "A", 0.5, "LiPF6"), ("b", "B", 0.5, "LiPF6"),
    ("c", "C", 5.0, "LiPF6"), ("d", "D", 5.0, "LiFSI"),
]  # fmt: skip


def write(folder, name, rows):
    """A table of the study: for each recording its own rows."""
    with study_table(folder, name, {**FRONT, **own_kinds(name)}, []) as add:
        for cell, own in zip(CELLS, rows, strict=True):
            table = conform(name, pd.DataFrame(own))
            for place, (column, value) in enumerate(zip(FRONT, cell, strict=True)):
                table.insert(place, column, value)
            add(table)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, gold_file):
    out = tmp_path_factory.mktemp("study")
    state = {"status": "analysed", "path": str(gold_file), "measured_ma_cm2": 0.5}
    failed = {"status": "failed", "reason": "no potential", "path": "nowhere"}
    write(out, "study_recordings", [[state], [state], [state], [state], [failed]])
    radii = [[0.2, 0.4], [0.5], [0.6], [0.9], [0.8]]
    write(out, "sites", [[{"cycle": 1, "radius_um": r} for r in each] for each in radii])
    write(
        out, "pair_study",
        [
            [{"cycle": 1, "pair": "S1 & S2", "pearson_r": -0.9 + 0.1 * i},
             {"cycle": 1, "pair": "S1 & Li", "pearson_r": 0.01 * i}]
            for i in range(5)
        ],
    )  # fmt: skip
    return out


@pytest.fixture
def dock(viewer, folder, finished):
    widget = Study(viewer)
    viewer.window.add_dock_widget(widget, name="study")
    widget.open_study(folder)
    finished(widget)
    yield widget
    widget.disconnect_events()


def choose(dock, table, finished):
    dock.tables.choose(table)
    finished(dock)


def series(dock):
    return {s.name: s for s in dock.canvas.against.series}


def test_a_study_shows_its_recordings(dock, folder):
    assert dock.status.text() == f"{folder.name}: 4 of 5 recordings analysed. d failed."
    assert dock.tables.names == ("study_recordings", "pair_study", "sites")
    assert dock.tables.model.rowCount() == 5
    assert "no potential" in dock.tables.model.table["reason"].dropna().tolist()
    assert set(dock.filters.boxes) == {"current_density_ma_cm2", "salt"}


def test_points_are_recordings_and_the_mean_is_over_cells(dock, finished, tmp_path):
    choose(dock, "sites", finished)
    assert dock.y_box.currentData() == "radius_um"
    assert dock.x_box.currentData() == "current_density_ma_cm2"
    shown = series(dock)
    assert list(shown) == ["LiFSI", "LiPF6"]
    own = shown["LiPF6"]
    assert own.recordings == ["a1", "a2", "b", "c"]
    assert own.y == pytest.approx([0.3, 0.5, 0.6, 0.9])
    assert own.mean == pytest.approx([0.5, 0.9])  # cell A: 0.4
    assert np.isfinite(own.low).tolist() == [True, False]
    item = dock.canvas.points[1]
    assert len(item.points()) == 4
    axis = dock.canvas.item.getAxis("bottom")
    assert [word for _, word in axis._tickLevels[0]] == ["0.5", "5"]
    for name in ("plot.png", "plot.svg"):
        dock.save_plot(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 4000


def test_filters_narrow_table_and_plot_down(dock, finished, tmp_path):
    choose(dock, "sites", finished)
    dock.filters.boxes["salt"].setCurrentText("LiPF6")
    assert dock.tables.model.rowCount() == 5
    assert list(series(dock)) == [""]
    dock.filters.boxes["current_density_ma_cm2"].setCurrentText("5")
    assert dock.tables.model.table["recording"].tolist() == ["c"]
    assert series(dock)[""].recordings == ["c"]
    dock.tables.export(tmp_path / "sites.csv")
    text = (tmp_path / "sites.csv").read_text()
    assert '"salt": "LiPF6"' in text
    assert text.count("\n") == 4
    choose(dock, "study_recordings", finished)
    assert dock.filters.boxes["salt"].currentText() == "LiPF6"  # kept for the next table
    assert dock.tables.model.rowCount() == 1


def test_what_a_row_is_of_is_never_averaged_over(dock, finished):
    choose(dock, "pair_study", finished)
    assert dock.filters.boxes["pair"].currentText() == "S1 & S2"
    assert series(dock)["LiPF6"].y == pytest.approx([-0.9, -0.8, -0.7, -0.6])
    dock.filters.boxes["pair"].setCurrentText("S1 & Li")
    assert series(dock)["LiPF6"].y == pytest.approx([0, 0.01, 0.02, 0.03])
    dock.x_box.setCurrentIndex(dock.x_box.findData("salt"))
    dock.x_box.activated.emit(1)
    assert dock.canvas.against.ticks == {0.0: "LiFSI", 1.0: "LiPF6"}
    assert list(series(dock)) == ["0.5 mA cm⁻²", "5 mA cm⁻²"]


def test_a_click_on_a_point_opens_its_recording(viewer, dock, finished, errors):
    choose(dock, "sites", finished)
    item = dock.canvas.points[1]
    item.sigClicked.emit(item, [item.points()[0]], None)
    assert errors == []
    assert dock.status.text() == "a1 is open."
    session = session_of(viewer)
    assert session.current.recording.mode == "trans"
    assert len(viewer.layers) == 2
    dock.open_recording("b")  # here the same file
    assert len(viewer.layers) == 2


def test_a_double_click_on_a_row_opens_its_recording(viewer, dock, errors):
    dock.tables.view.doubleClicked.emit(dock.tables.model.index(2, 0))
    assert dock.status.text() == "b is open."
    assert len(viewer.layers) == 2
    dock.tables.view.doubleClicked.emit(dock.tables.model.index(4, 0))
    assert "nowhere" in errors[0]
    with pytest.raises(AlloyError, match="no recording x"):
        dock.open_recording("x")


def test_a_folder_that_holds_no_study(viewer, tmp_path):
    widget = Study(viewer)
    assert not widget.canvas.shown
    with pytest.raises(AlloyError, match=r"holds no study_recordings\.csv"):
        widget.open_study(tmp_path)
    with pytest.raises(AlloyError, match="no plot yet"):
        widget.save_plot(tmp_path / "plot.png")
    widget.disconnect_events()


def test_it_lets_go_when_closed_and_follows_the_theme(viewer, dock, finished):
    session = session_of(viewer)
    choose(dock, "sites", finished)
    canvas = dock.canvas
    dark = canvas.widget.backgroundBrush().color().name()
    viewer.theme = "light"
    light = canvas.widget.backgroundBrush().color().name()
    assert light != dark
    n = len(session.results_changed)
    viewer.window.remove_dock_widget(dock)
    assert len(session.results_changed) == n - 1
    viewer.theme = "dark"
    assert canvas.widget.backgroundBrush().color().name() == light
