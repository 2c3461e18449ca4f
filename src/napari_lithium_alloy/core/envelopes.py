"""What chance gives for a whole curve: one band and one p-value that belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.recording import FloatArray

LEVEL = 0.05


@dataclass(frozen=True, eq=False, kw_only=True)
class Envelope:
    """A curve beside those of random draws.

    Attributes
    ----------
    observed, expected, low, high : numpy.ndarray
        (K,) the curve, the draws' mean, and a band that a draw leaves anywhere in 5 %.
    p_value : float
        Of the whole curve; at most 0.05 just where it leaves the band.
    """

    observed: FloatArray
    expected: FloatArray
    low: FloatArray
    high: FloatArray
    p_value: float


def global_envelope(
    observed: FloatArray,
    draws: FloatArray,
    limits: tuple[float | FloatArray, float | FloatArray] = (-np.inf, np.inf),
    level: float = LEVEL,
) -> Envelope:
    """Compare a curve with draws by its largest deviation in units of its standard deviation.

    Observed and drawn curves are treated alike, so that p is exact where they are exchangeable.

    Parameters
    ----------
    observed : numpy.ndarray
        (K,), finite.
    draws : numpy.ndarray
        (n, K).
    limits : (float or array, float or array)
        Least and largest values that a curve can have: the band ends there.
    level : float
        Share of draws that leave the band.

    References
    ----------
    Myllymäki et al., J. R. Stat. Soc. B 2017, 79, 381 (DOI 10.1111/rssb.12172), section 5.
    """
    curves = np.vstack([observed, draws])
    mean, sd = curves.mean(axis=0), curves.std(axis=0)
    away = np.abs(curves - mean) / np.where(sd > 0, sd, np.inf)
    largest, overall = away.max(axis=1), (away**2).mean(axis=1)
    kept = int(level * len(curves))
    reach = np.sort(largest)[::-1][min(kept, len(curves) - 1)]
    return Envelope(
        observed=np.asarray(observed, dtype=float),
        expected=mean,
        low=np.maximum(mean - reach * sd, limits[0]),
        high=np.minimum(mean + reach * sd, limits[1]),
        p_value=upper_p(largest, overall),
    )


def upper_p(values: FloatArray, ties: FloatArray) -> float:
    """Share of values that reach the first, itself included; equal ones compare by `ties`."""
    beyond = (values > values[0]) | ((values == values[0]) & (ties >= ties[0]))
    return float(beyond.mean())


def two_sided_p(values: FloatArray, ties: FloatArray) -> float:
    """Twice the smaller share of values beyond the first on a side, at most 1."""
    return min(1.0, 2 * min(upper_p(values, ties), upper_p(-values, -ties)))
