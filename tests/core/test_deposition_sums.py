"""Sums over a deposition's frames against plain numpy, with pixels that have no light."""

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core.deposition_sums import DepositionSums
from napari_lithium_alloy.core.progress import finish

SHAPE, N, MANY = (40, 50), 21, 49
EARLY = 3


def counts_with(gaps, n=N, dtype=np.float32):
    counts = np.random.default_rng(1).integers(200, 900, (n, *SHAPE)).astype(dtype)
    if gaps:
        counts[:7, 5, 8] = np.nan
        counts[12, 30:, :] = np.nan
        counts[:, 20, 20] = np.nan
    return counts


@pytest.mark.parametrize(("gaps", "n"), [(False, N), (True, N), (False, MANY)])
@pytest.mark.parametrize("at_once", [4, 1000])
@pytest.mark.parametrize("mapped", [False, True])
def test_sums_are_numpys(gaps, n, at_once, mapped, monkeypatch):
    counts, parts = counts_with(gaps, n), np.array_split(np.arange(n), 4)
    bytes_at_once = at_once * 4 * SHAPE[0] * SHAPE[1]
    monkeypatch.setattr("napari_lithium_alloy.core.deposition_sums.AT_ONCE_BYTES", bytes_at_once)
    cell = recording_of(counts, mapped=counts if mapped else None)
    sums = DepositionSums.of(SHAPE, parts, EARLY, 50.0)
    finish(sums.add_frames(cell, np.arange(n)))
    light = counts.astype(float) - 50
    with np.errstate(invalid="ignore"):
        wanted = np.array([np.nansum(light[p], axis=0) for p in parts])
        there = np.array([np.isfinite(light[p]).sum(axis=0) for p in [*parts, np.arange(EARLY)]])
        bend = np.diff(light, n=2, axis=0)[:: 3 if n == MANY else 1]
        usual = [np.median(b[::8][np.isfinite(b[::8])]) for b in bend]
        squares = np.nansum((bend - np.array(usual)[:, None, None]) ** 2, axis=0)
        early = np.nansum(light[:EARLY], axis=0) / np.maximum(there[-1], 1)
    assert np.array_equal(sums.known(), (there > 0).all(axis=0))
    assert sums.light == pytest.approx(wanted, rel=1e-6)
    assert sums.squares == pytest.approx(squares, rel=1e-5)
    assert sums.early_mean() == pytest.approx(early, rel=1e-6)
    film = np.full(SHAPE, 600, np.float32)
    loss, darkening = sums.losses(sums.early_mean(), film, brightens=False)
    means = wanted / np.maximum(there[:-1], 1)
    share = np.array([len(p) / n for p in parts])
    mean = np.tensordot(share, means, axes=1)
    assert loss == pytest.approx((mean - means) / 600, abs=1e-5)
    assert darkening == pytest.approx((early - mean) / 600, abs=1e-5)
