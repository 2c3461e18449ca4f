"""The command line on what other people recorded."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from planted import COLONIES, recording_of
from scipy import ndimage
from scipy.stats import spearmanr
from skimage.registration import phase_cross_correlation

from napari_lithium_alloy.cli import main
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.io.tables import read_csv

FIRST_RADIUS_PX = 41.7
CENTRE = (153, 143)


@pytest.fixture(scope="module")
def front(shared, tmp_path_factory):
    """Results of the spreading front: unevenly timed frames under a flickering lamp."""
    real, folder = shared / "real" / "front", tmp_path_factory.mktemp("front")
    times = pd.read_csv(real / "A1_crystal_front_times.csv")
    times = times.rename(columns={"t_s_burned_in": "time_s"})
    times.to_csv(folder / "times.csv", index=False)
    image = real / "A1_crystal_front_13f_uint8.tif"
    (folder / "recording.toml").write_text(
        f"""
        [trans]
        path = '{image.as_posix()}'
        times = "times.csv"
        [[stages]]
        kind = "alloying"
        step = 1
        start_s = 0.0
        end_s = 64.0
        """
    )
    assert main(["analyze", str(folder), "--out", str(folder / "out")]) == 0
    return folder / "out", tifffile.imread(image)


def radius_px(area):
    return np.sqrt(area.sum() / np.pi)


def part_at(mask, place):
    """The connected part of a mask that holds a place, its holes filled."""
    labels, _ = ndimage.label(mask)
    assert labels[place]
    return ndimage.binary_fill_holes(labels == labels[place])


def central_domain(frame):
    """The dark domain in the middle of the first frame, of the radius its authors' data give."""
    smooth = ndimage.gaussian_filter(frame.astype(float), 1.5)
    candidates = [
        part_at(smooth < level, CENTRE)
        for level in np.arange(55, 70, 0.5)
        if smooth[CENTRE] < level
    ]
    return min(candidates, key=lambda domain: abs(radius_px(domain) - FIRST_RADIUS_PX))


def test_the_central_domain_of_the_first_frame(front):
    _, frames = front
    assert radius_px(central_domain(frames[0])) == pytest.approx(FIRST_RADIUS_PX, rel=0.01)


def test_the_front_spreads_as_the_onset_map_says(front):
    """First area plus what is newly reached around it by 32 s: 74.8 px within 5 %."""
    out, frames = front
    onset = tifffile.imread(out / "onset_cycle1_step1.tif")
    assert onset.shape == frames.shape[1:]
    domain = central_domain(frames[0])
    reached = part_at(domain | (onset <= 32), CENTRE)
    assert radius_px(reached) == pytest.approx(74.8, rel=0.05)


def test_it_keeps_spreading_at_about_one_pixel_a_second(front):
    out, frames = front
    onset = tifffile.imread(out / "onset_cycle1_step1.tif")
    domain = central_domain(frames[0])
    times = [6, 10, 16, 22, 28, 32, 38]
    radii = [radius_px(part_at(domain | (onset <= t), CENTRE)) for t in times]
    assert np.polyfit(times, radii, 1)[0] == pytest.approx(1.034, rel=0.15)
    assert np.all(np.diff(radii) > 0)
    assert 0 <= np.nanmin(onset) < np.nanmax(onset) <= 64
    assert np.isnan(onset[domain]).mean() > 0.9


def test_uneven_times_are_the_curves_times(front):
    curves = read_csv(front[0] / "curves.csv")
    field = curves[curves["region"] == "field"]
    assert field["time_s"].tolist() == [0, 6, 10, 16, 22, 28, 32, 38, 42, 48, 52, 58, 64]


@pytest.fixture(scope="module")
def colonies(shared, tmp_path_factory):
    """Results of spots that grow from nuclei, a folder of ten frames."""
    folder = tmp_path_factory.mktemp("colonies")
    frames = shared / "real" / "colonies" / "SL_170619_xy0011"
    (folder / "recording.toml").write_text(COLONIES.format(image=frames.as_posix()))
    assert main(["analyze", str(folder), "--out", str(folder / "out")]) == 0
    files = sorted(frames.glob("*.tif"))
    return folder / "out", np.stack([tifffile.imread(f) for f in files]).astype(float)


@pytest.mark.slow
def test_the_stage_moved_between_the_first_two_frames(colonies):
    """By 2.5 and 14.3 px, as phase correlation of these two says; after that hardly."""
    frames = colonies[1]
    plain = -phase_cross_correlation(frames[0], frames[1], upsample_factor=10)[0]
    np.testing.assert_allclose(plain, [-2.5, -14.3], atol=0.05)
    recording = recording_of(frames, 3600.0 * np.arange(10))
    shift = finish(measure_correction(recording)).shift_px
    np.testing.assert_allclose(shift[1:], np.tile(plain, (9, 1)), atol=2.5)


def rough_places(frame):
    """Labels of the colonies in a frame: where the picture is far rougher than its noise."""
    mean, square = (ndimage.uniform_filter(f, 9) for f in (frame, frame**2))
    rough = np.sqrt(np.maximum(square - mean**2, 0))
    labels, n = ndimage.label(rough > 2 * np.median(rough))
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    large = np.flatnonzero(sizes > 600)
    return np.where(np.isin(labels, large[large > 0]), labels, 0)


@pytest.mark.slow
def test_each_colony_has_a_site(colonies):
    out, frames = colonies
    sites = read_csv(out / "sites.csv")
    labels = rough_places(frames[-1])
    places = set(np.unique(labels)) - {0}
    assert len(places) == 6
    rows, columns = (np.rint(sites[c] / 0.065).astype(int) for c in ("y_um", "x_um"))
    at = labels[rows.clip(0, 719), columns.clip(0, 849)]
    assert set(at) - {0} == places
    assert (at == 0).sum() <= 1


@pytest.mark.slow
def test_their_areas_grow(colonies):
    growth = read_csv(colonies[0] / "site_growth.csv")
    assert sorted(growth["time_s"].unique()) == [3600.0 * i for i in range(10)]
    largest = read_csv(colonies[0] / "sites.csv").nlargest(4, "snr")["site"]
    for site in largest:
        areas = growth[growth["site"] == site].sort_values("time_s")["area_um2"].to_numpy()
        assert spearmanr(range(10), areas).statistic > 0.85
        assert areas[-3:].mean() > 2 * areas[3:6].mean() > 4 * areas[:2].mean()
