"""Light in sites' apertures against plain numpy, site by site."""

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core.kernels.lane_medians import middle_of
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import MappedLight
from napari_lithium_alloy.core.site_apertures import (
    BLUR_PX,
    CORE_RADIUS_PX,
    LEAST_RING,
    MEAN_OVER_MEDIAN,
    SiteLight,
    apertures_at,
    sorting_pairs,
)

SHAPE = (60, 90)
CENTRES = np.array([[20.3, 20.8], [25.0, 27.5], [58.9, 70.0], [-1.0, 50.0], [40.0, 40.0]])
RADII = np.array([4.0, 5.5, 3.0, 2.0, 6.2])


def recording(dtype=np.uint16):
    rng = np.random.default_rng(5)
    counts = rng.integers(80, 900, (12, *SHAPE)).astype(dtype)
    return recording_of(counts)


def kind(apertures, name):
    k = ("ring", "core", "inner", "disc").index(name)
    return [apertures.at[a:b] for a, b in zip(*apertures.begin[:, k : k + 2].T, strict=True)]


def disc(centre, radius):
    y, x = np.clip(centre, 0, np.array(SHAPE) - 1)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = np.hypot(rows - y, columns - x) <= radius
    inside[round(y), round(x)] = True
    return inside


def test_apertures_are_discs_of_which_each_pixel_is_the_nearest_sites():
    found = apertures_at(CENTRES, RADII, SHAPE)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    away = np.hypot(rows[None] - CENTRES[:, 0, None, None], columns - CENTRES[:, 1, None, None])
    nearest = away.argmin(axis=0)
    for i, (centre, radius) in enumerate(zip(CENTRES, RADII, strict=True)):
        inner = max(CORE_RADIUS_PX, radius / 2)
        assert set(kind(found, "core")[i]) == set(np.flatnonzero(disc(centre, CORE_RADIUS_PX)))
        assert set(kind(found, "inner")[i]) == set(np.flatnonzero(disc(centre, inner)))
        own = disc(centre, radius + BLUR_PX) & (nearest == i)
        assert set(kind(found, "disc")[i]) == set(np.flatnonzero(own))


def expected(cell, apertures, first, frames, polarity, dark):
    start = np.mean([cell.read(t) for t in first], axis=0) - dark
    start = np.maximum(start, 0.5).ravel()
    out = np.empty((4, len(frames), len(CENTRES)))
    for k, t in enumerate(frames):
        change = np.maximum(cell.read(t).astype(float) - dark, 0.5).ravel() / start
        rings = np.array([change[p] for p in kind(apertures, "ring")])
        beside = np.where(apertures.free, rings, np.nan)
        for i in range(len(CENTRES)):
            few = apertures.free[i].sum() < LEAST_RING
            film = np.nanmedian(beside if few else beside[i])
            floor = MEAN_OVER_MEDIAN * np.median(np.abs(1 - rings[i] / film))
            for j, name in enumerate(("core", "inner", "disc")):
                loss = 1 - change[kind(apertures, name)[i]] / film
                size = (np.abs(loss) - floor).mean()
                signed = -loss.mean() if polarity == "brightens" else loss.mean()
                out[j, k, i] = size if polarity == "either" else signed
            out[3, k, i] = change[kind(apertures, "core")[i]].mean()
    return out


@pytest.mark.parametrize("polarity", ["auto", "brightens", "either"])
def test_losses_are_numpys(polarity):
    cell, frames, first = recording(), np.arange(3, 12), np.arange(3)
    apertures = apertures_at(CENTRES, RADII, SHAPE)
    light = SiteLight(cell, apertures, 30.0, first)
    found = finish(light.losses(frames, polarity))
    wanted = expected(cell, apertures, first, frames, polarity, 30.0)
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_dim_light_of_steadied_counts_is_a_share_of_the_mean():
    counts = np.full((3, *SHAPE), 40000, np.uint16)
    counts[2, 38:43, 38:43] = 31
    cell = recording_of(counts.astype(np.float32))
    factor = np.array([1, 1, 0.5], np.float32)
    steadied = MappedLight(counts=counts, dark=30.0, factor=factor)
    apertures = apertures_at(CENTRES, RADII, SHAPE)
    light = SiteLight(cell.replace(steadied=steadied), apertures, 0.0, [0, 1])
    found = finish(light.losses([1, 2], "auto"))
    at = counts[2].ravel()[apertures.at]
    least = 1e-4 * np.abs((at - 30.0) * 0.5).mean()
    assert least > 0.5
    assert found[0, 1, 4] == pytest.approx(1 - least / (39970 * 0.5))
    assert found[0, :, 0] == pytest.approx(0, abs=1e-12)


def test_where_a_ring_holds_hardly_any_film_that_of_all_rings_counts():
    crowd = np.array([[30.0, 30.0], [30.0, 41.0], [30.0, 19.0], [41.0, 30.0], [19.0, 30.0]])
    radii = np.array([1.0, 6.0, 6.0, 6.0, 6.0])
    apertures = apertures_at(crowd, radii, SHAPE)
    assert apertures.free[0].sum() < LEAST_RING
    counts = np.full((4, *SHAPE), 1000.0)
    counts[2:, 24:37, 24:37] = 500
    found = finish(SiteLight(recording_of(counts), apertures, 0.0, [0, 1]).losses([2, 3], "auto"))
    assert found[0, :, 0] == pytest.approx(0.5)


def test_pixels_without_light_make_their_sites_unknown_and_no_others():
    cell = recording(np.float32)
    counts = np.array([cell.read(t) for t in range(12)])
    counts[8, 38:43, 38:43] = np.nan
    apertures = apertures_at(CENTRES, RADII, SHAPE)
    found = finish(SiteLight(recording_of(counts), apertures, 0.0, [0, 1]).losses([8], "auto"))
    assert np.isnan(found[:, 0, 4]).all()
    assert np.isfinite(found[:, 0, :4]).all()


@pytest.mark.parametrize("n", [2, 7, 64])
def test_pairs_put_in_order_sort(n):
    values = np.random.default_rng(n).integers(0, 30, (200, n))
    wanted = np.sort(values, axis=1)
    for i, j in sorting_pairs(n):
        values[:, i], values[:, j] = np.sort(values[:, [i, j]], axis=1).T
    assert np.array_equal(values, wanted)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 64])
def test_the_middle_is_the_median(n):
    for seed in range(20):
        values = np.random.default_rng(seed).integers(0, 12, 70).astype(float)
        wanted = np.median(values[:n]) if n else np.nan
        assert middle_of(values.copy(), n) == pytest.approx(wanted, nan_ok=True)
