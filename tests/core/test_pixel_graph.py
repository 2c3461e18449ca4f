"""Parts, basins and bridges of listed pixels, against whole pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import measure, segmentation

from napari_lithium_alloy.core.by_label import centres, lengthening, maxima, numbers_in, sums
from napari_lithium_alloy.core.pixel_graph import PixelGraph
from napari_lithium_alloy.core.pores import grown


def picture(seed, shape=(40, 37), sigma=1.0):
    values = np.random.default_rng(seed).normal(size=shape)
    return ndimage.gaussian_filter(values, sigma).astype(np.float32)


@given(st.integers(0, 999), st.floats(0, 0.8), st.sampled_from([(4, 1), (8, 2)]))
@settings(max_examples=30, deadline=None)
def test_parts_peaks_and_basins_are_those_of_the_whole_picture(seed, share, ways):
    image = picture(seed)
    mask = image > np.quantile(image, share)
    graph = PixelGraph.of(mask if seed % 2 else np.ones_like(mask))
    inside, values = graph.of_picture(mask), graph.of_picture(image)
    parts = graph.picture(graph.parts(inside, ways[0]))
    assert np.array_equal(parts, measure.label(mask, connectivity=ways[1]))
    peaks = (ndimage.maximum_filter(np.where(mask, image, -9), 3) == image) & mask
    assert np.array_equal(graph.peaks(values, inside, -np.inf), graph.of_picture(peaks))
    seeds = measure.label(peaks, connectivity=2)
    basins = graph.basins(values, graph.of_picture(seeds).astype(np.int32), inside, ways[0])
    expected = segmentation.watershed(-image, seeds, mask=mask, connectivity=ways[1])
    assert np.array_equal(graph.picture(basins), expected)


@given(st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_bridges_are_the_highest_places_where_basins_meet(seed):
    image = picture(seed, (14, 13))
    seeds = measure.label(ndimage.maximum_filter(image, 3) == image)
    graph = PixelGraph.of(np.ones(image.shape, bool))
    whole = segmentation.watershed(-image, seeds, connectivity=2).astype(np.int32)
    pairs, levels = graph.bridges(image.ravel(), whole.ravel())
    expected = {}
    for (y, x), a in np.ndenumerate(whole):
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            if not (y + dy < whole.shape[0] and 0 <= x + dx < whole.shape[1]):
                continue
            b = whole[y + dy, x + dx]
            if a != b:
                key = (min(a, b), max(a, b))
                level = min(image[y, x], image[y + dy, x + dx])
                expected[key] = max(level, expected.get(key, -np.inf))
    assert dict(zip(map(tuple, pairs.tolist()), levels.tolist(), strict=True)) == expected


def test_what_labels_enclose_is_what_filling_would_fill():
    labels = np.zeros((12, 12), np.int32)
    labels[2:8, 2:8] = 1
    labels[4:6, 4:6] = 0
    labels[8:, 8:] = 2
    labels[10:, 10:] = 0  # open at the field's edge
    graph = PixelGraph.of(np.ones(labels.shape, bool))
    found = np.zeros(labels.shape, bool)
    found.ravel()[graph.at[graph.enclosed(labels.ravel())]] = True
    assert np.array_equal(found, ndimage.binary_fill_holes(labels > 0) & (labels == 0))
    assert found.sum() == 4


@given(st.integers(0, 999), st.floats(1, 6))
@settings(max_examples=20, deadline=None)
def test_grown_labels_are_the_nearest_ones(seed, distance):
    labels = measure.label(picture(seed) > 0.5).astype(np.int32)
    found, squared = grown(labels, distance)
    away = ndimage.distance_transform_edt(labels == 0)
    assert np.array_equal(found > 0, away <= distance)
    ring = (labels == 0) & (found > 0)
    assert np.allclose(np.sqrt(squared[ring]), away[ring])
    for number in numbers_in(found).tolist():
        own = ndimage.distance_transform_edt(labels != number)
        assert np.allclose(own[found == number], away[found == number])


def test_measures_of_labels():
    labels = np.array([[0, 1, 1], [3, 0, 1]])
    values = np.array([[9.0, 2, -1], [4, 9, 5]])
    assert sums(values, labels, 3).tolist() == [0, 6, 0, 4]
    assert maxima(values, labels, 3).tolist() == [0, 5, 0, 4]
    assert numbers_in(labels).tolist() == [1, 3]
    pixels = np.nonzero(labels)
    found = centres(pixels, labels[pixels], 3)
    assert found[0].tolist() == pytest.approx([1 / 3, 5 / 3])
    assert found[2].tolist() == [1, 0]
    line = np.ones(9, int)
    assert lengthening((np.arange(9), np.zeros(9)), line, 1)[1] == pytest.approx(9.0)
