"""The committed sample recordings are what the generator plants."""

import json
import tomllib

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_lithium_alloy.core.synthetic import make_recording
from napari_lithium_alloy.sample_data import SAMPLES, sample_dir, sample_parameters, write_sample


@pytest.fixture(scope="module", params=SAMPLES)
def sample(request):
    return sample_dir(request.param), make_recording(sample_parameters(request.param))


def test_frames_are_the_planted_ones(sample):
    folder, made = sample
    for recording in (made.trans, made.epi):
        with tifffile.TiffFile(folder / f"{recording.mode}.ome.tif") as file:
            assert file.series[0].shape == recording.frames.shape
            for frame in (0, recording.n_frames // 2, recording.n_frames - 1):
                saved, made_now = file.pages[frame].asarray(), recording.read(frame)
                # Processors differ in the last bit of a mean, which turns a Poisson draw or two.
                assert (saved == made_now).mean() > 0.99
                assert saved.mean() == pytest.approx(made_now.mean(), abs=0.05)


def test_planes_carry_their_times_and_pixel_size(sample):
    folder, made = sample
    with tifffile.TiffFile(folder / "epi.ome.tif") as file:
        ome = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert ome["PhysicalSizeX"] == 0.065
    assert np.allclose([p["DeltaT"] for p in ome["Plane"]], made.epi.times_s, atol=1e-5)


def test_recording_toml_names_what_is_there(sample):
    folder, made = sample
    said = tomllib.loads((folder / "recording.toml").read_text(encoding="utf-8"))
    assert len(said["stages"]) == len(made.experiment.stages)
    for part in ("trans", "epi", "potential"):
        assert (folder / said[part]["path"]).is_file()
    assert said["potential"]["clock_offset_s"] == made.truth.clock_offset_s


def test_truth_is_beside_it(sample):
    folder, made = sample
    for key, onset in made.truth.onset_s.items():
        saved = tifffile.imread(folder / "truth" / f"onset_{key}.tif")
        assert np.allclose(saved, onset, atol=1e-3, equal_nan=True)
    assert len(pd.read_csv(folder / "truth" / "sites.csv")) == len(made.truth.sites)
    summary = pd.read_csv(folder / "truth" / "pore_summary.csv")
    assert np.allclose(summary, made.truth.pore_summary, atol=1e-5)
    numbers = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    assert numbers["epi_offset_px"] == list(made.truth.epi_offset_px)


def test_generator_writes_the_same_bytes_each_time(tmp_path):
    parameters = sample_parameters("au_one_cycle").change(
        shape=(64, 64), count=3, spacing_um=0.8, frame_interval_s=5.0, epi_interval_s=20.0
    )
    for run in ("a", "b"):
        write_sample(parameters, tmp_path / run)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 13
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_samples_are_small_enough_for_the_package():
    folders = [sample_dir(name) for name in SAMPLES]
    assert sum(p.stat().st_size for f in folders for p in f.rglob("*.*")) < 25e6


def test_an_unknown_sample_is_said_so():
    with pytest.raises(FileNotFoundError, match="no sample recording cu"):
        sample_dir("cu")
