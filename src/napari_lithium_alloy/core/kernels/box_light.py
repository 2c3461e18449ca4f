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
    cut_out,
)
from napari_lithium_alloy.core.kernels.images import mirrored

Places = NDArray[np.int64]
Light = tuple[float, NDArray[np.float32], Packed, Packed, Places]
Film = tuple[Packed, NDArray[np.int32], Flags, Places]
Scale = tuple[np.float32, np.float32, np.float32]
"""What counts less dark are multiplied by, the counts from which a pixel is clipped (infinite:
none is), and its light then."""
Level = tuple[Packed, float, float]
"""Weights by which the film's brightness is carried into a box, the least share of them that is
enough, and the substrate's brightness."""


@njit(nogil=True, cache=True, error_model="numpy")
def _light_of_row(counts: NDArray[Any], dark: np.float32, factor: np.float32, out: Packed) -> None:
    for x in range(out.shape[0]):
        out[x] = (np.float32(counts[x]) - dark) * factor


@njit(nogil=True, cache=True, error_model="numpy")
def light_inside(
    counts: NDArray[Any], scale: Scale, box: Boxes, margin: int, light: Light, out: Packed
) -> None:
    """Light of a box with its margin; what is written behind the last row is nobody's."""
    factor, limit, ceiling = scale
    dark, picture = np.float32(light[0]), light[1]
    rows, columns = box[1] - box[0] + 2 * margin, box[3] - box[2] + 2 * margin
    top, left, (height, width) = box[0] - margin, box[2] - margin, counts.shape
    strides = -(-columns // STRIDE) * STRIDE
    if left >= 0 and left + strides <= width and not picture.shape[0] and limit == np.inf:
        for y in range(rows):
            row, at = counts[mirrored(top + y, height)], y * columns
            _light_of_row(row[left : left + strides], dark, factor, out[at : at + strides])
        return
    for y in range(rows):
        own = mirrored(top + y, height)
        for x in range(columns):
            u = mirrored(left + x, width)
            level = picture[own, u] if picture.shape[0] else dark
            value = (np.float32(counts[own, u]) - level) * factor
            out[y * columns + x] = ceiling if counts[own, u] >= limit else value


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _multiply(values: Packed, out: Packed) -> None:
    for x in range(out.shape[0]):
        out[x] *= values[x]


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
    lit, line, near, own = rooms[1], rooms[2], rooms[3], rooms[4]
    light_inside(counts, scale, box, reach[0], light, lit)
    _multiply(light[3][at : at + n], lit[:n])
    blur_inside(lit, (0, rows, columns), weights, line, near)
    light_inside(counts, scale, box, reach[1], light, own)
    rows, width = rows + 2 * (reach[1] - reach[0]), columns + 2 * (reach[1] - reach[0])
    n, at = rows * width, film[3][index]
    cut_out(near, (rows, width, columns), line)
    weight, gain = film[0][at : at + n], light[2][at : at + n]
    _share(own, line, weight, gain, full, rooms[0][:n])
    if from_afar.shape[0] > 0:
        far_at = film[1][at : at + n]
        _share_far(own, weight, gain, far_at, (enough, full), from_afar, rooms[0][:n])
    return int(n)


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
