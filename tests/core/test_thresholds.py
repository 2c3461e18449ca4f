"""ImageJ's automatic thresholds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import filters

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.thresholds import NAMES, named_threshold, share_threshold

HISTOGRAMS = arrays(np.int64, 256, elements=st.integers(0, 50)).filter(
    lambda h: np.count_nonzero(h) >= 2
)


@given(HISTOGRAMS)
def test_both_sides_of_a_threshold_hold_pixels(histogram):
    there = np.flatnonzero(histogram)
    for name in ("Otsu", "MaxEntropy", "Yen", "Mean"):
        level = named_threshold(histogram, name)
        assert there[0] <= level < there[-1], name


@given(HISTOGRAMS)
@settings(max_examples=30)
def test_otsu_parts_classes_as_well_as_any_level_does(histogram):
    levels = np.arange(256)

    def within(level):
        parts = [(levels <= level), (levels > level)]
        return sum(
            (histogram[p] * (levels[p] - np.average(levels[p], weights=histogram[p])) ** 2).sum()
            for p in parts
        )

    there = np.flatnonzero(histogram)
    best = min(within(level) for level in range(there[0], there[-1]))
    assert within(named_threshold(histogram, "Otsu")) == pytest.approx(best, rel=1e-9)


def test_names_agree_with_scikit_image_where_its_definition_is_the_same():
    rng = np.random.default_rng(1)
    image = np.concatenate([rng.normal(90, 12, 9000), rng.normal(190, 15, 1500)])
    image = np.clip(image.round(), 0, 255).astype(np.uint8).reshape(105, 100)
    histogram = np.bincount(image.ravel(), minlength=256)
    assert named_threshold(histogram, "Yen") == filters.threshold_yen(image)
    assert named_threshold(histogram, "Mean") == int(filters.threshold_mean(image))
    near = {"Otsu": "otsu", "IsoData": "isodata", "Default": "isodata", "Triangle": "triangle"}
    for name, theirs in near.items():
        other = getattr(filters, f"threshold_{theirs}")(image)
        apart = abs(named_threshold(histogram, name) - other)
        assert apart <= 2, name  # across empty levels; to the level: test_reference_imagej


def test_real_values_are_parted_in_256_levels():
    share = np.concatenate([np.zeros(900), np.ones(100)]) + np.random.default_rng(0).normal(
        0, 0.02, 1000
    )
    for name in NAMES:
        if name not in ("Minimum", "Mean"):
            assert 0.0 < share_threshold(share, name, (-0.25, 1.25)) < 1.0, name


def test_what_cannot_be_parted_is_refused_in_a_sentence():
    flat = np.zeros(256, int)
    flat[7] = 100
    with pytest.raises(AlloyError, match="set it by hand"):
        named_threshold(flat, "Otsu")
    with pytest.raises(AlloyError, match="There is no threshold 'otsu'"):
        named_threshold(flat, "otsu")
    two = np.zeros(256, int)
    two[:2] = 5
    with pytest.raises(AlloyError, match="has not two modes"):
        named_threshold(two, "Minimum")
