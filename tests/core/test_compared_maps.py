"""What images bring to all their pairs, against pairs on their own."""

from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from napari_lithium_alloy.core import compared_maps
from napari_lithium_alloy.core.colocalization import coefficients
from napari_lithium_alloy.core.compared_maps import ComparedMaps
from napari_lithium_alloy.core.complementarity import correlate, correlate_pair
from napari_lithium_alloy.core.counted_pairs import CountedPairs
from napari_lithium_alloy.core.errors import AlloyError


def maps_of(seed, shape=(150, 170), sigma=9.0):
    rng = np.random.default_rng(seed)
    smooth = [ndimage.gaussian_filter(rng.standard_normal(shape), s) for s in (sigma, sigma, 2.0)]
    images = {
        "a": smooth[0].astype(np.float32),
        "b": (smooth[0] + smooth[1] > 0).astype(np.float32),
        "spots": (smooth[2] > np.quantile(smooth[2], 0.93)).astype(np.float32),
    }
    images["b"][40:50, 60:70] = np.nan
    return images


def test_images_compared_with_several_give_what_each_pair_does():
    images = maps_of(0)
    valid = np.ones(images["a"].shape, bool)
    valid[:, :9] = False
    maps = ComparedMaps(images, valid)
    for a, b in (("a", "b"), ("a", "spots"), ("b", "spots"), ("a", "b")):
        found, alone = (
            correlate_pair(maps, a, b),
            correlate(images[a], images[b], valid=valid),
        )
        assert found.reason == alone.reason
        numbers = [{k: v for k, v in vars(c).items() if k != "reason"} for c in (found, alone)]
        assert numbers[0] == pytest.approx(numbers[1], nan_ok=True)


@pytest.mark.parametrize("seed", range(4))
def test_cells_of_a_large_field_tell_what_its_pixels_do(seed, monkeypatch):
    images = maps_of(seed, (400, 420))
    every = {}
    for cells in (512, 110):
        monkeypatch.setattr(compared_maps, "MOST_CELLS", cells)
        maps = ComparedMaps(images, None)
        every[cells] = [correlate_pair(maps, "a", b) for b in ("b", "spots")]
    for fine, coarse in zip(every[512], every[110], strict=True):
        assert coarse.pearson_r == pytest.approx(fine.pearson_r, abs=1e-12)
        assert coarse.null_high == pytest.approx(fine.null_high, rel=0.04)
        assert coarse.p_value == pytest.approx(fine.p_value, abs=0.03)
        assert coarse.p_blocks == pytest.approx(fine.p_blocks, abs=0.06)
        assert coarse.attainable_r == pytest.approx(fine.attainable_r, abs=1e-3)


@pytest.mark.parametrize("thresholds", [None, (0.2, 1.0)])
def test_counts_of_masks_give_the_coefficients_of_their_pixels(thresholds):
    images = maps_of(1)
    images["levels"] = np.where(images["a"] > 0, np.where(images["spots"] > 0, 3, 1), -0.5)
    images["flat"] = np.ones_like(images["a"])
    valid = np.ones(images["a"].shape, bool)
    valid[30:60] = False
    rule = "otsu" if thresholds is None else "fixed"
    counted = CountedPairs(images, valid)
    for a, b in (("b", "spots"), ("levels", "b"), ("b", "flat"), ("a", "spots")):
        found = counted.coefficients(a, b, rule=rule, thresholds=thresholds)
        alone = coefficients(images[a], images[b], valid=valid, rule=rule, thresholds=thresholds)
        numbers = [{k: v for k, v in vars(c).items() if k != "reason"} for c in (found, alone)]
        assert numbers[0] == pytest.approx(numbers[1], nan_ok=True)
        assert found.reason == alone.reason
    with pytest.raises(AlloyError, match="give one a map"):
        counted.coefficients("b", "spots", rule="fixed")
    otsu = counted.coefficients("b", "spots", rule="otsu", thresholds=(0.2, 1.0))
    assert otsu.threshold_b == coefficients(images["b"], images["spots"], valid=valid).threshold_b
    images["smaller"] = images["b"][:-1]
    for compare in (counted.coefficients, partial(correlate_pair, ComparedMaps(images, None))):
        with pytest.raises(AlloyError, match="different shapes"):
            compare("b", "smaller")
    nothing = CountedPairs(images, np.zeros_like(valid)).coefficients("b", "spots")
    assert nothing.reason == "no pixel is known in both maps"
