"""Onset times in x, % of the stage and % of the area, and the area against time."""

import numpy as np
import pytest
from planted import exact_map

from napari_lithium_alloy.core.alloyed_area import alloyed_fraction_table
from napari_lithium_alloy.core.colorcode import ColorCodeParameters, color_code, lut
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.time_scale import time_scale

STEP_1 = Stage(kind=StageKind.ALLOYING, step=1, cycle=2, start_s=0, end_s=40)
STEP_1_BACK = Stage(kind=StageKind.DEALLOYING, step=1, start_s=0, end_s=40)


@pytest.fixture(scope="module")
def onset():
    """Onsets of 10, 20, 30 and 40 s on a quarter of the field each, and a fifth row of none."""
    rows = np.repeat([[10.0], [20.0], [30.0], [40.0], [np.nan]], 4, axis=1)
    return exact_map(rows)


def test_seconds_are_seconds(onset):
    scale = time_scale(onset, STEP_1)
    assert scale.ends == (0, 40)
    assert (scale.unit, scale.label) == ("s", "Onset time (s)")
    assert scale.of(np.array([12.5, np.nan]))[0] == pytest.approx(12.5)
    assert np.isnan(scale.of(np.array([np.nan]))).all()


def test_percent_of_the_stage(onset):
    scale = time_scale(onset, STEP_1, "%")
    assert scale.ends == (0, 100)
    assert scale.of(np.array([10.0, 30.0])) == pytest.approx([25, 75])
    assert scale.label == "Onset time (% of step 1)"


def test_content_rises_or_falls(onset):
    coming = time_scale(onset, STEP_1, "x", lambda t: 0.5 + t / 80, "Au")
    assert coming.of(np.array([20.0])) == pytest.approx([0.75])
    assert "Au" in coming.label
    leaving = time_scale(onset, STEP_1_BACK, "x", lambda t: 1.5 - t / 40)
    assert leaving.ends == pytest.approx((1.5, 0.5))
    assert leaving.share(np.array([0.0, 10.0, 40.0])) == pytest.approx([0, 0.25, 1])


def test_before_its_count_starts_x_is_what_it_starts_from(onset):
    scale = time_scale(onset, STEP_1, "x", lambda t: np.where(t < 5, np.nan, t - 5))
    assert scale.of(np.array([0.0, 3.0, 15.0])) == pytest.approx([0.0, 0.0, 10.0], abs=0.1)


@pytest.mark.parametrize(
    "content", [None, lambda t: np.full(len(t), np.nan), lambda t: np.where(t > 30, np.nan, t)]
)
def test_where_x_is_not_known_the_scale_is_in_seconds(onset, content):
    assert time_scale(onset, STEP_1, "x", content).unit == "s"


def test_percent_of_the_area(onset):
    scale = time_scale(onset, STEP_1, "% alloyed")
    assert scale.ends == (0, 80)
    assert scale.of(np.array([15.0, 35.0])) == pytest.approx([20, 60])
    assert scale.unit == "% alloyed"
    back = time_scale(onset, STEP_1_BACK, "% alloyed")
    assert (back.unit, back.label) == ("% dealloyed", "Area dealloyed at onset (%)")
    nothing = exact_map(np.full((3, 3), np.nan))
    assert time_scale(nothing, STEP_1, "% alloyed").unit == "s"


def test_colours_are_spread_over_the_unit(onset):
    flat = ColorCodeParameters(flat=True)
    scale = time_scale(onset, STEP_1, "x", lambda t: (t / 40) ** 2)
    rgb = color_code(onset, flat, scale=scale)
    assert np.array_equal(rgb[1, 0], lut("viridis")[round(0.25 * 255)])
    plain = color_code(onset, flat)
    for legend in ("s", "%"):
        same = color_code(onset, flat, scale=time_scale(onset, STEP_1, legend))
        assert np.array_equal(same, plain)


def test_the_table_of_the_area_against_time(onset):
    times = np.arange(-5.0, 60, 5)
    table = alloyed_fraction_table({STEP_1: onset}, times, lambda t: t / 40)
    assert table["time_s"].tolist() == list(range(0, 45, 5))
    assert set(table["cycle"]) == {2}
    assert set(table["stage"]) == {"step1"}
    assert table["alloyed_fraction"].tolist() == pytest.approx(
        [0, 0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 0.8]
    )
    assert table["li_content_x"].tolist() == pytest.approx((table["time_s"] / 40).tolist())
    assert alloyed_fraction_table({STEP_1: onset}, times)["li_content_x"].isna().all()
    assert not len(alloyed_fraction_table({}, times))
