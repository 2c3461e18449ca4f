"""Growth of one disc: its onset, its exponent, and what blur takes from its height."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from napari_lithium_alloy.core.recording import FloatArray

HALF_FWHM = 1.1774
"""Half the full width at half maximum of a Gaussian, in its standard deviations."""
LEAST_POINTS = 5
ONSET_GRID, FINE_GRID = 200, 41
POWERS = np.linspace(0.05, 4, 159)
_FINE, _HALF = 8.0, 60
_RATIOS = np.geomspace(0.3, 12, 40)


def hinge_onset(times_s: FloatArray, loss: FloatArray, noise: float) -> tuple[float, float, str]:
    """Onset of a loss that is level before it and rises at a steady rate after it.

    Least squares over onset, level and rate, with the noise of single frames.

    Parameters
    ----------
    times_s, loss : numpy.ndarray
        (T,) over the deposition.
    noise : float
        Standard deviation of a value.

    Returns
    -------
    onset_s, sd_s, reason
        NaN with the reason where the loss does not rise beyond its noise.
    """
    nothing = float("nan"), float("nan"), "no lasting change at its centre"
    if len(times_s) < 4:
        return float("nan"), float("nan"), "too few frames"
    span = float(times_s[-1] - times_s[0])
    low, high = times_s[0] - 0.1 * span, times_s[-1] - 0.1 * span
    onset, rate = _best_hinge(times_s, loss, np.linspace(low, high, ONSET_GRID))
    step = (high - low) / (ONSET_GRID - 1)
    onset, rate = _best_hinge(times_s, loss, np.linspace(onset - step, onset + step, FINE_GRID))
    if rate <= 0 or rate * (times_s[-1] - onset) < 4 * noise / np.sqrt(max(1, len(times_s) / 4)):
        return nothing
    after = (times_s > onset).astype(float)
    slopes = np.column_stack([after * (times_s - onset), np.ones_like(after), -rate * after])
    normal = slopes.T @ slopes
    if np.linalg.matrix_rank(normal) < 3:
        return float(times_s[0]), float("nan"), "there before the window"
    sd = noise * float(np.sqrt(np.linalg.inv(normal)[2, 2]))
    if onset < times_s[0] - 2 * sd - 0.02 * span:
        return float("nan"), float("nan"), "there before the window"
    return max(onset, float(times_s[0])), sd, ""


def _best_hinge(times_s: FloatArray, loss: FloatArray, onsets: FloatArray) -> tuple[float, float]:
    """Of these onsets the one that leaves least of the loss, and its rate."""
    best = np.inf, float("nan"), float("nan")
    for onset in onsets:
        rise = np.maximum(times_s - onset, 0)
        design = np.column_stack([rise, np.ones_like(rise)])
        fitted, *_ = np.linalg.lstsq(design, loss, rcond=None)
        left = float(((loss - design @ fitted) ** 2).sum())
        if left < best[0]:
            best = left, float(onset), float(fitted[0])
    return best[1], best[2]


def growth_exponent(
    times_s: FloatArray,
    area_um2: FloatArray,
    noise_um2: float,
    onset_s: float,
    onset_sd_s: float,
    sigma_um: float,
) -> tuple[float, float, str]:
    """Exponent n of radius ~ (t - onset)^n, from radii the point spread resolves.

    Least squares of area = a (t - onset)^2n on the areas themselves, whose noise is even (their
    logarithms would be cut off where it makes them small), from when a steady rate has made the
    radius larger than half the point spread's full width at half maximum. The error holds the
    scatter, at least the noise of the areas, and that of the onset. A steady rate is n = 0.5.

    Returns
    -------
    exponent, sd, reason
        NaN with the reason where fewer than five such points are there.
    """
    nan = float("nan")
    if not np.isfinite(onset_s):
        return nan, nan, ""
    last = float(np.mean(area_um2[-LEAST_POINTS:]))
    steady = last * (times_s - onset_s) / max(float(times_s[-1]) - onset_s, 1e-9)
    used = (steady > np.pi * (HALF_FWHM * sigma_um) ** 2) & (times_s > onset_s)
    if used.sum() < LEAST_POINTS or last <= 3 * noise_um2 / np.sqrt(LEAST_POINTS):
        return nan, nan, "no growth exponent: too few radii above half the point spread"
    power, sd = _power(times_s[used] - onset_s, area_um2[used], noise_um2)
    by_onset = 0.0
    if np.isfinite(onset_sd_s) and onset_sd_s > 0:
        earlier = _power(times_s[used] - onset_s + onset_sd_s, area_um2[used], noise_um2)[0]
        by_onset = abs(earlier - power)
    return 0.5 * power, 0.5 * float(np.hypot(sd, by_onset)), ""


def _power(since_s: FloatArray, area_um2: FloatArray, noise_um2: float) -> tuple[float, float]:
    """Power m of area = a t^m and its standard deviation."""
    from napari_lithium_alloy.core.kernels.powers import fit_power

    log = np.log(since_s / since_s[-1])
    power, sd = fit_power(log, np.ascontiguousarray(area_um2), POWERS, noise_um2**2)
    return float(power), float(sd)


def blurred_height(radius_px: FloatArray, sigma_px: float) -> FloatArray:
    """Mean over the inner half of discs under a Gaussian point spread; 1 without blur."""
    ratios, heights = _heights()
    return np.asarray(np.interp(np.asarray(radius_px) / max(sigma_px, 1e-6), ratios, heights))


@lru_cache(maxsize=1)
def _heights() -> tuple[FloatArray, FloatArray]:
    """By radius in units of the point spread."""
    heights = []
    for ratio in _RATIOS:
        scale = min(_FINE, _HALF / (ratio + 4))
        y, x = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1]
        rho = np.hypot(y, x)
        disc = np.clip(ratio * scale + 0.5 - rho, 0, 1)
        blurred = ndimage.gaussian_filter(disc, scale, mode="constant")
        heights.append(blurred[rho <= max(ratio * scale / 2, 0.5)].mean())
    return _RATIOS, np.array(heights)
