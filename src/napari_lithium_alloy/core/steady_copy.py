"""Corrected frames kept as a memory map, so that each is corrected once."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.correction import Correction, SteadyFrames, corrected
from napari_lithium_alloy.core.illumination import sampled_frames
from napari_lithium_alloy.core.kernels import COMPILED_FOR
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import MappedLight, Recording
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.scratch import scratch

ZERO = 512
"""Whole number that stands for no light: noise goes below it."""
HIGHEST = 2**16 - 1
"""Whole number that stands for a clipped pixel."""

MOST_BRIGHTER = 4.0
"""Times the brightest of some frames that light is told apart up to, where nothing limits it."""


class Arrays(Protocol):
    """Where large arrays lie."""

    def array(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], bool]:
        """An array to be written and read, and whether it was finished before."""

    def finished(self, name: str) -> None:
        """Say that an array is written."""


class Scratch:
    """Arrays in memory or, if they are large, in files that vanish with them."""

    def array(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], bool]:
        """A new array; none was finished before."""
        del name
        return scratch(shape, dtype), False

    def finished(self, name: str) -> None:
        """Nothing outlives it."""


def copied_bytes(recording: Recording) -> int:
    """How large a copy `steady_copy` makes at most."""
    dtype = max(_coded(recording), _native(recording), key=lambda d: d.itemsize)
    return int(math.prod(recording.frames.shape)) * dtype.itemsize


def steady_copy(
    recording: Recording, correction: Correction, arrays: Arrays | None = None
) -> Work[Recording]:
    """The corrected recording, its light as a memory map: each frame is read and corrected once.

    Frames that are mapped and at most scaled are not copied. Whole counts that are resampled are
    kept as whole numbers of 16 bits, finer than a count where the camera has fewer bits.

    Parameters
    ----------
    recording : Recording
        As it was read.
    correction : Correction
    arrays : Arrays, optional
        Where the copy lies; None: in memory or in a temporary file.
    """
    arrays = arrays or Scratch()
    if not _is_resampled(correction):
        plain = recording
        if not _is_mapped(recording):
            plain = yield from _copied(recording, arrays)
        return corrected(plain, correction)
    steady = corrected(recording, correction)
    dtype = _coded(recording)
    counts, done = arrays.array("light", recording.frames.shape, dtype)
    scale = np.float32(1) if dtype.kind == "f" else np.float32(_scale(steady))
    dark = 0 if dtype.kind == "f" else ZERO
    ceiling = steady.saturation_counts

    frames_of = SteadyFrames(recording, correction)

    def keep(frames: tuple[int, int]) -> None:
        light = np.empty(recording.field_shape, np.float32)
        for t in range(*frames):
            frames_of.write(t, light)
            if dtype.kind == "f":
                counts[t] = light
            else:
                _keep_whole(light, scale, ceiling, counts[t])

    if not done:
        yield from by_rows(keep, len(counts), most=4)
        arrays.finished("light")
    factor = np.full(len(counts), scale, np.float32)
    if ceiling is not None and dtype.kind != "f":
        ceiling = float(np.float32(HIGHEST - ZERO) * scale)
    return steady.replace(
        window=lambda t, y, x: (counts[t, y, x].astype(np.float32) - dark) * scale,
        steadied=MappedLight(counts=counts, dark=float(dark), factor=factor),
        saturation_counts=ceiling,
    )


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


def _copied(recording: Recording, arrays: Arrays) -> Work[Recording]:
    """The same counts, mapped."""
    counts, done = arrays.array("counts", recording.frames.shape, _native(recording))

    def keep(frames: tuple[int, int]) -> None:
        for t in range(*frames):
            counts[t] = recording.read(t)

    if not done:
        yield from by_rows(keep, len(counts), most=2)
        arrays.finished("counts")
    return recording.replace(window=lambda t, y, x: counts[t, y, x], mapped=counts)


def _scale(steady: Recording) -> float:
    """Light a whole number stands for."""
    sample = [steady.read(t) for t in sampled_frames(steady)]
    brightest = max(float(light.max()) for light in sample)
    ceiling = steady.saturation_counts
    most = MOST_BRIGHTER * brightest if ceiling is None else min(ceiling, MOST_BRIGHTER * brightest)
    return max(most, 1e-6) / (HIGHEST - 1 - ZERO)


def _keep_whole(
    light: Float32Array, scale: np.float32, ceiling: float | None, out: NDArray[np.uint16]
) -> None:
    """Keep whole numbers that stand for light; the highest for what is clipped."""
    from napari_lithium_alloy.core.kernels.steadying import whole_numbers

    ends = np.float32(ZERO), np.float32(HIGHEST)
    whole_numbers(light, scale, ends, np.float32(np.nan if ceiling is None else ceiling), out)
