"""How many onsets there are by the times of frames."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, error_model="numpy")
def count_by_times(
    onsets: NDArray[np.float32],
    reached: NDArray[np.bool_],
    times: NDArray[np.float64],
    rows: tuple[int, int],
    counts: NDArray[np.int64],
) -> None:
    """Add onsets to (T + 1,) counts: that of the first time they are not later than, or the last.

    Neighbours are mostly of near times, so each is looked for from that of the one before.
    """
    k, n = 0, len(times)
    for y in range(rows[0], rows[1]):
        for x in range(onsets.shape[1]):
            if not reached[y, x]:
                continue
            onset = onsets[y, x]
            while k < n and times[k] < onset:
                k += 1
            while k > 0 and times[k - 1] >= onset:
                k -= 1
            counts[k] += 1
