"""Curves of regions, and what is read off them."""

import numpy as np
import pandas as pd
import pytest
from planted import recording_of

from napari_lithium_alloy.core.curves import (
    complete_curves,
    crossing_s,
    curve_summary,
    normalized,
    region_curves,
    suggest_regions,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import Film, PotentialCurve, li_content
from napari_lithium_alloy.core.onset import onset_map
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.tables import TABLES


def box(name, top, left, height, width):
    """The region that holds `height` rows and `width` columns of pixels from (top, left)."""
    y, x = top - 0.5, left - 0.5
    corners = [(y, x), (y, x + width), (y + height, x + width), (y + height, x)]
    return Region(name=name, vertices_px=np.array(corners))


def front(n_frames=60, shape=(20, 30), columns_per_s=0.5, amplitude=0.22, **more):
    """A film that alloys from left to right, a column's absorbance rising within 4 s."""
    times = np.arange(n_frames, dtype=float)
    onset = 8 + np.arange(shape[1]) / columns_per_s
    level = np.clip((times[:, None] - onset) / 4 + 0.5, 0, 1)
    absorbance = np.broadcast_to(amplitude * level[:, None, :], (n_frames, *shape))
    counts = 100 + 2000 * 10**-absorbance
    return recording_of(counts.astype(np.float32), dark_counts=100.0, **more), absorbance


def test_the_absorbance_of_a_half_alloyed_region_is_the_mean_of_its_pixels():
    counts = np.full((2, 4, 10), 1100.0)
    counts[1, :, 5:] = 100 + 1000 * 10**-0.22
    cell = recording_of(counts, dark_counts=100.0)
    table = finish(region_curves(cell, reference_frame(cell, current_starts_s=1.0)))
    last = table.iloc[1]
    assert last.absorbance == pytest.approx(0.110, abs=1e-5)
    assert -np.log10(last.transmittance) == pytest.approx(0.096, abs=3e-4)


def test_curves_are_the_means_of_the_pixels_inside():
    cell, absorbance = front()
    region = box("here", 3, 4, 5, 6)
    reference = reference_frame(cell, current_starts_s=3.0)
    table = finish(region_curves(cell, reference, [region]))
    assert table["region"].tolist() == ["field", "here"] * 60
    here, field = (table[table["region"] == name] for name in ("here", "field"))
    inside = (slice(None), slice(3, 8), slice(4, 10))
    counts = np.asarray(cell.frames)
    assert np.allclose(here["mean_counts"], counts[inside].mean(axis=(1, 2)))
    assert np.allclose(here["absorbance"], absorbance[inside].mean(axis=(1, 2)), atol=1e-5)
    assert np.allclose(field["absorbance"], absorbance.mean(axis=(1, 2)), atol=1e-5)
    assert np.allclose(
        here["transmittance"], (10 ** -absorbance[inside]).mean(axis=(1, 2)), atol=1e-5
    )
    assert here["relative_reflectance"].isna().all()


def test_pixels_outside_the_film_do_not_count():
    cell, absorbance = front()
    film = np.ones((20, 30), bool)
    film[:, 7:] = False
    reference = reference_frame(cell, current_starts_s=3.0)
    regions = [box("here", 3, 4, 5, 6), box("glass", 3, 20, 5, 6)]
    table = finish(region_curves(cell, reference, regions, valid=film, with_field=False))
    here, glass = (table[table["region"] == r.name] for r in regions)
    assert np.allclose(here["absorbance"], absorbance[:, 3:8, 4:7].mean(axis=(1, 2)), atol=1e-5)
    assert glass[["mean_counts", "transmittance", "absorbance"]].isna().all(axis=None)


def test_epi_curves_hold_reflectance_and_no_absorbance():
    cell, _ = front(n_frames=80, mode="epi")
    reference = reference_frame(cell, current_starts_s=3.0)
    table = finish(region_curves(cell, reference))
    assert table[["absorbance", "transmittance"]].isna().all(axis=None)
    assert table["relative_reflectance"].iloc[0] == pytest.approx(1)
    stage = Stage(kind="alloying", start_s=2, end_s=79)
    whole = complete_curves(table, [stage])
    inside = whole[whole["stage"] == "step1"]["normalized_absorbance"]
    assert inside.iloc[0] == pytest.approx(0, abs=0.01)
    assert inside.iloc[-1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("mode", "expected"), [("trans", 0.11), ("epi", 0.2533 * 0.8013)])
def test_the_spread_of_a_half_alloyed_region(mode, expected):
    counts = np.full((2, 4, 10), 1100.0)
    counts[1, :, 5:] = 100 + 1000 * 10**-0.22
    cell = recording_of(counts, dark_counts=100.0, mode=mode)
    reference = reference_frame(cell, current_starts_s=1.0)
    spread = finish(region_curves(cell, reference, with_spread=True))["spread"]
    assert spread.to_list() == pytest.approx([np.nan, expected], abs=1e-3, nan_ok=True)


def test_two_regions_of_one_name_are_refused():
    cell, _ = front(n_frames=8)
    twice = [box("here", 0, 0, 2, 2), box("here", 5, 5, 2, 2)]
    with pytest.raises(AlloyError, match="Two regions have the same name"):
        finish(region_curves(cell, reference_frame(cell), twice))


def test_the_whole_table_has_stage_potential_and_x_beside_each_frame():
    cell, _ = front()
    curve = PotentialCurve(
        times_s=np.arange(100.0),
        potential_v=-np.arange(100.0) / 100,
        current_ma=np.where(np.arange(100) < 5, 0, -0.0353),
        clock_offset_s=10.0,
    )
    film = Film(metal="Au", thickness_nm=14, area_cm2=0.0707)
    stages = [
        Stage(kind="SEI", start_s=2, end_s=5),
        Stage(kind="alloying", step=1, start_s=5, end_s=50),
    ]
    table = complete_curves(
        finish(region_curves(cell, reference_frame(cell, current_starts_s=3.0))),
        stages,
        curve,
        film,
        [5.0],
    )
    assert list(table.columns) == list(TABLES["curves"])
    assert table["stage"].isna().tolist() == [t < 2 or t > 50 for t in range(60)]
    assert table.loc[4, "stage"] == "SEI"
    assert table.loc[5, "stage"] == "step1"
    assert table.loc[20, "cycle"] == 1
    assert np.allclose(table["potential_v"], -(table["time_s"] + 10) / 100)
    expected = li_content(curve, film, table["time_s"].to_numpy(), origins_s=[5.0])
    assert np.allclose(table["li_content_x"], expected, equal_nan=True)


def test_each_region_is_normalized_over_its_own_range():
    cell, _ = front()
    regions = [box("early", 0, 0, 20, 4), box("late", 0, 18, 20, 4)]
    reference = reference_frame(cell, current_starts_s=3.0)
    stage = Stage(kind="alloying", start_s=2, end_s=59)
    table = complete_curves(finish(region_curves(cell, reference, regions)), [stage])
    for name in ("early", "late"):
        curve = table[table["region"] == name].set_index("time_s")["normalized_absorbance"]
        assert curve[2.0] == pytest.approx(0, abs=1e-4)
        assert curve[59.0] == pytest.approx(1, abs=1e-4)
    summary = curve_summary(table).set_index("region")
    assert summary.loc["early", "half_s"] == pytest.approx(8 + 1.5 / 0.5, abs=0.1)
    assert summary.loc["late", "half_s"] == pytest.approx(8 + 19.5 / 0.5, abs=0.1)
    assert (summary["start_s"] < summary["half_s"]).all()
    assert summary["rise_s"].drop("field").between(3, 9).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1, 1, 2, 3, 3, 3], [0, 0, 0, 0.5, 1, 1, 1]),
        ([5, 1, 1, 2, 3, 3, 9], [2, 0, 0, 0.5, 1, 1, 4]),
        ([3, 3, 3, 3], [np.nan] * 4),
        ([3], [np.nan]),
        ([1, np.nan, np.nan, 2], [np.nan] * 4),
    ],
)
def test_normalized_takes_medians_at_both_ends(values, expected):
    assert np.allclose(normalized(np.array(values, float)), expected, equal_nan=True)


def test_the_crossing_is_the_first_and_interpolated():
    times = np.array([0.0, 1, 4, 5, 6])
    assert crossing_s(times, np.array([0.0, 0.2, 0.8, 0.1, 0.9]), 0.5) == pytest.approx(2.5)
    assert np.isnan(crossing_s(times, np.full(5, 0.7), 0.5))
    assert np.isnan(crossing_s(times, np.full(5, 0.3), 0.5))


def test_a_summary_of_nothing_has_its_columns():
    empty = curve_summary(pd.DataFrame({c: [] for c in TABLES["curves"]}))
    assert list(empty.columns) == ["region", "cycle", "stage", "start_s", "half_s", "rise_s"]


def test_area_init_and_area_fnl_are_the_squares_that_alloy_first_and_last():
    cell, _ = front(n_frames=80)
    onset = finish(onset_map(cell, 2, 79))
    first, last = suggest_regions(onset, side_px=5)
    assert (first.name, last.name) == ("Area Init", "Area Fnl")
    assert first.mask((20, 30)).sum() == last.mask((20, 30)).sum() == 25
    assert np.argwhere(first.mask((20, 30)))[:, 1].tolist() == [*range(5)] * 5
    assert np.argwhere(last.mask((20, 30)))[:, 1].max() == 29


def test_no_square_is_suggested_where_nothing_alloyed():
    cell = recording_of(np.full((40, 20, 20), 1000.0))
    assert suggest_regions(finish(onset_map(cell, 0, 39))) == []
