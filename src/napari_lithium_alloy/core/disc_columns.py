"""How discs of lithium are written down, for their search and the kernels that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PROFILE_STEP_PX = 0.125
Y, X, LOG_RADIUS, LOSS, ONSET = range(5)
"""Columns of the discs' parameters: pixels, logarithm of pixels, share of light, share of time."""
ABOVE_USUAL = 1.15
"""Loss of light under overlapping lithium over that of most discs, which noise scatters."""
ALIKE = 0.3
"""Standard deviation of the discs' losses as a share of what most of them lose."""


def discs_of(rows: Any) -> NDArray[np.float64]:
    """(N, 5) contiguous parameters of discs."""
    return np.ascontiguousarray(np.asarray(rows, dtype=np.float64).reshape(-1, 5))
