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
    for row in range(out.shape[1] * pixels):
        y = corner[0] * pixels + row
        if y < 0 or y >= height:
            continue
        w = weight[y, left:right]
        for k in range(len(loss)):
            own, lost, there = rest[k], loss[k, y, left:right], free[k, y, left:right]
            for x in range(n):
                own[x] = (lost[x] + full * there[x]) * w[x]
        for j in range(len(out)):
            strip[:] = 0
            for k in range(len(loss)):
                own, share = rest[k], basis[j, k]
                for x in range(n):
                    strip[x] += share * own[x]
            line = out[j, row // pixels]
            if pixels == 1:
                for x in range(n):
                    line[first + x] = strip[x]
            else:
                for x in range(n):
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


@njit(nogil=True, cache=True, error_model="numpy")
def marked(
    answer: Floats,
    film: NDArray[np.bool_],
    corner: tuple[int, int],
    least: tuple[float, float, float],
    inner: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Extrema of a block of responses, and where they are large at all.

    Parameters
    ----------
    answer : (R, y + 2, x + 2) float32 array
        The block and the pixels around it.
    film : (Y, X) bool array
        Of the whole picture.
    corner : (int, int)
        Row and column of the block's first pixel.
    least : (float, float, float)
        Sizes of maxima, minima and anything, from which they are told.
    inner : (R,) int array
        Another radius of each.

    Returns
    -------
    maxima, minima : (N, 5) arrays
        Radius, row, column, response, and that of the other radius there.
    large : (M, 2) array
        Rows and columns.
    """
    maxima, minima = np.empty((64, 5)), np.empty((64, 5))
    large = np.empty((64, 2), np.int64)
    n_high = n_low = n_large = 0
    y0, x0 = corner
    last = min(answer.shape[1] - 2, film.shape[0] - y0), min(answer.shape[2] - 2, film.shape[1] - x0)
    top, left = 1 if y0 == 0 else 0, 1 if x0 == 0 else 0
    bottom = last[0] + 1 if y0 + last[0] == film.shape[0] else last[0] + 2
    right = last[1] + 1 if x0 + last[1] == film.shape[1] else last[1] + 2
    high, low, some = np.float32(least[0]), np.float32(-least[1]), np.float32(least[2])
    whole = answer[:, :bottom, :right]
    most = np.empty(last[1] + 1, np.float32)
    for y in range(1, last[0] + 1):
        most[:] = 0
        for k in range(len(answer)):
            row = answer[k, y]
            for x in range(1, last[1] + 1):
                value = row[x]
                most[x] = max(most[x], abs(value))
        for x in range(1, last[1] + 1):
            if most[x] > some:
                if n_large == len(large):
                    large = np.concatenate((large, np.empty_like(large)))
                large[n_large, 0], large[n_large, 1] = y0 + y - 1, x0 + x - 1
                n_large += 1
            if most[x] < min(high, -low) or not film[y0 + y - 1, x0 + x - 1]:
                continue
            for k in range(len(answer)):
                value = answer[k, y, x]
                if value >= high and _highest(whole, np.float32(1), k, y, x, top, left):
                    if n_high == len(maxima):
                        maxima = np.concatenate((maxima, np.empty_like(maxima)))
                    _note(maxima[n_high], answer, inner, (k, y, x), corner)
                    n_high += 1
                if value <= low and _highest(whole, np.float32(-1), k, y, x, top, left):
                    if n_low == len(minima):
                        minima = np.concatenate((minima, np.empty_like(minima)))
                    _note(minima[n_low], answer, inner, (k, y, x), corner)
                    n_low += 1
    return maxima[:n_high], minima[:n_low], large[:n_large]


@njit(nogil=True, cache=True, error_model="numpy")
def _note(
    row: NDArray[np.float64],
    answer: Floats,
    inner: NDArray[np.int64],
    at: tuple[int, int, int],
    corner: tuple[int, int],
) -> None:
    k, y, x = at
    row[0], row[1], row[2] = k, corner[0] + y - 1, corner[1] + x - 1
    row[3], row[4] = answer[k, y, x], answer[inner[k], y, x]


@njit(nogil=True, cache=True, error_model="numpy")
def _highest(
    answer: Floats, sign: np.float32, k: int, y: int, x: int, top: int, left: int
) -> bool:
    """Whether no neighbour in radius and place is higher, those before `top` or `left` aside."""
    n, height, width = answer.shape
    value = sign * answer[k, y, x]
    for a in range(max(k - 1, 0), min(k + 2, n)):
        for b in range(max(y - 1, top), min(y + 2, height)):
            for c in range(max(x - 1, left), min(x + 2, width)):
                if value < sign * answer[a, b, c]:
                    return False
    return True
