import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.site_montage import site_montage

COUNTS = 1000 + np.arange(20)[:, None, None] * np.ones((20, 30, 40)) + np.arange(40)
CELL = recording_of(COUNTS)


def cut(place_um, start_s=5.0, end_s=15.0, **more):
    work = site_montage(CELL, place_um, start_s, end_s, reference_frame(CELL), **more)
    return finish(work)


def test_crops_are_the_ratio_to_the_film_at_the_chosen_times():
    montage = cut((10 * 0.065, 20 * 0.065), half_um=3 * 0.065, interval_s=4.0)
    assert montage.times_s.tolist() == [5, 9, 13]
    reference = COUNTS[:5].mean(axis=0)
    for image, t in zip(montage.images, (5, 9, 13), strict=True):
        assert image == pytest.approx((COUNTS[t] / reference)[7:14, 17:24], rel=1e-6)
    assert montage.grey().dtype == np.uint8
    assert (montage.grey()[0].min(), montage.grey()[-1].max()) == (0, 255)


def test_outside_the_field_there_is_nothing():
    montage = cut((0.0, 39 * 0.065), half_um=2 * 0.065, n_images=2)
    assert montage.images.shape == (2, 5, 5)
    known = np.isfinite(montage.images[0])
    assert known[2:, :3].all()
    assert known.sum() == 9


def test_a_place_or_a_time_outside_is_said():
    with pytest.raises(AlloyError, match="lies outside the field"):
        cut((5.0, 1.0))
    with pytest.raises(AlloyError, match="no frame lies between 100 and 110 s"):
        cut((1.0, 1.0), 100.0, 110.0)
