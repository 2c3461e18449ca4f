"""Onset, radius and area of sites against what was planted."""

import numpy as np
import pandas as pd
import pytest
from planted import planted, recording_of
from scipy import ndimage

from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.site_growth import (
    DEAD,
    NOTHING,
    PORE,
    SiteTimes,
    measure_sites,
)
from napari_lithium_alloy.core.synthetic import au_parameters
from napari_lithium_alloy.core.tables import TABLES, conform, empty

PIXEL_UM = 0.065
TIMES = np.arange(60.0)
ONSETS = (10.0, 20.0)
FINAL_PX = (8.0, 6.0)
CENTRES = ((30.0, 30.0), (32.4, 80.7))


def sites_at(centres_px=CENTRES, radii_px=FINAL_PX):
    rows = {
        "site": range(1, len(centres_px) + 1),
        "cycle": 1,
        "y_um": [y * PIXEL_UM for y, _ in centres_px],
        "x_um": [x * PIXEL_UM for _, x in centres_px],
        "radius_um": [r * PIXEL_UM for r in radii_px],
        "reason": "onset not measured yet",
    }
    return conform("sites", pd.DataFrame(rows))


def radius_px(time_s, onset_s, final_px):
    """Of a disc whose area grows steadily from its onset to 55 s and then stays."""
    return final_px * np.sqrt(np.clip((time_s - onset_s) / (55 - onset_s), 0, 1))


def growing(noise=0.0, sign=1):
    y, x = np.mgrid[:64, :110]
    frames = []
    for time in TIMES:
        light = np.ones(y.shape)
        for (cy, cx), onset, final in zip(CENTRES, ONSETS, FINAL_PX, strict=True):
            r = radius_px(time, onset, final)
            cover = np.clip(r + 0.5 - np.hypot(y - cy, x - cx), 0, 1) if r else 0
            light = light - sign * 0.6 * cover
        frames.append(2000 * ndimage.gaussian_filter(light, 1.3))
    counts = np.array(frames)
    return recording_of(counts + np.random.default_rng(0).normal(0, noise, counts.shape))


def measured(cell, sites=None, polarity="auto", start_s=2.0, end_s=59.0):
    return finish(
        measure_sites(
            cell,
            sites_at() if sites is None else sites,
            start_s,
            end_s,
            reference_frame(cell, current_starts_s=2.0),
            NucleationParameters(polarity=polarity),
        )
    )


@pytest.mark.parametrize("noise", [0.0, 15.0])
def test_steady_growth_is_measured(noise):
    sites, growth = measured(growing(noise))
    assert list(sites.columns) == list(TABLES["sites"])
    assert list(growth.columns) == list(TABLES["site_growth"])
    assert sites["onset_s"].tolist() == pytest.approx(ONSETS, abs=1.5)
    areas = np.pi * (np.array(FINAL_PX) * PIXEL_UM) ** 2
    assert sites["area_um2"].tolist() == pytest.approx(areas, rel=0.1)
    assert sites["reason"].eq("").all()
    for number, (onset, final) in enumerate(zip(ONSETS, FINAL_PX, strict=True), start=1):
        own = growth[growth["site"] == number]
        true = np.pi * (radius_px(own["time_s"], onset, final) * PIXEL_UM) ** 2
        assert np.abs(own["area_um2"] - true).max() < 0.12 * true.max()
        assert np.allclose(own["radius_um"] ** 2 * np.pi, own["area_um2"].clip(lower=0))


def test_lithium_that_brightens_is_measured_where_it_is_said():
    sites, _ = measured(growing(sign=-1), polarity="brightens")
    assert sites["onset_s"].tolist() == pytest.approx(ONSETS, abs=1.5)
    wrong, growth = measured(growing(sign=-1))
    assert wrong["onset_s"].isna().all()
    assert wrong["reason"].eq("no lasting change at its centre").all()
    assert growth["area_um2"].isna().all()


def test_transmittance_at_the_centre_is_against_the_pristine_film():
    _, growth = measured(growing())
    first = growth[growth["site"] == 1].set_index("time_s")["mean_transmittance"]
    assert first[3.0] == pytest.approx(1, abs=0.01)
    assert first[59.0] == pytest.approx(0.4, abs=0.02)


def test_a_place_where_nothing_grows_has_no_onset_and_says_why():
    sites, growth = measured(growing(5.0), sites_at([(10.0, 55.0)], [4.0]))
    assert sites["onset_s"].isna().all()
    assert sites.loc[0, "reason"] == "no lasting change at its centre"
    assert growth["area_um2"].isna().all()
    assert growth["radius_um"].isna().all()


def test_no_site_no_row():
    sites, growth = measured(growing(), empty("sites"))
    assert len(sites) == len(growth) == 0
    assert list(growth.columns) == list(TABLES["site_growth"])
    few, none = measured(growing(), start_s=4.0, end_s=4.5)
    assert len(few) == 2
    assert len(none) == 0


def test_sites_at_the_edge_of_the_field_are_measured_within_it():
    sites, growth = measured(growing(), sites_at([(0.0, 0.0), (63.0, 109.0)]))
    assert len(sites) == 2
    assert len(growth) == 2 * 58


def test_planted_onsets_and_radii():
    made, experiment = planted(
        au_parameters(seed=21, dissolution_s=10.0, shape=(160, 160), count=8)
    )
    cell = experiment.recordings[0]
    stage = next(s for s in experiment.stages if s.kind == "deposition")
    truth = made.truth.sites
    known = conform("sites", truth[["site", "cycle", "y_um", "x_um", "radius_um"]])
    reference = reference_frame(cell, current_starts_s=5.0)
    sites, growth = finish(measure_sites(cell, known, stage.start_s, stage.end_s, reference))
    error = (sites["onset_s"] - truth["onset_s"]).abs()
    assert error.median() < 1.0
    assert error.max() < 3.0
    assert ((sites["radius_um"] / truth["radius_um"] - 1).abs() < 0.1).all()
    ends = growth.groupby("site")["area_um2"].agg(["first", "last"])
    assert (ends["last"] > ends["first"]).all()


def test_what_sites_leave_and_when_they_are_gone():
    made, experiment = planted(
        au_parameters(
            seed=33, shape=(150, 150), count=14, spacing_um=1.2, dead_fraction=0.3,
            pore_fraction=0.6, frame_interval_s=2.0, dissolution_s=30.0,
        )
    )  # fmt: skip
    cell, truth = experiment.recordings[0], made.truth.sites
    stage = next(s for s in experiment.stages if s.kind == "deposition")
    known = conform("sites", truth[["site", "cycle", "y_um", "x_um", "radius_um"]])
    reference = reference_frame(cell, current_starts_s=5.0)
    times = SiteTimes.of(stage, experiment.stages)
    assert (times.gone_s, times.cycle_end_s) == (182.0, 209.0)
    work = measure_sites(
        cell, known, stage.start_s, stage.end_s, reference,
        NucleationParameters(psf_sigma_px=1.3), times=times,
    )  # fmt: skip
    sites, growth = finish(work)
    planted_left = np.where(truth["dead"], DEAD, np.where(truth["leaves_pore"], PORE, NOTHING))
    assert {DEAD, PORE, NOTHING} == set(planted_left)
    assert (sites["leaves"] == planted_left).sum() >= 13
    assert sites.loc[truth["dead"], "gone_s"].isna().all()
    gone = sites.loc[~truth["dead"], "gone_s"]
    assert gone.between(stage.end_s + 0.7 * 30, times.gone_s).all()
    assert growth["time_s"].max() > times.gone_s - 3
    dead = growth[growth["site"].isin(truth.loc[truth["dead"], "site"])].groupby("site")
    share = dead["area_um2"].last() / dead["area_um2"].max()
    assert share.to_numpy() == pytest.approx(0.49, abs=0.08)  # 0.7 of the radius stay
    assert sites["growth_exponent"].median() == pytest.approx(0.5, abs=0.05)
    assert sites["growth_exponent_sd"].between(0, 0.2).all()
