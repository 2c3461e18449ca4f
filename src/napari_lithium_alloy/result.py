"""Everything an analysis of one recording found, and writing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from napari_lithium_alloy.config import AnalysisConfig
from napari_lithium_alloy.core.correction import Correction
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.frame_quality import FrameSums
from napari_lithium_alloy.core.front_speed import FrontMap
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.photometry import Float32Array, Reference
from napari_lithium_alloy.core.pore_edits import PoreEdit
from napari_lithium_alloy.core.pore_tracking import PoreTracks
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import BoolArray, Recording, Region
from napari_lithium_alloy.core.site_detection import SiteCandidates
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.core.tables import conform, empty
from napari_lithium_alloy.io.recording_file import inputs_of
from napari_lithium_alloy.io.results import write_results

KeepSites = Callable[[int, pd.DataFrame], pd.DataFrame]
Tables = dict[str, pd.DataFrame]
"""By the names of `core.tables`."""


@dataclass(eq=False, kw_only=True)
class AnalysisResult:
    """Everything an analysis found.

    Attributes
    ----------
    experiment, recording, config, reference
        What it was made from; the experiment with the stages found where none were given, the
        recording with its corrections taken out.
    as_read : Recording
        The recording as it was read.
    frame_sums : FrameSums
        Of its frames; made with the first work that reads all of them.
    correction : Correction
    film : numpy.ndarray
        (Y, X) True where there is film that every frame shows.
    regions : list of Region
        Regions of the curves.
    tables : dict of str to pandas.DataFrame
        By the names of `core.tables`.
    onset_maps : dict of str to OnsetMap
        By stage key, such as cycle1_step1.
    front_maps : dict of str to FrontMap
        Speed and direction of their fronts, by the same keys; none without a pixel size.
    site_candidates : dict of str to SiteCandidates
        What may be sites, by the key of the deposition.
    pore_tracks : PoreTracks or None
    pore_edits : tuple of PoreEdit
        Corrections of pores by hand that were made.
    keep_sites : callable or None
        What was done by hand to the sites.
    notes : list of str
        What the user should know, a sentence each.
    provenance : list of Step
    texts : dict
        Of long tables that don't change any more, by their names: the table, and its text.
    """

    experiment: Experiment
    recording: Recording
    config: AnalysisConfig
    as_read: Recording
    frame_sums: FrameSums
    correction: Correction
    reference: Reference
    film: BoolArray
    regions: list[Region] = field(default_factory=list)
    tables: Tables = field(default_factory=dict)
    onset_maps: dict[str, OnsetMap] = field(default_factory=dict)
    front_maps: dict[str, FrontMap] = field(default_factory=dict)
    site_candidates: dict[str, SiteCandidates] = field(default_factory=dict)
    pore_tracks: PoreTracks | None = None
    pore_edits: tuple[PoreEdit, ...] = ()
    keep_sites: KeepSites | None = None
    notes: list[str] = field(default_factory=list)
    provenance: list[Step] = field(default_factory=list)
    texts: dict[str, tuple[pd.DataFrame, str]] = field(default_factory=dict)

    def did(self, name: str, *parameters: Any, **more: Any) -> None:
        """Add a step to the provenance."""
        self.provenance.append(Step.of(name, *parameters, **more))

    def append(self, name: str, table: pd.DataFrame) -> None:
        """Put a table's rows after those that are there."""
        filled = [t for t in (self.tables.get(name, empty(name)), table) if len(t)]
        whole = pd.concat(filled, ignore_index=True) if filled else empty(name)
        self.tables[name] = conform(name, whole)


def alloying_maps(result: AnalysisResult) -> dict[str, OnsetMap]:
    """Onset maps of the alloying steps, in order."""
    stages = stages_of(result.experiment.stages, StageKind.ALLOYING)
    return {s.key: result.onset_maps[s.key] for s in stages if s.key in result.onset_maps}


def write_result(
    result: AnalysisResult,
    out: Path,
    *,
    overwrite: bool = False,
    hashes: Mapping[Path, str] | None = None,
    room: Path | None = None,
) -> list[Path]:
    """Write all tables, onset and front maps and provenance.json into a folder; their paths.

    `hashes` and `room` are as of `write_results`.

    Raises
    ------
    AlloyError
        If the folder holds results and `overwrite` is not set, or cannot be written.
    """
    maps: dict[str, Float32Array] = {}
    for key, onset in result.onset_maps.items():
        maps[f"onset_{key}"] = onset.onset_s
        maps[f"onset_sd_{key}"] = onset.onset_sd_s
        maps[f"rise_time_{key}"] = onset.rise_time_s
    for key, front in result.front_maps.items():
        maps[f"front_speed_{key}"] = front.speed_um_s
        maps[f"front_speed_sd_{key}"] = front.speed_sd_um_s
        maps[f"front_direction_{key}"] = front.direction_rad
    made = result.texts.items()
    texts = {n: text for n, (table, text) in made if result.tables.get(n) is table}
    return write_results(
        out,
        result.tables,
        maps,
        steps=result.provenance,
        inputs=inputs_of(result.experiment),
        pixel_size_um=result.recording.pixel_size_um,
        overwrite=overwrite,
        hashes=hashes,
        room=room,
        texts=texts,
    )
