"""Half cycles from the current's sign, and breaks of the potential within them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.smoothing import noise_of_second

FLOWING = 0.05
"""Share of the largest current at which current is said to flow."""
SETTLED = 0.015
"""Share of the SEI's drop of potential that is left at its end (its settling time)."""
WINDOW = 0.04
"""Width of the lines on each side of a break, as a share of the half cycle."""
LEAST_POINTS = 5
MOST_POINTS = 600


@dataclass(frozen=True, kw_only=True)
class HalfCycle:
    """A time in which lithium goes one way.

    Attributes
    ----------
    cycle : int
    start_s, end_s : float
        Seconds on the recording's clock.
    inwards : bool
        Whether lithium goes into the film.
    sd_s : float
        Standard deviation of its ends, which lie anywhere in the sample before.
    """

    cycle: int
    start_s: float
    end_s: float
    inwards: bool
    sd_s: float

    @property
    def window_s(self) -> float:
        """Width of the lines on each side of a break."""
        return WINDOW * (self.end_s - self.start_s)


@dataclass(frozen=True, kw_only=True)
class Break:
    """A step or bend of the potential.

    Attributes
    ----------
    time_s, sd_s : float
    significance : float
        Misfit of one line across it, in units of the potential's noise.
    reach_s : float
        Within which something else is at the same time.
    """

    time_s: float
    sd_s: float
    significance: float
    reach_s: float


def half_cycles(curve: PotentialCurve) -> list[HalfCycle]:
    """Times of lithium going in and out, from the current's sign; the first is inwards."""
    if curve.current_ma is None or not np.any(curve.current_ma):
        return []
    times, current = curve.recording_times_s, curve.current_ma
    sign = np.where(np.abs(current) > FLOWING * np.abs(current).max(), np.sign(current), 0)
    first = sign[np.flatnonzero(sign)[0]]
    bounds = [0, *(np.flatnonzero(np.diff(sign)) + 1).tolist(), len(sign)]
    sampling = float(np.median(np.diff(times))) / math.sqrt(3)
    halves: list[HalfCycle] = []
    for begin, end in itertools.pairwise(bounds):
        if sign[begin] == 0 or end - begin < LEAST_POINTS:
            continue
        inwards = bool(sign[begin] == first)
        start = float(times[begin])
        cycle = halves[-1].cycle if halves else 0
        if halves and halves[-1].inwards == inwards:
            start = halves.pop().start_s
        elif inwards:
            cycle += 1
        stop = float(times[min(end, len(times) - 1)])
        halves.append(
            HalfCycle(cycle=cycle, start_s=start, end_s=stop, inwards=inwards, sd_s=sampling)
        )
    return halves


@dataclass(frozen=True, eq=False, kw_only=True)
class Relaxation:
    """The first drop of the potential in a half cycle, an exponential on a line.

    Attributes
    ----------
    start_s, time_constant_s : float
    drop_v : float
        Its height; 0 where there is none.
    sd_s : float
        Standard deviation of the settling time.
    """

    start_s: float
    time_constant_s: float
    drop_v: float
    sd_s: float

    @property
    def settled_s(self) -> float:
        """When `SETTLED` of the drop is left."""
        return self.start_s + self.time_constant_s * math.log(1 / SETTLED)

    def at(self, times_s: FloatArray) -> FloatArray:
        """(T,) what is left of the drop, volts."""
        since = np.maximum(times_s - self.start_s, 0) / max(self.time_constant_s, 1e-9)
        return np.asarray(self.drop_v * np.exp(-since))


def _inside(curve: PotentialCurve, half: HalfCycle) -> tuple[FloatArray, FloatArray]:
    """Times and potentials of a half cycle, thinned by means to at most `MOST_POINTS`."""
    times = curve.recording_times_s
    inside = (times >= half.start_s) & (times < half.end_s)
    t, v = times[inside], curve.potential_v[inside]
    group = math.ceil(len(t) / MOST_POINTS)
    if group <= 1:
        return t, v
    whole = len(t) // group * group
    return t[:whole].reshape(-1, group).mean(axis=1), v[:whole].reshape(-1, group).mean(axis=1)


def _noise(values: FloatArray) -> float:
    """Standard deviation of a sample, at least the rounding of the file."""
    second = np.diff(values, n=2)
    steps = np.diff(np.unique(values))
    rounding = float(steps.min()) / math.sqrt(12) if steps.size else 0.0
    return max(noise_of_second(second), rounding, 1e-9)


def relaxation(curve: PotentialCurve, half: HalfCycle) -> Relaxation:
    """The drop at the start of a half cycle, as the SEI shows it.

    An exponential on a line is fitted up to each break in turn; the first that fits and holds
    five time constants is taken. What it settles to is a line, so a sloping potential is as
    good as a plateau.
    """
    times, values = _inside(curve, half)
    none = Relaxation(start_s=half.start_s, time_constant_s=0.0, drop_v=0.0, sd_s=half.sd_s)
    if len(times) < 4 * LEAST_POINTS:
        return none
    noise = _noise(values)
    span = float(np.ptp(np.percentile(values, [2, 98])))
    for end in [*_partition(times, values, noise, 0.02 * span)[1:], len(times)]:
        if end < 3 * LEAST_POINTS:
            continue
        t, v = times[:end], values[:end]
        found = _exponential(t - t[0], v)
        if found is None:
            continue
        constant, drop, misfit = found
        if t[-1] - t[0] < 5 * constant or abs(drop) < max(10 * noise, 0.1 * span):
            continue
        if misfit < max(3 * noise, 0.012 * abs(drop)):
            sd = max(half.sd_s, 4 * constant * misfit / abs(drop) / SETTLED / math.sqrt(end))
            return Relaxation(start_s=float(t[0]), time_constant_s=constant, drop_v=drop, sd_s=sd)
    return none


def _exponential(times: FloatArray, values: FloatArray) -> tuple[float, float, float] | None:
    """Time constant, height and misfit of an exponential on a line."""

    def fit(log_constant: float) -> tuple[float, float]:
        decay = np.exp(-times / math.exp(log_constant))
        basis = np.stack([np.ones_like(times), times, decay], axis=1)
        weights, *_ = np.linalg.lstsq(basis, values, rcond=None)
        misfit = float(np.sqrt(np.mean((values - basis @ weights) ** 2)))
        return misfit, float(weights[2])

    step = float(np.median(np.diff(times)))
    low, high = math.log(step), math.log(max(float(times[-1]) / 3, 1.1 * step))
    grid = np.linspace(low, high, 24)
    best = float(grid[int(np.argmin([fit(g)[0] for g in grid]))])
    width = float(grid[1] - grid[0])
    found = optimize.minimize_scalar(
        lambda g: fit(g)[0], bounds=(best - width, best + width), method="bounded"
    )
    misfit, drop = fit(float(found.x))
    return (math.exp(float(found.x)), drop, misfit) if math.isfinite(misfit) else None


def breaks(
    curve: PotentialCurve, half: HalfCycle, first: Relaxation, *, least: float
) -> list[Break]:
    """Steps and bends of the potential in a half cycle, its first drop taken out.

    The best partition into straight parts, where each further part has to lower the misfit by
    `least` of the potential's range over a window's length.

    References
    ----------
    Jackson et al., IEEE Signal Process. Lett. 2005, 12, 105 (DOI 10.1109/LSP.2001.838216).
    """
    times, values = _inside(curve, half)
    if len(times) < 4 * LEAST_POINTS:
        return []
    values = values - first.at(times)
    later = times > (first.settled_s if first.drop_v else times[0]) + half.window_s
    times, values = times[later], values[later]
    if len(times) < 3 * LEAST_POINTS:
        return []
    noise = _noise(values)
    span = float(np.ptp(np.percentile(values, [2, 98])))
    starts = _partition(times, values, noise, least * span)
    bounds = [*starts, len(times)]
    step = float(np.median(np.diff(times)))
    found = []
    for group in _close_together(times, bounds, half.window_s):
        sizes = [_size(times, values, bounds, i, half.window_s) for i in group]
        size = max(sizes)
        low, at, end = bounds[group[0] - 1], bounds[group[0]], bounds[group[-1]] + 1
        n = round(half.window_s / step)
        found.append(
            Break(
                time_s=_departure_s(times[low:end], values[low:end], at - low, noise),
                sd_s=max(step, noise / max(size, 1e-12) * n * step / 4) / math.sqrt(12),
                significance=size * math.sqrt(2 * n) / noise,
                reach_s=half.window_s,
            )
        )
    return found


def _close_together(times: FloatArray, bounds: Sequence[int], window_s: float) -> list[list[int]]:
    """Inner bounds (by their place), those within a window of the one before in one group."""
    groups: list[list[int]] = []
    for i in range(1, len(bounds) - 1):
        if groups and times[bounds[i]] - times[bounds[groups[-1][-1]]] <= window_s:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _size(
    times: FloatArray, values: FloatArray, bounds: Sequence[int], i: int, window_s: float
) -> float:
    """Root mean square by which two lines fit better than one, a window to each side at most."""
    at = bounds[i]
    low = max(bounds[i - 1], int(np.searchsorted(times, times[at] - window_s)))
    high = min(bounds[i + 1], int(np.searchsorted(times, times[at] + window_s)))
    whole = _residual(times[low:high], values[low:high])
    parts = _residual(times[low:at], values[low:at]) + _residual(times[at:high], values[at:high])
    return math.sqrt(max(whole - parts, 0.0) / (high - low))


def _departure_s(times: FloatArray, values: FloatArray, at: int, noise: float) -> float:
    """Time of the last sample that is still on the line of those before `at`."""
    settled = max(3, 3 * at // 4)
    since = times - times[0]
    line = np.polyfit(since[:settled], values[:settled], 1)
    away = np.abs(values - np.polyval(line, since))
    spread = max(noise, float(np.std(away[:settled])))
    on_line = np.flatnonzero(away <= 2.5 * spread)
    return float(times[on_line[-1] if on_line.size else at])


def _partition(times: FloatArray, values: FloatArray, noise: float, least: float) -> list[int]:
    """Starts of the straight parts that fit best, each part paying for itself."""
    n = len(times)
    shortest = max(LEAST_POINTS, n // 50)
    penalty = shortest * least**2 + 6 * noise**2 * math.log(n)
    cost = _costs(times - times.mean(), values - values.mean())
    best = np.full(n + 1, math.inf)
    best[0], previous = -penalty, np.zeros(n + 1, dtype=int)
    for end in range(shortest, n + 1):
        starts = np.arange(0, end - shortest + 1)
        total = best[starts] + cost[starts, end] + penalty
        chosen = int(np.argmin(total))
        best[end], previous[end] = total[chosen], chosen
    starts_of_parts = []
    end = n
    while end > 0:
        end = int(previous[end])
        starts_of_parts.append(end)
    return starts_of_parts[::-1]


def _costs(t: FloatArray, v: FloatArray) -> FloatArray:
    """(N, N + 1) sum of squares about the best line through points start..end - 1."""

    def sums(x: FloatArray) -> FloatArray:
        total = np.concatenate([[0.0], np.cumsum(x)])
        return np.asarray(total[np.newaxis, :] - total[:-1, np.newaxis])

    count = np.maximum(sums(np.ones_like(t)), 1)
    s_t, s_v = sums(t), sums(v)
    tt = sums(t * t) - s_t**2 / count
    vv = sums(v * v) - s_v**2 / count
    tv = sums(t * v) - s_t * s_v / count
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(tt > 1e-9, tv**2 / tt, 0.0)
    return np.asarray(np.maximum(vv - explained, 0.0))


def _residual(times: FloatArray, values: FloatArray) -> float:
    """Sum of squares about the best line."""
    t, v = times - times.mean(), values - values.mean()
    along = float((t * t).sum())
    return float((v * v).sum() - (t * v).sum() ** 2 / along) if along > 0 else 0.0
