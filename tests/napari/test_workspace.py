import numpy as np
import pandas as pd
import pytest

from napari_lithium_alloy._napari.layers import kind_of
from napari_lithium_alloy._napari.results import take_result
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.widgets.workspace import DOCKS, OWN_KEY, Workspace
from napari_lithium_alloy.result import write_result


@pytest.fixture
def workspace(viewer):
    made = Workspace(viewer)
    viewer.window.add_dock_widget(made, name=f"{OWN_KEY} (Lithium alloy)", area="right")
    made.arrange()
    return made


def test_docks_are_those_of_the_menu(viewer, workspace):
    keys = set(viewer.window.dock_widgets)
    assert {f"{name} (Lithium alloy)" for name in DOCKS} <= keys
    again = viewer.window.dock_widgets["Normalization (Lithium alloy)"]
    workspace.arrange()
    assert viewer.window.dock_widgets["Normalization (Lithium alloy)"] is again
    assert set(viewer.window.dock_widgets) == keys
    assert len({again.TITLE for again in viewer.window.dock_widgets.values()}) == len(keys)


def test_the_menu_opens_the_workspace_and_finds_its_docks(viewer):
    from napari._app_model import get_app_model

    commands = get_app_model().commands
    commands.execute_command("napari-lithium-alloy.workspace").result()
    made = viewer.window.dock_widgets[f"{OWN_KEY} (Lithium alloy)"]
    made.arrange()
    pores = viewer.window.dock_widgets["Pore tracking (Lithium alloy)"]
    keys = set(viewer.window.dock_widgets)
    commands.execute_command("napari-lithium-alloy.pore_tracking").result()
    assert viewer.window.dock_widgets["Pore tracking (Lithium alloy)"] is pores
    assert set(viewer.window.dock_widgets) == keys


def test_the_whole_analysis_equals_the_command_lines(
    viewer, workspace, gold_file, whole, finished, tmp_path, errors
):
    workspace.open_recording(gold_file)
    assert "80 × 80 px" in workspace.facts.text()
    workspace._run_clicked()
    finished(workspace)
    assert errors == []
    opened = session_of(viewer).current
    expected = whole
    assert set(expected.tables) <= set(opened.tables)
    for name, table in expected.tables.items():
        pd.testing.assert_frame_equal(opened.result.tables[name], table, obj=name)
    for key, onset in expected.onset_maps.items():
        assert np.array_equal(opened.onset_maps[key].onset_s, onset.onset_s, equal_nan=True)
    kinds = [kind_of(layer) for layer in viewer.layers]
    assert {"counts", "onset", "onset_sd", "rgb", "sites", "pores", "regions"} <= set(kinds)
    assert (kinds.count("onset"), kinds.count("rgb")) == (4, 2)
    shown = [layer for layer in viewer.layers if kind_of(layer) == "onset" and layer.visible]
    assert [layer.name for layer in shown] == ["Onset step 1, cycle 1 (s)"]
    for layer in viewer.layers:
        assert all(str(unit) in ("second", "micrometer") for unit in layer.units), layer.name
        assert layer.axis_labels[-2:] == ("y", "x")
    tables = viewer.window.dock_widgets["Nucleation sites (Lithium alloy)"].tables
    assert tables.model.rowCount() == len(expected.tables["sites"])
    written = {p.name for p in workspace.export_all(tmp_path / "gui")}
    assert written == {p.name for p in write_result(expected, tmp_path / "cli")}
    for name in ("sites.csv", "curves.csv", "pore_summary.csv"):
        rows = [
            [r for r in (tmp_path / where / name).read_text().splitlines() if not r.startswith("#")]
            for where in ("gui", "cli")
        ]
        assert rows[0] == rows[1]


def test_docks_give_the_tables_of_the_whole_analysis(
    viewer, workspace, gold_file, whole, finished, qtbot
):
    workspace.open_recording(gold_file)
    opened = session_of(viewer).current
    docks = {
        name: viewer.window.dock_widgets[f"{name} (Lithium alloy)"]
        for name in (
            *("Correct and align", "Temporal color code", "Nucleation sites"),
            *("Pore tracking", "ROI curves"),
        )
    }
    correct = docks["Correct and align"]
    correct._run_clicked()
    finished(correct)
    correct.correct.result.apply.click()
    color = docks["Temporal color code"]
    for step in ("step 1", "step 2", "dissolution", "step 1'"):
        color.stage_box.choice.setCurrentText(f"{step}, cycle 1")
        color._run_clicked()
        finished(color)
    for name in ("Nucleation sites", "Pore tracking"):
        docks[name]._run_clicked()
        finished(docks[name])
    docks["ROI curves"].new_layer()
    qtbot.waitUntil(lambda: "curves" in opened.tables, timeout=20_000)
    finished(docks["ROI curves"])
    for name in ("onset_summary", "sites", "site_growth", "pores", "pore_summary", "curves"):
        pd.testing.assert_frame_equal(opened.tables[name], whole.tables[name], obj=name)


def test_sites_added_by_hand_survive_the_whole_analysis(
    viewer, workspace, gold_file, whole, finished
):
    workspace.open_recording(gold_file)
    session = session_of(viewer)
    take_result(session, session.current, whole)
    layer = next(layer for layer in viewer.layers if kind_of(layer) == "sites")
    layer.add([[3.0, 60.0]])
    workspace._run_clicked()
    finished(workspace)
    opened = session_of(viewer).current
    assert (opened.sites["source"] == "added").sum() == 1
    tables = opened.tables
    n = len(opened.sites)
    assert len(opened.result.tables["sites"]) == len(tables["sites"]) == n
    assert tables["site_field"]["n_sites"].tolist() == [n]
    assert tables["cycles"]["site_count"].dropna().tolist() == [n]
    assert set(tables["site_growth"]["site"]) == set(tables["sites"]["site"])


def test_an_unknown_mode_is_asked_for(viewer, workspace, errors):
    viewer.add_image(np.ones((5, 6, 7)), name="film")
    workspace._run_clicked()
    (message,) = errors
    assert message.endswith("set its mode in the Normalization dock.")


def test_nothing_to_export_is_said(workspace, gold_file, tmp_path, errors):
    workspace.open_recording(gold_file)
    with workspace.errors_shown():
        workspace.export_all(tmp_path)
    assert errors == ["Nothing to export yet; run Analyse everything first."]


def test_a_recording_in_which_no_site_is_found(viewer, workspace, gold_file, finished, errors):
    workspace.open_recording(gold_file)
    session = session_of(viewer)
    opened = session.current
    stages = tuple(s for s in opened.experiment.stages if s.kind != "deposition")
    session.change_experiment(opened, stages=stages)
    workspace._run_clicked()
    finished(workspace)
    assert errors == []
    assert opened.result is not None
    assert len(opened.tables["sites"]) == 0
    assert "sites" not in [kind_of(layer) for layer in viewer.layers]
