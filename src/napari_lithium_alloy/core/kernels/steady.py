"""Counts of a frame under a lamp that flickers, as light of an even one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, error_model="numpy")
def scaled_light(
    counts: NDArray[Any],
    dark: NDArray[np.float32],
    scale: np.float32,
    clip: tuple[float, float],
    out: NDArray[np.float32],
) -> None:
    """Counts less dark, (Y, X) or (1, X), times a scale; from a count on they are a ceiling."""
    limit, ceiling = np.float32(clip[0]), np.float32(clip[1])
    for y in range(counts.shape[0]):
        row, level, target = counts[y], dark[min(y, dark.shape[0] - 1)], out[y]
        for x in range(row.shape[0]):
            count = np.float32(row[x])
            target[x] = ceiling if count >= limit else (count - level[x]) * scale
