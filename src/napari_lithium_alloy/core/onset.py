"""Onset-time map: when each pixel alloyed, in seconds.

Absorbance crosses a fraction f of its rise where dark-subtracted counts cross
base^(1-f) * top^f, so counts are compared with one threshold image, and logarithms are taken only
in the few frames around each pixel's crossing; no stack of absorbances is ever held. They are
taken of the light and not of its mean over pixels, because smoothing counts across a front delays
where its absorbance seems to cross (as the point spread does, which is corrected where it is
known).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset_delay import Estimate
from napari_lithium_alloy.core.onset_exact import exact
from napari_lithium_alloy.core.onset_fit import fitted
from napari_lithium_alloy.core.onset_light import OwnFrames, measured_levels, window_light
from napari_lithium_alloy.core.onset_lines import as_they_are, chosen_in_time
from napari_lithium_alloy.core.onset_parameters import HALF, OnsetParameters
from napari_lithium_alloy.core.onset_result import (
    OnsetMap,
    OnsetReason,
    Polarity,
    alloyed_fraction,
    onset_summary,
)
from napari_lithium_alloy.core.onset_scene import Scene, scene_of
from napari_lithium_alloy.core.photometry import Float32Array, dark_level
from napari_lithium_alloy.core.pixelwise import pixelwise, pixelwise_several
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.smoothing import (
    median_of,
    noise_left,
    smooth_within,
    some_of,
    wide_mean,
)

__all__ = [
    "HALF",
    "LEAST_FRAMES",
    "OnsetMap",
    "OnsetParameters",
    "OnsetReason",
    "Polarity",
    "alloyed_fraction",
    "onset_map",
    "onset_summary",
]

LEAST_FRAMES = 4
"""Of a stage that can have an onset map."""


def onset_map(
    recording: Recording,
    start_s: float,
    end_s: float,
    parameters: OnsetParameters | None = None,
    *,
    dark: float | FloatArray | None = None,
    darkens: bool = True,
    valid: BoolArray | None = None,
    own: OwnFrames | None = None,
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
    own : OwnFrames, optional
        Frames of each pixel that belong to the stage, as `onset_maps` finds them beside
        neighbouring steps; None: those from start_s to end_s everywhere.

    Raises
    ------
    AlloyError
        If fewer than four frames lie in the range, or no pixel is valid.

    References
    ----------
    Mao et al., Chem. Sci. 2024, 15, 3192 (DOI 10.1039/d3sc05021a), Figs. 1C, 2A and 2B.
    """
    parameters = parameters or OnsetParameters()
    frames = stage_frames(recording, start_s, end_s)
    valid = np.ones(recording.field_shape, dtype=bool) if valid is None else valid
    check_field(recording, valid)
    falls = counts_fall(recording, parameters, darkens)
    level = dark_level(recording) if dark is None else dark
    seen = frames if own is None else np.arange(own.span[0].min(), own.span[1].max())
    reading = window_light(recording, seen, dark=level, falls=falls, valid=valid)
    light = yield from part(reading, 0, 100, 300)
    scene = scene_of(
        light,
        measured_levels(recording, frames, light, parameters.level_frames, own),
        parameters,
        own,
    )
    chosen, width = yield from part(chosen_in_time(scene), 100, 150, 300)
    psf_px = parameters.psf_sigma_px or 0.0
    work = (
        exact(scene, psf_px)
        if as_they_are(chosen)
        else fitted(replace(scene, parameters=chosen), width, psf_px)
    )
    smoothing, estimate = yield from part(work, 150, 300, 300)
    chosen = replace(chosen, smoothing_px=smoothing)
    found = _classified(scene, chosen, estimate, (start_s, end_s), recording.times_s[seen])
    if own is not None:
        _forget(found, own.unclear & valid)
    return found


def _forget(onset: OnsetMap, unclear: BoolArray) -> None:
    """Take out the pixels in which neighbouring steps could not be told apart."""
    onset.reason[unclear] = OnsetReason.NOT_TOLD_APART
    onset.onset_s[unclear] = np.nan
    onset.onset_sd_s[unclear] = np.nan
    onset.rise_time_s[unclear] = np.nan


def check_field(recording: Recording, valid: BoolArray | None) -> None:
    """Raise AlloyError if no pixel is valid."""
    if valid is not None and not valid.any():
        raise AlloyError(
            f"For an onset map no pixel of {recording.name} shows film; choose a larger field."
        )


def stage_frames(recording: Recording, start_s: float, end_s: float) -> IntArray:
    """Indices of a stage's frames, or an AlloyError if they are too few for an onset map."""
    frames = recording.frames_between(start_s, end_s)
    if len(frames) < LEAST_FRAMES:
        raise AlloyError(
            f"{recording.name}: {len(frames)} frames lie between {start_s:g} and {end_s:g} s; "
            f"an onset map needs at least {LEAST_FRAMES}, choose a longer stage."
        )
    return frames


def counts_fall(recording: Recording, parameters: OnsetParameters, darkens: bool) -> bool:
    """Whether counts fall where lithium comes in, or leaves."""
    if parameters.polarity != "auto":
        return parameters.polarity == "darkens"
    return darkens != (recording.mode == "epi")


def _classified(
    scene: Scene,
    parameters: OnsetParameters,
    estimate: Estimate,
    stage_s: tuple[float, float],
    times_s: FloatArray,
) -> OnsetMap:
    valid, levels = scene.light.valid, scene.levels
    px = parameters.smoothing_px or 0.0
    rise = smooth_within(pixelwise(np.subtract, levels.top, levels.base), valid, px)
    rise_noise = levels.noise * noise_left(px) * np.sqrt(2 / levels.n_frames)
    least = parameters.min_snr * rise_noise
    significant = pixelwise(lambda r, v: v & (r > 0) & (r >= least), rise, valid, dtype=np.bool_)
    sample = some_of(rise, significant)
    least = parameters.min_rise_fraction * (median_of(sample) if sample.size else 0.0)

    def sort(
        time: FloatArray, rise: Float32Array, significant: BoolArray, *bounds: FloatArray
    ) -> tuple[BoolArray, NDArray[np.uint8]]:
        enough = significant & (rise >= least)
        with np.errstate(invalid="ignore"):
            early = enough & (time <= bounds[0])
            reached = enough & (time > bounds[0]) & (time <= bounds[1])
        reason = np.where(significant, OnsetReason.NEVER, OnsetReason.WITHIN_NOISE)
        reason[early] = OnsetReason.BEFORE
        reason[reached] = OnsetReason.REACHED
        return reached, reason

    reached, reason = pixelwise_several(
        sort, *(estimate.time, rise, significant, scene.earliest, scene.latest),
        dtypes=(np.bool_, np.uint8),
    )  # fmt: skip
    reason[_already_there(scene, px, reached)] = OnsetReason.BEFORE
    reason[~valid] = OnsetReason.OUTSIDE
    bounds = min(stage_s[0], times_s[0]), max(stage_s[1], times_s[-1])

    def known(
        time: FloatArray, delay: Float32Array, sd: Float32Array, rise_time: Float32Array,
        reached: BoolArray,
    ) -> tuple[FloatArray, ...]:  # fmt: skip
        onset = np.clip(times_s[0] + (time - delay), *bounds)
        values = onset, np.where(np.isfinite(sd), sd, np.nan), rise_time
        return tuple(np.where(reached, value, np.nan) for value in values)

    onset_s, onset_sd_s, rise_time_s = pixelwise_several(
        known, *(estimate.time, estimate.delay, estimate.sd, estimate.rise_time, reached),
        dtypes=(np.float32,) * 3,
    )  # fmt: skip
    return OnsetMap(
        onset_s=onset_s,
        onset_sd_s=onset_sd_s,
        rise_time_s=rise_time_s,
        amplitude=pixelwise(lambda r, v: np.where(v, r / np.log(10), np.nan), rise, valid),
        amplitude_noise=float(rise_noise / np.log(10)),
        reason=reason,
        start_s=stage_s[0],
        end_s=stage_s[1],
        polarity="darkens" if scene.light.falls else "brightens",
        parameters=parameters,
    )


def _already_there(scene: Scene, px: float, reached: BoolArray) -> BoolArray:
    """Pixels that start beyond the level at which their surroundings, else the field, cross."""
    valid = scene.light.valid
    missing = valid & ~reached
    if not reached.any() or not missing.any():
        return np.zeros_like(valid)
    sigma = max(valid.shape) / 8
    cell = max(1, int(sigma // 4))
    level = wide_mean(scene.threshold, reached, sigma, cell)
    far = median_of(some_of(scene.threshold, reached))
    base = smooth_within(scene.levels.base, valid, px)
    return np.asarray(missing & (base >= np.where(np.isfinite(level), level, far)))
