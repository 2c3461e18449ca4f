"""Which pixels are one pore."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_lithium_alloy.core.pore_basins import edge_shares
from napari_lithium_alloy.core.pore_outlines import level_of, pore_labels
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.synthetic.fields import disc_coverage

PIXEL_UM = 0.065
SHAPE = (64, 64)
FILM = np.ones(SHAPE, bool)


def discs(*rows, sigma=1.3, noise=0.0, shape=SHAPE):
    share = ndimage.gaussian_filter(disc_coverage(shape, np.array(rows)).astype(float), sigma)
    return share + np.random.default_rng(0).normal(0, noise, shape)


def count(share, sigma=1.3, **changes):
    parameters = PoreParameters(**changes)
    film = np.ones(share.shape, bool)
    return pore_labels(share, film, parameters, PIXEL_UM, psf_sigma_px=sigma).max()


def pair(gap, radii=(4.0, 5.5), at=(31.3, 24.6), angle=0.7):
    apart = sum(radii) + gap
    there = np.add(at, (apart * np.sin(angle), apart * np.cos(angle)))
    return (*at, radii[0]), (*there, radii[1])


@given(
    st.floats(4, 9), st.floats(4, 9), st.floats(1.0, 2.2), st.floats(0, 6.28), st.floats(-0.5, 0.5)
)
@settings(max_examples=40, deadline=None)
def test_two_discs_are_one_from_when_they_touch(first, second, sigma, angle, dy):
    """Within a fifth of a pixel, whatever their sizes, places and blur."""
    shape = (96, 96)
    for gap, expected in ((0.2, 2), (-0.2, 1)):
        rows = pair(gap, (first, second), (47 + dy, 47 - dy), angle)
        assert count(discs(*rows, sigma=sigma, noise=0.002, shape=shape), sigma) == expected


def test_the_share_where_discs_touch_is_the_sharpened_one_there():
    """The closed form, against a picture ten times as fine."""
    fine, radius, sigma = 10, 4.0, 1.5
    size = 40 * fine
    rows = [((size - 1) / 2, (size - 1) / 2 + s * radius * fine, radius * fine) for s in (-1, 1)]
    share = disc_coverage((size, size), np.array(rows)).astype(float)
    smooth = ndimage.gaussian_filter(share, sigma * fine)
    sharp = smooth - (sigma * fine) ** 2 / 2 * ndimage.laplace(smooth)
    middle = sharp[size // 2 - 1 : size // 2 + 1, size // 2 - 1 : size // 2 + 1].mean()
    assert edge_shares(np.array([radius, radius]) / sigma).sum() == pytest.approx(middle, abs=0.003)
    assert edge_shares(np.array([1e4, 1e4]) / sigma).sum() == pytest.approx(1, abs=1e-3)


def test_what_was_one_pore_stays_one_until_it_clearly_parts():
    one = pore_labels(discs(*pair(-0.4)), FILM, PoreParameters(), PIXEL_UM)
    assert one.max() == 1
    for gap, expected in ((0.1, 1), (1.5, 2)):
        share = discs(*pair(gap))
        labels = pore_labels(share, FILM, PoreParameters(), PIXEL_UM, before=one)
        assert labels.max() == expected


@pytest.mark.parametrize("sigma", [1.3, 1.9, 2.5])
def test_the_smallest_pores_are_told_under_any_blur(sigma):
    """Of 0.05 um2, whose peak is at a quarter of the step to substrate at 2.5 px."""
    radius = np.sqrt(0.05 / np.pi) / PIXEL_UM
    share = discs((20.3, 20, radius), (44, 45.4, radius), sigma=sigma, noise=0.03)
    assert count(share, sigma) == 2


def test_unevenly_alloyed_film_is_no_pore():
    """A patch as bright as half the step with a soft edge, and noise."""
    patch = 0.5 * disc_coverage((160, 160), np.array([[80.0, 80, 40]]))
    share = ndimage.gaussian_filter(patch, 5.0)
    share = share - np.median(share) + np.random.default_rng(1).normal(0, 0.03, share.shape)
    assert count(share) == 0


@pytest.mark.parametrize("sigma", [1.3, 2.5])
def test_the_rim_of_a_dark_spot_is_no_pore(sigma):
    dark = -2.5 * discs((32, 32, 4.5), sigma=sigma)
    assert count(dark + np.random.default_rng(2).normal(0, 0.03, SHAPE), sigma) == 0


def test_round_spots_that_are_no_holes_are_left_out_but_not_where_most_are():
    """Thinned film, or dead lithium in epi; a crack may be as faint."""
    holes = discs((15, 15, 5), (15, 48, 4), (48, 48, 5), noise=0.01)
    thinned = 0.55 * discs((46, 16, 6))
    assert count(holes + thinned) == 3
    assert count(0.55 * holes) == 3
    crack = np.zeros(SHAPE)
    crack[30:32, 8:30] = 1
    assert count(holes + ndimage.gaussian_filter(crack, 1.3)) == 4


def test_a_manual_threshold_is_one_level_for_all():
    share = discs((20, 20, 6), (44, 44, 1.4))
    assert count(share, method="manual", threshold=0.3) == 2
    assert count(share, method="manual", threshold=0.6) == 1
    over = share > 0.6
    labels = pore_labels(
        share, FILM, PoreParameters(method="manual", threshold=0.6, hysteresis=1), PIXEL_UM
    )
    assert np.array_equal(labels > 0, over)
    spread = pore_labels(
        share, FILM, PoreParameters(method="manual", threshold=0.6, hysteresis=0.5), PIXEL_UM
    )
    expected = ndimage.binary_propagation(over, mask=share > 0.3, structure=np.ones((3, 3)))
    assert np.array_equal(spread > 0, expected)


def test_a_named_threshold_is_that_of_the_field():
    share = discs((20, 20, 6), (44, 44, 5), noise=0.01)
    parameters = PoreParameters(method="Otsu", hysteresis=1)
    level = level_of(share, FILM, parameters)
    assert 0.3 < level < 0.6
    assert np.array_equal(pore_labels(share, FILM, parameters, PIXEL_UM) > 0, share >= level)


def test_enclosed_pixels_belong_to_a_pore_on_request():
    ring = discs((32, 32, 14)) - discs((32, 32, 6))
    filled = pore_labels(ring, FILM, PoreParameters(), PIXEL_UM)
    open_ = pore_labels(ring, FILM, PoreParameters(fill_holes=False), PIXEL_UM)
    assert filled[32, 32] == 1
    assert open_[32, 32] == 0
    assert filled.max() == 1


def test_pores_are_parted_at_their_waists_on_request():
    share = discs(*pair(-3.0, (8.0, 7.0), (22, 22)))
    assert count(share) == 1
    assert count(share, split_touching=True) == 2
    assert count(discs((32, 32, 9)), split_touching=True) == 1


def test_nothing_outside_film_or_region_is_a_pore():
    share = discs((20, 20, 5), (44, 44, 5))
    left = FILM.copy()
    left[:, 32:] = False
    assert pore_labels(share, left, PoreParameters(), PIXEL_UM).max() == 1
    assert pore_labels(share, FILM, PoreParameters(), PIXEL_UM, where=left).max() == 1
    assert pore_labels(share, ~FILM, PoreParameters(), PIXEL_UM).max() == 0
