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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.onset_errors import cell_side
from napari_lithium_alloy.core.onset_light import OwnFrames, Span
from napari_lithium_alloy.core.pixelwise import pixelwise_several
from napari_lithium_alloy.core.progress import Work, finish, part
from napari_lithium_alloy.core.recording import BoolArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows
from napari_lithium_alloy.core.smoothing import at_pixels
from napari_lithium_alloy.core.step_plateaus import Chain, Plateaus, field_steps, step_plateaus

LEAST_SPAN = 2
"""Frames of a pixel that belong to a step, below which it is not told apart."""


def step_frames(chain: Chain) -> Work[list[OwnFrames]]:
    """The frames of each step of a chain, in each pixel."""
    field = yield from part(field_steps(chain), 0, 1, 4)
    plateaus = yield from part(step_plateaus(chain, field), 1, 3, 4)
    bounds = [_boundary(chain, k, plateaus) for k in range(len(chain.leaves_s))]
    yield 4, 4
    return [_own(chain, k, bounds) for k in range(len(chain.nominal))]


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
    from napari_lithium_alloy.core.kernels.step_frames import frames_beside

    shape = chain.light.dark.shape
    known = np.isfinite(plateaus.begin_s[k])
    origin = float(plateaus.begin_s[k][known].min()) if known.any() else 0.0
    times = chain.times_s - origin
    begin, end = (
        at_pixels(np.where(known, part[k] - origin, 0).astype(np.float32), cell_side(shape), shape)
        for part in (plateaus.begin_s, plateaus.end_s)
    )
    # Between the cells that have times; elsewhere there is none.
    inside = _at_pixels(known, shape)
    share = at_pixels(known.astype(np.float32), cell_side(shape), shape)
    top, top_end, base, base_end = (np.empty(shape, np.int32) for _ in range(4))
    first = np.searchsorted(times, times[0] + chain.light.interval * np.arange(len(times) + 1))
    given = chain.leaves_s[k] - origin, chain.enters_s[k] - origin
    room = int(chain.n_frames[k]), int(chain.n_frames[k + 1]), chain.light.interval

    found = top, top_end, base, base_end

    def find(rows: Rows) -> None:
        frames_beside((begin, end, share), inside, times, first, given, room, rows, found)

    finish(by_rows(find, shape[0]))
    unclear = _at_pixels(plateaus.unclear[k], shape)
    return Boundary(top=(top, top_end), base=(base, base_end), unclear=unclear)


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
    given = [int(frame) for frame in chain.nominal[k]]
    first = np.full(shape, given[0], np.int32) if before is None else before.base[0]
    last = given[1] if after is None else after.top[1]
    unclear = [side.unclear for side in (before, after) if side is not None]
    ends = (
        given[0] if before is None else before.base[1], given[1] if after is None else after.top[0]
    )  # fmt: skip

    def own(
        first: IntArray, last: IntArray | int, base: IntArray | int, top: IntArray | int,
        *unclear: BoolArray,
    ) -> tuple[Any, ...]:  # fmt: skip
        short = last - first < LEAST_SPAN
        first, last = np.where(short, given[0], first), np.where(short, given[1], last)
        base = np.clip(np.where(short, 0, base), first + 1, last)
        top = np.clip(np.where(short, last, top), first, last - 1)
        return first, last, base, top, np.logical_or.reduce([short, *unclear])

    first, last, base, top, odd = pixelwise_several(
        own, first, last, *ends, *unclear, dtypes=(*(np.int32,) * 4, np.bool_)
    )
    return OwnFrames(
        span=(first, last),
        base=None if before is None else (first, base),
        top=None if after is None else (top, last),
        unclear=odd,
    )
