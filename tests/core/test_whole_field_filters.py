"""Filters of whole fields in threads, against scipy's; and work on items in their order."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_lithium_alloy.core.field import tile_medians
from napari_lithium_alloy.core.row_blocks import in_order
from napari_lithium_alloy.core.smoothing import near_over, with_laplacian
from napari_lithium_alloy.core.spot_masks import site_masks


@given(st.integers(1, 60), st.integers(2, 60), st.integers(0, 9), st.integers(0, 99))
@example(rows=5, columns=5, reach=3, seed=2)  # the last block has fewer rows than are looked at
@settings(max_examples=40, deadline=None)
def test_laplacian_and_what_is_near(rows, columns, reach, seed):
    image = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    expected = 2 * image - 0.5 * ndimage.laplace(image)
    assert np.allclose(with_laplacian(image, 2.0, -0.5), expected, atol=1e-4)
    marked = ndimage.maximum_filter(image, 2 * reach + 1) > 1.5
    assert np.array_equal(near_over(image, 1.5, reach), marked)


def test_tile_medians_are_those_of_the_tiles_and_straight_between():
    image = np.random.default_rng(0).normal(size=(60, 90))
    image[:20, :30] = np.nan
    level = tile_medians(image, 30)
    assert level[14:16, 44:46].mean() == pytest.approx(np.nanmedian(image[:30, 30:60]), abs=0.02)
    assert level[-1, -1] == pytest.approx(np.median(image[30:, 60:]), abs=1e-6)
    assert np.allclose(np.diff(level[50, 45:74], n=2), 0, atol=1e-6)
    assert np.isnan(tile_medians(np.full((20, 20), np.nan), 10)).all()


def test_sites_are_discs_also_across_an_edge():
    sites = pd.DataFrame(
        {"cycle": 1, "y_um": [0.0, 5.2, 40.0], "x_um": [3.0, 9.7, 2.0], "radius_um": [2.0, 0.2, 1]}
    )
    rows, columns = np.ogrid[:20, :20]
    expected = np.zeros((20, 20))
    for y, x, radius in ((0, 6, 4), (10.4, 19.4, 1)):
        expected[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = 1
    assert np.array_equal(site_masks(sites, (20, 20), 0.5)["cycle1_sites"], expected)


def test_items_come_in_their_order_and_no_more_are_begun_than_are_asked_for():
    begun = []

    def slow(i):
        begun.append(i)
        time.sleep(0.001 * (i % 3))
        return i * i

    assert list(in_order(slow, range(20))) == [i * i for i in range(20)]
    begun.clear()
    results = in_order(slow, range(1000))
    assert next(results) == 0
    results.close()
    assert len(begun) < 100
