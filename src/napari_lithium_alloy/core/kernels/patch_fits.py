"""Patches of a picture sampled between pixels, and found again by least squares."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz"}
LEAST_CONTRAST = 0.1
"""Below this a shift means nothing."""
SETTLED_PX = 1e-3
"""Of a last step: the next would be a hundred times as small, and far below a patch's error."""


@njit(nogil=True, cache=True, error_model="numpy")
def _gaussian(part: float, sigma: float, out: NDArray[np.float64]) -> None:
    """Weights of the pixels around a place that is part of a pixel off the middle one."""
    reach, total = out.shape[0] // 2, 0.0
    for j in range(out.shape[0]):
        out[j] = np.exp(-0.5 * ((j - reach - part) / sigma) ** 2)
        total += out[j]
    out /= total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _sample(
    light: NDArray[np.float32],
    place: tuple[float, float],
    sigma: float,
    taps: NDArray[np.float64],
    rows: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Gaussian-smoothed patch around a place in a square of light.

    `taps` and `rows` are room to work in.
    """
    side, n = out.shape[0], taps.shape[0]
    wide = side + n - 1
    most = light.shape[0] - wide
    y, x = int(np.rint(place[0])), int(np.rint(place[1]))
    top = min(max(y - side // 2 - n // 2, 0), most)
    left = min(max(x - side // 2 - n // 2, 0), most)
    _gaussian(place[0] - y, sigma, taps)
    rows[:] = 0
    for i in range(wide):
        part = light[top + i, left : left + wide]
        for k in range(max(i - side + 1, 0), min(i + 1, n)):
            weight, row = taps[k], rows[i - k]
            for j in range(wide):
                row[j] += weight * part[j]
    _gaussian(place[1] - x, sigma, taps)
    out[:] = 0
    for i in range(side):
        for k in range(n):
            weight, row = taps[k], rows[i, k:]
            for j in range(side):
                out[i, j] += weight * row[j]


@njit(nogil=True, cache=True, error_model="numpy")
def sample_patches(
    light: NDArray[np.float32],
    places: NDArray[np.float64],
    sigma: float,
    reach: int,
    out: NDArray[np.float64],
) -> None:
    """(N, P, P) smoothed patches around (N, 2) places, each in its square of light (N, S, S).

    The Gaussian ends at `reach` pixels.
    """
    taps = np.empty(2 * reach + 1)
    rows = np.empty((out.shape[1], out.shape[1] + 2 * reach))
    for n in range(places.shape[0]):
        _sample(light[n], (places[n, 0], places[n, 1]), sigma, taps, rows, out[n])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _clipped_step(found: NDArray[np.float64], held: NDArray[np.float64], axis: int) -> float:
    """Shift along one axis in the directions that are held, at most a pixel."""
    contrast = found[2]
    if not abs(contrast) > LEAST_CONTRAST:
        return 0.0
    step = (held[axis, 0] * found[0] + held[axis, 1] * found[1]) / contrast
    return float(min(max(step, -1.0), 1.0))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _residual(
    seen: NDArray[np.float64],
    design: NDArray[np.float64],
    found: NDArray[np.float64],
    window: NDArray[np.float64],
) -> float:
    """Weighted mean square of what the fit leaves; `seen` is overwritten."""
    for i in range(design.shape[0]):
        part = found[i]
        column = design[i]
        for p in range(seen.shape[0]):
            seen[p] -= part * column[p]
    total = weight = 0.0
    for p in range(seen.shape[0]):
        total += window[p] * seen[p] * seen[p]
        weight += window[p]
    return total / weight


@njit(nogil=True, cache=True, error_model="numpy")
def fit_patches(
    light: NDArray[np.float32],
    looks: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    window: NDArray[np.float64],
    blur: tuple[float, int],
    n_steps: int,
    places: NDArray[np.float64],
    found: NDArray[np.float64],
    steps: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> None:
    """Gauss-Newton steps from `places`, which move, with each patch's own design.

    Parameters
    ----------
    light : (N, S, S) float32 array
        Squares around the patches, as large as they may move.
    looks : tuple of arrays
        Designs (N, 6, P), inverses (N, 6, 6) of their normal matrices, and projections
        (N, 2, 2) onto the directions in which a shift can be told.
    window : (P,) array
        Weights of a patch's pixels.
    blur : (float, int)
        The Gaussian of the samples, and where it ends.
    n_steps : int
        At most.
    places : (N, 2) array
        Each in its square.
    found : (N, 6) array
        Shift times contrast (2), contrast, level and slope (2) of the last step.
    steps : (N, 2) array
        The last step.
    variance : (N,) array
        Weighted mean square of what is left.
    """
    designs, inverses, held = looks
    side = int(np.sqrt(window.shape[0]))
    taps = np.empty(2 * blur[1] + 1)
    rows = np.empty((side, side + 2 * blur[1]))
    patch = np.empty((side, side))
    seen = patch.reshape(-1)
    weighted = np.empty(window.shape[0])
    right = np.empty(designs.shape[1])
    for n in range(places.shape[0]):
        for _ in range(n_steps):
            _sample(light[n], (places[n, 0], places[n, 1]), blur[0], taps, rows, patch)
            weighted[:] = window * seen
            for i in range(right.shape[0]):
                right[i] = _dot(designs[n, i], weighted)
            for i in range(right.shape[0]):
                found[n, i] = _dot(inverses[n, i], right)
            for axis in range(2):
                steps[n, axis] = _clipped_step(found[n], held[n], axis)
                places[n, axis] += steps[n, axis]
            if max(abs(steps[n, 0]), abs(steps[n, 1])) < SETTLED_PX:
                break
        variance[n] = _residual(seen, designs[n], found[n], window)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def add_likeness(
    seen: NDArray[np.float32], look: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Add the correlation coefficient of a look with what is seen at each place; 0 with none."""
    side, n = look.shape[0], look.size
    centred = look - look.mean()
    spread = (centred**2).sum()
    level = np.float64(seen.mean())
    width = out.shape[1]
    products, sums, squares = np.empty(width), np.empty(width), np.empty(width)
    for i in range(out.shape[0]):
        products[:], sums[:], squares[:] = 0, 0, 0
        for p in range(side):
            for q in range(side):
                weight, line = centred[p, q], seen[i + p, q : q + width]
                for j in range(width):
                    value = line[j] - level
                    products[j] += weight * value
                    sums[j] += value
                    squares[j] += value * value
        for j in range(width):
            energy = max(squares[j] - sums[j] ** 2 / n, 0.0) * spread
            if energy > 1e-12:
                out[i, j] += products[j] / np.sqrt(energy)
