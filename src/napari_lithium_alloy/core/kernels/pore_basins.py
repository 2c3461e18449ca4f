"""Basins of an image of pores at the pixels of a list, what is in each, and outlines in them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.pixel_graph import flood_part, number_parts, part_of

Indices = NDArray[np.int32]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Doubles = NDArray[np.float64]
_SIGN = np.uint32(2**31)


@njit(nogil=True, cache=True, error_model="numpy")
def set_depths(image: NDArray[np.uint32], part: Indices, out: NDArray[np.uint32]) -> None:
    """Whole numbers that rise where values fall, of values given by their bits."""
    for i in part:
        bits = image[i]
        if bits & (_SIGN - np.uint32(1)) == 0:
            out[i] = _SIGN
        elif bits & _SIGN:
            out[i] = bits
        else:
            out[i] = ~(bits | _SIGN)


@njit(nogil=True, cache=True, error_model="numpy")
def grow_parts(
    image: Floats, first: Indices, inside: Flags, neighbours: Indices, ways: int, out: Indices
) -> None:
    """Grow labels over the pixels inside, the highest values first, as a watershed.

    `first` are the labelled pixels, rising. Parts with one label take it at once.
    """
    n_pixels = inside.shape[0]
    seen = np.zeros(n_pixels, dtype=np.bool_)
    part = np.empty(n_pixels, dtype=np.int32)
    heap = np.empty(n_pixels, dtype=np.uint64)
    pushed = np.empty(n_pixels, dtype=np.int32)
    depth = np.empty(n_pixels, dtype=np.uint32)
    bits = image.view(np.uint32)
    for start in first:
        if seen[start] or not inside[start]:
            continue
        n, one = part_of(start, inside, neighbours, ways, out, seen, part)
        if one:
            for i in part[:n]:
                out[i] = out[start]
        else:
            set_depths(bits, part[:n], depth)
            flood_part(depth, inside, neighbours, ways, out, part[:n], heap, pushed)


@njit(nogil=True, cache=True, error_model="numpy")
def basins_around(
    image: Floats, peaks: Indices, lowest: np.float32, neighbours: Indices, out: Indices,
    at: Indices,
) -> tuple[int, int]:  # fmt: skip
    """Basins of peaks over the pixels above a level; how many, and of how many pixels.

    `peaks` are pixels above it, rising; `out` are zeros at first; the basins' pixels are listed
    in `at`.
    """
    n_pixels = image.shape[0]
    if peaks.shape[0] == 0:
        return 0, 0
    inside = np.zeros(n_pixels, dtype=np.bool_)
    for i in peaks:
        inside[i] = True
    n = number_parts(peaks, inside, neighbours, 8, out, at)
    for i in range(n_pixels):
        inside[i] = image[i] > lowest
    grow_parts(image, peaks, inside, neighbours, 8, out)
    found = 0
    for i in range(n_pixels):
        if out[i] != 0:
            at[found] = i
            found += 1
    return n, found


@njit(nogil=True, cache=True, error_model="numpy")
def add_to_basins(
    at: Indices, basin: Indices, images: tuple[Floats, Floats, Floats, Floats], out: Doubles
) -> None:
    """Highest value, sum of the share, highest response and smoothed share of each basin.

    `images` are in this order; `out` is (4, n + 1), and what is highest starts under all values.
    """
    image, share, response, smooth = images
    for m in range(at.shape[0]):
        i, k = at[m], basin[at[m]]
        out[0, k] = max(out[0, k], image[i])
        out[1, k] += share[i]
        out[2, k] = max(out[2, k], response[i])
        out[3, k] = max(out[3, k], smooth[i])


@njit(nogil=True, cache=True, error_model="numpy")
def meetings(
    at: Indices,
    image: Floats,
    basins: Indices,
    neighbours: Indices,
    keys: NDArray[np.int64],
    levels: Floats,
) -> int:
    """Neighbouring pixels of two basins: the basins' key, low * 2^32 + high; the lower value.

    Filled are `keys` and `levels`; returned is how many there are, which may be more than fit.
    """
    n = 0
    for i in at:
        a = basins[i]
        for k in (2, 3, 6, 7):
            j = neighbours[i, k]
            if j < 0 or basins[j] == 0 or basins[j] == a:
                continue
            if n < keys.shape[0]:
                low, high = min(a, basins[j]), max(a, basins[j])
                keys[n] = (np.int64(low) << 32) + high
                levels[n] = min(image[i], image[j])
            n += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def outline(basin: Indices, image: Floats, number: Indices, level: Doubles, out: Indices) -> None:
    """The number of each pixel's basin where the image reaches the level of that number; else 0."""
    for m in range(basin.shape[0]):
        label = number[basin[m]]
        out[m] = 0 if image[m] < level[label] else label


@njit(nogil=True, cache=True, error_model="numpy")
def add_moments(
    places: tuple[Indices, Indices], at: Indices, labels: Indices, share: Floats, out: Doubles
) -> None:
    """Sum of the share, pixels, and mean squares and product of rows and columns, of each label.

    `places` are rows and columns of all pixels, `at` which of them the labels are of; rows and
    columns count from their means. `out` is (5, n + 1) zeros at first.
    """
    rows, columns = places
    middle = np.zeros((2, out.shape[1]))
    for m in range(at.shape[0]):
        k = labels[m]
        if k != 0:
            out[0, k] += share[m]
            out[1, k] += 1
            middle[0, k] += rows[at[m]]
            middle[1, k] += columns[at[m]]
    for k in range(1, out.shape[1]):
        size = max(out[1, k], 1.0)
        middle[0, k] /= size
        middle[1, k] /= size
    for m in range(at.shape[0]):
        k = labels[m]
        if k != 0:
            y, x = rows[at[m]] - middle[0, k], columns[at[m]] - middle[1, k]
            out[2, k] += y * y
            out[3, k] += x * x
            out[4, k] += y * x
    for k in range(1, out.shape[1]):
        for i in range(2, 5):
            out[i, k] /= max(out[1, k], 1.0)
