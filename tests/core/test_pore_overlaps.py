"""Do pores lie on earlier ones? Planted places, and p of places that know nothing of each other."""

import numpy as np
import pytest
from scipy import ndimage, stats

from napari_lithium_alloy.core import pore_overlaps as overlaps
from napari_lithium_alloy.core.pore_overlaps import pore_overlaps
from napari_lithium_alloy.core.tables import TABLES

SHAPE = (100, 110)
EVERYWHERE = np.ones(SHAPE, bool)
ROUND = np.hypot(*np.ogrid[-50:50, -55:55]) < 50


def pattern(rng, n, film=EVERYWHERE):
    """Labels of up to n discs on the film, at random but apart from each other."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    centres, radii = rng.uniform([0, 0], SHAPE, (8 * n, 2)), rng.uniform(1.5, 4, 8 * n)
    apart = np.hypot(*(centres[:, None] - centres).T) > radii[:, None] + radii + 1
    labels, taken = np.zeros(SHAPE, int), []
    for k, centre in enumerate(centres):
        if len(taken) < n and film[tuple(centre.astype(int))] and apart[k, taken].all():
            taken.append(k)
            disc = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radii[k] ** 2
            labels[disc & film] = len(taken)
    return labels


def rows(ends, new=None, sites=None, film=EVERYWHERE, **more):
    table = pore_overlaps(ends, new or {}, sites or {}, film, **more)
    assert list(table.columns) == list(TABLES["pore_overlaps"])
    return table.set_index(["cycle", "over"])


def test_pores_that_stay_where_they_are_overlap_all_and_not_by_chance():
    before = pattern(np.random.default_rng(1), 12)
    row = rows({0: np.zeros(SHAPE, int), 1: before, 2: before}).loc[(2, "pores before")]
    assert row["fraction"] == 1
    assert row["n_overlapping"] == row["n_pores"] == 12
    assert row["p_value"] <= 0.002
    assert row["null_high"] < 0.6
    assert row["null_low"] <= row["null_mean"] <= row["null_high"]


@pytest.mark.parametrize(("over", "other"), [("sites", "sites before"), ("sites before", "sites")])
def test_new_pores_at_sites_are_told_from_new_pores_elsewhere(over, other):
    rng = np.random.default_rng(2)
    here = pattern(rng, 12)
    elsewhere = pattern(rng, 12, ndimage.distance_transform_edt(here == 0) > 5)
    sites = dict(zip((over, other), (here > 0, elsewhere > 0), strict=True))
    masks = {1: sites["sites before"], 2: sites["sites"]}
    pores = np.roll(here, 1, axis=1)
    pores[:, 0] = 0
    table = rows({1: np.zeros(SHAPE, int), 2: pores}, {2: set(range(1, 13))}, masks)
    assert table.loc[(2, over), "fraction"] == 1
    assert table.loc[(2, over), "p_value"] <= 0.01
    assert table.loc[(2, other), "fraction"] < 0.2
    assert table.loc[(2, other), "p_value"] > 0.2
    assert table.loc[(2, over), "pores"] == "new"


@pytest.mark.parametrize(
    ("n_pores", "n_before", "film"),
    [(8, 8, EVERYWHERE), (40, 40, EVERYWHERE), (30, 30, ROUND)],
    ids=["sparse", "dense", "round film"],
)
def test_places_that_know_nothing_of_each_other_pass_by_chance_only(
    monkeypatch, n_pores, n_before, film
):
    monkeypatch.setattr(overlaps, "DRAWS", 99)
    found = []
    for seed in range(50):
        rng = np.random.default_rng([seed, n_pores, n_before])
        ends = {0: pattern(rng, n_before, film), 1: pattern(rng, n_pores, film)}
        found.append(rows(ends, film=film, seed=seed).loc[(1, "pores before")])
    p, share, null = (
        np.array([row[c] for row in found], float) for c in ("p_value", "fraction", "null_mean")
    )
    for level in (0.05, 0.2):  # not above nominal, by a one-sided binomial test
        passed = int((p <= level).sum())
        assert stats.binomtest(passed, len(p), level, alternative="greater").pvalue > 0.01
    # Nor so seldom that nothing would be found: shares are few, so p is above uniform at most.
    assert (p <= 0.5).mean() > 0.25
    assert null.mean() == pytest.approx(share.mean(), abs=4 * share.std() / np.sqrt(len(p)))


def test_what_cannot_be_told_has_a_reason_and_no_value():
    few, some = pattern(np.random.default_rng(3), 2), pattern(np.random.default_rng(4), 6)
    found = rows({0: some, 1: few}).loc[(1, "pores before")]
    assert found["reason"] == "fewer than 3 pores"
    assert np.isnan(found["fraction"])
    nothing = rows({1: some}, {1: {1, 2, 3}})
    assert set(nothing["reason"]) == {"nothing to overlap"}
    assert nothing["p_value"].isna().all()
    sliver = np.zeros(SHAPE, bool)
    sliver[40:44] = True
    on_sliver = np.where(sliver, np.arange(SHAPE[1]) // 12 + 1, 0)
    filled = rows({0: some, 1: on_sliver}, film=sliver).loc[(1, "pores before")]
    assert filled["fraction"] >= 0
    assert len(pore_overlaps({0: some}, {}, {}, EVERYWHERE)) == 0


def test_equal_seeds_give_equal_tables():
    rng = np.random.default_rng(5)
    ends = {0: pattern(rng, 10), 1: pattern(rng, 10)}
    one, same, other = (rows(ends, seed=s).loc[(1, "pores before")] for s in (0, 0, 1))
    assert one.equals(same)
    assert one["null_mean"] == pytest.approx(other["null_mean"], abs=0.03)
