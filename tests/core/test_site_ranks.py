"""Where sites sit: chance passes, avoidance does not, whatever their spacing."""

import numpy as np
import pandas as pd
import pytest
from planted import exact_map
from scipy import ndimage
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from napari_lithium_alloy.core import detectability as detecting
from napari_lithium_alloy.core.detectability import detectability
from napari_lithium_alloy.core.envelopes import global_envelope, two_sided_p, upper_p
from napari_lithium_alloy.core.site_ranks import (
    RANKS,
    WINDOW,
    rank_density,
    rank_map,
    ranks_against_chance,
    site_ranks,
)
from napari_lithium_alloy.core.spaced_placements import NEAR, SharedPlacements, spaced_placements

SIDE = 120
ALL = np.ones((SIDE, SIDE), np.float32)


def smooth_ranks(rng, length_px=8.0):
    pad = int(3 * length_px)
    field = ndimage.gaussian_filter(rng.standard_normal((SIDE + 2 * pad,) * 2), length_px)
    field = field[pad:-pad, pad:-pad]
    return ((rankdata(field) - 0.5) / field.size).reshape(field.shape).astype(np.float32)


def anywhere(rng, n):
    return rng.uniform(-0.5, SIDE - 0.5, (n, 2))


def clustered(rng, n):
    parents = rng.uniform(0, SIDE, (n // 5, 2))
    sites = np.repeat(parents, 5, axis=0) + 3 * rng.standard_normal((n // 5 * 5, 2))
    return np.clip(sites, 0, SIDE - 1)


def apart(rng, n):
    kept = np.empty((0, 2))
    while len(kept) < n:
        site = anywhere(rng, 1)
        if not len(kept) or np.hypot(*(kept - site).T).min() > 0.6 * SIDE / np.sqrt(n):
            kept = np.vstack([kept, site])
    return kept


def avoiding(rng, n, ranks):
    weight = np.exp(-(((ranks.ravel() - 0.5) / 0.17) ** 2))
    at = rng.choice(ranks.size, n, p=weight / weight.sum())
    return np.stack(np.unravel_index(at, ranks.shape), axis=1) + rng.uniform(-0.5, 0.5, (n, 2))


def p_of(seed, plant):
    rng = np.random.default_rng(seed)
    ranks = smooth_ranks(rng)
    sites = avoiding(rng, 50, ranks) if plant is avoiding else plant(rng, 50)
    found = ranks_against_chance(ranks, sites, ALL, SharedPlacements(79, seed))
    return found.p_value, found.p_outer


@pytest.mark.parametrize("plant", [anywhere, apart, clustered])
def test_chance_passes_as_chance(plant):
    """60 trials of 5 %: three are expected, and more than 9 have a chance under 1 in 700."""
    p = np.array([p_of(seed, plant) for seed in range(60)])
    assert ((p <= 0.05).sum(axis=0) <= 9).all()
    assert np.mean(p, axis=0) == pytest.approx([0.5, 0.5], abs=0.13)


def test_planted_avoidance_is_found():
    p = np.array([p_of(seed, avoiding) for seed in range(40)])
    assert ((p <= 0.05).mean(axis=0) >= 0.95).all()


@pytest.mark.parametrize("plant", [anywhere, apart, clustered])
def test_draws_keep_number_film_and_spacing(plant):
    rng = np.random.default_rng(3)
    weight = ALL.copy()
    weight[:30, :40] = 0
    sites = plant(rng, 60)
    sites = sites[weight[tuple(np.round(sites).astype(int).T)] > 0]
    draws = spaced_placements(sites, weight, n=60, seed=1)
    assert draws.shape == (60, *sites.shape)
    assert (weight[tuple(np.moveaxis(np.floor(draws + 0.5).astype(int), -1, 0))] > 0).all()
    spacing = np.sqrt((weight > 0).sum() / len(sites))
    edges = spacing * np.concatenate([[0], NEAR])
    counts = np.array([np.histogram(pdist(d), edges)[0] for d in draws])
    observed = np.histogram(pdist(sites), edges)[0]
    assert (np.abs(counts - observed) <= 2 * np.sqrt(observed) + 2).all()
    assert (counts[:, 0] == observed[0]).all()
    for d in draws:
        assert pdist(d).min() >= 0.999 * pdist(sites).min()
    moved = np.hypot(*np.moveaxis(draws[-1] - draws[0], -1, 0))
    assert (moved > 0.5 * spacing).mean() > 0.5


def test_draws_are_seeded_and_follow_the_weights():
    rng = np.random.default_rng(0)
    weight = ALL.copy()
    weight[:, SIDE // 2 :] = 0.25
    sites = anywhere(rng, 30)
    one, same, other = (spaced_placements(sites, weight, n=20, seed=s) for s in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    alone = spaced_placements(sites[:1], weight, n=2000)
    assert (alone[..., 1] < SIDE / 2 - 0.5).mean() == pytest.approx(0.8, abs=0.03)
    assert spaced_placements(np.empty((0, 2)), weight, n=3).shape == (3, 0, 2)
    shared = SharedPlacements(20, 5)
    assert shared.over(sites, weight) is shared.over(sites, weight.copy())
    assert np.array_equal(shared.over(sites, weight), one)
    assert not np.array_equal(shared.over(sites, weight / 2), shared.over(sites, 1 - weight))


def test_ranks_are_by_area_with_ties_shared():
    onset = exact_map([[1.0, 2.0, 2.0], [np.nan, 3.0, 9.0]])
    film = np.array([[True, True, True], [True, True, False]])
    found = rank_map(onset, film)
    assert found[0].tolist() == pytest.approx([0.125, 0.5, 0.5])
    assert found[1, 1] == pytest.approx(0.875)
    assert np.isnan(found[1, [0, 2]]).all()


def test_sites_without_an_onset_are_left_out_and_counted():
    rng = np.random.default_rng(1)
    times = 100 * smooth_ranks(rng)
    times[:20] = np.nan
    sites = np.vstack([anywhere(rng, 20) * [0.8, 1] + [22, 0], [[5, 5], [10, 60], [500, 3]]])
    sites = np.clip(sites, -0.4, 1e3)
    sites[:20] = np.clip(sites[:20], 21, SIDE - 1)
    found = site_ranks(exact_map(times), sites, ALL, n=99)
    assert found.n_left_out == 3
    assert len(found.ranks) == 20
    assert found.reason == "3 sites without an onset are left out"
    assert 0 < found.p_value <= 1
    outer = (found.ranks < 0.2) | (found.ranks > 0.8)
    assert found.share_outer == pytest.approx(outer.mean())
    middle = (found.ranks > 0.4) & (found.ranks <= 0.6)
    assert found.curve.observed[20] == pytest.approx(5 * middle.mean())
    assert found.curve.expected == pytest.approx(np.ones(41), abs=0.6)


def test_uniform_steps_and_few_sites_have_a_reason_and_no_number():
    rng = np.random.default_rng(2)
    flat = exact_map(np.full((SIDE, SIDE), 5.0), sd_s=1.0)
    found = site_ranks(flat, anywhere(rng, 20), ALL)
    assert found.reason.startswith("the step is uniform")
    few = site_ranks(exact_map(100 * smooth_ranks(rng)), anywhere(rng, 4), ALL)
    assert few.reason == "fewer than 5 sites have an onset"
    for one in (found, few):
        assert np.isnan([one.p_value, one.p_outer, one.share_outer]).all()
        assert one.curve is None


def test_density_against_a_plain_count():
    ranks = np.random.default_rng(0).uniform(size=(4, 31))
    low, high = np.clip(RANKS - WINDOW / 2, 0, 1), np.clip(RANKS + WINDOW / 2, 0, 1)
    inside = (ranks[:, np.newaxis] > low[:, np.newaxis]) & (
        ranks[:, np.newaxis] <= high[:, np.newaxis]
    )
    assert rank_density(ranks) == pytest.approx(inside.mean(axis=2) / (high - low))


def test_p_is_under_5_percent_just_where_the_curve_leaves_the_band():
    rng = np.random.default_rng(4)
    left = []
    for _ in range(400):
        curves = np.cumsum(rng.standard_normal((100, 12)), axis=1)
        found = global_envelope(curves[0], curves[1:])
        outside = ((found.observed < found.low) | (found.observed > found.high)).any()
        assert outside == (found.p_value <= 0.05)
        left.append(outside)
    assert np.mean(left) == pytest.approx(0.05, abs=0.03)


def test_ties_are_ordered_and_p_counts_the_observed():
    values, ties = np.array([2.0, 2.0, 2.0, 5.0, 1.0]), np.array([3.0, 4.0, 1.0, 0.0, 9.0])
    assert upper_p(values, ties) == pytest.approx(3 / 5)  # itself, 5 and the tie of 4
    assert two_sided_p(values, ties) == 1.0
    assert two_sided_p(np.arange(1000.0), np.zeros(1000)) == pytest.approx(2 / 1000)


def with_sites(strengths):
    rng = np.random.default_rng(0)
    change = 0.01 * rng.standard_normal((240, 240)).astype(np.float32)
    y, x = np.mgrid[:240, :240]
    centres = np.array([[30, 30], [90, 170], [150, 40], [210, 190], [60, 100], [120, 90]])
    for (cy, cx), strength in zip(centres, strengths, strict=True):
        change += (strength * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 32)).astype(np.float32)
    y_um, x_um = 0.1 * centres.T
    return change, pd.DataFrame({"y_um": y_um, "x_um": x_um, "radius_um": 0.47})


def test_detectability_is_what_the_detection_finds():
    film = np.ones((240, 240), bool)
    film[:10] = False
    strong, sites = with_sites([0.3] * 6)
    found = detectability(strong, sites, film, 0.1)
    assert (found[~film] == 0).all()
    assert found[20:].mean() > 0.9
    assert found.max() <= 1.01
    assert np.array_equal(found, detectability(strong, sites, film, 0.1))
    mixed, sites = with_sites([0.3, 0.02, 0.3, 0.02, 0.3, 0.02])  # half under min_contrast
    assert detectability(mixed, sites, film, 0.1)[20:].mean() == pytest.approx(0.5, abs=0.12)
    assert np.array_equal(detectability(strong, sites.iloc[:0], film, 0.1), film)


def test_some_of_many_sites_tell_how_sure_the_detection_is(monkeypatch):
    rng = np.random.default_rng(2)
    change = 0.01 * rng.standard_normal((300, 340)).astype(np.float32)
    centres = np.stack(np.meshgrid(np.arange(15, 300, 30), np.arange(15, 340, 30)), -1)
    centres = centres.reshape(-1, 2)
    steps = np.mgrid[-12:13, -12:13]
    disc = np.exp(-(steps**2).sum(axis=0) / 32)
    for y, x in centres:
        change[y - 12 : y + 13, x - 12 : x + 13] += (rng.uniform(0.1, 0.3) * disc).astype(
            np.float32
        )
    sites = pd.DataFrame(0.1 * centres, columns=["y_um", "x_um"]).assign(radius_um=0.47, snr=80.0)
    film = np.ones(change.shape, bool)
    args = change, sites, film, 0.1, 4.7, None
    whole = detecting._as_sure(*args).min_snr
    monkeypatch.setattr(detecting, "SIDE_PX", 100)
    monkeypatch.setattr(detecting, "ENOUGH_SITES", 25)
    looked_at = list(detecting._windows(centres.astype(float), film.shape, 20))
    assert 25 <= sum(len(own) for _, own in looked_at) < len(centres) / 2
    for (rows, columns), own in looked_at:
        y, x = centres[own].T
        assert ((rows.start <= y) & (y < rows.stop) & (columns.start <= x)).all()
        assert (x < columns.stop).all()
    assert whole < 5
    assert detecting._as_sure(*args).min_snr == pytest.approx(whole, rel=0.2)
