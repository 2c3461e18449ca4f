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
    """Counts less dark, (Y, X) or (1, 1), times a scale; from a count on they are a ceiling."""
    limit, ceiling = np.float32(clip[0]), np.float32(clip[1])
    for y in range(counts.shape[0]):
        if dark.shape[0] == 1:
            level = dark[0, 0]
            for x in range(counts.shape[1]):
                count = np.float32(counts[y, x])
                out[y, x] = ceiling if count >= limit else (count - level) * scale
        else:
            for x in range(counts.shape[1]):
                count = np.float32(counts[y, x])
                out[y, x] = ceiling if count >= limit else (count - dark[y, x]) * scale
