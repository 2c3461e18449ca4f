"""The docks on what other people recorded."""

import numpy as np
import pandas as pd
import pytest
from planted import COLONIES

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.layers import kind_of
from napari_lithium_alloy._napari.opening import open_layers
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.widgets.correct_and_align import CorrectAndAlign
from napari_lithium_alloy._napari.widgets.nucleation_sites import NucleationSites
from napari_lithium_alloy._napari.widgets.temporal_color_code import TemporalColorCode
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.pipeline import analyze

FRONT = """
[trans]
path = '{image}'
times = "times.csv"
[[stages]]
kind = "alloying"
start_s = 0.0
end_s = 64.0
"""


@pytest.fixture
def run_on(viewer, finished):
    """Opens a recording.toml and runs a dock on it; the recording and the dock."""

    def run(file, widget):
        add_layers(viewer, open_layers(file))
        dock = widget(viewer)
        viewer.window.add_dock_widget(dock, name=widget.TITLE)
        dock.run()
        finished(dock, timeout=60_000)
        return session_of(viewer).current, dock

    return run


def test_the_front_s_onset_map_is_that_of_the_command_line(
    viewer, run_on, finished, shared, tmp_path
):
    times = pd.read_csv(shared / "real/front/A1_crystal_front_times.csv")
    times.set_axis(["frame", "time_s"], axis=1).to_csv(tmp_path / "times.csv", index=False)
    image = (shared / "real/front/A1_crystal_front_13f_uint8.tif").as_posix()
    file = tmp_path / "recording.toml"
    file.write_text(FRONT.format(image=image))
    opened, correct = run_on(file, CorrectAndAlign)
    correct.correct.result.apply.click()
    dock = TemporalColorCode(viewer)
    dock.run()
    finished(dock, timeout=60_000)
    dock.disconnect_events()
    (layer,) = [one for one in viewer.layers if kind_of(one) == "onset"]
    same = finish(analyze(opened.experiment)).onset_maps["cycle1_step1"]
    interval = opened.recording.frame_interval_s
    # The whole analysis keeps its resampled frames as whole numbers, finer than a count.
    both = np.isfinite(layer.data) & same.reached
    assert (np.isfinite(layer.data) == same.reached).mean() > 0.999
    assert np.quantile(np.abs(layer.data - same.onset_s)[both], 0.999) < 0.05 * interval
    assert 0.3 < same.reached.mean() < 0.7
    assert [str(u) for u in layer.units] == ["pixel", "pixel"]


def test_sites_are_found_on_the_colonies_and_their_areas_grow(run_on, shared, tmp_path):
    image = (shared / "real/colonies/SL_170619_xy0011").as_posix()
    file = tmp_path / "recording.toml"
    file.write_text(COLONIES.format(image=image))
    opened, _ = run_on(file, NucleationSites)
    sites, growth = (opened.tables[name] for name in ("sites", "site_growth"))
    assert 6 <= len(sites) <= 12
    strongest = sites.sort_values("snr", ascending=False)["site"].iloc[:4]
    for site in strongest:
        area = growth[growth["site"] == site].sort_values("time_s")["area_um2"].to_numpy()
        assert np.mean(area[-3:]) > np.mean(area[:3]) + 0.5
