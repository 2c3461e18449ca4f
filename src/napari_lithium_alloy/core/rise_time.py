"""How long a place takes to alloy: the 10-90 % time of its rise, from the slope at its crossing.

A rise in the form of a normal distribution's integral is as steep at its half as its width says,
and a slow creep after it hardly changes that, as it would the times of 10 and 90 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from napari_lithium_alloy.core.onset_errors import cell_side, lines_of_phases
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.smoothing import at_pixels, blurred, cell_means

SIGMAS_10_90 = 2.5631031
"""Of a normal distribution, between 10 and 90 % of it."""
RISE_TIME_SIGMA_PX = 6.0
"""Over which rise times are smoothed."""
MOST_ASIDE = 0.3
"""Share of the rise by which a place's level may miss the threshold for its slope to be used."""
MOST_STEEPER = 10.0
"""Factor by which the slope at half may exceed one that is used, at most."""
GRADIENT_PX = 2
"""Side of the squares of pixels whose times tell how steep a map is."""
SOLVING = 8
"""Rounds in which width and point spread are told apart."""
_WIDTHS = np.geomspace(0.05, 100, 60)


@dataclass(frozen=True, eq=False, kw_only=True)
class Response:
    """What is seen of a rise in time.

    Attributes
    ----------
    slopes : numpy.ndarray
        Slope a frame, on average, of rises by 1 of the widths looked up.
    added : float
        Variance that the look at it adds to that of a wide rise, frames squared.
    """

    slopes: FloatArray
    added: float

    def width(self, slope: FloatArray) -> FloatArray:
        """Standard deviation of the rise by 1 of which this slope a frame is seen, frames."""
        return np.interp(-slope, -self.slopes, _WIDTHS)


def line_response(sigma_frames: float) -> Response:
    """Of a line whose weights have this standard deviation."""
    slopes = [np.mean(lines_of_phases(sigma_frames, width)[1]) for width in _WIDTHS]
    return Response(slopes=np.array(slopes), added=sigma_frames**2)


def secant_response() -> Response:
    """Of the straight line between the frames before and after a crossing."""
    since = (np.arange(16) + 0.5) / 16
    rises = ndtr((1 - since) / _WIDTHS[:, np.newaxis]) - ndtr(-since / _WIDTHS[:, np.newaxis])
    return Response(slopes=rises.mean(axis=1), added=1 / 12)


def rise_times(
    slope: Float32Array,
    missing: Float32Array,
    rise: Float32Array,
    known: BoolArray,
    time: FloatArray,
    *,
    fraction: float,
    interval: float,
    response: Response,
    psf_px: float,
) -> Float32Array:
    """10-90 % times, in the unit of the interval, of places some pixels wide.

    Parameters
    ----------
    slope, missing, rise : numpy.ndarray
        (Y, X) float32 slopes a unit of time, what the levels there miss to the fraction of the
        rise, and rises.
    known : numpy.ndarray
        (Y, X) True where there are a slope and a time.
    time : numpy.ndarray
        (Y, X) onset.
    fraction : float
        Of the rise.
    interval : float
        Between frames.
    response : Response
        Takes out what sparse frames and smoothing in time add to a width.
    psf_px : float
        Standard deviation of the point spread, which widens rises across a front; 0: not known,
        and rises are as wide as they are seen.
    """
    nothing = np.full((1, 1), np.nan, dtype=np.float32)
    if not known.any():
        return at_pixels(nothing, 1, slope.shape)
    cell = cell_side(slope.shape)
    slopes, gaps, rises = (
        cell_means(np.where(known, part, 0), cell) for part in (slope, missing, rise)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        aside = gaps / rises
        # A normal distribution's integral is less steep there than at its half.
        steeper = np.exp(ndtri(fraction - aside) ** 2 / 2)
    used = (np.abs(aside) < MOST_ASIDE) & (steeper < MOST_STEEPER)
    if not used.any():
        return at_pixels(nothing, 1, slope.shape)
    slopes, rises = (np.where(used, part, 0) for part in (slopes * steeper * interval, rises))
    spread = _spread(np.where(known, time, np.nan), psf_px / interval, cell)
    width = _widths(slopes, rises, spread, response, RISE_TIME_SIGMA_PX / cell)
    cells = np.asarray(SIGMAS_10_90 * interval * width, dtype=np.float32)
    return at_pixels(cells, cell, slope.shape)


def _spread(time: FloatArray, psf_px: float, cell: int) -> FloatArray:
    """Variance in time that the point spread adds across the fronts, of cells."""
    if not psf_px:
        return np.zeros(1)
    side = GRADIENT_PX if cell > 1 else 1
    means = cell_means(time, side)
    if min(means.shape) < GRADIENT_PX:
        return np.zeros(1)
    gy, gx = np.gradient(means / side)
    steep = psf_px**2 * (gy**2 + gx**2)
    return cell_means(np.where(np.isfinite(steep), steep, 0), cell // side)


def _widths(
    slopes: FloatArray, rises: FloatArray, spread: FloatArray, response: Response, sigma: float
) -> FloatArray:
    """Widths, in frames, around cells; that of a typical place where nothing is known."""
    below = blurred(rises, sigma)
    near = below > 0
    square = np.full(slopes.shape, np.inf)
    for _ in range(SOLVING if spread.any() else 1):
        steeper = blurred(slopes * np.sqrt(1 + spread / (square + response.added)), sigma)
        square[near] = response.width(steeper[near] / below[near]) ** 2
    square[~near] = np.median(square[near])
    return np.asarray(np.sqrt(square))
