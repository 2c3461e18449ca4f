"""Sums of frames, and of those frames that are each pixel's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.logarithm import log32

_FAST = {"reassoc", "contract", "nsz"}
_LANES = 32
"""Pixels beside each other whose own frames are gone through at once."""


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def add_frame(
    counts: NDArray[Any],
    factor: np.float32,
    dark: NDArray[np.float32],
    light: tuple[float, bool],
    sum_log: NDArray[np.float32],
    sum_light: NDArray[np.float32],
) -> None:
    """Add one frame's logarithm of light, positive the way looked for, and its light."""
    least = np.float32(light[0])
    sign = np.float32(-1) if light[1] else np.float32(1)
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            value = (np.float32(counts[y, x]) - dark[y, x]) * factor
            sum_light[y, x] += value
            sum_log[y, x] += sign * log32(max(value, least))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_own(
    row: NDArray[Any],
    t: np.int32,
    factor: np.float32,
    light: tuple[np.float32, np.float32],
    own: NDArray[np.int32],
    room: NDArray[np.float32],
) -> None:
    """Add a frame's logarithm of light and light to those of `_LANES` pixels whose own it is.

    `own` are their first frames and those after their last; `room` their sums and dark counts.
    """
    least, sign = light
    for i in range(_LANES):
        counts = (t >= own[i]) & (t < own[_LANES + i])
        value = (np.float32(row[i]) - room[2 * _LANES + i]) * factor
        log = sign * log32(max(value, least))
        room[i] += log if counts else np.float32(0)
        room[_LANES + i] += value if counts else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")
def mean_of_own_frames(
    counts: NDArray[Any],
    factor: NDArray[np.float32],
    dark: NDArray[np.float32],
    light: tuple[float, bool],
    own: tuple[NDArray[np.int32], NDArray[np.int32]],
    rows: tuple[int, int],
    mean_log: NDArray[np.float32],
    mean_light: NDArray[np.float32],
) -> None:
    """Mean logarithm of light and mean light over frames of each pixel's own choice.

    `own` are the first of them, and that after the last; `light` as for `add_frame`.
    """
    how = np.float32(light[0]), np.float32(-1) if light[1] else np.float32(1)
    width = counts.shape[2]
    spans, room = np.empty(2 * _LANES, np.int32), np.empty(3 * _LANES, np.float32)
    some = np.zeros(_LANES, counts.dtype)
    for y in range(rows[0], rows[1]):
        for left in range(0, width, _LANES):
            n = min(_LANES, width - left)
            spans[:], room[:] = 0, 0
            spans[:n], spans[_LANES : _LANES + n] = (
                own[0][y, left : left + n], own[1][y, left : left + n]
            )  # fmt: skip
            room[2 * _LANES : 2 * _LANES + n] = dark[y, left : left + n]
            for t in range(spans[:n].min(), spans[_LANES : _LANES + n].max()):
                if n == _LANES:
                    _add_own(counts[t, y, left:], np.int32(t), factor[t], how, spans, room)
                else:
                    some[:n] = counts[t, y, left:]
                    _add_own(some, np.int32(t), factor[t], how, spans, room)
            for i in range(n):
                frames = np.float32(spans[_LANES + i] - spans[i])
                mean_log[y, left + i] = room[i] / frames
                mean_light[y, left + i] = room[_LANES + i] / frames
