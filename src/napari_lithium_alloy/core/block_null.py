"""What chance gives for the correlation of two maps: squares of one map in any order.

Squares that are large against the maps' structures keep most of their smoothness; squares as small
as the point spread (Costes' randomization) keep none, and call nearly everything related.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import by_rows

LEAST_BLOCKS, MOST_BLOCKS = 12, 400
BLOCK_LENGTHS = 4.0
"""Side of a square, in correlation lengths; less where it would leave too few of them."""


def block_side(shape: tuple[int, int], length_px: float) -> int:
    """Side of the squares, pixels, that keep a map's structures."""
    area = shape[0] * shape[1]
    least, most = math.sqrt(area / MOST_BLOCKS), math.sqrt(area / (2 * LEAST_BLOCKS))
    return max(1, int(np.clip(BLOCK_LENGTHS * length_px, least, most)))


def block_correlations(
    a: FloatArray,
    b: FloatArray,
    valid: BoolArray,
    side: int,
    *,
    n: int = 999,
    seed: int = 0,
) -> FloatArray:
    """(n,) Pearson's r of a with b's squares put in random orders.

    Parameters
    ----------
    a, b : numpy.ndarray
        (Y, X).
    valid : numpy.ndarray
        (Y, X) bool; squares of which less than half is valid stay out, and so do pixels that are
        not valid in both squares that come to lie on each other.
    side : int
        Of the squares, pixels.
    n, seed : int
        Number of orders, and of the random numbers.

    Returns
    -------
    numpy.ndarray
        Empty where fewer than 12 squares are left.
    """
    there = _squares(valid.astype(float), side)
    kept = there.mean(axis=1) >= 0.5
    if kept.sum() < LEAST_BLOCKS:
        return np.empty(0)
    mask = there[kept]
    first, second = (_squares(np.where(valid, i - i[valid].mean(), 0), side)[kept] for i in (a, b))
    orders = _orders(len(mask), n, seed)
    if mask.all():
        # Each square is whole: its sums do not depend on what it comes to lie on.
        xy = _in_orders([first @ second.T], orders)[0]
        pixels, x, y, xx, yy = (float(i.sum()) for i in (mask, first, second, first**2, second**2))
    else:
        products = [
            mask @ mask.T, first @ mask.T, mask @ second.T,
            first**2 @ mask.T, mask @ (second**2).T, first @ second.T,
        ]  # fmt: skip
        pixels, x, y, xx, yy, xy = _in_orders(products, orders)
    spread = np.broadcast_to((xx - x * x / pixels) * (yy - y * y / pixels), xy.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, (xy - x * y / pixels) / np.sqrt(spread), 0.0)


def _in_orders(products: list[FloatArray], orders: IntArray) -> FloatArray:
    """(K, n) sums of K tables of products over squares that lie on each other in each order."""
    from napari_lithium_alloy.core.kernels.pair_sums import sums_in_orders

    tables, out = np.stack([i.ravel() for i in products]), np.empty((len(products), len(orders)))
    finish(by_rows(lambda some: sums_in_orders(tables, orders, some, out), len(orders), most=512))
    return out


@lru_cache(maxsize=4)
def _orders(n_blocks: int, n: int, seed: int) -> IntArray:
    """(n, B) flat indices, into products of all squares with all, of squares in random orders."""
    places = np.arange(n_blocks)
    orders = np.random.default_rng(seed).permuted(np.tile(places, (n, 1)), axis=1)
    return np.asarray(places * n_blocks + orders, dtype=np.int32)


def _squares(image: FloatArray, side: int) -> FloatArray:
    """(B, side * side) the squares of an image; a remainder is left out."""
    rows, columns = (n // side for n in image.shape)
    window = image[: rows * side, : columns * side]
    return np.asarray(
        window.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side * side)
    )
