"""A wheel installed elsewhere is a whole plug-in."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
LOOK = """
import json, sys
target, *checkout = sys.argv[1:]
sys.meta_path = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
sys.path = [target, *(p for p in sys.path if p not in checkout)]
import napari_lithium_alloy
from npe2 import PluginManager
from napari_lithium_alloy.sample_data import SAMPLES, sample_dir, sample_parameters

manager = PluginManager()
manager.discover()
manifest = manager.get_manifest("napari-lithium-alloy")
print(json.dumps({
    "package": napari_lithium_alloy.__file__,
    "name": manifest.display_name,
    "widgets": [w.display_name for w in manifest.contributions.widgets],
    "samples": [str(sample_dir(name) / "recording.toml") for name in SAMPLES],
    "planted": [sample_parameters(name).cycles for name in SAMPLES],
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / done.stdout.split()[-1]


@pytest.mark.slow
def test_the_wheel_holds_manifest_generator_and_samples(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = "napari_lithium_alloy"
    for name in (
        "napari.yaml",
        "py.typed",
        "sample_data.py",
        "core/synthetic/make.py",
        "sample_data/au_one_cycle/recording.toml",
        "sample_data/au_one_cycle/trans.ome.tif",
        "sample_data/ag_three_cycles/epi.ome.tif",
        "sample_data/ag_three_cycles/truth/pores.csv",
    ):
        assert f"{package}/{name}" in names
    assert not [n for n in names if "tests" in n or "benchmarks" in n]


@pytest.mark.slow
def test_npe2_finds_the_wheel_installed_in_an_empty_folder(wheel, tmp_path):
    target = tmp_path / "site"
    install = ["-m", "pip", "install", "--no-deps", "--no-index", "--target", target, wheel]
    subprocess.run([sys.executable, *map(str, install)], capture_output=True, check=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(target), str(CHECKOUT), str(CHECKOUT / "src")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["package"].startswith(str(target))
    assert found["name"] == "Lithium alloy"
    assert "Lithium alloy workspace" in found["widgets"]
    assert len(found["widgets"]) == 10
    assert all(sample.startswith(str(target)) for sample in found["samples"])
    assert found["planted"] == [1, 3]
