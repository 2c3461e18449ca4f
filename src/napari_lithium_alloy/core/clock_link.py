"""The clock of the cycler against that of the recording, from what happens in both."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import ClockLink, PotentialCurve
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.stage_detection import detect_stages
from napari_lithium_alloy.core.stages import Stage

WITHIN_S = 300.0
"""Largest offset that is looked for."""
REACH = 0.01
"""How far two moments may lie apart to be one, as a share of the recording's length."""
LEAST_REACH_S, MOST_REACH_S = 3.0, 8.0
LEAST_MATCHES = 3
REFINEMENTS = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    """When stages start or end in the potential and in the picture, each on its own clock.

    Attributes
    ----------
    cycler_s, picture_s : numpy.ndarray
        (M,) and (N,) seconds, found independently of each other.
    reach_s : float
        How far two of them may lie apart to be one.
    """

    cycler_s: FloatArray
    picture_s: FloatArray
    reach_s: float


def moments_of(
    potential: PotentialCurve,
    times_s: FloatArray,
    signal: FloatArray,
    *,
    spread: FloatArray | None = None,
) -> Moments:
    """Bounds of stages in the potential and its current, and in the mean signal.

    Parameters
    ----------
    potential : PotentialCurve
        The link of its clock plays no part.
    times_s, signal : numpy.ndarray
        (T,) seconds and the field's mean absorbance, relative reflectance or counts.
    spread : numpy.ndarray, optional
        (T,) standard deviation of the signal over the field's pixels.
    """
    unlinked = potential.linked(ClockLink())
    picture = _bounds(detect_stages(None, times_s, signal, spread=spread))
    return Moments(
        cycler_s=_bounds(detect_stages(unlinked)),
        # The recording's own ends are no bounds of a stage.
        picture_s=picture[(picture > times_s[0]) & (picture < times_s[-1])],
        reach_s=float(np.clip(REACH * np.ptp(times_s), LEAST_REACH_S, MOST_REACH_S)),
    )


def _bounds(stages: Sequence[Stage]) -> FloatArray:
    return np.unique([t for s in stages for t in (s.start_s, s.end_s)])


def suggest_clock(moments: Moments, rate: float = 1.0) -> ClockLink:
    """The link of this rate for which most moments of both coincide.

    Every pairing of two moments proposes an offset. Each match counts the more the closer it is;
    the best proposal is refined to the median of its matches until that stays.

    Raises
    ------
    AlloyError
        If fewer than three moments of both can be matched within 300 s.
    """
    proposals = (moments.cycler_s[:, np.newaxis] - rate * moments.picture_s).ravel()
    best_s, best = 0.0, 0.0
    for proposal_s in proposals[np.abs(proposals) <= WITHIN_S]:
        score = _score(_matched(moments, float(proposal_s), rate), moments.reach_s)
        if score > best:
            best_s, best = float(proposal_s), score
    if not best:
        raise AlloyError(
            "Fewer than three steps of the picture have a counterpart in the potential within "
            f"{WITHIN_S:g} s; set the clock offset by hand or by two points."
        )
    for _ in range(REFINEMENTS):
        best_s += rate * float(np.median(_matched(moments, best_s, rate)))
    return with_residual(ClockLink(offset_s=best_s, rate=rate, way="steps"), moments)


def _score(matched_s: FloatArray, reach_s: float) -> float:
    """How much matches count together, 1 each at most; 0 for too few."""
    if len(matched_s) < LEAST_MATCHES:
        return 0.0
    apart = matched_s - np.median(matched_s)
    return float(np.sum(np.maximum(1 - (apart / reach_s) ** 2, 0.0)))


def with_residual(clock: ClockLink, moments: Moments) -> ClockLink:
    """The same link with its residual: by how much moments that should coincide still differ."""
    matched = _matched(moments, clock.offset_s, clock.rate)
    enough = len(matched) >= LEAST_MATCHES
    residual_s = float(np.sqrt(np.mean(matched**2))) if enough else math.nan
    return dataclasses.replace(clock, residual_s=residual_s)


def coinciding(clock: ClockLink, moments: Moments) -> tuple[int, int]:
    """How many moments of the picture coincide with one of the potential, and out of how many."""
    return len(_matched(moments, clock.offset_s, clock.rate)), len(moments.picture_s)


def _matched(moments: Moments, offset_s: float, rate: float) -> FloatArray:
    """(M,) seconds by which the moments that coincide differ, each with its nearest, used once."""
    if not (moments.cycler_s.size and moments.picture_s.size):
        return np.empty(0)
    cycler = (moments.cycler_s - offset_s) / rate
    apart = np.abs(cycler[:, np.newaxis] - moments.picture_s)
    nearest = apart.argmin(axis=0)
    mutual = (apart.argmin(axis=1)[nearest] == np.arange(len(moments.picture_s))) & (
        apart.min(axis=0) <= moments.reach_s
    )
    return np.asarray(cycler[nearest[mutual]] - moments.picture_s[mutual])


# Points and time stamps


def clock_of_points(pairs: Sequence[tuple[float, float]], rate: float = 1.0) -> ClockLink:
    """The link on which the same moments of both clocks fall together.

    Parameters
    ----------
    pairs : sequence of (float, float)
        Cycler time and recording time of each moment, seconds. One pair gives the offset at
        `rate`; two or more give offset and rate by least squares.
    rate : float

    Raises
    ------
    AlloyError
        If the moments do not follow each other in the same order on both clocks.
    """
    cycler, picture = np.array(pairs, dtype=float).reshape(-1, 2).T
    if len(pairs) > 1:
        spread = picture - picture.mean()
        slope = float(spread @ (cycler - cycler.mean()))
        if not slope > 0:
            raise AlloyError(
                "The two pairs of points give no rate: the later moment on the potential must be "
                "the later one on the mean intensity, too; click them again."
            )
        rate = slope / float(spread @ spread)
    return ClockLink(offset_s=float((cycler - rate * picture).mean()), rate=rate, way="points")


def clock_of_stamps(potential: PotentialCurve, recording: Recording) -> tuple[ClockLink, str]:
    """The link by the absolute times in the cycler's and in the images' file, and a note on it.

    Stamps without a time zone are local: of the zone that the other one names or, where that is
    UTC, of this computer's. Where neither names one, both are of the same zone.

    Raises
    ------
    AlloyError
        If a file has no time stamp, or by theirs the two do not overlap.
    """
    picture, cycler = recording.first_frame_at, potential.started
    if picture is None or cycler is None:
        lacking = recording.source if picture is None else potential.source
        raise AlloyError(
            f"{lacking or recording.name} does not say when it was recorded; link the clocks by "
            "points or type the offset."
        )
    apart_s, note = _between(cycler, picture)
    rate = potential.clock_rate
    first_s = float(recording.times_s[0])
    clock = ClockLink(offset_s=apart_s - rate * first_s, rate=rate, way="time stamps")
    times_s = potential.linked(clock).recording_times_s
    if times_s[0] > recording.times_s[-1] or times_s[-1] < first_s:
        end = cycler + timedelta(seconds=float(potential.times_s[-1]))
        raise AlloyError(
            f"By their time stamps the potential ({cycler:%Y-%m-%d %H:%M:%S} to "
            f"{end:%Y-%m-%d %H:%M:%S}) and the images (from {picture:%Y-%m-%d %H:%M:%S}) do not "
            "overlap; check the clocks and time zones of both computers, or type the offset."
        )
    return clock, note


def _between(cycler: datetime, picture: datetime) -> tuple[float, str]:
    """Seconds from the cycler's stamp to the picture's, and what is assumed of their zones."""
    named = [stamp for stamp in (cycler, picture) if stamp.tzinfo is not None]
    if not named:
        return (picture - cycler).total_seconds(), "both stamps are taken as of one time zone"
    # Many programs write UTC wherever they run; any other zone is that of the laboratory.
    zone = named[0].tzinfo if named[0].utcoffset() else None
    if len(named) == 2:
        return (picture - cycler).total_seconds(), ""
    taken = cycler if cycler.tzinfo is None else picture
    taken = taken.replace(tzinfo=zone) if zone else taken.astimezone()
    cycler, picture = (taken, picture) if cycler.tzinfo is None else (cycler, taken)
    whose = "the other's" if zone else "this computer's"
    note = f"the stamp without a time zone is taken as of {whose} (UTC{taken:%z})"
    return (picture - cycler).total_seconds(), note


def clock_step(clock: ClockLink) -> Step:
    """The link as a step of the provenance."""
    return Step.of("link_clock", clock)
