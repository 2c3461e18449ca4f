"""Neighbouring pixels that are numbered in a list: parts, and labels that grow over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Indices = NDArray[np.int32]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
SIDES = 4
"""The first neighbours share a side, the others a corner."""
_UNSEEN, _SEEN, _OPEN = 0, 1, 2


@njit(nogil=True, cache=True, error_model="numpy")
def fill_neighbours(at: Indices, place: Indices, shape: tuple[int, int], out: Indices) -> None:
    """Numbers of the eight neighbours of each pixel of a list, -1 where they are not in it.

    Parameters
    ----------
    at : (N,) int32 array
        Pixels, as indices of the flat picture.
    place : (Y * X,) int32 array
        Their numbers; -1 elsewhere.
    shape : (int, int)
    out : (N, 8) int32 array
        Above, left, right, below, then the corners in the order of rows.
    """
    height, width = shape
    for i in range(at.shape[0]):
        p = at[i]
        y, x = p // width, p % width
        up, down, left, right = y > 0, y < height - 1, x > 0, x < width - 1
        out[i, 0] = place[p - width] if up else -1
        out[i, 1] = place[p - 1] if left else -1
        out[i, 2] = place[p + 1] if right else -1
        out[i, 3] = place[p + width] if down else -1
        out[i, 4] = place[p - width - 1] if up and left else -1
        out[i, 5] = place[p - width + 1] if up and right else -1
        out[i, 6] = place[p + width - 1] if down and left else -1
        out[i, 7] = place[p + width + 1] if down and right else -1


@njit(nogil=True, cache=True, error_model="numpy")
def number_parts(
    listed: Indices, inside: Flags, neighbours: Indices, ways: int, out: Indices, waiting: Indices
) -> int:
    """Number the connected parts of the pixels inside in the order of their first; how many.

    `listed` are these pixels, rising; `out` are zeros at first; `waiting` is as long, and
    overwritten.
    """
    n = 0
    for first in listed:
        if out[first] != 0:
            continue
        n += 1
        out[first] = n
        waiting[0] = first
        left = 1
        while left > 0:
            left -= 1
            i = waiting[left]
            for k in range(ways):
                j = neighbours[i, k]
                if j >= 0 and inside[j] and out[j] == 0:
                    out[j] = n
                    waiting[left] = j
                    left += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def find_peaks(
    image: Floats, allowed: Flags, lowest: float, neighbours: Indices, out: Flags
) -> None:
    """Whether each allowed pixel is over a level and none of its eight neighbours over it."""
    for i in range(image.shape[0]):
        top = allowed[i] and image[i] > lowest
        for k in range(8):
            if not top:
                break
            j = neighbours[i, k]
            top = j < 0 or not allowed[j] or image[j] <= image[i]
        out[i] = top


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _push(heap: NDArray[np.uint64], n: int, key: np.uint64) -> None:
    i = n
    while i > 0:
        above = (i - 1) >> 1
        if heap[above] <= key:
            break
        heap[i] = heap[above]
        i = above
    heap[i] = key


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _pop(heap: NDArray[np.uint64], n: int) -> np.uint64:
    """The least of n; the rest stays a heap of n - 1."""
    least = np.uint64(heap[0])
    key = heap[n - 1]
    i = 0
    while True:
        j = 2 * i + 1
        if j >= n - 1:
            break
        if j + 1 < n - 1 and heap[j + 1] < heap[j]:
            j += 1
        if heap[j] >= key:
            break
        heap[i] = heap[j]
        i = j
    heap[i] = key
    return np.uint64(least)


@njit(nogil=True, cache=True, error_model="numpy")
def part_of(
    first: int,
    inside: Flags,
    neighbours: Indices,
    ways: int,
    out: Indices,
    seen: Flags,
    part: Indices,
) -> tuple[int, bool]:
    """Pixels of one connected part, and whether it has but one label so far."""
    part[0] = first
    seen[first] = True
    n, done, one = 1, 0, True
    label = out[first]
    while done < n:
        i = part[done]
        done += 1
        for k in range(ways):
            j = neighbours[i, k]
            if j >= 0 and inside[j] and not seen[j]:
                seen[j] = True
                one &= out[j] == 0 or out[j] == label
                part[n] = j
                n += 1
    return n, one


@njit(nogil=True, cache=True, error_model="numpy")
def flood_part(
    depth: NDArray[np.uint32],
    inside: Flags,
    neighbours: Indices,
    ways: int,
    out: Indices,
    part: Indices,
    heap: NDArray[np.uint64],
    pushed: Indices,
) -> None:
    """Grow labels over one connected part, the least depth first, as a watershed.

    `depth` are whole numbers in the order of the picture's values; `heap` and `pushed` are room.
    """
    n = age = 0
    for i in part:
        if out[i] != 0:
            pushed[age] = i
            _push(heap, n, (np.uint64(depth[i]) << np.uint64(32)) | np.uint64(age))
            n, age = n + 1, age + 1
    while n > 0:
        key = _pop(heap, n)
        n -= 1
        i = pushed[np.int64(key & np.uint64(0xFFFFFFFF))]
        reached = np.uint32(key >> np.uint64(32))
        for k in range(ways):
            j = neighbours[i, k]
            if j < 0 or not inside[j] or out[j] != 0:
                continue
            out[j] = out[i]
            pushed[age] = j
            cost = max(depth[j], reached)
            _push(heap, n, (np.uint64(cost) << np.uint64(32)) | np.uint64(age))
            n, age = n + 1, age + 1


@njit(nogil=True, cache=True, error_model="numpy")
def enclosed(labels: Indices, neighbours: Indices, out: Flags) -> int:
    """Pixels without a label from which no way by sides leaves the list; how many there are.

    The highest of them are below a labelled one, so that all are found from there.
    """
    n_pixels = labels.shape[0]
    waiting = np.empty(n_pixels, dtype=np.int32)
    state = np.zeros(n_pixels, dtype=np.uint8)
    out[:] = False
    found = 0
    for above in range(n_pixels):
        first = neighbours[above, 3] if labels[above] != 0 else -1
        if first < 0 or labels[first] != 0 or state[first] != _UNSEEN:
            continue
        below = first
        while below >= 0 and labels[below] == 0:
            below = neighbours[below, 3]
        if below < 0:  # straight down is a way
            continue
        n = _until_open(first, labels, neighbours, state, waiting)
        if state[first] != _OPEN:
            found += n
            for i in waiting[:n]:
                out[i] = True
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def _until_open(
    first: int,
    labels: Indices,
    neighbours: Indices,
    state: NDArray[np.uint8],
    waiting: Indices,
) -> int:
    """List pixels without a label that belong together until one is open; then all of them are."""
    waiting[0] = first
    state[first] = _SEEN
    n, done, open_ = 1, 0, False
    while done < n and not open_:
        i = waiting[done]
        done += 1
        for k in range(SIDES):
            j = neighbours[i, k]
            if j < 0 or state[j] == _OPEN:
                open_ = True
            elif labels[j] == 0 and state[j] == _UNSEEN:
                state[j] = _SEEN
                waiting[n] = j
                n += 1
    if open_:
        for i in waiting[:n]:
            state[i] = _OPEN
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def add_maxima(values: NDArray[Any], labels: NDArray[Any], out: NDArray[np.float64]) -> None:
    """Raise each label's entry to its largest value; those of label 0 stay."""
    for i in range(labels.shape[0]):
        k = labels[i]
        if k != 0 and values[i] > out[k]:
            out[k] = values[i]


@njit(nogil=True, cache=True, error_model="numpy")
def add_sums(values: NDArray[Any], labels: NDArray[Any], out: NDArray[np.float64]) -> None:
    """Add the values to their labels' entries; those of label 0 stay."""
    for i in range(labels.shape[0]):
        k = labels[i]
        if k != 0:
            out[k] += values[i]


@njit(nogil=True, cache=True, error_model="numpy")
def grow(labels: NDArray[Any], distance: float, nearest: Floats, out: NDArray[Any]) -> None:
    """Labels grown over what has none within a distance, each pixel to its nearest label.

    `nearest` is room for squared distances, larger than any at first; `out` the labels.
    """
    height, width = labels.shape
    reach = int(distance)
    for y in range(height):
        for x in range(width):
            own = labels[y, x]
            if own == 0 or not _at_border(labels, y, x):
                continue
            for v in range(max(y - reach, 0), min(y + reach + 1, height)):
                for u in range(max(x - reach, 0), min(x + reach + 1, width)):
                    far = np.float32((v - y) ** 2 + (u - x) ** 2)
                    if labels[v, u] == 0 and far <= distance * distance and far < nearest[v, u]:
                        nearest[v, u] = far
                        out[v, u] = own


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _at_border(labels: NDArray[Any], y: int, x: int) -> bool:
    height, width = labels.shape
    return bool(
        (y > 0 and labels[y - 1, x] == 0)
        or (x > 0 and labels[y, x - 1] == 0)
        or (y < height - 1 and labels[y + 1, x] == 0)
        or (x < width - 1 and labels[y, x + 1] == 0)
    )
