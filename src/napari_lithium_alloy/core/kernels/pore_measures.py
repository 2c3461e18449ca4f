"""What is measured of labelled pixels of a list: areas within regions, sizes, middles, edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.pore_basins import grow_parts

Indices = NDArray[np.int32]
Numbers = NDArray[np.int64]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Doubles = NDArray[np.float64]


@njit(nogil=True, cache=True, error_model="numpy")
def first_regions(
    at: Indices, labels: Indices, region: Indices, first: Numbers, sizes: Numbers,
    others: Numbers,
) -> int:  # fmt: skip
    """First region of each label that has one, how many of its pixels are there, and other pairs.

    `first` and `sizes` are zeros at first. `others` are the pixels in a label's further regions,
    as label * 2^32 + region; returned is how many they are.
    """
    n = 0
    for m in range(at.shape[0]):
        label, own = labels[m], region[at[m]]
        if own == 0:
            continue
        if first[label] == 0:
            first[label] = own
        if first[label] == own:
            sizes[label] += 1
        else:
            others[n] = (np.int64(label) << 32) + own
            n += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def _is_among(keys: Numbers, key: int) -> bool:
    low, high = 0, keys.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return bool(low < keys.shape[0] and keys[low] == key)


@njit(nogil=True, cache=True, error_model="numpy")
def add_areas(
    share: Floats,
    pores: tuple[Indices, Indices],
    regions: tuple[Indices, Flags, Numbers],
    mains: tuple[Numbers, Numbers],
    neighbours: Indices,
    out: Doubles,
) -> None:
    """Add the share of the pixels that are nearest each label, in the sense of a watershed.

    Parameters
    ----------
    share : (N,) float32 array
    pores : (M,) int32 arrays
        Labelled pixels, rising, and whose they are.
    regions : (N,) int32, (R + 1,) bool and (R + 1,) int64 arrays
        Region of each pixel, which are looked at, and the label that alone is in one which touches
        no other, so that all of it is its; else 0.
    mains : (n + 1,) and rising int64 arrays
        Region of each label, whose pixels are its; pairs label * 2^32 + region that are its, too.
    neighbours : (N, 8) int32 array
    out : (n + 1,) float array
    """
    n_pixels = share.shape[0]
    found = np.zeros(n_pixels, dtype=np.int32)
    inside = np.empty(n_pixels, dtype=np.bool_)
    region, looked_at, owner = regions
    for i in range(n_pixels):
        k = owner[region[i]]
        inside[i] = looked_at[region[i]] and k == 0
        if k != 0:
            out[k] += share[i]
    at, labels = pores
    for m in range(at.shape[0]):
        if inside[at[m]]:
            found[at[m]] = labels[m]
    grow_parts(share, at, inside, neighbours, 4, found)
    main, pairs = mains
    for i in range(n_pixels):
        k = found[i]
        if k == 0:
            continue
        if main[k] == region[i] or _is_among(pairs, (np.int64(k) << 32) + region[i]):
            out[k] += share[i]


@njit(nogil=True, cache=True, error_model="numpy")
def add_places(
    places: tuple[Indices, Indices, Flags], at: Indices, labels: Indices, out: Doubles
) -> None:
    """Pixels of each label, sums of their rows and columns, and how many are at an edge.

    `places` are of all pixels, `at` which of them the labels are of; `out` is (4, n + 1).
    """
    rows, columns, at_edge = places
    for m in range(at.shape[0]):
        i, k = at[m], labels[m]
        out[0, k] += 1
        out[1, k] += rows[i]
        out[2, k] += columns[i]
        out[3, k] += at_edge[i]


@njit(nogil=True, cache=True, error_model="numpy")
def mark_from(
    counts: NDArray[Any], pixels: Indices, labels: Indices, limit: float, out: Flags
) -> None:
    """Mark the labels of which a pixel, an index of the flat picture, reaches a limit."""
    width = counts.shape[1]
    for m in range(pixels.shape[0]):
        if counts[pixels[m] // width, pixels[m] % width] >= limit:
            out[labels[m]] = True
