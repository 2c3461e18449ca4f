"""Results of ImageJ on the same images."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from planted import recording_of

from napari_lithium_alloy.core.colorcode import lut, projection
from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.pores import particles
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.core.thresholds import NAMES, named_threshold


@pytest.fixture(scope="module")
def imagej(shared):
    return shared / "reference" / "imagej"


@pytest.fixture(scope="module")
def step1(imagej):
    return recording_of(tifffile.imread(imagej / "step1_8bit.tif"))


@pytest.mark.parametrize("name", ["Fire", "Spectrum"])
def test_lookup_tables(imagej, name):
    expected = pd.read_csv(imagej / f"lut_{name}.csv")
    assert np.array_equal(lut(name), expected[["r", "g", "b"]])


@pytest.mark.parametrize("name", ["Fire", "Spectrum"])
def test_temporal_color_code_to_the_pixel(imagej, step1, name):
    expected = tifffile.imread(imagej / f"temporal_color_{name}_max.tif")
    assert step1.n_frames == 40
    found = finish(projection(step1, lut(name), 0, 39, method="max"))
    assert np.array_equal(found, expected)


def test_mean_of_a_rectangle(imagej, step1):
    expected = pd.read_csv(imagej / "roi_mean_x40_y50_w30_h20.csv")
    corners = np.array([(49.5, 39.5), (49.5, 69.5), (69.5, 69.5), (69.5, 39.5)])
    region = Region(name="roi", vertices_px=corners)
    assert region.mask(step1.field_shape).sum() == 30 * 20
    curves = finish(region_curves(step1, reference_frame(step1), [region], with_field=False))
    # ImageJ wrote six digits.
    assert np.allclose(curves["mean_counts"], expected["mean"], rtol=1e-5, atol=0)


def test_areas_and_centres_of_particles(imagej):
    expected = pd.read_csv(imagej / "analyze_particles_threshold150.csv")
    found = particles(tifffile.imread(imagej / "pores_8bit.tif") >= 150, 0.065)
    assert len(found) == len(expected) == 50
    assert found["area_um2"].sum() == pytest.approx(16.08035, abs=5e-6)
    assert np.allclose(found["area_um2"], expected["Area"], atol=1e-6)
    half_a_pixel = 0.065 / 2
    assert np.allclose(found["x_um"] + half_a_pixel, expected["X"], atol=1e-5)
    assert np.allclose(found["y_um"] + half_a_pixel, expected["Y"], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_automatic_thresholds(imagej, name):
    """ImageJ's lower threshold is the first level of the objects."""
    expected = pd.read_csv(imagej / "thresholds.csv").set_index("method")["lower"]
    image = tifffile.imread(imagej / "pores_8bit.tif")
    assert named_threshold(np.bincount(image.ravel(), minlength=256), name) + 1 == expected[name]
