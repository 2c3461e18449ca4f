"""The clock of the cycler against that of the recording, from what happens in both."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stage_detection import detect_stages

WITHIN_S = 300.0
"""Largest offset that is looked for."""
REACH = 0.01
"""How far two moments may lie apart to be one, as a share of the recording's length."""
LEAST_REACH_S, MOST_REACH_S = 3.0, 8.0
LEAST_MATCHES = 3


def suggest_clock_offset(
    potential: PotentialCurve, times_s: FloatArray, signal: FloatArray
) -> tuple[float, float]:
    """Cycler time minus recording time for which most steps of both coincide.

    Bounds of stages in the potential and its current are matched with those in the mean signal,
    each found on its own. Every pairing of two moments proposes an offset; that with most
    matches and, among equals, the least residual is taken and refined to the median of its
    matches.

    Parameters
    ----------
    potential : PotentialCurve
        Its own `clock_offset_s` plays no part.
    times_s, signal : numpy.ndarray
        (T,) seconds and the field's mean absorbance, relative reflectance or counts.

    Returns
    -------
    offset_s, residual_s : float
        The offset, and the root mean square by which the matched moments still differ.

    Raises
    ------
    AlloyError
        If fewer than three moments of both can be matched within 300 s.
    """
    cycler = _moments(dataclasses.replace(potential, clock_offset_s=0.0), None, None)
    picture = _moments(None, times_s, signal)
    proposals = (cycler[:, np.newaxis] - picture).ravel()
    proposals = proposals[np.abs(proposals) <= WITHIN_S]
    reach_s = float(np.clip(REACH * np.ptp(times_s), LEAST_REACH_S, MOST_REACH_S))
    best: FloatArray = np.empty(0)
    best_rank = (LEAST_MATCHES - 1, -math.inf)
    for proposal in proposals:
        matched = _matched(cycler, picture, float(proposal), reach_s)
        rank = (len(matched), -_spread(matched))
        if rank > best_rank:
            best, best_rank = matched, rank
    if not best.size:
        raise AlloyError(
            "Fewer than three steps of the picture have a counterpart in the potential within "
            f"{WITHIN_S:g} s; set the clock offset by hand or by two points."
        )
    return float(np.median(best)), _spread(best)


def _moments(
    potential: PotentialCurve | None, times_s: FloatArray | None, signal: FloatArray | None
) -> FloatArray:
    """(N,) times at which a stage starts or ends, without the recording's own ends."""
    stages = detect_stages(potential, times_s, signal)
    moments = np.unique([t for s in stages for t in (s.start_s, s.end_s)])
    if times_s is not None:
        moments = moments[(moments > times_s[0]) & (moments < times_s[-1])]
    return moments


def _matched(
    cycler: FloatArray, picture: FloatArray, offset_s: float, reach_s: float
) -> FloatArray:
    """(M,) offsets of the moments that coincide, each with its nearest and used once."""
    apart = np.abs(cycler[:, np.newaxis] - picture - offset_s)
    nearest = apart.argmin(axis=0)
    mutual = (apart.argmin(axis=1)[nearest] == np.arange(len(picture))) & (
        apart.min(axis=0) <= reach_s
    )
    return np.asarray(cycler[nearest[mutual]] - picture[mutual])


def _spread(offsets: FloatArray) -> float:
    """Root mean square about the median; infinite for none."""
    if not offsets.size:
        return math.inf
    return float(np.sqrt(np.mean((offsets - np.median(offsets)) ** 2)))
