"""[correction] and the lamp's reference region into recording.toml, with all else kept."""

import numpy as np
import pytest
import tifffile

from napari_lithium_alloy.core.correction import CorrectionParameters
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.stages_file import save_correction, with_region

CHOSEN = CorrectionParameters(drift=False, lamp="flicker", bad_pixels=False)
BOX = np.array([[0.0, 0.0], [0.0, 2.0], [1.0, 2.0]])


@pytest.fixture
def file(tmp_path):
    frames = np.full((3, 6, 8), 500, np.uint16)
    tifffile.imwrite(tmp_path / "trans.tif", frames, photometric="minisblack")
    path = tmp_path / "recording.toml"
    path.write_text(
        'name = "film"\n\n[trans]\npath = "trans.tif"\nframe_interval_s = 1.0\n'
        "pixel_size_um = 0.5\n\n[correction]\n# the stage is new\ndrift = true  # always\n"
        'reference_region = "glass"\n'
    )
    return path


def test_what_is_chosen_comes_back_and_comments_stay(file):
    assert save_correction(open_experiment(file), CHOSEN) == file
    text = file.read_text()
    assert "# the stage is new\ndrift = false  # always\n" in text
    assert "reference_region" not in text
    assert open_experiment(file).analysis["correction"] == {
        "drift": False,
        "lamp": "flicker",
        "flat_field": "auto",
        "bad_pixels": False,
    }


def test_the_lamps_region_joins_the_others_once(file):
    parameters = CorrectionParameters(reference_region="glass")
    region = Region(name="glass", vertices_px=BOX / 0.5)
    for _ in range(2):
        save_correction(open_experiment(file), parameters, region)
    experiment = open_experiment(file)
    (found,) = experiment.regions
    assert found.name == "glass"
    assert np.allclose(found.vertices_px, region.vertices_px)
    assert experiment.analysis["correction"]["reference_region"] == "glass"


def test_another_region_of_that_name_is_not_replaced(file):
    text = with_region(file.read_text(), "glass", BOX)
    with pytest.raises(AlloyError, match="has another region glass"):
        with_region(text, "glass", BOX + 1)


def test_a_file_without_a_pixel_size_has_no_regions(file):
    file.write_text(file.read_text().replace("pixel_size_um = 0.5\n", ""))
    before = file.read_text()
    with pytest.raises(AlloyError, match="needs the pixel size"):
        save_correction(open_experiment(file), CHOSEN, Region(name="glass", vertices_px=BOX / 0.5))
    assert file.read_text() == before
