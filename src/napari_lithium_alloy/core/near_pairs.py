"""Pairs of places near each other, and choices among them in turn."""

from __future__ import annotations

import numpy as np
from scipy import spatial

from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray


def near_pairs(
    first: FloatArray | IntArray, second: FloatArray | IntArray, within: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Indices into two sets of places no farther apart than `within`, and their distances."""
    if not len(first) or not len(second):
        none = np.empty(0, dtype=np.int64)
        return none, none, np.empty(0)
    trees = spatial.KDTree(first), spatial.KDTree(second)
    found = trees[0].sparse_distance_matrix(trees[1], within, output_type="ndarray")
    return found["i"], found["j"], found["v"]


def taken_in_turn(free: BoolArray, first: IntArray, second: IntArray) -> IntArray:
    """Indices taken one after the other, where each taken one drops others.

    Parameters
    ----------
    free : numpy.ndarray
        (N,) bool, what may be taken.
    first, second : numpy.ndarray
        (M,) if `first` is taken, `second` is not.
    """
    order = np.argsort(first, kind="stable")
    drops, starts = second[order], np.searchsorted(first[order], np.arange(len(free) + 1))
    left, taken = free.copy(), []
    for i in range(len(free)):
        if left[i]:
            taken.append(i)
            left[drops[starts[i] : starts[i + 1]]] = False
    return np.array(taken, dtype=np.int64)
