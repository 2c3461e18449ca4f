"""All images of a recording that are compared with each other, and how they are paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_lithium_alloy.core.alloyed_images import (
    Pair,
    RegionImages,
    is_uniform,
    spot_pairs,
    stage_images,
    step_pairs,
)
from napari_lithium_alloy.core.complementarity import ComplementarityParameters
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.photometry import Float32Array


@dataclass(frozen=True, eq=False, kw_only=True)
class PairImages:
    """Images to compare.

    Attributes
    ----------
    images : mapping of str to (Y, X) array
        Regions and onset of each step, sites and pores, by the names of the table.
    pairs : list of (str, str)
    uniform : list of str
        Keys of the steps that alloyed uniformly.
    """

    images: RegionImages
    pairs: list[Pair]
    uniform: list[str]


def pair_images(
    maps: Mapping[str, OnsetMap],
    spots: Mapping[str, Float32Array],
    parameters: ComplementarityParameters | None = None,
) -> PairImages:
    """Every step with every later one of its cycle, and with its sites and pores.

    Parameters
    ----------
    maps : mapping of str to OnsetMap
        Of the alloying steps, in order, by key.
    spots : mapping of str to (Y, X) array
        Masks by names as cycle1_sites.
    parameters : ComplementarityParameters, optional
    """
    return PairImages(
        images=stage_images(maps, parameters) | spots,
        pairs=[*step_pairs(maps), *spot_pairs(maps, list(spots))],
        uniform=[key for key, onset in maps.items() if is_uniform(onset)],
    )
