"""Onset-time map: when each pixel alloyed, in seconds.

Absorbance crosses a fraction f of its rise where dark-subtracted counts cross
base^(1-f) * top^f, so the frames are streamed once, smoothed, and compared with one threshold
image; no stack of absorbances is ever held. Smoothing acts on the logarithm, because smoothing
counts across a front delays where its absorbance seems to cross (as the point spread does, which
is corrected where it is known).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from napari_lithium_alloy.core.crossing import Crossing, blur_delay_s, first_crossing
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import Float32Array, dark_level, lit
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.smoothing import (
    frame_noise,
    noise_left,
    smooth_within,
    time_kernel,
)
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.tables import conform

HALF = 0.5

Polarity = Literal["darkens", "brightens"]


class OnsetReason(IntEnum):
    """Why a pixel has or has not an onset time."""

    REACHED = 0
    BEFORE = 1
    NEVER = 2
    WITHIN_NOISE = 3
    OUTSIDE = 4

    @property
    def text(self) -> str:
        """Words for people."""
        return _REASON_TEXTS[self]


_REASON_TEXTS = {
    OnsetReason.REACHED: "reached",
    OnsetReason.BEFORE: "before the window",
    OnsetReason.NEVER: "never",
    OnsetReason.WITHIN_NOISE: "within noise",
    OnsetReason.OUTSIDE: "outside the common field",
}


@dataclass(frozen=True, kw_only=True)
class OnsetParameters:
    """How an onset is told.

    Attributes
    ----------
    fraction : float
        Share of a pixel's own rise that it has to cross, 0 to 1.
    smoothing_px, smoothing_frames : float or None
        Standard deviations of the Gaussian smoothing; None: chosen from the noise.
    level_frames : int
        Frames whose mean is each end of the rise.
    sustained_frames : int
        Frames a pixel has to stay beyond the fraction.
    min_snr : float
        Smallest rise in units of its own noise.
    min_rise_fraction : float
        Smallest rise in units of the field's median rise.
    polarity : {"auto", "darkens", "brightens"}
        Whether counts fall or rise; auto: from the stage and the recording's mode.
    psf_sigma_px : float or None
        Standard deviation of the point spread, pixels, whose delay is then taken out; None: not
        known, nothing is taken out.
    """

    fraction: float = 0.5
    smoothing_px: float | None = None
    smoothing_frames: float | None = None
    level_frames: int = 5
    sustained_frames: int = 3
    min_snr: float = 5.0
    min_rise_fraction: float = 0.2
    polarity: Literal["auto", "darkens", "brightens"] = "auto"
    psf_sigma_px: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise AlloyError(
                f"The onset fraction is {self.fraction:g}; give one between 0 and 1, such as 0.5."
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class OnsetMap:
    """When each pixel alloyed (or dealloyed), and how sure that is.

    Attributes
    ----------
    onset_s : numpy.ndarray
        (Y, X) float32 seconds on the recording's clock, NaN where not reached.
    onset_sd_s : numpy.ndarray
        (Y, X) float32 standard deviation from noise, seconds.
    amplitude : numpy.ndarray
        (Y, X) float32 size of the change in decades (absorbance), positive the way asked for.
    reason : numpy.ndarray
        (Y, X) uint8, an `OnsetReason`.
    start_s, end_s : float
        The time range looked at.
    polarity : {"darkens", "brightens"}
    parameters : OnsetParameters
        With the smoothing that was chosen.
    """

    onset_s: Float32Array
    onset_sd_s: Float32Array
    amplitude: Float32Array
    reason: NDArray[np.uint8]
    start_s: float
    end_s: float
    polarity: Polarity
    parameters: OnsetParameters

    @property
    def reached(self) -> BoolArray:
        """(Y, X) True where there is an onset."""
        return np.asarray(self.reason == OnsetReason.REACHED)

    @property
    def smoothing_px(self) -> float:
        """Standard deviation of the smoothing in space, pixels."""
        return self.parameters.smoothing_px or 0.0

    @property
    def smoothing_frames(self) -> float:
        """Standard deviation of the smoothing in time, frames."""
        return self.parameters.smoothing_frames or 0.0

    def reasons(self) -> dict[str, int]:
        """Number of pixels for each reason, by its words."""
        return {r.text: int((self.reason == r).sum()) for r in OnsetReason}


@dataclass(eq=False)
class _Levels:
    """Logarithms of counts at both ends of the window and at the crossing, the rise positive."""

    base: Float32Array
    top: Float32Array
    threshold: Float32Array
    noise: float
    """Standard deviation of a smoothed frame, natural-log units."""
    level_noise: float
    """Standard deviation of a level."""


def onset_map(
    recording: Recording,
    start_s: float,
    end_s: float,
    parameters: OnsetParameters | None = None,
    *,
    dark: float | FloatArray | None = None,
    darkens: bool = True,
    valid: BoolArray | None = None,
) -> Work[OnsetMap]:
    """First sustained crossing of a fraction of each pixel's own rise, in seconds.

    Parameters
    ----------
    recording : Recording
    start_s, end_s : float
        The stage, seconds on the recording's clock.
    parameters : OnsetParameters, optional
    dark : float or (Y, X) array, optional
        Dark level; None: the recording's own.
    darkens : bool
        Whether lithium comes in. Transmitted light then falls and reflected light rises.
    valid : (Y, X) bool array, optional
        The field to look at; None: all of it.

    Raises
    ------
    AlloyError
        If fewer than four frames lie in the range, or no pixel is valid.

    References
    ----------
    Mao et al., Chem. Sci. 2024, 15, 3192 (DOI 10.1039/d3sc05021a), Figs. 1C, 2A and 2B.
    """
    parameters = parameters or OnsetParameters()
    frames = recording.frames_between(start_s, end_s)
    if len(frames) < 4:
        raise AlloyError(
            f"{recording.name}: {len(frames)} frames lie between {start_s:g} and {end_s:g} s; "
            "an onset map needs at least 4, choose a longer stage."
        )
    valid = np.ones(recording.field_shape, dtype=bool) if valid is None else valid
    if not valid.any():
        raise AlloyError(
            f"For an onset map no pixel of {recording.name} shows film; choose a larger field."
        )
    falls = _counts_fall(recording, parameters, darkens)
    light = _Light(recording, dark_level(recording) if dark is None else dark, valid, falls)
    parameters, levels = _levels(light, frames, parameters)
    smooth_frames = light.smoothed(frames, parameters)
    crossing = yield from first_crossing(
        smooth_frames, recording.times_s[frames], levels.threshold, parameters.sustained_frames
    )
    return _classified(crossing, levels, parameters, valid, (start_s, end_s), falls)


def _counts_fall(recording: Recording, parameters: OnsetParameters, darkens: bool) -> bool:
    if parameters.polarity != "auto":
        return parameters.polarity == "darkens"
    return darkens != (recording.mode == "epi")


@dataclass(eq=False)
class _Light:
    """Log counts of a recording with the sought change positive, smoothed within the field."""

    recording: Recording
    dark: float | FloatArray
    valid: BoolArray
    falls: bool

    def frame(self, t: int, sigma_px: float) -> Float32Array:
        counts = self.recording.read(t).astype(np.float32) - np.asarray(self.dark, np.float32)
        log = np.log(lit(counts, self.recording.frames.dtype))
        return smooth_within(-log if self.falls else log, self.valid, sigma_px)

    def smoothed(self, frames: IntArray, parameters: OnsetParameters) -> Iterator[Float32Array]:
        """Frames smoothed in space and time, each read once."""
        kernel = time_kernel(parameters.smoothing_frames or 0.0)
        half = len(kernel) // 2
        last = len(frames) - 1
        held: deque[Float32Array] = deque()
        held_from = 0
        for i in range(len(frames)):
            low, high = max(0, i - half), min(last, i + half)
            while held_from + len(held) <= high:
                t = int(frames[held_from + len(held)])
                held.append(self.frame(t, parameters.smoothing_px or 0.0))
            while held_from < low:
                held.popleft()
                held_from += 1
            weights = kernel[low - i + half : high - i + half + 1]
            parts = (w * f for w, f in zip(weights / weights.sum(), held, strict=True))
            yield np.asarray(sum(parts), dtype=np.float32)


def _levels(
    light: _Light, frames: IntArray, parameters: OnsetParameters
) -> tuple[OnsetParameters, _Levels]:
    """Levels before and after, with the smoothing chosen from the noise where none is given."""
    base_frames, top_frames = _level_frames(light.recording, frames, parameters.level_frames)
    base_raw = [light.frame(int(t), 0.0) for t in base_frames]
    top_raw = [light.frame(int(t), 0.0) for t in top_frames]
    noise = max(frame_noise(base_raw, light.valid), frame_noise(top_raw, light.valid))
    rises = np.asarray(np.mean(top_raw, axis=0) - np.mean(base_raw, axis=0), np.float32)
    rise = float(np.percentile(smooth_within(rises, light.valid, 2.0)[light.valid], 90))
    chosen = _chosen_smoothing(parameters, noise, rise)
    sigma = chosen.smoothing_px or 0.0
    base, top = (
        np.asarray(np.mean([light.frame(int(t), sigma) for t in some], axis=0), dtype=np.float32)
        for some in (base_frames, top_frames)
    )
    threshold = base + np.float32(parameters.fraction) * (top - base)
    in_space = noise * noise_left(sigma)
    kernel = time_kernel(chosen.smoothing_frames or 0.0)
    n = min(len(base_frames), len(top_frames))
    return chosen, _Levels(
        base=base,
        top=top,
        threshold=np.asarray(threshold, dtype=np.float32),
        noise=in_space * float(np.sqrt((kernel**2).sum())),
        level_noise=in_space / np.sqrt(n),
    )


def _level_frames(
    recording: Recording, frames: IntArray, level_frames: int
) -> tuple[IntArray, IntArray]:
    """Frames up to the window's start and around its end.

    Fewer where the window is short, and none from beyond a pause.
    """
    n = int(np.clip(len(frames) // 8, 1, level_frames))
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


def _chosen_smoothing(
    parameters: OnsetParameters, noise: float, rise: float, *, wanted: float = 0.02
) -> OnsetParameters:
    """As little smoothing as brings the noise to a share `wanted` of the field's rise.

    Space first, up to 2.5 px, since a front is smoother in space than in time; then time.
    """
    aim = wanted * max(rise, 1e-6)
    px, frames = parameters.smoothing_px, parameters.smoothing_frames
    if px is None:
        px = float(np.clip(noise / aim / (2 * np.sqrt(np.pi)), 0.7, 2.5)) if noise > aim else 0.0
    if frames is None:
        left = noise * noise_left(px)
        frames = float(np.clip((left / aim) ** 2 / (2 * np.sqrt(np.pi)), 0, 1.5))
        frames = frames if frames >= 0.4 else 0.0
    return replace(parameters, smoothing_px=round(px, 2), smoothing_frames=round(frames, 2))


def _classified(
    crossing: Crossing,
    levels: _Levels,
    parameters: OnsetParameters,
    valid: BoolArray,
    window_s: tuple[float, float],
    falls: bool,
) -> OnsetMap:
    rise = levels.top - levels.base
    rise_noise = levels.level_noise * np.sqrt(2)
    significant = valid & (rise > 0) & (rise >= parameters.min_snr * rise_noise)
    typical = float(np.median(rise[significant])) if significant.any() else 0.0
    enough = significant & (rise >= parameters.min_rise_fraction * typical)
    reached = enough & crossing.found
    reason = np.full(valid.shape, OnsetReason.NEVER, dtype=np.uint8)
    reason[~significant] = OnsetReason.WITHIN_NOISE
    reason[(enough & crossing.from_start) | _already_there(levels, reached, valid)] = (
        OnsetReason.BEFORE
    )
    reason[reached] = OnsetReason.REACHED
    reason[~valid] = OnsetReason.OUTSIDE
    with np.errstate(divide="ignore", invalid="ignore"):
        level_part = levels.level_noise**2 * (
            (1 - parameters.fraction) ** 2 + parameters.fraction**2
        )
        sd = np.sqrt(levels.noise**2 + level_part) / np.abs(crossing.slope)
    onset_s = np.where(reached, crossing.time_s, np.nan)
    if parameters.fraction == HALF:
        onset_s = onset_s - blur_delay_s(
            onset_s,
            crossing.slope,
            rise,
            psf_sigma_px=parameters.psf_sigma_px or 0.0,
            smoothing_px=parameters.smoothing_px or 0.0,
            falls=falls,
        )
        onset_s = np.clip(onset_s, *window_s)
    return OnsetMap(
        onset_s=onset_s.astype(np.float32),
        onset_sd_s=np.where(reached & np.isfinite(sd), sd, np.nan).astype(np.float32),
        amplitude=np.where(valid, rise / np.log(10), np.nan).astype(np.float32),
        reason=reason,
        start_s=window_s[0],
        end_s=window_s[1],
        polarity="darkens" if falls else "brightens",
        parameters=parameters,
    )


def _already_there(levels: _Levels, reached: BoolArray, valid: BoolArray) -> BoolArray:
    """Pixels that start beyond the level at which their surroundings cross."""
    if not reached.any():
        return np.zeros_like(valid)
    sigma = max(valid.shape) / 8
    around = ndimage.gaussian_filter(reached.astype(np.float32), sigma)
    level = ndimage.gaussian_filter(np.where(reached, levels.threshold, 0), sigma)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = level / around
    return np.asarray(valid & ~reached & (around > 1e-6) & (levels.base >= level))


def alloyed_fraction(onset: OnsetMap, times_s: FloatArray) -> FloatArray:
    """(T,) share of the field (all but what lies outside) alloyed at each time, 0 to 1."""
    field = int((onset.reason != OnsetReason.OUTSIDE).sum())
    before = int((onset.reason == OnsetReason.BEFORE).sum())
    reached = np.sort(onset.onset_s[onset.reached])
    if not field:
        return np.full(len(times_s), np.nan)
    return np.asarray((before + np.searchsorted(reached, times_s, side="right")) / field)


def onset_summary(maps: Mapping[Stage, OnsetMap]) -> pd.DataFrame:
    """The table `onset_summary`: a row a map."""
    rows: list[dict[str, Any]] = []
    for stage, onset in maps.items():
        reached = onset.onset_s[onset.reached]
        p05, median, p95 = (
            np.percentile(reached, [5, 50, 95]) if reached.size else (np.nan, np.nan, np.nan)
        )
        sd = onset.onset_sd_s[np.isfinite(onset.onset_sd_s)]
        count = {r: int((onset.reason == r).sum()) for r in OnsetReason}
        field = onset.reason.size - count[OnsetReason.OUTSIDE]
        rows.append(
            {
                "cycle": stage.cycle,
                "stage": stage.name,
                "n_px": field,
                "reached_fraction": reached.size / field if field else np.nan,
                "median_s": median,
                "p05_s": p05,
                "p95_s": p95,
                "median_sd_s": float(np.median(sd)) if sd.size else np.nan,
                "before": count[OnsetReason.BEFORE],
                "never": count[OnsetReason.NEVER],
                "within_noise": count[OnsetReason.WITHIN_NOISE],
                "outside": count[OnsetReason.OUTSIDE],
            }
        )
    return conform("onset_summary", pd.DataFrame(rows))
