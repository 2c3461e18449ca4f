"""Parameters of all analyses from the [analysis] part of recording.toml."""

import dataclasses
import tomllib

import pytest
from planted import recording_of

from napari_lithium_alloy.config import AnalysisConfig, config_of
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment, Optics


def parsed(text):
    return AnalysisConfig.from_toml(tomllib.loads(text))


def test_without_anything_all_is_default():
    assert AnalysisConfig.from_toml({}) == AnalysisConfig()


def test_what_is_given_is_taken_and_the_rest_stays():
    config = parsed(
        """
        [onset]
        fraction = 0.4
        smoothing_px = 2
        [nucleation]
        polarity = "either"
        max_radius_um = 3.0
        [pores]
        averaged_frames = 5
        substrate = 2.1
        [color_code]
        flat = true
        """
    )
    default = AnalysisConfig()
    assert config.onset == dataclasses.replace(default.onset, fraction=0.4, smoothing_px=2)
    assert (config.nucleation.polarity, config.nucleation.max_radius_um) == ("either", 3.0)
    assert (config.pores.averaged_frames, config.pores.substrate) == (5, 2.1)
    assert config.color_code.flat
    assert config.normalization == default.normalization


def test_every_analysis_may_be_given_its_own_defaults():
    default = AnalysisConfig()
    tables = {
        f.name: {k: v for k, v in vars(getattr(default, f.name)).items() if v is not None}
        for f in dataclasses.fields(default)
    }
    assert AnalysisConfig.from_toml(tables) == default


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[onsets]\nfraction = 0.5", r"There is no analysis\.onsets in recording\.toml; there are"),
        ("onset = 3", r"analysis\.onset is not a table"),
        ("[onset]\nfracton = 0.5", r"no analysis\.onset\.fracton; there are: fraction, "),
        ('[onset]\nfraction = "half"', r"analysis\.onset\.fraction is 'half'; give a number"),
        ("[onset]\nfraction = true", "give a number"),
        ("[onset]\nfraction = 1.5", "between 0 and 1"),
        ("[onset]\nlevel_frames = 2.5", "give a whole number"),
        ('[onset]\npolarity = "dark"', "give one of auto, darkens, brightens"),
        ("[color_code]\nflat = 1", "give true or false"),
        ("[color_code]\ncolormap = 1", "give a text"),
        ("[nucleation]\nmin_radius_um = 2.0", "no range"),
        ("[pores]\nthreshold = 0", "threshold"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(text, said):
    with pytest.raises(AlloyError, match=said):
        parsed(text)


def experiment(optics=None, **analysis):
    cell = recording_of([[[1.0]]])
    return Experiment(name="cell", recordings=(cell,), optics=optics or Optics(), analysis=analysis)


def test_the_point_spread_is_that_of_the_optics():
    assert config_of(experiment()).onset.psf_sigma_px is None
    assert config_of(experiment(Optics(psf_sigma_px=1.4))).onset.psf_sigma_px == 1.4
    objective = Optics(numerical_aperture=0.9, wavelength_nm=550)
    assert config_of(experiment(objective)).onset.psf_sigma_px == pytest.approx(1.974, abs=1e-3)


def test_what_is_said_of_the_onset_wins_over_the_optics():
    told = experiment(Optics(psf_sigma_px=1.4), onset={"psf_sigma_px": 0.0, "fraction": 0.4})
    assert config_of(told).onset.psf_sigma_px == 0.0
    assert config_of(told).onset.fraction == 0.4


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("onset", "level_frames", 0),
        ("onset", "smoothing_px", -1.0),
        ("onset", "min_snr", float("nan")),
        ("pores", "averaged_frames", 0),
        ("pores", "min_area_um2", -0.1),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(table, key, value):
    with pytest.raises(AlloyError, match=f"analysis.{table}.{key} is .*, which cannot be"):
        AnalysisConfig.from_toml({table: {key: value}})
