"""When each place stands between two steps, told from squares of pixels.

Their light is nearly free of noise; levels between steps are first the field's share of a cell's
own change, which a boundary some seconds wrong hardly moves since most cells stand on theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from napari_lithium_alloy.core.onset_errors import cell_side
from napari_lithium_alloy.core.onset_light import WindowLight, level_count, level_frame_indices
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.smoothing import cell_means, noise_of_second
from napari_lithium_alloy.core.stages import Stage

SAMPLED_ROWS = 16
"""Rows of cells from which levels and widths of the field's steps are told."""
CLEAR_SIGMAS = 2.5
"""Standard deviations of a rise after which it has ended, and before which it has not begun."""
LEAST_SIGMAS = 1.5
"""Two rises nearer than this, in units of the sum of their widths, are not told apart."""
USED_GAP = 0.8
"""Share of the time between two rises that is left to them, at most."""
LEAST_RISE, MOST_RISE = 0.3, 2.0
"""Of a cell in a step, in units of the field's; where a pore opens it is more."""
FLAT = 0.2
"""Change of a cell that stands between two steps, at most, in units of the smaller one."""
SURE = 3.0
"""Changes under this many standard deviations of noise may be none."""
QUARTER_SIGMAS = 1.349
"""Of a normal distribution, between its quartiles."""
ROUNDS = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Chain:
    """Steps that follow each other, and the frames around them.

    Attributes
    ----------
    light : WindowLight
        From before the first step to after the last.
    times_s : numpy.ndarray
        (T,) of its frames, on the recording's clock.
    nominal : numpy.ndarray
        (K, 2) first frame of each step as given, and that after its last.
    ends : tuple of numpy.ndarray
        Frames before the first step, and after the last.
    n_frames : numpy.ndarray
        (K,) frames of a level of each step.
    leaves_s, enters_s : numpy.ndarray
        (K - 1,) when places that stand there leave a step, and enter the next.
    """

    light: WindowLight
    times_s: FloatArray
    nominal: IntArray
    ends: tuple[IntArray, IntArray]
    n_frames: IntArray
    leaves_s: FloatArray
    enters_s: FloatArray

    @classmethod
    def of(
        cls, recording: Recording, stages: Sequence[Stage], light: WindowLight, level_frames: int
    ) -> Self:
        """Of all frames of a recording, in which the stages follow each other.

        Levels lie around a stage's own bounds, as those of a single one, if the gap is wide.
        """
        frames = [recording.frames_between(s.start_s, s.end_s) for s in stages]
        n = np.array([level_count(f, level_frames) for f in frames])
        whole = np.arange(frames[0][0], frames[-1][-1] + 1)
        ends = np.array([s.end_s for s in stages[:-1]])
        starts = np.array([s.start_s for s in stages[1:]])
        middle = (ends + starts) / 2
        return cls(
            light=light,
            times_s=recording.times_s,
            nominal=np.array([(f[0], f[-1] + 1) for f in frames]),
            ends=level_frame_indices(recording, whole, level_frames),
            n_frames=n,
            leaves_s=np.minimum(ends + (n[:-1] // 2 + 0.5) * light.interval, middle),
            enters_s=np.maximum(starts - (n[1:] - 0.5) * light.interval, middle),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class FieldSteps:
    """What the steps are in a typical place.

    Attributes
    ----------
    shares : numpy.ndarray
        (K + 1,) of the change by all steps that is over after each, from 0 to 1.
    change : float
        By all steps, in logarithms of light.
    widths_s : numpy.ndarray
        (K,) standard deviation of a rise in time.
    noise : float
        Standard deviation of a cell in a frame.
    """

    shares: FloatArray
    change: float
    widths_s: FloatArray
    noise: float

    @property
    def rises(self) -> FloatArray:
        """(K,) change by each step."""
        return np.asarray(self.change * np.diff(self.shares))


@dataclass(frozen=True, eq=False, kw_only=True)
class Plateaus:
    """When cells stand between two steps.

    Attributes
    ----------
    begin_s, end_s : numpy.ndarray
        (K - 1, ...) seconds on the recording's clock; NaN where a cell does not show both steps.
    unclear : numpy.ndarray
        (K - 1, ...) True where it does not, nor stands at the given boundary.
    """

    begin_s: FloatArray
    end_s: FloatArray
    unclear: BoolArray


def _cell_light(chain: Chain, rows: Sequence[int]) -> Float32Array:
    """(T, n) logarithm of the mean light of rows of cells, positive the way looked for."""
    from napari_lithium_alloy.core.kernels.cell_maps import light_of_cells

    light = chain.light
    cell = cell_side(light.dark.shape)
    means = []
    for row in rows:
        mean = np.empty((len(light.times), max(light.dark.shape[1] // cell, 1)), np.float32)
        light_of_cells(light.counts, light.factor, light.dark, light.valid, cell, row, mean)
        means.append(mean)
    return light.logarithm(np.concatenate(means, axis=1) if len(means) > 1 else means[0])


def field_steps(chain: Chain) -> Work[FieldSteps]:
    """Levels at the given boundaries and widths of the rises, from some rows of cells."""
    valid = chain.light.valid
    there = np.flatnonzero(cell_means(valid, cell_side(valid.shape)).any(axis=1))
    chosen = np.unique(
        there[np.linspace(0, len(there) - 1, 2 * SAMPLED_ROWS + 1)[1::2].astype(int)]
    )
    traces: dict[int, Float32Array] = {}

    def look(one: tuple[int, int]) -> None:
        traces[one[0]] = _cell_light(chain, [int(chosen[one[0]])])

    yield from by_rows(look, len(chosen), most=1)
    trace = np.concatenate([traces[i] for i in range(len(chosen))], axis=1)
    base, top = (trace[frames].mean(axis=0) for frames in chain.ends)
    change = top - base
    some = change[np.isfinite(change)]
    typical = float(np.median(some)) if some.size else 0.0
    alloys = change > LEAST_RISE * typical
    if typical <= 0 or not alloys.any():
        return _nothing(len(chain.nominal))
    trace = trace[:, alloys]
    relative = (trace - base[alloys]) / change[alloys]
    at = np.searchsorted(chain.times_s, (chain.leaves_s + chain.enters_s) / 2)
    near = [relative[max(i - 1, 0) : i + 1].mean(axis=0) for i in at]
    shares = np.maximum.accumulate([0.0, *(float(np.median(r)) for r in near), 1.0])
    quarter, three = (
        _crossing(relative, (shares[:-1] + f * np.diff(shares))[:, np.newaxis], chain.times_s)
        for f in (0.25, 0.75)
    )
    widths = _interquartile_mean(three - quarter) / QUARTER_SIGMAS
    least = chain.light.interval / QUARTER_SIGMAS / 2
    return FieldSteps(
        shares=shares,
        change=typical,
        widths_s=np.maximum(widths, least),
        noise=noise_of_second(np.diff(trace, n=2, axis=0)),
    )


def _nothing(steps: int) -> FieldSteps:
    """Of a field in which nothing happens, so that every place stands at a given boundary."""
    shares = np.linspace(0, 1, steps + 1)
    return FieldSteps(shares=shares, change=0.0, widths_s=np.ones(steps), noise=math.inf)


def _interquartile_mean(values: FloatArray) -> FloatArray:
    """(K,) mean of the middle half of each row."""
    n = values.shape[1]
    cut = n // 4
    return np.asarray(
        np.partition(values, (cut, n - cut - 1), axis=1)[:, cut : n - cut].mean(axis=1)
    )


def _crossing(trace: Float32Array, levels: FloatArray, times_s: FloatArray) -> FloatArray:
    """(K, n) when each trace crosses each of its levels.

    The number of frames below a level tells it, whatever single frames do by noise.
    """
    from napari_lithium_alloy.core.kernels.images import count_below

    levels = np.broadcast_to(levels, (len(levels), trace.shape[1]))
    below = np.zeros(levels.shape, dtype=np.int32)
    count_below(trace, np.ascontiguousarray(levels, dtype=np.float32), below)
    between = np.concatenate([times_s[:1], (times_s[1:] + times_s[:-1]) / 2, times_s[-1:]])
    return np.asarray(between[below])


def step_plateaus(chain: Chain, field: FieldSteps) -> Work[Plateaus]:
    """When all cells stand between two steps."""
    shape = chain.light.dark.shape
    cells = tuple(max(n // cell_side(shape), 1) for n in shape)
    begin, end = (np.full((len(chain.leaves_s), *cells), np.nan) for _ in range(2))
    unclear = np.zeros(begin.shape, dtype=bool)

    def find(rows: tuple[int, int]) -> None:
        found = plateaus_of(_cell_light(chain, range(*rows)), chain, field)
        for whole, some in (
            (begin, found.begin_s),
            (end, found.end_s),
            (unclear, found.unclear),
        ):
            own = whole[:, slice(*rows)]
            own[:] = some.reshape(own.shape)

    yield from by_rows(find, cells[0], most=8)
    return Plateaus(begin_s=begin, end_s=end, unclear=unclear)


def plateaus_of(trace: Float32Array, chain: Chain, field: FieldSteps) -> Plateaus:
    """When the cells of (T, n) traces stand between two steps.

    Levels between are first the field's shares of a cell's own change, then its own.
    """
    from napari_lithium_alloy.core.kernels.images import running_totals

    times, widths = chain.times_s, field.widths_s[:, np.newaxis]
    base, top = (trace[frames].mean(axis=0) for frames in chain.ends)
    levels = base + field.shares[:, np.newaxis] * (top - base)
    total = np.empty((len(trace) + 1, trace.shape[1]))
    running_totals(trace, total)
    for _ in range(ROUNDS):
        crossing = _crossing(trace, (levels[:-1] + levels[1:]) / 2, times)
        sigmas = np.diff(crossing, axis=0) / (widths[:-1] + widths[1:])
        clear = np.minimum(CLEAR_SIGMAS, USED_GAP * sigmas)
        begin, end = crossing[:-1] + clear * widths[:-1], crossing[1:] - clear * widths[1:]
        levels[1:-1] = _mean_in(total, times, (begin, end))
    rises, typical = np.diff(levels, axis=0), field.rises[:, np.newaxis]
    rises = (rises > LEAST_RISE * typical) & (rises < MOST_RISE * typical)
    middle = (begin + end) / 2
    stands = _stands(total, chain, field, (begin, middle), (middle, end))
    known = (sigmas >= LEAST_SIGMAS) & rises[:-1] & rises[1:] & stands
    at_given = _stands(total, chain, field, *_given(chain))
    return Plateaus(
        begin_s=np.where(known, begin, np.nan),
        end_s=np.where(known, end, np.nan),
        unclear=~known & np.isfinite(trace[0]) & ~at_given,
    )


Range = tuple[FloatArray, FloatArray]
"""(K - 1, n) begin and end, seconds; n is 1 where they are the same of all traces."""


def _frames_in(times_s: FloatArray, range_s: Range) -> tuple[IntArray, IntArray]:
    """First frame of a range, and that after the last; where there is none, the nearest."""
    first, last = (np.searchsorted(times_s, part) for part in range_s)
    nearest = np.searchsorted((times_s[1:] + times_s[:-1]) / 2, (range_s[0] + range_s[1]) / 2)
    empty = last <= first
    return np.where(empty, nearest, first), np.where(empty, nearest + 1, last)


def _mean_in(total: FloatArray, times_s: FloatArray, range_s: Range) -> FloatArray:
    """Means over a range of traces, given by their running totals."""
    return _mean_of(total, _frames_in(times_s, range_s))


def _mean_of(total: FloatArray, frames: tuple[IntArray, IntArray]) -> FloatArray:
    first, last = frames
    columns = np.arange(total.shape[1])
    return np.asarray((total[last, columns] - total[first, columns]) / (last - first))


def _given(chain: Chain) -> tuple[Range, Range]:
    """The times of the levels beside the given boundaries, the same of all traces."""
    room = np.minimum(chain.n_frames[:-1], chain.n_frames[1:]) * chain.light.interval
    moments = (chain.leaves_s - room, chain.leaves_s, chain.enters_s, chain.enters_s + room)
    a, b, c, d = (m[:, np.newaxis] for m in moments)
    return (a, b), (c, d)


def _stands(
    total: FloatArray, chain: Chain, field: FieldSteps, before: Range, after: Range
) -> BoolArray:
    """(K - 1, n) True where a trace hardly changes from one range to the next."""
    frames = [_frames_in(chain.times_s, part) for part in (before, after)]
    change = _mean_of(total, frames[1]) - _mean_of(total, frames[0])
    noise = field.noise * np.sqrt(sum(1 / (last - first) for first, last in frames))
    least = FLAT * np.minimum(field.rises[:-1], field.rises[1:])[:, np.newaxis]
    return np.asarray(np.abs(change) <= np.maximum(least, SURE * noise))
