"""Sums of products that a matched filter takes."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Spectrum = NDArray[np.complex64]
Floats = NDArray[np.float32]
_FAST = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def sum_of_products(first: Spectrum, second: Spectrum, out: Spectrum) -> None:
    """(Y, X) sum over images of products of two (K, Y, X) spectra."""
    for y in range(out.shape[0]):
        out[y] = 0
        for k in range(first.shape[0]):
            a, b, row = first[k, y], second[k, y], out[y]
            for x in range(out.shape[1]):
                row[x] += a[x] * b[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def match_at(
    loss: Floats, weight: Floats, patch: Floats, places: NDArray[np.int64], out: Floats
) -> None:
    """Sum of images times weight times a template (K, n, n) about each place (N, 2)."""
    half = patch.shape[1] // 2
    height, width = weight.shape
    for i in range(len(places)):
        y, x = places[i]
        top, bottom = max(y - half, 0), min(y + half + 1, height)
        left, right = max(x - half, 0), min(x + half + 1, width)
        total = 0.0
        for row in range(top, bottom):
            w = weight[row, left:right]
            for k in range(len(loss)):
                line = loss[k, row, left:right]
                own = patch[k, row - y + half, left - x + half : right - x + half]
                part = np.float32(0)
                for j in range(len(w)):
                    part += line[j] * own[j] * w[j]
                total += float(part)
        out[i] = total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_rest(
    lost: Floats, there: Floats, full: np.float32, weight: Floats, share: np.float32, out: Floats
) -> None:
    """Add a share of what discs leave of one image's row, times weights."""
    for x in range(len(out)):
        out[x] += (lost[x] + full * there[x]) * (share * weight[x])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _project(rest: Floats, shares: Floats, out: Floats) -> None:
    """Sum of the images' rows (K, X), each times its share."""
    out[:] = 0
    for k in range(len(rest)):
        own, share = rest[k], shares[k]
        for x in range(len(out)):
            out[x] += share * own[x]


@njit(nogil=True, cache=True, error_model="numpy")
def weighted_parts(
    loss: Floats,
    free: Floats,
    full: np.float32,
    weight: Floats,
    basis: Floats,
    corner: tuple[int, int],
    out: Floats,
) -> None:
    """What discs leave of the losses, as sums over the images with a basis (J, K), times weights.

    Each row of the basis has the sum 0: a pixel's mean over the images does not count.

    Parameters
    ----------
    loss, free : (K, Y, X) float32 array
    full : float
        What is left is loss + full x free, but for what all images share.
    weight : (Y, X) float32 array
    basis : (J, K) float32 array
    corner : (int, int)
        First row and column, which may lie outside.
    out : (J, y, x) float32 array
    """
    height, width = weight.shape
    left = max(corner[1], 0)
    right = max(min(corner[1] + out.shape[2], width), left)
    first = left - corner[1]
    rest = np.empty((len(loss), right - left), np.float32)
    one = np.float32(1)
    out[:] = 0
    for row in range(max(-corner[0], 0), min(out.shape[1], height - corner[0])):
        y = corner[0] + row
        rest[:] = 0
        for k in range(len(loss)):
            lost, there = loss[k, y, left:right], free[k, y, left:right]
            _add_rest(lost, there, full, weight[y, left:right], one, rest[k])
        for j in range(len(out)):
            _project(rest, basis[j], out[j, row, first : first + right - left])


@njit(nogil=True, cache=True, error_model="numpy")
def halved_parts(
    loss: Floats,
    free: Floats,
    full: np.float32,
    weight: Floats,
    basis: Floats,
    rows: tuple[int, int],
    out: Floats,
) -> None:
    """The same in a picture of half the size, that begins one value before the first pixel.

    A value is made of four pixels to a side with weights of 1/8, 3/8, 3/8 and 1/8.

    Parameters
    ----------
    loss, free, full, weight, basis : as of `weighted_parts`
    rows : (int, int)
        Of `out`.
    out : (J, Y // 2 + 2, X // 2 + 2) float32 array
    """
    height, width = weight.shape
    rest, strip = np.empty((len(loss), width), np.float32), np.zeros(width + 7, np.float32)
    near, far = np.float32(0.375), np.float32(0.125)
    for i in range(rows[0], rows[1]):
        rest[:] = 0
        for y in range(max(2 * i - 3, 0), min(2 * i + 1, height)):
            share = near if 2 * i - 3 < y < 2 * i else far
            for k in range(len(loss)):
                _add_rest(loss[k, y], free[k, y], full, weight[y], share, rest[k])
        for j in range(len(out)):
            _project(rest, basis[j], strip[3 : 3 + width])
            line = out[j, i]
            for x in range(len(line)):
                middle, outer = strip[2 * x + 1] + strip[2 * x + 2], strip[2 * x] + strip[2 * x + 3]
                line[x] = near * middle + far * outer
