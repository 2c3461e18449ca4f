"""Transmittance, absorbance and relative reflectance against the film's first state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import FloatArray, IntArray, Mode, Recording
from napari_lithium_alloy.core.row_blocks import by_rows, in_order

Float32Array = NDArray[np.float32]
Quantity = Literal["transmittance", "absorbance", "relative_reflectance", "normalized_absorbance"]
LEAST_COUNTS, LEAST_SHARE = 0.5, 1e-4
"""Light not told apart from none: counts, and a share of the mean where they are not whole."""
ADDED_FRAMES = 4
"""Of the reference, that are added at once."""
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)


@dataclass(frozen=True, kw_only=True)
class NormalizationParameters:
    """How counts become transmittance, reflectance and absorbance.

    Attributes
    ----------
    reference_start_s, reference_end_s : float or None
        Time range of the reference frames, seconds; None: from the first frame, and until
        current flows (else the first `reference_frames`).
    reference_frames : int
        Number of first frames averaged where no range is known.
    dark_counts : float or None
        The camera's reading without light; None: the recording's own, else 0.
    level_frames : int
        Frames whose median is each end of a normalized absorbance.
    """

    reference_start_s: float | None = None
    reference_end_s: float | None = None
    reference_frames: int = 5
    dark_counts: float | None = None
    level_frames: int = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference:
    """The film's first state.

    Attributes
    ----------
    image : numpy.ndarray
        (Y, X) float32 mean counts less dark; NaN where the reference has no light.
    frames : numpy.ndarray
        Indices of the frames averaged.
    dark : float or numpy.ndarray
        Dark level in counts, one or (Y, X).
    note : str
        What the user should know of it, in one sentence.
    """

    image: Float32Array
    frames: IntArray
    dark: float | FloatArray
    note: str

    @cached_property
    def dark_plane(self) -> Float32Array:
        """(Y, X) dark level, counts."""
        plane = np.zeros(self.image.shape, dtype=np.float32)
        plane += np.asarray(self.dark, dtype=np.float32)
        return plane


def dark_level(recording: Recording, dark_counts: float | None = None) -> float | FloatArray:
    """Dark level to subtract: the one given, else the recording's own, else 0.

    It is 0 for frames that were corrected, which are less dark already.
    """
    if recording.corrections:
        return 0.0
    if dark_counts is not None:
        return dark_counts
    return 0.0 if recording.dark_counts is None else recording.dark_counts


def reference_frame(
    recording: Recording,
    parameters: NormalizationParameters | None = None,
    *,
    current_starts_s: float | None = None,
) -> Reference:
    """Mean of the frames before current flows; without any, of the first n.

    Parameters
    ----------
    recording : Recording
    parameters : NormalizationParameters, optional
    current_starts_s : float, optional
        When current first flows, seconds on the recording's clock.

    Raises
    ------
    AlloyError
        If no frame lies in the range asked for, or the dark level is above the picture.
    """
    parameters = parameters or NormalizationParameters()
    frames, note = _reference_frames(recording, parameters, current_starts_s)
    dark = dark_level(recording, parameters.dark_counts)
    total = np.zeros(recording.field_shape)
    for first in range(0, len(frames), ADDED_FRAMES):
        some = in_order(lambda t: recording.frame(int(t)), frames[first : first + ADDED_FRAMES])
        total = pixelwise(lambda *each: functools.reduce(np.add, each), total, *some, dtype=float)
    image = total / len(frames) - dark
    n_known = np.count_nonzero(np.isfinite(image))
    if 2 * np.count_nonzero((image > 0) & (image < np.inf)) <= n_known:
        raise AlloyError(
            f"{recording.name}: the dark level ({float(np.mean(dark)):g} counts) is not below the "
            "picture; give a smaller dark."
        )
    if recording.dark_counts is None and parameters.dark_counts is None:
        note += " The dark level is not known and taken as 0."
    image[image <= 0] = np.nan
    return Reference(image=image.astype(np.float32), frames=frames, dark=dark, note=note)


def _reference_frames(
    recording: Recording, parameters: NormalizationParameters, current_starts_s: float | None
) -> tuple[IntArray, str]:
    times = recording.times_s
    start, end = parameters.reference_start_s, parameters.reference_end_s
    if start is not None or end is not None:
        low = times[0] if start is None else start
        frames = recording.frames_between(low, times[-1] if end is None else end)
        if not frames.size:
            raise AlloyError(
                f"{recording.name}: no frame lies in the reference range {start} to {end} s; "
                f"frames run from {times[0]:g} to {times[-1]:g} s."
            )
        return frames, f"Reference: {_frames(len(frames))}, {times[frames[0]]:g} s on."
    if current_starts_s is not None:
        frames = np.flatnonzero(times < current_starts_s)
        if frames.size:
            return frames, f"Reference: the {_frames(len(frames))} before current flows."
    n = min(max(parameters.reference_frames, 1), recording.n_frames)
    note = (
        f"Reference: the first {_frames(n)}; none is known to lie before current flows, so the "
        "start of the SEI is in it."
    )
    return np.arange(n), note


def _frames(n: int) -> str:
    return "1 frame" if n == 1 else f"{n} frames"


def lit(light: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Light of which a logarithm can be taken."""
    return np.maximum(light, least_light(light, dtype))


def least_light(light: FloatArray, dtype: np.dtype[Any]) -> float:
    """Half a count, or a small share of the mean where the file holds no whole counts."""
    if dtype.kind in "ui":
        return LEAST_COUNTS
    known = light[np.isfinite(light)]
    mean = float(np.abs(known).mean()) if known.size else 0.0
    return max(LEAST_SHARE * mean, float(np.finfo(np.float32).tiny))


def _per_frame(recording: Recording, function: Callable[[NDArray[Any]], Float32Array]) -> da.Array:
    """One lazy map over the frames, a chunk a frame."""
    return recording.frames.map_blocks(
        function, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )


def transmittance(recording: Recording, reference: Reference) -> da.Array:
    """(T, Y, X) float32, (I - dark)/(I_ref - dark); may exceed 1. Lazy."""
    if recording.mode == "epi":
        raise AlloyError(
            f"{recording.name} is an epi recording: it has a relative reflectance, "
            "no transmittance."
        )
    return _ratio(recording, reference)


def relative_reflectance(recording: Recording, reference: Reference) -> da.Array:
    """(T, Y, X) float32, the ratio of `transmittance` for an epi recording. Lazy.

    The dark level should be a blank (light on, no film), not only the camera's dark.
    """
    if recording.mode == "trans":
        raise AlloyError(
            f"{recording.name} is a trans recording: it has a transmittance, "
            "no relative reflectance."
        )
    return _ratio(recording, reference)


def absorbance(recording: Recording, reference: Reference) -> da.Array:
    """(T, Y, X) float32, -log10 of the transmittance; NaN where no light is left. Lazy."""
    if recording.mode == "epi":
        raise AlloyError(
            f"{recording.name} is an epi recording: absorbance is defined for trans only."
        )
    return _per_frame(recording, lambda counts: absorbance_of(counts, reference))


def _ratio(recording: Recording, reference: Reference) -> da.Array:
    return _per_frame(recording, lambda counts: ratio_of(counts, reference))


def ratio_of(counts: NDArray[Any], reference: Reference) -> Float32Array:
    """(I - dark)/(I_ref - dark) of counts whose last axes are the field's."""
    from napari_lithium_alloy.core.kernels.ratios import ratios

    return _of_frames(ratios, counts, reference)


def absorbance_of(counts: NDArray[Any], reference: Reference) -> Float32Array:
    """-log10 of `ratio_of`, NaN where no light is left."""
    from napari_lithium_alloy.core.kernels.ratios import absorbances

    return _of_frames(absorbances, counts, reference)


def _of_frames(
    loop: Callable[..., None], counts: NDArray[Any], reference: Reference
) -> Float32Array:
    """What a compiled loop makes of each frame, a block of its rows after the other."""
    out = np.empty(counts.shape, dtype=np.float32)
    image = np.ascontiguousarray(reference.image, dtype=np.float32)
    planes = compilable(counts).reshape(-1, *image.shape)
    for plane, made in zip(planes, out.reshape(planes.shape), strict=True):

        def block(rows: tuple[int, int], plane: Any = plane, made: Any = made) -> None:
            own = slice(*rows)
            loop(plane[own], reference.dark_plane[own], image[own], made[own])

        finish(by_rows(block, len(image)))
    return out


def normalized_absorbance(
    recording: Recording,
    reference: Reference,
    start_s: float,
    end_s: float,
    *,
    level_frames: int = 3,
) -> da.Array:
    """(T, Y, X) float32, (A - A_start)/(A_end - A_start) over the field's own range. Lazy.

    A_start and A_end are medians over `level_frames` frames of the field's mean absorbance at
    the ends of the range (Mao et al. 2024, Fig. 1C and D; DOI 10.1039/d3sc05021a).

    Raises
    ------
    AlloyError
        If fewer than two frames lie in the range or the absorbance does not change over it.
    """
    frames = recording.frames_between(start_s, end_s)
    if len(frames) < 2:
        raise AlloyError(
            f"{recording.name}: fewer than two frames lie between {start_s:g} and {end_s:g} s; "
            "choose a longer range."
        )
    n = max(1, min(level_frames, len(frames) // 2))
    low, high = (
        float(np.median([_mean_absorbance(recording, reference, int(t)) for t in some]))
        for some in (frames[:n], frames[-n:])
    )
    if low == high:
        raise AlloyError(
            f"{recording.name}: the absorbance does not change between {start_s:g} and "
            f"{end_s:g} s, so it cannot be normalized to that range."
        )
    return _per_frame(
        recording,
        lambda counts: np.asarray(
            (absorbance_of(counts, reference) - low) / (high - low), dtype=np.float32
        ),
    )


def _mean_absorbance(recording: Recording, reference: Reference, frame: int) -> float:
    return float(np.nanmean(absorbance_of(recording.read(frame), reference)))


def quantities_of(mode: Mode | None) -> tuple[Quantity, ...]:
    """The quantities that are defined for a mode; all while it is not known."""
    if mode == "trans":
        return ("transmittance", "absorbance", "normalized_absorbance")
    if mode == "epi":
        return ("relative_reflectance",)
    return QUANTITIES


def normalize(
    recording: Recording,
    reference: Reference,
    quantity: Quantity,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    level_frames: int = 3,
) -> da.Array:
    """(T, Y, X) float32 stack of one quantity; the range is for `normalized_absorbance`. Lazy."""
    if quantity == "normalized_absorbance":
        first = float(recording.times_s[0]) if start_s is None else start_s
        last = float(recording.times_s[-1]) if end_s is None else end_s
        if recording.mode == "epi":
            raise AlloyError(
                f"{recording.name} is an epi recording: absorbance is defined for trans only."
            )
        return normalized_absorbance(recording, reference, first, last, level_frames=level_frames)
    functions = {
        "transmittance": transmittance,
        "absorbance": absorbance,
        "relative_reflectance": relative_reflectance,
    }
    return functions[quantity](recording, reference)
