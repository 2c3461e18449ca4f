"""Where a step has and has not alloyed at its start, middle and end, and which pairs to compare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from napari_lithium_alloy.core.compared_maps import LEAST_PIXELS
from napari_lithium_alloy.core.complementarity import ComplementarityParameters
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap, OnsetReason
from napari_lithium_alloy.core.order_statistics import quantiles_within
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise, pixelwise_several
from napari_lithium_alloy.core.recording import FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import in_order
from napari_lithium_alloy.core.smoothing import median_of, some_of

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
    for progress in progresses:
        _check_progress(progress)
    times = pixelwise(_where_reached, onset.onset_s, onset.reason)
    n, ends_s = quantiles_within(times, progresses)
    if not n:
        return [np.full_like(times, np.nan) for _ in progresses]
    least = median_of(some_of(onset.amplitude, onset.reached)) / 2

    def images(
        times: FloatArray, reason: IntArray, amplitude: FloatArray
    ) -> tuple[FloatArray, ...]:
        with np.errstate(invalid="ignore"):
            still = amplitude + SURELY_SIGMAS * onset.amplitude_noise < np.float32(least)
            none = (reason == OnsetReason.NEVER) | (reason == OnsetReason.WITHIN_NOISE) & still
            base = np.where(reason == OnsetReason.BEFORE, np.float32(1), np.float32(np.nan))
            base[none] = 0
            reached = reason == OnsetReason.REACHED
            return tuple(np.where(reached, times <= end_s, base) for end_s in ends_s)

    dtypes = (np.float32,) * len(ends_s)
    return list(pixelwise_several(images, times, onset.reason, onset.amplitude, dtypes=dtypes))


def _where_reached(onset_s: FloatArray, reason: IntArray) -> FloatArray:
    return np.where(reason == OnsetReason.REACHED, onset_s, np.float32(np.nan))


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


def alloyed_twin(name: str) -> str:
    """Name of the alloyed region whose complement an unalloyed one is; other names stay."""
    return name.replace("_unalloyed_", "_alloyed_")


class RegionImages(Mapping[str, Float32Array]):
    """Images by name, of which unalloyed regions are made when they are asked for.

    Parameters
    ----------
    kept : mapping of str to (Y, X) array
        The others; each alloyed region among them has its complement.
    """

    def __init__(self, kept: Mapping[str, Float32Array]) -> None:
        self.kept = dict(kept)
        made = [(name, name.replace("_alloyed_", "_unalloyed_")) for name in self.kept]
        self._names = [name for names in made for name in dict.fromkeys(names)]

    def __getitem__(self, name: str) -> Float32Array:
        twin = alloyed_twin(name)
        return 1 - self.kept[twin] if twin != name else self.kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __or__(self, more: Mapping[str, Float32Array]) -> RegionImages:
        """With other images."""
        return RegionImages({**self.kept, **more})


def stage_images(
    maps: Mapping[str, OnsetMap], parameters: ComplementarityParameters | None = None
) -> RegionImages:
    """Alloyed and unalloyed regions of each step, and its onset (S1s, S1m, ... of Fig. 2C).

    Their names are those of the table: cycle1_step1_alloyed_start, ..., _unalloyed_end,
    cycle1_step1_onset.
    """
    parameters = parameters or ComplementarityParameters()
    shares = [progress_at(parameters, moment) for moment in MOMENTS]
    kept: dict[str, Float32Array] = {}
    every = in_order(lambda onset: alloyed_images(onset, shares), maps.values())
    for (key, onset), own in zip(maps.items(), every, strict=True):
        for moment, alloyed in zip(MOMENTS, own, strict=True):
            kept[f"{key}_alloyed_{moment}"] = alloyed
        kept[f"{key}_onset"] = onset.onset_s
    return RegionImages(kept)


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
