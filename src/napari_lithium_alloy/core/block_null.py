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
SINGLE_PIXELS = 2**16
"""Of more pixels squares and their products are of single precision, their sums of double."""
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
    shape = valid.shape[0] // side, valid.shape[1] // side
    window = valid[: shape[0] * side, : shape[1] * side]
    inside = window.reshape(shape[0], side, shape[1], side).sum(axis=(1, 3)).ravel()
    kept = inside >= 0.5 * side**2
    if kept.sum() < LEAST_BLOCKS:
        return np.empty(0)
    first, second = (_squares(i, valid, side)[kept] for i in (a, b))
    orders = _orders(len(first), n, seed)
    if (inside[kept] == side**2).all():
        # Each square is whole: its sums do not depend on what it comes to lie on.
        xy = _in_orders([_products(first, second)], orders)[0]
        pixels, (x, y) = float(first.size), (float(i.sum(dtype=float)) for i in (first, second))
        xx, yy = (_power(i) for i in (first, second))
    else:
        mask = _squares(np.ones(valid.shape), valid, side, less=0.0)[kept]
        pixels, x, y, xx, yy, xy = _in_orders(_tables(mask, first, second), orders)
    spread = np.broadcast_to((xx - x * x / pixels) * (yy - y * y / pixels), xy.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, (xy - x * y / pixels) / np.sqrt(spread), 0.0)


def _power(squares: FloatArray) -> float:
    return float(np.einsum("bi,bi->", squares, squares, dtype=float))


def _tables(mask: FloatArray, first: FloatArray, second: FloatArray) -> list[FloatArray]:
    """Of each square of one map on each of the other: pixels, sums, sums of squares, products.

    Only squares that are not whole change the sums of those that come to lie on them.
    """
    some = np.flatnonzero(~mask.all(axis=1))
    cut = np.ascontiguousarray(mask[some])
    found = []
    for values, of_first in (
        (mask, True), (first, True), (second, False), (first**2, True), (second**2, False)
    ):  # fmt: skip
        table = np.repeat(values.sum(axis=1)[:, np.newaxis], len(mask), axis=1)
        table[:, some] = _products(values, cut)
        found.append(table if of_first else table.T)
    return [*found, _products(first, second)]


def _products(a: FloatArray, b: FloatArray) -> FloatArray:
    """(A, B) products of all rows of two tables."""
    from napari_lithium_alloy.core.kernels.block_products import products_of_rows

    out = np.empty((len(a), len(b)), a.dtype)
    finish(by_rows(lambda rows: products_of_rows(a, b, rows, out), len(a), most=len(a)))
    return out


def _in_orders(products: list[FloatArray], orders: IntArray) -> FloatArray:
    """(K, n) sums of K tables of products over squares that lie on each other in each order."""
    from napari_lithium_alloy.core.kernels.block_products import sums_in_orders

    tables, out = np.stack([i.ravel() for i in products]), np.empty((len(products), len(orders)))
    finish(by_rows(lambda some: sums_in_orders(tables, orders, some, out), len(orders), most=512))
    return out


@lru_cache(maxsize=4)
def _orders(n_blocks: int, n: int, seed: int) -> IntArray:
    """(n, B) flat indices, into products of all squares with all, of squares in random orders."""
    places = np.arange(n_blocks)
    orders = np.random.default_rng(seed).permuted(np.tile(places, (n, 1)), axis=1)
    return np.asarray(places * n_blocks + orders, dtype=np.int32)


def _squares(
    image: FloatArray, valid: BoolArray, side: int, less: float | None = None
) -> FloatArray:
    """(B, side * side) the squares of a map less its mean, 0 where not valid.

    A remainder is left out.
    """
    from napari_lithium_alloy.core.kernels.block_products import squares_of

    less = float(image[valid].mean()) if less is None else less
    single = valid.size > SINGLE_PIXELS
    n_blocks = (valid.shape[0] // side) * (valid.shape[1] // side)
    out = np.empty((n_blocks, side**2), np.float32 if single else float)
    finish(by_rows(lambda some: squares_of(image, side, less, valid, some, out), len(out)))
    return out
