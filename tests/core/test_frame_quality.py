"""Quality of frames."""

import numpy as np
import pandas as pd
import pytest
from planted import recording_of
from scipy import ndimage

from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.frame_quality import FrameSums, frame_quality
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.tables import TABLES


def test_sharpness_is_brenners_measure():
    frames = np.random.default_rng(0).integers(100, 4000, (3, 7, 6)).astype(np.uint16)
    table = finish(frame_quality(recording_of(frames)))
    assert list(table.columns) == list(TABLES["corrections"])
    for t, frame in enumerate(frames.astype(float)):
        squares = [(frame[y + 2, x] - frame[y, x]) ** 2 for y in range(5) for x in range(6)]
        expected = np.mean(squares) / frame.mean() ** 2
        assert table.loc[t, "sharpness"] == pytest.approx(expected, rel=1e-5)


def test_defocus_lowers_it_and_the_lamp_does_not():
    frame = np.random.default_rng(1).uniform(500, 1500, (40, 40))
    blurred = ndimage.gaussian_filter(frame, 1.5)
    sharp, dim, soft = finish(frame_quality(recording_of([frame, 0.4 * frame, blurred])))[
        "sharpness"
    ]
    assert dim == pytest.approx(sharp, rel=1e-4)
    assert soft < 0.3 * sharp


def test_the_saturated_share_is_counted_where_clipping_is_known():
    frames = np.full((2, 5, 8), 1000, np.uint16)
    frames[1, 2, :4] = 4095
    known = finish(frame_quality(recording_of(frames, saturation_counts=4095)))
    assert known["saturated_fraction"].tolist() == [0, 0.1]
    assert finish(frame_quality(recording_of(frames)))["saturated_fraction"].isna().all()


def test_of_large_fields_every_other_row_tells_sharpness_and_all_tell_clipping():
    frames = np.random.default_rng(2).integers(100, 4096, (2, 1100, 9)).astype(np.uint16)
    table = finish(frame_quality(recording_of(frames, saturation_counts=4000)))
    assert table["saturated_fraction"].tolist() == (frames >= 4000).mean(axis=(1, 2)).tolist()
    whole = frames.astype(float)
    steps = (whole[:, 2:] - whole[:, :-2])[:, ::2]
    sharpness = (steps**2).mean(axis=(1, 2)) / whole[:, ::2].mean(axis=(1, 2)) ** 2
    assert table["sharpness"].to_numpy() == pytest.approx(sharpness, rel=1e-5)


@pytest.mark.parametrize("mapped", [True, False])
def test_curves_of_the_same_counts_tell_it_too(mapped):
    frames = np.random.default_rng(3).integers(200, 4096, (4, 40, 30)).astype(np.uint16)
    recording = recording_of(frames, saturation_counts=4000)
    if mapped:
        recording = recording.replace(mapped=frames)
    sums, reference = FrameSums(recording), reference_frame(recording)
    curves = finish(region_curves(recording, reference, sums=sums))
    assert sums.made == mapped
    alone = finish(region_curves(recording, reference))
    pd.testing.assert_frame_equal(curves, alone)
    pd.testing.assert_frame_equal(
        finish(frame_quality(recording, sums=sums)), finish(frame_quality(recording))
    )


def test_what_is_not_measured_yet_is_empty():
    table = finish(frame_quality(recording_of(np.zeros((2, 5, 5)))))
    assert table[["shift_y_um", "shift_x_um", "gain", "sharpness"]].isna().all(axis=None)
    thin = finish(frame_quality(recording_of(np.ones((2, 2, 5)))))
    assert thin["sharpness"].isna().all()
