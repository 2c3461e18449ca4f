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
BOUNDED = {"nnan", "nsz", "reassoc"}
"""Where all values are known."""
STRIDE = 32
"""Pixels that are taken at once: loops over fewer, one by one, cost as much."""


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
def _add_pairs(
    four: tuple[Packed, Packed, Packed, Packed], weights: tuple[float, float], out: Packed
) -> None:
    a, b, c, d = four
    near, far = np.float32(weights[0]), np.float32(weights[1])
    for x in range(out.shape[0]):
        out[x] += near * (a[x] + b[x]) + far * (c[x] + d[x])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _weigh(values: Packed, weight: float, out: Packed) -> None:
    own = np.float32(weight)
    for x in range(out.shape[0]):
        out[x] = own * values[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _along(values: Packed, weights: Packed, step: int, out: Packed) -> None:
    """Values convolved with weights, so many places apart; the first is left out."""
    half, n = weights.shape[0] // 2, out.shape[0]
    _weigh(values[half * step :], weights[half], out)
    for j in range(1, half + 1, 2):
        k = min(j + 1, half)
        four = (
            values[(half - j) * step :],
            values[(half + j) * step :],
            values[(half - k) * step :],
            values[(half + k) * step :],
        )
        _add_pairs(four, (weights[half + j], weights[half + k] if k > j else 0.0), out[:n])


@njit(nogil=True, cache=True, error_model="numpy")
def blur_inside(
    image: Packed, part: tuple[int, int, int], weights: Packed, line: Packed, out: Packed
) -> None:
    """Part of an image convolved with weights (odd in number) along both axes, but for its margin.

    `part` is how many first rows and columns are left out, the rows of the part, and how long all
    rows are. They are gone through as one long row: what then is made of the ends of two rows is
    nobody's, and short loops would cost more than it does.
    """
    cut, rows, width = part
    margin = weights.shape[0] - 1
    n = (rows - margin) * width
    _along(image[cut * width + cut :], weights, width, line[:n])
    _along(line, weights, 1, out[: n - margin])


@njit(nogil=True, cache=True, error_model="numpy")
def cut_out(image: Packed, part: tuple[int, int, int], out: Packed) -> None:
    """First rows and columns of an image; what is written behind is nobody's.

    `part` is how many they are, and how long the image's rows are.
    """
    rows, columns, width = part
    strides = -(-columns // STRIDE) * STRIDE
    for y in range(rows):
        row, target = image[y * width : y * width + strides], out[y * columns :]
        for x in range(strides):
            target[x] = row[x]


@njit(nogil=True, cache=True, error_model="numpy")
def clip(share: Packed, film: Flags, least: float, out: Packed) -> None:
    """Share of the film's pixels, at least this; 0 where it is not known and off the film."""
    lowest = np.float32(least)
    for x in range(out.shape[0]):
        value = max(share[x], lowest)
        out[x] = value if film[x] & np.isfinite(share[x]) else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=BOUNDED)
def extent(values: Packed) -> tuple[float, float]:
    """Lowest and highest of finite values."""
    low, high = values[0], values[0]
    for x in range(values.shape[0]):
        low = values[x] if values[x] < low else low
        high = values[x] if values[x] > high else high
    return low, high


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _laplace(
    around: tuple[Packed, Packed, Packed, Packed], row: Packed, shares: tuple[float, float],
    out: Packed,
) -> None:  # fmt: skip
    above, below, left, right = around
    mine, its = np.float32(shares[0]), np.float32(shares[1])
    for x in range(out.shape[0]):
        out[x] = mine * row[x] + its * (
            above[x] + below[x] + left[x] + right[x] - np.float32(4) * row[x]
        )


@njit(nogil=True, cache=True, error_model="numpy")
def laplace(image: Packed, shape: tuple[int, int], own: float, part: float, out: Packed) -> None:
    """So much of the image, and so much of its Laplacian, without a margin of one pixel."""
    rows, width = shape
    around = image[1:], image[2 * width + 1 :], image[width:], image[width + 2 :]
    _laplace(around, image[width + 1 :], (own, part), out[: (rows - 2) * width - 2])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=BOUNDED)
def _highest_of_five(values: Packed, step: int, out: Packed) -> None:
    a, b, c, d, e = (
        values,
        values[step:],
        values[2 * step :],
        values[3 * step :],
        values[4 * step :],
    )
    for x in range(out.shape[0]):
        out[x] = max(max(max(a[x], b[x]), max(c[x], d[x])), e[x])


@njit(nogil=True, cache=True, error_model="numpy")
def highest_near(image: Packed, shape: tuple[int, int], line: Packed, out: Packed) -> None:
    """Highest of finite values within two rows and columns, without a margin of as many."""
    rows, width = shape
    _highest_of_five(image, 1, line[: rows * width - 4])
    _highest_of_five(line, width, out[: (rows - 4) * width - 4])


@njit(nogil=True, cache=True, error_model="numpy")
def rooms_for(boxes: Boxes, margin: int) -> NDArray[np.float32]:
    """Seven working places as large as the largest box with its margin, and a little more."""
    most = 0
    for b in range(boxes.shape[0]):
        rows, columns = boxes[b, 1] - boxes[b, 0], boxes[b, 3] - boxes[b, 2]
        most = max(most, (rows + 2 * margin) * (columns + 2 * margin))
    return np.zeros((7, most + STRIDE), dtype=np.float32)
