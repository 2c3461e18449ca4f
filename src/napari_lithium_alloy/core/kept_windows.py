"""Windows of recordings whose frames can only be decoded whole, kept while a region is dragged.

The first read decodes every frame once; while a region stays within the margin that was read
around it, its curve then costs what it does for a memory-mapped file.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import Recording, Window
from napari_lithium_alloy.core.row_blocks import by_rows

KEPT_BYTES = 256 * 2**20
"""Most memory for the windows of one recording."""
FEWEST_SHARES = 2

Place = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class _Kept:
    """(T, Y, X) counts of some rows and columns."""

    place: Place
    counts: NDArray[Any]

    def holds(self, place: Place) -> bool:
        pairs = zip(self.place, place, strict=True)
        return all(kept.start <= s.start and s.stop <= kept.stop for kept, s in pairs)

    def read(self, t: int, y: slice, x: slice) -> NDArray[Any]:
        rows, columns = self.place
        top, left = rows.start, columns.start
        return self.counts[t, y.start - top : y.stop - top, x.start - left : x.stop - left]


_kept: weakref.WeakKeyDictionary[Recording, tuple[_Kept, ...]] = weakref.WeakKeyDictionary()


def kept_reader(recording: Recording, places: Sequence[Place]) -> Work[Window]:
    """What reads any of these windows of a frame without decoding it again.

    Parameters
    ----------
    recording : Recording
    places : sequence of (slice, slice)
        Rows and columns, within the field, with start and stop.

    Returns
    -------
    callable
        As `Recording.read`, for these windows. One too large to keep is read from the recording.
    """
    share = KEPT_BYTES // max(FEWEST_SHARES, len(places))
    most_pixels = share // (recording.n_frames * recording.frames.dtype.itemsize)
    known = _kept.get(recording, ())
    missing = [
        _with_margin(place, most_pixels, recording.field_shape)
        for place in places
        if 0 < _pixels(place) <= most_pixels and not any(k.holds(place) for k in known)
    ]
    if missing:
        fresh = yield from _decoded(recording, missing)
        known = _within_memory([*fresh, *known], places)
        _kept[recording] = known

    def read(t: int, y: slice, x: slice) -> NDArray[Any]:
        kept = next((k for k in known if k.holds((y, x))), None)
        return recording.read(t, y, x) if kept is None else kept.read(t, y, x)

    return read


def _pixels(place: Place) -> int:
    return math.prod(s.stop - s.start for s in place)


def _with_margin(place: Place, most_pixels: int, shape: tuple[int, int]) -> Place:
    """The window with the widest margin, the same on each side, that fits into the memory."""
    height, width = (s.stop - s.start for s in place)
    margin = (math.sqrt((height - width) ** 2 + 4 * most_pixels) - height - width) / 4
    rows, columns = (
        slice(max(0, s.start - int(margin)), min(n, s.stop + int(margin)))
        for s, n in zip(place, shape, strict=True)
    )
    return rows, columns


def _decoded(recording: Recording, places: Sequence[Place]) -> Work[list[_Kept]]:
    """Windows of all frames, each frame decoded once."""
    n = recording.n_frames
    kept = [
        _Kept(place, np.empty((n, *(s.stop - s.start for s in place)), recording.frames.dtype))
        for place in places
    ]

    def decode(frames: tuple[int, int]) -> None:
        for t in range(*frames):
            for one in kept:
                one.counts[t] = recording.read(t, *one.place)

    yield from by_rows(decode, n, most=4)
    return kept


def _within_memory(kept: Sequence[_Kept], places: Sequence[Place]) -> tuple[_Kept, ...]:
    """Those in use, and of the others the newest that fit."""
    total, chosen = 0, []
    for one in sorted(kept, key=lambda k: not any(k.holds(p) for p in places)):
        total += one.counts.nbytes
        if total <= KEPT_BYTES:
            chosen.append(one)
    return tuple(chosen)
