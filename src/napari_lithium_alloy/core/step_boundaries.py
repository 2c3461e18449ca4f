"""Where one step ends and the next begins, told in each place.

Two steps pass over the film as fronts, so that one moment parts them everywhere only if it lies
after the last place has ended the one and before the first begins the other. Squares of pixels,
whose light is nearly free of noise, tell when their place stands between both steps; the given
boundary is moved into that time wherever it does not lie in it. Frames before it belong to the
one step and frames after it to the next, so that maps of neighbouring steps share no frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean

from napari_lithium_alloy.core.onset_errors import cell_side
from napari_lithium_alloy.core.onset_light import (
    OwnFrames,
    Span,
    WindowLight,
    level_count,
    level_frame_indices,
)
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.smoothing import noise_of_second
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
TWICE = 2


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


def step_frames(chain: Chain) -> Work[list[OwnFrames]]:
    """The frames of each step of a chain, in each pixel."""
    field = yield from part(_field_steps(chain), 0, 1, 4)
    plateaus = yield from part(_plateaus(chain, field), 1, 3, 4)
    bounds = [_boundary(chain, k, plateaus) for k in range(len(chain.leaves_s))]
    yield 4, 4
    return [_own(chain, k, bounds) for k in range(len(chain.nominal))]


def _cell_light(chain: Chain, row: int) -> Float32Array:
    """(T, columns) logarithm of the mean light of a row of cells, positive the way looked for."""
    from napari_lithium_alloy.core.kernels.images import light_of_cells

    light = chain.light
    cell = cell_side(light.dark.shape)
    mean = np.empty((len(light.times), max(light.dark.shape[1] // cell, 1)), np.float32)
    light_of_cells(light.counts, light.dark, light.valid, cell, row, mean)
    return light.logarithm(mean, np.zeros(1, np.float32))


def _field_steps(chain: Chain) -> Work[FieldSteps]:
    """Levels at the given boundaries and widths of the rises, from some rows of cells."""
    shape = chain.light.dark.shape
    n_rows = max(shape[0] // cell_side(shape), 1)
    chosen = np.unique(np.linspace(0, n_rows - 1, 2 * SAMPLED_ROWS + 1)[1::2].astype(int))
    traces: list[Float32Array] = []
    yield from by_rows(
        lambda one: traces.append(_cell_light(chain, int(chosen[one[0]]))), len(chosen), most=1
    )
    trace = np.concatenate(traces, axis=1)
    base, top = (trace[frames].mean(axis=0) for frames in chain.ends)
    change = top - base
    typical = float(np.nanmedian(change))
    alloys = change > LEAST_RISE * typical
    if not typical > 0 or not alloys.any():
        steps = len(chain.nominal)
        return FieldSteps(
            shares=np.linspace(0, 1, steps + 1), change=0.0, widths_s=np.ones(steps), noise=0.0
        )
    trace = trace[:, alloys]
    relative = (trace - base[alloys]) / change[alloys]
    at = np.searchsorted(chain.times_s, (chain.leaves_s + chain.enters_s) / 2)
    near = [relative[max(i - 1, 0) : i + 1].mean(axis=0) for i in at]
    shares = np.maximum.accumulate([0.0, *(float(np.median(r)) for r in near), 1.0])
    quarter, three = (
        _crossing(relative, (shares[:-1] + f * np.diff(shares))[:, np.newaxis], chain.times_s)
        for f in (0.25, 0.75)
    )
    widths = trim_mean(three - quarter, 0.25, axis=1) / QUARTER_SIGMAS
    least = chain.light.interval / QUARTER_SIGMAS / TWICE
    return FieldSteps(
        shares=shares,
        change=typical,
        widths_s=np.maximum(widths, least),
        noise=noise_of_second(np.diff(trace, n=2, axis=0)),
    )


def _crossing(trace: Float32Array, levels: FloatArray, times_s: FloatArray) -> FloatArray:
    """(K, n) when each trace crosses each of its levels.

    The number of frames below a level tells it, whatever single frames do by noise.
    """
    below = np.stack([(trace < level).sum(axis=0) for level in levels])
    return np.interp(below - 0.5, np.arange(len(times_s)), times_s)


def _plateaus(chain: Chain, field: FieldSteps) -> Work[Plateaus]:
    """When all cells stand between two steps."""
    shape = chain.light.dark.shape
    cells = tuple(max(n // cell_side(shape), 1) for n in shape)
    begin, end = (np.full((len(chain.leaves_s), *cells), np.nan) for _ in range(2))
    unclear = np.zeros(begin.shape, dtype=bool)

    def find(rows: tuple[int, int]) -> None:
        for r in range(*rows):
            found = plateaus_of(_cell_light(chain, r), chain, field)
            begin[:, r], end[:, r], unclear[:, r] = found.begin_s, found.end_s, found.unclear

    yield from by_rows(find, cells[0], most=8)
    return Plateaus(begin_s=begin, end_s=end, unclear=unclear)


def plateaus_of(trace: Float32Array, chain: Chain, field: FieldSteps) -> Plateaus:
    """When the cells of (T, n) traces stand between two steps.

    Levels between are first the field's shares of a cell's own change, then its own.
    """
    times, widths = chain.times_s, field.widths_s[:, np.newaxis]
    base, top = (trace[frames].mean(axis=0) for frames in chain.ends)
    levels = base + field.shares[:, np.newaxis] * (top - base)
    total = np.concatenate([np.zeros((1, trace.shape[1])), np.cumsum(trace, axis=0, dtype=float)])
    for _ in range(TWICE):
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
    at_given = _stands(total, chain, field, *_given(chain, trace.shape[1]))
    return Plateaus(
        begin_s=np.where(known, begin, np.nan),
        end_s=np.where(known, end, np.nan),
        unclear=~known & np.isfinite(trace[0]) & ~at_given,
    )


Range = tuple[FloatArray, FloatArray]
"""(K - 1, n) begin and end, seconds."""


def _frames_in(times_s: FloatArray, range_s: Range) -> tuple[IntArray, IntArray]:
    """First frame of a range, and that after the last; one frame at least."""
    first = np.minimum(np.searchsorted(times_s, range_s[0]), len(times_s) - 1)
    return first, np.maximum(np.searchsorted(times_s, range_s[1]), first + 1)


def _mean_in(total: FloatArray, times_s: FloatArray, range_s: Range) -> FloatArray:
    """Means over a range of traces, given by their running totals."""
    first, last = _frames_in(times_s, range_s)
    columns = np.arange(total.shape[1])
    return np.asarray((total[last, columns] - total[first, columns]) / (last - first))


def _given(chain: Chain, n: int) -> tuple[Range, Range]:
    """The frames of the levels beside the given boundaries."""
    room = np.minimum(chain.n_frames[:-1], chain.n_frames[1:]) * chain.light.interval
    moments = (chain.leaves_s - room, chain.leaves_s, chain.enters_s, chain.enters_s + room)
    a, b, c, d = (np.repeat(m[:, np.newaxis], n, axis=1) for m in moments)
    return (a, b), (c, d)


def _stands(
    total: FloatArray, chain: Chain, field: FieldSteps, before: Range, after: Range
) -> BoolArray:
    """(K - 1, n) True where a trace hardly changes from one range to the next."""
    change = _mean_in(total, chain.times_s, after) - _mean_in(total, chain.times_s, before)
    counts = [np.subtract(*_frames_in(chain.times_s, part)[::-1]) for part in (before, after)]
    noise = field.noise * np.sqrt(1 / counts[0] + 1 / counts[1])
    least = FLAT * np.minimum(field.rises[:-1], field.rises[1:])[:, np.newaxis]
    return np.asarray(np.abs(change) <= np.maximum(least, SURE * noise))


@dataclass(frozen=True, eq=False, kw_only=True)
class Boundary:
    """Between two steps, in each pixel.

    Attributes
    ----------
    top, base : Span
        Frames of the level after the step before, and of that before the step after; the one's
        last is the step's last, the other's first the step's first.
    unclear : numpy.ndarray
        (Y, X) True where the steps are not told apart.
    """

    top: Span
    base: Span
    unclear: BoolArray


def _boundary(chain: Chain, k: int, plateaus: Plateaus) -> Boundary:
    """The k-th boundary: the given one, moved into a pixel's plateau where it lies outside."""
    begin_s, end_s = _between_known(plateaus.begin_s[k], plateaus.end_s[k], chain.light.dark.shape)
    interval = chain.light.interval
    before, after = (int(n) for n in chain.n_frames[k : k + 2])
    room = np.minimum(max(before, after) * interval, (end_s - begin_s) / 2)
    moments = [
        np.where(np.isfinite(room), np.clip(given, begin_s + room, end_s - room), given)
        for given in (chain.leaves_s[k], chain.enters_s[k])
    ]
    leave, enter = moments

    def frame(time_s: FloatArray) -> NDArray[np.int32]:
        return np.asarray(np.searchsorted(chain.times_s, time_s), dtype=np.int32)

    last, first = np.maximum(frame(leave), 1), np.minimum(frame(enter), len(chain.times_s) - 1)
    # Of a level beside a pause, none of the frames beyond it.
    earliest = np.fmax(begin_s, leave - (before + 0.5) * interval)
    latest = np.fmin(end_s, enter + (after + 0.5) * interval)
    return Boundary(
        top=(np.minimum(np.maximum(frame(earliest), last - before), last - 1), last),
        base=(first, np.maximum(np.minimum(frame(latest), first + after), first + 1)),
        unclear=_at_pixels(plateaus.unclear[k], chain.light.dark.shape),
    )


def _between_known(
    begin_s: FloatArray, end_s: FloatArray, shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """Times of cells at their pixels, between the cells that have any; NaN in the others."""
    from napari_lithium_alloy.core.kernels.images import between_cells

    known = np.isfinite(begin_s)
    cell, origin = cell_side(shape), float(begin_s[known].min()) if known.any() else 0.0
    parts = []
    for cells in (known, np.where(known, begin_s - origin, 0), np.where(known, end_s - origin, 0)):
        out = np.empty(shape, np.float32)
        between_cells(np.asarray(cells, np.float32), cell, (0, shape[0]), out)
        parts.append(out)
    weight = np.where(_at_pixels(known, shape), parts[0], np.nan)
    return origin + parts[1] / weight, origin + parts[2] / weight


def _at_pixels(cells: NDArray[np.bool_], shape: tuple[int, ...]) -> BoolArray:
    """Of each pixel, that of its cell."""
    cell = cell_side(shape)
    rows, columns = (
        np.minimum(np.arange(n) // cell, m - 1) for n, m in zip(shape, cells.shape, strict=True)
    )
    return cells[np.ix_(rows, columns)]


def _own(chain: Chain, k: int, bounds: Sequence[Boundary]) -> OwnFrames:
    """Frames of the k-th step, between the boundaries beside it."""
    before = bounds[k - 1] if k > 0 else None
    after = bounds[k] if k < len(bounds) else None
    shape = chain.light.dark.shape
    given = [np.full(shape, frame, np.int32) for frame in chain.nominal[k]]
    first = given[0] if before is None else before.base[0]
    last = given[1] if after is None else after.top[1]
    unclear = np.zeros(shape, dtype=bool)
    for side in (before, after):
        unclear |= False if side is None else side.unclear
    short = last - first < TWICE
    first, last = np.where(short, given[0], first), np.where(short, given[1], last)
    return OwnFrames(
        span=(first, last),
        base=None
        if before is None
        else (first, np.clip(np.where(short, 0, before.base[1]), first + 1, last)),
        top=None
        if after is None
        else (np.clip(np.where(short, last, after.top[0]), first, last - 1), last),
        unclear=unclear | short,
    )
