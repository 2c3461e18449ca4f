"""Corrected frames kept as a memory map, so that each is corrected once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.bad_pixels import sampled_frames
from napari_lithium_alloy.core.correction import Correction, SteadyFrames, corrected
from napari_lithium_alloy.core.frame_quality import FrameSums
from napari_lithium_alloy.core.kernels import COMPILED_FOR
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import MappedLight, Recording
from napari_lithium_alloy.core.row_blocks import in_order
from napari_lithium_alloy.core.scratch import Room, scratch
from napari_lithium_alloy.core.smoothing import noise_of_second

LOWER, ROOM = 2.0, 64
"""How far below the lowest light of some frames whole numbers reach: times it, and so many."""
FINE = 0.25
"""Of the noise, the largest whole number may stand for; else light is kept as it is."""
HIGHEST = 2**16 - 1
"""Whole number that stands for a clipped pixel."""

AT_ONCE_PX = 2**19
"""Corrected at once, so that they are kept while they are near."""
NOISE_ROWS = 64
MOST_BRIGHTER = 4.0
"""Times the brightest of some frames that light is told apart up to, where nothing limits it."""


class Arrays(Protocol):
    """Where large arrays lie."""

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Room, bool]:
        """Room for an array, and whether it was finished before."""

    def finished(self, name: str) -> None:
        """Say that an array is written."""


class Scratch:
    """Arrays in memory or, if they are large, in files that vanish with them."""

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Room, bool]:
        """A new one; none was finished before."""
        del name
        return scratch(shape, dtype), False

    def finished(self, name: str) -> None:
        """Nothing outlives it."""


def copied_bytes(recording: Recording) -> int:
    """How large a `SteadyCopy` is at most."""
    dtype = max(_coded(recording), _native(recording), key=lambda d: d.itemsize)
    return int(math.prod(recording.frames.shape)) * dtype.itemsize


class SteadyCopy:
    """A corrected recording, its light as a memory map: each frame is read and corrected once.

    Frames are copied one after the other, so that what needs the first ones can begin before the
    last one is there. Frames that are mapped and at most scaled are not copied. Whole counts that
    are resampled are kept as whole numbers of 16 bits, finer than a count where the camera has
    fewer bits.

    Parameters
    ----------
    recording : Recording
        As it was read.
    correction : Correction
    arrays : Arrays, optional
        Where the copy lies; None: in memory or in a temporary file.
    sums : FrameSums, optional
        Of the frames as they were read, made by the way.

    Attributes
    ----------
    recording : Recording
        The corrected one, of use once all frames are there.
    n_there : int
        Frames that are.
    """

    def __init__(
        self,
        recording: Recording,
        correction: Correction,
        arrays: Arrays | None = None,
        sums: FrameSums | None = None,
    ) -> None:
        self._as_read, self._sums = recording, sums
        self._arrays = arrays or Scratch()
        self._room: Room | None = None
        self.n_there = recording.n_frames
        if _is_resampled(correction):
            self.recording = self._of_light(recording, correction)
        else:
            plain = recording if _is_mapped(recording) else self._of_counts(recording)
            self.recording = corrected(plain, correction)

    def _of_light(self, recording: Recording, correction: Correction) -> Recording:
        """Corrected light, resampled."""
        steady = corrected(recording, correction)
        code = _code_of(recording, steady)
        frames, ceiling = SteadyFrames(recording, correction), steady.saturation_counts
        at_once = max(1, AT_ONCE_PX // recording.field_shape[1])
        dtype = np.dtype(np.float32 if code is None else np.uint16)

        def frame(t: int, counts: NDArray[Any]) -> NDArray[Any]:
            kept = np.empty(recording.field_shape, dtype)
            for first, light in frames.in_rows(t, counts, at_once):
                rows = kept[first : first + len(light)]
                if code is None:
                    rows[:] = light
                else:
                    code.keep(light, ceiling, rows)
            return kept

        counts = self._begin("light", dtype, frame)
        zero, scale = (0, np.float32(1)) if code is None else (code.zero, code.scale)
        limit, highest = ceiling, ceiling
        if ceiling is not None and code is not None:
            limit, highest = float(HIGHEST), float(np.float32(HIGHEST - zero) * scale)
        return steady.replace(
            window=lambda t, y, x: (counts[t, y, x].astype(np.float32) - zero) * scale,
            steadied=MappedLight(
                counts=counts,
                dark=float(zero),
                factor=np.full(len(counts), scale, np.float32),
                limit=limit,
            ),
            saturation_counts=highest,
        )

    def _of_counts(self, recording: Recording) -> Recording:
        """The same counts, mapped."""
        counts = self._begin("counts", _native(recording), lambda _, counts: counts)
        return recording.replace(window=lambda t, y, x: counts[t, y, x], mapped=counts)

    def _begin(
        self,
        name: str,
        dtype: np.dtype[Any],
        kept: Callable[[int, NDArray[Any]], NDArray[Any]],
    ) -> NDArray[Any]:
        """An array for the copy, and what of a frame's number and counts is kept in it."""
        room, done = self._arrays.array(name, self._as_read.frames.shape, dtype)
        if not done:
            self._room, self._name, self._kept, self.n_there = room, name, kept, 0
        return room.values

    def make(self) -> Work[None]:
        """Copy the frames, in their order."""
        if self._room is None:
            return
        n = len(self._room.values)
        with self._room:
            for frame in in_order(self._copied, range(n)):
                self._room.put(frame, self.n_there)
                self.n_there += 1
                yield self.n_there, n
        self._room = None
        if self._sums is not None:
            self._sums.made = True
        self._arrays.finished(self._name)

    def _copied(self, t: int) -> NDArray[Any]:
        counts = self._as_read.frame(t)
        if self._sums is not None:
            self._sums.add(t, counts)
        return self._kept(t, counts)

    def up_to(self, n: int) -> Recording:
        """The recording before all frames are there: reading beyond the first n is an error."""
        whole = self.recording
        if n >= whole.n_frames:
            return whole
        window, light = whole.window, whole.steadied
        assert window is not None, "a copy can be read in parts"

        def read(t: int, y: slice, x: slice) -> NDArray[Any]:
            if t >= n:
                raise IndexError(f"frame {t} is not copied yet")
            return window(t, y, x)

        return whole.replace(
            window=read,
            mapped=None if whole.mapped is None else whole.mapped[:n],
            steadied=None if light is None else light.frames(0, n),
        )


@dataclass(frozen=True)
class _Code:
    """Whole numbers that stand for light: (light / scale + zero)."""

    scale: np.float32
    zero: int

    def keep(self, light: Float32Array, ceiling: float | None, out: NDArray[np.uint16]) -> None:
        """Keep light as whole numbers; the highest for what is clipped."""
        from napari_lithium_alloy.core.kernels.steadying import whole_numbers

        ends = np.float32(self.zero), np.float32(HIGHEST)
        clipped = np.float32(np.nan if ceiling is None else ceiling)
        whole_numbers(light, self.scale, ends, clipped, out)


def _code_of(recording: Recording, steady: Recording) -> _Code | None:
    """Whole numbers for a recording's light; None where they would be too coarse for it.

    That is where a file holds no whole counts of 16 bits, where light is not known somewhere, and
    where its brightest is many thousand times its noise.
    """
    if _coded(recording).kind == "f":
        return None
    ranges = [*in_order(lambda t: _range_of(steady.read(t)), sampled_frames(steady))]
    darkest, brightest, noises = zip(*ranges, strict=True)
    if not np.isfinite([*darkest, *brightest]).all():
        return None
    lowest, most = min(0.0, *darkest), MOST_BRIGHTER * max(brightest)
    if steady.saturation_counts is not None:
        most = min(most, steady.saturation_counts)
    scale = np.float32(max(most - LOWER * lowest, 1e-6) / (HIGHEST - 1 - 2 * ROOM))
    if not scale < FINE * min(noises):
        return None
    return _Code(scale=scale, zero=math.ceil(-LOWER * lowest / float(scale)) + ROOM)


def _range_of(light: Float32Array) -> tuple[float, float, float]:
    """Lowest and highest light of a frame, NaN where some is not known, and a pixel's noise."""
    rows = slice(None, None, max(1, len(light) // NOISE_ROWS))
    noise = noise_of_second(np.diff(light[rows], n=2, axis=1))
    return float(light.min()), float(light.max()), noise


def _is_mapped(recording: Recording) -> bool:
    return recording.mapped is not None and recording.mapped.dtype in COMPILED_FOR


def _is_resampled(correction: Correction) -> bool:
    return bool(set(correction.done) - {"lamp"})


def _native(recording: Recording) -> np.dtype[Any]:
    dtype = recording.frames.dtype.newbyteorder("=")
    return dtype if dtype in COMPILED_FOR else np.dtype(np.float32)


def _coded(recording: Recording) -> np.dtype[Any]:
    dtype = recording.frames.dtype
    small = dtype.kind in "ui" and dtype.itemsize <= 2
    return np.dtype(np.uint16 if small else np.float32)
