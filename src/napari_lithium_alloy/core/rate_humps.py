"""Humps of the rate at which a field's absorbance changes: one a step of alloying."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.smoothing import noise_of_second

WANTED_NOISE = 0.04
"""Noise of the rate, in units of its large values, for which it is smoothed."""
LEAST_SNR = 4.0
LEAST_PEAK = 0.05
"""Smallest peak of a hump, in units of the rate's large values."""
BEYOND = 1.25
"""How far beyond its foot a hump goes, in units of the way from a quarter of it to the foot."""
NEIGHBOUR = 0.25
"""Smallest peak of a hump that bounds the one beside it, in units of that one's."""
LONG = 20
"""Values that make a slow part beside a hump long enough to be its base."""
NEAR = 0.25
"""Share of a range around a corner that is fitted again."""
EDGE = 0.1
"""Share of its peak at which a hump begins and ends."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RateCurve:
    """Rate of change of the mean absorbance on an even grid.

    Attributes
    ----------
    times_s, values, rate : numpy.ndarray
        (T,) seconds, absorbance, and its slope per second.
    noise : float
        Standard deviation of the rate.
    large : float
        95th percentile of its size.
    window_s : float
        Width of the local line fits.
    """

    times_s: FloatArray
    values: FloatArray
    rate: FloatArray
    noise: float
    large: float
    window_s: float


@dataclass(frozen=True, kw_only=True)
class Hump:
    """A time in which the absorbance rises (or falls) markedly.

    Attributes
    ----------
    start_s, peak_s, end_s : float
    half_s : float
        When the rate first reaches half of its peak: where it starts, if it starts abruptly.
    peak : float
        Largest rate, per second, with its sign.
    change : float
        Change of absorbance from start to end.
    """

    start_s: float
    half_s: float
    peak_s: float
    end_s: float
    peak: float
    change: float


def rate_curve(times_s: FloatArray, values: FloatArray) -> RateCurve | None:
    """Slopes by local line fits just wide enough for their noise; None for under 8 values."""
    from scipy.signal import savgol_filter

    known = np.isfinite(values)
    if known.sum() < 8:
        return None
    times, raw = times_s[known], values[known]
    step = float(np.median(np.diff(times)))
    grid = np.arange(times[0], times[-1] + step / 2, step)
    even = np.interp(grid, times, raw)
    frame_noise = noise_of_second(np.diff(raw, n=2))
    n_most = max(3, len(grid) // 20) | 1
    for n in range(3, n_most + 1, 2):
        rate = savgol_filter(even, n, 1, deriv=1, delta=step, mode="interp")
        noise = frame_noise * np.sqrt(12 / (n**3 - n)) / step
        large = float(np.percentile(np.abs(rate), 95))
        if noise <= WANTED_NOISE * large:
            break
    return RateCurve(
        times_s=grid,
        values=even,
        rate=np.asarray(rate),
        noise=float(noise),
        large=large,
        window_s=n * step,
    )


def humps(curve: RateCurve, *, least_valley: float) -> list[Hump]:
    """Rises and falls of the absorbance in the order of time.

    Two peaks are two humps if the rate between them falls under `least_valley` of the smaller.
    """
    found = [
        hump
        for sign in (1.0, -1.0)
        for hump in _humps_of_sign(curve, sign, least_valley=least_valley)
    ]
    return sorted(found, key=lambda h: h.peak_s)


def _humps_of_sign(curve: RateCurve, sign: float, *, least_valley: float) -> list[Hump]:
    from scipy.signal import find_peaks

    rate = sign * curve.rate
    least = max(LEAST_SNR * curve.noise, LEAST_PEAK * curve.large)
    padded = np.concatenate([[0.0], rate, [0.0]])
    peaks = [int(p) - 1 for p in find_peaks(padded, height=least)[0]]
    kept: list[int] = []
    for peak in peaks:
        if kept:
            valley = rate[kept[-1] : peak + 1].min()
            if valley > least_valley * min(rate[kept[-1]], rate[peak]):
                kept[-1] = max(kept[-1], peak, key=lambda i: rate[i])
                continue
        kept.append(peak)
    return [_hump(curve, rate, sign, kept, i) for i in range(len(kept))]


def _hump(curve: RateCurve, rate: FloatArray, sign: float, peaks: Sequence[int], i: int) -> Hump:
    peak = peaks[i]
    beside = [p for p in peaks if rate[p] >= NEIGHBOUR * rate[peak]]
    before = max((p for p in beside if p < peak), default=0)
    after = min((p for p in beside if p > peak), default=len(rate) - 1)
    first = before + int(np.argmin(rate[before : peak + 1])) if before in beside else 0
    last = peak + int(np.argmin(rate[peak : after + 1])) if after in beside else after
    still = rate <= 0
    first = max(first, int(np.flatnonzero(still[:peak])[-1])) if still[:peak].any() else first
    last = min(last, peak + int(np.argmax(still[peak:]))) if still[peak:].any() else last
    start_s = _edge_s(curve, rate, peak, first, -1)
    end_s = _edge_s(curve, rate, peak, last, 1)
    change = np.interp([start_s, end_s], curve.times_s, curve.values)
    return Hump(
        start_s=start_s,
        half_s=_crossing_s(curve, rate, peak, first, -1, 0.5 * float(rate[peak])),
        peak_s=float(curve.times_s[peak]),
        end_s=end_s,
        peak=float(sign * rate[peak]),
        change=float(change[1] - change[0]),
    )


def _edge_s(curve: RateCurve, rate: FloatArray, peak: int, limit: int, way: int) -> float:
    """Where a hump begins or ends: beyond its 10 % level by what lies between that and a quarter.

    So that the slow start of the first pixels counts (for the flank of an error function this is
    its 2 % level); never beyond the valley at `limit`.
    """
    base = _slow_rate(rate, peak, limit)
    height = float(rate[peak]) - base
    low = max(EDGE * height, min(2 * curve.noise, 0.4 * height))
    upper, foot = (
        _crossing_s(curve, rate, peak, limit, way, base + level) for level in (2.5 * low, low)
    )
    edge = foot + BEYOND * (foot - upper)
    bound = float(curve.times_s[limit])
    return max(edge, bound) if way < 0 else min(edge, bound)


def _slow_rate(rate: FloatArray, peak: int, limit: int) -> float:
    """Rate long beside a hump, as of plating after alloying: the median of what is slow there."""
    beside = rate[min(peak, limit) : max(peak, limit) + 1]
    slow = beside[beside < 0.4 * rate[peak]]
    return max(0.0, float(np.median(slow))) if slow.size >= LONG else 0.0


def _crossing_s(
    curve: RateCurve, rate: FloatArray, peak: int, limit: int, way: int, level: float
) -> float:
    """Time between peak and limit at which the rate has first fallen to a level."""
    i = peak
    while i != limit and rate[i + way] > level:
        i += way
    if i == limit:
        return float(curve.times_s[limit])
    inner, outer = float(rate[i]), float(rate[i + way])
    share = (inner - level) / (inner - outer) if inner > outer else 0.0
    return float(curve.times_s[i] + share * (curve.times_s[i + way] - curve.times_s[i]))


def kink_s(
    times_s: FloatArray, values: FloatArray, start_s: float, end_s: float
) -> tuple[float, float]:
    """Where a slow rise turns into a slow fall: the corner of two joined lines, and its SD.

    Fitted to the whole range, and again to its part around the corner, for growth is only in the
    long run steady. The middle with an SD of the whole range where the two lines do not differ.
    """
    corner, sd = _corner(times_s, values, start_s, end_s)
    reach = NEAR * (end_s - start_s)
    low, high = max(start_s, corner - reach), min(end_s, corner + reach)
    closer, closer_sd = _corner(times_s, values, low, high)
    return (closer, closer_sd) if closer_sd < (high - low) / math.sqrt(12) else (corner, sd)


def _corner(
    all_times: FloatArray, all_values: FloatArray, start_s: float, end_s: float
) -> tuple[float, float]:
    inside = (all_times >= start_s) & (all_times <= end_s)
    times, values = all_times[inside], all_values[inside]
    length = end_s - start_s
    unknown = (start_s + end_s) / 2, length / math.sqrt(12)
    if len(times) < 6:
        return unknown

    def fit(corner: float) -> tuple[float, float]:
        bent = np.maximum(times - corner, 0)
        basis = np.stack([np.ones_like(times), times - corner, bent], axis=1)
        weights, *_ = np.linalg.lstsq(basis, values, rcond=None)
        return float(((values - basis @ weights) ** 2).sum()), float(weights[2])

    corners = np.linspace(start_s, end_s, 41)[2:-2]
    best = float(corners[int(np.argmin([fit(c)[0] for c in corners]))])
    step = float(corners[1] - corners[0])
    found = optimize.minimize_scalar(
        lambda c: fit(c)[0],
        bounds=(best - step, best + step),
        method="bounded",
        options={"xatol": 1e-2},
    )
    corner = float(found.x)
    misfit, bend = fit(corner)
    if min((times < corner).sum(), (times >= corner).sum()) < 2:
        return unknown
    residual = math.sqrt(misfit / max(len(times) - 4, 1))
    within_frame = float(np.median(np.diff(times))) / math.sqrt(12)
    sd = math.hypot(2 * residual / max(abs(bend), 1e-12) / math.sqrt(len(times)), within_frame)
    return corner, min(sd, unknown[1])
