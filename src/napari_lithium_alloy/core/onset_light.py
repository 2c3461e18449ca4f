"""What an onset map reads of a recording: the frames of its window, and the levels at both ends."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels import COMPILED_FOR, read_only
from napari_lithium_alloy.core.photometry import Float32Array, least_light
from napari_lithium_alloy.core.progress import Work, finish
from napari_lithium_alloy.core.recording import (
    BoolArray,
    FloatArray,
    IntArray,
    MappedLight,
    Recording,
)
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.scratch import scratch
from napari_lithium_alloy.core.smoothing import common_noise, frame_noise

NOISE_ROWS = 32
"""Rows of the field, evenly spread, that are enough to measure noise."""


@dataclass(eq=False)
class WindowLight:
    """Counts of the frames looked at.

    Attributes
    ----------
    counts : numpy.ndarray
        (T, Y, X).
    factor : numpy.ndarray
        (T,) float32; light is counts less dark times it.
    times : numpy.ndarray
        (T,) seconds after the first of them.
    first : int
        Index of that frame in the recording.
    dark : numpy.ndarray
        (Y, X) float32 counts.
    least : float
        Light of which a logarithm is taken at least.
    falls : bool
        Whether counts fall; logarithms are positive the way looked for.
    valid : numpy.ndarray
        (Y, X) True where there is film.
    """

    counts: NDArray[Any]
    factor: Float32Array
    times: FloatArray
    first: int
    dark: Float32Array
    least: float
    falls: bool
    valid: BoolArray

    @property
    def interval(self) -> float:
        """Median time between frames, seconds."""
        return float(np.median(np.diff(self.times)))

    @property
    def gain(self) -> tuple[Float32Array, Float32Array]:
        """The factors, and their logarithms, positive the way looked for."""
        log = np.log(self.factor)
        return self.factor, -log if self.falls else log

    def logarithm(self, light: Float32Array) -> Float32Array:
        """Of the light, positive the way looked for."""
        log = np.maximum(light, np.float32(self.least))
        np.log(log, out=log)
        return np.negative(log, out=log) if self.falls else log


Picture = tuple[NDArray[Any], np.float32]
"""Counts of one frame, and the factor that makes light of what exceeds dark."""
Span = tuple[NDArray[np.int32], NDArray[np.int32]]
"""(Y, X) first frame of each pixel, and that after its last."""


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnFrames:
    """Which frames of a recording belong to a stage, in each pixel.

    Attributes
    ----------
    span : Span
        At least two frames a pixel.
    base, top : Span or None
        Frames of the levels before and after, at least one a pixel; None: the same everywhere,
        those of the stage's own start or end.
    unclear : numpy.ndarray
        (Y, X) True where it is not known which they are.
    """

    span: Span
    base: Span | None
    top: Span | None
    unclear: BoolArray


@dataclass(eq=False)
class Levels:
    """Both ends of the rise, not smoothed.

    Attributes
    ----------
    base, top : numpy.ndarray
        (Y, X) float32 mean logarithms of light.
    base_light, top_light : numpy.ndarray
        (Y, X) float32 mean light, counts.
    n_frames : int
        Frames behind each end, the fewer of the two.
    noise : float
        Standard deviation of a pixel in a frame, in natural logarithms.
    flicker : float
        That of a whole frame, which is the lamp's.
    """

    base: Float32Array
    top: Float32Array
    base_light: Float32Array
    top_light: Float32Array
    n_frames: int
    noise: float
    flicker: float

    def without_light(self) -> Levels:
        """The same with the logarithms only, for what needs no more."""
        nothing = np.empty((0, 0), np.float32)
        return dataclasses.replace(self, base_light=nothing, top_light=nothing)

    def level_noise(self, fraction: float) -> float:
        """Standard deviation of a pixel's threshold."""
        return self.noise * math.sqrt(((1 - fraction) ** 2 + fraction**2) / self.n_frames)


def window_light(
    recording: Recording,
    frames: IntArray,
    *,
    dark: float | FloatArray,
    falls: bool,
    valid: BoolArray,
) -> Work[WindowLight]:
    """The window's light: a memory map, else each frame is read once and copied."""
    first, stop = int(frames[0]), int(frames[-1]) + 1
    light = recording.light(dark)
    if light is None or light.counts.dtype not in COMPILED_FOR:
        counts = yield from window_counts(recording, frames)
        light = MappedLight(counts=counts, dark=dark, factor=np.ones(len(counts), np.float32))
    else:
        light = light.frames(first, stop)
    plane = np.zeros(recording.field_shape, dtype=np.float32)
    plane += light.dark
    times = recording.times_s[frames]
    start = (light.counts[0].astype(np.float32) - plane) * light.factor[0]
    return WindowLight(
        counts=light.counts,
        factor=light.factor,
        times=times - times[0],
        first=first,
        dark=plane,
        least=least_light(start, recording.frames.dtype),
        falls=falls,
        valid=valid,
    )


def window_counts(recording: Recording, frames: IntArray) -> Work[NDArray[Any]]:
    """(T, Y, X) counts of successive frames: a memory map, else each frame is read once."""
    window = slice(int(frames[0]), int(frames[-1]) + 1)
    if recording.mapped is not None and recording.mapped.dtype in COMPILED_FOR:
        return recording.mapped[window]
    dtype = recording.frames.dtype
    dtype = dtype if dtype in COMPILED_FOR else np.dtype(np.float32)
    room = scratch((len(frames), *recording.field_shape), dtype)

    def copy(block: tuple[int, int]) -> None:
        for i in range(*block):
            room.put(recording.read(int(frames[i])), i)

    with room:
        yield from by_rows(copy, len(frames), most=4)
    return read_only(room.values)


def measured_levels(
    recording: Recording,
    frames: IntArray,
    light: WindowLight,
    level_frames: int,
    own: OwnFrames | None = None,
) -> Levels:
    """Levels before and after, and the noise of the field's frames there.

    Parameters
    ----------
    recording : Recording
    frames : numpy.ndarray
        Those of the stage, the same for all pixels.
    light : WindowLight
        Of these frames or more.
    level_frames : int
    own : OwnFrames, optional
        Frames of each pixel's own, which are the levels' at the ends where it has any.
    """
    ends = level_frame_indices(recording, frames, level_frames)
    plateaus = (None, None) if own is None else (own.base, own.top)
    means, spread, common = [], [], []
    some = slice(None, None, max(1, recording.field_shape[0] // NOISE_ROWS))
    for indices, plateau in zip(ends, plateaus, strict=True):
        pictures = [_picture(recording, light, int(t)) for t in indices]
        means.append(_means(light, pictures) if plateau is None else _means_of_own(light, plateau))
        rows = [
            light.logarithm((p[some].astype(np.float32) - light.dark[some]) * f)
            for p, f in pictures
        ]
        spread.append(frame_noise(rows, light.valid[some]))
        common.append(common_noise(rows, light.valid[some]))
    (base, base_light), (top, top_light) = means
    return Levels(
        base=base,
        top=top,
        base_light=base_light,
        top_light=top_light,
        n_frames=min(
            len(indices) if plateau is None else int(np.median(plateau[1][some] - plateau[0][some]))
            for indices, plateau in zip(ends, plateaus, strict=True)
        ),
        noise=max(spread),
        flicker=float(np.sqrt(np.mean(np.square(common)))),
    )


def _picture(recording: Recording, light: WindowLight, t: int) -> Picture:
    """Counts of a frame of the window or beside it, and the factor that makes light of them."""
    k = t - light.first
    if 0 <= k < len(light.counts):
        return light.counts[k], light.factor[k]
    steadied = recording.steadied
    if steadied is not None and steadied.counts.dtype == light.counts.dtype:
        return steadied.counts[t], steadied.factor[t]
    counts = np.ascontiguousarray(recording.read(t), dtype=light.counts.dtype)
    return counts, np.float32(1)


def _means(light: WindowLight, pictures: list[Picture]) -> tuple[Float32Array, Float32Array]:
    """Mean logarithm of light, and mean light."""
    from napari_lithium_alloy.core.kernels.own_frames import add_frame

    sum_log, sum_light = (np.zeros(light.dark.shape, np.float32) for _ in range(2))

    def add(rows: tuple[int, int]) -> None:
        own = slice(*rows)
        how = (light.least, light.falls)
        for picture, factor in pictures:
            add_frame(picture[own], factor, light.dark[own], how, sum_log[own], sum_light[own])

    finish(by_rows(add, len(sum_log)))
    n = np.float32(len(pictures))
    return sum_log / n, sum_light / n


def _means_of_own(light: WindowLight, own: Span) -> tuple[Float32Array, Float32Array]:
    """Mean logarithm of light, and mean light, over frames of each pixel's own."""
    from napari_lithium_alloy.core.kernels.own_frames import mean_of_own_frames

    begin, end = (np.asarray(part - light.first, dtype=np.int32) for part in own)
    log, mean = (np.empty(light.dark.shape, np.float32) for _ in range(2))
    how = (light.least, light.falls)

    def average(rows: tuple[int, int]) -> None:
        mean_of_own_frames(
            light.counts, light.factor, light.dark, how, (begin, end), rows, log, mean
        )

    finish(by_rows(average, len(log)))
    return log, mean


def level_count(frames: IntArray, level_frames: int) -> int:
    """Frames of a level, fewer where the stage is short."""
    return int(np.clip(len(frames) // 8, 1, level_frames))


def level_frame_indices(
    recording: Recording, frames: IntArray, level_frames: int
) -> tuple[IntArray, IntArray]:
    """Frames up to the window's start and around its end.

    Fewer where the window is short, and none from beyond a pause.
    """
    n = level_count(frames, level_frames)
    first, last = int(frames[0]), int(frames[-1])
    base_end = max(first, n - 1)
    top_start = min(last - (n - 1) // 2 - (n - 1) % 2, recording.n_frames - n)
    times = recording.times_s
    reach = (n + 0.5) * float(np.median(np.diff(times[frames])))
    base, top = (
        some[np.abs(times[some] - times[bound]) <= reach]
        for some, bound in (
            (np.arange(base_end - n + 1, base_end + 1), first),
            (np.arange(top_start, top_start + n), last),
        )
    )
    return base, top
