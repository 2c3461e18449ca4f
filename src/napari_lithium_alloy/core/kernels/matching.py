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
def weighted_parts(
    loss: Floats,
    free: Floats,
    full: np.float32,
    weight: Floats,
    basis: Floats,
    corner: tuple[int, int],
    pixels: int,
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
        First row and column, in units of `pixels`, which may lie outside.
    pixels : int
        Side of the squares that are summed: 1 or 2.
    out : (J, y, x) float32 array
    """
    height, width = weight.shape
    left = max(corner[1] * pixels, 0)
    right = max(min((corner[1] + out.shape[2]) * pixels, width), left)
    n = right - left
    strip = np.empty(n, np.float32)
    rest = np.empty((len(loss), n), np.float32)
    first = left - corner[1] * pixels
    out[:] = 0
    for row in range(out.shape[1]):
        top = (corner[0] + row) * pixels
        if top + pixels <= 0 or top >= height:
            continue
        rest[:] = 0
        for y in range(max(top, 0), min(top + pixels, height)):
            w = weight[y, left:right]
            for k in range(len(loss)):
                own, lost, there = rest[k], loss[k, y, left:right], free[k, y, left:right]
                for x in range(n):
                    own[x] += (lost[x] + full * there[x]) * w[x]
        for j in range(len(out)):
            strip[:] = 0
            for k in range(len(loss)):
                own, share = rest[k], basis[j, k]
                for x in range(n):
                    strip[x] += share * own[x]
            _add_line(strip, first, pixels, out[j, row])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_line(strip: Floats, first: int, pixels: int, line: Floats) -> None:
    if pixels == 1:
        for x in range(len(strip)):
            line[first + x] += strip[x]
    else:
        for x in range(len(strip)):
            line[(first + x) >> 1] += strip[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def doubled(halves: Floats, out: Floats) -> None:
    """Values at pixels, from those of squares of two by two of them, by cubic interpolation.

    The first pixel of `out` is the last of the second square, in rows as in columns.
    """
    a, b = np.float32(-0.0703125), np.float32(0.8671875)
    c, d = np.float32(0.2265625), np.float32(-0.0234375)
    line = np.empty(halves.shape[1], np.float32)
    for y in range(out.shape[0]):
        i = y // 2
        r0, r1, r2, r3 = halves[i], halves[i + 1], halves[i + 2], halves[i + 3]
        e, f, g, h = (d, c, b, a) if y % 2 else (a, b, c, d)
        for x in range(len(line)):
            line[x] = e * r0[x] + f * r1[x] + g * r2[x] + h * r3[x]
        row = out[y]
        for x in range(len(row) // 2):
            row[2 * x] = a * line[x] + b * line[x + 1] + c * line[x + 2] + d * line[x + 3]
            row[2 * x + 1] = d * line[x] + c * line[x + 1] + b * line[x + 2] + a * line[x + 3]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def sizes(answer: Floats, out: Floats) -> None:
    """(y, x) largest size of a block's responses; 0 in the pixels around it."""
    out[:] = 0
    n = answer.shape[2] - 2
    for y in range(1, answer.shape[1] - 1):
        most = out[y, 1 : n + 1]
        for k in range(len(answer)):
            row = answer[k, y, 1 : n + 1]
            for x in range(n):
                most[x] = max(most[x], abs(row[x]))


@njit(nogil=True, cache=True, error_model="numpy")
def extrema(
    answer: Floats,
    most: Floats,
    film: NDArray[np.bool_],
    corner: tuple[int, int],
    sign: float,
    least: float,
    inner: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Maxima of a block's responses over radius and place, or minima if the sign is -1.

    Parameters
    ----------
    answer : (R, y + 2, x + 2) float32 array
        The block and the pixels around it.
    most : (y + 2, x + 2) float32 array
        As of `sizes`.
    film : (Y, X) bool array
        Of the whole picture.
    corner : (int, int)
        Row and column of the block's first pixel.
    sign, least : float
        Responses count times the sign, from so much on.
    inner : (R,) int array
        Another radius of each.

    Returns
    -------
    (N, 5) array
        Radius, row, column, response, and that of the other radius there.
    """
    found, n = np.empty((64, 5)), 0
    y0, x0 = corner[0] - 1, corner[1] - 1
    s, lowest = np.float32(sign), np.float32(least)
    # The pixels around the block do not count where they are beside the picture.
    top, left = max(-y0, 0), max(-x0, 0)
    whole = answer[:, : film.shape[0] - y0, : film.shape[1] - x0]
    for y in range(1, min(answer.shape[1] - 1, film.shape[0] - y0)):
        for x in range(1, min(answer.shape[2] - 1, film.shape[1] - x0)):
            if most[y, x] < lowest or not film[y0 + y, x0 + x]:
                continue
            for k in range(len(answer)):
                if s * answer[k, y, x] >= lowest and _highest(whole, s, k, y, x, top, left):
                    if n == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[n, 0], found[n, 1], found[n, 2] = k, y0 + y, x0 + x
                    found[n, 3], found[n, 4] = answer[k, y, x], answer[inner[k], y, x]
                    n += 1
    return found[:n]


@njit(nogil=True, cache=True, error_model="numpy")
def _highest(answer: Floats, sign: np.float32, k: int, y: int, x: int, top: int, left: int) -> bool:
    """Whether no neighbour in radius and place is higher, those before `top` or `left` aside."""
    n, height, width = answer.shape
    value = sign * answer[k, y, x]
    for a in range(max(k - 1, 0), min(k + 2, n)):
        for b in range(max(y - 1, top), min(y + 2, height)):
            for c in range(max(x - 1, left), min(x + 2, width)):
                if value < sign * answer[a, b, c]:
                    return False
    return True
