"""A recording as the analysis measures it: what is wrong with its frames taken out."""

from __future__ import annotations

from napari_lithium_alloy.config import AnalysisConfig, config_of
from napari_lithium_alloy.core.correction import Correction, corrected
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.frame_quality import clipping_level
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import Recording


def measured_correction(
    experiment: Experiment, recording: Recording, config: AnalysisConfig
) -> Work[Correction]:
    """What is wrong with a recording's frames, with what else is known of the experiment."""
    potential = experiment.potential
    return measure_correction(
        recording,
        config.correction,
        regions=experiment.regions,
        current_starts_s=experiment.current_starts_s(),
        switches_s=() if potential is None else potential.switches_s().tolist(),
    )


def steadied(experiment: Experiment, recording: Recording) -> Work[Recording]:
    """A recording as the analysis measures it: what is wrong with its frames taken out."""
    if recording.corrections:
        return recording
    config = config_of(experiment, recording)
    as_read, _ = as_measured(recording, config)
    correction = yield from measured_correction(experiment, as_read, config)
    return corrected(as_read, correction)


def as_measured(recording: Recording, config: AnalysisConfig) -> tuple[Recording, list[str]]:
    """The recording with the dark level chosen and the counts at which it clips, and notes."""
    return _with_clipping(_with_dark(recording, config))


def _with_dark(recording: Recording, config: AnalysisConfig) -> Recording:
    """The recording with the dark level chosen for the analysis."""
    dark = config.normalization.dark_counts
    return recording if dark is None else recording.replace(dark_counts=dark)


def _with_clipping(recording: Recording) -> tuple[Recording, list[str]]:
    """The recording with the counts at which it clips, where the frames show them, and a note."""
    level = clipping_level(recording)
    known = recording.saturation_counts
    if level is None or (known is not None and level >= known):
        return recording, []
    note = f"Pixels of {level:g} counts are taken as clipped; else give full_well_counts."
    return recording.replace(saturation_counts=level), [note]
