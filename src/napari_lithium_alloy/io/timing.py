"""The clock of a recording, from the best source there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray, check_times
from napari_lithium_alloy.io.stack import Stack
from napari_lithium_alloy.io.text_tables import read_times


@dataclass(frozen=True, eq=False, kw_only=True)
class GivenTimes:
    """Times the user gave: an interval in seconds, or a table or array of times."""

    interval_s: float | None = None
    times: Path | str | ArrayLike | None = None


Clock = tuple[FloatArray, str, tuple[str, ...]]
"""Times in seconds, where they come from, and notes."""


def clock(stack: Stack, channel: int, z: int, *, given: GivenTimes, path: Path, name: str) -> Clock:
    """Times of the frames of one channel and z.

    What the user gave wins, then a table of times beside the file, then the file's time of each
    plane, then its interval; else times are frame numbers, and a note says so.

    Raises
    ------
    AlloyError
        If given times do not fit the frames or do not rise.
    """
    frames = stack.frames_of(channel, z)
    if given.times is not None:
        return _given(given.times, len(frames), name)
    if given.interval_s is not None:
        if not (np.isfinite(given.interval_s) and given.interval_s > 0):
            raise AlloyError(
                f"{name}: frame_interval_s is {given.interval_s:g}; give a positive number."
            )
        return frames * float(given.interval_s), "frame_interval_s", ()
    sidecar = sidecar_of(path)
    if sidecar is not None:
        times, source, _ = _given(sidecar, len(frames), name)
        return times, source, (f"Times come from {sidecar.name}.",)
    return _from_file(stack, channel, z)


def first_frame_at(stack: Stack, channel: int, z: int) -> datetime | None:
    """When the first frame of one channel and z was taken, if the file says it."""
    timing, frames = stack.timing, stack.frames_of(channel, z)
    if timing.started is None or timing.plane_times_s is None:
        return timing.started
    times = _plane_times(timing.plane_times_s, stack.sizes, channel, z)
    first_s = np.nan if times is None else float(times[frames[0]])
    return timing.started + timedelta(seconds=first_s) if np.isfinite(first_s) else timing.started


def sidecar_of(path: Path) -> Path | None:
    """The table of times beside a file, or in or beside a folder of frames."""
    stem = path.name if path.is_dir() else path.name.removesuffix(path.suffix)
    stems = dict.fromkeys([stem, stem.removesuffix(".ome")])
    names = [path.with_name(s + end) for s in stems for end in ("_times.csv", ".times.csv")]
    if path.is_dir():
        names.insert(0, path / "times.csv")
    elif not path.exists():
        names.insert(0, path.parent / "times.csv")
    return next((n for n in names if n.is_file()), None)


def _given(times: Path | str | ArrayLike, n_frames: int, name: str) -> Clock:
    if isinstance(times, (str, Path)):
        file = Path(times)
        seconds, source = read_times(file), file.name
        check_times(seconds, n_frames, file.name)
    else:
        seconds, source = np.asarray(times, dtype=float), "times"
        check_times(seconds, n_frames, name)
    return seconds, source, ()


def _from_file(stack: Stack, channel: int, z: int) -> Clock:
    timing, frames = stack.timing, stack.frames_of(channel, z)
    notes: tuple[str, ...] = ()
    if timing.plane_times_s is not None:
        times = _plane_times(timing.plane_times_s, stack.sizes, channel, z)
        if times is not None and _usable(times[frames]):
            return times[frames], timing.plane_source, ()
        notes = (f"{timing.plane_source} is missing for some frames or does not rise: not used.",)
    if timing.interval_s is not None and timing.interval_s > 0:
        extra = (timing.note,) if timing.note else ()
        return frames * timing.interval_s, timing.interval_source, (*notes, *extra)
    note = "The file gives no times: they are frame numbers; give frame_interval_s or times."
    source = "frame number (no times in the file)"
    return frames.astype(float), source, (*notes, note)


def _plane_times(
    times: FloatArray, sizes: tuple[int, int, int], channel: int, z: int
) -> FloatArray | None:
    if any(have not in (1, want) for have, want in zip(times.shape, sizes, strict=True)):
        return None
    whole: FloatArray = np.broadcast_to(times, sizes)[:, channel, z]
    return whole


def _usable(times: FloatArray) -> bool:
    return bool(np.isfinite(times).all() and (np.diff(times) > 0).all())
