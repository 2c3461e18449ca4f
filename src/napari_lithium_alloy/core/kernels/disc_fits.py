"""Least squares of blurred discs that grow, one site after the other."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from napari_lithium_alloy.core.disc_columns import (
    ABOVE_USUAL,
    ALIKE,
    LOG_RADIUS,
    LOSS,
    ONSET,
    X,
    Y,
)
from napari_lithium_alloy.core.kernels.disc_pixels import (
    EQUATIONS,
    FAST,
    Circle,
    Doubles,
    Floats,
    Indices,
    Room,
    add_means,
    add_products,
    circle_of,
    find_lines,
    find_slopes,
    find_ways,
    gather,
    list_runs,
    multiply,
    put_back,
    room_for,
    signal_of,
)

_LARGEST_STEPS = (0.7, 0.7, 0.2, 0.5, 0.15)
_DAMPING = 1.02
_SETTLED = 0.005
"""Pixels of a step, or what counts as much, after which the next one would be far smaller."""


@njit(nogil=True, cache=True, error_model="numpy")
def _take_place(images: tuple[Floats, Floats, Floats], circle: Circle, room: Room) -> int:
    """Find what is at the pixels of a circle; how many runs they are."""
    loss, free, weight = images
    m = list_runs(circle, weight.shape, room.runs)
    for k in range(len(free)):
        gather(loss[k], room.runs, m, room.loss[k])
        gather(free[k], room.runs, m, room.free[k])
    gather(weight, room.runs, m, room.weight)
    return int(m)


@njit(nogil=True, cache=True, error_model="numpy")
def _find_cover(
    disc: Doubles, table: Floats, grid: Doubles, margin: int, m: int, room: Room
) -> int:
    """Find what a disc covers of the pixels of its place; how many they are."""
    find_ways(disc, m, find_lines(disc, table, grid, margin, room.lines), room)
    return int(room.runs[m, 2])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def multiply_all(
    free: Floats, discs: Doubles, full: float, table: Floats, grid: Doubles, margin: int, into: bool
) -> None:
    """Put discs into what is free of lithium (K, Y, X), or take them out again."""
    room = room_for(table, margin, grid)
    for i in range(len(discs)):
        m = list_runs(circle_of(discs[i], margin), free.shape[1:], room.runs)
        for k in range(len(free)):
            gather(free[k], room.runs, m, room.free[k])
        n = _find_cover(discs[i], table, grid, margin, m, room)
        multiply(discs[i], full, n, into, room)
        _put_free(free, m, room)


@njit(nogil=True, cache=True, error_model="numpy")
def _put_free(free: Floats, m: int, room: Room) -> None:
    for k in range(len(free)):
        put_back(room.free[k], room.runs, m, free[k])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _normal_equations(
    frames: Doubles,
    full: float,
    disc: Doubles,
    n: int,
    normal: Doubles,
    right_side: Doubles,
    room: Room,
) -> float:
    """Normal equations of a disc in its place; the squared signal of one with a loss of 1."""
    sums, whole = np.zeros(EQUATIONS), frames.sum()
    most, one = np.float32(whole), np.float32(1)
    room.means[:, :n] = 0
    for k in range(len(frames)):
        find_slopes(disc, full, k, n, room)
        add_means(room.slopes, np.float32(frames[k] / whole), n, room.means)
        add_products(room.slopes, room.weight, n, np.float32(frames[k]), one, sums)
    # Of what is free of its mean, as (a - <a>)(b - <b>) is on average ab - <a><b>.
    add_products(room.means, room.weight, n, most, -one, sums)
    i = 0
    for a in range(5):
        right_side[a] = sums[15 + a]
        for b in range(a + 1):
            normal[a, b] = normal[b, a] = sums[i]
            i += 1
    return float(normal[LOSS, LOSS])


@njit(nogil=True, cache=True, error_model="numpy")
def _signal(disc: Doubles, power: float, along: float) -> float:
    return float((disc[LOSS] * power + along) / math.sqrt(max(power, 1e-12)))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def fit_discs(
    loss: Floats,
    free: Floats,
    weight: Floats,
    frames: Doubles,
    full: float,
    discs: Doubles,
    which: Indices,
    table: Floats,
    grid: Doubles,
    margin: int,
    steps: int,
    signal: Doubles,
    moved: Doubles,
    normals: Doubles,
) -> None:
    """Some Gauss-Newton steps of these discs in turn with all others held, in place.

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
    which : (M,) int array
        Those to be fitted.
    table : (onsets, radii, K, distances) float32 array
        Covered share of a pixel.
    grid : (3,) array
        First log radius, its step, and the onset's.
    margin : int
        What a disc's blur adds to its radius, pixels.
    steps : int
        Most of each disc; one that has settled takes no more. 0: only measure.
    signal : (N,) array
        Out: each disc's signal-to-noise in the presence of the others.
    moved : (N,) array
        Out: how far each was moved, in pixels and what counts as much.
    normals : (N, 5, 5) array
        Out: normal equations of each disc before its last step, of the data alone.
    """
    images = loss, free, weight
    normal, right_side = np.empty((5, 5)), np.empty(5)
    room, before, last = room_for(table, margin, grid), np.empty(5), np.empty(5)
    for i in which:
        disc = discs[i]
        before[:] = disc
        circle = circle_of(disc, margin)
        m = _take_place(images, circle, room)
        n = _find_cover(disc, table, grid, margin, m, room)
        multiply(disc, full, n, False, room)
        if steps == 0:
            power, along = signal_of(disc, full, frames, n, room)
            signal[i], moved[i] = _signal(disc, power, along), 0.0
            continue
        for _ in range(steps):
            power = _normal_equations(frames, full, disc, n, normal, right_side, room)
            # Of the data alone: the loss below is also drawn to that of the other discs.
            signal[i] = _signal(disc, power, right_side[LOSS])
            normals[i] = normal
            last[:] = disc
            # Lithium of a film is about as dark everywhere: what noise leaves open follows it.
            normal[LOSS, LOSS] += 1 / (ALIKE * full) ** 2
            right_side[LOSS] += (full / ABOVE_USUAL - disc[LOSS]) / (ALIKE * full) ** 2
            _step(disc, normal, right_side, free.shape, full, table, grid)
            if circle_of(disc, margin) != circle:
                _put_free(free, m, room)
                circle = circle_of(disc, margin)
                m = _take_place(images, circle, room)
            n = _find_cover(disc, table, grid, margin, m, room)
            if _distance(last, disc, full) < _SETTLED:
                break
        multiply(disc, full, n, True, room)
        _put_free(free, m, room)
        moved[i] = _distance(before, disc, full)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _distance(before: Doubles, disc: Doubles, full: float) -> float:
    place = max(abs(disc[Y] - before[Y]), abs(disc[X] - before[X]))
    radius = abs(math.exp(disc[LOG_RADIUS]) - math.exp(before[LOG_RADIUS]))
    loss = 5 * abs(disc[LOSS] - before[LOSS]) / full
    return float(max(place, radius, loss, 10 * abs(disc[ONSET] - before[ONSET])))


@njit(nogil=True, cache=True, error_model="numpy")
def _solve(matrix: Doubles, values: Doubles) -> None:
    """Solve few equations with a positive definite matrix in place (Cholesky)."""
    n = len(values)
    for a in range(n):
        for b in range(a + 1):
            rest = matrix[a, b]
            for c in range(b):
                rest -= matrix[a, c] * matrix[b, c]
            matrix[a, b] = math.sqrt(max(rest, 1e-30)) if a == b else rest / matrix[b, b]
    for a in range(n):
        for b in range(a):
            values[a] -= matrix[a, b] * values[b]
        values[a] /= matrix[a, a]
    for a in range(n - 1, -1, -1):
        for b in range(a + 1, n):
            values[a] -= matrix[b, a] * values[b]
        values[a] /= matrix[a, a]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _step(
    disc: Doubles,
    normal: Doubles,
    right_side: Doubles,
    shape: tuple[int, int, int],
    full: float,
    table: Floats,
    grid: Doubles,
) -> None:
    """One damped step within bounds; radius and onset resist where noise would move them far."""
    for a in range(5):
        normal[a, a] = normal[a, a] * _DAMPING + 1e-9
    normal[LOG_RADIUS, LOG_RADIUS] += 1 / 0.3**2
    normal[ONSET, ONSET] += 1 / 0.2**2
    _solve(normal, right_side)
    for a in range(5):
        disc[a] += min(max(right_side[a], -_LARGEST_STEPS[a]), _LARGEST_STEPS[a])
    last = grid[0] + grid[1] * (table.shape[1] - 1.001)
    disc[Y] = min(max(disc[Y], 0.0), shape[1] - 1.0)
    disc[X] = min(max(disc[X], 0.0), shape[2] - 1.0)
    disc[LOG_RADIUS] = min(max(disc[LOG_RADIUS], grid[0]), last)
    disc[LOSS] = min(max(disc[LOSS], 0.0), 0.97 * full)  # beyond, cover and loss are one
    disc[ONSET] = min(max(disc[ONSET], 0.0), grid[2] * (table.shape[0] - 1.001))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def chi2(loss: Floats, free: Floats, weight: Floats, frames: Doubles, full: float) -> float:
    """Weighted sum of squares of what discs do not explain."""
    total, share = 0.0, frames / frames.sum()
    for y in range(loss.shape[1]):
        for x in range(loss.shape[2]):
            if weight[y, x] <= 0:
                continue
            mean = 0.0
            for k in range(len(frames)):
                mean += share[k] * (1 - free[k, y, x])
            for k in range(len(frames)):
                rest = loss[k, y, x] - full * (1 - free[k, y, x] - mean)
                total += weight[y, x] * frames[k] * rest * rest
    return total
