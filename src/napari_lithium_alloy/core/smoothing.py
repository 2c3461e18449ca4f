"""Smoothing of frames in space and time, and what noise it leaves."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.row_blocks import FEW, by_rows

MAD_TO_SD = 1.4826
"""Of Gaussian noise: its standard deviation over the median of its size."""
FEW_VALUES = 512
PIXEL_VARIANCE = 1 / 12
"""Of a pixel's own square, pixels squared: it blurs as a Gaussian of this variance does."""
SAMPLED_ROWS = 64
UNKNOWN_SIGMA_PX = 4.0
LARGE_SIDE_PX = 1024
"""Of fields in which pixels that are not known get the mean around pairs of pixels."""
CUT = 3.0
"""Standard deviations at which a Gaussian in space ends."""


def robust_sd(values: FloatArray) -> float:
    """Standard deviation about 0 of values of which a minority are outliers."""
    return MAD_TO_SD * median_of(np.abs(values))


def median_of(values: FloatArray) -> float:
    """NumPy's median, several times faster where values are few, or of single precision."""
    if not 0 < values.size <= FEW_VALUES:
        return _median_of_many(values)
    ordered = np.sort(values, axis=None)
    half = values.size // 2
    if np.isnan(ordered[-1]):
        return math.nan
    return float(ordered[half] if values.size % 2 else (ordered[half - 1] + ordered[half]) / 2)


def _median_of_many(values: FloatArray) -> float:
    if values.dtype != np.float32 or not values.size or np.isnan(values).any():
        return float(np.median(values))
    from napari_lithium_alloy.core.kernels.medians import BINS, median_of

    rooms = np.empty(values.size, np.uint32), np.empty(values.size, np.uint32)
    flat = np.ascontiguousarray(values).reshape(-1)
    return float(median_of(flat, rooms, np.empty(BINS, np.int64)))


def noise_of_second(differences: FloatArray) -> float:
    """Standard deviation of single values, from second differences of neighbours."""
    return robust_sd(differences) / float(np.sqrt(6))


def time_kernel(sigma_frames: float) -> FloatArray:
    """Gaussian weights of neighbouring frames, cut at 2.5 standard deviations."""
    half = int(np.ceil(2.5 * sigma_frames)) if sigma_frames > 0 else 0
    steps = np.arange(-half, half + 1)
    weights = np.exp(-0.5 * (steps / max(sigma_frames, 1e-9)) ** 2)
    return np.asarray(weights / weights.sum())


def smooth_within(image: Float32Array, valid: BoolArray, sigma_px: float) -> Float32Array:
    """Gaussian smoothing that takes nothing from outside `valid`.

    Parameters
    ----------
    image : (Y, X) float32 array
    valid : (Y, X) bool array
        Pixels outside are left as they are.
    sigma_px : float
        Standard deviation; the Gaussian is cut at three of them, and mirrored at the edges.
    """
    if sigma_px <= 0:
        return image
    if valid.all():
        return blurred(image, sigma_px)
    weight = blurred(valid.astype(np.float32), sigma_px)
    inside = blurred(_or_nothing(image, valid), sigma_px)

    def mean(
        valid: BoolArray, inside: Float32Array, weight: Float32Array, image: Float32Array
    ) -> Float32Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(valid, inside / weight, image)

    return pixelwise(mean, valid, inside, weight, image)


def _or_nothing(image: Float32Array, valid: BoolArray) -> Float32Array:
    """The image, and 0 where it is not valid."""
    return pixelwise(lambda i, v: np.where(v, i, 0), image, valid)


def smooth_times(times: Float32Array, known: BoolArray, sigma_px: float) -> Float32Array:
    """Gaussian smoothing of a map whose slopes go on beyond its edges.

    Pixels that are not known take the mean around them before, and are left as they are.
    """
    if sigma_px <= 0:
        return times
    filled = filled_times(times, known)
    smooth = blurred(filled, sigma_px, straight=True)
    return smooth if known.all() else pixelwise(np.where, known, smooth, times)


def filled_times(times: Float32Array, known: BoolArray) -> Float32Array:
    """A map in which pixels that are not known have the mean around them."""
    if known.all():
        return times
    cell = 2 if min(times.shape) >= LARGE_SIDE_PX else 1
    around = wide_mean(times, known, UNKNOWN_SIGMA_PX, cell)
    far = median_of(some_of(times, known))

    def fill(known: BoolArray, times: Float32Array, around: Float32Array) -> Float32Array:
        return np.where(known, times, np.where(np.isfinite(around), around, far))

    return pixelwise(fill, known, times, around)


def blurred(
    image: FloatArray, sigma_px: float, *, straight: bool = False, cut: float = CUT
) -> Float32Array:
    """(Y, X) float32 convolved with a Gaussian, cut at some standard deviations.

    At the edges it is mirrored or, if `straight`, goes on as a straight line.
    """
    from napari_lithium_alloy.core.kernels.images import blur

    image = np.ascontiguousarray(image, dtype=np.float32)
    weights = gaussian_weights(sigma_px, cut)
    out = np.empty_like(image)
    finish(by_rows(lambda rows: blur(image, weights, straight, rows, out), len(image), most=FEW))
    return out


def with_laplacian(image: Float32Array, own: float, laplacian: float) -> Float32Array:
    """(Y, X) so much of the image and so much of its Laplacian, mirrored at the edges."""
    from napari_lithium_alloy.core.kernels.images import add_laplace

    out = np.empty_like(image)
    finish(by_rows(lambda rows: add_laplace(image, (own, laplacian), rows, out), len(image)))
    return out


def gradient_squared(image: Float32Array) -> Float32Array:
    """(Y, X) square of the gradient: central differences, at the edges one-sided ones."""
    from napari_lithium_alloy.core.kernels.structure import gradient_energy

    out = np.empty_like(image)
    finish(by_rows(lambda rows: gradient_energy(image, rows, out), len(image), most=FEW))
    return out


def near_over(image: Float32Array, level: float, reach: int) -> BoolArray:
    """(Y, X) True within some rows and columns of what is over a level."""
    from napari_lithium_alloy.core.kernels.images import mark_around

    out = np.empty(image.shape, dtype=bool)
    finish(by_rows(lambda rows: mark_around(image, level, reach, rows, out), len(image)))
    return out


def gaussian_reach(sigma_px: float, cut: float = CUT) -> int:
    """Pixels to either side that a Gaussian in space takes."""
    return int(np.ceil(cut * sigma_px))


def gaussian_weights(sigma_px: float, cut: float = CUT) -> Float32Array:
    """(2 n + 1,) weights of a Gaussian in space."""
    half = gaussian_reach(sigma_px, cut)
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma_px) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def cell_means(image: NDArray[Any], cell: int) -> Float32Array:
    """Means over squares of `cell` pixels; the last take the rows and columns left over."""
    from napari_lithium_alloy.core.kernels.cell_maps import mean_of_cells

    image = np.ascontiguousarray(image, dtype=np.float32)
    out = np.empty([max(n // cell, 1) for n in image.shape], dtype=np.float32)
    finish(by_rows(lambda rows: mean_of_cells(image, cell, rows, out), len(out), most=FEW))
    return out


def wide_mean(image: Float32Array, valid: BoolArray, sigma_px: float, cell: int) -> Float32Array:
    """Wide Gaussian mean of the valid pixels, made on means over cells; NaN far from them all."""
    return at_pixels(wide_mean_of_cells(image, valid, sigma_px, cell), cell, image.shape)


def wide_mean_of_cells(
    image: Float32Array, valid: BoolArray, sigma_px: float, cell: int
) -> Float32Array:
    """The same as `wide_mean`, at the cells."""
    if valid.all():
        return blurred(cell_means(image, cell), sigma_px / cell)
    mean = blurred(cell_means(_or_nothing(image, valid), cell), sigma_px / cell)
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean / blurred(cell_means(valid, cell), sigma_px / cell)


def at_pixels(cells: Float32Array, cell: int, shape: tuple[int, ...]) -> Float32Array:
    """Values of cells at their pixels, between the cells' centres."""
    from napari_lithium_alloy.core.kernels.cell_maps import between_cells

    out = np.empty(shape, dtype=np.float32)
    finish(by_rows(lambda rows: between_cells(cells, cell, rows, out), len(out), most=FEW))
    return out


def frame_noise(frames: list[Float32Array], valid: BoolArray) -> float:
    """Robust standard deviation of one frame, from differences of neighbours in time or space."""
    if len(frames) > 1 and valid.any():
        steps = [(b - a)[valid] for a, b in itertools.pairwise(frames)]
        # Each step's own median is the lamp's flicker, which is the same in all pixels.
        differences = np.concatenate([step - np.float32(median_of(step)) for step in steps])
        return robust_sd(differences) / float(np.sqrt(2))
    return noise_of_second(np.diff(frames[0], n=2, axis=1)[valid[:, 2:] & valid[:, :-2]])


def common_noise(frames: list[Float32Array], valid: BoolArray) -> float:
    """Standard deviation of what a frame has in all its pixels, as a flickering lamp's."""
    if not valid.any():
        return 0.0
    steps = [median_of((b - a)[valid]) for a, b in itertools.pairwise(frames)]
    return float(np.std(steps, ddof=1) / np.sqrt(2)) if len(steps) > 1 else 0.0


def noise_left(sigma_px: float) -> float:
    """Share of white noise left by Gaussian smoothing of an image."""
    return 1.0 if sigma_px < 0.3 else min(1.0, 1 / (2 * np.sqrt(np.pi) * sigma_px))


def some_of(image: FloatArray, where: BoolArray) -> FloatArray:
    """Values at these pixels, of evenly spread rows if those hold any: enough for a median."""
    rows = slice(None, None, max(1, len(image) // SAMPLED_ROWS))
    sample = image[rows][where[rows]]
    return sample if sample.size else image[where]
