"""One recording of a viewer and what was found in it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.site_edits import with_source
from napari_lithium_alloy.config import AnalysisConfig
from napari_lithium_alloy.core.clock import EvenGrid, even_grid
from napari_lithium_alloy.core.correction import Correction, corrected
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.field import film_of
from napari_lithium_alloy.core.photometry import NormalizationParameters, Reference, reference_frame
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.stages import Stage, stage_at, stages_of
from napari_lithium_alloy.core.tables import empty
from napari_lithium_alloy.core.time_scale import TimeScale, time_scale

if TYPE_CHECKING:
    from napari_lithium_alloy._napari.aligning import Laid
    from napari_lithium_alloy._napari.correcting import Measured
    from napari_lithium_alloy._napari.field_signal import FieldSignal
    from napari_lithium_alloy._napari.site_work import SiteSearch
    from napari_lithium_alloy.core.front_speed import FrontMap
    from napari_lithium_alloy.core.onset import OnsetMap
    from napari_lithium_alloy.core.pore_edits import PoreEdit
    from napari_lithium_alloy.core.pore_tracking import PoreTracks
    from napari_lithium_alloy.result import AnalysisResult


@dataclass(eq=False)
class Opened:
    """One recording of a viewer and what was found in it.

    Attributes
    ----------
    experiment, as_read
        What it is; the recording is replaced when its mode, clock or pixel size is set by hand.
    config : AnalysisConfig
        Parameters of every analysis: what recording.toml says, then what was last run.
    onset_maps : dict
        Onset maps by the key of their stage (cycle1_step1) or of their time range.
    stages : dict
        The stage or range of each onset map, by the same key.
    front_maps : dict
        Speed and direction of the fronts of each onset map, by the same key; none without a
        pixel size.
    sites : pandas.DataFrame or None
        The table `sites`; `source` tells detected, added and moved ones apart.
    deleted_um : dict
        By cycle, places (y, x) of detected sites that were deleted or moved, micrometres.
    candidates : dict of int to SiteSearch
        By cycle, what the last search for sites found, down to a low threshold.
    pore_tracks : PoreTracks or None
    pore_edits : list of PoreEdit
        Corrections of pores by hand, in their order.
    tables : dict
        Results by the name of their table.
    steps : list of Step
        What was done, for exported tables.
    result : AnalysisResult or None
        The last run of the whole analysis.
    field_signal : FieldSignal or None
        The field's mean over time, as last measured.
    measured : Measured or None
        What is wrong with its frames, as last measured.
    correction : Correction or None
        What is taken out of its frames; None: they are used as they were read.
    laid : Laid or None
        On which other recording it lies, and how.
    """

    experiment: Experiment
    as_read: Recording
    config: AnalysisConfig
    onset_maps: dict[str, OnsetMap] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    front_maps: dict[str, FrontMap] = field(default_factory=dict)
    sites: pd.DataFrame | None = None
    deleted_um: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    candidates: dict[int, SiteSearch] = field(default_factory=dict)
    pore_tracks: PoreTracks | None = None
    pore_edits: list[PoreEdit] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    result: AnalysisResult | None = None
    field_signal: FieldSignal | None = None
    measured: Measured | None = None
    correction: Correction | None = None
    laid: Laid | None = None
    _steady: tuple[tuple[object, ...], Recording] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """What the docks call it."""
        return self.as_read.name

    @property
    def recording(self) -> Recording:
        """The recording all analyses work on: with its corrections taken out, if they are used."""
        if self.correction is None:
            return self.as_read
        key = (self.as_read, self.correction, self.normalization.dark_counts)
        if self._steady is None or self._steady[0] != key:
            self._steady = (key, self.corrected_by(self.correction))
        return self._steady[1]

    @property
    def affine(self) -> FloatArray:
        """(3, 3) from its own world to where it is shown, micrometres."""
        return np.eye(3) if self.laid is None else self.laid.affine_of(self)

    def corrected_by(self, correction: Correction) -> Recording:
        """Its frames with a correction taken out, lazily."""
        dark = self.normalization.dark_counts
        known = self.as_read if dark is None else self.as_read.replace(dark_counts=dark)
        return corrected(known, correction)

    @property
    def normalization(self) -> NormalizationParameters:
        """Parameters of the reference frame."""
        return self.config.normalization

    def use(self, **parameters: Any) -> None:
        """Remember the parameters an analysis was run with."""
        self.config = dataclasses.replace(self.config, **parameters)

    def film(self, reference: Reference) -> BoolArray:
        """(Y, X) True where there is film; bare glass is told in transmitted light only."""
        return film_of(self.recording, reference)

    @property
    def grid(self) -> EvenGrid:
        """The even grid on which it is shown."""
        return even_grid(self.recording.times_s)

    def reference(self) -> Reference:
        """Its reference frame under the current parameters."""
        return reference_frame(
            self.recording,
            self.normalization,
            current_starts_s=self.experiment.current_starts_s(),
        )

    def sites_of(self, cycle: int) -> pd.DataFrame:
        """Sites of a cycle."""
        sites = with_source(empty("sites")) if self.sites is None else self.sites
        return sites[sites["cycle"] == cycle].reset_index(drop=True)

    def put_sites(self, cycle: int, sites: pd.DataFrame) -> None:
        """Replace the sites of a cycle."""
        if self.sites is None:
            self.sites = sites
            return
        others = self.sites[self.sites["cycle"] != cycle]
        parts = [part for part in (others, sites) if len(part)]
        self.sites = pd.concat(parts, ignore_index=True) if parts else sites

    def scale_of(self, stage: Stage, onset: OnsetMap) -> TimeScale:
        """The unit in which the onset map of a stage is shown."""
        legend, experiment = self.config.color_code.legend, self.experiment
        return time_scale(onset, stage, legend, experiment.li_content_at)

    def did(self, step: Step) -> list[Step]:
        """Note a step in place of an earlier one of the same name and stage; what was done."""
        where = step.parameters.get("stage")
        kept = [s for s in self.steps if (s.name, s.parameters.get("stage")) != (step.name, where)]
        self.steps = [*kept, step]
        return [step]

    def describes(self, time_s: float) -> str:
        """Time, potential, Li content and stage at a time, for the canvas."""
        words = [f"t = {time_s:.1f} s"]
        experiment = self.experiment
        at = np.array([time_s])
        if experiment.potential is not None:
            potential = float(experiment.potential.potential_at(at)[0])
            if np.isfinite(potential):
                words.append(f"E = {potential:.3f} V")
            x = float(experiment.li_content_at(at)[0])
            if np.isfinite(x):
                words.append(f"x = {x:.2f}")
        stage = stage_at(stages_of(experiment.stages, *{s.kind for s in experiment.stages}), time_s)
        if stage is not None:
            done = 100 * (time_s - stage.start_s) / (stage.end_s - stage.start_s)
            words.append(f"{stage.label}, {done:.0f} %")
        return "   ".join(words)
