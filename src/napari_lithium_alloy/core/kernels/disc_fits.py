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
    X,
    Y,
)
from napari_lithium_alloy.core.kernels.disc_rows import (
    EQUATIONS,
    FAST,
    HARDLY,
    Doubles,
    Floats,
    Indices,
    Room,
    add_means,
    add_row,
    distances,
    lines_of,
    room_for,
    slopes_of,
    span,
    window,
)

_LARGEST_STEPS = (0.7, 0.7, 0.2, 0.5, 0.15)
_DAMPING = 1.02


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def multiply(
    free: Floats,
    disc: Doubles,
    full: float,
    table: Floats,
    grid: Doubles,
    margin: int,
    into: bool,
    room: Room,
) -> None:
    """Put a disc into what is free of lithium (K, Y, X), or take it out again."""
    lines, at, work = room[0], room[1], room[2][0]
    far = lines_of(disc, table, grid, margin, lines)
    share, most = np.float32(disc[LOSS] / full), np.float32(HARDLY)
    one = np.float32(1)
    top, bottom, left, right = window(disc, margin, free.shape[1:])
    for y in range(top, bottom):
        first, stop = span(disc, y, margin, left, right)
        distances(disc, y, first, stop, far, at, work)
        for k in range(free.shape[0]):
            line, row = lines[0, k], free[k, y, first:stop]
            for x in range(stop - first):
                a = line[at[x]]
                rest = one - min(share * (a + (line[at[x] + 1] - a) * work[0, x]), most)
                row[x] = row[x] * rest if into else row[x] / rest


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def multiply_all(
    free: Floats, discs: Doubles, full: float, table: Floats, grid: Doubles, margin: int, into: bool
) -> None:
    """Put discs into what is free of lithium, or take them out again."""
    room = room_for(table, margin, grid)
    for i in range(len(discs)):
        multiply(free, discs[i], full, table, grid, margin, into, room)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def normal_equations(
    loss: Floats,
    others: Floats,
    weight: Floats,
    frames: Doubles,
    full: float,
    disc: Doubles,
    table: Floats,
    grid: Doubles,
    margin: int,
    normal: Doubles,
    right_side: Doubles,
    room: Room,
) -> float:
    """Normal equations of one disc, in place; the squared signal of one with a loss of 1.

    `others` is what the other discs leave free.
    """
    lines, at, work = room[0], room[1], room[2][0]
    slopes, means, sums = room[3][0], room[3][1], np.zeros(EQUATIONS)
    whole = frames.sum()
    most, one = np.float32(whole), np.float32(1)
    far = lines_of(disc, table, grid, margin, lines)
    top, bottom, left, right = window(disc, margin, weight.shape)
    for y in range(top, bottom):
        first, stop = span(disc, y, margin, left, right)
        distances(disc, y, first, stop, far, at, work)
        w = weight[y, first:stop]
        means[:, : len(w)] = 0
        for k in range(len(frames)):
            row = others[k, y, first:stop]
            slopes_of(row, loss[k, y, first:stop], disc, full, k, lines, at, work, slopes)
            add_means(slopes, np.float32(frames[k] / whole), len(w), means)
            add_row(slopes, w, np.float32(frames[k]), one, sums)
        # Of what is free of its mean, as (a - <a>)(b - <b>) is on average ab - <a><b>.
        add_row(means, w, most, -one, sums)
    i = 0
    for a in range(5):
        right_side[a] = sums[15 + a]
        for b in range(a + 1):
            normal[a, b] = normal[b, a] = sums[i]
            i += 1
    return float(normal[LOSS, LOSS])


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
    moved : (N,) array
        Out: how far each was moved, in pixels and what counts as much.
    """
    normal, right_side = np.empty((5, 5)), np.empty(5)
    room, before = room_for(table, margin, grid), np.empty(5)
    for i in which:
        disc = discs[i]
        before[:] = disc
        multiply(free, disc, full, table, grid, margin, False, room)
        for _ in range(max(steps, 1)):
            power = normal_equations(
                loss, free, weight, frames, full, disc, table, grid, margin, normal, right_side,
                room,
            )  # fmt: skip
            # Of the data alone: the loss below is also drawn to that of the other discs.
            signal[i] = (disc[LOSS] * power + right_side[LOSS]) / math.sqrt(max(power, 1e-12))
            if steps > 0:
                # Lithium of a film is about as dark everywhere: what noise leaves open follows it.
                normal[LOSS, LOSS] += 1 / (ALIKE * full) ** 2
                right_side[LOSS] += (full / ABOVE_USUAL - disc[LOSS]) / (ALIKE * full) ** 2
                _step(disc, normal, right_side, free.shape, full, table, grid)
        multiply(free, disc, full, table, grid, margin, True, room)
        moved[i] = _distance(before, disc, full)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def normals_of(
    loss: Floats,
    free: Floats,
    weight: Floats,
    frames: Doubles,
    full: float,
    discs: Doubles,
    table: Floats,
    grid: Doubles,
    margin: int,
) -> Doubles:
    """(N, 5, 5) normal equations of each disc, of the data alone."""
    normals, right_side = np.empty((len(discs), 5, 5)), np.empty(5)
    room = room_for(table, margin, grid)
    for i in range(len(discs)):
        multiply(free, discs[i], full, table, grid, margin, False, room)
        normal_equations(
            loss, free, weight, frames, full, discs[i], table, grid, margin, normals[i],
            right_side, room,
        )  # fmt: skip
        multiply(free, discs[i], full, table, grid, margin, True, room)
    return normals


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _distance(before: Doubles, disc: Doubles, full: float) -> float:
    place = max(abs(disc[Y] - before[Y]), abs(disc[X] - before[X]))
    radius = abs(math.exp(disc[LOG_RADIUS]) - math.exp(before[LOG_RADIUS]))
    loss = 5 * abs(disc[LOSS] - before[LOSS]) / full
    return float(max(place, radius, loss, 10 * abs(disc[ONSET] - before[ONSET])))


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
    change = np.linalg.solve(normal, right_side)
    for a in range(5):
        disc[a] += min(max(change[a], -_LARGEST_STEPS[a]), _LARGEST_STEPS[a])
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


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def background_sums(
    loss: Floats,
    free: Floats,
    film: NDArray[np.bool_],
    share: Floats,
    full: np.float32,
    least: np.float32,
    cell: int,
    rows: tuple[int, int],
    sums: Floats,
    known: Floats,
) -> None:
    """Means over cells of what discs leave of the losses, and of where that is background.

    Parameters
    ----------
    loss, free : (K, Y, X) float32 array
    film : (Y, X) bool array
    share : (K,) float32 array
        Of each image's frames of all.
    full : float
    least : float
        Share free of lithium from which a pixel is background.
    cell : int
        Side of a cell; a last cell takes the rows and columns that are left over.
    rows : (int, int)
        Of cells.
    sums : (K, y, x) float32 array
        Out: of the background, 0 elsewhere.
    known : (y, x) float32 array
        Out: share that is background.
    """
    n, height, width = loss.shape
    strips, there = np.empty((n, width), np.float32), np.empty(width, np.float32)
    mean, own = np.empty(width, np.float32), np.empty(width, np.float32)
    zero, one = np.float32(0), np.float32(1)
    for r in range(rows[0], rows[1]):
        bottom = height if r == known.shape[0] - 1 else (r + 1) * cell
        strips[:] = 0
        there[:] = 0
        for y in range(r * cell, bottom):
            mean[:] = 0
            own[:] = 1
            for k in range(n):
                row = free[k, y]
                for x in range(width):
                    mean[x] += share[k] * row[x]
                    own[x] = min(own[x], row[x])
            for x in range(width):
                own[x] = one if own[x] > least and film[y, x] else zero
                there[x] += own[x]
            for k in range(n):
                row, lost, strip = free[k, y], loss[k, y], strips[k]
                for x in range(width):
                    strip[x] += own[x] * (lost[x] + full * (row[x] - mean[x]))
        for c in range(known.shape[1]):
            right = width if c == known.shape[1] - 1 else (c + 1) * cell
            pixels = np.float32((bottom - r * cell) * (right - c * cell))
            known[r, c] = there[c * cell : right].sum() / pixels
            for k in range(n):
                sums[k, r, c] = strips[k, c * cell : right].sum() / pixels


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def take_off_cells(
    image: Floats,
    film: NDArray[np.bool_],
    cells: Floats,
    cell: int,
    rows: tuple[int, int],
) -> None:
    """Take from an image values of cells, between their centres, where there is film."""
    n_rows, n_columns = cells.shape
    width = image.shape[1]
    line, step = np.zeros(n_columns + 1, np.float32), np.zeros(n_columns + 1, np.float32)
    at, beyond = np.empty(width, np.int32), np.empty(width, np.float32)
    for x in range(width):
        u = min(max((x + 0.5) / cell - 0.5, 0.0), n_columns - 1.0)
        at[x] = np.int32(u)
        beyond[x] = np.float32(u - at[x])
    for y in range(rows[0], rows[1]):
        v = min(max((y + 0.5) / cell - 0.5, 0.0), n_rows - 1.0)
        i = min(int(v), max(n_rows - 2, 0))
        below, f = min(i + 1, n_rows - 1), np.float32(v - i)
        for c in range(n_columns):
            line[c] = cells[i, c] + f * (cells[below, c] - cells[i, c])
        for c in range(n_columns - 1):
            step[c] = line[c + 1] - line[c]
        row, own = image[y], film[y]
        for x in range(width):
            value = line[at[x]] + beyond[x] * step[at[x]]
            row[x] -= value if own[x] else np.float32(0)
