"""Filters of parts of pictures in working memory, and what boxes take of the field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.images import mirrored

Picture = NDArray[np.float32]
Packed = NDArray[np.float32]
Boxes = NDArray[np.int32]
Flags = NDArray[np.bool_]
FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy")
def pack(picture: NDArray[Any], boxes: Boxes, margin: int, out: NDArray[Any]) -> None:
    """Fill the packed values of a picture in boxes with a margin."""
    height, width = picture.shape
    n = 0
    for b in range(boxes.shape[0]):
        for y in range(boxes[b, 0] - margin, boxes[b, 1] + margin):
            row = picture[mirrored(y, height)]
            for x in range(boxes[b, 2] - margin, boxes[b, 3] + margin):
                out[n] = row[mirrored(x, width)]
                n += 1


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def blur_inside(
    image: Picture, part: tuple[int, int, int], weights: Packed, line: Packed, out: Picture
) -> None:
    """Part of an image convolved with weights (odd in number) along both axes, but for its margin.

    `part` is how many first rows and columns are left out, and the rows and columns of the part.
    """
    half = weights.shape[0] // 2
    cut, rows, columns = part
    inner = columns - 2 * half
    stop = cut + columns
    for y in range(rows - 2 * half):
        middle = image[cut + y + half, cut:stop]
        for x in range(columns):
            line[x] = weights[half] * middle[x]
        for j in range(1, half + 1):
            weight = weights[half + j]
            above, below = image[cut + y + half - j, cut:stop], image[cut + y + half + j, cut:stop]
            for x in range(columns):
                line[x] += weight * (above[x] + below[x])
        target, centre = out[y, :inner], line[half:]
        for x in range(inner):
            target[x] = weights[half] * centre[x]
        for j in range(1, half + 1):
            weight, left, right = weights[half + j], line[half - j :], line[half + j :]
            for x in range(inner):
                target[x] += weight * (left[x] + right[x])


@njit(nogil=True, cache=True, error_model="numpy")
def clip(
    share: Picture, shape: tuple[int, int], film: Flags, first: int, least: float, out: Picture
) -> None:
    """Share of the film's pixels, at least this; 0 where it is not known and off the film."""
    lowest = np.float32(least)
    for y in range(shape[0]):
        at = first + y * shape[1]
        row, target, own = share[y], out[y], film[at : at + shape[1]]
        for x in range(shape[1]):
            value = max(row[x], lowest)
            target[x] = value if own[x] & np.isfinite(row[x]) else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def laplace(image: Picture, shape: tuple[int, int], own: float, part: float, out: Picture) -> None:
    """So much of the image, and so much of its Laplacian, without a margin of one pixel."""
    mine, its = np.float32(own), np.float32(part)
    for y in range(1, shape[0] - 1):
        above, row, below, target = image[y - 1], image[y], image[y + 1], out[y - 1]
        for x in range(1, shape[1] - 1):
            around = above[x] + below[x] + row[x - 1] + row[x + 1]
            target[x - 1] = mine * row[x] + its * (around - np.float32(4) * row[x])


@njit(nogil=True, cache=True, error_model="numpy")
def highest_near(
    image: Picture, shape: tuple[int, int], reach: int, line: Picture, out: Picture
) -> None:
    """Highest value within some rows and columns, without a margin of as many."""
    columns = shape[1] - 2 * reach
    for y in range(shape[0]):
        row, target = image[y], line[y]
        for x in range(columns):
            target[x] = row[x]
        for j in range(1, 2 * reach + 1):
            for x in range(columns):
                target[x] = max(target[x], row[x + j])
    for y in range(shape[0] - 2 * reach):
        target = out[y]
        for x in range(columns):
            target[x] = line[y, x]
        for j in range(1, 2 * reach + 1):
            row = line[y + j]
            for x in range(columns):
                target[x] = max(target[x], row[x])


@njit(nogil=True, cache=True, error_model="numpy")
def rooms_for(boxes: Boxes, margin: int) -> NDArray[np.float32]:
    """Working pictures as large as the largest box with its margin."""
    rows = columns = 0
    for b in range(boxes.shape[0]):
        rows = max(rows, boxes[b, 1] - boxes[b, 0])
        columns = max(columns, boxes[b, 3] - boxes[b, 2])
    return np.zeros((6, rows + 2 * margin, columns + 2 * margin), dtype=np.float32)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def row_of_light(
    row: NDArray[Any], left: int, n: int, level: float, more: Packed, out: Packed
) -> None:
    """Counts of part of a row, mirrored beyond its ends, less a level and, if given, more."""
    dark = np.float32(level)
    if left >= 0 and left + n <= row.shape[0]:
        part = row[left : left + n]
        for x in range(n):
            out[x] = np.float32(part[x]) - dark
    else:
        for x in range(n):
            out[x] = np.float32(row[mirrored(left + x, row.shape[0])]) - dark
    if more.shape[0] > 0:
        for x in range(n):
            out[x] -= more[x]
