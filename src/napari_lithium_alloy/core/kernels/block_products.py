"""Products of a picture's squares with another's, and their sums in random orders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz"}
_AT_ONCE = 64
"""Squares of one picture that stay at hand while all of the other pass."""
Doubles = NDArray[np.float64]
Floats = NDArray[Any]
Rows = tuple[int, int]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _four_products(
    line: Floats, a: Floats, b: Floats, c: Floats, d: Floats
) -> tuple[float, float, float, float]:
    s = t = u = v = line.dtype.type(0)
    for x in range(len(line)):
        s += line[x] * a[x]
        t += line[x] * b[x]
        u += line[x] * c[x]
        v += line[x] * d[x]
    return s, t, u, v


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def products_of_rows(a: Floats, b: Floats, rows: Rows, out: Floats) -> None:
    """(A, B) products of some rows of one table with all of another: a @ b.T, in this thread."""
    n = len(b)
    for begin in range(0, n, _AT_ONCE):
        end = min(begin + _AT_ONCE, n)
        for i in range(rows[0], rows[1]):
            for j in range(begin, end, 4):
                second, third, fourth = (
                    min(j + 1, end - 1),
                    min(j + 2, end - 1),
                    min(j + 3, end - 1),
                )
                s, t, u, v = _four_products(a[i], b[j], b[second], b[third], b[fourth])
                out[i, j] = s
                out[i, second] = t
                out[i, third] = u
                out[i, fourth] = v


@njit(nogil=True, cache=True, error_model="numpy")
def squares_of(
    image: NDArray[Any],
    side: int,
    less: float,
    valid: NDArray[np.bool_],
    some: Rows,
    out: Floats,
) -> None:
    """(B, side * side) some squares of a picture less a number, 0 where it is not valid."""
    columns = image.shape[1] // side
    for i in range(some[0], some[1]):
        top, left = (i // columns) * side, (i % columns) * side
        for y in range(side):
            for x in range(side):
                inside = valid[top + y, left + x]
                out[i, y * side + x] = image[top + y, left + x] - less if inside else 0.0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def sums_in_orders(tables: Floats, orders: NDArray[np.int32], rows: Rows, out: Doubles) -> None:
    """Sums of each table's values at the places that each row of orders names."""
    for k in range(len(tables)):
        table = tables[k]
        for i in range(rows[0], rows[1]):
            total = 0.0
            for b in range(orders.shape[1]):
                total += table[orders[i, b]]
            out[k, i] = total
