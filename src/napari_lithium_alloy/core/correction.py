"""Steady frames: bad pixels, flat field, lamp and drift, taken out lazily.

The order is the one in which they came about, backwards: the camera's dark level, its bad pixels,
the flat field and the lamp's gain belong to the sensor; the drift of the sample comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.drift import Shifts
from napari_lithium_alloy.core.illumination import LampGain
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.photometry import Float32Array, dark_level
from napari_lithium_alloy.core.recording import (
    EVERYTHING,
    BoolArray,
    FloatArray,
    MappedLight,
    Recording,
)
from napari_lithium_alloy.core.steadying import REACH_PX, Sensor, light_at

Lamp = Literal["auto", "flicker", "none"]
Flat = Literal["auto", "none"]


@dataclass(frozen=True, kw_only=True)
class CorrectionParameters:
    """What is corrected before anything is measured.

    Attributes
    ----------
    drift : bool
        Movement of the sample, where it is larger than its uncertainty.
    lamp : {"auto", "flicker", "none"}
        auto: by the reference region or bare glass where there is any, else by the rest before
        current and its flicker; flicker: only that.
    flat_field : {"auto", "none"}
        auto: the file given with the recording, else, where the sample drifts, the smooth
        illumination of the pristine film, which is taken to be even.
    bad_pixels : bool
        Hot and dead pixels are replaced by their neighbours.
    reference_region : str
        Name of a region that does not change, such as bare glass; empty: found where it can be.
    """

    drift: bool = True
    lamp: Lamp = "auto"
    flat_field: Flat = "auto"
    bad_pixels: bool = True
    reference_region: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Correction:
    """What is wrong with each frame, and how it is put right.

    Attributes
    ----------
    parameters : CorrectionParameters
    shifts : Shifts or None
        Movement of the sample as measured; None where it was not.
    shift_px : numpy.ndarray
        (T, 2) rows and columns that are taken out; 0 where none is.
    lamp : LampGain
    flat : numpy.ndarray or None
        (Y, X) what each frame is divided by.
    bad : numpy.ndarray
        (Y, X) True at hot and dead pixels.
    common : numpy.ndarray
        (Y, X) True where every frame shows the sample.
    trusted : numpy.ndarray
        (T,) False where a frame is too blurred or, where drift is taken out, its own is not known.
    notes : tuple of str
        What the user should know, a sentence each.
    """

    parameters: CorrectionParameters
    shifts: Shifts | None
    shift_px: FloatArray
    lamp: LampGain
    flat: Float32Array | None
    bad: BoolArray
    common: BoolArray
    trusted: BoolArray
    notes: tuple[str, ...]

    @property
    def moves(self) -> bool:
        """Whether frames are shifted."""
        return bool(np.any(self.shift_px))

    @property
    def done(self) -> tuple[str, ...]:
        """What is corrected, in the order it is done."""
        steps = {
            "bad pixels": bool(self.bad.any()),
            "flat field": self.flat is not None,
            "lamp": bool(np.any(self.lamp.gain != 1)),
            "drift": self.moves,
        }
        return tuple(name for name, is_done in steps.items() if is_done)


def corrected(recording: Recording, correction: Correction) -> Recording:
    """The recording with its corrections taken out, lazily: nothing is read or copied here.

    Its counts are float32, less dark; a clipped pixel stays above `saturation_counts`.

    Parameters
    ----------
    recording : Recording
        As it was read.
    correction : Correction

    Returns
    -------
    Recording
        The same one where there is nothing to correct.
    """
    if not correction.done:
        return recording
    steady = SteadyFrames(recording, correction)
    frames = recording.frames.map_blocks(
        steady.block, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    return recording.replace(
        frames=frames,
        window=steady.window,
        steadied=_mapped_light(recording, correction),
        dark_counts=None if recording.dark_counts is None else 0.0,
        saturation_counts=steady.ceiling,
        flat=None,
        common=correction.common,
        corrections=correction.done,
    )


def _mapped_light(recording: Recording, correction: Correction) -> MappedLight | None:
    """The light as a map of the counts as they were read, where the lamp alone is corrected."""
    if recording.mapped is None or correction.done != ("lamp",):
        return None
    factor = np.asarray(1 / correction.lamp.gain, np.float32)
    return MappedLight(
        counts=recording.mapped,
        dark=dark_level(recording),
        factor=factor,
        limit=recording.saturation_counts,
    )


class SteadyFrames:
    """Reads corrected frames, whole or in part, in the thread that asks."""

    def __init__(self, recording: Recording, correction: Correction) -> None:
        self.recording, self.correction = recording, correction
        dark, limit = dark_level(recording), recording.saturation_counts
        self.sensor = Sensor.of(dark, correction.flat, correction.bad, limit)
        self.ceiling = self._ceiling()
        self.only_lamp = correction.done == ("lamp",)

    def _ceiling(self) -> float | None:
        """What a clipped pixel is set to: the largest it can be after the correction."""
        limit = self.recording.saturation_counts
        if limit is None:
            return None
        flat = 1.0 if self.correction.flat is None else float(self.correction.flat.min())
        least = max(flat * float(self.correction.lamp.gain.min()), 1e-3)
        return float((limit - self.sensor.dark.min()) / least)

    def in_rows(
        self, t: int, counts: NDArray[Any], most: int
    ) -> Iterator[tuple[int, Float32Array]]:
        """Light of frame `t`, given its counts: at most so many rows, and the first of them.

        The array is written again for the next ones.
        """
        height, width = counts.shape
        light = np.empty((min(most, height), width), np.float32)
        for first in range(0, height, most):
            rows = light[: height - first]
            self._write(counts, (0, 0), t, self.correction.shift_px[t] + (first, 0), rows)
            yield first, rows

    def block(self, counts: NDArray[Any], block_info: Any = None) -> Float32Array:
        """Corrected frames of one chunk."""
        first = block_info[0]["array-location"][0][0] if block_info else 0
        steady = np.empty(counts.shape, dtype=np.float32)
        for i, (frame, out) in enumerate(zip(counts, steady, strict=True)):
            self._write(frame, (0, 0), first + i, self.correction.shift_px[first + i], out)
        return steady

    def window(self, t: int, y: slice = EVERYTHING, x: slice = EVERYTHING) -> Float32Array:
        """Part of one corrected frame."""
        shape = self.recording.field_shape
        t %= self.recording.n_frames
        if self.only_lamp:
            counts = self.recording.read(t, y, x)
            light = np.empty(counts.shape, dtype=np.float32)
            rows = y if len(self.sensor.dark) > 1 else EVERYTHING
            self._scale(counts, self.sensor.dark[rows, x], t, light)
            return light
        (y0, y1, _), (x0, x1, _) = (s.indices(n) for s, n in zip((y, x), shape, strict=True))
        shift = self.correction.shift_px[t]
        whole = np.rint(shift).astype(int)
        # A bad pixel at the border of the part has its neighbours beyond it.
        reach = REACH_PX + 1 if self.correction.moves else 1
        rows, columns = (
            _within(a + s - reach, b + s + reach, n)
            for a, b, s, n in zip((y0, x0), (y1, x1), whole, shape, strict=True)
        )
        origin = rows.start, columns.start
        out = np.empty((max(y1 - y0, 0), max(x1 - x0, 0)), dtype=np.float32)
        start = shift + np.array([y0 - rows.start, x0 - columns.start])
        self._write(self.recording.read(t, rows, columns), origin, t, start, out)
        return out[:: y.step or 1, :: x.step or 1]

    def _write(
        self,
        counts: NDArray[Any],
        origin: tuple[int, int],
        t: int,
        start: FloatArray,
        out: Float32Array,
    ) -> None:
        if self.only_lamp:
            self._scale(counts, self.sensor.dark, t, out)
            return
        gain = float(self.correction.lamp.gain[t])
        light_at(counts, origin, self.sensor, gain, self.ceiling, start, out)

    def _scale(self, counts: NDArray[Any], dark: Float32Array, t: int, out: Float32Array) -> None:
        """Light where the lamp alone is corrected."""
        from napari_lithium_alloy.core.kernels.steady import scaled_light

        ceiling = self.ceiling
        clip = (np.inf, 0.0) if ceiling is None else (self.sensor.limit, ceiling)
        scale = np.float32(1 / self.correction.lamp.gain[t])
        scaled_light(compilable(counts), np.ascontiguousarray(dark), scale, clip, out)


def _within(start: int, stop: int, size: int) -> slice:
    """A slice of the frame, of at least one pixel, that holds what it can of start to stop."""
    first = int(np.clip(start, 0, size - 1))
    return slice(first, int(np.clip(stop, first + 1, size)))


def common_field(shift_px: FloatArray, shape: tuple[int, ...]) -> BoolArray:
    """(Y, X) True where every frame shows the sample, with room for the spline."""
    common = np.zeros(shape, dtype=bool)
    low, high = shift_px.min(axis=0), shift_px.max(axis=0)
    room = 2 if np.any(shift_px) else 0
    first = np.maximum(np.ceil(room - low), 0).astype(int)
    last = np.minimum(np.floor(np.array(shape) - 1 - room - high), np.array(shape) - 1).astype(int)
    if (last >= first).all():
        common[first[0] : last[0] + 1, first[1] : last[1] + 1] = True
    return common


def moved_mask(mask: BoolArray, shift_px: FloatArray) -> BoolArray:
    """The mask where the sample is in a frame, to a whole pixel; False beyond what is known."""
    whole = np.rint(shift_px).astype(int)
    if not whole.any():
        return mask
    moved = np.zeros_like(mask)
    to, at = zip(*(_overlap(n, s) for n, s in zip(mask.shape, whole, strict=True)), strict=True)
    moved[to] = mask[at]
    return moved


def _overlap(size: int, step: int) -> tuple[slice, slice]:
    return (
        slice(max(step, 0), max(size + min(step, 0), 0)),
        slice(max(-step, 0), max(size - max(step, 0), 0)),
    )
