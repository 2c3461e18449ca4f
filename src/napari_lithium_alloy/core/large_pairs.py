"""What coefficients of two large images follow from, without copies of what they have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from skimage.filters import threshold_otsu

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray
from napari_lithium_alloy.core.row_blocks import by_rows, in_order

OTSU_BINS = 256
Two = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Sums:
    """Over pixels known in both images.

    Attributes
    ----------
    totals, squares : (float, float)
        Of each image.
    products : float
    ends : ((float, float), (float, float))
        Lowest and highest value of each.
    """

    totals: Two
    squares: Two
    products: float
    ends: tuple[Two, Two]


@dataclass(frozen=True, eq=False)
class Agreement:
    """Of two images about two numbers, as their means are.

    Attributes
    ----------
    squares : (float, float)
        Sums of each image's squared differences.
    products : float
        Sum of the products of both.
    same : float
        Pixels in which both are not 0 and of one sign.
    beyond : (float, float)
        Sum of each image where the other reaches its threshold.
    """

    squares: Two
    products: float
    same: float
    beyond: Two

    @property
    def r(self) -> float:
        """Pearson's, where the numbers are the means; NaN where one image is constant."""
        power = math.sqrt(self.squares[0]) * math.sqrt(self.squares[1])
        return self.products / power if power > 0 else math.nan


def sums_of(a: Float32Array, b: Float32Array, known: BoolArray) -> Sums:
    """Sums and ends of two images."""
    from napari_lithium_alloy.core.kernels.pair_sums import sums_and_ends

    out = np.empty((len(a), 9))
    finish(by_rows(lambda rows: sums_and_ends(a, b, known, rows, out), len(a)))
    first, second, aa, bb, ab = (math.fsum(column) for column in out[:, :5].T)
    low, high = out[:, 5:7].min(axis=0).tolist(), out[:, 7:].max(axis=0).tolist()
    return Sums((first, second), (aa, bb), ab, ((low[0], high[0]), (low[1], high[1])))


def agreement_of(
    a: Float32Array, b: Float32Array, known: BoolArray, about: Two, thresholds: Two
) -> Agreement:
    """How two images agree about two numbers, and beyond thresholds."""
    from napari_lithium_alloy.core.kernels.pair_sums import agreement_in_rows

    out = np.empty((len(a), 6))
    finish(
        by_rows(lambda rows: agreement_in_rows(a, b, known, about, thresholds, rows, out), len(a))
    )
    aa, bb, ab, same, one, other = (math.fsum(column) for column in out.T)
    return Agreement((aa, bb), ab, same, (one, other))


def otsu_of(a: Float32Array, b: Float32Array, known: BoolArray, ends: tuple[Two, Two]) -> Two:
    """Otsu's threshold of each image, whose values lie between these ends."""
    low, high = in_order(lambda one: _otsu(*one, known), zip((a, b), ends, strict=True))
    return low, high


def _otsu(image: Float32Array, ends: Two, known: BoolArray) -> float:
    from napari_lithium_alloy.core.kernels.residuals import count_values

    if ends[0] == ends[1]:
        return ends[0]
    counts, sums = np.zeros((2, OTSU_BINS))
    count_values(image, known, ends, (0, len(image), 1), counts, sums)
    edges = np.linspace(*ends, OTSU_BINS + 1)
    return float(threshold_otsu(hist=(counts, (edges[1:] + edges[:-1]) / 2)))


def agreement_of_ranks(a: Float32Array, b: Float32Array, known: BoolArray) -> Agreement:
    """The same of the shares of values below each, about their middle."""
    from napari_lithium_alloy.core.kernels.ranking import shares_below

    def shares(image: Float32Array) -> Float32Array:
        out = np.empty_like(image)
        shares_below(image, known, out)
        return out

    one, other = in_order(shares, (a, b))
    return agreement_of(one, other, known, (0.5, 0.5), (0.5, 0.5))
