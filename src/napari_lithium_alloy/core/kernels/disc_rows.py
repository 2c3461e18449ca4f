"""Rows of pixels of blurred discs that grow: what they cover, and its slopes.

The loops over a row's pixels are those the compiler makes wide.
"""

from __future__ import annotations

import math

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
Room = tuple[Floats, Indices, Floats, Floats]
"""Working memory of one thread."""


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def place(value: float, first: float, step: float, n: int) -> tuple[int, float]:
    """Index below a value in an even grid, and the share of the step beyond it."""
    at = min(max((value - first) / step, 0.0), n - 1.001)
    return int(at), at - int(at)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def window(disc: Doubles, margin: int, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """First row, that after the last, and the columns likewise, that a disc reaches."""
    reach = int(math.exp(disc[LOG_RADIUS])) + margin
    return (
        max(0, int(disc[Y]) - reach),
        min(shape[0], int(disc[Y]) + reach + 2),
        max(0, int(disc[X]) - reach),
        min(shape[1], int(disc[X]) + reach + 2),
    )


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def span(disc: Doubles, y: int, margin: int, left: int, right: int) -> tuple[int, int]:
    """First column of a row that a disc with its blur covers, and that after the last."""
    reach, dy = math.exp(disc[LOG_RADIUS]) + margin - ROUNDING, y - disc[Y]
    half = math.sqrt(max(reach * reach - dy * dy, 0.0))
    first = min(max(left, math.ceil(disc[X] - half)), right)
    return first, max(first, min(right, math.floor(disc[X] + half) + 1))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def lines_of(disc: Doubles, table: Floats, grid: Doubles, margin: int, lines: Floats) -> int:
    """Fill (3, K, distances) with the cover, its slopes with log radius and onset; how many."""
    n_onsets, n_radii, n_rho, n = table.shape
    r, g = place(disc[LOG_RADIUS], grid[0], grid[1], n_radii)
    o, h = place(disc[ONSET], 0.0, grid[2], n_onsets)
    far: int = min(int((math.exp(disc[LOG_RADIUS]) + margin) / PROFILE_STEP_PX) + 1, n_rho)
    for i in range(far):
        for k in range(n):
            a, b = table[o, r, i, k], table[o, r + 1, i, k]
            c, d = table[o + 1, r, i, k], table[o + 1, r + 1, i, k]
            lines[0, k, i] = (1 - h) * ((1 - g) * a + g * b) + h * ((1 - g) * c + g * d)
            lines[1, k, i] = ((1 - h) * (b - a) + h * (d - c)) / grid[1]
            lines[2, k, i] = ((1 - g) * (c - a) + g * (d - b)) / grid[2]
    lines[:, :, far : far + 2] = 0.0
    return far


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def distances(
    disc: Doubles, y: int, left: int, right: int, far: int, at: Indices, work: Floats
) -> None:
    """Of a row's pixels: place in the lines, the share beyond it, and slopes with y and x."""
    dy = np.float32(y - disc[Y])
    x0 = np.float32(left - disc[X])
    per_px = np.float32(1 / PROFILE_STEP_PX)
    last = np.float32(far)
    for x in range(right - left):
        dx = x0 + np.float32(x)
        rho = np.sqrt(dy * dy + dx * dx)
        step = min(rho * per_px, last)
        at[x] = np.int32(step)
        work[0, x] = step - np.float32(at[x])
        back = -per_px / max(rho, np.float32(1e-6))
        work[1, x] = dy * back
        work[2, x] = dx * back


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def slopes_of(
    others: Floats, light: Floats, disc: Doubles, full: float, k: int, lines: Floats, at: Indices,
    work: Floats, slope: Floats,
) -> None:  # fmt: skip
    """Slopes of a row's loss in one image with each parameter, and what is left of it."""
    loss, one, whole = np.float32(disc[LOSS]), np.float32(1), np.float32(full)
    share, most = np.float32(disc[LOSS] / full), np.float32(HARDLY)
    cover, by_radius, by_onset = lines[0, k], lines[1, k], lines[2, k]
    for x in range(len(others)):
        i, f, other = at[x], work[0, x], others[x]
        step = cover[i + 1] - cover[i]
        covered = cover[i] + step * f
        part = loss * other
        slope[Y, x] = part * step * work[1, x]
        slope[X, x] = part * step * work[2, x]
        slope[LOG_RADIUS, x] = part * (by_radius[i] + (by_radius[i + 1] - by_radius[i]) * f)
        slope[LOSS, x] = other * covered
        slope[ONSET, x] = part * (by_onset[i] + (by_onset[i + 1] - by_onset[i]) * f)
        slope[5, x] = light[x] - whole * (one - other * (one - min(share * covered, most)))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def add_means(slopes: Floats, share: np.float32, n: int, means: Floats) -> None:
    """Add a share of one image's slopes (6, X) to their means over the images."""
    for a in range(6):
        own, mean = slopes[a], means[a]
        for x in range(n):
            mean[x] += share * own[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def add_row(
    slope: Floats, weight: Floats, frames: np.float32, sign: np.float32, sums: Doubles
) -> None:
    """Add one image's row, or take it off, to the sums of the lower triangle, the right side."""
    s0, s1, s2, s3, s4, left = slope[0], slope[1], slope[2], slope[3], slope[4], slope[5]
    zero = np.float32(0)
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = a8 = a9 = zero
    b0 = b1 = b2 = b3 = b4 = c0 = c1 = c2 = c3 = c4 = zero
    for x in range(len(weight)):
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
def room_for(table: Floats, margin: int, grid: Doubles) -> Room:
    """Working memory of one thread."""
    n_rho, n = table.shape[2], table.shape[3]
    width = 2 * (int(math.exp(grid[0] + grid[1] * table.shape[1])) + margin) + 4
    return (
        np.zeros((3, n, n_rho + 3), np.float32),
        np.zeros(width, np.int32),
        np.zeros((2, 3, width), np.float32),
        np.zeros((2, 6, width), np.float32),
    )
