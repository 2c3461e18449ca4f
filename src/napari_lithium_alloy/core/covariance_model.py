"""What detrending and the field's edges take from the spread of shifted correlations.

The residuals of a detrended map vary less at long waves than the map does, so shifted residuals
correlate less with each other than unrelated maps do. How much less follows from the maps'
covariances, which are taken as sums of Gaussians of many widths (any covariance that falls off
with distance in every dimension is one; Schoenberg 1938, DOI 10.2307/1968466), fitted to the
residuals' own products with the detrending accounted for. Only the ratio of two spreads is taken
from the model, so that a structure it does not hold (stripes, a regular spacing) counts as the
shifts show it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.optimize import nnls

from napari_lithium_alloy.core.detrending import detrended, terms_of, trend_basis
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.shifts import LEAST_OVERLAP, cell_sums, shift_lengths

N_WIDTHS = 10
NARROWEST_PX = 0.7
WIDEST = 0.25
"""Widest Gaussian, as a share of the field's side: wider ones are the trend's."""
CELLS_A_LENGTH = 4.0
"""Cells to a correlation length; coarser ones do not show a map's structure."""
MOST_CELLS = 72
"""Cells to a side; with more of them the factor is near 1, and follows from the trend's terms."""
OF_A_TERM = 1.25
"""What each term of the trend adds to the factor of a large field, over its effective samples."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Geometry:
    """Sums that Gaussian covariances of unit variance have over one field, once detrended.

    Attributes
    ----------
    overlap : numpy.ndarray
        (H, W) pixels in common under each shift.
    ring : numpy.ndarray
        (H, W) each shift's length, whole pixels.
    rings : int
        Number of rings that are fitted.
    products : numpy.ndarray
        (J, H, W) expected sums of products of the residuals of each Gaussian under each shift.
    powers : numpy.ndarray
        (J,) expected sums of squares.
    pairs : numpy.ndarray
        (J, J) expected squared sums of products of two unrelated residuals.
    degree : int
        Of the trend.
    """

    overlap: FloatArray
    ring: FloatArray
    rings: int
    products: FloatArray
    powers: FloatArray
    pairs: FloatArray
    degree: int

    def by_ring(self, sums: FloatArray) -> FloatArray:
        """Sums over rings of equal length."""
        total = np.bincount(self.ring.ravel(), sums.ravel())
        return np.asarray(total[: self.rings])


@functools.lru_cache(maxsize=8)
def geometry_of(packed: bytes, shape: tuple[int, int], degree: int) -> Geometry:
    """The geometry of a field, whose pixels come as packed bits so that it can be remembered."""
    n = shape[0] * shape[1]
    valid = np.unpackbits(np.frombuffer(packed, np.uint8), count=n).reshape(shape).astype(bool)
    basis = trend_basis(valid, degree)
    padded = tuple(int(fft.next_fast_len(2 * k, real=True)) for k in shape)
    trends = np.zeros((basis.shape[1], *shape))
    trends[:, valid] = basis.T
    f_trends = fft.rfft2(trends, s=padded)
    f_mask = fft.rfft2(valid.astype(float), s=padded)
    overlap = np.round(fft.irfft2(np.abs(f_mask) ** 2, s=padded))
    length = shift_lengths(padded)
    side = math.sqrt(float(valid.sum()))
    shapes = [_gaussian(length, width) for width in widths_px(side)]
    of_trends = fft.irfft2(np.einsum("kyx,lyx->klyx", f_trends, np.conj(f_trends)), s=padded)
    products, powers, smooth = [], [], []
    for covariance in shapes:
        inside = fft.irfft2(f_trends * fft.rfft2(covariance).real, s=padded)
        inside = inside[:, : shape[0], : shape[1]] * valid
        gram = np.einsum("kyx,lyx->kl", trends, inside)
        twice = (f_trends * np.conj(fft.rfft2(inside, s=padded))).real.sum(axis=0)
        product = overlap * covariance - 2 * fft.irfft2(twice, s=padded)
        products.append(product + np.einsum("kl,klyx->yx", gram, of_trends))
        powers.append(float(valid.sum()) - float(np.trace(gram)))
        smooth.append((covariance, inside, gram))
    pairs = np.array([[_pair(overlap, one, other) for one in smooth] for other in smooth])
    return Geometry(
        overlap=overlap,
        ring=np.round(length).astype(int),
        rings=max(int(side / 2), 2),
        products=np.array(products),
        powers=np.array(powers),
        pairs=pairs,
        degree=degree,
    )


def widths_px(side: float) -> FloatArray:
    """Standard deviations of the Gaussians for a field of that side; 0: pixels on their own."""
    widest = max(WIDEST * side, 2 * NARROWEST_PX)
    return np.concatenate([[0.0], np.geomspace(NARROWEST_PX, widest, N_WIDTHS)])


def _gaussian(length: FloatArray, width: float) -> FloatArray:
    if width == 0:
        return np.asarray(length == 0, dtype=float)
    return np.asarray(np.exp(-((length / width) ** 2) / 2))


Smooth = tuple[FloatArray, FloatArray, FloatArray]


def _pair(overlap: FloatArray, one: Smooth, other: Smooth) -> float:
    """Trace of P A P B, with P the projection that detrends and A and B two covariances."""
    (a, a_inside, a_gram), (b, b_inside, b_gram) = one, other
    whole = float((overlap * a * b).sum())
    return whole - 2 * float((a_inside * b_inside).sum()) + float((a_gram * b_gram).sum())


def spread_factor(
    a: FloatArray,
    b: FloatArray,
    valid: BoolArray,
    degree: int,
    length_px: float,
    variance: float,
) -> float:
    """Variance of r between unrelated maps over what products of residuals tell of it.

    Parameters
    ----------
    a, b : numpy.ndarray
        (Y, X) the maps, or their residuals.
    valid : numpy.ndarray
        (Y, X) bool.
    degree : int
        Of the trend.
    length_px : float
        Shorter correlation length of the two maps.
    variance : float
        What the products tell.
    """
    cell = max(1, round(length_px / CELLS_A_LENGTH))
    if max(valid.shape) > MOST_CELLS * cell:
        return 1 + OF_A_TERM * terms_of(degree) * variance
    cells = [_in_cells(i, valid, cell) for i in (a, b)]
    there = cells[0][1]
    geometry = geometry_of(np.packbits(there).tobytes(), (there.shape[0], there.shape[1]), degree)
    first, second = (_weights(image, there, geometry) for image, _ in cells)
    expected = [np.tensordot(w, geometry.products, axes=1) for w in (first, second)]
    enough = geometry.overlap >= LEAST_OVERLAP * there.sum()
    told = expected[0] * expected[1] / np.maximum(geometry.overlap, 1)
    seen = float(told[enough].sum())
    return float(first @ geometry.pairs @ second) / seen if seen > 0 else 1.0


def _in_cells(image: FloatArray, valid: BoolArray, cell: int) -> tuple[FloatArray, BoolArray]:
    """Means over squares, and which squares hold enough pixels; a remainder is left out."""
    pixels = cell_sums(valid.astype(float), cell)
    total = cell_sums(np.where(valid, image, 0), cell)
    there = pixels >= cell**2 / 2
    return np.where(there, total / np.maximum(pixels, 1), 0), there


def _weights(image: FloatArray, valid: BoolArray, geometry: Geometry) -> FloatArray:
    """Variance of each Gaussian in a map."""
    padded = geometry.overlap.shape
    spectrum = fft.rfft2(detrended(image, valid, geometry.degree), s=padded)
    seen = geometry.by_ring(fft.irfft2(np.abs(spectrum) ** 2, s=padded))
    pixels = geometry.by_ring(geometry.overlap)
    expected = np.stack([geometry.by_ring(p) for p in geometry.products], axis=1)
    weight = 1 / np.sqrt(np.maximum(pixels, 1))
    return np.asarray(nnls(expected * weight[:, np.newaxis], seen * weight)[0])
