"""Where there is film."""

import numpy as np
import pytest
from scipy import ndimage

from napari_lithium_alloy.core.field import _without_specks, film_mask, tile_medians
from napari_lithium_alloy.core.synthetic import au_parameters, make_recording

Y, X = np.mgrid[:120, :140]
NOISE = np.random.default_rng(0).normal(0, 20, Y.shape)
FALLOFF = 1 - 0.3 * np.hypot(Y - 60, X - 70) ** 2 / 92**2


def picture(bright, ratio=2.0):
    light = ndimage.gaussian_filter(np.where(bright, ratio, 1.0), 1.3)
    return 1000 * FALLOFF * light + NOISE


def test_bare_glass_at_an_edge_is_no_film():
    for glass in (X > 115, Y < 20, X + Y > 200):
        film = film_mask(picture(glass))
        margin = ndimage.binary_dilation(glass, iterations=9)
        assert not film[glass].any()
        assert film[~margin].all()


def test_film_everywhere_is_film_everywhere():
    nothing = np.zeros(Y.shape, bool)
    assert film_mask(picture(nothing)).all()
    assert film_mask(1000 * FALLOFF**3 + NOISE).all()


def test_pores_are_film_also_at_an_edge():
    pores = (np.hypot(Y - 50, X - 60) < 8) | (np.hypot(Y - 100, X) < 4)
    assert film_mask(picture(pores)).all()


def test_where_nothing_is_known_there_is_no_film():
    light = picture(np.zeros(Y.shape, bool))
    light[:5, :7] = np.nan
    assert np.array_equal(film_mask(light), np.isfinite(light))
    assert not film_mask(np.full((30, 30), np.nan)).any()


@pytest.mark.parametrize("bare_glass_um", [0.0, 1.0, 2.5])
def test_the_glass_of_a_synthetic_recording_is_found(bare_glass_um):
    made = make_recording(
        au_parameters(shape=(96, 128), count=2, bare_glass_um=bare_glass_um, seed=3)
    )
    light = np.mean([made.trans.read(t) for t in range(5)], axis=0) - 100
    film, truth = film_mask(light), made.truth.film
    assert not (film & ~truth).any()
    missing = truth & ~film
    assert missing.sum(axis=1).max() <= 9
    if not bare_glass_um:
        assert film.all()


def test_tile_medians_follow_a_plane_and_skip_outliers_and_gaps():
    plane = 500 + 2.0 * X - 1.0 * Y
    spoiled = plane.copy()
    spoiled[30:34, 60:64] = 1e5
    spoiled[80:90, 20:29] = np.nan
    found = tile_medians(spoiled, 20)
    inside = np.s_[15:-15, 15:-15]
    assert np.abs(found - plane)[inside].max() < 12
    assert np.isfinite(found).all()


def test_tile_medians_of_little_are_their_median():
    assert np.array_equal(tile_medians(np.full((9, 9), 7.0), 50), np.full((9, 9), 7))
    nothing = tile_medians(np.full((30, 30), np.nan), 10)
    assert nothing.shape == (30, 30)
    assert np.isnan(nothing).all()
    one = np.full((30, 30), np.nan)
    one[3, 3] = 5
    assert np.array_equal(tile_medians(one, 10), np.full((30, 30), 5))


def test_medians_in_strips_are_those_of_the_whole_picture():
    image = np.random.default_rng(0).random((300, 41)).astype(np.float32)
    np.testing.assert_array_equal(_without_specks(image), ndimage.median_filter(image, 5))


@pytest.mark.parametrize("brightness", [1.15, 1.6, 3.0])
def test_glass_of_a_large_field_is_told_as_in_a_small_one(brightness):
    """Some of the pixels tell that there is none; all are looked at where there may be."""
    rng = np.random.default_rng(1)
    image = rng.normal(1000, 30, (1100, 1050)).astype(np.float32)
    image[:, 1000:] *= brightness
    film = film_mask(image)
    assert film[:, :990].all()
    assert film[:, 1005:].any() == (brightness < 1.3)
