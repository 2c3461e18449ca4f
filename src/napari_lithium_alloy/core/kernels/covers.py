"""Covered shares of pixels at distances from a growing disc, from those of still ones."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, error_model="numpy")
def growing_covers(
    radii_px: NDArray[np.float64],
    grown: NDArray[np.float64],
    still: NDArray[np.float64],
    step_px: float,
    out: NDArray[np.float32],
) -> None:
    """(R, distances) means over frames, in which discs have grown to shares of their radii.

    `still` are covers of discs of radii in even steps from 0; between them it goes straight.
    """
    total = np.empty(still.shape[1])
    for r in range(len(radii_px)):
        total[:] = 0
        for t in range(len(grown)):
            at = radii_px[r] * grown[t] / step_px
            low = min(int(at), len(still) - 2)
            share = at - low
            below, above = still[low], still[low + 1]
            for i in range(len(total)):
                total[i] += (1 - share) * below[i] + share * above[i]
        for i in range(len(total)):
            out[r, i] = total[i] / len(grown)
