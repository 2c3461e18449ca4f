"""The dock that compares steps, sites and pores."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from napari_lithium_alloy._napari import results
from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.layers import about, kind_of, regions_layer
from napari_lithium_alloy._napari.pair_plot import MOST, rows_to_draw
from napari_lithium_alloy._napari.results import take_result
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.widgets.complementarity_map import (
    SHIFTS,
    ComplementarityMap,
)
from napari_lithium_alloy._napari.widgets.temporal_color_code import TemporalColorCode
from napari_lithium_alloy.core.alloyed_images import alloyed_image, time_at_progress
from napari_lithium_alloy.core.complementarity import local_agreement, windowed_pearson
from napari_lithium_alloy.core.pair_names import short_pair
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.core.tables import conform

S1M, S2M = "cycle1_step1_unalloyed_middle", "cycle1_step2_alloyed_middle"
SITES, PORES = "cycle1_sites", "cycle1_pores"
CORNER = Region(name="corner", vertices_px=np.array([[4, 4], [4, 59], [59, 59], [59, 4]], float))


@pytest.fixture
def layers_left_out(monkeypatch):
    """Of the whole analysis, for tests that do not look at them: napari needs seconds for them."""
    monkeypatch.setattr(results, "add_layers", lambda viewer, layers: [])


without_layers = pytest.mark.usefixtures("layers_left_out")


@pytest.fixture
def dock(viewer, opened, whole, qtbot):
    take_result(session_of(viewer), opened, whole)
    dock = ComplementarityMap(viewer)
    viewer.window.add_dock_widget(dock, name="Compare test")
    return dock


@pytest.fixture
def run(dock, finished):
    def start(work=None):
        dock._run_clicked() if work is None else work()
        finished(dock)

    return start


def maps_of(viewer, slot):
    return [x for x in viewer.layers if kind_of(x) == "map" and slot in about(x)["slot"]]


def row_of(opened, a, b, region="field"):
    table = opened.tables["colocalization"]
    own = table[(table["a"] == a) & (table["b"] == b) & (table["region"] == region)]
    assert len(own) == 1
    return own.iloc[0]


@without_layers
def test_the_pair_of_the_paper_is_chosen_at_once_and_its_share_and_thresholds_are_asked_for(
    opened, dock, run, errors
):
    assert dock.pair == (S1M, S2M)
    onset, times = opened.onset_maps["cycle1_step1"], opened.recording.times_s
    at = time_at_progress(onset, 0.5)
    own = times[(times >= onset.start_s) & (times <= onset.end_s)]
    step = opened.recording.frame_interval_s
    passed = 100 * (at - own[0] + step) / (own[-1] - own[0] + step)
    assert dock.first.when.text() == f"50 % of the area at {at:.1f} s, {passed:.0f} % of the time"
    dock.form["progress"].value = 0.3
    at = time_at_progress(onset, 0.3)
    assert dock.first.when.text().startswith(f"30 % of the area at {at:.1f} s, ")

    assert not dock.form["threshold_a"].native.isVisibleTo(dock)
    dock.form["thresholds"].value = "fixed"
    assert dock.form["threshold_a"].native.isVisibleTo(dock)
    run()
    assert "give one a map" in errors[-1]
    dock.form["threshold_a"].value, dock.form["threshold_b"].value = "0.5", "0.5"
    run()
    assert row_of(opened, S1M, S2M)["threshold_a"] == 0.5


@without_layers
def test_a_pair_makes_its_masks_and_maps_and_a_recomputation_replaces_them(
    viewer, opened, dock, run, errors
):
    run()
    row, parameters = row_of(opened, S1M, S2M), opened.config.complementarity
    first, second = (opened.onset_maps[f"cycle1_step{n}"] for n in (1, 2))
    masks = 1 - alloyed_image(first, 0.5), alloyed_image(second, 0.5)
    layers = [*maps_of(viewer, f"mask {S1M}"), *maps_of(viewer, f"mask {S2M}")]
    for layer, mask, at in zip(layers, masks, (first, second), strict=True):
        assert np.array_equal(layer.data, mask, equal_nan=True)
        assert not layer.visible
        assert layer.name.endswith(f"({time_at_progress(at, 0.5):.1f} s)")
        assert [str(u) for u in layer.units] == ["micrometer", "micrometer"]
        assert layer.axis_labels == ("y", "x")
    film = opened.film(opened.reference())
    (agreement,) = maps_of(viewer, "agreement")
    (local,) = maps_of(viewer, "local_r")
    same = local_agreement(*masks, parameters, valid=film)
    assert np.array_equal(agreement.data, same, equal_nan=True)
    assert np.nanmean(agreement.data) == pytest.approx(row["pearson_r"], abs=1e-3)
    same, sigma = windowed_pearson(*masks, parameters, valid=film)
    assert np.array_equal(local.data, same, equal_nan=True)
    assert local.name == f"Local r S1m un, S2m (σ {sigma:.3g} px)"
    assert local.contrast_limits == [-1, 1]
    assert agreement.contrast_limits[0] == -agreement.contrast_limits[1]
    assert local.colormap.name == agreement.colormap.name == "PiYG"
    assert (local.visible, agreement.visible) == (False, True)
    assert about(local)["steps"][0]["parameters"]["stage"] == f"{S1M} & {S2M}"
    text = dock.status.text()
    assert f"r = {row['pearson_r']:.2f}, by chance {row['null_low']:.2f} to" in text
    assert f"with the trend r = {row['r_with_trend']:.2f}" in text
    assert errors == []

    n, rows = len(viewer.layers), len(opened.tables["colocalization"])
    (local,) = maps_of(viewer, "local_r")
    dock.form["window_px"].value = "12"
    dock.form["progress"].value = 0.4
    run()
    assert len(viewer.layers) == n
    assert maps_of(viewer, "local_r") == [local]
    assert local.name.endswith("(σ 12 px)")
    assert len(opened.tables["colocalization"]) == rows
    (mask,) = maps_of(viewer, f"mask {S2M}")
    onset = opened.onset_maps["cycle1_step2"]
    assert np.array_equal(mask.data, alloyed_image(onset, 0.4), equal_nan=True)
    assert mask.name == f"Mask S2m ({time_at_progress(onset, 0.4):.1f} s)"
    assert about(local)["steps"][0]["parameters"]["window_px"] == 12


@without_layers
def test_all_pairs_are_those_of_the_whole_analysis(opened, dock, whole, run):
    opened.tables.pop("colocalization")
    run(dock.run_all)
    table = opened.tables["colocalization"]
    pd.testing.assert_frame_equal(table, whole.tables["colocalization"])
    assert dock.status.text().startswith(f"{len(table)} pairs: ")
    before = row_of(opened, S1M, S2M)
    run()
    pd.testing.assert_series_equal(row_of(opened, S1M, S2M), before, check_names=False)
    assert len(opened.tables["colocalization"]) == len(table)


def test_a_region_limits_the_comparison(viewer, opened, dock, run, errors):
    for layer in [x for x in viewer.layers if kind_of(x) == "regions"]:
        viewer.layers.remove(layer)
    (layer,) = add_layers(viewer, [regions_layer(opened.recording, [CORNER])])
    dock.field.setCurrentText("corner")
    run()
    row, whole = row_of(opened, S1M, S2M, "corner"), row_of(opened, S1M, S2M)
    film = opened.film(opened.reference())
    first, second = (alloyed_image(opened.onset_maps[f"cycle1_step{n}"], 0.5) for n in (1, 2))
    inside = CORNER.mask(film.shape) & film & np.isfinite(first) & np.isfinite(second)
    assert row["n_px"] == inside.sum() < whole["n_px"]
    (local,) = maps_of(viewer, "local_r")
    assert " in corner " in local.name
    assert not np.isfinite(local.data[~inside]).any()
    step = about(local)["steps"][0]["parameters"]
    assert step["region"]["name"] == "corner"
    assert len(dock.canvas.rows) == 1
    run(dock.run_all)
    assert (opened.tables["colocalization"]["region"] == "corner").sum() > 20
    viewer.layers.remove(layer)
    assert dock.field.currentText() == "whole field"
    assert errors == []


def test_sites_pores_and_own_images_are_compared_as_they_are(viewer, opened, dock, run, errors):
    dock.choose(SITES, PORES)
    assert dock.pair == (SITES, PORES)
    assert not dock.first.region.isVisibleTo(dock)
    run()
    assert row_of(opened, SITES, PORES)["reason"] == ""
    (sites,) = maps_of(viewer, f"mask {SITES}")
    places = opened.sites[["y_um", "x_um"]].to_numpy(float) / opened.recording.pixel_size_um
    assert all(sites.data[tuple(np.round(p).astype(int))] == 1 for p in places)
    assert set(np.unique(sites.data)) == {0, 1}
    dock.choose("cycle1_step1_alloyed_start", SITES)
    run()
    assert "where sites sit is told by their ranks" in dock.status.text()
    assert "(sites placed at random)" in dock.status.text()
    assert 0 < row_of(opened, "cycle1_step1_alloyed_start", SITES)["p_placement"] <= 1
    own = viewer.add_image(opened.onset_maps["cycle1_step2"].onset_s.copy(), name="SEM")
    dock.choose("cycle1_step1_onset", "SEM")
    assert dock.first.when.isHidden()
    run()
    row = row_of(opened, "cycle1_step1_onset", "SEM")
    same = row_of(opened, "cycle1_step1_onset", "cycle1_step2_onset")
    assert row["pearson_r"] == pytest.approx(same["pearson_r"], abs=1e-6)
    own.data = np.ones((5, 5))
    run()
    assert "other pixels" in errors[-1]
    own.data = np.ones(opened.recording.field_shape)
    own.scale = (5.0, 5.0)
    run()
    assert len(errors) == 2
    viewer.layers.remove(own)
    assert "SEM" not in dock.pair


@without_layers
def test_a_uniform_step_has_no_r_and_the_reason_is_told(viewer, opened, dock, run):
    onset = opened.onset_maps["cycle1_step1"]
    opened.onset_maps["cycle1_step1"] = dataclasses.replace(
        onset, onset_sd_s=np.full_like(onset.onset_sd_s, 100.0)
    )
    run()
    assert "cycle1_step1 is uniform" in dock.status.text()
    assert np.isnan(row_of(opened, S1M, S2M)["pearson_r"])
    assert maps_of(viewer, "mask")
    assert not maps_of(viewer, "local_r")


@without_layers
def test_two_different_images_are_needed_and_of_a_dealloying_step_the_onset_is_one(
    opened, dock, run, errors
):
    dock.choose(S1M, "cycle1_step1_alloyed_middle")
    run()
    assert errors == [
        "Two different maps are needed; compute onset maps in the Temporal color code dock."
    ]

    dock.choose("cycle1_step1_onset", "cycle1_dealloying1_onset")
    assert dock.second.source.currentText() == "onset step 1', cycle 1"
    assert not dock.second.region.isVisibleTo(dock)
    run()
    assert row_of(opened, "cycle1_step1_onset", "cycle1_dealloying1_onset")["n_px"] > 1000


def test_it_takes_up_what_came_while_closed_and_draws_r_of_the_papers_pairs_over_its_null(
    viewer, opened, dock, tmp_path
):
    dock.disconnect_events()
    viewer.add_image(np.zeros(opened.recording.field_shape), name="AFM")
    viewer.theme = "light"
    assert dock.first.source.findData("AFM") < 0
    dock.connect_events()
    assert dock.first.source.findData("AFM") >= 0
    assert dock.pair == (S1M, S2M)

    rows, table = dock.canvas.rows, opened.tables["colocalization"]
    names = [short_pair(a, b) for a, b in zip(rows["a"], rows["b"], strict=True)]
    assert names[:3] == [
        "S1 unalloyed mid & S2 alloyed mid",
        "S1 alloyed start & Li",
        "S1 alloyed mid & Li",
    ]
    assert names[-1] == "Li & pores"
    assert len(names) <= MOST < len(table)
    marks = dock.canvas.marks
    assert marks.data["x"].tolist() == rows["pearson_r"].tolist()
    beyond = ~rows["pearson_r"].between(rows["null_low"], rows["null_high"])
    ground = dock.canvas.theme_colours()[1]
    filled = [spot.brush().color().name() != ground.lower() for spot in marks.points()]
    assert filled == beyond.tolist()
    assert filled[0]
    dock.canvas.pair_clicked.emit("cycle1_step1_alloyed_start", SITES)
    assert dock.pair == ("cycle1_step1_alloyed_start", SITES)
    assert dock.canvas.chosen == dock.pair
    for suffix in ("png", "svg"):
        dock.save_plot(tmp_path / f"r.{suffix}")
        assert (tmp_path / f"r.{suffix}").stat().st_size > 1000


def test_a_chosen_pair_beside_the_papers_is_drawn_last():
    assert rows_to_draw(None, (S1M, S2M), "field").empty
    pairs = [(S1M, f"cycle1_step2_alloyed_middle{i}") for i in range(20)]
    table = conform("colocalization", pd.DataFrame(pairs, columns=["a", "b"]))
    table["pearson_r"], table["region"] = 0.5, "field"
    assert rows_to_draw(table, pairs[7], "field")["b"].tolist() == [pairs[7][1]]
    assert len(rows_to_draw(table[:MOST], pairs[7], "field")) == MOST


@without_layers
def test_r_against_the_boundary_is_drawn_where_it_is_known(viewer, opened, dock):
    opened.tables.pop("boundary_shifts", None)
    dock.show_tables()
    assert dock.plotted.isHidden()
    shifts = [-4.0, 0.0, 4.0]
    table = pd.DataFrame({"shift_s": shifts, "pearson_r": [0.5, 0.6, np.nan]})
    table = table.assign(
        cycle=1, a="cycle1_step1_onset", b="cycle1_step2_onset", null_low=-0.2, null_high=0.2
    )
    dock.session.put_table(opened, "boundary_shifts", conform("boundary_shifts", table))
    assert not dock.plotted.isHidden()
    dock.plotted.setCurrentText(SHIFTS)
    assert dock.canvas.marks.data["x"].tolist() == shifts[:2]
    viewer.theme = "light"
    assert dock.canvas.marks.data["y"].tolist() == [0.5, 0.6]
    dock.choose(SITES, PORES)
    assert dock.plotted.isHidden()
    assert len(dock.canvas.rows)


def test_another_onset_map_takes_its_pairs_out_of_the_tables(opened, dock, viewer, finished):
    color = TemporalColorCode(viewer)
    viewer.window.add_dock_widget(color, name="Color test")
    before = opened.tables["colocalization"], opened.tables["boundary_shifts"]
    color._run_clicked()
    finished(color)
    assert opened.tables["colocalization"] is before[0]  # the same map again
    color.onset_form["fraction"].value = 0.3
    color._run_clicked()
    finished(color)
    left = opened.tables["colocalization"]
    assert 0 < len(left) < len(before[0])
    assert not (left["a"] + left["b"]).str.contains("step1_").any()
    assert not len(opened.tables["boundary_shifts"])
