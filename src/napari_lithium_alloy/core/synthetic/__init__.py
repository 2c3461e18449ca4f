"""Recordings with known truth: every ingredient planted, seeded and switchable."""

from napari_lithium_alloy.core.synthetic.make import Synthetic, make_recording
from napari_lithium_alloy.core.synthetic.parameters import (
    PlantedCamera,
    PlantedDisturbances,
    PlantedEpi,
    PlantedFilm,
    PlantedPores,
    PlantedPotential,
    PlantedSites,
    PlantedStep,
    PlantedTiming,
    SyntheticParameters,
)
from napari_lithium_alloy.core.synthetic.presets import ag_parameters, au_parameters
from napari_lithium_alloy.core.synthetic.truth import Truth

__all__ = [
    "PlantedCamera",
    "PlantedDisturbances",
    "PlantedEpi",
    "PlantedFilm",
    "PlantedPores",
    "PlantedPotential",
    "PlantedSites",
    "PlantedStep",
    "PlantedTiming",
    "Synthetic",
    "SyntheticParameters",
    "Truth",
    "ag_parameters",
    "au_parameters",
    "make_recording",
]
