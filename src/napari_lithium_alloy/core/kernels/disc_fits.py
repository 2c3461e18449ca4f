"""Least squares of blurred discs that grow, one site after the other."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_lithium_alloy.core.disc_columns import (
    ABOVE_USUAL,
    ALIKE,
    LOG_RADIUS,
    LOSS,
    ONSET,
    PROFILE_STEP_PX,
    X,
    Y,
)

_HARDLY = 0.98
_LARGEST_STEPS = (0.7, 0.7, 0.2, 0.5, 0.15)
_DAMPING = 1.02

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _place(value: float, first: float, step: float, n: int) -> tuple[int, float]:
    """Index below a value in an even grid, and the share of the step beyond it."""
    at = min(max((value - first) / step, 0.0), n - 1.001)
    return int(at), at - int(at)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _cover(disc: Doubles, dy: float, dx: float, table: Floats, grid: Doubles, out: Doubles) -> bool:
    """Covered share of one pixel in each image and its slopes with y, x, log radius and onset.

    `grid` holds the first log radius, its step and the step of the onset. False if out of reach.
    """
    n_onsets, n_radii, n_rho, n = table.shape
    rho = math.sqrt(dy * dy + dx * dx)
    at = int(rho / PROFILE_STEP_PX)
    if at >= n_rho - 1:
        return False
    f = rho / PROFILE_STEP_PX - at
    r, g = _place(disc[LOG_RADIUS], grid[0], grid[1], n_radii)
    o, h = _place(disc[ONSET], 0.0, grid[2], n_onsets)
    far = max(rho, 1e-6)
    for k in range(n):
        corner = 0.0
        slope = 0.0
        by_radius = 0.0
        by_onset = 0.0
        for i in range(2):
            for j in range(2):
                a, b = table[o + i, r + j, at, k], table[o + i, r + j, at + 1, k]
                weight = (h if i else 1 - h) * (g if j else 1 - g)
                value = a + (b - a) * f
                corner += weight * value
                slope += weight * (b - a)
                by_radius += (h if i else 1 - h) * (value if j else -value)
                by_onset += (g if j else 1 - g) * (value if i else -value)
        slope /= PROFILE_STEP_PX
        out[0, k] = corner
        out[1, k] = -slope * dy / far
        out[2, k] = -slope * dx / far
        out[3, k] = by_radius / grid[1]
        out[4, k] = by_onset / grid[2]
    return True


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _window(disc: Doubles, margin: int, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    reach = int(math.exp(disc[LOG_RADIUS])) + margin
    return (
        max(0, int(disc[Y]) - reach),
        min(shape[0], int(disc[Y]) + reach + 2),
        max(0, int(disc[X]) - reach),
        min(shape[1], int(disc[X]) + reach + 2),
    )


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def multiply(
    free: Floats, disc: Doubles, full: float, table: Floats, grid: Doubles, margin: int, into: bool
) -> None:
    """Put a disc into what is free of lithium (K, Y, X), or take it out again."""
    cover = np.empty((5, table.shape[3]))
    top, bottom, left, right = _window(disc, margin, free.shape[1:])
    for y in range(top, bottom):
        for x in range(left, right):
            if not _cover(disc, y - disc[Y], x - disc[X], table, grid, cover):
                continue
            for k in range(table.shape[3]):
                rest = 1 - min(disc[LOSS] * cover[0, k] / full, _HARDLY)
                free[k, y, x] = free[k, y, x] * rest if into else free[k, y, x] / rest


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _slopes(
    disc: Doubles,
    cover: Doubles,
    free: Floats,
    y: int,
    x: int,
    full: float,
    share: Doubles,
    slope: Doubles,
) -> float:
    """Slopes of one pixel's loss with each parameter less their means; its mean cover."""
    mean = 0.0
    for k in range(len(share)):
        others = free[k, y, x] / (1 - min(disc[LOSS] * cover[0, k] / full, _HARDLY))
        slope[Y, k] = disc[LOSS] * others * cover[1, k]
        slope[X, k] = disc[LOSS] * others * cover[2, k]
        slope[LOG_RADIUS, k] = disc[LOSS] * others * cover[3, k]
        slope[LOSS, k] = others * cover[0, k]
        slope[ONSET, k] = disc[LOSS] * others * cover[4, k]
        mean += share[k] * (1 - free[k, y, x])
    for a in range(5):
        middle = 0.0
        for k in range(len(share)):
            middle += share[k] * slope[a, k]
        for k in range(len(share)):
            slope[a, k] -= middle
    return mean


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def normal_equations(
    loss: Floats,
    free: Floats,
    weight: Floats,
    frames: Doubles,
    full: float,
    disc: Doubles,
    table: Floats,
    grid: Doubles,
    margin: int,
    normal: Doubles,
    right_side: Doubles,
) -> float:
    """Normal equations of one disc, in place; the squared signal of one with a loss of 1."""
    n, share, power = len(frames), frames / frames.sum(), 0.0
    cover, slope = np.empty((5, n)), np.empty((5, n))
    normal[:], right_side[:] = 0.0, 0.0
    top, bottom, left, right = _window(disc, margin, weight.shape)
    for y in range(top, bottom):
        for x in range(left, right):
            dy, dx = y - disc[Y], x - disc[X]
            if weight[y, x] <= 0 or not _cover(disc, dy, dx, table, grid, cover):
                continue
            mean = _slopes(disc, cover, free, y, x, full, share, slope)
            for k in range(n):
                left_over = loss[k, y, x] - full * (1 - free[k, y, x] - mean)
                w = weight[y, x] * frames[k]
                power += w * slope[LOSS, k] ** 2
                for a in range(5):
                    right_side[a] += w * slope[a, k] * left_over
                    for b in range(a + 1):
                        normal[a, b] += w * slope[a, k] * slope[b, k]
    return power


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def fit_discs(
    loss: Floats,
    free: Floats,
    weight: Floats,
    frames: Doubles,
    full: float,
    discs: Doubles,
    table: Floats,
    grid: Doubles,
    margin: int,
    steps: int,
    signal: Doubles,
) -> None:
    """Some Gauss-Newton steps of every disc with all others held, in place.

    Where discs overlap, no more light is lost than under one: full x (1 - product of what each
    leaves free). Only what changes in time counts: each pixel's mean over the images is free.

    Parameters
    ----------
    loss : (K, Y, X) float32 array
        Loss of light in K images, each pixel's mean over the frames taken off.
    free : (K, Y, X) float32 array
        Product over the discs of 1 - loss / full, in step with `discs`.
    weight : (Y, X) float32 array
        One over the variance of a single frame; 0 where there is no film.
    frames : (K,) array
        Frames in each image.
    full : float
        Loss of light under lithium.
    discs : (N, 5) array
        Row, column, log radius, loss and onset.
    table : (onsets, radii, distances, K) float32 array
        Covered share of a pixel.
    grid : (3,) array
        First log radius, its step, and the onset's.
    margin : int
        What a disc's blur adds to its radius, pixels.
    steps : int
        0: only measure.
    signal : (N,) array
        Out: each disc's signal-to-noise in the presence of the others.
    """
    normal, right_side = np.empty((5, 5)), np.empty(5)
    for i in range(len(discs)):
        disc = discs[i]
        for _ in range(max(steps, 1)):
            power = normal_equations(
                loss, free, weight, frames, full, disc, table, grid, margin, normal, right_side
            )
            # Of the data alone: the loss below is also drawn to that of the other discs.
            signal[i] = (disc[LOSS] * power + right_side[LOSS]) / math.sqrt(max(power, 1e-12))
            if steps == 0:
                break
            # Lithium of one film is about as dark everywhere: what noise leaves open follows that.
            normal[LOSS, LOSS] += 1 / (ALIKE * full) ** 2
            right_side[LOSS] += (full / ABOVE_USUAL - disc[LOSS]) / (ALIKE * full) ** 2
            _step(disc, normal, right_side, free, full, table, grid, margin)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _step(
    disc: Doubles,
    normal: Doubles,
    right_side: Doubles,
    free: Floats,
    full: float,
    table: Floats,
    grid: Doubles,
    margin: int,
) -> None:
    """One damped step within bounds; radius and onset resist where noise would move them far."""
    for a in range(5):
        for b in range(a):
            normal[b, a] = normal[a, b]
        normal[a, a] = normal[a, a] * _DAMPING + 1e-9
    normal[LOG_RADIUS, LOG_RADIUS] += 1 / 0.3**2
    normal[ONSET, ONSET] += 1 / 0.2**2
    change = np.linalg.solve(normal, right_side)
    multiply(free, disc, full, table, grid, margin, False)
    for a in range(5):
        disc[a] += min(max(change[a], -_LARGEST_STEPS[a]), _LARGEST_STEPS[a])
    last = grid[0] + grid[1] * (table.shape[1] - 1.001)
    disc[Y] = min(max(disc[Y], 0.0), free.shape[1] - 1.0)
    disc[X] = min(max(disc[X], 0.0), free.shape[2] - 1.0)
    disc[LOG_RADIUS] = min(max(disc[LOG_RADIUS], grid[0]), last)
    disc[LOSS] = min(max(disc[LOSS], 0.0), 0.97 * full)  # beyond, cover and loss are one
    disc[ONSET] = min(max(disc[ONSET], 0.0), grid[2] * (table.shape[0] - 1.001))
    multiply(free, disc, full, table, grid, margin, True)
