import functools
import gc
from pathlib import Path

import numpy as np
import pytest
import tifffile
import tomli_w
from npe2 import PluginManifest

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.synthetic import Synthetic, au_parameters, make_recording


@pytest.fixture(scope="module", autouse=True)
def _quick_collections():
    """What is loaded by now is no garbage: napari looks for some whenever a layer is removed."""
    import napari._qt.qt_main_window  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _manifests_read_once():
    """Every new viewer looks for plugins, and reads the manifests of those it knows, too."""
    discover = PluginManifest.discover
    found = functools.cache(lambda: tuple(discover()))

    def discovered(paths=()):
        return discover(paths) if paths else iter(found())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", discovered)
        yield


@pytest.fixture(scope="session", autouse=True)
def _settings_in_memory():
    """Every viewer here sets napari's settings back: those of who runs the tests are left alone."""
    from napari import settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "_SETTINGS", None)
        settings.get_settings(None)
        yield


@pytest.fixture(scope="session")
def gold() -> Synthetic:
    """A small gold film over one cycle, planted."""
    return make_recording(
        au_parameters(
            name="gold",
            seed=3,
            shape=(80, 80),
            count=5,
            without_site=1,
            pinholes=1,
            deposition_s=30.0,
            dissolution_s=24.0,
        )
    )


@pytest.fixture(scope="session")
def gold_file(gold, tmp_path_factory) -> Path:
    """Its recording.toml with both stacks and the potential."""
    folder = tmp_path_factory.mktemp("gold")
    experiment = gold.experiment
    for recording in experiment.recordings:
        frames = np.stack([recording.read(t) for t in range(recording.n_frames)])
        tifffile.imwrite(folder / f"{recording.mode}.tif", frames, photometric="minisblack")
        np.savetxt(
            folder / f"{recording.mode}_times.csv",
            recording.times_s,
            header="time_s",
            comments="",
        )
    curve = experiment.potential
    np.savetxt(
        folder / "potential.csv",
        np.column_stack([curve.times_s, curve.potential_v, curve.current_ma]),
        header="time/s,Ewe/V,I/mA",
        comments="",
        delimiter=",",
    )
    with (folder / "recording.toml").open("wb") as file:
        tomli_w.dump(_toml(experiment), file)
    return folder / "recording.toml"


@pytest.fixture(scope="session")
def whole(gold_file):
    """The whole analysis of the gold film, as the command line makes it."""
    from napari_lithium_alloy.io.recording_file import open_experiment
    from napari_lithium_alloy.pipeline import analyze

    return finish(analyze(open_experiment(gold_file)))


def _toml(experiment):
    return {
        "name": "gold",
        "film": {"metal": "Au", "thickness_nm": 14.0, "diameter_mm": 3.0},
        **{
            r.mode: {
                "path": f"{r.mode}.tif",
                "pixel_size_um": r.pixel_size_um,
                "times": f"{r.mode}_times.csv",
                "dark": r.dark_counts,
            }
            for r in experiment.recordings
        },
        "potential": {
            "path": "potential.csv",
            "clock_offset_s": experiment.potential.clock_offset_s,
        },
        "optics": {"psf_sigma_px": 1.3},
        "stages": [
            {
                "kind": str(s.kind),
                **({"step": s.step} if s.step else {}),
                "cycle": s.cycle,
                "start_s": s.start_s,
                "end_s": s.end_s,
            }
            for s in experiment.stages
        ],
    }


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def finished(qtbot):
    """Wait until a dock's analysis has ended."""

    def wait(dock, timeout=30_000):
        qtbot.waitUntil(lambda: not dock.busy, timeout=timeout)

    return wait


@pytest.fixture
def errors(monkeypatch):
    """Messages shown as error notifications."""
    shown: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_error", shown.append)
    return shown


@pytest.fixture
def opened(viewer, gold_file):
    """The gold recording opened in a viewer, as the workspace does it."""
    from napari_lithium_alloy._napari.adding import add_layers
    from napari_lithium_alloy._napari.opening import open_layers
    from napari_lithium_alloy._napari.session import session_of

    session = session_of(viewer)
    add_layers(viewer, open_layers(gold_file))
    return session.current
