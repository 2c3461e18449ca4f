"""Absolute transmittance, reflectance and absorptance: planted values come out, also moved ones."""

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core.absolute_curves import absolute_curves, sum_checks
from napari_lithium_alloy.core.absolute_optics import (
    Eyes,
    Standard,
    absolute_reflectance,
    absolute_transmittance,
    absorptance,
    aligned_reflectance,
    blank_standard,
    unphysical_share,
)
from napari_lithium_alloy.core.alignment import Alignment, align_landmarks
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import NormalizationParameters, reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.core.synthetic import au_parameters, make_recording

PIXEL_UM, DARK = 0.065, 100.0
T_FILM, R_FILM = 0.4, 0.3
ROWS, COLUMNS = np.indices((24, 30))
TRANS_S = np.arange(0.0, 12.0)
EPI_S = np.array([0.5, 3.0, 5.5, 8.0, 10.5])
OFFSET = np.array([3, 2])
FIRST = NormalizationParameters(reference_frames=1)
INIT = Region(
    name="Area Init", vertices_px=np.array([(3.5, 3.5), (3.5, 9.5), (9.5, 9.5), (9.5, 3.5)])
)


def true_t(time_s, y=ROWS, x=COLUMNS):
    """Falls linearly in time, faster to the right; T_FILM at 0."""
    return T_FILM * (1 - 0.02 * time_s * (1 + x / 30) * (1 + y / 100))


def true_r(time_s, y=ROWS, x=COLUMNS):
    """Rises linearly from R_FILM at epi's first frame."""
    return R_FILM * (1 + 0.03 * (time_s - EPI_S[0]) * (1 + y / 24) * (1 + x / 90))


def lamp(y, x):
    return 5e4 * (1 - 0.01 * np.hypot(y - 10, x - 15))


@pytest.fixture
def eyes():
    """Epi's picture lies 3 rows and 2 columns off that of trans, and is smaller."""
    ry, rx = np.indices((20, 26))
    light = [DARK + lamp(ROWS, COLUMNS) * true_t(t) for t in TRANS_S]
    seen = [DARK + lamp(rx, ry) * true_r(t, ry - OFFSET[0], rx - OFFSET[1]) for t in EPI_S]
    trans = recording_of(light, TRANS_S, dark_counts=DARK)
    epi = recording_of(seen, EPI_S, mode="epi", name="epi", dark_counts=DARK)
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    return Eyes(
        trans=trans,
        epi=epi,
        trans_standard=Standard(reference=reference_frame(trans, FIRST), value=T_FILM),
        epi_standard=Standard(reference=reference_frame(epi, FIRST), value=R_FILM),
        alignment=align_landmarks(points + OFFSET * PIXEL_UM, points, "translation"),
    )


def test_the_transmittance_is_that_of_the_film_times_the_change(eyes):
    found = np.asarray(absolute_transmittance(eyes.trans, eyes.trans_standard))
    np.testing.assert_allclose(found, [true_t(t) for t in TRANS_S], rtol=1e-5)
    assert found.dtype == np.float32


def test_the_reflectance_lies_on_trans_in_place_and_time_and_nowhere_else(eyes):
    found = np.asarray(aligned_reflectance(eyes))
    assert found.shape == (12, 24, 30)
    assert np.isnan(found[0]).all(), "before epi's first frame"
    assert np.isnan(found[11]).all(), "after its last"
    both = eyes.seen_by_both
    assert both.sum() == 17 * 24
    assert not both[17:].any()
    assert not both[:, 24:].any()
    for t in range(1, 11):
        np.testing.assert_array_equal(np.isfinite(found[t]), both)
        np.testing.assert_allclose(found[t][both], true_r(TRANS_S[t])[both], rtol=1e-5)
    own = np.asarray(absolute_reflectance(eyes.epi, eyes.epi_standard)[0])
    np.testing.assert_allclose(own, R_FILM, rtol=1e-6)


def test_the_absorptance_is_what_is_left(eyes):
    found = np.asarray(absorptance(eyes))
    both = eyes.seen_by_both
    expected = 1 - true_t(5.0) - true_r(5.0)
    np.testing.assert_allclose(found[5][both], expected[both], atol=1e-5)
    assert np.nanmax(finish(unphysical_share(eyes))) == 0


def test_curves_of_regions_are_means_of_the_maps(eyes):
    table = finish(absolute_curves(eyes, [INIT]))
    assert list(table["region"].unique()) == ["field", "Area Init"]
    maps = {
        "absolute_transmittance": np.stack([true_t(t) for t in TRANS_S]),
        "absolute_reflectance": np.stack([true_r(t) for t in TRANS_S]),
    }
    for name, where in (("field", eyes.seen_by_both), ("Area Init", INIT.mask((24, 30)))):
        rows = table[table["region"] == name]
        inside = (TRANS_S > 0) & (TRANS_S < 11)
        for column, values in maps.items():
            expected = values[:, where].mean(axis=1)
            known = inside if column == "absolute_reflectance" else np.full(12, True)
            found = rows[column].to_numpy(float)
            np.testing.assert_allclose(found[known], expected[known], rtol=1e-5)
            assert np.isnan(found[~known]).all()
        assert rows["physical"].isna().tolist() == (~inside).tolist()
        total = rows["absolute_transmittance"] + rows["absolute_reflectance"] + rows["absorptance"]
        np.testing.assert_allclose(total[inside], 1)
    assert sum_checks(table) == []


def test_more_light_than_came_in_is_said_with_how_often(eyes):
    too_bright = Eyes(
        trans=eyes.trans,
        epi=eyes.epi,
        trans_standard=eyes.trans_standard,
        epi_standard=Standard(reference=eyes.epi_standard.reference, value=0.55),
        alignment=eyes.alignment,
    )
    table = finish(absolute_curves(too_bright, [INIT]))
    total = table["absolute_transmittance"] + table["absolute_reflectance"]
    init = total[table["region"] == "Area Init"]
    wrong, known = int((init > 1).sum()), int(init.notna().sum())
    assert 0 < wrong < known == 10
    said = next(s for s in sum_checks(table) if "Area Init" in s)
    assert f"at {wrong} of {known} times (up to {init.max():.3f})" in said
    share = finish(unphysical_share(too_bright))
    both = eyes.seen_by_both
    expected = (true_t(9.0) + 0.55 / R_FILM * true_r(9.0) > 1)[both].mean()
    assert share[9] == pytest.approx(expected, abs=0.01)
    assert np.isnan(share[[0, 11]]).all()


def test_a_blank_is_a_standard(eyes):
    blank = recording_of(
        [DARK + lamp(ROWS, COLUMNS) + d for d in (-20, 20)], mode="trans", dark_counts=None
    )
    standard = blank_standard(eyes.trans, blank)
    found = np.asarray(absolute_transmittance(eyes.trans, standard)[7])
    np.testing.assert_allclose(found, true_t(7.0), rtol=1e-5)
    glass = blank_standard(eyes.trans, blank, value=0.92)
    np.testing.assert_allclose(
        np.asarray(absolute_transmittance(eyes.trans, glass)[7]), 0.92 * found, rtol=1e-6
    )
    with pytest.raises(AlloyError, match="same camera region"):
        blank_standard(eyes.epi, blank)


def test_what_makes_no_sense_is_refused(eyes):
    with pytest.raises(AlloyError, match=r"35 % is 0\.35"):
        Standard(reference=eyes.trans_standard.reference, value=35.0)
    with pytest.raises(AlloyError, match="epi recording"):
        absolute_transmittance(eyes.epi, eyes.epi_standard)
    with pytest.raises(AlloyError, match="trans recording"):
        absolute_reflectance(eyes.trans, eyes.trans_standard)
    nothing = np.full(2, np.nan)
    other = Alignment(
        kind="translation", affine=np.eye(3), centre_um=nothing, sd_um=nothing,
        rotation_sd_deg=0.0, same_field=False,
    )  # fmt: skip
    with pytest.raises(AlloyError, match="not the same field"):
        Eyes(
            trans=eyes.trans, epi=eyes.epi, trans_standard=eyes.trans_standard,
            epi_standard=eyes.epi_standard, alignment=other,
        )  # fmt: skip


def test_a_synthetic_cell_gives_the_planted_optics():
    made = make_recording(
        au_parameters(seed=3, shape=(96, 96), count=2, without_site=0, pinholes=0)
    )
    pixels = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    offset = np.array(made.parameters.epi.offset_px)
    eyes = Eyes(
        trans=made.trans,
        epi=made.epi,
        trans_standard=Standard(reference=reference_frame(made.trans), value=T_FILM),
        epi_standard=Standard(reference=reference_frame(made.epi, FIRST), value=R_FILM),
        alignment=align_landmarks(pixels + offset * PIXEL_UM, pixels, "translation"),
    )
    t = 45
    absorbance = made.true_absorbance(t)[20:70, 20:70]
    alloy = absorbance - made.parameters.onset.sei_absorbance
    square = np.array([(19.5, 19.5), (19.5, 69.5), (69.5, 69.5), (69.5, 19.5)])
    region = Region(name="r", vertices_px=square)
    row = finish(absolute_curves(eyes, [region], with_field=False)).iloc[t]
    transmitted = T_FILM * (10**-absorbance).mean()
    reflected = R_FILM * (1 + 0.8 * alloy).mean()
    assert row["absolute_transmittance"] == pytest.approx(transmitted, rel=0.01)
    assert row["absolute_reflectance"] == pytest.approx(reflected, rel=0.01)
    assert row["absorptance"] == pytest.approx(1 - transmitted - reflected, abs=0.005)
