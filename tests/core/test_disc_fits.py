"""Kernels that fit discs and powers, against plain numpy."""

import numpy as np
import pytest

from napari_lithium_alloy.core.disc_columns import LOSS, X, Y
from napari_lithium_alloy.core.kernels.disc_fits import fit_discs, multiply_all
from napari_lithium_alloy.core.kernels.powers import fit_power
from napari_lithium_alloy.core.site_images import SiteImages
from napari_lithium_alloy.core.site_templates import growing_disc, hat_norm, templates_of

SHARES = tuple(np.split((np.arange(24) + 0.5) / 24, 6))
SIGMA_PX, FULL, SHAPE = 1.3, 0.5, (60, 70)
DISCS = np.array(
    [
        [20.0, 25.0, np.log(4.0), 0.3, 0.1],
        [26.0, 31.0, np.log(5.0), 0.4, 0.2],
        [1.0, 68.0, np.log(3.0), 0.4, 0.0],
    ]
)


@pytest.fixture(scope="module")
def templates():
    images = SiteImages(
        loss=np.zeros((6, *SHAPE), np.float32),
        darkening=np.zeros(SHAPE, np.float32),
        darkening_frames=2.0,
        variance=np.ones(SHAPE, np.float32),
        known=np.ones(SHAPE, bool),
        shares=SHARES,
        start_s=0.0,
        end_s=24.0,
    )
    return templates_of(images, SIGMA_PX, 1.5, 7.0)


def cover_of(disc):
    """(K, Y, X) cover of one disc in the whole field."""
    room = 40
    whole = np.zeros((6, SHAPE[0] + 2 * room, SHAPE[1] + 2 * room))
    patch = growing_disc(np.exp(disc[2]), disc[4], SHARES, SIGMA_PX)
    half = patch.shape[1] // 2
    y, x = int(disc[Y]) + room, int(disc[X]) + room
    whole[:, y - half : y + half + 1, x - half : x + half + 1] = patch
    return whole[:, room:-room, room:-room]


def free_of(discs):
    return np.prod([1 - d[LOSS] / FULL * cover_of(d) for d in discs], axis=0)


def args_of(templates):
    t = templates
    return t.table, t.grid, t.margin_px


def test_discs_are_put_in_and_taken_out(templates):
    free = np.ones((6, *SHAPE), np.float32)
    multiply_all(free, DISCS, FULL, *args_of(templates), True)
    assert free == pytest.approx(free_of(DISCS), abs=0.01)
    multiply_all(free, DISCS[:2], FULL, *args_of(templates), False)
    assert free == pytest.approx(free_of(DISCS[2:]), abs=0.01)
    multiply_all(free, DISCS[2:], FULL, *args_of(templates), False)
    assert free == pytest.approx(1, abs=1e-5)


def test_signals_and_normal_equations_are_numpys(templates):
    rng = np.random.default_rng(1)
    frames = templates.frames
    loss = (0.1 * rng.standard_normal((6, *SHAPE))).astype(np.float32)
    weight = rng.uniform(0, 2, SHAPE).astype(np.float32)
    free = np.ones_like(loss)
    multiply_all(free, DISCS, FULL, *args_of(templates), True)
    before = free.copy()
    signal, moved, normals = np.zeros(3), np.zeros(3), np.zeros((3, 5, 5))

    def fit(steps, which):
        fit_discs(
            loss, free, weight, frames, FULL, DISCS.copy(), np.atleast_1d(which),
            *args_of(templates), steps, signal, moved, normals,
        )  # fmt: skip

    for i in range(3):
        free[:] = before
        fit(1, i)
    free[:] = before
    fit(0, np.arange(3))
    assert np.array_equal(free, before)
    share = (frames / frames.sum())[:, None, None]
    for i, disc in enumerate(DISCS):
        slope = free_of(np.delete(DISCS, i, axis=0)) * cover_of(disc)
        left = loss - FULL * (1 - free_of(DISCS))
        slope, left = slope - (share * slope).sum(axis=0), left - (share * left).sum(axis=0)
        power = (weight * frames[:, None, None] * slope**2).sum()
        along = (weight * frames[:, None, None] * slope * left).sum()
        assert normals[i, LOSS, LOSS] == pytest.approx(power, rel=0.03)
        wanted = (disc[LOSS] * power + along) / np.sqrt(power)
        assert signal[i] == pytest.approx(wanted, rel=0.02, abs=0.02)


def test_smooth_templates_are_sums_of_hats(templates):
    assert len(templates.halved) > 1
    for share, patch in zip(templates.halved[::-1], templates.patches[::-1], strict=False):
        n = share.shape[1]
        hats = np.zeros((2 * n + 2, n))
        for j in range(n):
            hats[2 * j : 2 * j + 4, j] = 0.125, 0.375, 0.375, 0.125
        whole = hats @ share @ hats.T
        assert hat_norm(share) == pytest.approx(np.linalg.norm(whole))
        assert np.linalg.norm(whole) == pytest.approx(np.linalg.norm(patch), rel=0.04)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_powers_are_those_of_least_squares(noise):
    since = np.linspace(0.05, 1, 60)
    values = 2 * since**1.3 + noise * np.random.default_rng(3).standard_normal(60)
    powers = np.linspace(0.05, 4, 159)
    power, sd = fit_power(np.log(since), values, powers, 1e-6)
    scales = [values @ since**m / (since ** (2 * m)).sum() for m in powers]
    left = [((values - a * since**m) ** 2).sum() for a, m in zip(scales, powers, strict=True)]
    k = int(np.argmin(left))
    assert abs(power - powers[k]) <= powers[1] - powers[0]
    shape = since ** powers[k]
    slopes = np.column_stack([shape, scales[k] * shape * np.log(since)])
    variance = max(1e-6, left[k] / 58)
    assert sd == pytest.approx(np.sqrt(np.linalg.inv(slopes.T @ slopes)[1, 1] * variance))
    flat = fit_power(np.zeros(5), np.ones(5), powers, 1.0)
    assert np.isfinite(flat).all()
