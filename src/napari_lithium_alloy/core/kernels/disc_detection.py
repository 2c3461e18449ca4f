"""Discs as maxima of Laplacians of Gaussians, and their profiles."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels.images import mirrored

Floats = NDArray[np.float32]
Rows = tuple[int, int]
_FAST = {"reassoc", "contract", "nsz"}
_HIGH_BITS = 14
_LOW_BITS = np.uint32(31 - _HIGH_BITS)
_STRETCH = 64


@njit(nogil=True, cache=True, error_model="numpy")
def _first_down(row: Floats, weights: Floats, plain: Floats, bent: Floats) -> None:
    s, u = weights[0, 0], weights[1, 0]
    for x in range(len(plain)):
        plain[x] = s * row[x]
        bent[x] = u * row[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_down(
    pairs: tuple[Floats, Floats, Floats, Floats], weights: Floats, plain: Floats, bent: Floats
) -> None:
    """Add two pairs of rows to both lines at once: each time the sums so far are read."""
    a, b, c, d = pairs
    s, t, u, v = weights[0, 0], weights[0, 1], weights[1, 0], weights[1, 1]
    for x in range(len(plain)):
        near, far = a[x] + b[x], c[x] + d[x]
        plain[x] += s * near + t * far
        bent[x] += u * near + v * far


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _add_across(plain: Floats, bent: Floats, weights: Floats, half: int, out: Floats) -> None:
    """The same along a row, of lines that reach half a window beyond it."""
    width = len(out)
    p, b = plain[half:], bent[half:]
    for x in range(width):
        out[x] = weights[1, 0] * p[x] + weights[0, 0] * b[x]
    for j in range(1, half + 1, 2):
        s, t, u, v = weights[0, j], weights[0, j + 1], weights[1, j], weights[1, j + 1]
        p0, p1, p2, p3 = (
            plain[half - j :],
            plain[half + j :],
            plain[half - j - 1 :],
            plain[half + j + 1 :],
        )
        b0, b1, b2, b3 = (
            bent[half - j :],
            bent[half + j :],
            bent[half - j - 1 :],
            bent[half + j + 1 :],
        )
        for x in range(width):
            out[x] += (
                u * (p0[x] + p1[x])
                + v * (p2[x] + p3[x])
                + s * (b0[x] + b1[x])
                + t * (b2[x] + b3[x])
            )


@njit(nogil=True, cache=True, error_model="numpy")
def laplacian(image: Floats, weights: Floats, rows: Rows, out: Floats) -> None:
    """Laplacian of a Gaussian of a picture that is mirrored beyond its edges.

    Parameters
    ----------
    image : (Y, X) float32 array
    weights : (2, n + 1) float32 array
        The Gaussian and its second derivative at 0, 1, ... pixels; n is even.
    rows : tuple
    out : (Y, X) float32 array
    """
    height, width = image.shape
    half = weights.shape[1] - 1
    plain = np.empty(width + 2 * half, np.float32)
    bent = np.empty(width + 2 * half, np.float32)
    p, b = plain[half : half + width], bent[half : half + width]
    for y in range(rows[0], rows[1]):
        _first_down(image[y], weights, p, b)
        for j in range(1, half + 1, 2):
            pairs = (
                image[mirrored(y - j, height)],
                image[mirrored(y + j, height)],
                image[mirrored(y - j - 1, height)],
                image[mirrored(y + j + 1, height)],
            )
            _add_down(pairs, weights[:, j : j + 2], p, b)
        for k in range(half):
            left, right = mirrored(-1 - k, width), mirrored(width + k, width)
            plain[half - 1 - k], plain[half + width + k] = p[left], p[right]
            bent[half - 1 - k], bent[half + width + k] = b[left], b[right]
        _add_across(plain, bent, weights, half, out[y])


@njit(nogil=True, cache=True, error_model="numpy")
def _middle(sizes: Floats, counts: NDArray[np.int64], n: int) -> float:
    """Median of the n lowest sizes, of which so many share their first bits."""
    bits = sizes.view(np.uint32)
    first, last, below = (n - 1) // 2, n // 2, 0
    total, low, high = 0, -1, -1
    for k in range(len(counts)):
        total += counts[k]
        if low < 0 and total > first:
            low, below = k, total - counts[k]
        if total > last:
            high = k
            break
    found, m = np.empty(counts[low : high + 1].sum(), np.float32), 0
    for i in range(len(sizes)):
        if low <= (bits[i] >> _LOW_BITS) <= high:
            found[m] = sizes[i]
            m += 1
    found.sort()
    return 0.5 * (float(found[first - below]) + float(found[last - below]))


@njit(nogil=True, cache=True, error_model="numpy")
def _number_up_to(sizes: Floats, limit: np.float32) -> np.int64:
    n = np.uint32(0)
    for i in range(len(sizes)):
        n += np.uint32(sizes[i] <= limit)
    return np.int64(n)


@njit(nogil=True, cache=True, error_model="numpy")
def clipped_noise(values: Floats, to_sd: float, most: float, rounds: int) -> float:
    """Standard deviation about 0, from medians, of what is not so many of it away."""
    sizes = np.abs(values)
    bits, counts = sizes.view(np.uint32), np.zeros(2**_HIGH_BITS, np.int64)
    for i in range(len(sizes)):
        counts[bits[i] >> _LOW_BITS] += 1
    inside, limit, noise = len(sizes), np.float32(np.inf), 0.0
    for _ in range(rounds):
        noise = to_sd * _middle(sizes, counts, inside)
        limit = min(np.float32(most * noise), limit)
        fewer = _number_up_to(sizes, limit)
        if fewer == inside:
            break
        inside = fewer
    return noise


@njit(nogil=True, cache=True, error_model="numpy")
def _is_highest(answer: Floats, k: int, y: int, x: int) -> bool:
    n, height, width = answer.shape
    value = answer[k, y, x]
    for a in (k, k - 1, k + 1):
        if 0 <= a < n:
            for b in range(max(y - 1, 0), min(y + 2, height)):
                for c in range(max(x - 1, 0), min(x + 2, width)):
                    if value < answer[a, b, c]:
                        return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _any_peak(row: Floats, above: Floats, below: Floats, lowest: np.float32) -> bool:
    """Whether a value of a row, but its first and last, is as high as its neighbours and a level.

    All are looked at, as without a branch that is quick.
    """
    n = np.uint32(0)
    for x in range(len(row) - 2):
        value = row[x + 1]
        beside = (value >= row[x]) & (value >= row[x + 2])
        n += np.uint32(
            beside & (value >= above[x + 1]) & (value >= below[x + 1]) & (value >= lowest)
        )
    return bool(n > 0)


@njit(nogil=True, cache=True, error_model="numpy")
def peaks_over(
    answer: Floats, film: NDArray[np.bool_], least: NDArray[np.float64], rows: Rows
) -> NDArray[np.int32]:
    """(N, 3) scale, row and column of film where no neighbour, in scale too, answers more.

    `least` is what each scale answers at least: few pixels do.
    """
    found, n = np.empty((64, 3), np.int32), 0
    width = film.shape[1]
    for k in range(len(answer)):
        lowest = np.float32(least[k])
        for y in range(rows[0], rows[1]):
            row = answer[k, y]
            above, below = answer[k, max(y - 1, 0)], answer[k, min(y + 1, len(film) - 1)]
            for begin in range(0, width, _STRETCH):
                end = min(begin + _STRETCH, width)
                if begin > 0 and end < width:
                    some = slice(begin - 1, end + 1)
                    if not _any_peak(row[some], above[some], below[some], lowest):
                        continue
                for x in range(begin, end):
                    value = row[x]
                    beside = max(row[max(x - 1, 0)], row[min(x + 1, width - 1)])
                    if value < lowest or value < beside or not film[y, x]:
                        continue
                    if not _is_highest(answer, k, y, x):
                        continue
                    if n == len(found):
                        longer = np.empty((2 * n, 3), np.int32)
                        longer[:n] = found
                        found = longer
                    found[n] = k, y, x
                    n += 1
    return found[:n].copy()


@njit(nogil=True, cache=True, error_model="numpy")
def _shift(left: float, middle: float, right: float) -> float:
    """Where a parabola through three values is highest, within half a step."""
    bend = left - 2 * middle + right
    return min(max(0.5 * (left - right) / bend, -0.5), 0.5) if bend < 0 else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def refine_peaks(answer: Floats, peaks: NDArray[np.int32], out: NDArray[np.float64]) -> None:
    """(N, 2) rows and columns of maxima between pixels."""
    height, width = answer.shape[1], answer.shape[2]
    for i in range(len(peaks)):
        k, y, x = peaks[i]
        out[i, 0], out[i, 1] = y, x
        if 0 < y < height - 1:
            out[i, 0] += _shift(answer[k, y - 1, x], answer[k, y, x], answer[k, y + 1, x])
        if 0 < x < width - 1:
            out[i, 1] += _shift(answer[k, y, x - 1], answer[k, y, x], answer[k, y, x + 1])


@njit(nogil=True, cache=True, error_model="numpy")
def _add_times(values: Floats, factor: np.float32, out: Floats) -> None:
    for x in range(len(out)):
        out[x] += factor * values[x]


@njit(nogil=True, cache=True, error_model="numpy")
def _smooth_part(image: Floats, weights: Floats, corner: tuple[int, int], out: Floats) -> None:
    """A part of a picture convolved with a Gaussian, of which half is given."""
    half = len(weights) - 1
    while half > 0 and weights[half] == 0:
        half -= 1
    height, width = image.shape
    line = np.empty(out.shape[1] + 2 * half, np.float32)
    left = max(corner[1] - half, 0)
    right = min(corner[1] + out.shape[1] + half, width)
    begin = left - corner[1] + half
    inside = line[begin : begin + right - left]
    for i in range(out.shape[0]):
        inside[:] = 0
        for j in range(-half, half + 1):
            row = image[mirrored(corner[0] + i + j, height)]
            _add_times(row[left:right], weights[abs(j)], inside)
        for c in range(len(line)):
            if not begin <= c < begin + right - left:
                line[c] = line[mirrored(corner[1] + c - half, width) - corner[1] + half]
        out[i] = 0
        for j in range(-half, half + 1):
            _add_times(line[half + j :], weights[abs(j)], out[i])


@njit(nogil=True, cache=True, error_model="numpy")
def _percentile(values: NDArray[np.float64], share: float) -> float:
    values.sort()
    at = share * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return float(values[low] + (at - low) * (values[high] - values[low]))


@njit(nogil=True, cache=True, error_model="numpy")
def _half_width(means: NDArray[np.float64], top: float, base: float, radius: float) -> float:
    """Where a profile comes down to half its height."""
    half = (top + base) / 2
    for i in range(len(means)):
        if means[i] < half:
            if i == 0:
                return radius
            return float(i - 1 + (means[i - 1] - half) / (means[i - 1] - means[i]))
    return radius


@njit(nogil=True, cache=True, error_model="numpy")
def disc_profiles(
    image: Floats,
    film: NDArray[np.bool_],
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    weights: tuple[NDArray[np.int64], Floats],
    out: NDArray[np.float64],
) -> None:
    """(N, 2) radius at half height and contrast of discs, from their profiles in rings of a pixel.

    Parameters
    ----------
    image : (Y, X) float32 array
    film : (Y, X) bool array
    centres, radii : (N, 2) and (N,) float64 arrays
        Of discs, pixels.
    weights : (N,) int64 array, (K, n) float32 array
        Which Gaussian smooths each disc, and half of each Gaussian, 0 beyond its end.
    out : (N, 2) float64 array
    """
    for i in range(len(centres)):
        y, x, radius = centres[i, 0], centres[i, 1], radii[i]
        reach = math.ceil(2.5 * radius) + 3
        top_row, left = max(int(np.rint(y)) - reach, 0), max(int(np.rint(x)) - reach, 0)
        shape = (
            min(2 * reach + 1, image.shape[0] - top_row),
            min(2 * reach + 1, image.shape[1] - left),
        )
        part = np.empty(shape, np.float32)
        _smooth_part(image, weights[1][weights[0][i]], (top_row, left), part)
        sums, pixels = np.zeros(reach + 1), np.zeros(reach + 1)
        around, n = np.empty(part.size), 0
        for r in range(shape[0]):
            for c in range(shape[1]):
                if film[top_row + r, left + c]:
                    away = math.hypot(r + top_row - y, c + left - x)
                    ring = int(away + 0.5)
                    if ring <= reach:
                        sums[ring] += part[r, c]
                        pixels[ring] += 1
                    if 1.6 * radius < away <= reach:
                        around[n] = part[r, c]
                        n += 1
        means = sums / pixels
        base = _percentile(around[:n], 0.3) if n else np.nanmin(means)
        top = np.nanmean(means[: max(1, int(np.rint(0.4 * radius))) + 1])
        out[i, 0], out[i, 1] = _half_width(means, top, base, radius), top - base
