"""Filters of a picture in small boxes, so that all that is made of a box stays near the processor.

A box is its first row, that after its last, and its columns likewise. What is kept of each box is
packed, row by row and box by box, with a margin all around; beyond the field's edges it is
mirrored there, so that no filter needs to know of edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.box_filters import (
    FAST,
    Boxes,
    Flags,
    Packed,
    blur_inside,
    clip,
    highest_near,
    laplace,
    room,
    rooms_for,
    row_of_light,
)
from napari_lithium_alloy.core.kernels.images import mirrored

Places = NDArray[np.int64]
Light = tuple[float, Packed, Packed, Packed, Places]
Film = tuple[Packed, NDArray[np.int32], Flags, Places]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _share_of(
    counts: NDArray[Any],
    box: Boxes,
    reach: tuple[int, int],
    light: Light,
    film: Film,
    index: int,
    level: tuple[Packed, float, float, Packed],
    rooms: NDArray[np.float32],
) -> None:
    """Hole share of a box with its margin, into the first working place.

    `reach` are the margins of the light and of the share; `level` the weights by which the film's
    brightness is carried, the least share of them that is enough, the substrate's brightness, and
    the film's where there is less.
    """
    weights, least, substrate, from_afar = level
    share, lit, near, lines = (
        room(rooms, 0, box, reach[0]),
        room(rooms, 1, box, reach[0]),
        room(rooms, 2, box, reach[0]),
        room(rooms, 3, box, reach[0]),
    )
    dark, more_dark, gain, of_film, begins = light
    rows, columns = box[1] - box[0] + 2 * reach[0], box[3] - box[2] + 2 * reach[0]
    at = begins[index]
    for y in range(rows):
        row = counts[mirrored(box[0] - reach[0] + y, counts.shape[0])]
        more = more_dark[at : at + columns] if more_dark.shape[0] > 0 else more_dark
        row_of_light(row, box[2] - reach[0], columns, dark, more, share[y])
        own, bright, lighted = of_film[at : at + columns], share[y], lit[y]
        for x in range(columns):
            lighted[x] = bright[x] * own[x]
        at += columns
    blur_inside(lit, (0, rows, columns), weights, lines, near)
    half = weights.shape[0] // 2
    weight, far_at = film[0], film[1]
    full, enough = np.float32(substrate), np.float32(least)
    at = film[3][index]
    n = columns - 2 * half
    for y in range(rows - 2 * half):
        bright, close, target = share[y + half, half : half + n], near[y, :n], share[y, :n]
        own, own_gain = weight[at : at + n], gain[at : at + n]
        for x in range(n):
            value = close[x] / own[x]
            target[x] = (bright[x] * own_gain[x] - value) / (full - value)
        if from_afar.shape[0] > 0:
            bright = share[y + half, half : half + n]
            _share_far(
                bright, own, own_gain, far_at[at : at + n], (enough, full), from_afar, target
            )
        at += n


@njit(nogil=True, cache=True, error_model="numpy")
def _share_far(
    light: Packed,
    weight: Packed,
    gain: Packed,
    far_at: NDArray[np.int32],
    levels: tuple[float, float],
    from_afar: Packed,
    out: Packed,
) -> None:
    """Hole share of a row's pixels that are far from film."""
    for x in range(out.shape[0]):
        if weight[x] <= levels[0]:
            value = from_afar[far_at[x]]
            out[x] = (light[x] * gain[x] - value) / (np.float32(levels[1]) - value)


@njit(nogil=True, cache=True, error_model="numpy")
def share_in_boxes(
    counts: NDArray[Any],
    boxes: Boxes,
    reach: tuple[int, int],
    light: Light,
    film: Film,
    level: tuple[Packed, float, float, Packed],
    out: Packed,
) -> None:
    """Hole share of boxes with the margin of it, packed."""
    rooms = rooms_for(boxes, reach[0])
    for b in range(boxes.shape[0]):
        _share_of(counts, boxes[b], reach, light, film, b, level, rooms)
        share = room(rooms, 0, boxes[b], reach[0])
        at = film[3][b]
        n = boxes[b, 3] - boxes[b, 2] + 2 * reach[1]
        for y in range(boxes[b, 1] - boxes[b, 0] + 2 * reach[1]):
            out[at : at + n] = share[y, :n]
            at += n


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
    point spread and its variance; `rules` the least share that counts, and that of a pore.
    """
    rooms = rooms_for(boxes, reach[0])
    near, half = reach[1], filters[0].shape[0] // 2
    n = quiet = known = 0
    for b in range(boxes.shape[0]):
        rows, columns = boxes[b, 1] - boxes[b, 0], boxes[b, 3] - boxes[b, 2]
        height, width = rows + 2 * reach[0], columns + 2 * reach[0]
        inside, smooth = room(rooms, 0, boxes[b], reach[0]), room(rooms, 1, boxes[b], reach[0])
        response, lines = room(rooms, 2, boxes[b], reach[0]), room(rooms, 3, boxes[b], reach[0])
        first = film[3][b]
        own = share[first : first + height * width].reshape((height, width))
        clip(own, (height, width), film[2], first, rules[0], inside)
        blur_inside(inside, (0, height, width), filters[0], lines, smooth)
        height, width = height - 2 * half, width - 2 * half
        laplace(smooth, height, 0.0, -filters[1], response)
        marks = np.zeros((height, width), dtype=np.bool_)
        for y in range(height):
            for x in range(width):
                if smooth[y, x] > rules[1]:
                    marks[max(y - near, 0) : y + near + 1, max(x - near, 0) : x + near + 1] = True
        away = (height - rows) // 2
        for y in range(rows):
            at = first + (y + reach[0]) * (columns + 2 * reach[0]) + reach[0]
            for x in range(columns):
                if not film[2][at + x]:
                    continue
                known += 1
                if marks[y + away, x + away]:
                    continue
                quiet += 1
                if response[y + away - 1, x + away - 1] < 0:
                    out[n] = -response[y + away - 1, x + away - 1]
                    n += 1
    return n, quiet, known


@njit(nogil=True, cache=True, error_model="numpy")
def images_in_boxes(
    counts: NDArray[Any],
    boxes: Boxes,
    reach: tuple[int, int],
    light: Light,
    film: Film,
    level: tuple[Packed, float, float, Packed],
    filters: tuple[Packed, float, Packed, float],
    least: float,
    pixels: tuple[NDArray[np.int32], Boxes, Places],
    out: NDArray[np.float32],
) -> None:
    """Images of the hole share at pixels of boxes.

    Parameters
    ----------
    counts, boxes, reach, light, film, level
        As for `share_in_boxes`.
    filters : (array, float, array, float)
        Weights of the point spread and its variance; those of the smoothing before sharpening
        and the share of the Laplacian that is taken off.
    least : float
        Least share that counts.
    pixels : ((N,) int32, (N, 2) int32, (B + 1,) int64 arrays)
        Numbers, rows and columns of the pixels, box by box, and where each box begins.
    out : (6, N) float32 array
        Share, the same that counts, smoothed, its response, the highest response within two
        pixels, sharpened.
    """
    rooms = rooms_for(boxes, reach[0])
    spot, wide = filters[0].shape[0] // 2, filters[2].shape[0] // 2
    for b in range(boxes.shape[0]):
        box = boxes[b]
        _share_of(counts, box, reach, light, film, b, level, rooms)
        share, inside = room(rooms, 0, box, reach[0]), room(rooms, 1, box, reach[0])
        smooth, response = room(rooms, 2, box, reach[0]), room(rooms, 3, box, reach[0])
        near, sharp = room(rooms, 4, box, reach[0]), room(rooms, 5, box, reach[0])
        lines = room(rooms, 6, box, reach[0])
        rows, columns = box[1] - box[0], box[3] - box[2]
        height, width = rows + 2 * reach[1], columns + 2 * reach[1]
        clip(share, (height, width), film[2], film[3][b], least, inside)
        cut = reach[1] - 3 - spot
        around = cut, rows + 6 + 2 * spot, columns + 6 + 2 * spot
        blur_inside(inside, around, filters[0], lines, smooth)
        laplace(smooth, rows + 6, 0.0, -filters[1], response)
        highest_near(response, rows + 4, 2, lines, near)
        around = reach[1] - 1 - wide, rows + 2 + 2 * wide, columns + 2 + 2 * wide
        blur_inside(inside, around, filters[2], sharp, lines)
        laplace(lines, rows + 2, 1.0, -filters[3], sharp)
        for k in range(pixels[2][b], pixels[2][b + 1]):
            i = pixels[0][k]
            y, x = pixels[1][k, 0] - box[0], pixels[1][k, 1] - box[2]
            out[0, i] = share[y + reach[1], x + reach[1]]
            out[1, i] = inside[y + reach[1], x + reach[1]]
            out[2, i] = smooth[y + 3, x + 3]
            out[3, i] = response[y + 2, x + 2]
            out[4, i] = near[y, x]
            out[5, i] = sharp[y, x]
