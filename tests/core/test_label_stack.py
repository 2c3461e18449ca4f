"""Labels over time that hold labelled pixels only behave like an array."""

import numpy as np

from napari_lithium_alloy.core.label_stack import SparseLabels, put_pixels

DENSE = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.int32)


def filled():
    labels = SparseLabels(DENSE.shape)
    for k, frame in enumerate(DENSE):
        labels[k] = frame
    return labels


def test_what_is_taken_out_is_what_was_put_in():
    labels = filled()
    assert np.array_equal(np.asarray(labels), DENSE)
    assert len(labels) == 5
    for key in (2, -1, (3, 4), slice(1, 4), (slice(None), 3, 2), (1, slice(2, 4), slice(0, 3))):
        assert np.array_equal(labels[key], DENSE[key])
    assert np.array_equal(labels[..., 2], DENSE[..., 2])
    assert labels[5:].shape == (0, 6, 7)
    at, numbers = labels.pixels(2)
    assert np.array_equal(at, np.flatnonzero(DENSE[2]))
    assert np.array_equal(numbers, DENSE[2].ravel()[at])


def test_a_frame_is_a_copy():
    labels = filled()
    labels[0][:] = 9
    assert np.array_equal(labels[0], DENSE[0])


def test_pixels_are_put_into_any_stack():
    sparse, dense = SparseLabels((2, 3, 3)), np.zeros((2, 3, 3), np.int32)
    for labels in (sparse, dense):
        put_pixels(labels, 1, np.array([0, 4]), np.array([7, 8]))
    assert np.array_equal(sparse[:], dense)
    assert dense[1].ravel()[[0, 4]].tolist() == [7, 8]
    assert not dense[0].any()
