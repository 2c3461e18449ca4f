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
Light = tuple[float, NDArray[np.float32], Packed, Packed, Boxes, Places]
Film = tuple[Packed, NDArray[np.int32], Flags, Places]
Scale = tuple[np.float32, np.float32, np.float32]
"""What counts less dark are multiplied by, the counts from which a pixel is clipped (infinite:
none is), and its light then."""
Level = tuple[Packed, float, float]
"""Weights by which the film's brightness is carried into a box, the least share of them that is
enough, and the substrate's brightness."""


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
    if left >= 0 and left + strides <= width and not picture.shape[0]:
        for y in range(rows):
            row = counts[mirrored(top + y, height), left : left + strides]
            target = out[y * columns : y * columns + strides]
            for x in range(strides):
                own = np.float32(row[x])
                target[x] = ceiling if own >= limit else (own - dark) * factor
        return
    for y in range(rows):
        v = mirrored(top + y, height)
        for x in range(columns):
            u = mirrored(left + x, width)
            own, level = np.float32(counts[v, u]), picture[v, u] if picture.shape[0] else dark
            out[y * columns + x] = ceiling if own >= limit else (own - level) * factor


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _add_beside(light: Packed, gain: Packed, out: Packed) -> None:
    """Half of what each two neighbours are together."""
    for x in range(out.shape[0]):
        out[x] = np.float32(0.5) * (light[2 * x] * gain[2 * x] + light[2 * x + 1] * gain[2 * x + 1])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _between_columns(cells: Packed, out: Packed) -> None:
    """Values left and right of the middles of all cells but the first and the last."""
    near, far = np.float32(0.75), np.float32(0.25)
    for x in range(out.shape[0] // 2):
        out[2 * x] = near * cells[x + 1] + far * cells[x]
        out[2 * x + 1] = near * cells[x + 1] + far * cells[x + 2]


@njit(nogil=True, cache=True, error_model="numpy")
def film_inside(
    wide: Boxes, box: Boxes, reach: tuple[int, int], gain: Packed, weights: Packed,
    rooms: NDArray[np.float32],
) -> tuple[int, int]:  # fmt: skip
    """Weighted mean of film around the pixels of a box with its margin, into the fourth place.

    It is made of means over squares of two pixels, and between these along straight lines. `wide`
    is the box of the light, which such squares fill; `reach` is as in `share_inside`; the second
    working place holds the light. Returned are the margin's first row and column in that.
    """
    lit, half, cells, line, near = rooms[1], rooms[2], rooms[3], rooms[4], rooms[5]
    rows, columns = (wide[1] - wide[0]) // 2, (wide[3] - wide[2]) // 2
    strides = -(-columns // STRIDE) * STRIDE
    _add_beside(lit, gain, half[: 2 * rows * columns])
    for y in range(rows):
        first = 2 * y * columns
        above = half[first : first + strides]
        below = half[first + columns : first + columns + strides]
        target = cells[y * columns : y * columns + strides]
        for x in range(strides):
            target[x] = np.float32(0.5) * (above[x] + below[x])
    cut, margin = reach
    n, inner = rows - 2 * cut, columns - 2 * cut
    blur_inside(cells, (0, rows, columns), weights, line, near[1:])
    _between_columns(near, half[: 2 * n * columns])
    for y in range(n):
        half[2 * y * columns] = near[1 + y * columns]
        half[2 * (y * columns + inner) - 1] = near[y * columns + inner]
    first_row, first_column = box[0] - margin - wide[0], box[2] - margin - wide[2]
    top, left = first_row - 2 * cut, first_column - 2 * cut
    width = box[3] - box[2] + 2 * margin
    strides = -(-width // STRIDE) * STRIDE
    for y in range(box[1] - box[0] + 2 * margin):
        own, odd = (top + y) // 2, (top + y) % 2
        other = min(own + 1, n - 1) if odd else max(own - 1, 0)
        first, second = 2 * own * columns + left, 2 * other * columns + left
        nearer, farther = half[first : first + strides], half[second : second + strides]
        target = cells[y * width : y * width + strides]
        for x in range(strides):
            target[x] = np.float32(0.75) * nearer[x] + np.float32(0.25) * farther[x]
    return first_row, first_column


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _share(
    light: Packed, near: Packed, weight: Packed, gain: Packed, full: np.float32, out: Packed
) -> None:
    for x in range(out.shape[0]):
        own = light[x] * gain[x] * weight[x]
        out[x] = (own - near[x]) / (full * weight[x] - near[x])


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

    `reach` are the cells that the film's brightness is carried over, and the margin of the share;
    `from_afar` the film's brightness where there is little film near.
    """
    light, film = fields
    weights, enough, full = level[0], np.float32(level[1]), np.float32(level[2])
    wide, lit, near, own = light[4][index], rooms[1], rooms[3], rooms[4]
    light_inside(counts, scale, wide, 0, light, lit)
    gain = light[3][light[5][index] :]
    top, left = film_inside(wide, box, reach, gain, weights, rooms)
    rows, columns = box[1] - box[0] + 2 * reach[1], box[3] - box[2] + 2 * reach[1]
    width = wide[3] - wide[2]
    cut_out(lit[top * width + left :], (rows, columns, width), own)
    n, at = rows * columns, film[3][index]
    weight, gain = film[0][at : at + n], light[2][at : at + n]
    _share(own, near, weight, gain, full, rooms[0][:n])
    if from_afar.shape[0] > 0:
        far_at = film[1][at : at + n]
        _share_far(own, weight, gain, far_at, (enough, full), from_afar, rooms[0][:n])
    return int(n)


@njit(nogil=True, cache=True, error_model="numpy")
def clipped_pixels(
    counts: NDArray[Any], limit: Any, film: Flags, rows: tuple[int, int]
) -> tuple[int, bool]:
    """Pixels of the film, in some rows, that reach a limit of the counts' own type.

    And whether any pixel does.
    """
    n, some = 0, False
    for y in range(rows[0], rows[1]):
        row, reached = counts[y], False
        for x in range(row.shape[0]):
            reached |= row[x] >= limit
        if reached:
            some = True
            for x in range(row.shape[0]):
                n += (row[x] >= limit) & film[y, x]
    return n, some


@njit(nogil=True, cache=True, error_model="numpy")
def count_clipped(
    counts: NDArray[Any], limit: Any, film: Flags, rows: tuple[int, int], out: NDArray[np.int64]
) -> None:
    """Add to (K, 2) how many pixels of the film in some rows are clipped, and rows with any."""
    for k in range(out.shape[0]):
        n, some = clipped_pixels(counts[k], limit, film, rows)
        out[k, 0] += n
        out[k, 1] += some
