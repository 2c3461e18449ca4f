"""Figures of sites: what they say of ranks, spacing and currents."""

import numpy as np
import pytest
from planted import exact_map
from scipy import ndimage

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.site_statistics import (
    SiteStatisticsParameters,
    site_statistics,
    site_tables,
)
from napari_lithium_alloy.core.site_study import StudyCell, compare_sites
from napari_lithium_alloy.io.figures.site_places import ranks_figure, spacing_figure, study_figure


def texts(figure):
    return {t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")) if t.get_text()}


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)
    times = 500 * ndimage.gaussian_filter(rng.standard_normal((100, 100)), 6.0)
    flat = exact_map(np.full(times.shape, 3.0), sd_s=1.0)
    maps = {1: exact_map(times), 2: exact_map(-times), 3: flat}
    parameters = SiteStatisticsParameters(draws=49, simulations=39)
    sites = rng.uniform(0, 99, (25, 2))
    work = site_statistics(1, sites, np.ones(times.shape, bool), 0.1, maps, parameters)
    return site_tables([finish(work)])


def test_ranks_have_a_panel_a_step_with_its_p_or_reason(tables):
    ranks, curve = tables["site_ranks"], tables["site_rank_curve"]
    figure = ranks_figure(ranks, curve, 0.2)
    assert len(figure.axes) == 3
    said = texts(figure)
    for k in (0, 1):
        row = ranks.iloc[k]
        title = figure.axes[k].get_title()
        assert title.startswith(f"step {k + 1}, 25 sites: p = {row['p_value']:.2g}\n")
        assert f"shaded: {100 * row['share_outer']:.0f} % (chance" in title
        own = curve[curve["step"] == k + 1]
        line = figure.axes[k].lines[-1]
        assert line.get_ydata() == pytest.approx(own["observed"].to_numpy())
    assert {"95 % of chance", "expected", "sites"} <= said
    assert any("uniform" in text for text in said)
    four = ranks_figure(ranks.iloc[[0, 1, 2, 2]], curve, 0.2)
    assert len(four.axes) == 4


def test_spacing_shows_l_less_r_and_g(tables):
    field, spacing = tables["site_field"].iloc[0], tables["site_spacing"]
    figure = spacing_figure(field, spacing)
    left, right = figure.axes
    away = (spacing["l_um"] - spacing["r_um"]).to_numpy()
    assert left.lines[-1].get_ydata() == pytest.approx(away)
    assert right.lines[-1].get_ydata() == pytest.approx(spacing["pair_correlation"].to_numpy())
    assert left.get_ylabel() == "L(r) − r (µm)"
    assert f"p = {field['ripley_p']:.2g}" in texts(figure)
    assert any(text.startswith("25 sites, 0.25 (0.16") for text in texts(figure))


def test_a_study_shows_counts_and_limits_and_the_exponent():
    def cell(current, n):
        times = np.linspace(0, 100 / current, 11)
        return StudyCell(
            name=f"{current}", cycle=1, onsets_s=np.zeros(n), times_s=times,
            charge_mah_cm2=current * times / 3600, current_ma_cm2=np.full(11, current),
            area_um2=100.0,
        )  # fmt: skip

    table, law = compare_sites([cell(0.2, 0), cell(1.0, 20), cell(5.0, 60)])
    figure = study_figure(table, law)
    axes = figure.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    legend = {t.get_text() for t in axes.get_legend().get_texts()}
    assert f"exponent {law.exponent:.2f} ± {law.exponent_sd:.2f}" in legend
    assert "no site (upper limit)" in legend
    alone, none = compare_sites([cell(1.0, 20), cell(1.0, 25)])
    flat = study_figure(alone, none).axes[0].get_legend().get_texts()
    assert not any("exponent" in t.get_text() for t in flat)
