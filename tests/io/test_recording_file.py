"""recording.toml."""

import math

import numpy as np
import pytest
import tifffile

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.stages import StageKind
from napari_lithium_alloy.io.recording_file import inputs_of, open_experiment

COUNTS = np.random.default_rng(6).integers(0, 4000, (4, 16, 16), dtype=np.uint16)
WHOLE = """
name = "Au 14 nm"
[film]
metal = "Au"
thickness_nm = 14.0
diameter_mm = 3.0
[trans]
path = "trans.tif"
pixel_size_um = 0.5
times = "times.csv"
dark = "dark.tif"
[epi]
path = "cell.ome.tif"
channel = "reflected"
frame_interval_s = 2.0
dark = 100
[potential]
path = "potential.csv"
clock_offset_s = 1.5
[optics]
numerical_aperture = 0.9
wavelength_nm = 550
full_well_counts = 4000
substrate_transmittance = 2.5
[[stages]]
kind = "SEI"
start_s = 0.0
end_s = 1.0
[[stages]]
kind = "alloying"
step = 2
cycle = 3
start_s = 1.0
end_s = 2.0
scope = "field"
[[regions]]
name = "Area Init"
polygon = [[0, 0], [0, 2], [3, 2]]
[[regions]]
name = "Area Fnl"
rectangle = {y_um = 1, x_um = 2, height_um = 3, width_um = 4}
[analysis.onset]
fraction = 0.4
[correction]
drift = true
"""


@pytest.fixture
def folder(tmp_path):
    cell = tmp_path / "cell 7"
    cell.mkdir()
    tifffile.imwrite(cell / "trans.tif", COUNTS, photometric="minisblack")
    tifffile.imwrite(cell / "dark.tif", COUNTS[0])
    two = np.stack([COUNTS, COUNTS + 1], axis=1)
    metadata = {"axes": "TCYX", "Channel": {"Name": ["trans", "reflected"]}}
    tifffile.imwrite(cell / "cell.ome.tif", two, photometric="minisblack", metadata=metadata)
    (cell / "times.csv").write_text("time_s\n0\n1\n2\n4\n")
    (cell / "potential.csv").write_text("time_s,potential_v,current_ma\n0,1,0\n9,0,0.1\n")
    (cell / "recording.toml").write_text(WHOLE)
    return cell


def test_everything_in_it_arrives(folder):
    experiment = open_experiment(folder / "recording.toml")
    trans, epi = experiment.recordings
    assert experiment.name == "Au 14 nm"
    assert (trans.name, trans.mode) == ("Au 14 nm trans", "trans")
    assert (epi.name, epi.mode) == ("Au 14 nm epi", "epi")
    np.testing.assert_array_equal(np.asarray(epi.frames), COUNTS + 1)
    np.testing.assert_array_equal(trans.times_s, [0, 1, 2, 4])
    np.testing.assert_array_equal(epi.times_s, [0, 2, 4, 6])
    np.testing.assert_array_equal(trans.dark_counts, COUNTS[0])
    assert (trans.pixel_size_um, epi.pixel_size_um, epi.dark_counts) == (0.5, None, 100.0)
    assert trans.saturation_counts == epi.saturation_counts == 4000
    assert experiment.film.area_cm2 == pytest.approx(math.pi * 0.15**2)
    np.testing.assert_array_equal(experiment.potential.recording_times_s, [-1.5, 7.5])
    assert experiment.optics.sigma_px(0.5) == pytest.approx(0.21 * 0.55 / 0.9 / 0.5)
    assert experiment.optics.substrate_transmittance == 2.5
    assert experiment.analysis["onset"] == {"fraction": 0.4}
    assert experiment.analysis["correction"] == {"drift": True}
    assert inputs_of(experiment) == [
        folder / n
        for n in (
            "recording.toml",
            "trans.tif",
            "cell.ome.tif",
            "times.csv",
            "dark.tif",
            "potential.csv",
        )
    ]


def test_stages_and_regions(folder):
    experiment = open_experiment(folder)
    sei, step = experiment.stages
    assert (sei.kind, sei.scope, sei.cycle, sei.step) == (StageKind.SEI, "cell", 1, None)
    assert (step.key, step.scope, step.start_s) == ("cycle3_step2", "field", 1.0)
    init, final = experiment.regions
    np.testing.assert_array_equal(init.vertices_px, [[0, 0], [0, 4], [6, 4]])
    np.testing.assert_array_equal(final.vertices_px, [[2, 4], [2, 12], [8, 12], [8, 4]])


def test_one_path_is_enough(folder):
    (folder / "b.recording.toml").write_text('[trans]\npath = "trans.tif"\n')
    experiment = open_experiment(folder / "b.recording.toml")
    assert experiment.name == "b"
    assert experiment.recordings[0].name == "b trans"
    assert experiment.film is None
    assert experiment.stages == ()


def test_any_image_is_an_experiment(folder):
    experiment = open_experiment(folder / "trans.tif")
    assert experiment.name == "trans"
    assert experiment.recording().mode == "trans"
    assert inputs_of(experiment) == [folder / "trans.tif"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('path = "trans.tif"', 'path = "gone.tif"', r"gone\.tif does not exist; check its path"),
        ('path = "trans.tif"\n', "", r"recording\.toml: path under \[trans\] is missing; give the"),
        ('path = "trans.tif"', "path = 3", r"path under \[trans\] is 3; give a text"),
        ("pixel_size_um = 0.5", "pixel_size_um = -0.5", r"pixel_size_um under \[trans\] is -0\.5"),
        ("pixel_size_um = 0.5", 'pixel_size_um = "0.5"', r"is '0\.5'; give a positive number"),
        ("pixel_size_um", "pixel_size", r"no key pixel_size under \[trans\]; did you mean pixel_s"),
        ("[potential]", "[potentail]", r"no key potentail; did you mean potential\?"),
        (
            "frame_interval_s = 2.0",
            "frame_interval_s = nan",
            r"frame_interval_s under \[epi\] is",
        ),
        ('channel = "reflected"', "channel = 5", r"cell\.ome\.tif has no channel 5: give channel"),
        ('channel = "reflected"', "channel = -1", r"channel under \[epi\] is -1; give a whole"),
        ('kind = "SEI"', 'kind = "sei"', r"\[\[stages\]\] number 1 is 'sei'; give one of SEI, all"),
        ('kind = "SEI"\n', "", r"kind under .* is missing; give one of SEI"),
        ("end_s = 1.0", "end_s = -1.0", r"Stage SEI ends at -1 s, not after its start"),
        ("start_s = 0.0\n", "", r"start_s under \[\[stages\]\] number 1 is missing; give a number"),
        ('scope = "field"', 'scope = "frame"', r"scope .* is 'frame'; give one of cell, field"),
        ("step = 2", "step = 0", r"step .* is 0; give a whole number from 1"),
        ("diameter_mm = 3.0", "", r"give one of diameter_mm and area_cm2 under \[film\]"),
        ('metal = "Au"', 'metal = "Zn"', r"metal Zn is not known: give density_g_cm3"),
        ("thickness_nm = 14.0\n", "", r"thickness_nm under \[film\] is missing"),
        (
            "[[0, 0], [0, 2], [3, 2]]",
            "[[0, 0], [0]]",
            r"polygon under \[\[regions\]\] number 1",
        ),
        (
            "height_um = 3",
            "height = 3",
            r"no key height under \[rectangle\]; did you mean",
        ),
        ("[potential]", "[trans]", r"is not valid TOML"),
        ('name = "Au 14 nm"', "name = 14", r"recording\.toml: name is 14; give a text"),
        ('"potential.csv"', '"gone.csv"', r"gone\.csv cannot be opened"),
    ],
)
def test_mistakes_are_one_sentence(folder, old, new, sentence):
    assert old in WHOLE
    (folder / "recording.toml").write_text(
        WHOLE.replace(old, new, 1 if old != "[[stages]]" else -1)
    )
    with pytest.raises(AlloyError, match=sentence) as error:
        open_experiment(folder)
    assert "\n" not in str(error.value)


def test_times_that_fall_name_their_file(folder):
    (folder / "times.csv").write_text("time_s\n0\n2\n1\n4\n")
    with pytest.raises(AlloyError, match=r"times\.csv: times must rise, but frame 2"):
        open_experiment(folder)


def test_other_mistakes(folder, tmp_path):
    with pytest.raises(AlloyError, match=r"none\.toml cannot be opened"):
        open_experiment(tmp_path / "none.toml")
    (folder / "recording.toml").write_text('name = "empty"\n')
    with pytest.raises(AlloyError, match=r"names no images; give a path under \[trans\]"):
        open_experiment(folder)
    (folder / "recording.toml").write_text("name = \n")
    with pytest.raises(AlloyError, match="not valid TOML"):
        open_experiment(folder)
    (folder / "recording.toml").write_text(
        '[epi]\npath = "cell.ome.tif"\nchannel = 0\n[[regions]]\nname = "a"\npolygon = []\n'
    )
    with pytest.raises(AlloyError, match="needs the pixel size of cell 7 epi"):
        open_experiment(folder)


def test_uncertainty_efficiency_and_origins_of_x(folder):
    file = folder / "recording.toml"
    text = WHOLE.replace("diameter_mm = 3.0", "diameter_mm = 3.0\ndiameter_sd_mm = 0.15")
    text = text.replace("[film]", "[film]\nthickness_sd_nm = 0.7\ncoulombic_efficiency = 0.93")
    file.write_text(text.replace("clock_offset_s = 1.5", "x_origins_s = [14.4, 400]"))
    experiment = open_experiment(file)
    assert experiment.film.li_content_relative_sd == pytest.approx(math.hypot(0.05, 0.1))
    assert experiment.film.coulombic_efficiency == 0.93
    assert experiment.origins_s() == [14.4, 400.0]
    file.write_text(WHOLE.replace("clock_offset_s = 1.5", 'x_origins_s = "end of SEI"'))
    with pytest.raises(AlloyError, match="x_origins_s under"):
        open_experiment(file)


def test_a_step_given_twice_and_a_polygon_of_nan_are_refused(folder):
    file = folder / "recording.toml"
    twice = WHOLE.replace('"SEI"', '"alloying"').replace("step = 2\ncycle = 3\n", "")
    file.write_text(twice.replace('scope = "field"\n', ""))
    with pytest.raises(AlloyError, match="step 1 of cycle 1 is given twice"):
        open_experiment(file)
    file.write_text(WHOLE.replace("[0, 2]", "[nan, 2]"))
    with pytest.raises(AlloyError, match="three or more pairs"):
        open_experiment(file)
