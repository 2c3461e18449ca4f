"""Contour lines of onset maps at regular times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import exact_map

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.isochrones import (
    IsochroneParameters,
    isochrones,
    round_interval,
)


def cone(side=61):
    y, x = np.mgrid[:side, :side] - side // 2
    return 10 + np.hypot(y, x)


def test_lines_of_a_circular_front_are_circles():
    lines = isochrones(exact_map(cone()), IsochroneParameters(interval_s=5, smoothing_px=0))
    assert lines.times_s.tolist()[:5] == [15, 20, 25, 30, 35]
    for time, path in zip(lines.times_s, lines.paths_px, strict=True):
        radius = np.hypot(*(path - 30).T)
        assert radius == pytest.approx(time - 10, abs=0.15)
    assert (lines.paths_px[1][0] == lines.paths_px[1][-1]).all()  # closed


def test_smoothing_keeps_a_plane_front_where_it_is():
    x = np.mgrid[:40, :50][1]
    lines = isochrones(exact_map(20.0 + x), IsochroneParameters(interval_s=10))
    assert lines.times_s.tolist() == [30, 40, 50, 60]
    for time, path in zip(lines.times_s, lines.paths_px, strict=True):
        assert path[:, 1] == pytest.approx(time - 20, abs=0.01)


def test_lines_end_where_no_onset_is_known():
    onset = cone()
    onset[:, 25:36] = np.nan
    lines = isochrones(exact_map(onset), IsochroneParameters(interval_s=5))
    assert len(lines.paths_px) > 4
    for path in lines.paths_px:
        assert not ((path[:, 1] > 24) & (path[:, 1] < 36)).any()


def test_short_lines_are_left_out():
    onset = 10.0 + np.mgrid[:40, :40][1]
    onset[20, 4] = 60
    some = IsochroneParameters(interval_s=10, smoothing_px=0)
    assert len(isochrones(exact_map(onset), some).paths_px) == 4
    every = IsochroneParameters(interval_s=10, smoothing_px=0, least_length_px=0)
    assert len(isochrones(exact_map(onset), every).paths_px) > 4


@given(low=st.floats(0, 1000), span=st.floats(0.01, 1e5))
def test_the_interval_is_round_and_makes_about_eight_lines(low, span):
    interval = round_interval(low, low + span)
    mantissa = interval / 10 ** np.floor(np.log10(interval) + 1e-9)
    assert min(abs(mantissa - k) for k in (1, 2, 5)) < 1e-6
    assert 5 <= span / interval <= 12.7


def test_lines_are_not_nearer_than_onsets_are_sure():
    assert round_interval(0, 8, 0.7) == 1
    assert round_interval(0, 8, 1.2) == 2
    assert round_interval(0, 1, 30.0) == 50
    noise = isochrones(exact_map(np.full((50, 50), 20.0), 1.0))
    assert noise.interval_s == 5
    assert len(set(noise.times_s)) <= 1


def test_a_map_without_onsets_has_no_lines():
    lines = isochrones(exact_map(np.full((9, 9), np.nan)))
    assert (len(lines.times_s), len(lines.paths_px)) == (0, 0)
    assert not len(isochrones(exact_map(np.full((1, 9), 3.0))).paths_px)


def test_parameters_that_cannot_be_are_refused():
    with pytest.raises(AlloyError, match="interval is 0 s; give a positive one"):
        IsochroneParameters(interval_s=0.0)
    with pytest.raises(AlloyError, match="least_length_px is -1; give 0 or more"):
        IsochroneParameters(least_length_px=-1.0)
    with pytest.raises(AlloyError, match="more than 500 lines; give a longer interval"):
        isochrones(exact_map(cone()), IsochroneParameters(interval_s=0.01))
