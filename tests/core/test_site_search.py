"""The parts of the search for sites, against plain ways to do the same."""

import numpy as np
import pytest
from scipy import ndimage, signal
from skimage.morphology import h_maxima

from napari_lithium_alloy.core import matched_filter, site_templates
from napari_lithium_alloy.core.kernels.depositions import high_peaks
from napari_lithium_alloy.core.kernels.responses import response_rows
from napari_lithium_alloy.core.near_pairs import near_pairs, taken_in_turn
from napari_lithium_alloy.core.site_fit import BACKGROUND_RADII, BESIDE, DiscFit
from napari_lithium_alloy.core.site_images import SiteImages
from napari_lithium_alloy.core.site_templates import growing_disc, templates_of
from napari_lithium_alloy.core.smoothing import blurred, wide_mean

SHARES = tuple(np.split((np.arange(24) + 0.5) / 24, 6))
SIGMA_PX = 1.5


def images_of(shape, discs=()):
    """Noise of 0.01, and discs (y, x, radius, onset) that take half of the light."""
    covered = np.zeros((len(SHARES), *shape))
    for y, x, radius, onset in discs:
        disc = growing_disc(radius, onset, SHARES, SIGMA_PX)
        half = disc.shape[1] // 2
        covered[:, y - half : y + half + 1, x - half : x + half + 1] += disc
    noise = 0.01 * np.random.default_rng(2).standard_normal(covered.shape)
    loss = 0.5 * covered + noise
    return SiteImages(
        loss=(loss - loss.mean(axis=0)).astype(np.float32),
        darkening=loss.mean(axis=0).astype(np.float32),
        darkening_frames=2.0,
        variance=np.full(shape, 4e-4, np.float32),
        known=np.ones(shape, bool),
        shares=SHARES,
        start_s=0.0,
        end_s=24.0,
    )


def test_pairs_and_choices_are_those_of_plain_loops():
    rng = np.random.default_rng(1)
    places = rng.uniform(0, 30, (60, 2))
    far = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    i, j, away = near_pairs(places, places, 5.0)
    assert {*zip(i.tolist(), j.tolist(), strict=True)} == {*map(tuple, np.argwhere(far <= 5))}
    assert away == pytest.approx(far[i, j])
    taken = []
    for k in range(60):
        if all(far[k, q] > 5 for q in taken):
            taken.append(k)
    assert taken_in_turn(np.ones(60, bool), i[i < j], j[i < j]).tolist() == taken


def peaks_of(answer, film, sign, least):
    """Where (R, Y, X) times a sign is at least so much and no less than its neighbours."""
    size = 3 if len(answer) > 1 else (1, 3, 3)
    highest = ndimage.maximum_filter(sign * answer, size, mode="nearest")
    return (sign * answer == highest) & (highest >= least) & film


def test_peaks_are_those_of_scikit_image():
    image = blurred(np.random.default_rng(3).standard_normal((60, 50)), 2.0) * 20
    for least in (0.1, 1.0, 8.0):
        marks = np.zeros(image.shape, bool)
        for rows in ((0, 11), (11, 60)):
            seen = np.zeros(image.size, np.int32)
            high_peaks(image, least, float(image.min()), rows, seen, marks)
        assert np.array_equal(marks, h_maxima(image, least).astype(bool))
    peaks = peaks_of(image[None], np.ones(image.shape, bool), 1, 0.0)
    assert np.array_equal(peaks[0], (h_maxima(image, 1e-6) > 0) & (image >= 0))


def whole_of(filtered, left, shape):
    """All blocks of responses, put together."""
    out = np.empty((len(filtered.patches), *shape), np.float32)
    rows, columns = filtered.step
    halves = filtered.halves(left)
    for y in range(0, shape[0], rows):
        for x in range(0, shape[1], columns):
            own = out[:, y : y + rows, x : x + columns]
            fine, halved = filtered.responses(left, halves, (y, x))
            block = np.full((len(fine) + len(halved), rows + 2, columns + 2), np.nan, np.float32)
            line = np.empty(halved.shape[2], np.float32)
            for first in (0, 1, 4):
                response_rows(fine, halved, (y, x), shape, first, line, block[:, first:])
            own[:] = block[:, 1 : own.shape[1] + 1, 1 : own.shape[2] + 1]
    return out


def test_responses_by_blocks_are_a_correlation(monkeypatch):
    monkeypatch.setattr(matched_filter, "BLOCK_PX", 16)
    monkeypatch.setattr(site_templates, "ALIKE_IN_HALVES", 0.9985)
    discs = [(40, 60, 5.0, 0.1), (100, 80, 2.0, 0.2), (75, 110, 4.0, 0.0)]
    images = images_of((150, 130), discs)
    templates = templates_of(images, SIGMA_PX, 2.0, 6.0)
    assert 0 < len(templates.halved) < len(templates.patches)
    film = np.ones((150, 130), bool)
    film[:, :20] = False
    filtered = matched_filter.MatchedFilter(templates, images.variance, film)
    assert filtered.step[0] < 150
    free = np.random.default_rng(4).uniform(0.9, 1, images.loss.shape).astype(np.float32)
    left = images.loss, free, 0.3
    found = whole_of(filtered, left, film.shape)
    rest = images.loss + 0.3 * (free - free.mean(axis=0))
    weighted = np.where(film, rest / 0.02, 0)
    for k, (patch, own) in enumerate(zip(templates.patches, found, strict=True)):
        kernel = patch * 4 / np.sqrt((patch**2 * 4).sum())
        wanted = sum(
            signal.correlate(a, b, mode="same") for a, b in zip(weighted, kernel, strict=True)
        )
        halved = k >= len(templates.patches) - len(templates.halved)
        most = np.abs(wanted).max()
        assert np.abs(own - wanted).max() < (0.02 if halved else 0.003) * most
    places, most_px = np.array([disc[:2] for disc in discs]), np.full(3, np.inf)
    best = filtered.best_at(places, rest.astype(np.float32), most_px)
    assert np.array_equal(best, found[:, places[:, 0], places[:, 1]].argmax(axis=0))
    most_px[0] = templates.radii_px[1]
    assert filtered.best_at(places, rest.astype(np.float32), most_px)[0] == 1 < best[0]


def test_extrema_of_blocks_are_those_of_the_whole(monkeypatch):
    monkeypatch.setattr(matched_filter, "BLOCK_PX", 16)
    images = images_of((150, 131), [(14, 60, 5.0, 0.1), (100, 115, 2.0, 0.2)])
    templates = templates_of(images, SIGMA_PX, 2.0, 6.0)
    film = np.ones((150, 131), bool)
    film[60:70, 20:50] = False
    filtered = matched_filter.MatchedFilter(templates, images.variance, film)
    left = images.loss, np.ones_like(images.loss), 0.3
    whole, found = whole_of(filtered, left, film.shape), filtered.answers(left, 1.5, 2.0, 2.5)
    for sign, least, own in ((1, 1.5, found.maxima), (-1, 2.0, found.minima)):
        at = np.argwhere(peaks_of(whole, film, sign, least))
        assert len(at) > 20
        assert {*map(tuple, own[:, :3].astype(int))} == {*map(tuple, at)}
        k, y, x = own[:, :3].astype(int).T
        assert own[:, 3] == pytest.approx(whole[k, y, x], abs=1e-4)
        assert own[:, 4] == pytest.approx(whole[filtered.inner[k], y, x], abs=1e-4)
    large = np.argwhere(np.abs(whole).max(axis=0) > 2.5)
    assert {*map(tuple, found.large)} == {*map(tuple, large)}


def test_backgrounds_are_taken_off_as_wide_means_beside_the_discs():
    images = images_of((150, 130), [(40, 60, 5.0, 0.1)])
    slope = np.linspace(-1, 1, 6)[:, None, None] * np.linspace(0, 0.1, 130)
    images.loss[:] += slope.astype(np.float32)
    templates = templates_of(images, SIGMA_PX, 2.0, 6.0)
    fit = DiscFit(images, images.known, templates)
    fit.add(np.array([[40, 60, 5.0]]))
    before = fit.loss.copy()
    fit._take_background()
    rest = before + fit.full * (fit.free - fit.free.mean(axis=0))
    beside = fit.free.min(axis=0) > BESIDE
    wide = BACKGROUND_RADII * templates.radii_px[-1]
    for own, left, image in zip(rest, fit.loss, before, strict=True):
        assert image - left == pytest.approx(wide_mean(own, beside, wide, 1), abs=5e-4)


def test_discs_are_fitted_by_strips_as_they_are_all_together():
    rng = np.random.default_rng(5)
    y, x = np.meshgrid(np.arange(30, 300, 27), [30, 44, 80], indexing="ij")
    places = np.column_stack([y.ravel(), x.ravel()])
    truth = np.column_stack(
        [places, rng.uniform(3, 6, len(places)), rng.uniform(0, 0.3, len(y.ravel()))]
    )
    images = images_of((330, 110), [(int(a), int(b), r, o) for a, b, r, o in truth])
    templates = templates_of(images, SIGMA_PX, 2.0, 7.0)
    fits = [DiscFit(images, images.known, templates) for _ in range(2)]
    fits[1]._in_strips = lambda which, work: work(which)
    for fit in fits:
        fit.add(truth[:, :3] + 0.4)
        fit.sweep_all()
    assert fits[0].discs == pytest.approx(fits[1].discs, abs=0.01)
    assert fits[0].snr == pytest.approx(fits[1].snr, rel=0.01)
    assert fits[0].discs[:, :2] == pytest.approx(truth[:, :2], abs=0.15)
    assert np.median(np.abs(fits[0].discs[:, 4] - truth[:, 3])) < 0.01
