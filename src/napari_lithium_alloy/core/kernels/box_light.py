"""Light and hole share of small boxes of frames.

Rows of a box are short, and loops over them cost more than what they do: but for reading counts,
all that is done to a box is done to its pixels as one long row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.box_filters import (
    FAST,
    STRIDE,
    Boxes,
    Flags,
    Packed,
    blur_inside,
    picture_of,
)
from napari_lithium_alloy.core.kernels.images import mirrored

Places = NDArray[np.int64]
Light = tuple[float, Packed, Packed, Packed, Places]
Film = tuple[Packed, NDArray[np.int32], Flags, Places]
Scale = tuple[np.float32, np.float32, np.float32]
Level = tuple[Packed, float, float]
"""Weights by which the film's brightness is carried into a box, the least share of them that is
enough, and the substrate's brightness."""


@njit(nogil=True, cache=True, error_model="numpy")
def _light_of_row(
    counts: NDArray[Any], dark: np.float32, factor: np.float32, out: Packed
) -> None:
    for x in range(out.shape[0]):
        out[x] = (np.float32(counts[x]) - dark) * factor


@njit(nogil=True, cache=True, error_model="numpy")
def _less_dark(dark: Packed, factor: np.float32, out: Packed) -> None:
    for x in range(out.shape[0]):
        out[x] = (out[x] - dark[x]) * factor


@njit(nogil=True, cache=True, error_model="numpy")
def light_inside(
    counts: NDArray[Any], scale: Scale, box: Boxes, margin: int, light: Light, index: int,
    out: Packed,
) -> None:  # fmt: skip
    """Light of a box with its margin.

    `scale` is what counts less dark are multiplied by, the counts from which a pixel is clipped
    (infinite: none is), and its light then. What is written behind the last row is nobody's.
    """
    factor, limit, ceiling = scale
    dark, more_dark = np.float32(light[0]), light[1]
    rows, columns = box[1] - box[0] + 2 * margin, box[3] - box[2] + 2 * margin
    top, left, (height, width) = box[0] - margin, box[2] - margin, counts.shape
    first = np.float32(1) if more_dark.shape[0] > 0 else factor
    strides = -(-columns // STRIDE) * STRIDE
    inner = left >= 0 and left + strides <= width
    for y in range(rows):
        row, at = counts[mirrored(top + y, height)], y * columns
        if inner:
            _light_of_row(row[left : left + strides], dark, first, out[at : at + strides])
        else:
            for x in range(columns):
                out[at + x] = (np.float32(row[mirrored(left + x, width)]) - dark) * first
    if more_dark.shape[0] > 0:
        n, at = rows * columns, light[4][index]
        _less_dark(more_dark[at : at + n], factor, out[:n])
    if limit < np.inf:
        for y in range(rows):
            row = counts[mirrored(top + y, height)]
            for x in range(columns):
                if row[mirrored(left + x, width)] >= limit:
                    out[y * columns + x] = ceiling


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _multiply(values: Packed, others: Packed, out: Packed) -> None:
    for x in range(out.shape[0]):
        out[x] = values[x] * others[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _share(
    light: Packed, near: Packed, weight: Packed, gain: Packed, full: np.float32, out: Packed
) -> None:
    for x in range(out.shape[0]):
        level = near[x] / weight[x]
        out[x] = (light[x] * gain[x] - level) / (full - level)


@njit(nogil=True, cache=True, error_model="numpy")
def _share_far(
    light: Packed,
    weight: Packed,
    gain: Packed,
    far_at: NDArray[np.int32],
    levels: tuple[np.float32, np.float32],
    from_afar: Packed,
    out: Packed,
) -> None:
    """Hole share of the pixels that are far from film."""
    for x in range(out.shape[0]):
        if weight[x] <= levels[0]:
            value = from_afar[far_at[x]]
            out[x] = (light[x] * gain[x] - value) / (levels[1] - value)


@njit(nogil=True, cache=True, error_model="numpy")
def share_inside(
    counts: NDArray[Any],
    scale: Scale,
    box: Boxes,
    reach: tuple[int, int],
    fields: tuple[Light, Film],
    index: int,
    level: Level,
    from_afar: Packed,
    rooms: NDArray[np.float32],
) -> int:
    """Hole share of a box with the margin of it, into the first working place; how many pixels.

    `reach` are the margins of the light and of the share; `from_afar` the film's brightness where
    there is little film near.
    """
    light, film = fields
    weights, enough, full = level[0], np.float32(level[1]), np.float32(level[2])
    rows, columns = box[1] - box[0] + 2 * reach[0], box[3] - box[2] + 2 * reach[0]
    n, at = rows * columns, light[4][index]
    bright, lit, near, line = rooms[1], rooms[2], rooms[3], rooms[4]
    light_inside(counts, scale, box, reach[0], light, index, bright)
    _multiply(bright[:n], light[3][at : at + n], lit[:n])
    blur_inside(
        picture_of(lit, rows, columns), (0, rows, columns), weights,
        picture_of(line, rows, columns), picture_of(near, rows, columns),
    )  # fmt: skip
    half = weights.shape[0] // 2
    width = columns - 2 * half
    n, at = (rows - 2 * half) * width, film[3][index]
    own, level_there = line[:n], lit[:n]
    for y in range(rows - 2 * half):
        begin = (y + half) * columns + half
        own[y * width : (y + 1) * width] = bright[begin : begin + width]
        level_there[y * width : (y + 1) * width] = near[y * columns : y * columns + width]
    weight, gain = film[0][at : at + n], light[2][at : at + n]
    _share(own, level_there, weight, gain, full, rooms[0][:n])
    if from_afar.shape[0] > 0:
        far_at = film[1][at : at + n]
        _share_far(own, weight, gain, far_at, (enough, full), from_afar, rooms[0][:n])
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def clipped_pixels(counts: NDArray[Any], limit: Any, film: Flags) -> tuple[int, bool]:
    """Pixels of the film that reach a limit of the counts' own type, and whether any pixel does."""
    n, some = 0, False
    for y in range(counts.shape[0]):
        row, reached = counts[y], False
        for x in range(row.shape[0]):
            reached |= row[x] >= limit
        if reached:
            some = True
            for x in range(row.shape[0]):
                n += (row[x] >= limit) & film[y, x]
    return n, some
