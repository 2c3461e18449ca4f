"""Pores of one picture: optical-equivalent areas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import recording_of
from scipy import ndimage

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.pore_outlines import pore_labels
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pore_support import Support
from napari_lithium_alloy.core.pores import (
    PoreOptics,
    estimate_substrate,
    hole_share,
    local_film,
    particles,
    pore_areas_px,
    pore_optics,
)
from napari_lithium_alloy.core.synthetic.fields import disc_coverage

PIXEL_UM = 0.065
SHAPE = (90, 100)
FILM = np.ones(SHAPE, bool)
DISCS = np.array([[20.0, 20, 6.0], [22, 70, 2.6], [60, 30, 3.4], [62.3, 75.8, 8.0]])
CIRCLES_PX = np.pi * DISCS[:, 2] ** 2


def holes(sigma_px=1.3, noise=0.0, discs=DISCS):
    """(Y, X) hole share of discs under a point spread."""
    share = ndimage.gaussian_filter(disc_coverage(SHAPE, discs).astype(float), sigma_px)
    return share + np.random.default_rng(0).normal(0, noise, SHAPE)


def optics(**more):
    given_ = {"flat": np.ones(SHAPE, np.float32), "dark": 0.0, "film": FILM}
    return PoreOptics(**(given_ | more))


@pytest.mark.parametrize("sigma_px", [0.8, 1.3, 2.0])
def test_areas_do_not_depend_on_blur(sigma_px):
    share = holes(sigma_px)
    labels = pore_labels(share, FILM, PoreParameters(), PIXEL_UM)
    areas = pore_areas_px(share, labels, sigma_px)
    assert np.sort(areas) == pytest.approx(np.sort(CIRCLES_PX), rel=0.01)


def test_areas_in_noise():
    share = holes(noise=0.03)
    labels = pore_labels(share, FILM, PoreParameters(), PIXEL_UM)
    assert pore_areas_px(share, labels, 1.3).sum() == pytest.approx(CIRCLES_PX.sum(), rel=0.04)


@given(st.floats(1.6, 9), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-0.05, 0.05))
@settings(max_examples=30, deadline=None)
def test_any_disc_wherever_it_lies_and_whatever_the_films_level(radius, dy, dx, level):
    share = holes(discs=np.array([[45 + dy, 50 + dx, radius]]))
    share = share * (1 - level) + level
    labels = pore_labels(share, FILM, PoreParameters(threshold=0.25), PIXEL_UM)
    assert labels.max() == 1
    assert pore_areas_px(share, labels, 1.3)[0] == pytest.approx(np.pi * radius**2, rel=0.04)


def test_a_film_without_pores_has_none():
    flat = np.random.default_rng(0).normal(0, 0.03, SHAPE)
    labels = pore_labels(flat, FILM, PoreParameters(), PIXEL_UM)
    assert labels.max() == 0
    assert pore_areas_px(flat, labels, 1.3).size == 0


def test_small_pores_and_those_outside_the_film_are_left_out():
    share = holes()
    few = pore_labels(share, FILM, PoreParameters(min_area_um2=0.4), PIXEL_UM)
    assert few.max() == 2
    left = FILM.copy()
    left[:, 50:] = False
    assert pore_labels(share, left, PoreParameters(), PIXEL_UM).max() == 2


def test_a_threshold_is_a_share():
    for threshold in (0.0, 1.0, 1.5):
        with pytest.raises(AlloyError, match="a share of the step from film to substrate"):
            PoreParameters(threshold=threshold)


def test_the_share_is_zero_for_film_and_one_for_a_hole():
    film = np.full(SHAPE, 0.6)
    assert hole_share(film, film, 2.0).max() == 0
    assert np.allclose(hole_share(np.full(SHAPE, 2.0), film, 2.0), 1)
    assert np.allclose(hole_share(np.full(SHAPE, 1.3), film, 2.0), 0.5)
    assert np.allclose(hole_share(np.full(SHAPE, 0.475), film, 0.35), 0.5)


def test_the_local_film_leaves_pores_out():
    x = np.arange(SHAPE[1]) * np.ones(SHAPE)
    level = 0.6 + 0.0005 * x
    noise = np.random.default_rng(0).normal(0, 0.01, SHAPE)
    for contrast, brighter in ((1.4, True), (-0.3, False)):
        seen = level + contrast * holes() + noise
        found = local_film(seen, FILM, 30, brighter=brighter)
        assert np.abs(found - level).max() < 0.012


@pytest.mark.parametrize(("substrate", "brighter"), [(2.0, True), (0.35, False)])
def test_the_substrate_is_told_from_the_largest_pores(substrate, brighter):
    film = np.full(SHAPE, 0.8)
    seen = film + (substrate - film) * holes()
    seen = seen + np.random.default_rng(0).normal(0, 0.01, SHAPE)
    found = estimate_substrate(seen, film, optics(), brighter=brighter)
    assert found == pytest.approx(substrate, rel=0.04)


def test_without_pores_the_substrate_is_not_known():
    flat = np.random.default_rng(0).normal(0.8, 0.01, SHAPE)
    assert np.isnan(estimate_substrate(flat, np.full(SHAPE, 0.8), optics(), brighter=True))


def test_optics_from_what_is_given_from_glass_or_not_at_all():
    light = np.full((4, *SHAPE), 1000.0)
    glass = np.zeros(SHAPE, bool)
    glass[:, 80:] = True
    light[:, glass] = 1900.0
    cell = recording_of(light + 100, dark_counts=100.0)
    reference = reference_frame(cell)
    film = ~glass

    def of(on_film=film, parameters=None, **more):
        return pore_optics(cell, reference, on_film, parameters or PoreParameters(), **more)

    given_ = of(substrate=2.2, psf_sigma_px=1.1)
    assert (given_.substrate, given_.psf_sigma_px) == (2.2, 1.1)
    assert "the one given" in given_.note
    assert of(parameters=PoreParameters(substrate=3.0), substrate=2.2).substrate == 3.0
    shown = of()
    assert shown.substrate == pytest.approx(1.9, rel=1e-3)
    assert "bare glass" in shown.note
    unknown = of(FILM)
    assert np.isnan(unknown.substrate)
    assert shown.brightness(np.full(SHAPE, 600.0))[5, 5] == pytest.approx(0.5)


def test_the_smallest_resolved_area_is_the_point_spreads():
    fwhm = 2.3548 * 1.3
    assert optics(psf_sigma_px=1.3).smallest_resolved_px == pytest.approx(
        np.pi * fwhm**2 / 4, rel=1e-4
    )


def test_particles_are_eight_connected():
    mask = np.zeros((10, 12), bool)
    mask[1, 1], mask[2, 2], mask[5, 5:8], mask[9, 11] = True, True, True, True
    table = particles(mask, 0.5)
    assert table["area_um2"].tolist() == [0.5, 0.75, 0.25]
    assert table["y_um"].tolist() == [0.75, 2.5, 4.5]
    assert table["x_um"].tolist() == [0.75, 3.0, 5.5]
    assert len(particles(np.zeros((5, 5), bool), 0.5)) == 0


def at_edge(labels, film):
    support = Support.of(labels, PoreOptics(flat=np.ones(SHAPE, np.float32), dark=0.0, film=film))
    return set(support.graph.of_picture(labels)[support.at_edge].tolist()) - {0}


def test_labels_at_the_edge_of_field_or_film():
    labels = np.zeros(SHAPE, np.int32)
    labels[0, 5:9], labels[40, 40], labels[50, 78:80] = 1, 2, 3
    film = FILM.copy()
    film[:, 80:] = False
    assert at_edge(labels, film) == {1, 3}
    assert at_edge(labels, FILM) == {1}
