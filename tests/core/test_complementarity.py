"""r, its null against slow loops, and honest significance."""

import dataclasses

import numpy as np
import pytest
from planted import recording_of
from scipy import ndimage, stats

from napari_lithium_alloy.core.alloyed_images import (
    alloyed_image,
    is_uniform,
    spot_pairs,
    stage_images,
    step_pairs,
    time_at_progress,
)
from napari_lithium_alloy.core.complementarity import (
    ComplementarityParameters,
    correlate,
    local_agreement,
    modified_t,
    windowed_pearson,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap, OnsetParameters, OnsetReason, onset_map
from napari_lithium_alloy.core.pair_table import colocalization
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.tables import TABLES

PLAIN = ComplementarityParameters(detrend="none")


def smooth_field(rng, shape=(96, 96), sigma_px=3.0):
    """A smooth field that does not wrap round at its edges."""
    margin = int(4 * sigma_px)
    noise = rng.standard_normal([n + 2 * margin for n in shape])
    return ndimage.gaussian_filter(noise, sigma_px)[margin:-margin, margin:-margin]


def map_of(onset_s, sd_s=0.1, end_s=40.0) -> OnsetMap:
    onset_s = np.asarray(onset_s, np.float32)
    reached = np.isfinite(onset_s)
    return OnsetMap(
        onset_s=onset_s,
        onset_sd_s=np.where(reached, sd_s, np.nan).astype(np.float32),
        amplitude=np.full(onset_s.shape, 0.2, np.float32),
        reason=np.where(reached, OnsetReason.REACHED, OnsetReason.NEVER).astype(np.uint8),
        start_s=0.0,
        end_s=end_s,
        polarity="darkens",
        parameters=OnsetParameters(),
    )


@pytest.mark.parametrize("detrend", ["none", "plane", "quadratic"])
def test_r_is_pearsons_of_the_detrended_maps(detrend):
    rng = np.random.default_rng(1)
    a, b = smooth_field(rng), smooth_field(rng)
    b -= 0.6 * a
    a[rng.random(a.shape) < 0.1] = np.nan
    valid = rng.random(a.shape) > 0.2
    parameters = ComplementarityParameters(detrend=detrend)
    found = correlate(a, b, parameters, valid=valid)
    known = valid & np.isfinite(a)
    y, x = np.mgrid[:96, :96] / 96
    one = np.ones_like(x)
    terms = {"none": [one], "plane": [one, x, y], "quadratic": [one, x, y, x * y, x**2, y**2]}
    basis = np.stack([t[known] for t in terms[detrend]], axis=1)
    left = [i[known] - basis @ np.linalg.lstsq(basis, i[known], rcond=None)[0] for i in (a, b)]
    assert found.pearson_r == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-9)
    assert found.n_px == known.sum()
    assert found.p_value < 0.05
    assert found.pearson_r < found.null_low < 0 < found.null_high
    agreement = local_agreement(a, b, parameters, valid=valid)
    assert np.array_equal(np.isfinite(agreement), known)
    assert np.nanmean(agreement) == pytest.approx(found.pearson_r, abs=1e-5)


def test_reverse_maps_are_complementary_and_equal_ones_agree():
    a = smooth_field(np.random.default_rng(2))
    for sign in (1, -1):
        found = correlate(a, 5 + sign * 2 * a, PLAIN)
        assert found.pearson_r == pytest.approx(sign)
        assert found.attainable_r == pytest.approx(1)
        assert found.p_value < 0.01
        assert found.reason == ""


def test_unrelated_smooth_maps_are_rarely_called_related():
    """A per-pixel p-value would call most of these significant."""
    rng = np.random.default_rng(20240115)
    found = []
    for _ in range(200):
        found.append(correlate(smooth_field(rng), smooth_field(rng)))
    share = np.mean([f.p_value <= 0.05 for f in found])
    inside = np.mean([f.null_low <= f.pearson_r <= f.null_high for f in found])
    assert 0.01 <= share <= 0.10
    assert 0.88 <= inside <= 1
    sizes = np.std([f.pearson_r for f in found])
    assert 1 / np.sqrt(np.median([f.n_effective for f in found])) == pytest.approx(sizes, rel=0.3)


def test_a_common_trend_is_no_relation():
    rng = np.random.default_rng(6)
    trend = 0.4 * np.linspace(-1, 1, 96)
    a, b = (smooth_field(rng) + trend for _ in range(2))
    assert correlate(a, b, PLAIN).pearson_r > 0.5
    without = correlate(a, b)
    assert abs(without.pearson_r) < 0.3
    assert without.p_value > 0.05


def test_a_mask_of_one_percent_cannot_correlate():
    sparse = np.zeros((96, 96))
    sparse[20:28, 30:40] = 1
    plain = ComplementarityParameters(detrend="none")
    found = correlate(smooth_field(np.random.default_rng(1)), sparse, plain)
    assert abs(found.pearson_r) <= found.attainable_r < 0.35
    assert found.reason.startswith("sparse mask")


def test_r_that_is_not_defined_is_nan_with_a_reason():
    rng = np.random.default_rng(0)
    a = smooth_field(rng)
    few = np.full_like(a, np.nan)
    few[:3, :10] = 1
    cases = [
        (a, np.full_like(a, 4.0), "one of the maps is constant"),
        (a, few, "only 30 pixels are known in both maps"),
        (a, np.full_like(a, np.nan), "only 0 pixels are known in both maps"),
    ]
    for first, second, reason in cases:
        found = correlate(first, second)
        assert np.isnan([found.pearson_r, found.p_value, found.null_low]).all()
        assert found.reason == reason
    with pytest.raises(AlloyError, match="different shapes"):
        correlate(a, a[:-1])


def test_a_field_smaller_than_its_structures_has_r_and_no_null():
    rng = np.random.default_rng(0)
    a, b = (smooth_field(rng, (40, 40), 15.0) for _ in range(2))
    found = correlate(a, b, PLAIN)
    assert np.isfinite(found.pearson_r)
    assert np.isnan(found.p_value)
    assert "too small" in found.reason


def test_the_alloyed_image_holds_the_share_asked_for():
    onset = np.linspace(0, 40, 400).reshape(20, 20)
    onset[0, :5] = np.nan
    image = alloyed_image(map_of(onset), 0.3)
    assert not image[0, :5].any()  # never alloyed
    assert image[np.isfinite(onset)].mean() == pytest.approx(0.3, abs=0.01)
    assert np.array_equal(image == 1, onset <= np.nanquantile(onset, 0.3))
    assert time_at_progress(map_of(onset), 0.3) == pytest.approx(np.nanquantile(onset, 0.3))
    reasons = map_of(onset).reason
    reasons[0, :3] = OnsetReason.BEFORE, OnsetReason.WITHIN_NOISE, OnsetReason.OUTSIDE
    told = alloyed_image(dataclasses.replace(map_of(onset), reason=reasons), 0.3)
    assert told[0, :5].tolist() == pytest.approx([1, np.nan, np.nan, 0, 0], nan_ok=True)


def test_a_rise_within_the_noise_is_none_only_where_a_typical_one_would_be_seen():
    onset = np.linspace(0, 40, 400).reshape(20, 20)
    reasons = map_of(onset).reason
    reasons[0, :2] = OnsetReason.WITHIN_NOISE
    amplitude = np.full((20, 20), 0.2, np.float32)
    amplitude[0, :2] = 0.01, 0.08
    still = dataclasses.replace(
        map_of(onset), reason=reasons, amplitude=amplitude, amplitude_noise=0.01
    )
    assert alloyed_image(still, 0.5)[0, 0] == 0
    assert np.isnan(alloyed_image(still, 0.5)[0, 1])
    noisy = dataclasses.replace(still, amplitude_noise=0.05)
    assert np.isnan(alloyed_image(noisy, 0.5)[0, 0])
    assert np.isnan(alloyed_image(map_of(np.full((9, 9), np.nan)), 0.5)).all()
    with pytest.raises(AlloyError, match="The progress is 1"):
        alloyed_image(map_of(onset), 1.0)


def test_a_step_is_uniform_when_its_spread_is_its_uncertainty():
    rng = np.random.default_rng(0)
    narrow = map_of(rng.normal(20, 0.2, (30, 30)), sd_s=0.2)
    wide = map_of(rng.normal(20, 0.7, (30, 30)), sd_s=0.2)
    unknown = map_of(np.full((30, 30), np.nan))
    assert is_uniform(narrow)
    assert not is_uniform(wide)
    assert is_uniform(unknown)


def test_what_is_compared_with_what():
    steps = ["cycle1_step1", "cycle1_step2", "cycle2_step1"]
    onset = map_of(np.linspace(0, 40, 400).reshape(20, 20))
    maps = dict.fromkeys(steps, onset)
    pairs = step_pairs(maps)
    assert len(pairs) == len(set(pairs)) == 1 + 9 + 6
    assert pairs[0] == ("cycle1_step1_onset", "cycle1_step2_onset")
    assert ("cycle1_step1_unalloyed_middle", "cycle1_step2_alloyed_middle") in pairs
    assert ("cycle1_step1_alloyed_end", "cycle1_step2_alloyed_end") in pairs
    spots = spot_pairs(maps, ["cycle2_sites", "cycle2_pores"])
    assert len(spots) == 2 * 6 + 1
    assert ("cycle2_step1_alloyed_start", "cycle2_sites") in spots
    assert spots[-1] == ("cycle2_sites", "cycle2_pores")
    shares = ComplementarityParameters(start_progress=0.1, progress=0.6, end_progress=0.9)
    images = stage_images(maps, shares)
    assert {name for pair in pairs for name in pair} <= images.keys()
    assert images["cycle1_step2_alloyed_start"].mean() == pytest.approx(0.1, abs=0.01)
    assert images["cycle1_step2_unalloyed_middle"].mean() == pytest.approx(0.4, abs=0.01)
    assert images["cycle1_step2_alloyed_end"].mean() == pytest.approx(0.9, abs=0.01)


def test_a_region_and_its_complement_have_r_of_opposite_signs():
    rng = np.random.default_rng(0)
    a, b = (smooth_field(rng) > 0.01 for _ in range(2))
    images = {
        "cycle1_step1_alloyed_middle": a * 1.0,
        "cycle1_step1_unalloyed_middle": 1.0 - a,
        "cycle1_sites": b * 1.0,
    }
    pairs = [(f"cycle1_step1_{r}_middle", "cycle1_sites") for r in ("unalloyed", "alloyed")]
    one, other = finish(colocalization(images, pairs)).to_dict("records")
    direct = correlate(images["cycle1_step1_unalloyed_middle"], images["cycle1_sites"])
    for name in ("pearson_r", "null_low", "null_high", "p_value", "r_with_trend", "n_effective"):
        assert one[name] == pytest.approx(getattr(direct, name), abs=1e-9)
    assert other["pearson_r"] == pytest.approx(-one["pearson_r"])
    assert other["null_low"] == pytest.approx(-one["null_high"])
    assert one["manders_m1"] == pytest.approx((~a & b).sum() / (~a).sum())


def test_fixed_thresholds_are_used_as_given():
    rng = np.random.default_rng(0)
    images = {"a": rng.random((30, 30)), "b": rng.random((30, 30))}
    fixed = ComplementarityParameters(thresholds="fixed", threshold_a=0.7, threshold_b=0.4)
    row = finish(colocalization(images, [("a", "b")], fixed)).iloc[0]
    a, b = images["a"], images["b"]
    assert (row["threshold_a"], row["threshold_b"]) == (0.7, 0.4)
    assert row["manders_m1"] == pytest.approx(a[b >= 0.4].sum() / a.sum())
    half = ComplementarityParameters(thresholds="fixed", threshold_a=0.7)
    with pytest.raises(AlloyError, match="give one a map"):
        finish(colocalization(images, [("a", "b")], half))


def test_the_local_r_is_that_of_a_weighted_window():
    rng = np.random.default_rng(2)
    a, b = smooth_field(rng, (60, 60)), smooth_field(rng, (60, 60))
    b[:, 30:] = -a[:, 30:]
    a[5, 5] = np.nan
    found, sigma = windowed_pearson(a, b, dataclasses.replace(PLAIN, window_px=4.0))
    assert sigma == 4.0
    y, x = np.mgrid[:60, :60]
    near = np.maximum(np.abs(y - 20), np.abs(x - 22)) <= 12
    weight = np.exp(-((y - 20) ** 2 + (x - 22) ** 2) / 32.0) * (near & np.isfinite(a))
    p, q = np.nan_to_num(a), b
    means = [(weight * i).sum() / weight.sum() for i in (p, q)]
    p, q = p - means[0], q - means[1]
    r = (weight * p * q).sum() / np.sqrt((weight * p * p).sum() * (weight * q * q).sum())
    assert found[20, 22] == pytest.approx(r, abs=1e-4)
    assert np.isnan(found[5, 5])
    assert found[30, 50] == pytest.approx(-1, abs=0.01)
    assert windowed_pearson(a, b)[1] > 4
    assert np.isnan(windowed_pearson(a, np.ones_like(a))[0]).all()


def test_the_modified_t_is_students_for_independent_samples():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 40))
    expected = stats.pearsonr(a, b)
    assert modified_t(expected.statistic, 40) == pytest.approx(expected.pvalue)
    assert np.isnan(modified_t(0.3, 2))
    assert modified_t(-1.0, 40) == 0


def test_the_table_has_r_of_each_pair_and_nan_with_uniform_steps():
    a = smooth_field(np.random.default_rng(3))
    images = {"cycle1_step1_a": a, "cycle1_step2_b": -a, "cycle1_step10_c": a}
    pairs = [("cycle1_step1_a", "cycle1_step2_b"), ("cycle1_step10_c", "cycle1_step2_b")]
    table = finish(colocalization(images, pairs, uniform=["cycle1_step1"]))
    assert list(table.columns) == list(TABLES["colocalization"])
    assert np.isnan(table.loc[0, "pearson_r"])
    assert table.loc[0, "reason"] == (
        "cycle1_step1 is uniform: its onset spread is under 3 times its uncertainty"
    )
    assert table.loc[1, "pearson_r"] == pytest.approx(-1)
    assert dataclasses.asdict(correlate(a, -a))["n_px"] == table.loc[1, "n_px"]
    assert len(finish(colocalization(images, []))) == 0


def test_a_boundary_inside_the_first_steps_tail_is_seen_in_the_maps():
    """Two steps in one recording, the second in reverse order: r is -1 up to discreteness."""
    first = 12 + 8 * np.linspace(0, 1, 60)[None, :] * np.ones((60, 1))
    second = 52 - first + 12
    times = np.arange(60.0)[:, None, None]
    level = 0.2 * np.clip((times - first) / 2 + 0.5, 0, 1)
    level = level + 0.1 * np.clip((times - second) / 2 + 0.5, 0, 1)
    cell = recording_of(2000 * 10**-level)
    maps = [finish(onset_map(cell, *window)) for window in ((5, 30), (31, 59))]
    found = correlate(maps[0].onset_s, maps[1].onset_s, PLAIN)
    assert found.pearson_r == pytest.approx(-1, abs=1e-3)


def test_a_common_lag_from_centre_to_edge_does_not_make_unrelated_maps_agree():
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    lag = 2.0 * (y**2 + x**2)
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a, b = (smooth_field(rng) / smooth_field(rng).std() + lag for _ in range(2))
        found.append(correlate(a, b).p_value <= 0.05)
    assert np.mean(found) <= 0.2


def test_p_is_not_smaller_than_independent_shifts_allow():
    rng = np.random.default_rng(3)
    a = smooth_field(rng)
    found = correlate(a, -a)
    assert found.pearson_r == pytest.approx(-1)
    assert found.p_value > 1e-4


def test_a_region_counts_as_the_field_cropped_to_it():
    rng = np.random.default_rng(3)
    a, b = smooth_field(rng, (120, 120)), smooth_field(rng, (120, 120))
    region = np.zeros(a.shape, bool)
    region[30:80, 40:100] = True
    inside = correlate(a, b, valid=region)
    cropped = correlate(a[30:80, 40:100], b[30:80, 40:100])
    assert dataclasses.asdict(inside) == pytest.approx(dataclasses.asdict(cropped), nan_ok=True)
    agreement = local_agreement(a, b, valid=region)
    assert np.array_equal(np.isfinite(agreement), region)
    assert np.nanmean(agreement) == pytest.approx(inside.pearson_r, abs=1e-5)
    local, _ = windowed_pearson(a, b, valid=region)
    alone, _ = windowed_pearson(a[30:80, 40:100], b[30:80, 40:100])
    assert np.allclose(local[30:80, 40:100], alone, equal_nan=True)
    assert np.isnan(local[~region]).all()


def test_of_a_map_that_is_all_trend_there_is_no_r():
    b = smooth_field(np.random.default_rng(0))
    y, x = np.mgrid[:96, :96]
    plane = 3.0 + 0.1 * x - 0.2 * y
    found = correlate(plane, b)
    assert np.isnan([found.pearson_r, found.p_value, found.null_low]).all()
    assert found.reason == "without the trend across the field nothing is left of one map"
    assert np.isfinite(found.r_with_trend)
    assert np.isnan(local_agreement(plane, b)).all()
    assert np.isnan(windowed_pearson(plane, b)[0]).all()


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e200])
def test_r_does_not_depend_on_units(scale):
    rng = np.random.default_rng(4)
    a, b = smooth_field(rng), smooth_field(rng)
    b -= a
    expected, found = correlate(a, b), correlate(scale * a, b)
    assert found.pearson_r == pytest.approx(expected.pearson_r)
    assert found.p_value == expected.p_value


def test_scattered_pixels_have_no_shifts():
    rng = np.random.default_rng(5)
    a, b = smooth_field(rng), smooth_field(rng)
    found = correlate(a, b, PLAIN, valid=rng.random(a.shape) < 0.05)
    assert np.isfinite(found.pearson_r)
    assert np.isnan(found.p_value)
    assert "scattered" in found.reason


def test_the_interval_and_p_say_the_same():
    rng = np.random.default_rng(6)
    for _ in range(60):
        found = correlate(smooth_field(rng), smooth_field(rng))
        outside = abs(found.pearson_r) > found.null_high
        assert found.null_low == -found.null_high
        assert outside == (found.p_value <= 0.05) or found.p_value == pytest.approx(0.05, abs=1e-3)


def test_a_map_with_few_late_pixels_is_no_sparse_mask():
    rng = np.random.default_rng(7)
    a = smooth_field(rng)
    a[40:43, 40:43] += 5 * a.std()
    assert correlate(a, smooth_field(rng)).reason == ""


def test_masks_and_whole_numbers_are_maps_too():
    rng = np.random.default_rng(8)
    a, b = (smooth_field(rng) > 0 for _ in range(2))
    expected = correlate(a * 1.0, b * 1.0)
    assert correlate(a, b).pearson_r == pytest.approx(expected.pearson_r)
    assert correlate(a.astype(np.uint8), b).p_value == expected.p_value


def test_reasons_of_r_and_of_coefficients_stand_together():
    rng = np.random.default_rng(9)
    a = smooth_field(rng)
    images = {"a": a - a.min(), "b": a.max() - a}
    costes = ComplementarityParameters(thresholds="costes")
    row = finish(colocalization(images, [("a", "b")], costes)).iloc[0]
    assert np.isnan(row["manders_m1"])
    assert "Costes' thresholds need maps that agree" in row["reason"]
