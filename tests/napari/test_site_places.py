"""Where sites sit, as a dock draws it."""

from types import SimpleNamespace

import numpy as np
import pytest
from planted import exact_map, planted
from scipy import ndimage

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.site_edits import with_source
from napari_lithium_alloy._napari.site_places import (
    SitePlacesCanvas,
    density_text,
    keep_site_tables,
    show_pair_correlation,
    show_ranks,
    show_ripley,
    site_statistics_work,
)
from napari_lithium_alloy.config import AnalysisConfig
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.site_statistics import (
    SiteStatisticsParameters,
    site_statistics,
    site_tables,
)
from napari_lithium_alloy.core.synthetic import au_parameters
from napari_lithium_alloy.core.tables import empty


@pytest.fixture(scope="module")
def known():
    rng = np.random.default_rng(0)
    times = 500 * ndimage.gaussian_filter(rng.standard_normal((100, 100)), 6.0)
    maps = {1: exact_map(times), 2: exact_map(np.full(times.shape, 3.0), sd_s=1.0)}
    parameters = SiteStatisticsParameters(draws=49, simulations=39)
    sites, film = rng.uniform(0, 99, (25, 2)), np.ones(times.shape, bool)
    found = [finish(site_statistics(cycle, sites, film, 0.1, maps, parameters)) for cycle in (1, 2)]
    return SimpleNamespace(tables=site_tables(found), config=AnalysisConfig())


def test_views_draw_what_the_tables_hold(make_napari_viewer, known, tmp_path):
    viewer = make_napari_viewer()
    canvas = SitePlacesCanvas(viewer, "nothing yet")
    assert not canvas.shown
    show_ranks(canvas, known, 2)
    assert [c.name.split(",")[0] for c in canvas.plot.curves] == ["step 1"]
    curve = known.tables["site_rank_curve"].query("cycle == 2")
    assert canvas.plot.curves[0].observed == pytest.approx(curve["observed"].to_numpy())
    spacing = known.tables["site_spacing"].query("cycle == 2")
    show_ripley(canvas, known, 2)
    away = (spacing["l_um"] - spacing["r_um"]).to_numpy()
    assert canvas.plot.curves[0].observed == pytest.approx(away)
    show_pair_correlation(canvas, known, 2)
    assert canvas.plot.y_label == "Pair correlation g(r)"
    canvas.save(tmp_path / "g.png")
    assert (tmp_path / "g.png").stat().st_size > 5000
    show_ranks(canvas, known, 3)
    assert not canvas.shown
    assert density_text(known, 3) == ""
    assert density_text(known, 1).startswith("25 sites, 0.25 ")
    canvas.close()


def test_a_cycles_tables_take_the_place_of_its_earlier_ones(known):
    opened = SimpleNamespace(tables=dict(known.tables))
    new = {k: t[t["cycle"] == 1].copy() for k, t in known.tables.items()}
    new["site_field"]["n_sites"] = 7
    keep_site_tables(opened, 1, new)
    assert opened.tables["site_field"]["n_sites"].tolist() == [7, 25]
    assert opened.tables["site_field"]["cycle"].tolist() == [1, 2]
    assert len(opened.tables["site_spacing"]) == len(known.tables["site_spacing"])


def test_work_tells_what_the_dock_has_now():
    parameters = au_parameters(seed=45, shape=(96, 96), count=6, spacing_um=0.8)
    made, experiment = planted(parameters)
    fewer = SiteStatisticsParameters(draws=19, simulations=19)
    config = AnalysisConfig(site_statistics=fewer)
    opened = Opened(experiment=experiment, as_read=experiment.recordings[0], config=config)
    step, deposition = (
        next(s for s in experiment.stages if s.key == key)
        for key in ("cycle1_step1", "cycle1_deposition")
    )
    opened.onset_maps["cycle1_step1"] = exact_map(made.truth.onset_s["cycle1_step1"])
    opened.stages["cycle1_step1"] = step
    truth = made.truth.sites
    sites = with_source(empty("sites")).reindex(range(len(truth)))
    for column in ("y_um", "x_um", "radius_um", "onset_s"):
        sites[column] = truth[column].to_numpy(float)
    sites["cycle"] = 1
    opened.put_sites(1, sites)
    tables = finish(site_statistics_work(opened, deposition))
    assert tables["site_field"]["n_sites"].tolist() == [6]
    assert tables["site_ranks"]["step"].tolist() == [1]
    assert tables["site_ranks"]["n_sites"].tolist() == [6]
    assert tables["site_charge"]["site_count"].iloc[-1] == 6
    keep_site_tables(opened, 1, tables)
    assert density_text(opened, 1).startswith("6 sites, ")
