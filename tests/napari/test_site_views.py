"""Where sites sit, as a dock draws it."""

from types import SimpleNamespace

import numpy as np
import pytest
from planted import exact_map
from scipy import ndimage

from napari_lithium_alloy._napari.site_views import (
    SitePlacesCanvas,
    density_text,
    keep_site_tables,
    show_pair_correlation,
    show_ranks,
    show_ripley,
)
from napari_lithium_alloy.config import AnalysisConfig
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.site_statistics import (
    SiteStatisticsParameters,
    site_statistics,
    site_tables,
)


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
