"""The lamp of a real recording: background flicker goes, the domain's growth stays."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from planted import recording_of
from scipy import ndimage

from napari_lithium_alloy.core.correction import CorrectionParameters, corrected
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region

BACKGROUND = np.array([[45.0, 15.0], [45.0, 75.0], [85.0, 75.0], [85.0, 15.0]])
ELSEWHERE = slice(105, 150), slice(5, 30)
DOMAIN = slice(130, 175), slice(125, 165)


@pytest.fixture(scope="module")
def front(shared):
    real = shared / "real" / "front"
    times = pd.read_csv(real / "A1_crystal_front_times.csv")["t_s_burned_in"].to_numpy(float)
    frames = tifffile.imread(real / "A1_crystal_front_13f_uint8.tif")
    return recording_of(frames, times, saturation_counts=255.0)


def spread(recording, window):
    levels = np.array([np.median(recording.read(t)[window]) for t in range(recording.n_frames)])
    means = np.array([recording.read(t)[window].mean() for t in range(recording.n_frames)])
    return levels, float(means.std() / means.mean())


def test_a_drawn_background_steadies_the_lamp_elsewhere_too(front):
    region = Region(name="Background", vertices_px=BACKGROUND)
    parameters = CorrectionParameters(reference_region="Background")
    correction = finish(measure_correction(front, parameters, regions=[region]))
    levels, before = spread(front, ELSEWHERE)
    assert before > 0.03
    assert (levels.min(), levels.max()) == pytest.approx((65, 75), abs=4)
    steady = corrected(front, correction)
    assert spread(steady, ELSEWHERE)[1] < 0.01
    assert correction.lamp.source == "reference"
    assert not correction.moves


def test_the_domain_grows_as_before(front):
    region = Region(name="Background", vertices_px=BACKGROUND)
    parameters = CorrectionParameters(reference_region="Background")
    steady = corrected(front, finish(measure_correction(front, parameters, regions=[region])))
    areas = []
    for t in range(9):
        smooth = ndimage.gaussian_filter(steady.read(t), 2)
        level = (np.median(smooth[ELSEWHERE]) + np.median(smooth[DOMAIN])) / 2
        labels, _ = ndimage.label(smooth < level)
        areas.append(ndimage.binary_fill_holes(labels == labels[155, 145])[:, :230].sum())
    radii = np.sqrt(np.array(areas) / np.pi)
    assert np.all(np.diff(radii) > 0)
    assert radii[0] == pytest.approx(41.7, rel=0.05)
    assert radii[7] == pytest.approx(80.6, rel=0.05)


def test_its_flicker_falls_without_a_region_too(front):
    correction = finish(measure_correction(front))
    _, before = spread(front, ELSEWHERE)
    _, after = spread(corrected(front, correction), ELSEWHERE)
    assert after < 0.5 * before
    assert "bare glass" in correction.lamp.note
