"""Filters of frames in small boxes, so that all that is made of a box stays near the processor.

A box is its first row, that after its last, and its columns likewise. What is kept of each box is
packed, row by row and box by box, with a margin all around; beyond the field's edges it is
mirrored there, so that no filter needs to know of edges. Each box is made of some frames, one
after the other: what is kept of it is fetched once for all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.box_filters import (
    Boxes,
    Flags,
    Packed,
    blur_inside,
    clip,
    extent,
    highest_near,
    laplace,
    rooms_for,
)
from napari_lithium_alloy.core.kernels.box_light import (
    Film,
    Level,
    Light,
    Places,
    count_clipped,
    film_inside,
    share_inside,
)

Scales = NDArray[np.float32]
"""(K, 3) of each frame; see `light_inside`."""


@njit(nogil=True, cache=True, error_model="numpy")
def share_in_boxes(
    counts: NDArray[Any],
    scales: Scales,
    boxes: Boxes,
    reach: tuple[int, int],
    fields: tuple[Light, Film],
    level: Level,
    from_afar: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Hole share (K, n) of boxes with the margin of it, packed, of each frame."""
    rooms = rooms_for(fields[0][4], 0)
    for b in range(boxes.shape[0]):
        at = fields[1][3][b]
        for k in range(counts.shape[0]):
            scale = scales[k, 0], scales[k, 1], scales[k, 2]
            n = share_inside(
                counts[k], scale, boxes[b], reach, fields, b, level, from_afar[k], rooms
            )
            out[k, at : at + n] = rooms[0][:n]


@njit(nogil=True, cache=True, error_model="numpy")
def weights_in_boxes(
    outside: Packed, light: Light, boxes: Boxes, reach: tuple[int, int], weights: Packed,
    out: Packed,
) -> None:  # fmt: skip
    """Share of the weight of film nearby, of boxes with the margin of the share, packed.

    `outside` is 1 for such film and 0 else, packed as the light is.
    """
    rooms = rooms_for(light[4], 0)
    n = 0
    for b in range(boxes.shape[0]):
        box = boxes[b]
        rooms[1, :] = 1
        film_inside(light[4][b], box, reach, outside[light[5][b] :], weights, rooms)
        size = (box[1] - box[0] + 2 * reach[1]) * (box[3] - box[2] + 2 * reach[1])
        out[n : n + size] = rooms[3, :size]
        n += size


@njit(nogil=True, cache=True, error_model="numpy")
def steps_in_boxes(
    share: Packed, boxes: Boxes, margin: int, film: Film, width: int, out: Packed
) -> int:
    """Sizes of the share's steps from each pixel of boxes to the next in its row; how many."""
    known, first = film[2], film[3]
    n = 0
    for b in range(boxes.shape[0]):
        length = boxes[b, 3] - boxes[b, 2] + 2 * margin
        stop = min(boxes[b, 3], width - 1)
        for y in range(boxes[b, 1] - boxes[b, 0]):
            at = first[b] + (y + margin) * length + margin
            before = np.float32(0)
            for x in range(stop - boxes[b, 2] + 1):
                inside = known[at + x] and np.isfinite(share[at + x])
                value = share[at + x] if inside else np.float32(0)
                if x > 0:
                    out[n] = abs(value - before)
                    n += 1
                before = value
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def quiet_in_boxes(
    share: Packed,
    boxes: Boxes,
    reach: tuple[int, int],
    film: Film,
    filters: tuple[Packed, float],
    rules: tuple[float, float],
    out: Packed,
) -> tuple[int, int, int]:
    """Depths of the response below 0 where no pore is near; how many, of how many, of film.

    `reach` are the margin of the share, and how near a pore is; `filters` the weights of the
    point spread and its variance; `rules` the least share that counts, and that of a pore; `out`
    has room for one more than there are pixels.
    """
    rooms = rooms_for(boxes, reach[0])
    near, half = reach[1], filters[0].shape[0] // 2
    n = quiet = known = 0
    for b in range(boxes.shape[0]):
        rows, columns = boxes[b, 1] - boxes[b, 0], boxes[b, 3] - boxes[b, 2]
        height, width = rows + 2 * reach[0], columns + 2 * reach[0]
        size, first = height * width, film[3][b]
        inside, smooth, response, line = rooms[0], rooms[1], rooms[2], rooms[3]
        own = film[2][first : first + size]
        clip(share[first : first + size], own, rules[0], inside[:size])
        blur_inside(inside, (0, height, width), filters[0], line, smooth)
        laplace(smooth, (height - 2 * half, width), 0.0, -filters[1], response)
        row, height, width = width, height - 2 * half, width - 2 * half
        marks = np.zeros((height, width), dtype=np.bool_)
        for y in range(height):
            if extent(smooth[y * row : y * row + width])[1] <= rules[1]:
                continue
            for x in range(width):
                if smooth[y * row + x] > rules[1]:
                    marks[max(y - near, 0) : y + near + 1, max(x - near, 0) : x + near + 1] = True
        away = (height - rows) // 2
        for y in range(rows):
            at = (y + reach[0]) * (columns + 2 * reach[0]) + reach[0]
            depths = response[(y + away - 1) * row + away - 1 :]
            for x in range(columns):
                away_from_pores = own[at + x] and not marks[y + away, x + away]
                known += own[at + x]
                quiet += away_from_pores
                out[n] = -depths[x]
                n += away_from_pores and depths[x] < 0
    return n, quiet, known


@njit(nogil=True, cache=True, error_model="numpy")
def images_in_boxes(
    counts: NDArray[Any],
    scales: Scales,
    boxes: Boxes,
    reach: tuple[int, int],
    fields: tuple[Light, Film],
    level: Level,
    from_afar: NDArray[np.float32],
    filters: tuple[Packed, float, NDArray[np.float32]],
    rules: NDArray[np.float32],
    pixels: tuple[NDArray[np.int32], Boxes, Places, Flags],
    clipping: tuple[Any, NDArray[np.bool_], NDArray[np.int64]],
    out: NDArray[np.float32],
) -> None:
    """Images of the hole share at pixels of boxes.

    Parameters
    ----------
    counts, scales, boxes, reach, fields, level, from_afar
        As for `share_in_boxes`.
    filters : (array, float, (K, M) array)
        Weights of the point spread and its variance; of each frame those of the smoothing before
        sharpening, with zeros on both sides.
    rules : (K, 5) float32 array
        Of each frame the share of the Laplacian that is taken off, the least share that counts,
        the extent of the share and the share up to which nothing in a box is a pore, and how
        many of the weights of the smoothing on either side count.
    pixels : ((N,) int32, (N, 2) int32, (B + 1,) int64, (B,) bool arrays)
        Numbers, rows and columns of the pixels, box by box, where each box begins, and whether
        its pixels have neighbours in no other box: those alone may be left out.
    clipping : (number, (Y, X) bool, (K, 2) int64 array)
        Counts from which a pixel is clipped, where there is film, and zeros, to which are added
        clipped pixels of the film in each frame, and whether any is clipped; of no frames where
        none can be. Rows are looked through shortly before their boxes, which so are at hand.
    out : (K, 6, N) float32 array
        Share, the same that counts, smoothed, its response, the highest response within two
        pixels, sharpened; share and sharpened are 0 where the share is not known. Where there
        can be no pore all stay as they are.
    """
    rooms = rooms_for(fields[0][4], 0)
    limit, everywhere, clipped = clipping
    seen, height = 0, counts.shape[1]
    for b in range(boxes.shape[0]):
        stop = min(max(fields[0][4][b, 1], seen), height)
        count_clipped(counts, limit, everywhere, (seen, stop), clipped)
        seen = stop
        known = fields[1][2][fields[1][3][b] :]
        for k in range(counts.shape[0]):
            scale = scales[k, 0], scales[k, 1], scales[k, 2]
            n = share_inside(
                counts[k], scale, boxes[b], reach, fields, b, level, from_afar[k], rooms
            )
            clip(rooms[0][:n], known[:n], rules[k, 1], rooms[1][:n])
            low, high = extent(rooms[1][:n])
            if pixels[3][b] and high - low < rules[k, 2] and high < rules[k, 3]:
                continue
            half, middle = int(rules[k, 4]), filters[2].shape[1] // 2
            wide = filters[2][k, middle - half : middle + half + 1]
            own = filters[0], filters[1], wide, rules[k, 0]
            _filtered(boxes[b], reach[1], own, rooms)
            _take_pixels(boxes[b], reach[1], b, pixels, rooms, out[k])
    count_clipped(counts, limit, everywhere, (seen, height), clipped)


@njit(nogil=True, cache=True, error_model="numpy")
def _filtered(
    box: Boxes,
    margin: int,
    filters: tuple[Packed, float, Packed, float],
    rooms: NDArray[np.float32],
) -> None:
    """Make of the share that counts, in the second place, what follows in the others."""
    rows, columns = box[1] - box[0], box[3] - box[2]
    width = columns + 2 * margin
    inside, smooth, response = rooms[1], rooms[2], rooms[3]
    near, sharp, line = rooms[4], rooms[5], rooms[6]
    spot, wide = filters[0].shape[0] // 2, filters[2].shape[0] // 2
    blur_inside(inside, (margin - 3 - spot, rows + 6 + 2 * spot, width), filters[0], line, smooth)
    laplace(smooth, (rows + 6, width), 0.0, -filters[1], response)
    highest_near(response, (rows + 4, width), line, near)
    blur_inside(inside, (margin - 1 - wide, rows + 2 + 2 * wide, width), filters[2], sharp, line)
    laplace(line, (rows + 2, width), 1.0, -filters[3], sharp)


@njit(nogil=True, cache=True, error_model="numpy")
def _take_pixels(
    box: Boxes,
    margin: int,
    index: int,
    pixels: tuple[NDArray[np.int32], Boxes, Places, Flags],
    rooms: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    numbers, places, begins, _ = pixels
    width = box[3] - box[2] + 2 * margin
    for k in range(begins[index], begins[index + 1]):
        i = numbers[k]
        at = (places[k, 0] - box[0]) * width + places[k, 1] - box[2]
        share = rooms[0][at + margin * (width + 1)]
        known = np.isfinite(share)
        out[0, i] = share if known else np.float32(0)
        out[1, i] = rooms[1][at + margin * (width + 1)]
        out[2, i] = rooms[2][at + 3 * (width + 1)]
        out[3, i] = rooms[3][at + 2 * (width + 1)]
        out[4, i] = rooms[4][at]
        out[5, i] = rooms[5][at] if known else np.float32(0)
