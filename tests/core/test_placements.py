"""Random placements of nucleation sites, and what they say of r."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from scipy.spatial.distance import pdist

from napari_lithium_alloy.core.complementarity import correlate
from napari_lithium_alloy.core.kernels.discs import disc_runs, paint_discs
from napari_lithium_alloy.core.placements import Placements, placed, site_placements
from napari_lithium_alloy.core.spot_masks import site_masks

SIZE_UM = 0.1


def sites_at(centres, radius_px=3.0, cycle=1):
    y, x = (SIZE_UM * np.asarray(centres, float)).T
    return pd.DataFrame({"cycle": cycle, "y_um": y, "x_um": x, "radius_um": SIZE_UM * radius_px})


def test_as_many_and_as_far_apart_on_the_film():
    rng = np.random.default_rng(0)
    valid = np.zeros((120, 150), bool)
    valid[20:110, 10:140] = True
    sites = placed(np.empty((0, 2)), np.argwhere(valid), rng)
    assert sites.shape == (0, 2)
    observed = np.array([[30.0, 30], [30, 42], [80, 100], [100, 60], [60, 120], [50, 70]])
    for _ in range(20):
        drawn = placed(observed, np.argwhere(valid), rng)
        assert drawn.shape == observed.shape
        assert pdist(drawn).min() >= 0.99 * 12
        assert valid[tuple(np.round(drawn).astype(int).T)].all()


def test_discs_are_those_of_the_mask_and_draws_are_seeded():
    valid = np.ones((60, 60), bool)
    sites = sites_at([[10, 10], [40, 30], [20, 45]])
    one, same = (site_placements(sites, valid, SIZE_UM, n=5)["cycle1_sites"] for _ in range(2))
    for runs, again in zip(one.runs, same.runs, strict=True):
        assert np.array_equal(runs, again)
    area = site_masks(sites, (60, 60), SIZE_UM)["cycle1_sites"].sum()
    assert np.mean([np.diff(runs).sum() for runs in one.runs]) == pytest.approx(area, rel=0.25)
    assert site_placements(sites, np.zeros((60, 60), bool), SIZE_UM)["cycle1_sites"].runs == []


def painted(centres, radii, shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    near = [
        (rows - y) ** 2 + (columns - x) ** 2 <= r**2
        for (y, x), r in zip(centres, radii, strict=True)
    ]
    return np.any(near, axis=0)


def test_discs_that_overlap_count_each_pixel_once_in_any_part_of_the_field():
    rng = np.random.default_rng(3)
    shape, radii = (50, 70), rng.uniform(1, 9, 40)
    centres = rng.uniform((-2, -2), (52, 72), (40, 2))
    inside = painted(centres, radii, shape)
    mask = np.zeros(shape, np.float32)
    paint_discs(centres, radii, mask)
    assert np.array_equal(mask > 0, inside)
    runs = disc_runs(centres, radii, shape)
    listed = np.concatenate([np.arange(a, b) for a, b in runs])
    assert np.array_equal(listed, np.flatnonzero(inside))
    image = rng.normal(0, 1, shape)
    part = np.s_[7:31, 12:60]
    sums = Placements(runs=[runs], width=70).sums(image[part], (7, 12))
    assert sums == pytest.approx([image[part][inside[part]].sum()])


def p_of(seed, follow):
    """p of 25 sites on a smooth map, anywhere or where it is high."""
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.standard_normal((160, 160)), 8.0)[20:-20, 20:-20]
    valid = np.ones(image.shape, bool)
    centres = placed(rng.uniform(0, 120, (25, 2)), np.argwhere(valid), rng)
    if follow:
        high = np.argwhere(image > np.quantile(image, 0.7))
        centres = high[rng.choice(len(high), 25, replace=False)].astype(float)
    sites = sites_at(centres)
    mask = site_masks(sites, image.shape, SIZE_UM)["cycle1_sites"]
    draws = site_placements(sites, valid, SIZE_UM, n=99, seed=seed)["cycle1_sites"]
    return correlate(image, mask, placements=draws).p_placement


def test_sites_anywhere_pass_as_chance_and_sites_on_the_map_do_not():
    unrelated = np.array([p_of(seed, follow=False) for seed in range(120)])
    assert 0.0 <= (unrelated <= 0.05).mean() <= 0.11
    assert np.mean(unrelated) == pytest.approx(0.5, abs=0.1)
    related = np.array([p_of(seed, follow=True) for seed in range(20)])
    assert (related <= 0.05).mean() >= 0.9


def test_maps_without_sites_have_no_placement():
    rng = np.random.default_rng(0)
    a, b = (ndimage.gaussian_filter(rng.standard_normal((60, 60)), 2.0) for _ in range(2))
    assert np.isnan(correlate(a, b).p_placement)
