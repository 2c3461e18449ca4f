"""Pixels of one blurred disc that grows: what it covers of them, and the slopes of that.

They are put one after the other, whatever rows they are of, so that the loops over them are long
enough for the compiler to make them wide.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.disc_columns import (
    LOG_RADIUS,
    LOSS,
    ONSET,
    PROFILE_STEP_PX,
    X,
    Y,
)

HARDLY = 0.98
"""Most that a disc takes of the light of full lithium, for what it leaves to be known again."""
FAST = {"reassoc", "contract", "nsz"}
EQUATIONS = 20
"""Lower triangle and right side of five equations."""
ROUNDING = 2
"""Pixels of a margin that are more than the blur."""

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int32]
Circle = tuple[int, int, int]


class Room(NamedTuple):
    """Working memory of one thread, for one disc at a time.

    Attributes
    ----------
    lines : (3, K, distances) array
        The disc's cover of a pixel by distance, its slopes with log radius and onset.
    runs : (rows, 3) int array
        Row, first column and first pixel of each run; a last one holds how many pixels there are.
    at : (pixels,) int array
        Place in the lines.
    way : (3, pixels) array
        The share of a step beyond it, its slopes with y and x.
    loss, free : (K, pixels) array
    weight : (pixels,) array
    slopes, means : (6, pixels) array
        Of one image's losses with each parameter, and what is left of them; their means over all.
    """

    lines: Floats
    runs: Indices
    at: Indices
    way: Floats
    loss: Floats
    free: Floats
    weight: Floats
    slopes: Floats
    means: Floats


@njit(nogil=True, cache=True, error_model="numpy")
def room_for(table: Floats, margin: int, grid: Doubles) -> Room:
    """Working memory for discs as large as those of a table."""
    n, n_rho = table.shape[2], table.shape[3]
    side = 2 * (int(math.exp(grid[0] + grid[1] * table.shape[1])) + margin) + 4
    return Room(
        np.zeros((3, n, n_rho + 3), np.float32),
        np.zeros((side + 1, 3), np.int32),
        np.zeros(side * side, np.int32),
        np.zeros((3, side * side), np.float32),
        np.zeros((n, side * side), np.float32),
        np.zeros((n, side * side), np.float32),
        np.zeros(side * side, np.float32),
        np.zeros((6, side * side), np.float32),
        np.zeros((6, side * side), np.float32),
    )


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def place(value: float, first: float, step: float, n: int) -> tuple[int, float]:
    """Index below a value in an even grid, and the share of the step beyond it."""
    at = min(max((value - first) / step, 0.0), n - 1.001)
    return int(at), at - int(at)


@njit(nogil=True, cache=True, error_model="numpy")
def circle_of(disc: Doubles, margin: int) -> Circle:
    """Row, column and radius, in whole pixels, of what a disc with its blur covers."""
    reach = math.exp(disc[LOG_RADIUS]) + margin - ROUNDING
    return round(disc[Y]), round(disc[X]), math.ceil(reach)


@njit(nogil=True, cache=True, error_model="numpy")
def list_runs(circle: Circle, shape: tuple[int, int], runs: Indices) -> int:
    """List the runs of pixels in a circle; how many there are."""
    row, column, reach = circle
    m = n = 0
    for y in range(max(row - reach, 0), min(row + reach + 1, shape[0])):
        half = int(math.sqrt(float(reach * reach - (y - row) ** 2)))
        first, stop = max(column - half, 0), min(column + half + 1, shape[1])
        if stop > first:
            runs[m, 0], runs[m, 1], runs[m, 2] = y, first, n
            n += stop - first
            m += 1
    runs[m, 2] = n
    return m


@njit(nogil=True, cache=True, error_model="numpy")
def gather(image: Floats, runs: Indices, m: int, out: Floats) -> None:
    """Put the pixels of some runs one after the other."""
    for i in range(m):
        first, begin = runs[i, 1], runs[i, 2]
        n = runs[i + 1, 2] - begin
        row, own = image[runs[i, 0], first : first + n], out[begin : begin + n]
        for x in range(n):
            own[x] = row[x]


@njit(nogil=True, cache=True, error_model="numpy")
def put_back(own: Floats, runs: Indices, m: int, image: Floats) -> None:
    """The other way round."""
    for i in range(m):
        first, begin = runs[i, 1], runs[i, 2]
        n = runs[i + 1, 2] - begin
        row, part = image[runs[i, 0], first : first + n], own[begin : begin + n]
        for x in range(n):
            row[x] = part[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def find_lines(disc: Doubles, table: Floats, grid: Doubles, margin: int, lines: Floats) -> int:
    """Fill in cover and slopes of a disc by distance, 0 beyond; how many there are.

    Slopes are those in the middle of each step: there is no need to know them as well as the cover.
    """
    n_onsets, n_radii, n, n_rho = table.shape
    r, share = place(disc[LOG_RADIUS], grid[0], grid[1], n_radii)
    o, later = place(disc[ONSET], 0.0, grid[2], n_onsets)
    far: int = min(int((math.exp(disc[LOG_RADIUS]) + margin) / PROFILE_STEP_PX) + 1, n_rho)
    g, h, one, half = np.float32(share), np.float32(later), np.float32(1), np.float32(0.5)
    by_radius, by_onset = np.float32(1 / grid[1]), np.float32(1 / grid[2])
    for k in range(n):
        first, second = table[o, r, k, :far], table[o, r + 1, k, :far]
        third, fourth = table[o + 1, r, k, :far], table[o + 1, r + 1, k, :far]
        line = lines[0, k, :far]
        for i in range(far):
            line[i] = (one - h) * ((one - g) * first[i] + g * second[i]) + h * (
                (one - g) * third[i] + g * fourth[i]
            )
        line = lines[1, k, :far]
        for i in range(far):
            step = (one - h) * (second[i] - first[i]) + h * (fourth[i] - third[i])
            line[i] = step * by_radius
        line = lines[2, k, :far]
        for i in range(far):
            step = (one - g) * (third[i] - first[i]) + g * (fourth[i] - second[i])
            line[i] = step * by_onset
    lines[:, :, far : far + 2] = 0.0
    for own in lines[1:]:
        for k in range(n):
            line, following = own[k, :far], own[k, 1 : far + 1]
            for i in range(far):
                line[i] = half * (line[i] + following[i])
    return far


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def find_ways(disc: Doubles, m: int, far: int, room: Room) -> None:
    """Of a disc's pixels: place in the lines, the share beyond it, and slopes with y and x."""
    runs, at = room.runs, room.at
    share, down, across = room.way[0], room.way[1], room.way[2]
    for i in range(m):
        begin, end = runs[i, 2], runs[i + 1, 2]
        dy, x0 = np.float32(runs[i, 0] - disc[Y]), np.float32(runs[i, 1] - disc[X])
        for x in range(end - begin):
            down[begin + x] = dy
            across[begin + x] = x0 + np.float32(x)
    per_px, last, least = np.float32(1 / PROFILE_STEP_PX), np.float32(far), np.float32(1e-6)
    for x in range(runs[m, 2]):
        rho = np.sqrt(down[x] * down[x] + across[x] * across[x])
        step = min(rho * per_px, last)
        at[x] = np.int32(step)
        share[x] = step - np.float32(at[x])
        back = -per_px / max(rho, least)
        down[x] *= back
        across[x] *= back


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _look_up(line: Floats, at: Indices, beyond: Floats, n: int, out: Floats) -> None:
    """Values of a line at pixels; apart from what is made of them, whose loops are vectors."""
    for x in range(n):
        a = line[at[x]]
        out[x] = a + (line[at[x] + 1] - a) * beyond[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def multiply(disc: Doubles, full: float, n: int, into: bool, room: Room) -> None:
    """Put a disc into what is free of lithium at its pixels, or take it out again."""
    share, most, one = np.float32(disc[LOSS] / full), np.float32(HARDLY), np.float32(1)
    covered = room.slopes[LOSS]
    for k in range(len(room.free)):
        free = room.free[k]
        _look_up(room.lines[0, k], room.at, room.way[0], n, covered)
        if into:
            for x in range(n):
                free[x] *= one - min(share * covered[x], most)
        else:
            for x in range(n):
                free[x] /= one - min(share * covered[x], most)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _look_up_slopes(k: int, n: int, room: Room) -> None:
    """Fill in, for a disc's slopes, its cover, the step of it, and those with radius and onset."""
    cover, by_radius, by_onset = room.lines[0, k], room.lines[1, k], room.lines[2, k]
    at, beyond, slope = room.at, room.way[0], room.slopes
    step, covered, radius, onset = slope[Y], slope[LOSS], slope[LOG_RADIUS], slope[ONSET]
    for x in range(n):
        i, f = at[x], beyond[x]
        rise = cover[i + 1] - cover[i]
        step[x] = rise
        covered[x] = cover[i] + rise * f
        radius[x] = by_radius[i]
        onset[x] = by_onset[i]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _times_places(loss: np.float32, free: Floats, n: int, way: Floats, slope: Floats) -> None:
    down, across, step, other = way[1], way[2], slope[Y], slope[X]
    for x in range(n):
        part = loss * free[x] * step[x]
        step[x] = part * down[x]
        other[x] = part * across[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _times_loss(loss: np.float32, free: Floats, n: int, slope: Floats) -> None:
    for x in range(n):
        slope[x] *= loss * free[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _leave(
    light: Floats, free: Floats, share: np.float32, full: np.float32, n: int, covered: Floats,
    left: Floats,
) -> None:  # fmt: skip
    """Fill in what is left of a loss; the disc's cover becomes that of what others leave free."""
    most, one = np.float32(HARDLY), np.float32(1)
    for x in range(n):
        own, other = covered[x], free[x]
        covered[x] = other * own
        left[x] = light[x] - full * (one - other * (one - min(share * own, most)))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def find_slopes(disc: Doubles, full: float, k: int, n: int, room: Room) -> None:
    """Slopes of a disc's loss in one image with each parameter, and what is left of it."""
    loss, free, slope = np.float32(disc[LOSS]), room.free[k], room.slopes
    share = np.float32(disc[LOSS] / full)
    _look_up_slopes(k, n, room)
    _times_places(loss, free, n, room.way, slope)
    _times_loss(loss, free, n, slope[LOG_RADIUS])
    _times_loss(loss, free, n, slope[ONSET])
    _leave(room.loss[k], free, share, np.float32(full), n, slope[LOSS], slope[5])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def add_means(slopes: Floats, share: np.float32, n: int, means: Floats) -> None:
    """Add a share of one image's slopes (6, X) to their means over the images."""
    for a in range(6):
        own, mean = slopes[a], means[a]
        for x in range(n):
            mean[x] += share * own[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def add_products(
    slope: Floats, weight: Floats, n: int, frames: np.float32, sign: np.float32, sums: Doubles
) -> None:
    """Add one image's pixels, or take them off, to sums: lower triangle and right side."""
    s0, s1, s2, s3, s4, left = slope[0], slope[1], slope[2], slope[3], slope[4], slope[5]
    zero = np.float32(0)
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = a8 = a9 = zero
    b0 = b1 = b2 = b3 = b4 = c0 = c1 = c2 = c3 = c4 = zero
    for x in range(n):
        w = weight[x] * frames
        p0, p1, p2, p3, p4 = w * s0[x], w * s1[x], w * s2[x], w * s3[x], w * s4[x]
        rest = left[x]
        a0 += p0 * s0[x]
        a1 += p1 * s0[x]
        a2 += p1 * s1[x]
        a3 += p2 * s0[x]
        a4 += p2 * s1[x]
        a5 += p2 * s2[x]
        a6 += p3 * s0[x]
        a7 += p3 * s1[x]
        a8 += p3 * s2[x]
        a9 += p3 * s3[x]
        b0 += p4 * s0[x]
        b1 += p4 * s1[x]
        b2 += p4 * s2[x]
        b3 += p4 * s3[x]
        b4 += p4 * s4[x]
        c0 += p0 * rest
        c1 += p1 * rest
        c2 += p2 * rest
        c3 += p3 * rest
        c4 += p4 * rest
    row = (a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, c0, c1, c2, c3, c4)
    for i in range(EQUATIONS):
        sums[i] += sign * row[i]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def signal_of(
    disc: Doubles, full: float, frames: Doubles, n: int, room: Room
) -> tuple[float, float]:
    """Squared signal of a disc with a loss of 1, and what is left along it."""
    whole, share = np.float32(full), np.float32(disc[LOSS] / full)
    weight, slope, left = room.weight, room.slopes[LOSS], room.slopes[5]
    mean, mean_left = room.means[0], room.means[1]
    mean[:n] = 0
    mean_left[:n] = 0
    power = along = 0.0
    for k in range(len(frames)):
        own, per_frame = np.float32(frames[k]), np.float32(frames[k] / frames.sum())
        _look_up(room.lines[0, k], room.at, room.way[0], n, slope)
        _leave(room.loss[k], room.free[k], share, whole, n, slope, left)
        square = product = np.float32(0)
        for x in range(n):
            weighted = weight[x] * own * slope[x]
            square += weighted * slope[x]
            product += weighted * left[x]
            mean[x] += per_frame * slope[x]
            mean_left[x] += per_frame * left[x]
        power += float(square)
        along += float(product)
    square = product = np.float32(0)
    for x in range(n):
        weighted = weight[x] * mean[x]
        square += weighted * mean[x]
        product += weighted * mean_left[x]
    return power - frames.sum() * square, along - frames.sum() * product
