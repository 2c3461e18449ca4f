"""Density, spacing and comparison of sites against known answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import exact_map
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.stats import poisson

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.site_counts import dispersion, poisson_interval
from napari_lithium_alloy.core.site_spacing import (
    _near,
    _overlap_px,
    _weights,
    site_spacing,
)
from napari_lithium_alloy.core.site_statistics import (
    SiteStatisticsParameters,
    site_statistics,
    site_tables,
)
from napari_lithium_alloy.core.site_study import StudyCell, compare_sites, power_law

SIDE, SIZE_UM = 160, 0.1


def film():
    """A field without one corner and without a disc."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return (x + y > 70) & (np.hypot(y - 100, x - 100) > 25)


def anywhere(rng, n, where):
    places = np.argwhere(where)
    return places[rng.integers(len(places), size=n)] + rng.uniform(-0.5, 0.5, (n, 2))


def hard_core(rng, n, where, least_px):
    kept = anywhere(rng, 1, where)
    while len(kept) < n:
        site = anywhere(rng, 1, where)
        if np.hypot(*(kept - site).T).min() > least_px:
            kept = np.vstack([kept, site])
    return kept


def thomas(rng, n, where, sigma_px=3.0):
    parents = np.repeat(anywhere(rng, n // 5, where), 5, axis=0)
    sites = parents + sigma_px * rng.standard_normal(parents.shape)
    pixels = np.clip(np.round(sites).astype(int), 0, SIDE - 1)
    return sites[where[tuple(pixels.T)] & (np.abs(sites - pixels).max(axis=1) <= 0.5)]


@given(st.integers(0, 400))
def test_the_interval_of_a_count_is_exact(count):
    low, high = poisson_interval(count)
    assert low <= count <= high
    assert poisson.cdf(count, high) == pytest.approx(0.025, rel=1e-6)
    if count:
        assert poisson.sf(count - 1, low) == pytest.approx(0.025, rel=1e-6)


def test_ripleys_k_against_a_plain_sum():
    rng, where = np.random.default_rng(0), film()
    sites = anywhere(rng, 30, where)
    edges = np.linspace(0, 40, 9)
    area = where.sum()
    plain = np.zeros(9)
    for i in range(30):
        for j in range(30):
            dy, dx = np.round(sites[i] - sites[j]).astype(int)
            if i != j:
                shifted = np.zeros_like(where)
                rows = slice(max(dy, 0), SIDE + min(dy, 0)), slice(max(-dy, 0), SIDE - max(dy, 0))
                cols = slice(max(dx, 0), SIDE + min(dx, 0)), slice(max(-dx, 0), SIDE - max(dx, 0))
                shifted[rows[0], cols[0]] = where[rows[1], cols[1]]
                common = (shifted & where).sum()
                away = np.hypot(*(sites[i] - sites[j]))
                plain += (edges >= away) * area**2 / (30 * 29) / common
    assert _near(sites, edges, _weights(where, 50), area)[0] == pytest.approx(plain)


def test_ripleys_k_of_random_sites_is_that_of_the_plane():
    """Unbiased in a field with holes: pi r^2 on average."""
    rng, where = np.random.default_rng(1), film()
    edges = np.linspace(0, 40, 5)
    found = [
        _near(anywhere(rng, 80, where), edges, _weights(where, 41), where.sum())[0]
        for _ in range(100)
    ]
    assert np.mean(found, axis=0)[1:] == pytest.approx(np.pi * edges[1:] ** 2, rel=0.04)


def test_random_regular_and_clustered_sites_are_told_apart():
    rng, where = np.random.default_rng(2), film()
    spacing = np.sqrt(where.sum() / 100)
    regular = site_spacing(hard_core(rng, 100, where, 0.7 * spacing), where, SIZE_UM)
    clumped = site_spacing(thomas(rng, 150, where), where, SIZE_UM)
    assert regular.clark_evans > 1.3
    assert clumped.clark_evans < 0.7
    for found in (regular, clumped):
        assert found.clark_evans_p <= 0.02
        assert found.ripley.p_value <= 0.05
        assert found.pair_correlation.p_value <= 0.05
    near = regular.r_um < 0.4 * spacing * SIZE_UM
    assert (regular.ripley.observed[near] < 0).all()
    assert clumped.pair_correlation.observed[0] > 3
    assert regular.pair_correlation.observed[-10:] == pytest.approx(1, abs=0.2)
    assert regular.nearest_um.min() > 0.7 * spacing * SIZE_UM


def test_chance_leaves_the_bands_in_5_percent():
    rng, where = np.random.default_rng(3), film()
    p = []
    for seed in range(60):
        found = site_spacing(anywhere(rng, 40, where), where, SIZE_UM, n=39, seed=seed)
        _, p_counts = dispersion(anywhere(rng, 40, where), where, n=99, seed=seed)
        bands = found.ripley.p_value, found.pair_correlation.p_value
        p.append((*bands, found.clark_evans_p, p_counts))
    assert ((np.array(p) <= 0.05).sum(axis=0) <= 9).all()
    assert np.mean(p, axis=0) == pytest.approx(np.full(4, 0.5), abs=0.14)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(3, 30))
def test_nearest_distances_against_all_pairs(seed, n):
    sites = np.random.default_rng(seed).uniform(0, 50, (n, 2))
    away = np.hypot(*np.moveaxis(sites[:, np.newaxis] - sites, -1, 0)) + 1e9 * np.eye(n)
    edges = np.linspace(0, 100, 5)
    overlap = _overlap_px(np.ones((60, 60), bool), 101)
    nearest = _near(sites, edges, overlap, 3600)[1]
    assert nearest == pytest.approx(away.min(axis=1))


def test_dispersion_of_known_counts():
    where = np.ones((40, 40), bool)
    grid = np.stack(np.meshgrid(np.arange(5, 40, 10), np.arange(5, 40, 10)), -1).reshape(-1, 2)
    five = np.repeat(grid, 5, axis=0).astype(float)  # in each of 16 quadrats
    even, p_even = dispersion(five, where)
    assert even == 0
    assert p_even <= 0.01
    lump = np.full((30, 2), 5.0)
    clumped, p_clumped = dispersion(lump, where)
    assert clumped == pytest.approx(30)  # all in one of the quadrats
    assert p_clumped <= 0.01
    assert np.isnan(dispersion(grid[:3].astype(float), where)).all()


def test_tables_of_a_field():
    rng, where = np.random.default_rng(5), film()
    sites = anywhere(rng, 40, where)
    times = 50 + 20 * ndimage.gaussian_filter(rng.standard_normal(where.shape), 8.0) * 20
    flat = exact_map(np.full(where.shape, 3.0), sd_s=1.0)
    parameters = SiteStatisticsParameters(draws=99, simulations=39)
    work = site_statistics(2, sites, where, SIZE_UM, {1: exact_map(times), 2: flat}, parameters)
    tables = site_tables([finish(work)])
    field = tables["site_field"].iloc[0]
    area = where.sum() * SIZE_UM**2
    assert field["density_um2"] == pytest.approx(40 / area)
    assert field["density_low_um2"] == pytest.approx(poisson_interval(40)[0] / area)
    assert field["nn_mean_um"] == pytest.approx(
        SIZE_UM * cKDTree(sites).query(sites, k=2)[0][:, 1].mean()
    )
    ranks = tables["site_ranks"].set_index("step")
    assert ranks.loc[1, "n_sites"] == 40
    assert ranks.loc[1, "detectable_fraction"] == 1
    assert 0 < ranks.loc[1, "p_value"] <= 1
    assert np.isnan(ranks.loc[2, "p_value"])
    assert ranks.loc[2, "reason"].startswith("the step is uniform")
    assert set(tables["site_rank_curve"]["step"]) == {1}
    spacing = tables["site_spacing"]
    assert ((spacing["l_low_um"] <= spacing["l_high_um"]) & (spacing["l_low_um"] >= 0)).all()
    none = site_tables([finish(site_statistics(1, sites[:0], where, SIZE_UM, {}, parameters))])
    assert none["site_field"]["reason"].tolist() == ["fewer than 3 sites"]
    assert none["site_field"]["density_um2"].tolist() == [0.0]
    assert none["site_field"]["clark_evans"].isna().all()


def test_parameters_that_cannot_be_are_refused():
    with pytest.raises(AlloyError, match=r"give a share between 0 and 0\.5"):
        SiteStatisticsParameters(outer=0.5)
    with pytest.raises(AlloyError, match="cannot tell 5 %"):
        SiteStatisticsParameters(draws=5)


# Several recordings


def cell(current, onsets_s, end_s, area=100.0, name="cell"):
    times = np.linspace(10, end_s, 201)
    charge = current * (times - 10) / 3600
    return StudyCell(
        name=name, cycle=1, onsets_s=np.asarray(onsets_s, float), times_s=times,
        charge_mah_cm2=charge, current_ma_cm2=np.full(201, current), area_um2=area,
    )  # fmt: skip


def test_sites_are_counted_at_equal_charge():
    slow = cell(0.5, [12, 20, 60, 105], 110, name="slow")  # 100 s
    fast = cell(2.0, [11, 12, 20, 30, 34.9, 35.1, 50], 60, area=50.0, name="fast")
    table, _ = compare_sites([slow, fast])
    assert table["charge_mah_cm2"].tolist() == pytest.approx([100 * 0.5 / 3600] * 2)
    assert table["time_s"].tolist() == pytest.approx([110, 35])
    assert table["site_count"].tolist() == [4, 5]
    assert table["density_um2"].tolist() == pytest.approx([0.04, 0.1])
    low, high = poisson_interval(5)
    assert table["density_low_um2"][1] == pytest.approx(low / 50)
    assert table["density_high_um2"][1] == pytest.approx(high / 50)
    half, _ = compare_sites([slow, fast], 0.5 * 100 * 0.5 / 3600)
    assert half["site_count"].tolist() == [2 + 1, 3]
    with pytest.raises(AlloyError, match=r"not passed in every recording \(slow"):
        compare_sites([slow, fast], 0.1)
    with pytest.raises(AlloyError, match="nothing to compare"):
        compare_sites([])


def test_sites_without_an_onset_count_at_the_end_only():
    slow, fast = cell(1.0, [11, np.nan], 20), cell(2.0, [11, np.nan], 20)
    table, _ = compare_sites([slow, fast])
    assert table["site_count"].tolist() == [2, 1]
    assert table["reason"].tolist() == ["", "1 sites without an onset are left out"]


def test_a_planted_power_law_is_found_within_its_error():
    rng = np.random.default_rng(0)
    currents, areas = np.geomspace(0.1, 10, 6), np.linspace(50, 300, 6)
    pulls = []
    for _ in range(200):
        counts = rng.poisson(0.3 * currents**0.6 * areas).astype(float)
        law = power_law(currents, counts, areas)
        pulls.append((law.exponent - 0.6) / law.exponent_sd)
    assert np.mean(pulls) == pytest.approx(0, abs=0.25)
    assert 0.7 < np.std(pulls) < 1.15
    exact = power_law(currents, 0.3 * currents**0.6 * areas, areas)
    assert exact.exponent == pytest.approx(0.6)
    assert exact.factor_um2 == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("currents", "counts", "reason"),
    [
        ([1.0, 1.0], [3, 4], "different current densities"),
        ([1.0], [3], "different current densities"),
        ([1.0, 2.0, 3.0], [0, 0, 0], "no sites"),
        ([1.0, 2.0, 3.0], [0, 0, 5], "no power law fits"),
    ],
)
def test_where_no_power_law_can_be_it_is_said(currents, counts, reason):
    law = power_law(np.array(currents), np.array(counts, float), np.ones(len(counts)))
    assert np.isnan([law.exponent, law.exponent_sd, law.factor_um2]).all()
    assert reason in law.reason
