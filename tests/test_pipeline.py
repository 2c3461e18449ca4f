"""The whole analysis against planted truth."""

import dataclasses
import itertools

import numpy as np
import pytest
from planted import onset_error_s, planted, recording_of, site_score
from scipy import ndimage

from napari_lithium_alloy.config import AnalysisConfig
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.onset import OnsetParameters, OnsetReason
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.core.spot_masks import site_masks
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.core.synthetic import ag_parameters, au_parameters
from napari_lithium_alloy.core.tables import TABLES
from napari_lithium_alloy.pipeline import analyze

SMALL = {"shape": (144, 144), "count": 8, "spacing_um": 1.2, "dissolution_s": 20.0}


def analysed(parameters, mode="trans", **changes):
    made, experiment = planted(parameters, mode)
    return made, finish(analyze(experiment.replace(**changes)))


@pytest.fixture(scope="module")
def gold():
    return analysed(au_parameters(seed=41, **SMALL))


@pytest.fixture(scope="module")
def beside_glass():
    """Gold beside bare glass; nothing else tells the substrate's brightness."""
    parameters = au_parameters(seed=42, bare_glass_um=1.5, pinholes=3, **SMALL)
    made, experiment = planted(parameters)
    optics = dataclasses.replace(experiment.optics, substrate_transmittance=None)
    return made, finish(analyze(experiment.replace(optics=optics)))


@pytest.fixture(scope="module")
def silver():
    return analysed(ag_parameters(seed=43, shape=(128, 128), count=5, frame_interval_s=8.0))


@pytest.fixture(scope="module")
def epi():
    parameters = au_parameters(seed=44, epi_interval_s=1.0, offset_px=(0.0, 0.0), **SMALL)
    return analysed(parameters, "epi")


def away_from_pores(made):
    """Pixels in which the light of pores, which open meanwhile, is not mixed with the film's."""
    return ~ndimage.binary_dilation(made.truth.pore_coverage[1] > 0, iterations=4)


def last_pores(result, cycle):
    summary = result.tables["pore_summary"]
    return summary[summary["cycle"] == cycle].iloc[-1]


@pytest.mark.parametrize("case", ["gold", "beside_glass"])
def test_onsets_are_within_the_stated_error(case, request):
    made, result = request.getfixturevalue(case)
    steps = {k: m for k, m in result.onset_maps.items() if "dissolution" not in k}
    assert set(steps) == set(made.truth.onset_s)
    for key, onset in steps.items():
        where = away_from_pores(made) if "dealloying" in key else None
        error, share = onset_error_s(onset, made, key, where)
        assert error <= 0.15 * result.recording.frame_interval_s
        assert share > 0.9 if case == "beside_glass" else share > 0.99


def test_lithium_dissolves_where_the_sites_were(gold):
    _, result = gold
    onset = result.onset_maps["cycle1_dissolution"]
    shape, size = result.film.shape, result.recording.pixel_size_um
    sites = site_masks(result.tables["sites"], shape, size)["cycle1_sites"] > 0
    near = ndimage.binary_dilation(sites, iterations=3)
    assert near[onset.reached].mean() > 0.95
    assert onset.reached[sites].mean() > 0.8
    assert (onset.reason[~near] == OnsetReason.BEFORE).mean() > 0.9  # as bright as it gets


@pytest.mark.parametrize("case", ["gold", "beside_glass", "silver", "epi"])
def test_every_planted_site_is_found(case, request):
    made, result = request.getfixturevalue(case)
    for cycle, truth in made.truth.sites.groupby("cycle"):
        sites = result.tables["sites"]
        assert site_score(sites[sites["cycle"] == cycle], truth)[0] >= 0.95


@pytest.mark.parametrize("case", ["gold", "beside_glass", "silver"])
def test_pore_area_at_each_cycles_end(case, request):
    made, result = request.getfixturevalue(case)
    for row in made.truth.pore_summary.query("cycle > 0").itertuples():
        last = last_pores(result, row.cycle)
        assert last["total_area_um2"] == pytest.approx(row.total_area_um2, rel=0.1)
        if case != "silver":
            assert last["count"] == row.count


@pytest.mark.parametrize("case", ["gold", "beside_glass", "silver"])
def test_pinholes_of_the_pristine_film_are_in_the_row_p(case, request):
    made, result = request.getfixturevalue(case)
    pristine = result.tables["cycles"].iloc[0]
    truth = made.truth.pore_summary.iloc[0]
    assert pristine["state"] == "P"
    assert pristine["pore_count"] == truth["count"] >= 2
    area = pristine["area_fraction"] * result.film.sum() * 0.065**2
    # The glass beside the film is dimmer than under it by what the illumination falls off.
    tolerance = 0.15 if case == "beside_glass" else 0.1
    assert area == pytest.approx(truth["total_area_um2"], rel=tolerance)


def test_bare_glass_is_no_film_and_tells_the_substrates_brightness(beside_glass):
    made, result = beside_glass
    assert not (result.film & ~made.truth.film).any()
    assert result.film.sum() > 0.9 * made.truth.film.sum()
    assert result.pore_tracks.optics.substrate == pytest.approx(2.0, rel=0.05)
    assert any("bare glass" in note for note in result.notes)
    for onset in result.onset_maps.values():
        assert (onset.reason[~result.film] == OnsetReason.OUTSIDE).all()


def test_film_everywhere_is_all_film(gold, silver, epi):
    for _, result in (gold, silver, epi):
        assert result.film.all()


def test_complementary_steps_have_a_large_r_beyond_chance(gold):
    _, result = gold
    table = result.tables["colocalization"].set_index(["a", "b"])
    row = table.loc[("cycle1_step1_unalloyed_middle", "cycle1_step2_alloyed_middle")]
    assert row["pearson_r"] > 0.5
    assert row["pearson_r"] > row["null_high"]
    assert row["p_value"] < 0.05
    sites = table[[b == "cycle1_sites" for _, b in table.index]]
    assert len(sites) == 2 * 6
    assert sites["reason"].str.startswith("sparse mask").all()
    pores = table.loc[("cycle1_sites", "cycle1_pores")]
    assert pores["pearson_r"] > pores["null_high"]  # pores open where lithium sat


def test_silvers_uniform_steps_have_no_r_and_a_reason(silver):
    _, result = silver
    table = result.tables["colocalization"]
    uniform = table["a"].str.contains("step[12]_") | table["b"].str.contains("step[12]_")
    assert uniform.sum() == 3 * (5 * 16 + 2 * 6 * 2)
    assert table.loc[uniform, "pearson_r"].isna().all()
    assert table.loc[uniform, "reason"].str.contains("is uniform: its onset spread").all()
    assert table.loc[~uniform, "pearson_r"].notna().all()


def test_silver_has_three_cycles_in_all_tables(silver):
    _, result = silver
    states = result.tables["cycles"]["state"].tolist()
    assert states == ["P", "De1*", "Di1*", "De2*", "Di2*", "De3*", "Di3*"]
    assert len(result.onset_maps) == 18 + 3  # and the dissolution of each cycle
    assert sorted(result.tables["pores"]["cycle"].unique()) == [1, 2, 3]
    assert sorted(result.tables["curves"]["cycle"].dropna().unique()) == [1, 2, 3]
    growing = [last_pores(result, c)["area_fraction"] for c in (1, 2, 3)]
    assert growing == sorted(growing)


def test_an_epi_recording_is_analysed_too(epi):
    made, result = epi
    for key in made.truth.onset_s:
        onset = result.onset_maps[key]
        error, share = onset_error_s(onset, made, key)
        assert onset.polarity == ("darkens" if "dealloying" in key else "brightens")
        assert error <= 0.5 * result.recording.frame_interval_s
        assert share > 0.95
    curves = result.tables["curves"]
    assert curves["absorbance"].isna().all()
    assert curves["relative_reflectance"].notna().all()
    last, truth = last_pores(result, 1), made.truth.pore_summary.iloc[1]
    assert last["count"] == truth["count"]
    assert last["total_area_um2"] == pytest.approx(truth["total_area_um2"], rel=0.15)


def test_tables_are_those_of_the_design(gold):
    _, result = gold
    assert set(result.tables) == set(TABLES)
    for name, table in result.tables.items():
        assert {c: str(t) for c, t in table.dtypes.items()} == TABLES[name]
        # only the cell's stages are given, so there is no lag; nobody corrected a pore
        assert (len(table) == 0) == (name in ("stage_lags", "pore_edits"))


def test_curves_have_field_and_suggested_regions_with_x_and_potential(gold):
    made, result = gold
    curves = result.tables["curves"]
    assert curves["region"].unique().tolist() == ["field", "Area Init", "Area Fnl"]
    assert len(curves) == 3 * made.trans.n_frames
    step2 = next(s for s in made.experiment.stages if s.key == "cycle1_step2")
    at_end = curves[curves["time_s"] <= step2.end_s].groupby("region")["absorbance"].last()
    assert at_end["field"] == pytest.approx(0.34 + 0.03, abs=0.02)
    film = made.experiment.film
    x = curves.set_index("time_s")["li_content_x"].dropna()
    rising = x[(x.index > 25) & (x.index < 80)]
    slope = np.polyfit(rising.index, rising, 1)[0]
    assert slope == pytest.approx(film.li_content_rate(0.0353), rel=2e-3)
    assert slope == pytest.approx(0.0377, rel=5e-3)
    stages = result.tables["stages"].set_index(["kind", "step"])
    assert stages.loc["alloying"].loc[1, "end_x"] == pytest.approx(37 * 0.0377, rel=0.02)


def test_capacity_and_efficiency(gold):
    _, result = gold
    made = gold[0]
    cycles = result.tables["cycles"].set_index("state")
    bounds = [(s.start_s, s.end_s) for s in made.experiment.stages if s.darkens]
    seconds = max(e for _, e in bounds) - min(s for s, _ in bounds)
    expected = 0.0353 * seconds / 3600 / made.experiment.film.area_cm2
    assert cycles.loc["De1*", "capacity_mah_cm2"] == pytest.approx(expected, rel=0.02)
    assert 0 < cycles.loc["Di1*", "coulombic_efficiency"] < 1
    assert cycles.loc["De1*", "site_count"] == 8


def test_provenance_names_each_step_with_what_it_ran_with(gold):
    _, result = gold
    names = [step.name for step in result.provenance]
    assert names[:3] == ["link_clock", "measure_correction", "reference_frame"]
    assert names.count("onset_map") == 4
    assert {"region_curves", "detect_sites", "track_pores", "colocalization"} < set(names)
    onset = next(step for step in result.provenance if step.name == "onset_map")
    assert onset.parameters["psf_sigma_px"] == 1.3
    assert onset.parameters["smoothing_px"] is not None
    assert onset.parameters["stage"] == "cycle1_step1"


TINY = {
    "shape": (64, 64),
    "count": 3,
    "spacing_um": 0.8,
    "frame_interval_s": 4.0,
    "deposition_s": 30.0,
    "dissolution_s": 20.0,
}


@pytest.fixture(scope="module")
def tiny():
    return planted(au_parameters(seed=45, **TINY))[1]


@pytest.fixture(scope="module")
def tiny_run(tiny):
    """Shares done of its analysis, one after another, and the result."""
    work, shares = analyze(tiny), []
    while True:
        try:
            done, total = next(work)
        except StopIteration as stop:
            return shares, stop.value
        shares.append(done / total)


def test_progress_rises_to_its_end(tiny_run):
    shares, _ = tiny_run
    assert all(a <= b for a, b in itertools.pairwise(shares))
    assert shares[0] < 0.1
    assert shares[-1] == 1


def test_it_can_be_stopped(tiny):
    work = analyze(tiny)
    next(work)
    work.close()
    with pytest.raises(StopIteration):
        next(work)


def test_the_same_input_gives_the_same_tables(tiny, tiny_run):
    first, second = tiny_run[1].tables, finish(analyze(tiny)).tables
    for name in TABLES:
        assert first[name].equals(second[name])


def only_alloying(experiment):
    """The same with the stages of alloying only, whose analysis is shorter."""
    return experiment.replace(stages=tuple(stages_of(experiment.stages, StageKind.ALLOYING)))


def test_parameters_given_win_over_those_of_the_file(tiny):
    told = only_alloying(tiny).replace(analysis={"onset": {"fraction": 0.3}})
    assert finish(analyze(told)).onset_maps["cycle1_step1"].parameters.fraction == 0.3
    config = AnalysisConfig(onset=OnsetParameters(fraction=0.7))
    assert finish(analyze(told, config)).onset_maps["cycle1_step1"].parameters.fraction == 0.7


def test_regions_given_take_the_place_of_suggested_ones(tiny):
    corners = np.array([(10, 10), (10, 20), (20, 20), (20, 10)], float)
    told = only_alloying(tiny).replace(regions=(Region(name="mine", vertices_px=corners),))
    result = finish(analyze(told))
    assert result.tables["curves"]["region"].unique().tolist() == ["field", "mine"]
    assert not any("suggested" in note for note in result.notes)


def test_without_stages_there_are_curves_only_and_it_is_said(tiny):
    even = recording_of(np.full((60, 40, 40), 1000, np.uint16))
    result = finish(analyze(tiny.replace(recordings=(even,), stages=(), potential=None)))
    assert set(result.tables) == set(TABLES)
    assert len(result.tables["curves"]) == 60
    for name in ("sites", "pores", "colocalization", "onset_summary", "stages", "cycles"):
        assert len(result.tables[name]) == 0
    assert any("only curves were made" in note for note in result.notes)


def test_what_is_needed_and_not_known_is_asked_for(tiny):
    cell = tiny.recordings[0]
    unknown = tiny.replace(recordings=(cell.replace(mode=None),))
    with pytest.raises(AlloyError, match=r"not known whether .* trans or epi"):
        finish(analyze(unknown))
    no_size = tiny.replace(recordings=(cell.replace(pixel_size_um=None),))
    with pytest.raises(AlloyError, match="needs the pixel size"):
        finish(analyze(no_size))
    assert len(finish(analyze(only_alloying(no_size))).onset_maps) == 2
    with pytest.raises(AlloyError, match="There is no recording side"):
        finish(analyze(tiny, recording_name="side"))


def test_a_stage_beside_the_frames_is_an_error(tiny):
    late = tuple(
        dataclasses.replace(s, start_s=s.start_s + 1e4, end_s=s.end_s + 1e4) for s in tiny.stages
    )
    with pytest.raises(AlloyError, match="frames lie between"):
        finish(analyze(tiny.replace(stages=late)))


def test_uneven_and_dropped_frames_are_analysed():
    made, experiment = planted(au_parameters(seed=46, jitter=0.2, dropped=0.1, **SMALL))
    result = finish(analyze(experiment))
    assert np.ptp(np.diff(result.recording.times_s)) > 0.5
    for key in ("cycle1_step1", "cycle1_step2"):
        assert onset_error_s(result.onset_maps[key], made, key)[0] <= 0.15
    assert site_score(result.tables["sites"], made.truth.sites)[0] >= 0.95
    assert last_pores(result, 1)["total_area_um2"] == pytest.approx(
        made.truth.pore_summary["total_area_um2"][1], rel=0.1
    )


def test_of_two_recordings_the_one_named_is_analysed():
    noise = np.random.default_rng(1).poisson(1000, (30, 32, 32)).astype(np.uint16)
    cells = (recording_of(noise, name=mode, mode=mode) for mode in ("trans", "epi"))
    both = Experiment(name="cell", recordings=tuple(cells))
    assert finish(analyze(both)).recording.mode == "trans"
    assert finish(analyze(both, recording_name="epi")).recording.mode == "epi"


RNG = np.random.default_rng(0)
NOISE = RNG.normal(1000, 20, (60, 40, 40)).astype(np.float32)
BLACK = NOISE.copy()
BLACK[[10, 40]] = 0
GAPS = NOISE.copy()
GAPS[:, :4], GAPS[20] = np.nan, np.nan
NOTHING_HAPPENS = {
    "noise": NOISE,
    "all equal": np.full((60, 40, 40), 1000, np.uint16),
    "clipped": np.full((60, 40, 40), 4095, np.uint16),
    "few pixels": NOISE[:, :16, :16],
    "black frames": BLACK,
    "gaps": GAPS,
    "signed": (NOISE / 12).astype(np.int8),
}


@pytest.mark.parametrize("mode", ["trans", "epi"])
@pytest.mark.parametrize("name", NOTHING_HAPPENS)
def test_where_nothing_happens_nothing_is_found(tiny, name, mode):
    """No warning, no onset, site or pore, and no number that looks measured."""
    frames = NOTHING_HAPPENS[name]
    end_s = max(s.end_s for s in tiny.stages)
    times = np.linspace(0, end_s, len(frames))
    cell = recording_of(frames, times, mode=mode, saturation_counts=4095.0)
    result = finish(analyze(tiny.replace(recordings=(cell,))))
    for onset in result.onset_maps.values():
        assert onset.reached.mean() < 0.02
        assert np.isnan(onset.onset_s[~onset.reached]).all()
    assert len(result.tables["sites"]) <= 1
    assert len(result.tables["pores"]) == 0
    assert result.tables["colocalization"]["pearson_r"].isna().all()
    assert result.tables["colocalization"]["reason"].ne("").all()
    assert set(result.tables) == set(TABLES)


def test_a_dark_recording_is_said(tiny):
    cell = recording_of(np.zeros((60, 40, 40), np.uint16))
    with pytest.raises(AlloyError, match="not below the picture"):
        finish(analyze(tiny.replace(recordings=(cell,))))


def test_pixels_without_a_value_spoil_no_others(gold):
    made, whole = gold
    frames = np.asarray(whole.recording.frames).astype(np.float32)
    frames[:, :8] = np.nan
    frames[:, 60, 60] = np.nan
    cell = recording_of(frames, whole.recording.times_s, dark_counts=100.0)
    steps = tuple(s for s in made.experiment.stages if s.kind is StageKind.ALLOYING)
    result = finish(analyze(made.experiment.replace(recordings=(cell,), stages=steps)))
    known = np.isfinite(frames[0])
    for key, onset in result.onset_maps.items():
        assert not onset.reached[~known].any()
        error, share = onset_error_s(onset, made, key, known)
        assert error <= 0.15
        assert share > 0.99
    curves = result.tables["curves"]
    assert curves.loc[curves["region"] == "field", "absorbance"].notna().all()


def test_disturbances_leave_a_whole_result():
    """Lamp, dust, glare, hot pixels and a wandering film: no warning, and sites all the same."""
    parameters = au_parameters(
        **SMALL | {"seed": 47, "frame_interval_s": 2.0, "flicker": 0.02, "dust": 8},
        **{"glare": 0.2, "hot_pixels": 6, "walk_px": 0.05, "lamp_drift": -0.03},
    )
    made, experiment = planted(parameters)
    result = finish(analyze(experiment))
    assert site_score(result.tables["sites"], made.truth.sites)[0] >= 0.9
    for key in ("cycle1_step1", "cycle1_step2"):
        assert onset_error_s(result.onset_maps[key], made, key)[0] <= 1.0
    assert last_pores(result, 1)["total_area_um2"] == pytest.approx(
        made.truth.pore_summary["total_area_um2"][1], rel=0.25
    )


def test_before_a_stage_other_than_the_sei_current_may_have_flowed():
    """Only deposition is given: the frames before it hold alloying and are no reference."""
    _, experiment = planted(au_parameters(shape=(64, 64), count=2, spacing_um=0.8))
    plating = [s for s in experiment.stages if s.kind is StageKind.DEPOSITION]
    bare = experiment.replace(potential=None, stages=tuple(plating))
    assert bare.current_starts_s() is None
    assert experiment.replace(potential=None).current_starts_s() == experiment.stages[0].start_s


def test_clipping_of_a_camera_with_fewer_bits_than_its_file_is_noticed():
    frames = np.full((30, 32, 32), 1500, dtype=np.uint16)
    frames[:, 10:20, 10:20] = 4095
    cell = recording_of(frames, saturation_counts=65535.0)
    result = finish(analyze(Experiment(name="cell", recordings=(cell,))))
    assert "Pixels of 4095 counts are taken as clipped" in " ".join(result.notes)
    assert result.tables["corrections"]["saturated_fraction"].iloc[0] == pytest.approx(100 / 1024)


def test_of_several_recordings_of_one_mode_none_is_chosen_silently():
    cells = [recording_of(np.ones((4, 8, 8), np.uint16), name=f"channel {i}") for i in (0, 1)]
    experiment = Experiment(name="two", recordings=tuple(cells))
    with pytest.raises(AlloyError, match=r"holds several recordings \(channel 0, channel 1\)"):
        experiment.recording()
