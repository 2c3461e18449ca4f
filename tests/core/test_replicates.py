"""Means over replicate cells, against scipy and by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.replicates import cell_means, mean_of, replicate_means
from napari_lithium_alloy.core.study_series import against


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8))
def test_a_mean_has_scipys_interval(values):
    mean = mean_of(np.array(values))
    assert mean.n == len(values)
    assert mean.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert mean.sd == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    error = stats.sem(values)
    assert mean.standard_error == pytest.approx(error, abs=1e-9)
    if error > 1e-6:
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), error)
        assert (mean.low, mean.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)


def test_r_is_averaged_as_fishers_z():
    r = np.array([0.9, 0.5, 0.7, np.nan])
    mean = mean_of(r, correlation=True)
    z = np.arctanh(r[:3])
    assert mean.n == 3
    assert mean.mean == pytest.approx(np.tanh(z.mean())) != pytest.approx(0.7)
    low, high = np.tanh(stats.t.interval(0.95, 2, z.mean(), stats.sem(z)))
    assert (mean.low, mean.high) == pytest.approx((low, high))
    assert -1 < mean.low < mean.high < 1
    assert mean.scale == "Fisher z"
    assert mean.sd == pytest.approx(z.std(ddof=1))


def test_what_has_no_error_is_nan_with_its_reason():
    none, one = mean_of(np.array([np.nan])), mean_of(np.array([3.0, np.nan]))
    assert (none.n, none.reason) == (0, "no value")
    assert math.isnan(none.mean)
    assert (one.n, one.mean, one.reason) == (1, 3.0, "one cell has no error")
    assert all(math.isnan(v) for v in (one.sd, one.standard_error, one.low, one.high))
    perfect = mean_of(np.array([1.0, 0.5]), correlation=True)
    assert math.isnan(perfect.mean)
    assert "no Fisher's z" in perfect.reason


def rows():
    """Two cells at 0.5, of which A was seen twice, and one at 5."""
    made = [
        ("a1", "A", 0.5, 1, 1.0), ("a1", "A", 0.5, 1, 3.0), ("a2", "A", 0.5, 1, 8.0),
        ("b", "B", 0.5, 1, 11.0), ("c", "C", 5.0, 1, 7.0), ("c", "C", 5.0, 2, np.nan),
    ]  # fmt: skip
    columns = ["recording", "cell", "current_density_ma_cm2", "cycle", "radius_um"]
    frame = pd.DataFrame(made, columns=columns)
    return frame.astype({"recording": "string", "cell": "string", "cycle": "Int64"})


def test_rows_of_a_recording_and_recordings_of_a_cell_are_no_replicates():
    cells = cell_means(rows(), ["current_density_ma_cm2", "cycle"], "radius_um")
    first = cells[cells["cycle"] == 1].set_index("cell")
    assert first["radius_um"].to_dict() == {"A": 5.0, "B": 11.0, "C": 7.0}  # (2 + 8) / 2
    assert first["n_recordings"].to_dict() == {"A": 2, "B": 1, "C": 1}
    means = replicate_means(rows(), ["current_density_ma_cm2"], "sites", "radius_um")
    assert means["of"].tolist() == ["cycle 1", "cycle 1"]  # no cell has a value of cycle 2
    low = means.iloc[0]
    assert (low["n_cells"], low["n_recordings"], low["mean"]) == (2, 3, 8.0)
    assert low["standard_error"] == pytest.approx(3.0)
    assert means.iloc[1]["reason"] == "one cell has no error"


def test_a_missing_condition_is_a_group_of_its_own():
    frame = rows().astype({"current_density_ma_cm2": "float64"})
    frame.loc[3, "current_density_ma_cm2"] = np.nan
    means = replicate_means(frame, ["current_density_ma_cm2"], "sites", "radius_um")
    assert means["current_density_ma_cm2"].isna().sum() == 1
    assert means["n_cells"].tolist() == [1, 1, 1]


def test_words_have_no_mean():
    with pytest.raises(AlloyError, match="holds no numbers"):
        replicate_means(rows(), [], "sites", "cell")


def test_points_are_recordings_and_means_are_over_cells():
    shown = against(rows(), "current_density_ma_cm2", [], "radius_um")
    (series,) = shown.series
    assert dict(zip(series.recordings, series.y, strict=True)) == {
        "a1": 2.0, "a2": 8.0, "b": 11.0, "c": 7.0,
    }  # fmt: skip
    assert series.mean_x.tolist() == [0.5, 5.0]
    assert series.mean.tolist() == [8.0, 7.0]
    assert series.n_cells.tolist() == [2, 1]
    assert np.isnan(series.low[1])
    assert shown.logarithmic
    at = shown.point_places(0)
    assert shown.mean_places(0) == pytest.approx(np.log10([0.5, 5.0]))
    assert len(set(at.tolist())) == 4
    assert np.abs(at - np.log10(series.x)).max() < 0.05
    frame = rows().assign(salt=["x", "x", "x", "y", "x", "x"])
    assert [s.name for s in against(frame, "cycle", ["salt"], "radius_um").series] == ["x", "y"]
    words = against(frame, "salt", [], "radius_um")
    assert words.ticks == {0.0: "x", 1.0: "y"}
    assert not words.logarithmic
    assert against(frame.iloc[:0], "salt", [], "radius_um").series == []
