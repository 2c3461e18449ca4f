import subprocess
import sys

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest

from napari_lithium_alloy._napari.contributions import get_reader, read, sample_gold, sample_silver
from napari_lithium_alloy._napari.session import session_of

NAME = "napari-lithium-alloy"


def test_the_manifest_is_valid():
    manifest = PluginManifest.from_distribution(NAME)
    manifest.validate_imports()
    widgets = [w.display_name for w in manifest.contributions.widgets]
    assert widgets[0] == "Lithium alloy workspace"
    assert len(widgets) == 10


def test_nothing_heavy_is_imported_with_the_contributions():
    code = (
        "import sys;"
        "from napari_lithium_alloy._napari.contributions import get_reader;"
        "get_reader('film.tif');"
        "print([m for m in ('napari', 'matplotlib', 'pyqtgraph', 'numba', 'skimage', 'laptrack',"
        " 'distributed') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_nothing_of_ours_runs_when_napari_starts_or_its_menu_is_opened():
    code = (
        "import sys, napari;"
        "viewer = napari.Viewer(show=False);"
        "viewer.window.plugins_menu.aboutToShow.emit();"
        "names = [a.text() for a in viewer.window.plugins_menu.actions()];"
        "print('Lithium alloy' in names,"
        " [m for m in sys.modules if m.startswith('napari_lithium_alloy')]);"
        "viewer.close()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip().splitlines()[-1] == "True []"


def test_a_recording_opens_through_napari(make_napari_viewer, gold_file):
    viewer = make_napari_viewer()
    viewer.open(gold_file, plugin=NAME)
    assert [layer.name for layer in viewer.layers] == ["gold epi", "gold trans"]
    session = session_of(viewer)
    assert session.current.recording.mode == "trans"
    assert session.current.experiment.film.metal == "Au"


def test_a_plain_tiff_has_no_mode_until_it_is_set(make_napari_viewer, tmp_path):
    tifffile.imwrite(tmp_path / "film.tif", np.ones((4, 6, 7), np.uint16), photometric="minisblack")
    viewer = make_napari_viewer()
    viewer.open(tmp_path / "film.tif", plugin=NAME)
    opened = session_of(viewer).current
    assert opened.recording.mode is None
    assert opened.recording.frames.shape == (4, 6, 7)


def test_samples(viewer):
    for sample, cycles in ((sample_gold, 1), (sample_silver, 3)):
        for layer in sample():
            viewer._add_layer_from_data(*layer)
        experiment = session_of(viewer).opened[-1].experiment
        assert max(s.cycle for s in experiment.stages) == cycles


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.tif", b"this is no picture"),
        ("broken.recording.toml", b"[trans\npath = 3"),
        ("missing.recording.toml", b'[trans]\npath = "nowhere.tif"'),
        ("negative.recording.toml", b'[trans]\npath = "good.tif"\npixel_size_um = -1.0'),
        ("nothing.recording.toml", b'name = "film"'),
    ],
)
def test_bad_input_is_one_sentence_and_no_layer(tmp_path, errors, name, content):
    tifffile.imwrite(tmp_path / "good.tif", np.ones((3, 5, 5), np.uint8), photometric="minisblack")
    path = tmp_path / name
    path.write_bytes(content)
    assert read(str(path)) == [(None,)]
    (message,) = errors
    assert message.endswith(".")
    assert "Traceback" not in message


def test_the_reader_takes_one_path_that_exists(tmp_path):
    assert get_reader(str(tmp_path / "no.tif")) is None
    assert get_reader(["a.tif", "b.tif"]) is None
    assert get_reader([str(tmp_path)]) is not None
