"""Planted truth is what the pictures hold."""

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from scipy.stats import spearmanr

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.synthetic import (
    SyntheticParameters,
    ag_parameters,
    au_parameters,
    make_recording,
)
from napari_lithium_alloy.core.synthetic.fields import (
    blur_and_shift,
    disc_coverage,
    gaussian_field,
    smooth_step,
    stream,
)

EMPTY = {"count": 0, "without_site": 0, "pinholes": 0}
SMALL = {
    "shape": (64, 64),
    "count": 3,
    "without_site": 1,
    "pinholes": 1,
    "spacing_um": 0.8,
}
SHORT = {"deposition_s": 12.0, "dissolution_s": 12.0}


def small(**changes) -> SyntheticParameters:
    return au_parameters(**(SMALL | SHORT | changes))


def bare_film(**changes) -> SyntheticParameters:
    return small(**(EMPTY | {"shape": (40, 40), "sei_absorbance": 0.0} | changes))


def half_crossing(times_s, values):
    """(Y, X) first time at which a rising (T, Y, X) crosses the middle of its ends, linear."""
    middle = (values[0] + values[-1]) / 2
    k = np.argmax(values >= middle, axis=0)
    after = np.take_along_axis(values, k[None], axis=0)[0]
    before = np.take_along_axis(values, k[None] - 1, axis=0)[0]
    return times_s[k - 1] + (middle - before) / (after - before) * (times_s[k] - times_s[k - 1])


@pytest.mark.parametrize("key", ["cycle1_step1", "cycle1_step2", "cycle1_dealloying1"])
def test_onset_truth_is_the_half_rise_of_the_rendered_absorbance(key):
    made = make_recording(bare_film(psf_sigma_px=0.0, frame_interval_s=0.25))
    stage = next(s for s in made.experiment.stages if s.key == key)
    frames = made.trans.frames_between(stage.start_s - 1.5, stage.end_s + 1.5)
    counts = np.stack([made.noiseless(int(i)) for i in frames])
    absorbance = -np.log10((counts - 100) / (made.noiseless(0) - 100))
    rising = absorbance if stage.darkens else -absorbance
    found = half_crossing(made.trans.times_s[frames], rising)
    assert np.abs(found - made.truth.onset_s[key]).max() < 0.02
    assert np.allclose(absorbance[3], made.true_absorbance(int(frames[3])), atol=1e-5)


def test_rise_time_is_the_one_planted():
    t = np.linspace(-5, 5, 100_001)
    s = smooth_step(t, 2.2)
    assert np.interp(0.9, s, t) - np.interp(0.1, s, t) == pytest.approx(2.2, abs=1e-4)
    assert np.interp(0.0, t, s) == 0.5


def test_amplitudes_are_the_ones_planted():
    made = make_recording(bare_film(psf_sigma_px=0.0, residual_absorbance=0.03))
    by_key = {s.key: s for s in made.experiment.stages}
    times = made.trans.times_s

    def level(time_s):
        return made.true_absorbance(int(np.argmin(np.abs(times - time_s))))

    assert np.allclose(level(by_key["cycle1_step1"].end_s + 1), 0.22, atol=2e-3)
    assert np.allclose(level(by_key["cycle1_deposition"].end_s), 0.34, atol=1e-6)
    assert np.allclose(level(times[-1]), 0.03, atol=2e-3)


@pytest.mark.parametrize(("degree", "low", "high"), [(1.0, -1.0, -0.9999), (0.0, -0.3, 0.3)])
def test_complementarity_sets_the_rank_correlation(degree, low, high):
    truth = make_recording(bare_film(shape=(192, 192), complementarity=degree)).truth
    first, second = truth.onset_s["cycle1_step1"], truth.onset_s["cycle1_step2"]
    r = spearmanr(first.ravel(), second.ravel()).statistic
    assert low <= r <= high


def test_last_alloyed_leaves_first_when_reversal_is_complete():
    truth = make_recording(bare_film(reversal=1.0)).truth
    last, leaving = truth.onset_s["cycle1_step2"], truth.onset_s["cycle1_dealloying1"]
    assert spearmanr(last.ravel(), leaving.ravel()).statistic < -0.9999


def test_fields_have_the_planted_correlation_length():
    field = gaussian_field(stream(3, "test"), (600, 600), 12.0)
    at_length = np.mean(field * np.roll(field, 12, axis=1))
    assert field.std() == pytest.approx(1)
    assert at_length == pytest.approx(np.exp(-0.5), abs=0.05)


def test_noise_follows_the_photon_transfer_curve():
    made = make_recording(bare_film(shape=(96, 96), gain_counts=0.5, rest_s=40.0))
    counts = np.stack([made.trans.read(i) for i in range(40)]).astype(float)
    signal = made.noiseless(0) - 100
    assert counts.mean() - 100 == pytest.approx(0.5 * 2600, rel=2e-3)
    expected = 0.5 * signal + (0.5 * 2.0) ** 2 + 1 / 12
    assert np.mean(counts.var(axis=0, ddof=1) / expected) == pytest.approx(1, abs=0.01)


def test_without_noise_frames_are_the_expectation_rounded():
    made = make_recording(small(shot_noise=False, read_noise_electrons=0.0))
    assert np.array_equal(made.trans.read(30), np.rint(made.noiseless(30)).astype("u2"))


def test_pore_area_is_the_sum_of_coverage():
    made = make_recording(ag_parameters(shape=(144, 144)))
    for row in made.truth.pore_summary.itertuples():
        covered = made.truth.pore_coverage[row.cycle].sum(dtype=float) * 0.065**2
        own = made.truth.pores.query("cycle == @row.cycle")
        assert own.area_um2.sum() == pytest.approx(row.total_area_um2)
        assert covered == pytest.approx(row.total_area_um2, rel=2e-3)
        assert len(own) == row.count
    areas = made.truth.pore_summary.total_area_um2
    assert (areas.diff().dropna() > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_merges_are_those_of_the_connected_components(seed):
    made = make_recording(ag_parameters(shape=(144, 144), seed=seed))
    counts = made.truth.pore_summary["count"].to_numpy()
    found = [label(made.truth.pore_coverage[c] >= 0.5)[1] for c in range(4)]
    assert list(counts) == found
    assert len(made.truth.merges) == counts[1] - counts[3] >= 3
    for row in made.truth.merges.itertuples():
        before, after = (label(made.coverage(row.time_s + dt) >= 0.5)[1] for dt in (-30, 30))
        assert before > after


def test_gold_opens_pores_in_every_cycle_and_silver_only_in_the_first():
    gold = make_recording(au_parameters(cycles=3, count=8, spacing_um=1.0, **SHORT)).truth
    assert gold.pore_summary["count"].is_monotonic_increasing
    assert gold.pore_summary["count"].iloc[3] > gold.pore_summary["count"].iloc[1]
    assert gold.merges.empty
    assert set(gold.sites.cycle) == {1, 2, 3}


def test_sites_keep_apart_avoid_extremes_and_leave_what_they_say():
    made = make_recording(au_parameters(seed=4, dead_fraction=0.3))
    sites, pores = made.truth.sites, made.truth.pores.query("cycle == 1")
    y, x = sites.y_um.to_numpy(), sites.x_um.to_numpy()
    apart = np.hypot(y[:, None] - y, x[:, None] - x)[~np.eye(len(sites), dtype=bool)]
    assert apart.min() >= 1.4
    onset = made.truth.onset_s["cycle1_step1"]
    at_sites = onset[np.rint(y / 0.065).astype(int), np.rint(x / 0.065).astype(int)]
    assert (
        (at_sites > np.nanquantile(onset, 0.05)) & (at_sites < np.nanquantile(onset, 0.95))
    ).all()
    nearest = np.hypot(y[:, None] - pores.y_um.to_numpy(), x[:, None] - pores.x_um.to_numpy())
    assert np.array_equal(nearest.min(axis=1) < 0.05, sites.leaves_pore.to_numpy())
    assert not (sites.dead & sites.leaves_pore).any()
    assert sites.dead.any()


def test_a_disc_of_lithium_has_the_area_planted():
    made = make_recording(small(psf_sigma_px=0.0, count=1, without_site=0, pinholes=0))
    stage = next(s for s in made.experiment.stages if s.name == "deposition")
    frame = int(np.argmin(np.abs(made.trans.times_s - stage.end_s)))
    film = made.noiseless(int(made.trans.frames_between(stage.start_s - 1, stage.end_s)[0])) - 100
    lost = 1 - (made.noiseless(frame) - 100) / film
    area = lost.sum() / (1 - 10**-0.7) * 0.065**2
    assert area == pytest.approx(np.pi * made.truth.sites.radius_um[0] ** 2, rel=2e-3)


def test_dead_lithium_stays_dark():
    made = make_recording(small(count=1, dead_fraction=1.0, without_site=0, pinholes=0))
    site = made.truth.sites.iloc[0]
    y, x = round(site.y_um / 0.065), round(site.x_um / 0.065)
    last = made.noiseless(made.trans.n_frames - 1) / made.noiseless(0)
    assert last[y, x] < 0.6 < 0.9 < np.median(last)


def test_seeds_reproduce_and_differ():
    first, again = make_recording(small(seed=7)), make_recording(small(seed=7))
    other = make_recording(small(seed=8))
    assert np.array_equal(first.trans.read(50), again.trans.read(50))
    assert np.array_equal(first.epi.read(20), again.epi.read(20))
    assert not np.array_equal(first.trans.read(50), other.trans.read(50))
    assert first.truth.sites.equals(again.truth.sites)


def test_frames_do_not_depend_on_the_order_of_reading():
    disturbed = small(flicker=0.01, walk_px=0.1, jitter=0.1)
    forward, backward = make_recording(disturbed), make_recording(disturbed)
    order = [3, 40, 17]
    first = {i: forward.trans.read(i) for i in order}
    last = {i: backward.trans.read(i, slice(5, 20)) for i in reversed(order)}
    with dask.config.set(scheduler="threads"):
        lazy = make_recording(disturbed).trans.frames[order].compute()
    for k, i in enumerate(order):
        assert np.array_equal(first[i][5:20], last[i])
        assert np.array_equal(first[i], lazy[k])


@pytest.mark.parametrize(
    "ingredient", [{"flicker": 0.01}, {"dust": 5}, {"hot_pixels": 9}, {"glare": 0.2}]
)
def test_an_ingredient_leaves_the_others_alone(ingredient):
    plain, changed = make_recording(small()), make_recording(small(**ingredient))
    assert plain.truth.sites.equals(changed.truth.sites)
    for key, onset in plain.truth.onset_s.items():
        assert np.array_equal(onset, changed.truth.onset_s[key], equal_nan=True)
    assert not np.array_equal(plain.trans.read(5), changed.trans.read(5))


def centroid_px(made, mode, frame):
    """Rows and columns of the one pinhole."""
    bright = made.noiseless(frame, mode) - np.median(made.noiseless(frame, mode))
    weight = bright if mode == "trans" else -bright
    weight = np.where(weight > 0.02 * weight.max(), weight, 0)
    return np.array([(weight.sum(axis=1 - k) @ np.arange(64)) / weight.sum() for k in (0, 1)])


@pytest.mark.parametrize("sigma", [0.0, 1.3])
def test_drift_moves_the_picture_by_what_is_planted(sigma):
    drift = {"drift_px_per_min": (2.0, -3.0), "jump_px": (1.25, 0.5), "jump_s": 10.0}
    made = make_recording(
        small(count=0, without_site=0, illumination_falloff=0.0, psf_sigma_px=sigma, **drift)
    )
    moved = centroid_px(made, "trans", 16) - centroid_px(made, "trans", 0)
    planted = made.truth.drift_px[16] - made.truth.drift_px[0]
    assert np.allclose(planted, [16 / 30 + 1.25, -16 / 20 + 0.5])
    assert np.allclose(moved, planted, atol=0.03)


def test_epi_lies_off_trans_by_the_planted_offset_and_has_its_own_clock():
    made = make_recording(small(count=0, without_site=0, illumination_falloff=0.0, epi_jitter=0.1))
    off = centroid_px(made, "epi", 0) - centroid_px(made, "trans", 0)
    assert np.allclose(off, made.truth.epi_offset_px, atol=0.03)
    assert made.epi.frame_interval_s == pytest.approx(2.5, rel=0.1)
    assert np.std(np.diff(made.epi.times_s)) > 0.1
    assert made.epi.mode == "epi"


def test_epi_brightens_with_alloying_and_pores_are_dark():
    made = make_recording(small())
    deposition = next(s for s in made.experiment.stages if s.name == "deposition")
    frame = int(made.epi.frames_between(deposition.start_s, deposition.end_s)[0])
    ratio = made.noiseless(frame, "epi") - 100
    ratio /= made.noiseless(0, "epi") - 100
    assert np.median(ratio) == pytest.approx(1 + 0.8 * 0.34, abs=1e-3)
    first = made.noiseless(0, "epi")
    assert first.min() < 0.7 * np.median(first)


def test_times_are_jittered_with_frames_missing_but_rise():
    times = make_recording(small(jitter=0.3, dropped=0.1)).trans.times_s
    gaps = np.diff(times)
    assert (gaps > 0).all()
    assert gaps.max() > 1.5
    assert np.std(gaps) > 0.2


def test_edge_lag_delays_the_corners():
    late = make_recording(bare_film(shape=(64, 64), edge_lag_s=6.0)).truth
    onset = late.onset_s["cycle1_step1"]
    centre, edge = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 12, np.ones((64, 64), bool)
    edge[10:-10, 10:-10] = False
    assert np.median(onset[edge]) - np.median(onset[centre]) > 1
    assert late.edge_lag_s == 6


def test_overlap_starts_step_two_where_step_one_has_ended_elsewhere():
    parameters = bare_film(shape=(128, 128))
    first, second = parameters.alloying
    early = parameters.change(
        alloying=(first, type(second)(**{**vars(second), "overlap_s": 15.0, "complementarity": -1}))
    )
    onset = make_recording(early).truth.onset_s
    assert np.nanmin(onset["cycle1_step2"]) < np.nanmax(onset["cycle1_step1"])
    assert (onset["cycle1_step2"] > onset["cycle1_step1"]).all()


def test_creep_goes_on_after_the_rise():
    parameters = bare_film()
    first, second = parameters.alloying
    creeping = type(first)(**{**vars(first), "creep": 0.2, "creep_time_s": 5.0})
    made = make_recording(parameters.change(alloying=(creeping, second)))
    deposition = next(s for s in made.experiment.stages if s.name == "deposition")
    frame = int(made.trans.frames_between(deposition.end_s - 1, deposition.end_s)[0])
    assert np.allclose(made.true_absorbance(frame), 0.22 * 1.2 + 0.12, atol=1e-3)
    assert np.allclose(made.true_absorbance(made.trans.n_frames - 1), 0, atol=5e-3)


def test_bare_glass_is_bright_and_outside_the_film():
    made = make_recording(small(bare_glass_um=1.0, illumination_falloff=0.0, count=1))
    film, image = made.truth.film, made.noiseless(0)
    assert film.sum(axis=1).tolist() == [64 - 15] * 64
    assert np.isnan(made.truth.onset_s["cycle1_step1"][~film]).all()
    glass = np.median(image[:, -8:]) - 100
    assert glass / (np.median(image[:, :40]) - 100) == pytest.approx(2.0, rel=1e-3)


def test_defocus_widens_the_point_spread():
    made = make_recording(bare_film(shape=(64, 64), pinholes=1, psf_sigma_end_px=3.0))
    last = made.trans.n_frames - 1
    peaks = [made.noiseless(i).max() / np.median(made.noiseless(i)) for i in (0, last)]
    assert peaks[1] < 0.8 * peaks[0]


def test_clipping_and_bits():
    made = make_recording(small(clip_counts=1450.0))
    frame = made.trans.read(0)
    assert frame.max() == 1450 == made.trans.saturation_counts
    assert frame.dtype == np.uint16
    assert make_recording(small(bits=8, gain_counts=0.05)).trans.read(0).dtype == np.uint8


def test_hot_pixels_stay_where_they_are():
    made = make_recording(small(hot_pixels=6))
    hot = [made.trans.read(i) - made.noiseless(i) > 300 for i in (0, 30)]
    assert hot[0].sum() == 6
    assert np.array_equal(*hot)


def test_lamp_glare_and_bubble_change_the_light():
    plain = make_recording(small()).noiseless(40)
    drifted = make_recording(small(lamp_drift=-0.1))
    assert drifted.truth.gain[-1] == pytest.approx(0.9, abs=1e-3)
    assert np.allclose(
        (drifted.noiseless(40) - 100) / (plain - 100), drifted.truth.gain[40], rtol=1e-5
    )
    glare = make_recording(small(glare=0.2)).noiseless(40) - plain
    assert 0.5 * 2600 * 0.2 * 0.9 < glare.max() <= 0.5 * 2600 * 0.2
    bubble = make_recording(small(bubble=0.3))
    seen = [bubble.noiseless(i) - make_recording(small()).noiseless(i) for i in (50, 60)]
    assert seen[0].min() < -50
    assert np.abs(seen[0] - seen[1]).max() > 50


def test_sample_dust_moves_with_the_film_and_sensor_dust_stays():
    drift = {"jump_px": (0.0, 1.0), "jump_s": 2.5, "illumination_falloff": 0.0, "dust": 12}
    for where, moves in [("sample", True), ("sensor", False)]:
        made = make_recording(bare_film(**drift, dust_on=where))
        first, later = made.noiseless(0) - 100, made.noiseless(4) - 100
        shifted = np.roll(first, 1, axis=1)[:, 2:-2]
        assert np.allclose(later[:, 2:-2], shifted if moves else first[:, 2:-2], rtol=1e-4)


def test_potential_has_rest_plateaus_reversal_and_clock_offset():
    made = make_recording(small(clock_offset_s=12.5, noise_v=0.0))
    curve = made.experiment.potential
    assert curve.times_s[0] == 0
    assert curve.current_starts_s() == pytest.approx(5, abs=0.5)
    middle = {s.key: (s.start_s + s.end_s) / 2 for s in made.experiment.stages}
    at = curve.potential_at(np.array([middle["cycle1_step1"], middle["cycle1_step2"]]))
    assert np.allclose(at, [-0.0725, -0.1425], atol=4e-3)
    current = curve.current_at(
        np.array([1.0, middle["cycle1_deposition"], middle["cycle1_dissolution"]])
    )
    assert np.allclose(current, [0, -0.0353, 0.0353])
    turned = make_recording(small(lithiation_sign=1, noise_v=0.0)).experiment.potential
    assert np.allclose(turned.potential_v[20:60], -curve.potential_v[45:85])


def test_silver_has_two_uniform_and_two_heterogeneous_steps():
    onset = make_recording(ag_parameters(shape=(96, 96), count=4, merging_pairs=1)).truth.onset_s
    spread = {k: np.nanmax(v) - np.nanmin(v) for k, v in onset.items()}
    assert spread["cycle1_step1"] <= 0.4
    assert spread["cycle1_step2"] <= 0.4
    assert spread["cycle1_step3"] > 25
    assert spread["cycle1_step4"] > 40
    r = spearmanr(onset["cycle1_step3"].ravel(), onset["cycle1_step4"].ravel(), nan_policy="omit")
    assert abs(r.statistic) < 0.5


def test_what_does_not_fit_is_said_in_one_sentence():
    with pytest.raises(AlloyError, match="do not fit the field"):
        make_recording(small(count=60))
    with pytest.raises(AlloyError, match="too short"):
        make_recording(small(edge_lag_s=60.0))
    with pytest.raises(AlloyError, match="plant less"):
        make_recording(small(drift_px_per_min=(60.0, 0.0)))
    with pytest.raises(AlloyError, match="no parameter colour"):
        au_parameters(colour="red")


@given(y=st.floats(3, 17), x=st.floats(3, 17), radius=st.floats(0.2, 12), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_coverage_of_discs_agrees_with_counting_points(y, x, radius, seed):
    other = np.random.default_rng(seed).uniform((0, 0, 1), (20, 20, 5))
    discs = np.array([[y, x, radius], other])
    got = disc_coverage((21, 21), discs)
    fine = (np.arange(21 * 20) + 0.5) / 20 - 0.5
    inside = np.zeros((420, 420), bool)
    for row, column, r in discs:
        inside |= np.hypot(fine[:, None] - row, fine[None] - column) < r
    naive = inside.reshape(21, 20, 21, 20).mean(axis=(1, 3))
    alone, second = (disc_coverage((21, 21), disc[None]) for disc in discs)
    # In a pixel that both cover in part their shares are taken as independent.
    shared = int(((alone > 0) & (alone < 1) & (second > 0) & (second < 1)).sum())
    most = 0.01 * naive.sum() + 0.1 + 0.25 * shared
    assert abs(got.sum(dtype=float) - naive.sum()) <= most
    assert np.abs(alone - disc_naive(fine, discs[0])).max() < 0.04


def disc_naive(fine, disc):
    inside = np.hypot(fine[:, None] - disc[0], fine[None] - disc[1]) < disc[2]
    return inside.reshape(21, 20, 21, 20).mean(axis=(1, 3))


@given(dy=st.floats(-0.5, 0.5), dx=st.floats(-0.5, 0.5), sigma=st.floats(0.9, 3))
@settings(max_examples=25, deadline=None)
def test_blur_and_shift_moves_and_widens_a_spot(dy, dx, sigma):
    y, x = np.mgrid[:64, :64]
    spot = np.exp(-((y - 30) ** 2 + (x - 33) ** 2) / (2 * 2.0**2))
    got = blur_and_shift(spot, sigma, np.array([dy, dx]))
    wide = 4 + sigma**2
    expected = 4 / wide * np.exp(-((y - 30 - dy) ** 2 + (x - 33 - dx) ** 2) / (2 * wide))
    assert np.abs(got - expected).max() < 2e-3
