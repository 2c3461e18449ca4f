"""Discs found as they grow, against what is planted; thresholds against their definition."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import recording_of, site_score
from scipy import ndimage

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.site_detection import (
    SiteCandidates,
    find_candidates,
    suggested_threshold,
    threshold_curve,
)
from napari_lithium_alloy.core.site_images import site_images
from napari_lithium_alloy.core.site_templates import growing_disc
from napari_lithium_alloy.core.synthetic.fields import disc_coverage
from napari_lithium_alloy.core.tables import TABLES, conform

PIXEL_UM, SIGMA_PX, END_S = 0.065, 1.6, 30.0
PARAMETERS = NucleationParameters(psf_sigma_px=SIGMA_PX)
DISCS = pd.DataFrame(
    {
        "y": [20.3, 20.0, 29.0, 55.7, 60.0, 15.0],
        "x": [20.0, 29.2, 24.0, 50.1, 20.6, 65.0],
        "radius": [5.5, 6.0, 5.0, 2.0, 4.0, 7.0],
        "onset": [2.0, 4.0, 1.0, 3.0, 12.0, 2.5],
    }
)
"""The first three overlap at the end; the fourth is hardly larger than the point spread."""


def truth(discs=DISCS):
    return pd.DataFrame({"y_um": discs["y"] * PIXEL_UM, "x_um": discs["x"] * PIXEL_UM})


def growing(discs=DISCS, loss=0.6, noise=0.0, slope=0.0, gap_at=None, shape=(80, 84)):
    """Counts of discs whose area grows from their onset to 30 s, on an uneven background."""
    times = np.arange(0.5, END_S, 1.0)
    if gap_at is not None:
        times = times[np.abs(times - gap_at) > 3]
    rng, frames = np.random.default_rng(4), []
    light = 2000 * (1 + slope * np.linspace(-1, 1, shape[1]))
    for time in times:
        grown = np.clip((time - discs["onset"]) / (END_S - discs["onset"]), 0, 1)
        placed = np.column_stack([discs["y"], discs["x"], discs["radius"] * np.sqrt(grown)])
        seen = ndimage.gaussian_filter(1 - loss * disc_coverage(shape, placed), SIGMA_PX)
        frames.append(light * (1 + 0.2 * slope * time / END_S) * seen)
    counts = np.array(frames)
    return recording_of(counts * (1 + noise * rng.standard_normal(counts.shape)), times)


def found_in(cell, parameters=PARAMETERS, **more):
    return finish(find_candidates(cell, 0.0, END_S, parameters, **more))


@pytest.fixture(scope="module")
def noisy() -> SiteCandidates:
    return found_in(growing(noise=0.03, slope=0.3), cycle=2)


def test_touching_small_and_late_discs_are_found_with_their_radii_and_onsets(noisy):
    sites = noisy.accepted(PARAMETERS)
    assert list(sites.columns) == list(TABLES["sites"])
    assert site_score(sites, truth(), 0.05)[0] == 1.0
    assert sites["cycle"].eq(2).all()
    assert sites["source"].eq("detected").all()
    own = np.hypot(
        sites["y_um"].to_numpy()[:, None] / PIXEL_UM - DISCS["y"].to_numpy(),
        sites["x_um"].to_numpy()[:, None] / PIXEL_UM - DISCS["x"].to_numpy(),
    ).argmin(axis=1)
    planted = DISCS.iloc[own].reset_index(drop=True)
    radii = sites["radius_um"].to_numpy() / PIXEL_UM
    assert radii == pytest.approx(planted["radius"].to_numpy(), rel=0.05, abs=0.2)
    late = (sites["onset_s"] - planted["onset"]).abs()
    assert late.median() < 1
    apart = own > 2
    assert (late < 3 * sites["onset_sd_s"] + 0.3)[apart].all()
    assert sites["contrast"].median() == pytest.approx(-np.log10(0.4), rel=0.1)


def test_lithium_that_brightens_is_found_where_it_is_said():
    cell = growing(loss=-0.4, noise=0.02)
    brightens = NucleationParameters(psf_sigma_px=SIGMA_PX, polarity="brightens")
    assert site_score(found_in(cell, brightens).accepted(brightens), truth(), 0.1)[0] == 1.0


def test_a_pause_in_the_recording_does_not_matter():
    sites = found_in(growing(noise=0.02, gap_at=15.0)).accepted(PARAMETERS)
    assert site_score(sites, truth(), 0.05)[0] == 1.0


def test_nothing_but_noise_gives_no_site_and_negatives_as_large_as_positives():
    none = DISCS.iloc[:0]
    found = found_in(growing(none, noise=0.05))
    assert len(found.accepted(PARAMETERS)) == 0
    curve = threshold_curve(found)
    assert curve["count"].iloc[0] == pytest.approx(curve["expected_false"].iloc[0], rel=0.8, abs=8)


def test_a_film_of_which_nothing_is_valid_has_no_sites():
    cell = growing()
    assert len(found_in(cell, valid=np.zeros(cell.field_shape, bool)).table) == 0


def test_glass_is_not_looked_at():
    cell = growing(noise=0.02)
    film = np.ones(cell.field_shape, bool)
    film[:, 40:] = False
    sites = found_in(cell, valid=film).accepted(PARAMETERS)
    assert (sites["x_um"] < 40 * PIXEL_UM).all()
    assert site_score(sites, truth(DISCS[DISCS["x"] < 40]), 0.05)[0] == 1.0


def test_rough_lithium_and_few_frames_are_looked_for_in_the_change_alone():
    cell = growing(noise=0.01)
    either = NucleationParameters(polarity="either", min_contrast=0.02)
    found = found_in(cell, either)
    assert len(found.table) > 2
    curve = threshold_curve(found)
    assert curve["expected_false"].isna().all()
    assert curve["reason"].eq("no negative responses to compare with").all()
    assert np.isnan(suggested_threshold(curve))


def test_bad_input_is_said():
    with pytest.raises(AlloyError, match="fewer than two frames"):
        found_in(growing().replace(times_s=np.arange(100.0, 130.0)))
    with pytest.raises(AlloyError, match="3 frames lie between 0 and 3 s and sites need 4"):
        finish(site_images(growing(), 0.0, 3.0))


def test_noise_is_that_of_single_frames_whatever_grows():
    for discs in (DISCS, DISCS.iloc[:0]):
        images = finish(site_images(growing(discs, noise=0.04), 0.0, END_S))
        film = np.ones(images.variance.shape, bool)
        film[5:70, 10:75] = False
        assert np.median(np.sqrt(images.variance[film])) == pytest.approx(0.04, rel=0.05)


def test_a_template_is_what_the_synthetic_discs_do():
    shares = (np.array([0.1, 0.2]), np.array([0.8]))
    template = growing_disc(4.0, 0.1, shares, 1.3)
    half = template.shape[1] // 2
    for image, times in zip(template, shares, strict=True):
        wanted = np.zeros(image.shape)
        for time in times:
            radius = 4.0 * np.sqrt(max((time - 0.1) / 0.9, 0))
            disc = np.array([[half, half, radius]])
            wanted += disc_coverage(image.shape, disc) / len(times)
        blurred = ndimage.gaussian_filter(wanted, 1.3, mode="constant")
        assert image == pytest.approx(blurred, abs=0.02)


@given(
    snr=st.lists(st.floats(3.6, 200), max_size=30),
    negative=st.lists(st.floats(0.5, 9), min_size=1, max_size=30),
)
@settings(max_examples=40, deadline=None)
def test_thresholds_count_what_reaches_them(snr, negative):
    table = conform("sites", pd.DataFrame({"snr": np.array(snr, dtype=float)}))
    found = SiteCandidates(table=table, negative_snr=np.array(negative), cycle=3)
    curve = threshold_curve(found)
    assert list(curve.columns) == list(TABLES["site_thresholds"])
    for row in curve.iloc[::17].itertuples():
        assert row[3] == sum(v >= row.threshold for v in snr)
        assert row.expected_false == sum(v >= row.threshold for v in negative)
    suggested = suggested_threshold(curve, 0.1)
    if np.isfinite(suggested):
        beyond = curve[curve["threshold"] >= suggested]
        assert (beyond["expected_false"] <= 0.1 * beyond["count"]).all()
        assert found.accepted(NucleationParameters(min_snr=suggested))["site"].tolist() == list(
            range(1, int(beyond["count"].iloc[0]) + 1)
        )
