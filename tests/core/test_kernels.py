"""Compiled loops against plain numpy."""

import numpy as np
import pytest

from napari_lithium_alloy.core.kernels.aperture import aperture_sums
from napari_lithium_alloy.core.kernels.logarithm import log32


def test_the_logarithm_is_right_to_single_precision():
    values = np.concatenate(
        [np.arange(1, 65536), np.geomspace(1e-30, 1e30, 50_000), np.linspace(0.6, 1.4, 50_000)]
    ).astype(np.float32)
    expected = np.log(values.astype(float))
    found = np.array([log32.py_func(v) for v in values])
    assert found.dtype == np.float32
    assert (np.abs(found - expected) / np.maximum(1, np.abs(expected))).max() < 1e-6


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_sums_over_an_aperture_are_numpys(dtype):
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 250, (37, 53)).astype(dtype)
    dark = rng.uniform(0, 20, counts.shape).astype(np.float32)
    weight = np.where(rng.random(counts.shape) < 0.7, rng.uniform(0.01, 0.1, counts.shape), 0)
    weight[rng.random(counts.shape) < 0.1] = -1
    light = counts - dark.astype(float)
    lit = (weight > 0) & (light > 0)
    assert 0 < lit.sum() < (weight > 0).sum()
    expected = (
        light[weight != 0].sum(),
        (light * weight)[weight > 0].sum(),
        np.log((light * weight)[lit]).sum(),
        (np.log((light * weight)[lit]) ** 2).sum(),
        lit.sum(),
    )
    found = aperture_sums(counts, dark, weight.astype(np.float32))
    assert found == pytest.approx(expected, rel=2e-6)


def test_what_lies_outside_an_aperture_may_be_anything():
    counts = np.full((9, 40), 100, np.float32)
    counts[:, 20:] = np.nan
    counts[0] = np.inf
    weight = np.zeros_like(counts)
    weight[1:, :20] = 0.02
    found = aperture_sums(counts, np.zeros_like(counts), weight)
    expected = (16000, 320, 160 * np.log(2), 160 * np.log(2) ** 2, 160)
    assert found == pytest.approx(expected, rel=1e-6)
