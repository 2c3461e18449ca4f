"""The gradient of an onset map in local fits, and where it is none of one front.

The fits are of third order: a Gaussian window of standard deviation w flattens curved fronts by
w^2/2 times the Laplacian, which is given back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.crossing import GRADIENT_SIGMA_PX
from napari_lithium_alloy.core.order_statistics import quantiles_within
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows
from napari_lithium_alloy.core.smoothing import CUT, blurred, gaussian_weights

FILL_SIGMA_PX = 2.0
"""Around a pixel without an onset, for one in its place."""
LEAST_SMOOTHING_PX = 0.3
"""Smoothing of onsets that is none: the noise of their pixels is their own."""
WHITE_K = 2 * math.sqrt(math.pi)
"""Radius of the disc in the space of wave vectors that holds all noise of single pixels."""
BIAS_SHARE = 0.3
"""Of what is given back for curvature, what may be wrong about it."""
COHERENCE = 0.93
"""Length of the mean gradient over the mean length, under which fronts meet or start."""
SURE = 3.0
"""Standard deviations over which a gradient is there at all."""
BLOCK_ROWS = 64
"""That are looked at together with those their windows reach."""
CORE_SHARE = 0.1
"""Of a window's weight, on places where fronts meet, from which it is spoilt."""


@dataclass(eq=False)
class Gradient:
    """Of an onset map, seconds per pixel.

    Attributes
    ----------
    y, x : numpy.ndarray
        (Y, X) float32.
    bias : numpy.ndarray
        (Y, X) float32, what may be wrong with what was given back for curvature.
    variance : numpy.ndarray
        (Y, X) float32 of each component, from noise.
    """

    y: Float32Array
    x: Float32Array
    bias: Float32Array
    variance: Float32Array

    @property
    def square(self) -> Float32Array:
        """(Y, X) |grad t|^2 without what noise adds to it."""
        return self.y**2 + self.x**2 - 2 * self.variance


def filled(image: Float32Array) -> Float32Array:
    """Pixels without a value have that of those around them; far from any, the median."""
    known = np.isfinite(image)
    if known.all():
        return image
    far = np.float32(quantiles_within(image, [0.5])[1][0])
    weight = blurred(known, FILL_SIGMA_PX)
    around = blurred(pixelwise(lambda i, k: np.where(k, i - far, 0), image, known), FILL_SIGMA_PX)
    return pixelwise(
        lambda i, k, a, w: np.where(k, i, a / np.maximum(w, np.float32(1e-6)) + far),
        *(image, known, around, weight),
    )


def share_of_window(where: BoolArray, window: float) -> Float32Array:
    """(Y, X) share of each window's weight that lies on these pixels; beyond the field is none."""
    edge = math.ceil(CUT * window)
    if where.all() and min(where.shape) > 2 * edge:
        rows, columns = (_share_inside(n, window) for n in where.shape)
        return np.outer(rows, columns)
    inside = (slice(edge, -edge),) * 2
    return blurred(np.pad(where.astype(np.float32), edge), window)[inside]


def _share_inside(n: int, window: float) -> Float32Array:
    """(n,) share of each window's weight that lies within a line of so many pixels."""
    return np.convolve(np.ones(n, np.float32), gaussian_weights(window), mode="same")


def gradient_of(
    times: Float32Array,
    variance: Float32Array,
    window: float,
    *,
    smoothing_px: float,
    psf_px: float,
    every: int = 1,
) -> Gradient:
    """The gradient of a map of times without gaps.

    Parameters
    ----------
    times, variance : numpy.ndarray
        (Y, X) float32 seconds and their variance.
    window : float
        Standard deviation of the window, pixels.
    smoothing_px, psf_px : float
        Standard deviations of the smoothing the times had, and of the point spread whose delay
        was taken out, pixels.
    every : int
        Only every so many-th row is looked at.
    """
    from napari_lithium_alloy.core.kernels.images import blur
    from napari_lithium_alloy.core.kernels.slopes import slopes

    times, variance = (np.ascontiguousarray(i, dtype=np.float32) for i in (times, variance))
    reach = np.arange(-math.ceil(CUT * window), math.ceil(CUT * window) + 1)
    weights = np.exp(-0.5 * (reach / window) ** 2)
    flattening = float((weights * reach**2).sum() / weights.sum() / 2)
    taps, n = gaussian_weights(window), len(times)
    smooth, noise = np.empty_like(times), np.empty_like(times)
    y, x, bias = (np.empty((-(-n // every), times.shape[1]), np.float32) for _ in range(3))

    def blurred_rows(rows: Rows) -> None:
        blur(times, taps, True, rows, smooth)
        blur(variance, taps, False, rows, noise)

    def sloping(rows: Rows) -> None:
        own = tuple(i[rows[0] : rows[1]] for i in (y, x, bias))
        slopes(smooth, flattening, BIAS_SHARE, rows, own)

    def some(which: Rows) -> None:
        for i in range(*which):
            row = i * every
            blur(times, taps, True, (max(row - 2, 0), min(row + 3, n)), smooth)
            blur(variance, taps, False, (row, row + 1), noise)
            own = tuple(k[i : i + 1] for k in (y, x, bias))
            slopes(smooth, flattening, BIAS_SHARE, (row, row + 1), own)

    if every > 1:
        finish(by_rows(some, len(y), most=8))
    else:
        finish(by_rows(blurred_rows, n))
        finish(by_rows(sloping, n))
    share = np.float32(noise_share(window, smoothing_px, psf_px))
    return Gradient(y=y, x=x, bias=bias, variance=noise[::every] * share)


def noise_share(window: float, smoothing_px: float, psf_px: float = 0.0) -> float:
    """Variance of each component of the gradient, per that of the onsets (px^-2).

    The noise of single pixels, smoothed as onsets are (see `onset_errors.kernel_power`), then by
    the local fits; by Parseval's theorem in polar coordinates.
    """
    k = np.linspace(0, WHITE_K, 2001)
    before = np.ones_like(k)
    if smoothing_px >= LEAST_SMOOTHING_PX:
        bending = k**2 * np.exp(-((GRADIENT_SIGMA_PX * k) ** 2) / 2)
        given = 1 + (smoothing_px**2 + psf_px**2) / 2 * bending
        before = np.exp(-((smoothing_px * k) ** 2) / 2) * given
    differences = np.exp(-(k**2) / 8)  # of pixels either side; the mean over directions
    fit = np.exp(-((window * k) ** 2) / 2) * (1 + (window * k) ** 2 / 2) * differences
    return float(np.sum(k**3 * (before * fit) ** 2) / 2 / np.sum(k * before**2))


def meeting(gradient: Gradient, window: float) -> BoolArray:
    """Where the window holds fronts of several directions: meeting lines and nuclei."""
    core = _cores(gradient, window)
    if not core.any():
        return core
    return pixelwise(
        lambda c: c > CORE_SHARE, blurred(core.astype(np.float32), window), dtype=np.bool_
    )


def _cores(gradient: Gradient, window: float) -> BoolArray:
    """Where the mean gradient in a window is clearly shorter than gradients are."""
    from napari_lithium_alloy.core.kernels.images import blur
    from napari_lithium_alloy.core.kernels.slopes import lengths

    n, weights = len(gradient.y), gaussian_weights(window)
    out = np.empty(gradient.y.shape, dtype=bool)

    def mark(rows: Rows) -> None:
        first = max(rows[0] - len(weights) // 2, 0)
        near = slice(first, rows[1] + len(weights) // 2)
        own, inner = slice(*rows), (rows[0] - first, rows[1] - first)
        y, x = gradient.y[near], gradient.x[near]
        length, means = np.empty_like(y), np.empty((3, *y.shape), dtype=np.float32)
        lengths(y, x, (0, len(y)), length)
        for image, mean in zip((length, y, x), means, strict=True):
            blur(image, weights, False, inner, mean)
        lengths(means[1], means[2], inner, length)
        usual, together = means[0, slice(*inner)], length[slice(*inner)]
        sure = usual**2 > SURE**2 * gradient.variance[own]
        out[own] = (together < COHERENCE * usual) & sure

    finish(by_rows(mark, n, most=BLOCK_ROWS))
    return out
