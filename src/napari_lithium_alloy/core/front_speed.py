"""Speed and direction of fronts: the gradient of an onset map, regularised.

A front that passes a place at the time t(y, x) moves along the gradient of t, at the speed
1/|grad t|. The gradient is that of local fits of third order: a Gaussian window of standard
deviation w, whose own flattening of curved fronts, w^2/2 times the Laplacian, is given back.
Noise adds to |grad t|^2 on average what it adds to its variance, which is taken out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.front_gradient import (
    Gradient,
    filled,
    gradient_of,
    meeting,
    share_of_window,
)
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.order_statistics import quantiles_within
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise, pixelwise_several
from napari_lithium_alloy.core.recording import BoolArray
from napari_lithium_alloy.core.smoothing import SAMPLED_ROWS, some_of
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.tables import conform

LEAST_WINDOW_PX = 1.0
FIRST_WINDOW_PX = 2.0
MOST_CHOICES = 4
"""Of a window: each look at the noise in the last one tells the next."""
MOST_PATHS = 0.6
"""Widest window asked for by coarse frames, in units of a front's path in a frame interval."""
KNOWN_SHARE = 0.95
"""Of a window's weight, on known pixels, with which it counts as full."""
LEAST_SIDE_PX = 3
"""Of a field in which there is a gradient."""


class FrontReason(IntEnum):
    """Why a pixel has or has not a front speed."""

    RESOLVED = 0
    NO_ONSET = 1
    WINDOW = 2
    MEETING = 3
    FLAT = 4

    @property
    def text(self) -> str:
        """Words for people."""
        return _REASON_TEXTS[self]


_REASON_TEXTS = {
    FrontReason.RESOLVED: "resolved",
    FrontReason.NO_ONSET: "no onset",
    FrontReason.WINDOW: "window not full",
    FrontReason.MEETING: "fronts meet or start",
    FrontReason.FLAT: "flat within noise",
}


@dataclass(frozen=True, kw_only=True)
class FrontParameters:
    """How the speed of fronts is told.

    Attributes
    ----------
    window_px : float or None
        Standard deviation of the Gaussian window of the local fits, pixels; None: chosen so that
        a typical speed is as sure as `wanted_sd`.
    wanted_sd : float
        Standard deviation of a typical speed in units of it.
    most_window_px : float
        Widest window that is chosen.
    min_snr : float
        Smallest gradient in units of its standard deviation.

    Raises
    ------
    AlloyError
        If a value is not positive.
    """

    window_px: float | None = None
    wanted_sd: float = 0.1
    most_window_px: float = 16.0
    min_snr: float = 3.0

    def __post_init__(self) -> None:
        for name in ("window_px", "wanted_sd", "most_window_px", "min_snr"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise AlloyError(f"The front's {name} is {value:g}; give a positive one.")


@dataclass(frozen=True, eq=False, kw_only=True)
class FrontMap:
    """How fast and where to the front moves as it passes each pixel.

    Attributes
    ----------
    speed_um_s, speed_sd_um_s : numpy.ndarray
        (Y, X) float32 speed and its standard deviation, um/s, NaN where not resolved.
    direction_rad : numpy.ndarray
        (Y, X) float32 direction of motion: 0 to the right (x), pi/2 down (y), -pi to pi.
    reason : numpy.ndarray
        (Y, X) uint8, a `FrontReason`.
    parameters : FrontParameters
        With the window that was chosen.
    """

    speed_um_s: Float32Array
    speed_sd_um_s: Float32Array
    direction_rad: Float32Array
    reason: NDArray[np.uint8]
    parameters: FrontParameters

    @property
    def resolved(self) -> BoolArray:
        """(Y, X) True where there is a speed."""
        return np.asarray(self.reason == FrontReason.RESOLVED)

    @property
    def direction_sd_rad(self) -> Float32Array:
        """(Y, X) float32 standard deviation of the direction: across as sure as along."""
        return self.speed_sd_um_s / self.speed_um_s

    @property
    def window_px(self) -> float:
        """Standard deviation of the window, pixels."""
        return self.parameters.window_px or 0.0

    def reasons(self) -> dict[str, int]:
        """Number of pixels for each reason, by its words."""
        return {r.text: int(np.count_nonzero(self.reason == r)) for r in FrontReason}

    def summary(self) -> dict[str, float]:
        """Median and quartiles in um/s, and the resolved share of the pixels with an onset."""
        n_known, (p25, median, p75) = quantiles_within(self.speed_um_s, [0.25, 0.5, 0.75])
        with_onset = int(np.count_nonzero(self.reason != FrontReason.NO_ONSET))
        return {
            "front_speed_median_um_s": median,
            "front_speed_p25_um_s": p25,
            "front_speed_p75_um_s": p75,
            "front_resolved_fraction": n_known / with_onset if with_onset else math.nan,
        }


def front_map(
    onset: OnsetMap,
    pixel_size_um: float,
    parameters: FrontParameters | None = None,
    *,
    frame_interval_s: float = 0.0,
) -> FrontMap:
    """Speed and direction of the fronts of an onset map.

    Parameters
    ----------
    onset : OnsetMap
    pixel_size_um : float
    parameters : FrontParameters, optional
    frame_interval_s : float
        Onsets between the same two frames err together, so a chosen window averages over up to
        0.6 of a front's path in this time. 0: not known.

    Returns
    -------
    FrontMap
        Pixels that are not resolved say why: no onset, a window that reaches over the field's
        edge or unknown pixels, fronts that meet or start within it, or a gradient that is not
        told from noise (there a front is too fast to be timed).

    References
    ----------
    Bevington & Robinson, Data Reduction and Error Analysis, 3rd ed., sect. 3.2 (propagation);
    Cleveland & Devlin, J. Am. Stat. Assoc. 1988, 83, 596 (local regression).
    """
    parameters = parameters or FrontParameters()
    known = np.isfinite(onset.onset_s)
    sds = some_of(onset.onset_sd_s, np.isfinite(onset.onset_sd_s))
    if not sds.size or min(known.shape) < LEAST_SIDE_PX:
        return _nothing(known, parameters)
    # Of steps late in a recording, times would be much larger than their differences.
    level = np.float32(quantiles_within(onset.onset_s, [0.5])[1][0])
    gradient_at = functools.partial(
        gradient_of,
        filled(pixelwise(np.subtract, onset.onset_s, level)),
        pixelwise(np.square, filled(onset.onset_sd_s)),
        smoothing_px=onset.smoothing_px,
        psf_px=onset.parameters.psf_sigma_px or 0.0,
    )
    window = parameters.window_px
    if window is None:
        typical = float(np.median(sds)), frame_interval_s
        window = _chosen_window(gradient_at, known, parameters, typical)
    gradient = gradient_at(window)
    speed, sd, direction, reason = _speeds(
        gradient, known, window, np.float32(pixel_size_um), np.float32(parameters.min_snr)
    )
    return FrontMap(
        speed_um_s=speed,
        speed_sd_um_s=sd,
        direction_rad=direction,
        reason=reason,
        parameters=replace(parameters, window_px=window),
    )


def _speeds(
    gradient: Gradient, known: BoolArray, window: float, size_um: np.float32, min_snr: np.float32
) -> tuple[NDArray[Any], ...]:
    """Speed, its standard deviation, direction, and why there is one or none."""

    def speeds(
        y: Float32Array,
        x: Float32Array,
        bias: Float32Array,
        variance: Float32Array,
        meets: BoolArray,
        share: Float32Array,
        known: BoolArray,
    ) -> tuple[NDArray[Any], ...]:
        square = Gradient(y, x, bias, variance).square
        sd = np.sqrt(variance + bias**2)
        reason = np.where(square >= (min_snr * sd) ** 2, FrontReason.RESOLVED, FrontReason.FLAT)
        reason[meets] = FrontReason.MEETING
        reason[share < KNOWN_SHARE] = FrontReason.WINDOW
        reason[~known] = FrontReason.NO_ONSET
        resolved = reason == FrontReason.RESOLVED
        slope = np.sqrt(np.where(resolved, square, np.nan))
        speed = size_um / slope
        return speed, speed * sd / slope, np.where(resolved, np.arctan2(y, x), np.nan), reason

    return pixelwise_several(
        speeds,
        *(gradient.y, gradient.x, gradient.bias, gradient.variance),
        *(meeting(gradient, window), share_of_window(known, window), known),
        dtypes=(np.float32, np.float32, np.float32, np.uint8),
    )


def _nothing(known: BoolArray, parameters: FrontParameters) -> FrontMap:
    nothing = np.full(known.shape, np.nan, dtype=np.float32)
    return FrontMap(
        speed_um_s=nothing,
        speed_sd_um_s=nothing,
        direction_rad=nothing,
        reason=np.where(known, FrontReason.WINDOW, FrontReason.NO_ONSET).astype(np.uint8),
        parameters=parameters,
    )


def _chosen_window(
    gradient_at: Callable[..., Gradient],
    known: BoolArray,
    parameters: FrontParameters,
    frames: tuple[float, float],
) -> float:
    """The narrowest window with which a typical speed is as sure as wanted.

    `frames`: a typical onset's standard deviation and the frame interval, seconds.
    """
    sd, interval = frames
    paths = _least_paths(sd / interval, parameters.wanted_sd) if interval else 0.0
    most = max(LEAST_WINDOW_PX, min(parameters.most_window_px, min(known.shape) / 8))
    window: float = min(FIRST_WINDOW_PX, most)
    every = max(1, len(known) // SAMPLED_ROWS)
    every = every if known[::every].any() else 1
    some = known[::every]
    for _ in range(MOST_CHOICES):
        gradient = gradient_at(window, every=every)
        noise = max(float(np.median(gradient.variance[some])), 1e-18)
        square = max(float(np.median(gradient.square[some])), noise / 4)
        wanted = window * math.sqrt(math.sqrt(noise / square) / parameters.wanted_sd)
        coarse = paths * interval / math.sqrt(square)
        chosen = float(np.clip(max(wanted, coarse), LEAST_WINDOW_PX, most))
        if abs(chosen - window) < 0.1 * window:
            break
        window = chosen
    return float(round(window, 1))


def _least_paths(sd: float, wanted_sd: float) -> float:
    """Least window for coarse frames, in units of a front's path in a frame interval.

    An error of sampling with the standard deviation `sd` (frame intervals; at most all of an
    onset's) is about a sine along the front, of one period a path, and so the slope's is
    2 pi sqrt(2) sd of the slope, less what the window averages out.
    """
    paths = np.linspace(0, MOST_PATHS, 61)
    k2 = (2 * math.pi * paths) ** 2
    left = np.exp(-k2 / 2) * (1 + k2 / 2)
    enough = 2 * math.pi * math.sqrt(2) * sd * left <= wanted_sd
    return float(paths[np.argmax(enough)]) if enough.any() else MOST_PATHS


def with_fronts(summary: pd.DataFrame, fronts: Mapping[Stage, FrontMap]) -> pd.DataFrame:
    """The table `onset_summary` with the speeds of fronts in its rows."""
    table = summary.copy()
    for stage, front in fronts.items():
        row = (table["cycle"] == stage.cycle) & (table["stage"] == stage.name)
        for column, value in front.summary().items():
            table.loc[row, column] = value
    return conform("onset_summary", table)
