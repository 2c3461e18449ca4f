"""Sites: detection of what is planted, and hand edits that survive it."""

import numpy as np
import pandas as pd
import pytest
from planted import planted, recording_of, site_score
from scipy import ndimage

from napari_lithium_alloy.core import nucleation
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.nucleation import (
    SAME_SITE_UM,
    NucleationParameters,
    change_image,
    detect_sites,
    keep_edits,
)
from napari_lithium_alloy.core.synthetic import au_parameters
from napari_lithium_alloy.core.tables import TABLES

PIXEL_UM = 0.065
PLANTED = pd.DataFrame(
    {
        "y": [20.3, 30.0, 60.7, 85.0, 100.2],
        "x": [25.0, 80.4, 50.1, 110.0, 20.6],
        "radius": [3.0, 5.0, 6.5, 8.0, 4.0],
    }
)
TRUTH = pd.DataFrame({"y_um": PLANTED["y"] * PIXEL_UM, "x_um": PLANTED["x"] * PIXEL_UM})


def discs(height=0.5, noise=0.01, seed=0):
    """Change of absorbance with the planted discs, blurred by 1.3 px."""
    y, x = np.mgrid[:120, :130]
    image = np.zeros(y.shape)
    for row in PLANTED.itertuples():
        image += np.clip(row.radius + 0.5 - np.hypot(y - row.y, x - row.x), 0, 1)
    blurred = ndimage.gaussian_filter(height * image, 1.3)
    return blurred + np.random.default_rng(seed).normal(0, noise, y.shape)


def test_discs_are_found_where_they_are():
    sites = detect_sites(discs(), PIXEL_UM, cycle=2)
    assert list(sites.columns) == list(TABLES["sites"])
    assert site_score(sites, TRUTH, 0.05) == (1.0, pytest.approx(0, abs=0.05))
    assert sites["site"].tolist() == [1, 2, 3, 4, 5]
    assert sites["cycle"].eq(2).all()
    assert sites["onset_s"].isna().all()
    assert sites["reason"].eq("onset not measured yet").all()
    order = sites["y_um"].argsort()
    assert np.allclose(
        sites["radius_um"].to_numpy()[order], PLANTED["radius"] * PIXEL_UM, atol=0.06
    )
    assert np.allclose(sites["area_um2"], np.pi * sites["radius_um"] ** 2)
    assert (sites["snr"] > 6).all()


@pytest.mark.parametrize("seed", range(4))
def test_noise_alone_has_no_sites(seed):
    noise = np.random.default_rng(seed).normal(0, 0.05, (120, 130))
    assert len(detect_sites(noise, PIXEL_UM, NucleationParameters(min_contrast=0.0))) <= 1
    assert len(detect_sites(noise, PIXEL_UM)) == 0
    assert list(detect_sites(noise, PIXEL_UM).columns) == list(TABLES["sites"])


def test_what_is_outside_the_film_is_no_site():
    film = np.ones((120, 130), bool)
    film[:, 70:] = False
    sites = detect_sites(discs(), PIXEL_UM, valid=film)
    assert site_score(sites, TRUTH[TRUTH["x_um"] < 70 * PIXEL_UM])[0] == 1.0
    unknown = discs()
    unknown[:, 70:] = np.nan
    assert len(detect_sites(unknown, PIXEL_UM)) == 3
    assert len(detect_sites(np.full((60, 60), np.nan), PIXEL_UM)) == 0


def test_radii_and_contrast_bound_what_is_looked_for():
    faint = detect_sites(discs(height=0.03, noise=0.001), PIXEL_UM)
    assert len(faint) == 0
    wanted = NucleationParameters(min_contrast=0.01)
    assert len(detect_sites(discs(height=0.03, noise=0.001), PIXEL_UM, wanted)) == 5
    with pytest.raises(AlloyError, match=r"radii from 0.5 to 0.2 um are no range"):
        NucleationParameters(min_radius_um=0.5, max_radius_um=0.2)


def test_the_change_is_of_absorbance_over_the_stage():
    levels = np.array([0, 0, 0.1, 0.2, 0.3, 0.3])[:, None, None] * np.ones((6, 9, 9))
    cell = recording_of(100 + 2000 * 10**-levels, dark_counts=100.0)
    assert np.allclose(change_image(cell, 0, 5, NucleationParameters(averaged_frames=2)), 0.3)
    assert np.allclose(change_image(cell, 3, 4), 0.1, atol=1e-6)
    brighter = change_image(cell, 0, 5, NucleationParameters(polarity="brightens"))
    assert np.allclose(brighter, -(0.3 + 0.3 + 0.2) / 3 + 0.1 / 3, atol=1e-5)
    with pytest.raises(AlloyError, match="fewer than two frames"):
        change_image(cell, 20, 30)


def test_rough_lithium_is_both_darker_and_brighter():
    level = np.zeros((4, 30, 30))
    level[2:] += 0.1
    level[2:, 5, 5], level[2:, 20, 20] = 0.4, -0.2
    cell = recording_of(2000 * 10**-level)
    change = change_image(cell, 0, 3, NucleationParameters(polarity="either"))
    assert change[5, 5] == pytest.approx(0.3, abs=1e-4)
    assert change[20, 20] == pytest.approx(0.3, abs=1e-4)
    assert np.median(change) == pytest.approx(0, abs=1e-6)


def test_no_light_is_no_infinity():
    cell = recording_of(np.array([[[100, 40, 300]], [[300, 300, 120]]]), dark_counts=100.0)
    change = change_image(cell, 0, 1)
    np.testing.assert_allclose(change[0], np.log10([0.5 / 200, 0.5 / 200, 10]), rtol=1e-6)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_every_planted_site_is_found(seed):
    """F1 of 0.95 or better within 0.3 um, on a clean recording as issue 2 states it."""
    parameters = au_parameters(seed=seed, frame_interval_s=2.0, dissolution_s=10.0)
    made, experiment = planted(parameters)
    stage = next(s for s in experiment.stages if s.kind == "deposition")
    change = change_image(experiment.recordings[0], stage.start_s, stage.end_s)
    sites = detect_sites(change, PIXEL_UM)
    f1, _ = site_score(sites, made.truth.sites)
    assert len(made.truth.sites) == 12
    assert f1 >= 0.95


def hand(rows):
    table = pd.DataFrame(rows, columns=["y_um", "x_um", "source"])
    table["site"] = pd.array(range(1, len(table) + 1), dtype="Int64")
    return table


NOTHING = np.empty((0, 2))


def test_edits_survive_a_new_detection():
    detected = hand([(1.0, 1.0, "x"), (2.0, 2.0, "x"), (3.0, 3.0, "x"), (4.0, 4.0, "x")])
    detected = detected.drop(columns="source")
    edited = hand([(9.0, 9.0, "detected"), (2.1, 2.1, "moved"), (7.0, 7.0, "added")])
    kept = keep_edits(detected, edited, np.array([[3.05, 3.05]]))
    assert kept[["y_um", "source"]].to_numpy().tolist() == [
        [2.1, "moved"],
        [7.0, "added"],
        [1.0, "detected"],
        [4.0, "detected"],
    ]
    assert kept["site"].tolist() == [1, 2, 3, 4]
    assert "source" not in detected


def test_without_edits_the_detection_stays_as_it_is():
    detected = hand([(1.0, 1.0, "x"), (2.0, 2.0, "x")]).drop(columns="source")
    for edited in (hand([]), hand([(1.0, 1.0, "detected")])):
        kept = keep_edits(detected, edited, NOTHING)
        assert kept["y_um"].tolist() == [1.0, 2.0]
        assert kept["source"].eq("detected").all()
    nothing = keep_edits(detected[:0], hand([]), NOTHING)
    assert len(nothing) == 0
    assert "source" in nothing


def test_a_locked_site_stays_as_it_is_and_is_not_doubled():
    detected = hand([(1.05, 1.0, "x"), (5.0, 5.0, "x")]).drop(columns="source")
    edited = hand([(1.0, 1.0, "detected"), (2.0, 2.0, "detected")])
    edited["locked"] = [True, False]
    edited["radius_um"] = [0.4, 0.5]
    kept = keep_edits(detected, edited, NOTHING)
    assert kept["y_um"].tolist() == [1.0, 5.0]
    assert kept["locked"].tolist() == [True, False]
    assert kept["radius_um"].tolist()[0] == 0.4


def test_the_same_site_is_one_within_a_distance():
    detected = hand([(1.0, 1.0 + 0.9 * SAME_SITE_UM, "x"), (1.0, 1.0 - 1.1 * SAME_SITE_UM, "x")])
    kept = keep_edits(detected.drop(columns="source"), hand([(1.0, 1.0, "added")]), NOTHING)
    assert kept["source"].tolist() == ["added", "detected"]


def test_wide_gaussians_in_a_picture_of_half_the_size_answer_alike():
    image = 0.05 * np.random.default_rng(1).standard_normal((300, 331)).astype(np.float32)
    y, x = np.mgrid[:300, :331]
    for row, column, radius in ((60.3, 100.6, 6), (150.0, 200.25, 8), (230.7, 80.1, 11)):
        image += 0.3 * (np.hypot(y - row, x - column) < radius).astype(np.float32)
    whole, halved = np.empty_like(image), np.empty_like(image)
    for sigma in (nucleation.WIDE_SIGMA_PX, 6.0, 8.7):
        nucleation._respond(image, sigma, whole)
        nucleation._respond_in_halves(nucleation._halved(image), sigma, halved)
        noise = whole[20:-20, 240:-20].std()
        assert halved[20:-20, 240:-20].std() == pytest.approx(noise, rel=0.01)
        away = np.abs(halved - whole)
        assert away[20:-20, 20:-20].max() < 0.01 * whole.max()
        assert away.max() < 0.06 * whole.max()
