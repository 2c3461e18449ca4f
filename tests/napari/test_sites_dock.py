"""The dock of nucleation sites: threshold, plot, locks, and what is done by hand meanwhile."""

import numpy as np
import pytest

from napari_lithium_alloy._napari.layers import SITE_GREEN, SITE_ORANGE, kind_of
from napari_lithium_alloy._napari.site_views import VIEWS
from napari_lithium_alloy._napari.widgets.nucleation_sites import NucleationSites
from napari_lithium_alloy.core.site_statistics import SiteStatisticsParameters


@pytest.fixture
def dock(viewer, opened, finished, qtbot):
    widget = NucleationSites(viewer)
    viewer.window.add_dock_widget(widget, name="sites")
    widget.run()
    finished(widget)
    yield widget
    widget.disconnect_events()


def layer_of(viewer):
    (layer,) = [one for one in viewer.layers if kind_of(one) == "sites"]
    return layer


def test_points_follow_the_threshold_at_once_and_are_not_measured(viewer, opened, dock):
    layer, n = layer_of(viewer), len(opened.sites)
    measured = opened.sites.copy()
    growth = opened.tables["site_growth"]
    snr = np.sort(opened.sites["snr"].to_numpy(float))
    dock.canvas.threshold_moved.emit((snr[1] + snr[2]) / 2)
    assert dock._timer.isActive()
    dock._timer.stop()
    dock.preview()
    assert not dock.busy
    assert len(layer.data) == len(opened.tables["sites"]) == n - 2
    assert layer_of(viewer) is layer
    assert opened.deleted_um.get(1, []) == []
    dock.form["min_snr"].value = 5.0
    dock.preview()
    assert len(layer.data) == n
    kept = opened.sites.iloc[: n - 2]
    assert kept["growth_exponent"].notna().all()
    assert np.allclose(kept["area_um2"], measured["area_um2"].iloc[: n - 2])
    assert opened.tables["site_growth"] is growth


def test_the_first_move_of_the_threshold_searches(viewer, opened, finished):
    widget = NucleationSites(viewer)
    assert not widget._timer.isActive()
    widget.form["min_snr"].value = 8.0
    assert widget._timer.isActive()
    widget.preview()
    assert widget.busy
    finished(widget)
    assert len(layer_of(viewer).data) == len(opened.sites) > 0
    assert opened.sites["snr"].min() >= 8
    widget.disconnect_events()


def test_what_is_known_of_sites_is_drawn(viewer, opened, dock, finished, tmp_path):
    dock.form["min_snr"].value = 30.0
    dock.suggest()
    suggested = dock.canvas.plot.suggested
    assert dock.form["min_snr"].value == pytest.approx(suggested, abs=0.02)
    assert 3.5 <= suggested < 8
    assert [c.name for c in dock.canvas.plot.curves] == ["sites", "expected from noise"]
    assert dock.canvas.line is not None
    opened.use(site_statistics=SiteStatisticsParameters(draws=49, simulations=39))
    dock.compare_places()
    finished(dock)
    assert dock.places.isVisibleTo(dock)
    assert not dock.canvas.isVisibleTo(dock)
    assert dock.status.text().startswith(f"{len(opened.sites)} sites, ")
    assert opened.tables["site_field"]["n_sites"].tolist() == [len(opened.sites)]
    for name in ("Ripley's L", "Pair correlation"):
        dock.view.setCurrentText(name)
        assert dock.places.plot.x_label == "Distance r (µm)"
        dock.save_plot(tmp_path / f"{name}.png")
    dock.view.setCurrentText("Growth of selected sites")
    assert dock.canvas.isVisibleTo(dock)
    assert dock.canvas.plot.curves[0].name == "median of all"
    layer = layer_of(viewer)
    layer.selected_data = {0, 2}
    layer.events.highlight()
    numbers = layer.features["site"].iloc[[0, 2]].astype(int)
    assert [c.name for c in dock.canvas.plot.curves] == [f"site {n}" for n in numbers]
    for name in VIEWS:
        dock.view.setCurrentText(name)
        dock.save_plot(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000


def test_selected_points_are_locked_and_survive_a_new_detection(viewer, opened, dock, finished):
    layer = layer_of(viewer)
    dock.lock()
    assert "Select points" in dock.status.text()
    layer.selected_data = {1}
    next(f for key, f in layer.keymap.items() if str(key) == "L")(layer)
    number = int(layer.features["site"][1])
    locked = opened.tables["sites"].set_index("site").loc[number]
    assert locked["locked"]
    assert layer.features["locked"].tolist()[1]
    colours = [tuple(np.round(255 * c[:3]).astype(int)) for c in layer.border_color[:2]]
    wanted = [tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (SITE_GREEN, SITE_ORANGE)]
    assert colours == wanted
    n = len(opened.sites)
    dock.form["min_snr"].value = 1000.0  # above all: only what was done by hand stays
    dock.run()
    finished(dock)
    (kept,) = opened.sites.to_dict("records")
    assert kept["locked"]
    assert (kept["y_um"], kept["x_um"]) == (locked["y_um"], locked["x_um"])
    assert kept["radius_um"] == pytest.approx(locked["radius_um"])
    dock.form["min_snr"].value = 5.0
    dock.run()
    finished(dock)
    assert len(opened.sites) == n
    assert opened.sites["locked"].sum() == 1


def test_what_is_done_by_hand_while_sites_are_measured_is_kept(viewer, opened, dock, finished):
    n = len(opened.sites)
    dock.measure()
    layer = layer_of(viewer)
    layer.add([[12.0, 66.0]])
    finished(dock)
    assert len(layer_of(viewer).data) == n + 1
    assert sorted(opened.sites["source"]) == ["added"] + ["detected"] * n
    assert set(opened.tables["site_growth"]["site"]) < set(opened.sites["site"])
    growth = opened.tables["site_growth"].groupby("site")["area_um2"].max()
    own = opened.sites.set_index("site")["area_um2"]
    assert (own.loc[growth.index] / growth).between(0.85, 1.02).all()
