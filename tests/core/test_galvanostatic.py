"""Faraday's law with the paper's numbers, and the link of the two clocks."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment, Optics
from napari_lithium_alloy.core.galvanostatic import (
    Film,
    PotentialCurve,
    capacity_mah_cm2,
    li_content,
)
from napari_lithium_alloy.core.stages import Stage

GOLD = Film(metal="Au", thickness_nm=14.0, area_cm2=math.pi * 0.15**2)
CURRENT_MA = 0.0353


def square_wave(sign=1, offset_s=0.0, rest_s=10.0):
    """Rest, lithiation to 110 s, delithiation to 190 s; linear in 0.1 s steps."""
    times = np.arange(0, 1901) / 10
    current = np.where(times < rest_s, 0, np.where(times < 110, CURRENT_MA, -CURRENT_MA))
    return PotentialCurve(
        times_s=times + offset_s,
        potential_v=-sign * times / 1000,
        current_ma=sign * current,
        clock_offset_s=offset_s,
    )


def test_rate_of_the_papers_gold_film():
    assert GOLD.li_content_rate(CURRENT_MA) == pytest.approx(0.0377, abs=5e-5)
    assert GOLD.li_content_rate(-CURRENT_MA) == GOLD.li_content_rate(CURRENT_MA)


def test_x_of_the_papers_bounds():
    x = li_content(square_wave(), GOLD, np.array([14.4 + 40.6, 14.4 + 71.3]), origins_s=[14.4])
    assert x == pytest.approx([1.53, 2.69], abs=0.005)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_convention_and_the_clock_do_not_matter(sign):
    plain = li_content(square_wave(), GOLD, np.arange(0.0, 190, 7), origins_s=[20.0])
    other = li_content(square_wave(sign, 33.0), GOLD, np.arange(0.0, 190, 7), origins_s=[20.0])
    assert np.allclose(plain, other, equal_nan=True)


def test_x_rises_falls_and_is_not_known_before_its_origin():
    x = li_content(square_wave(), GOLD, np.array([19.9, 20, 109, 111, 150]), origins_s=[20.0])
    assert math.isnan(x[0])
    assert x[1] == 0
    assert x[2] == pytest.approx(89 * 0.0377, rel=2e-3)
    assert x[4] == pytest.approx(50 * 0.0377, rel=5e-3)


def test_each_cycle_counts_from_its_own_origin_and_not_beside_the_curve():
    x = li_content(square_wave(), GOLD, np.array([50.0, 60, 70, 500]), origins_s=[60.0, 30.0])
    assert x[:3] == pytest.approx(GOLD.li_content_rate(CURRENT_MA) * np.array([20, 0, 10]))
    assert math.isnan(x[3])


def test_coulombic_efficiency_scales_x():
    times = np.array([100.0])
    whole, most = (
        li_content(
            square_wave(),
            dataclasses.replace(GOLD, coulombic_efficiency=e),
            times,
            origins_s=[20.0],
        )
        for e in (1.0, 0.9)
    )
    assert most == pytest.approx(0.9 * whole)


def test_without_current_or_origin_x_is_not_known():
    silent = PotentialCurve(times_s=np.arange(3.0), potential_v=np.zeros(3))
    assert np.isnan(li_content(silent, GOLD, np.arange(3.0), origins_s=[0.0])).all()
    assert np.isnan(li_content(square_wave(), GOLD, np.arange(3.0), origins_s=[])).all()
    assert silent.charge_mah() is None
    assert silent.current_starts_s() is None
    assert np.isnan(silent.current_at(np.arange(3.0))).all()
    assert math.isnan(capacity_mah_cm2(silent, GOLD, 0, 1))


def test_clock_link():
    curve = square_wave(offset_s=12.5)
    assert curve.recording_times_s[0] == 0
    assert curve.current_starts_s() == pytest.approx(10.0)
    assert curve.potential_at(np.array([50.0])) == pytest.approx([-0.05])
    assert np.isnan(curve.potential_at(np.array([-1.0, 191.0]))).all()


def test_capacity_is_charge_per_area_whichever_its_direction():
    ours = capacity_mah_cm2(square_wave(), GOLD, 20, 92)
    assert ours == pytest.approx(CURRENT_MA * 72 / 3600 / GOLD.area_cm2)
    assert capacity_mah_cm2(square_wave(), GOLD, 112, 184) == pytest.approx(ours)


@given(st.floats(1, 500), st.floats(1e-4, 10), st.floats(1e-4, 100))
def test_rate_is_inverse_to_the_amount_of_metal(thickness_nm, area_cm2, current_ma):
    film = Film(metal="Ag", thickness_nm=thickness_nm, area_cm2=area_cm2)
    moles = 10.49 * thickness_nm * 1e-7 * area_cm2 / 107.868
    assert film.metal_mol == pytest.approx(moles)
    seconds_to_one = 1 / film.li_content_rate(current_ma)
    assert seconds_to_one * current_ma * 1e-3 == pytest.approx(96485.33212 * moles)


def test_any_metal_whose_density_and_mass_are_given():
    film = Film(
        metal="Cu", thickness_nm=10, area_cm2=1, density_g_cm3=8.96, molar_mass_g_mol=63.546
    )
    assert film.metal_mol == pytest.approx(8.96e-6 / 63.546)
    with pytest.raises(AlloyError, match="Cu is not known: give density_g_cm3 and molar"):
        Film(metal="Cu", thickness_nm=10, area_cm2=1)


@pytest.mark.parametrize("key", ["thickness_nm", "area_cm2"])
def test_a_film_has_a_positive_size(key):
    with pytest.raises(AlloyError, match=key):
        Film(**({"metal": "Au", "thickness_nm": 14.0, "area_cm2": 0.07} | {key: -1.0}))


def test_origins_are_the_ends_of_sei_or_the_starts_of_step_one():
    def stage(kind, cycle, start_s, end_s, scope="cell"):
        return Stage(kind=kind, cycle=cycle, start_s=start_s, end_s=end_s, scope=scope)

    stages = (
        stage("SEI", 1, 5, 14.4),
        stage("alloying", 1, 17, 52),
        stage("alloying", 2, 300, 330),
        stage("alloying", 2, 290, 310, "field"),
    )
    experiment = Experiment(name="cell", recordings=(), stages=stages)
    assert experiment.origins_s() == [14.4, 300]
    assert experiment.current_starts_s() == 5
    assert experiment.replace(potential=square_wave()).current_starts_s() == pytest.approx(10)


def test_point_spread_from_the_objective():
    optics = Optics(numerical_aperture=0.9, wavelength_nm=550)
    assert optics.sigma_px(0.065) == pytest.approx(0.21 * 0.55 / 0.9 / 0.065)
    assert Optics(psf_sigma_px=1.3, numerical_aperture=0.9).sigma_px(None) == 1.3
    assert optics.sigma_px(None) is None
    assert Optics().sigma_px(0.065) is None


def test_x_scales_with_the_coulombic_efficiency_and_has_the_film_s_uncertainty():
    plain = Film(metal="Au", thickness_nm=14, area_cm2=0.0707)
    lossy = dataclasses.replace(
        plain, coulombic_efficiency=0.9, thickness_sd_nm=0.7, area_sd_cm2=0.00707 * 1.2
    )
    assert lossy.li_content_rate(0.0353) == pytest.approx(0.9 * plain.li_content_rate(0.0353))
    assert lossy.li_content_relative_sd == pytest.approx(np.hypot(0.05, 0.12))
    assert plain.li_content_relative_sd == 0
