"""Everything outside _napari works without napari, Qt and what belongs to them."""

import subprocess
import sys

import pytest

BLOCKED = (
    *("napari", "qtpy", "PyQt5", "PyQt6", "PySide6", "magicgui"),
    *("pyqtgraph", "superqt", "vispy", "app_model", "psygnal"),
)

BLOCK = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
"""

IMPORT_ALL = """
import importlib, pkgutil
import napari_lithium_alloy as package

def failed(name):
    raise ImportError(name)

names = [
    m.name for m in pkgutil.walk_packages(package.__path__, "napari_lithium_alloy.", failed)
    if "._napari" not in m.name
]
for name in names:
    importlib.import_module(name)
print(len(names), not [m for m in sys.modules if m.split(".")[0] in BLOCKED])
"""

ANALYSE = """
from pathlib import Path
from napari_lithium_alloy.cli import main
from napari_lithium_alloy.sample_data import sample_parameters, write_sample

folder = Path(sys.argv[1])
parameters = sample_parameters("au_one_cycle").change(
    shape=(64, 64), count=3, spacing_um=0.8, frame_interval_s=4.0, epi_interval_s=20.0
)
write_sample(parameters, folder / "cell")
assert main(["info", str(folder / "cell")]) == 0
assert main(["analyze", str(folder / "cell"), "--out", str(folder / "out")]) == 0
from napari_lithium_alloy.core.colorcode import lut
assert lut("viridis").shape == (256, 3)
"""

HEAVY = (
    *("numba", "matplotlib", "pyqtgraph", "scipy.optimize", "skimage", "pandas", "tifffile"),
    *("distributed", "pyarrow"),
)


def run(code, *arguments):
    """Output of code in a new interpreter in which any warning is an error."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_blocked_are_blocked():
    code = BLOCK + "\ntry:\n    import qtpy\nexcept ImportError as error:\n    print(error)"
    assert run(code) == "qtpy is blocked\n"


def test_every_module_outside_napari_is_imported():
    count, clean = run(BLOCK + f"BLOCKED = {BLOCKED!r}" + IMPORT_ALL).split()
    assert int(count) > 40
    assert clean == "True"


@pytest.mark.slow
def test_a_whole_analysis_runs(tmp_path):
    out = run(BLOCK + ANALYSE, tmp_path)
    assert "cycle 1 step 1: " in out
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"curves.csv", "sites.csv", "pores.csv", "provenance.json"} < names
    assert "onset_cycle1_step2.tif" in names


def test_what_napari_loads_at_start_is_light():
    """napari imports the reader's module for any file opened; nothing heavy comes with it."""
    code = (
        "import sys\nimport napari_lithium_alloy._napari.contributions\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert run(code) == "[]\n"


def test_no_analysis_loads_numba_matplotlib_or_plots():
    code = (
        "import sys\nimport napari_lithium_alloy.pipeline\n"
        "print([n for n in ('numba', 'matplotlib', 'pyqtgraph', 'napari', 'qtpy')"
        " if n in sys.modules])"
    )
    assert run(code) == "[]\n"


def test_the_command_line_begins_without_what_few_analyses_need():
    """Each takes as long to load as numpy does, in every process of a batch."""
    code = (
        "import sys\nimport napari_lithium_alloy.cli, napari_lithium_alloy.runs\n"
        "print([n for n in ('scipy.stats', 'scipy.signal') if n in sys.modules])"
    )
    assert run(code) == "[]\n"


def test_distributed_is_loaded_by_a_batch_alone():
    """(pandas loads pyarrow itself, where it is installed.)"""
    code = (
        "import sys\nimport napari_lithium_alloy.cli, napari_lithium_alloy.batch_tasks\n"
        "print([name for name in ('distributed', 'napari', 'qtpy') if name in sys.modules])"
    )
    assert run(code) == "[]\n"
