"""The paper's figures of single dendrites and of all discs, of one analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import spatial

from napari_lithium_alloy.core.alignment import AlignmentParameters, align_recordings
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.site_growth import PORE, SiteTimes
from napari_lithium_alloy.core.site_montage import HALF_UM, SiteMontage, site_montage
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of
from napari_lithium_alloy.io.figures.sites import dendrite_figure, growth_figure
from napari_lithium_alloy.measured import steadied
from napari_lithium_alloy.result import AnalysisResult

Drawing = tuple[str, Callable[[], Any]]
SHOWN_SITES = 5
MOST_TIMES = 24
"""Times at which trans and epi are compared: a crop bears more than a layer's error."""


def site_drawings(result: AnalysisResult) -> Iterator[Drawing]:
    """Figs. 3C, D and S16, of each cycle that has sites."""
    epi = _Epi(result)
    table = result.tables["sites"]
    for stage in stages_of(result.experiment.stages, StageKind.DEPOSITION):
        sites = table[(table["cycle"] == stage.cycle) & table["area_um2"].notna()]
        if not len(sites):
            continue
        name = f"cycle{stage.cycle}"
        yield f"dendrite_{name}", partial(_dendrite, result, epi, stage, sites)
        yield f"site_growth_{name}", partial(_growth, result, stage, sites)


def typical_sites(sites: pd.DataFrame, field_um: FloatArray, n: int = SHOWN_SITES) -> list[int]:
    """Numbers of some sites to show.

    Those that lie in the field with their surroundings, of these those that left a pore, and of
    these those farthest from any other come first.
    """
    places = sites[["y_um", "x_um"]].to_numpy(float)
    alone = np.full(len(sites), np.inf)
    if len(sites) > 1:
        alone = spatial.KDTree(places).query(places, k=2)[0][:, 1]
    inside = ((places > HALF_UM) & (places < field_um - HALF_UM)).all(axis=1)
    pore = (sites["leaves"].fillna("") == PORE).to_numpy(bool)
    order = np.lexsort((-alone, ~pore, ~inside))
    return [int(k) for k in sites["site"].to_numpy()[order[:n]]]


def _chosen(result: AnalysisResult, sites: pd.DataFrame) -> list[int]:
    size = result.recording.pixel_size("Figures of sites")
    return typical_sites(sites, size * np.array(result.recording.field_shape))


def _dendrite(result: AnalysisResult, epi: _Epi, stage: Stage, sites: pd.DataFrame) -> Any:
    number = _chosen(result, sites)[0]
    site = sites[sites["site"] == number].iloc[0]
    times = SiteTimes.of(stage, result.experiment.stages)
    end_s = times.cycle_end_s or times.gone_s or times.end_s
    start_s = times.end_s if end_s > times.end_s else times.start_s
    place = (float(site["y_um"]), float(site["x_um"]))
    rows = [
        finish(site_montage(result.recording, place, start_s, end_s, result.reference)),
        *epi.montage(place, start_s, end_s),
    ]
    return dendrite_figure(rows)


class _Epi:
    """The same field in reflected light, aligned once for all cycles."""

    def __init__(self, result: AnalysisResult) -> None:
        self.result = result

    @cached_property
    def aligned(self) -> tuple[Recording, FloatArray] | None:
        """The recording with what is wrong taken out, and (3, 3) from trans; None without one."""
        epi = self.result.experiment.by_mode("epi")
        if epi is None or self.result.recording.mode != "trans" or epi.pixel_size_um is None:
            return None
        steady = finish(steadied(self.result.experiment, epi))
        how = AlignmentParameters(most_times=MOST_TIMES)
        alignment = finish(align_recordings(self.result.recording, steady, how))
        return (steady, alignment.inverse) if alignment.same_field else None

    def montage(
        self, place_um: tuple[float, float], start_s: float, end_s: float
    ) -> list[SiteMontage]:
        """A place of the trans picture, where epi shows it in this time; else nothing."""
        if self.aligned is None:
            return []
        steady, inverse = self.aligned
        y, x = (inverse @ (*place_um, 1.0))[:2]
        rows, columns = np.array(steady.field_shape) * steady.pixel_size("Montages")
        frames = steady.frames_between(start_s, end_s)
        if not (0 <= y < rows and 0 <= x < columns and len(frames)):
            return []
        reference = reference_frame(
            steady,
            self.result.config.normalization,
            current_starts_s=self.result.experiment.current_starts_s(),
        )
        return [finish(site_montage(steady, (float(y), float(x)), start_s, end_s, reference))]


def _growth(result: AnalysisResult, stage: Stage, sites: pd.DataFrame) -> Any:
    growth = result.tables["site_growth"]
    stages = result.experiment.stages
    shown = stages_of(stages, StageKind.DEPOSITION, StageKind.DISSOLUTION, cycle=stage.cycle)
    return growth_figure(growth[growth["cycle"] == stage.cycle], _chosen(result, sites), shown)
