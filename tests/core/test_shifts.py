"""All shifts at once against slow loops."""

import numpy as np
import pytest
from scipy import ndimage

from napari_lithium_alloy.core.block_null import block_correlations, block_side
from napari_lithium_alloy.core.shifts import ShiftedField, cell_sums, correlation_length


def all_shifts(a, b, valid, cell=1):
    """All shifts of two maps, as `ShiftedField` has them."""
    field = ShiftedField(valid, cell)
    first, second = (
        field.spectrum(cell_sums(i, cell), float((np.asarray(i, float) ** 2).sum())) for i in (a, b)
    )
    return field.shifts((first, second), (field.own(first), field.own(second)))


def prepared(rng, shape, valid):
    image = rng.standard_normal(shape)
    return np.where(valid, image - image[valid].mean(), 0.0)


@pytest.mark.parametrize("masked", [False, True])
def test_shifts_are_those_of_a_loop_without_wrapping(masked):
    rng = np.random.default_rng(4)
    shape = (12, 15)
    valid = rng.random(shape) > 0.2 if masked else np.ones(shape, bool)
    a, b = (prepared(rng, shape, valid) for _ in range(2))
    shifts = all_shifts(a, b, valid)
    whole = np.sqrt((a**2).sum() * (b**2).sum())
    for dy in range(-6, 7):
        for dx in range(-7, 8):
            here = slice(max(dy, 0), 12 + min(dy, 0)), slice(max(dx, 0), 15 + min(dx, 0))
            there = slice(max(-dy, 0), 12 - max(dy, 0)), slice(max(-dx, 0), 15 - max(dx, 0))
            pixels = (valid[here] & valid[there]).sum()
            assert shifts.overlap[dy, dx] == pixels
            covariance = (a[here] * b[there]).sum() / whole
            expected = covariance * np.sqrt(valid.sum() / max(pixels, 1))
            assert shifts.correlation[dy, dx] == pytest.approx(expected, abs=1e-9)
            own = (a[here] * a[there]).sum() / (a**2).sum()
            assert shifts.own[0][dy, dx] == pytest.approx(own, abs=1e-9)
            assert shifts.length[dy, dx] == pytest.approx(np.hypot(dy, dx))
    assert shifts.overlap.shape == (13, 15)
    assert shifts.n_px == valid.sum()
    assert shifts.correlation[0, 0] == pytest.approx((a * b).sum() / whole)


def test_squares_of_pixels_tell_the_same_of_smooth_maps():
    rng = np.random.default_rng(3)
    valid = np.ones((160, 200), bool)
    valid[:40, 120:] = False
    smooth = [
        ndimage.gaussian_filter(rng.standard_normal(valid.shape), 8.0, mode="wrap") for _ in "ab"
    ]
    a, b = (np.where(valid, i - i[valid].mean(), 0.0) for i in smooth)
    fine, coarse = all_shifts(a, b, valid), all_shifts(a, b, valid, 4)
    assert coarse.n_px == fine.n_px
    assert coarse.variance == pytest.approx(fine.variance, rel=0.03)
    near = (coarse.length > 10) & coarse.enough
    some = fine.correlation[np.ix_(*(4 * np.fft.fftfreq(n, 1 / n).astype(int) for n in near.shape))]
    assert coarse.correlation[near] == pytest.approx(some[near], abs=0.02)
    lengths = [correlation_length(s.own[0], s.overlap, s.length) for s in (fine, coarse)]
    assert lengths[1] == pytest.approx(lengths[0], abs=4)


def test_white_noise_has_as_many_samples_as_pixels():
    rng = np.random.default_rng(1)
    valid = np.ones((64, 64), bool)
    a, b = (prepared(rng, valid.shape, valid) for _ in range(2))
    shifts = all_shifts(a, b, valid)
    assert 1 / shifts.variance == pytest.approx(64**2, rel=0.05)
    assert correlation_length(shifts.own[0], shifts.overlap, shifts.length) == 1


def test_the_length_is_where_the_own_correlation_has_fallen_to_1_over_e():
    x = np.arange(200)
    stripes = np.cos(2 * np.pi * x / 80) * np.ones((200, 1))
    valid = np.ones((200, 200), bool)
    shifts = all_shifts(stripes, stripes, valid)
    profile = shifts.own[0][0] / np.maximum(shifts.overlap[0], 1) * 200**2
    expected = np.flatnonzero(profile[:100] < 1 / np.e)[0]
    found = correlation_length(shifts.own[0], shifts.overlap, shifts.length)
    assert found > expected  # along the stripes nothing falls
    blobs = np.exp(-((x[:, None] - 100) ** 2 + (x[None] - 100) ** 2) / (2 * 8.0**2))
    own = all_shifts(blobs - blobs.mean(), blobs - blobs.mean(), valid)
    assert correlation_length(own.own[0], own.overlap, own.length) == pytest.approx(16, abs=1)


def test_blocks_in_their_own_order_give_r_and_in_others_a_loop():
    rng = np.random.default_rng(0)
    valid = rng.random((40, 50)) > 0.1
    a, b = rng.standard_normal((2, 40, 50))
    found = block_correlations(a, b, valid, 10, n=5, seed=3)
    order_rng = np.random.default_rng(3)
    orders = order_rng.permuted(np.tile(np.arange(20), (5, 1)), axis=1)
    places = [(slice(10 * i, 10 * i + 10), slice(10 * j, 10 * j + 10)) for i, j in np.ndindex(4, 5)]
    for order, r in zip(orders, found, strict=True):
        x, y = [], []
        for here, k in zip(places, order, strict=True):
            both = valid[here] & valid[places[k]]
            x.append(a[here][both])
            y.append(b[places[k]][both])
        assert r == pytest.approx(np.corrcoef(np.concatenate(x), np.concatenate(y))[0, 1])


def test_a_field_of_few_blocks_has_no_block_null():
    valid = np.zeros((40, 50), bool)
    valid[:10] = True
    assert block_correlations(np.eye(40, 50), np.eye(40, 50), valid, 10).size == 0
    assert block_side((200, 200), 7.0) == 28
    assert block_side((200, 200), 1.0) == 10  # no more than 400 squares
    assert block_side((60, 60), 50.0) == 12  # at least two dozen
