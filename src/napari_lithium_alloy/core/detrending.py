"""Trends across the field, taken out of two maps before they are compared.

A lag from the centre of an electrode to its edge is common to all steps, and makes unrelated
maps agree. What is a trend depends on the maps: a polynomial that is much smoother than their
own structures takes hardly any of them, and all of a trend.
"""

from __future__ import annotations

import functools
import math
from functools import partial
from typing import Literal

import numpy as np

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.row_blocks import by_rows

Detrend = Literal["auto", "none", "plane", "quadratic"]
DEGREES = {"none": 0, "plane": 1, "quadratic": 2}
MOST_DEGREE = 8
SAMPLES_A_TERM = 25.0
"""Effective samples that maps must have for each term of their trend, beyond a quadratic one."""


def terms_of(degree: int) -> int:
    """Number of terms of a polynomial of x and y."""
    return (degree + 1) * (degree + 2) // 2


def degree_for(detrend: Detrend, n_effective: float) -> int:
    """Degree of the trend; `auto`: at least 2, as high as the maps' structures allow."""
    if detrend != "auto":
        return DEGREES[detrend]
    allowed = n_effective / SAMPLES_A_TERM
    higher = [d for d in range(3, MOST_DEGREE + 1) if terms_of(d) <= allowed]
    return higher[-1] if higher else 2


def _terms(degree: int) -> tuple[list[int], list[int]]:
    """Powers of row and column of each term."""
    pairs = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    return [i for i, _ in pairs], [j for _, j in pairs]


def _legendre(n: int, degree: int) -> FloatArray:
    """(n, degree + 1) Legendre polynomials at n places from -1 to 1."""
    return np.asarray(np.polynomial.legendre.legvander(np.linspace(-1, 1, n), degree))


def trend_basis(valid: BoolArray, degree: int) -> FloatArray:
    """(N, K) orthonormal polynomials of row and column at the N valid pixels of a small field."""
    rows, columns = (_legendre(n, degree) for n in valid.shape)
    y, x = np.nonzero(valid)
    i, j = _terms(degree)
    return np.asarray(np.linalg.qr(rows[y][:, i] * columns[x][:, j])[0])


@functools.cache
def _products_of_legendre(degree: int) -> FloatArray:
    """(K, K, 2 degree + 1) products of two Legendre polynomials, as sums of such."""
    one = np.eye(degree + 1)
    found = np.zeros((degree + 1, degree + 1, 2 * degree + 1))
    for i, a in enumerate(one):
        for j, b in enumerate(one):
            product = np.polynomial.legendre.legmul(a, b)
            found[i, j, : len(product)] = product
    return found


def _moments(valid: BoolArray, degree: int) -> FloatArray:
    """(K, K) sums over a field of products of Legendre polynomials of row and column."""
    from napari_lithium_alloy.core.kernels.residuals import moments_of_rows

    rows, columns = (_legendre(n, degree) for n in valid.shape)
    along, whole = np.empty((len(valid), degree + 1)), columns.sum(axis=0)
    finish(by_rows(lambda some: moments_of_rows(valid, columns, whole, some, along), len(valid)))
    return np.asarray(np.einsum("ym,yn->mn", rows, along))


class Trend:
    """Least-squares polynomials over one field.

    Rows and columns part, so that no term is ever a picture.
    """

    def __init__(self, valid: BoolArray, degree: int) -> None:
        self.valid = valid
        self.rows, self.columns = (_legendre(n, degree) for n in valid.shape)
        self.terms = _terms(degree)
        k = degree + 1
        moments = _moments(valid, 2 * degree)
        products = _products_of_legendre(degree)
        row, column = (np.array(powers) for powers in self.terms)
        of_rows = products[row[:, np.newaxis], row]
        of_columns = products[column[:, np.newaxis], column]
        self.gram = np.einsum("abm,mn,abn->ab", of_rows, moments, of_columns, optimize=False)
        self.table = np.zeros((k, k))

    def taken_from(self, image: FloatArray) -> FloatArray:
        """(Y, X) the image less its polynomial; 0 outside the field."""
        i, j = self.terms
        inside = np.where(self.valid, image, 0.0)
        aim = (self.rows.T @ inside @ self.columns)[i, j]
        table = self.table.copy()
        table[i, j] = np.linalg.lstsq(self.gram, aim, rcond=None)[0]
        inside -= self.rows @ table @ self.columns.T
        inside[~self.valid] = 0
        return inside

    def left_of(
        self, image: FloatArray, scale: float
    ) -> tuple[Float32Array, float, tuple[float, float]]:
        """The same of a large image times a scale, its sum of squares, and its two ends."""
        from napari_lithium_alloy.core.kernels.residuals import project_rows, take_rows

        columns = np.ascontiguousarray(self.columns.T)
        along, told = np.empty((len(image), len(columns))), np.empty((len(image), 3))
        project = partial(project_rows, image, self.valid, scale, columns, out=along)
        finish(by_rows(lambda rows: project(rows=rows), len(image)))
        i, j = self.terms
        table = self.table.copy()
        table[i, j] = np.linalg.lstsq(self.gram, (self.rows.T @ along)[i, j], rcond=None)[0]
        left = np.empty(image.shape, dtype=np.float32)
        trend = np.ascontiguousarray(self.rows @ table), columns
        take = partial(take_rows, image, self.valid, scale, trend, left=left, told=told)
        finish(by_rows(lambda rows: take(rows=rows), len(image)))
        return left, math.fsum(told[:, 0]), (float(told[:, 1].min()), float(told[:, 2].max()))


def detrended(image: FloatArray, valid: BoolArray, degree: int) -> FloatArray:
    """(Y, X) the image less its polynomial of that degree over `valid`; 0 elsewhere."""
    return Trend(valid, degree).taken_from(image)
