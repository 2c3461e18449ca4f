"""Where a step has and has not alloyed at its start, middle and end, and which pairs to compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from napari_lithium_alloy.core.compared_maps import LEAST_PIXELS
from napari_lithium_alloy.core.complementarity import ComplementarityParameters
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap, OnsetReason
from napari_lithium_alloy.core.order_statistics import median_of, quantiles_of
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.row_blocks import in_order

UNIFORM_SPREAD = 3.0
"""Onset spread, in units of its uncertainty, under which a step is called uniform."""
SURELY_SIGMAS = 3.0
SAMPLED_ROWS, CLEARLY = 128, 2.0
"""A sample of rows is enough where its spread is so many times more or less than that."""
MOMENTS = ("start", "middle", "end")
Pair = tuple[str, str]


def progress_at(parameters: ComplementarityParameters, moment: str) -> float:
    """Share of the alloyed area that is a step's start, middle or end."""
    shares = (parameters.start_progress, parameters.progress, parameters.end_progress)
    return dict(zip(MOMENTS, shares, strict=True))[moment]


def time_at_progress(onset: OnsetMap, progress: float) -> float:
    """Time when a share of the area that alloys in a step is alloyed, seconds; NaN without any.

    Raises
    ------
    AlloyError
        If the share does not lie between 0 and 1.
    """
    _check_progress(progress)
    times = onset.onset_s[onset.reached]
    return float(np.quantile(times, progress)) if times.size else float("nan")


def alloyed_image(onset: OnsetMap, progress: float) -> Float32Array:
    """(Y, X) float32: 1 where alloyed once a share `progress` of the area is, 0 where not yet.

    Pixels that had alloyed before the step are 1, those that never do 0: also those whose rise is
    within the noise, where half of a typical rise would not be. NaN where it is not known.
    """
    return alloyed_images(onset, [progress])[0]


def alloyed_images(onset: OnsetMap, progresses: Sequence[float]) -> list[Float32Array]:
    """The same at several shares."""
    reached = onset.reached
    times = onset.onset_s[reached]
    base = np.full(onset.onset_s.shape, np.nan, dtype=np.float32)
    if not times.size:
        return [base.copy() for _ in progresses]
    base[onset.reason == OnsetReason.BEFORE] = 1
    base[onset.reason == OnsetReason.NEVER] = 0
    most = onset.amplitude + SURELY_SIGMAS * onset.amplitude_noise
    with np.errstate(invalid="ignore"):
        still = most < np.float32(median_of(onset.amplitude[reached])) / 2
    base[(onset.reason == OnsetReason.WITHIN_NOISE) & still] = 0
    for progress in progresses:
        _check_progress(progress)
    return [
        np.where(reached, onset.onset_s <= at_s, base) for at_s in quantiles_of(times, progresses)
    ]


def _check_progress(progress: float) -> None:
    if not 0 < progress < 1:
        raise AlloyError(f"The progress is {progress:g}; give one between 0 and 1, such as 0.5.")


def is_uniform(onset: OnsetMap) -> bool:
    """Whether the onset's spread is under three times its uncertainty."""
    few = len(onset.onset_s) // SAMPLED_ROWS
    if few > 1:
        told = _spread_in_sd(onset, slice(None, None, few))
        if told < UNIFORM_SPREAD / CLEARLY or told > UNIFORM_SPREAD * CLEARLY:
            return told < UNIFORM_SPREAD
    return not _spread_in_sd(onset, slice(None)) >= UNIFORM_SPREAD


def _spread_in_sd(onset: OnsetMap, rows: slice) -> float:
    """Onset spread of some rows in units of its uncertainty; NaN where they hold too few."""
    times = onset.onset_s[rows][onset.reason[rows] == OnsetReason.REACHED]
    sd = onset.onset_sd_s[rows]
    sd = sd[np.isfinite(sd)]
    if times.size < LEAST_PIXELS or not sd.size:
        return math.nan
    spread = 0.7413 * np.subtract(*np.percentile(times, [75, 25]))
    return float(spread / np.median(sd)) if np.median(sd) > 0 else math.inf


def stage_images(
    maps: Mapping[str, OnsetMap], parameters: ComplementarityParameters | None = None
) -> dict[str, Float32Array]:
    """Alloyed and unalloyed regions of each step, and its onset (S1s, S1m, ... of Fig. 2C).

    Their names are those of the table: cycle1_step1_alloyed_start, ..., _unalloyed_end,
    cycle1_step1_onset.
    """
    parameters = parameters or ComplementarityParameters()
    shares = [progress_at(parameters, moment) for moment in MOMENTS]
    images: dict[str, Float32Array] = {}

    def regions(onset: OnsetMap) -> list[tuple[Float32Array, Float32Array]]:
        return [(alloyed, 1 - alloyed) for alloyed in alloyed_images(onset, shares)]

    for (key, onset), own in zip(maps.items(), in_order(regions, maps.values()), strict=True):
        for moment, (alloyed, unalloyed) in zip(MOMENTS, own, strict=True):
            images[f"{key}_alloyed_{moment}"] = alloyed
            images[f"{key}_unalloyed_{moment}"] = unalloyed
        images[f"{key}_onset"] = onset.onset_s
    return images


def cycle_of(name: str) -> str:
    """The cycle an image belongs to: cycle1."""
    return name.split("_")[0]


def step_pairs(maps: Mapping[str, OnsetMap]) -> list[Pair]:
    """Every two steps of a cycle, in every way that says something of its own.

    Their onsets; the unalloyed regions of the earlier with the alloyed ones of the later step at
    every two moments (Fig. 2C, S1m & S2m); both unalloyed and both alloyed at the same moment
    (Fig. 5C).
    """
    pairs: list[Pair] = []
    for first, second in combinations(maps, 2):
        if cycle_of(first) != cycle_of(second):
            continue
        pairs.append((f"{first}_onset", f"{second}_onset"))
        pairs += [
            (f"{first}_unalloyed_{one}", f"{second}_alloyed_{other}")
            for one in MOMENTS
            for other in MOMENTS
        ]
        pairs += [
            (f"{first}_{region}_{moment}", f"{second}_{region}_{moment}")
            for moment in MOMENTS
            for region in ("unalloyed", "alloyed")
        ]
    return pairs


def spot_pairs(maps: Mapping[str, OnsetMap], spots: Sequence[str]) -> list[Pair]:
    """Each step's regions with sites and pores of its cycle, and those with each other."""
    pairs = [
        (f"{key}_{region}_{moment}", name)
        for name in spots
        for key in maps
        if cycle_of(key) == cycle_of(name)
        for moment in MOMENTS
        for region in ("unalloyed", "alloyed")
    ]
    return pairs + [(a, b) for a, b in combinations(spots, 2) if cycle_of(a) == cycle_of(b)]
