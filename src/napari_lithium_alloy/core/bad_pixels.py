"""Pixels that are the camera's fault, not the film's."""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import by_rows, in_order
from napari_lithium_alloy.core.smoothing import robust_sd

SAMPLED_FRAMES = 16
ODD_FRAMES = 0.9
"""Of the frames looked at, in which a bad pixel differs at least."""
BAD_SHARE, BAD_SIGMAS = 0.2, 8.0
"""A bad pixel differs from its neighbours' median by both: share of the light, and noise."""
NOISE_ROWS = 64
SORTING = (
    *((0, 2), (1, 3), (4, 6), (5, 7), (0, 4), (1, 5), (2, 6), (3, 7), (0, 1), (2, 3)),
    *((4, 5), (6, 7), (2, 4), (3, 5), (1, 4), (3, 6), (1, 2), (3, 4), (5, 6)),
)
"""Comparisons after which eight values are in order (Knuth, The Art of Computer Programming 3,
5.3.4), whatever they are: so they can be those of whole pictures."""

Places = tuple[IntArray, ...]
"""Rows and columns of pixels."""


def sampled_frames(recording: Recording) -> list[int]:
    """Indices of a few frames from the first to the last, each once."""
    n = recording.n_frames
    spread = np.linspace(0, n - 1, min(n, SAMPLED_FRAMES)).astype(int)
    return [int(t) for t in np.unique(spread)]


def bad_pixels(recording: Recording, dark: float | FloatArray) -> BoolArray:
    """(Y, X) True at pixels that differ from their neighbours by more than optics can make it.

    In nearly all frames, and brighter or darker. So each of them is odd in one of the first
    frames looked at; of the others, only those pixels are looked at.

    Parameters
    ----------
    recording : Recording
    dark : float or numpy.ndarray
        Dark level, counts.
    """
    frames, level = sampled_frames(recording), np.asarray(dark, dtype=np.float32)
    least = math.ceil(ODD_FRAMES * len(frames))
    first = len(frames) - least + 1
    odd = np.zeros(recording.field_shape, dtype=np.uint8)
    for t in frames[:first]:
        odd += _odd_pixels(recording.frame(t), level)
    places = np.nonzero(odd)
    for found in in_order(lambda t: _odd_at(recording.frame(t), level, places), frames[first:]):
        odd[places] += found
    return np.asarray(odd >= least)


def _odd_pixels(counts: NDArray[Any], dark: Float32Array) -> NDArray[np.uint8]:
    """(Y, X) 1 at pixels of a frame that differ from their neighbours, 0 elsewhere."""
    from napari_lithium_alloy.core.kernels.neighbours import add_odd

    light = pixelwise(lambda c, d: c.astype(np.float32) - d, counts, dark)
    known = np.isfinite(light)
    whole = bool(known.all())
    if not whole:
        light[~known] = 0
    found = np.zeros(light.shape, dtype=np.uint8)
    least = _least_size(counts, dark), BAD_SHARE
    finish(by_rows(partial(add_odd, light, least, odd=found), len(found)))
    return found if whole else found * known


def _odd_at(counts: NDArray[Any], dark: Float32Array, places: Places) -> BoolArray:
    """(N,) True where the pixel at a place of a frame differs from its neighbours."""
    steps = np.array([*product((-1, 0, 1), (-1, 0, 1))])
    y, x = (
        np.clip(own[:, np.newaxis] + steps[:, axis], 0, counts.shape[axis] - 1)
        for axis, own in enumerate(places)
    )
    level = np.broadcast_to(dark, counts.shape)
    light = counts[y, x].astype(np.float32) - level[y, x]
    known = np.isfinite(light)
    light[~known] = 0
    own = len(steps) // 2
    median = _fifth_smallest([*np.delete(light, own, axis=1).T])
    least = np.maximum(np.float32(_least_size(counts, dark)), BAD_SHARE * np.abs(median))
    return np.asarray(known[:, own] & (np.abs(light[:, own] - median) > least))


def _least_size(counts: NDArray[Any], dark: Float32Array) -> float:
    """Of a difference from the neighbours that is no noise, from some rows of a frame."""
    some = np.arange(0, len(counts), max(1, len(counts) // NOISE_ROWS))
    rows = np.clip(some[:, np.newaxis] + [-1, 0, 1], 0, len(counts) - 1).ravel()
    light = counts[rows].astype(np.float32) - np.broadcast_to(dark, counts.shape)[rows]
    known = np.isfinite(light)
    light[~known] = 0
    away = light[1::3] - _median_around(light.reshape(len(some), 3, -1))
    return BAD_SIGMAS * robust_sd(away[known[1::3]])


def _median_around(light: Float32Array) -> Float32Array:
    """(N, X) the median of the eight around each pixel of rows that lie between two others.

    It is the fifth smallest. Beyond the ends of rows (N, 3, X) their last pixels go on.
    """
    padded = np.pad(light, [(0, 0), (0, 0), (1, 1)], mode="edge")
    steps = [(i, j) for i, j in product(range(3), range(3)) if (i, j) != (1, 1)]
    return _fifth_smallest([padded[:, i, j : j + light.shape[2]] for i, j in steps])


def _fifth_smallest(values: list[Float32Array]) -> Float32Array:
    """Of eight arrays of one shape, value by value; the list is used up."""
    for low, high in SORTING:
        one, other = values[low], values[high]
        values[low], values[high] = np.minimum(one, other), np.maximum(one, other)
    return values[4]
