"""Steady frames: bad pixels, flat field, lamp and drift, taken out lazily.

The order is the one in which they came about, backwards: the camera's dark level, its bad pixels,
the flat field and the lamp's gain belong to the sensor; the drift of the sample comes last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lithium_alloy.core.drift import Shifts
from napari_lithium_alloy.core.illumination import LampGain, without_bad
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.photometry import Float32Array, dark_level
from napari_lithium_alloy.core.recording import EVERYTHING, BoolArray, FloatArray, Recording

SPLINE_REACH_PX = 10
"""Pixels around a window that its spline needs."""
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
    steady = _Steady(recording, correction)
    frames = recording.frames.map_blocks(
        steady.block, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    return recording.replace(
        frames=frames,
        window=steady.window,
        dark_counts=None if recording.dark_counts is None else 0.0,
        saturation_counts=steady.ceiling,
        flat=None,
        common=correction.common,
        corrections=correction.done,
    )


class _Steady:
    """Reads corrected frames, whole or in part."""

    def __init__(self, recording: Recording, correction: Correction) -> None:
        self.recording, self.correction = recording, correction
        self.dark = np.asarray(dark_level(recording), dtype=np.float32)
        self.ceiling = self._ceiling()
        self.in_place = correction.done == ("lamp",)

    def _ceiling(self) -> float | None:
        """What a clipped pixel is set to: the largest it can be after the correction."""
        limit = self.recording.saturation_counts
        if limit is None:
            return None
        flat = 1.0 if self.correction.flat is None else float(self.correction.flat.min())
        least = max(flat * float(self.correction.lamp.gain.min()), 1e-3)
        return float((limit - self.dark.min()) / least)

    def block(self, counts: NDArray[Any], block_info: Any = None) -> Float32Array:
        """Corrected frames of one chunk."""
        first = block_info[0]["array-location"][0][0] if block_info else 0
        steady = [self._whole(frame, first + i) for i, frame in enumerate(counts)]
        return np.stack(steady) if steady else np.empty(counts.shape, dtype=np.float32)

    def window(self, t: int, y: slice = EVERYTHING, x: slice = EVERYTHING) -> Float32Array:
        """Part of one corrected frame."""
        shape = self.recording.field_shape
        t %= self.recording.n_frames
        if self.in_place:
            own = self.dark[y, x] if self.dark.ndim else self.dark
            return self._in_place(self.recording.read(t, y, x), t, own)
        (y0, y1, _), (x0, x1, _) = (s.indices(n) for s, n in zip((y, x), shape, strict=True))
        shift = self.correction.shift_px[t]
        whole = np.rint(shift).astype(int)
        reach = SPLINE_REACH_PX if self.correction.moves else 0
        rows, columns = (
            _within(a + s - reach, b + s + reach, n)
            for a, b, s, n in zip((y0, x0), (y1, x1), whole, shape, strict=True)
        )
        light, clipped = self._light(self.recording.read(t, rows, columns), t, rows, columns)
        offset = np.array([y0 - rows.start, x0 - columns.start])
        return self._moved(light, clipped, shift + offset, (y1 - y0, x1 - x0))[
            :: y.step or 1, :: x.step or 1
        ]

    def _in_place(self, counts: NDArray[Any], t: int, dark: Float32Array) -> Float32Array:
        """Light where each pixel is scaled and nothing else, in one go."""
        from napari_lithium_alloy.core.kernels.steady import scaled_light

        limit, scale = (
            self.recording.saturation_counts,
            np.float32(1 / self.correction.lamp.gain[t]),
        )
        clip = (np.inf, 0.0) if limit is None or self.ceiling is None else (limit, self.ceiling)
        light = np.empty(counts.shape, dtype=np.float32)
        dark = np.ascontiguousarray(dark if dark.ndim else dark.reshape(1, 1))
        scaled_light(compilable(counts), dark, scale, clip, light)
        return light

    def _whole(self, counts: NDArray[Any], t: int) -> Float32Array:
        if self.in_place:
            return self._in_place(counts, t, self.dark)
        rows, columns = (slice(0, n) for n in counts.shape)
        light, clipped = self._light(counts, t, rows, columns)
        return self._moved(light, clipped, self.correction.shift_px[t], light.shape)

    def _light(
        self, counts: NDArray[Any], t: int, rows: slice, columns: slice
    ) -> tuple[Float32Array, BoolArray | None]:
        """Light without bad pixels, flat field and lamp, and where it is clipped."""
        correction, part_of = self.correction, (rows, columns)
        dark = self.dark[part_of] if self.dark.ndim else self.dark
        light = counts.astype(np.float32) - dark
        light = without_bad(light, correction.bad[part_of])
        if correction.flat is not None:
            light /= correction.flat[part_of]
        light *= np.float32(1 / correction.lamp.gain[t])
        limit = self.recording.saturation_counts
        clipped = None if limit is None else (counts >= limit) & ~correction.bad[part_of]
        return light, clipped if clipped is not None and clipped.any() else None

    def _moved(
        self,
        light: Float32Array,
        clipped: BoolArray | None,
        start: FloatArray,
        shape: tuple[int, ...],
    ) -> Float32Array:
        """Light at `start` and on, by cubic splines; beyond the frame its border."""
        if self.correction.moves:
            light, clipped = _resampled(light, start, shape), _touched(clipped, start, shape)
        if clipped is not None:
            light[clipped] = np.float32(self.ceiling)
        return light


def _within(start: int, stop: int, size: int) -> slice:
    """A slice of the frame, of at least one pixel, that holds what it can of start to stop."""
    first = int(np.clip(start, 0, size - 1))
    return slice(first, int(np.clip(stop, first + 1, size)))


def _resampled(light: Float32Array, start: FloatArray, shape: tuple[int, ...]) -> Float32Array:
    unknown = ~np.isfinite(light)
    known = np.where(unknown, 0, light) if unknown.any() else light
    moved = ndimage.affine_transform(
        known, np.ones(2), offset=start, output_shape=shape, order=3, mode="nearest"
    ).astype(np.float32)
    touched = _touched(unknown if unknown.any() else None, start, shape)
    return moved if touched is None else np.where(touched, np.float32(np.nan), moved)


def _touched(
    clipped: BoolArray | None, start: FloatArray, shape: tuple[int, ...]
) -> BoolArray | None:
    if clipped is None:
        return None
    share = ndimage.affine_transform(
        clipped.astype(np.float32), np.ones(2), offset=start, output_shape=shape, order=1
    )
    return np.asarray(share > 0.01)


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
