"""Maps less their polynomials, a block of rows at a time, and how their values are spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "nsz"}
Doubles = NDArray[np.float64]
Rows = tuple[int, int]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _scaled_row(line: NDArray[Any], there: NDArray[np.bool_], scale: float, out: Doubles) -> None:
    for x in range(len(out)):
        out[x] = line[x] * scale if there[x] else 0.0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _three_products(
    line: Doubles, a: Doubles, b: Doubles, c: Doubles
) -> tuple[float, float, float]:
    s = t = u = 0.0
    for x in range(len(line)):
        s += line[x] * a[x]
        t += line[x] * b[x]
        u += line[x] * c[x]
    return s, t, u


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _take(
    line: Doubles, factors: tuple[float, float, float], a: Doubles, b: Doubles, c: Doubles
) -> None:
    """Take three lines times factors from one: each time it is read and written."""
    s, t, u = factors
    for x in range(len(line)):
        line[x] -= s * a[x] + t * b[x] + u * c[x]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
def _finish_row(
    line: Doubles, there: NDArray[np.bool_], out: NDArray[np.float32]
) -> tuple[float, float, float]:
    power, low, high = 0.0, np.inf, -np.inf
    for x in range(len(line)):
        value = line[x] if there[x] else 0.0
        out[x] = value
        power += value * value
        least, most = (value, value) if there[x] else (np.inf, -np.inf)
        low = least if least < low else low
        high = most if most > high else high
    return power, low, high


@njit(nogil=True, cache=True, error_model="numpy")
def moments_of_rows(
    field: NDArray[np.bool_], columns: Doubles, whole: Doubles, rows: Rows, out: Doubles
) -> None:
    """(Y, K) sums of (X, K) polynomials over each row of a field; `whole` are those of all of it.

    Where most of a row is in the field, what is not is taken from the whole.
    """
    for y in range(rows[0], rows[1]):
        inside = 0
        for x in range(field.shape[1]):
            inside += field[y, x]
        most = 2 * inside > field.shape[1]
        sign = -1.0 if most else 1.0
        out[y] = 0.0
        if most:
            out[y] = whole
        for x in range(field.shape[1]):
            if field[y, x] != most:
                for k in range(columns.shape[1]):
                    out[y, k] += sign * columns[x, k]


@njit(nogil=True, cache=True, error_model="numpy")
def project_rows(
    image: NDArray[Any],
    common: NDArray[np.bool_],
    scale: float,
    columns: Doubles,
    rows: Rows,
    out: Doubles,
) -> None:
    """(Y, K) products of each row of a picture, 0 outside a field, with K polynomials along it."""
    line, last = np.empty(image.shape[1]), len(columns) - 1
    for y in range(rows[0], rows[1]):
        _scaled_row(image[y], common[y], scale, line)
        for k in range(0, len(columns), 3):
            second, third = min(k + 1, last), min(k + 2, last)
            s, t, u = _three_products(line, columns[k], columns[second], columns[third])
            out[y, third] = u
            out[y, second] = t
            out[y, k] = s


@njit(nogil=True, cache=True, error_model="numpy")
def take_rows(
    image: NDArray[Any],
    common: NDArray[np.bool_],
    scale: float,
    trend: tuple[Doubles, Doubles],
    rows: Rows,
    left: NDArray[np.float32],
    told: Doubles,
) -> None:
    """What is left of a picture without a trend, 0 outside a field.

    Parameters
    ----------
    image : (Y, X) array
    common : (Y, X) bool array
    scale : float
        The picture is first multiplied by it.
    trend : (Y, K) and (K, X) float64 arrays
        Whose product it is.
    rows : tuple
    left : (Y, X) float32 array
    told : (Y, 3) float64 array
        Out: sum of squares, lowest and highest value of each row.
    """
    line, last = np.empty(image.shape[1]), trend[0].shape[1] - 1
    for y in range(rows[0], rows[1]):
        _scaled_row(image[y], common[y], scale, line)
        own, columns = trend[0][y], trend[1]
        for k in range(0, len(own), 3):
            second, third = min(k + 1, last), min(k + 2, last)
            factors = (
                own[k],
                own[second] if second > k else 0.0,
                own[third] if third > second else 0.0,
            )
            _take(line, factors, columns[k], columns[second], columns[third])
        told[y] = _finish_row(line, common[y], left[y])


@njit(nogil=True, cache=True, error_model="numpy")
def count_values(
    image: NDArray[np.float32],
    common: NDArray[np.bool_],
    ends: tuple[float, float],
    rows: tuple[int, int, int],
    counts: Doubles,
    sums: Doubles,
) -> None:
    """Add numbers and sums of a field's values in even bins between two ends.

    `rows` are the first, that after the last, and the step between those that are looked at.
    """
    last = len(counts) - 1
    step = (last + 1) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.0
    for y in range(rows[0], rows[1], rows[2]):
        for x in range(image.shape[1]):
            if common[y, x]:
                k = min(max(int((image[y, x] - ends[0]) * step), 0), last)
                counts[k] += 1
                sums[k] += image[y, x]
