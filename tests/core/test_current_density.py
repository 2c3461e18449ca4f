"""The current density a recording was made at."""

import math

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core.current_density import current_density
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.galvanostatic import Film, PotentialCurve

FILM = Film(metal="Au", thickness_nm=14.0, area_cm2=0.0706858)


def cell(current_ma, times_s=None, film=FILM):
    n = len(current_ma)
    times_s = np.arange(n, dtype=float) if times_s is None else times_s
    curve = PotentialCurve(
        times_s=times_s, potential_v=np.zeros(n), current_ma=np.asarray(current_ma, float)
    )
    recording = recording_of(np.zeros((2, 2, 2)))
    return Experiment(name="c", recordings=(recording,), film=film, potential=curve)


def test_it_is_that_of_the_first_lithiation():
    """The paper's 35.3 uA on a disc of 3 mm, then a faster delithiation."""
    current = [0, 0, *[-0.0353] * 50, 0, 0, *[-0.0353] * 50, *[0.2] * 80, *[-0.3] * 500]
    assert current_density(cell(current)).value_ma_cm2 == pytest.approx(0.4994, rel=1e-3)
    assert current_density(cell(-np.array(current))).value_ma_cm2 == pytest.approx(0.4994, rel=1e-3)


def test_points_count_by_the_time_they_stand_for():
    """A cycler writes many points where the potential jumps."""
    times = np.concatenate([np.linspace(0, 0.1, 50), np.arange(1, 100)])
    current = np.concatenate([np.full(50, 0.06), np.full(99, 0.07)])
    assert current_density(cell(current, times)).value_ma_cm2 == pytest.approx(0.07 / 0.0706858)


@pytest.mark.parametrize(
    ("experiment", "why"),
    [
        (cell([0.0] * 5), "no current flows"),
        (cell([0.01] * 50 + [0.1] * 50), "not constant"),
        (cell([0.1] * 5, film=None), "film is not known"),
        (cell([0.1] * 5).replace(potential=None), "no current in its potential"),
    ],
)
def test_what_has_none_says_why(experiment, why):
    found = current_density(experiment)
    assert math.isnan(found.value_ma_cm2)
    assert why in found.reason
