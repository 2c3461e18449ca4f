"""Pixels of a mask as runs of neighbours in a row, for filters that work there only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.recording import BoolArray

Runs = NDArray[np.int32]


def runs_of(mask: BoolArray) -> Runs:
    """(n, 3) row, first column, and that after the last, of the runs of a mask."""
    from napari_lithium_alloy.core.kernels.runs import find_runs

    mask = np.ascontiguousarray(mask)
    n = find_runs(mask, np.empty((0, 3), dtype=np.int32))
    runs = np.empty((n, 3), dtype=np.int32)
    find_runs(mask, runs)
    return runs


def n_pixels(runs: Runs) -> int:
    """How many pixels runs hold."""
    return int((runs[:, 2] - runs[:, 1]).sum())


def dilated(mask: BoolArray, reach: int) -> BoolArray:
    """(Y, X) True within so many rows and columns of a True one."""
    from napari_lithium_alloy.core.kernels.runs import dilate

    out = np.zeros(mask.shape, dtype=bool)
    dilate(np.ascontiguousarray(mask), reach, out)
    return out
