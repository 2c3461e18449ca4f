"""Onsets changed until the light they would show is the light that is seen.

A second derivative tells the delay by the point spread and by smoothing where a map of onsets
bends little over their reach. On a rough film it does not; there the map is taken through the
point spread again, and what the light seen at each pixel's line differs from it is given to the
map. Where what would be given is no more than noise, nothing is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from napari_lithium_alloy.core.crossing import GRADIENT_SIGMA_PX
from napari_lithium_alloy.core.onset_errors import SCATTER_SIGMA_PX, cell_side
from napari_lithium_alloy.core.onset_lines import Lines
from napari_lithium_alloy.core.onset_scene import Scene
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise, pixelwise_several
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.rise_time import SIGMAS_10_90
from napari_lithium_alloy.core.row_blocks import FEW, by_rows
from napari_lithium_alloy.core.smoothing import (
    CUT,
    LARGE_SIDE_PX,
    at_pixels,
    blurred,
    cell_means,
    filled_times,
)

ROUNDS = 2
REFINED_PX = 2.0
"""Smoothing of what is given to a map."""
CLEARLY = 2.5
"""Times the power of noise that what is given must have."""
LAST_SHARE, NEXT_SHARE = 2.0, 1.2
"""Of the last change, and of what another would give, that is left of an error.

From synthetic films with correlation lengths of 5 to 40 px."""
BIAS_SHARE = 0.3
"""Of the delay told from bending, what is left of it where the map bends little."""
WORTH_IT = 0.1
"""Of a map's variance by noise; if what some rows show to be given is less, nothing is."""
STRIPS, STRIP_PX = 3, 32
MOST_MISSED = 0.5
"""Share of the rise; a pixel that differs more from the map tells nothing of it."""
LEAST_STEEP = 0.05
"""Of the steepest slope a rise has, below which a place tells little."""
FLAT = np.float32(1e-9)
"""Per second; squares of less are too small for single precision, and slow."""
MOST_STEEPER = 2.0
"""Factor by which widths change in a round."""
LEAST_WIDTH = 0.1
"""Frame intervals."""
SMOOTH_PX = 0.7
"""Smoothing from which on a map has hardly anything left that alternates from pixel to pixel."""
WIDE_PX = 1.0
"""Point spread from which on every other pixel tells what a smooth map shows through it."""
_WHITE_K = 2 * math.sqrt(math.pi)
"""Radius of the circle of frequencies that has the area of a pixel grid's square."""
_K = np.linspace(0, _WHITE_K, 501)


@dataclass(frozen=True, eq=False, kw_only=True)
class Blur:
    """What lies between a map of onsets and its light.

    Attributes
    ----------
    width : numpy.ndarray
        (Y, X) float32 standard deviation of the rises, seconds.
    psf_px, smoothing_px : float
        Standard deviations of the point spread and of the smoothing the map had, pixels.
    delay : numpy.ndarray
        (Y, X) float32 seconds already taken out of it, told from its bending.
    sampling : numpy.ndarray or float
        Variance of errors by sparse frames, seconds squared.
    """

    width: Float32Array
    psf_px: float
    smoothing_px: float
    delay: Float32Array
    sampling: Float32Array | float


def widths_of(rise_time: Float32Array, typical: float, interval: float) -> Float32Array:
    """Standard deviations of rises whose 10-90 % times are known, else a typical one."""
    least, usual = np.float32(LEAST_WIDTH * interval), np.float32(typical)

    def width(rise_time: Float32Array) -> Float32Array:
        known = np.isfinite(rise_time)
        return np.maximum(np.where(known, rise_time / np.float32(SIGMAS_10_90), usual), least)

    return pixelwise(width, rise_time)


@dataclass(frozen=True, eq=False, kw_only=True)
class Refined:
    """A map that shows the light that is seen.

    Attributes
    ----------
    onset : numpy.ndarray
        (Y, X) float32 seconds.
    bias : numpy.ndarray
        (Y, X) float32 mean square of what is left of its bending, seconds squared.
    noisier : float
        Factor by which it has more of the variance by noise.
    """

    onset: Float32Array
    bias: Float32Array
    noisier: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Lack:
    """What the light of a map differs in from what is seen.

    Attributes
    ----------
    change : numpy.ndarray
        (Y, X) float32 seconds that the map lacks.
    noise : numpy.ndarray
        Of cells, variance of a single pixel's time by noise, seconds squared.
    steeper : numpy.ndarray
        Of cells, factor by which the light's slopes exceed the map's.
    """

    change: Float32Array
    noise: Float32Array
    steeper: Float32Array


def refined(scene: Scene, lines: Lines, onset: Float32Array, blur: Blur) -> Refined:
    """Give to a map of the times of half the rise what its light lacks of that of the lines.

    Where some rows of it show that there is hardly more than noise to give, it stays as it is.
    """
    before = passed = _passed_at_first(blur)
    bias = np.float32(BIAS_SHARE**2) * _mean_square(scene, blur.delay, GRADIENT_SIGMA_PX)
    if _bends_little(scene, lines, onset, blur):
        return Refined(onset=onset, bias=_at_pixels(scene, bias), noisier=1.0)
    for _ in range(ROUNDS):
        lack = _lack(scene, lines, onset, blur)
        more = _more(blur, passed)
        share = _share(scene, lack, more, blur)
        given = pixelwise(np.multiply, _at_pixels(scene, share), lack.change)
        onset = pixelwise(np.add, onset, given)
        passed = passed + float(np.nanmean(share)) * more
        bias = np.float32(LAST_SHARE**2) * _mean_square(scene, given, GRADIENT_SIGMA_PX)
        blur = replace(blur, width=_narrowed(scene, blur.width, lines.sigma, lack.steeper))
    bias += _following(scene, lines, onset, blur, bias)
    return Refined(
        onset=onset, bias=_at_pixels(scene, bias), noisier=_power(passed) / _power(before)
    )


def _bends_little(scene: Scene, lines: Lines, onset: Float32Array, blur: Blur) -> bool:
    """Whether some rows of a large map lack hardly more than noise."""
    height = len(onset)
    if height < 2 * STRIPS * STRIP_PX:
        return False
    given, noise = [], []
    for some, parts, there, rows in _strips(scene, lines, blur):
        lack = _lack(some, parts, onset[rows], there)
        share = _share(some, lack, _more(blur, _passed_at_first(blur)), there)
        given.append(np.nanmean(_mean_square(some, lack.change, SCATTER_SIGMA_PX) * share**2))
        noise.append(np.nanmedian(lack.noise))
    left = _power(_passed_at_first(blur))
    return not given or float(np.mean(given)) < WORTH_IT * left * float(np.mean(noise))


def _strips(scene: Scene, lines: Lines, blur: Blur) -> Iterator[tuple[Scene, Lines, Blur, slice]]:
    """Some rows of a large map in which something happens."""
    for top in np.linspace(0, len(scene.rise) - STRIP_PX, 2 * STRIPS + 1)[1::2].astype(int):
        rows = slice(int(top), int(top) + STRIP_PX)
        some = replace(scene, rise=scene.rise[rows], rising=scene.rising[rows])
        if not some.rising.any():
            continue
        parts = replace(
            lines, time=lines.time[rows], missing=lines.missing[rows], slope=lines.slope[rows]
        )
        sampling = blur.sampling
        sampling = sampling[rows] if isinstance(sampling, np.ndarray) else sampling
        yield some, parts, replace(blur, width=blur.width[rows], sampling=sampling), rows


def _following(
    scene: Scene, lines: Lines, onset: Float32Array, blur: Blur, last: Float32Array
) -> Float32Array:
    """Mean square of what a further round would leave of an error, of cells.

    Of a large map some rows tell how much that is of the `last` round's.
    """
    part = np.float32(NEXT_SHARE**2)
    if min(onset.shape) < LARGE_SIDE_PX:
        return part * _mean_square(
            scene, _lack(scene, lines, onset, blur).change, GRADIENT_SIGMA_PX
        )
    following, before = [], []
    cell = cell_side(onset.shape)
    for some, parts, there, rows in _strips(scene, lines, blur):
        change = _lack(some, parts, onset[rows], there).change
        following.append(np.nanmean(_mean_square(some, change, GRADIENT_SIGMA_PX)))
        before.append(np.nanmean(last[rows.start // cell : rows.stop // cell]))
    return part * np.float32(np.sum(following) / max(np.sum(before), 1e-12)) * last


def _mean_square(scene: Scene, change: Float32Array, sigma_px: float) -> Float32Array:
    """Of cells."""
    square = pixelwise(lambda c, r: np.where(r, c * c, np.float32(0)), change, scene.rising)
    cell = cell_side(change.shape)
    mean = blurred(cell_means(square, cell), sigma_px / cell)
    if scene.rising.all():
        return mean
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean / blurred(cell_means(scene.rising, cell), sigma_px / cell)


def _at_pixels(scene: Scene, cells: Float32Array) -> Float32Array:
    return at_pixels(cells, cell_side(scene.rise.shape), scene.rise.shape)


def _more(blur: Blur, passed: FloatArray) -> FloatArray:
    """What a round passes of the noise of single pixels, after one that has passed so much."""
    return _gaussian(REFINED_PX) * (1 - _gaussian(blur.psf_px) * passed)


def _share(scene: Scene, lack: Lack, more: FloatArray, blur: Blur) -> Float32Array:
    """Share of what cells lack that is more than noise."""
    sampling = blur.sampling
    if isinstance(sampling, np.ndarray):
        sampling = cell_means(sampling, cell_side(scene.rise.shape))
    noise = lack.noise * np.float32(_power(more)) + sampling
    seen = _mean_square(scene, lack.change, SCATTER_SIGMA_PX)
    return np.clip(1 - CLEARLY * noise / np.maximum(seen, 1e-12), 0, 1).astype(np.float32)


def _lack(scene: Scene, lines: Lines, onset: Float32Array, blur: Blur) -> Lack:
    """What a map lacks, by least squares over pixels near each other.

    Where the light hardly changes with time a pixel says little of when.
    """
    rising, sigma = scene.rising, np.float32(lines.sigma)
    level, slope = shown(scene, lines, filled_times(onset, rising), blur)
    weighted, square, noise, both = pixelwise_several(
        partial(_missed, fraction=np.float32(scene.parameters.fraction)),
        *(level, slope, scene.rise, lines.missing, lines.slope, rising),
        dtypes=(np.float32,) * 4,
    )

    def bounded(
        change: Float32Array, square: Float32Array, width: Float32Array, rising: BoolArray
    ) -> Float32Array:
        widest = np.hypot(width, sigma)
        lacking = change / np.maximum(square, (np.float32(LEAST_STEEP) / widest) ** 2)
        return np.where(rising, np.clip(lacking, -widest, widest), np.float32(0))

    # Sums over rising pixels: what others lack is 0, and how many they are cancels out.
    straight = bool(rising.all())
    smooth = blurred(weighted, REFINED_PX, straight=straight), blurred(square, REFINED_PX)
    cell = cell_side(rising.shape)
    squares, noise, both = (
        blurred(cell_means(part, cell), SCATTER_SIGMA_PX / cell) for part in (square, noise, both)
    )
    squares = np.where(squares > 1e-12, squares, np.float32(np.nan))
    return Lack(
        change=pixelwise(bounded, *smooth, blur.width, rising),
        noise=noise / squares,
        steeper=both / squares,
    )


def _missed(
    level: Float32Array,
    slope: Float32Array,
    rise: Float32Array,
    missing: Float32Array,
    seen_slope: Float32Array,
    rising: BoolArray,
    *,
    fraction: np.float32,
) -> tuple[Float32Array, ...]:
    """What the light of a map misses, times its slope; and of slope, missed and both squares."""
    rise = np.maximum(rise, np.float32(1e-6))
    missed = np.clip(level - fraction + missing / rise, -MOST_MISSED, MOST_MISSED)
    told = rising & (slope > FLAT)
    missed, slope = (np.where(told, part, np.float32(0)) for part in (missed, slope))
    return slope * missed, slope**2, missed**2, slope * seen_slope / rise


def _narrowed(
    scene: Scene, width: Float32Array, sigma: float, steeper: Float32Array
) -> Float32Array:
    """Widths of rises that look this much steeper once smoothed in time."""
    own = np.float32(sigma**2)

    def narrow(width: Float32Array, factor: Float32Array, rising: BoolArray) -> Float32Array:
        steeper = np.clip(factor, np.float32(1 / MOST_STEEPER), np.float32(MOST_STEEPER))
        left = (width**2 + own) / steeper**2 - own
        narrowed = np.sqrt(np.maximum(left, (width / np.float32(MOST_STEEPER)) ** 2))
        return np.where(rising, narrowed, width)

    return pixelwise(narrow, width, _at_pixels(scene, steeper), scene.rising)


def shown(
    scene: Scene, lines: Lines, onset: Float32Array, blur: Blur
) -> tuple[Float32Array, Float32Array]:
    """Levels that a map would show at the lines' times, and slopes, in shares of the rise.

    Of pixels in runs of which some rise; elsewhere they are 0.

    Light is averaged by the point spread over rises in the form of a normal distribution's
    integral, and its logarithm by the lines over time. To second order in the rise the
    logarithm of a mean is the mean of logarithms less half their variance.
    """
    from napari_lithium_alloy.core.kernels.blurred_rises import blurred_rises

    spread = _point_spread(blur.psf_px, every_other=blur.smoothing_px >= SMOOTH_PX)
    half = len(spread) // 2
    onset = np.pad(onset, half, mode="reflect", reflect_type="odd") if half else onset
    level, slope = (np.empty(scene.rise.shape, np.float32) for _ in range(2))
    widths = (blur.width, float(lines.sigma))

    def show(rows: tuple[int, int]) -> None:
        how = (widths, spread, scene.light.falls)
        blurred_rises(onset, lines.time, scene.rise, scene.rising, *how, rows, level, slope)

    finish(by_rows(show, len(level), most=FEW))
    return level, slope


def _point_spread(sigma_px: float, *, every_other: bool = False) -> Float32Array:
    """A Gaussian, 0 beyond three standard deviations.

    Of a map that is smooth itself every other pixel, as the black squares of a chess board, tells
    the same if the Gaussian is wide: the error is exp(-pi^2 sigma^2).
    """
    reach = np.arange(-math.ceil(CUT * sigma_px), math.ceil(CUT * sigma_px) + 1)
    square = np.add.outer(reach**2, reach**2)
    weights = np.exp(-0.5 * square / max(sigma_px, 1e-6) ** 2)
    weights[square > (CUT * sigma_px) ** 2] = 0
    if every_other and sigma_px >= WIDE_PX:
        weights[np.add.outer(reach, reach) % 2 != 0] = 0
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def _gaussian(sigma_px: float) -> FloatArray:
    """What smoothing leaves of each frequency."""
    return np.asarray(np.exp(-((sigma_px * _K) ** 2) / 2))


def _passed_at_first(blur: Blur) -> FloatArray:
    """Of noise of single pixels, by smoothing and by taking out a delay told from bending."""
    c = (blur.psf_px**2 + blur.smoothing_px**2) / 2
    smooth = _gaussian(blur.smoothing_px)
    return smooth * (1 + c * _K**2 * _gaussian(GRADIENT_SIGMA_PX))


def _power(passed: FloatArray) -> float:
    """Share of the variance of noise of single pixels, by Parseval's theorem."""
    return float(np.trapezoid(_K * passed**2, _K)) / (2 * math.pi)
