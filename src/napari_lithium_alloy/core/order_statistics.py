"""Quantiles of many values, without sorting them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import IntArray
from napari_lithium_alloy.core.row_blocks import Rows, in_order

BITS = 14
"""By which a picture's values are counted, before few of them are sorted."""
BLOCK_ROWS = 512


def quantiles_within(image: Float32Array, shares: Sequence[float]) -> tuple[int, list[float]]:
    """How many values of a (Y, X) picture are finite, and their quantiles; NaN if none is.

    Those are straight between the two values that each lies between, as NumPy's.
    """
    from napari_lithium_alloy.core.kernels.picture_ranks import key_bounds

    image = np.ascontiguousarray(image)
    numbers, lowest, highest = zip(
        *in_order(lambda rows: key_bounds(image, rows), _blocks(image)), strict=True
    )
    n, low, high = sum(numbers), min(lowest), max(highest)
    if not n:
        return 0, [math.nan] * len(shares)
    return n, _between(lambda places: _in_picture(image, places, (low, high)), n, shares)


def _between(
    at_places: Callable[[IntArray], Float32Array], n: int, shares: Sequence[float]
) -> list[float]:
    """Quantiles of n values that are known by their places in order."""
    at = np.asarray(shares, dtype=float) * (n - 1)
    first = np.floor(at).astype(np.int64)
    low, high = at_places(np.stack([first, np.minimum(first + 1, n - 1)]))
    beyond, step = at - first, high - low
    near_low, near_high = low + step * beyond, high - step * (1 - beyond)
    found: list[float] = np.where(beyond < 0.5, near_low, near_high).tolist()
    return found


def _in_picture(image: Float32Array, places: IntArray, bounds: tuple[int, int]) -> Float32Array:
    """Those of a picture's finite values that have some places in their order.

    Values are counted by the first bits in which they differ; few are then sorted.
    """
    from napari_lithium_alloy.core.kernels.picture_ranks import count_keys, list_bins

    span = bounds[1] - bounds[0]
    shift = max(0, span.bit_length() - BITS)
    keys, n_bins = (np.uint32(bounds[0]), np.uint32(shift)), (span >> shift) + 1

    def count(rows: Rows) -> IntArray:
        counts = np.zeros(n_bins + 1, dtype=np.int64)
        count_keys(image, rows, keys, counts)
        return counts

    counts = np.array(list(in_order(count, _blocks(image))))
    total = counts.sum(axis=0)[:n_bins]
    up_to = np.cumsum(total)
    bins = np.searchsorted(up_to, places, side="right")
    wanted = np.zeros(n_bins + 1, dtype=bool)
    wanted[bins] = True

    def listed(rows: Rows) -> Float32Array:
        own = counts[rows[0] // BLOCK_ROWS]
        out = np.empty(int(own[wanted].sum()), dtype=np.float32)
        list_bins(image, rows, keys, wanted, out)
        return out

    some = np.sort(np.concatenate(list(in_order(listed, _blocks(image)))))
    before = np.cumsum(total) - np.cumsum(np.where(wanted[:n_bins], total, 0))
    return np.asarray(some[places - before[bins]])


def _blocks(image: Float32Array) -> list[Rows]:
    return [
        (first, min(first + BLOCK_ROWS, len(image))) for first in range(0, len(image), BLOCK_ROWS)
    ]
