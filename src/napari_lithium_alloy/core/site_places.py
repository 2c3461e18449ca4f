"""Statistics of the sites of each cycle of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from napari_lithium_alloy.core.detectability import detectability
from napari_lithium_alloy.core.nucleation import NucleationParameters, change_image
from napari_lithium_alloy.core.onset_result import OnsetMap
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.site_statistics import (
    SiteStatistics,
    SiteStatisticsParameters,
    site_statistics,
)
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of

HUNDRED = 100


def sites_and_steps(
    recording: Recording,
    stages: Iterable[Stage],
    sites: pd.DataFrame,
    maps: Mapping[str, OnsetMap],
    film: BoolArray,
    nucleation: NucleationParameters | None = None,
    parameters: SiteStatisticsParameters | None = None,
    *,
    dark: float | FloatArray | None = None,
) -> Work[list[SiteStatistics]]:
    """Statistics of the sites of each cycle with a deposition; none without a pixel size.

    Parameters
    ----------
    recording : Recording
    stages : iterable of Stage
    sites : pandas.DataFrame
        The table `sites`.
    maps : mapping of str to OnsetMap
        Onset maps of the alloying steps, by the key of their stage.
    film : numpy.ndarray
        (Y, X) True where there is film.
    nucleation : NucleationParameters, optional
        What the sites were found with.
    parameters : SiteStatisticsParameters, optional
    dark : float or array, optional
        Counts without light.
    """
    p = parameters or SiteStatisticsParameters()
    stages = list(stages)
    plating = stages_of(stages, StageKind.DEPOSITION)
    if recording.pixel_size_um is None:
        plating = []
    found = []
    for i, stage in enumerate(plating):
        own = sites[sites["cycle"] == stage.cycle]
        size = recording.pixel_size("Distances of sites")
        detectable = None
        if p.inject and len(own):
            change = change_image(recording, stage.start_s, stage.end_s, nucleation, dark=dark)
            detectable = detectability(change, own, film, size, nucleation, seed=p.seed)
        steps = stages_of(stages, StageKind.ALLOYING, cycle=stage.cycle)
        work = site_statistics(
            stage.cycle,
            own[["y_um", "x_um"]].to_numpy(float) / size,
            film,
            size,
            {s.step or 1: maps[s.key] for s in steps if s.key in maps},
            p,
            detectable=detectable,
        )
        begin = i * HUNDRED
        found.append((yield from part(work, begin, begin + HUNDRED, len(plating) * HUNDRED)))
    return found
