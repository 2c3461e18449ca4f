"""What the complementarity dock compares: images chosen for A and B, the field, and the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.layers import LayerTuple, kind_of, placement
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.pair_words import time_at
from napari_lithium_alloy._napari.result_layers import (
    agreement_layer,
    local_r_layer,
    mask_layer,
    stage_name,
)
from napari_lithium_alloy.core.alloyed_images import Pair, progress_at
from napari_lithium_alloy.core.complementarity import (
    ComplementarityParameters,
    local_agreement,
    windowed_pearson,
)
from napari_lithium_alloy.core.curves import FIELD
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.pair_images import pair_images
from napari_lithium_alloy.core.pair_table import colocalization
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.placements import Placements, site_placements
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording, Region
from napari_lithium_alloy.core.spot_masks import spot_masks
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.core.tables import empty
from napari_lithium_alloy.frame_parts import pore_windows

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """What is compared, and how.

    Attributes
    ----------
    opened : Opened
    region : Region or None
        To which the comparison is limited; None: the whole field.
    parameters : ComplementarityParameters
    images : mapping of str to (Y, X) array
        Those of the user's own layers, by their names.
    """

    opened: Opened
    region: Region | None
    parameters: ComplementarityParameters
    images: Mapping[str, FloatArray]

    @property
    def where(self) -> str:
        """What the table calls the region."""
        return FIELD if self.region is None else self.region.name

    def step(self, pair: Pair | None = None) -> Step:
        """What is done, for layers and tables; without a pair: with all."""
        what = "all pairs" if pair is None else " & ".join(pair)
        stage = what if self.region is None else f"{what} in {self.region.name}"
        return Step.of("colocalization", self.parameters, stage=stage, region=self.region)


@dataclass(frozen=True, eq=False, kw_only=True)
class Compared:
    """A pair's row of the table, its maps, and the images themselves."""

    table: pd.DataFrame
    agreement: Float32Array
    local: Float32Array
    sigma_px: float
    images: Mapping[str, FloatArray]


def alloying_maps(opened: Opened) -> dict[str, OnsetMap]:
    """Onset maps of the alloying steps, in order."""
    stages = stages_of(tuple(opened.stages.values()), StageKind.ALLOYING)
    return {s.key: opened.onset_maps[s.key] for s in stages}


def steps_of(opened: Opened) -> dict[str, str]:
    """The alloying steps with an onset map, by key, and what people call them."""
    return {key: stage_name(opened.stages[key]) for key in alloying_maps(opened)}


def other_onsets(opened: Opened) -> dict[str, str]:
    """Onset maps of other stages, by their name in the table; they have no alloyed region."""
    others = [key for key in opened.onset_maps if key not in alloying_maps(opened)]
    return {f"{key}_onset": f"onset {stage_name(opened.stages[key])}" for key in others}


def own_layers(viewer: ViewerModel) -> dict[str, Layer]:
    """The user's own images (Y, X), by name."""
    return {
        layer.name: layer
        for layer in viewer.layers
        if type(layer).__name__ == "Image"
        and layer.ndim == 2
        and not (layer.rgb or layer.multiscale)
        and kind_of(layer) is None
    }


def own_images(
    viewer: ViewerModel, names: Iterable[str], recording: Recording
) -> dict[str, FloatArray]:
    """Those of some names as they are.

    Raises
    ------
    AlloyError
        If one has other pixels than the recording: another size, or it lies elsewhere.
    """
    layers = own_layers(viewer)
    chosen = [layers[name] for name in names if name in layers]
    for layer in chosen:
        if not _has_pixels_of(layer, recording):
            rows, columns = recording.field_shape
            raise AlloyError(
                f"{layer.name} has other pixels than {recording.name}; resample it to its "
                f"{rows} x {columns} pixels in the same place, then compare."
            )
    return {layer.name: np.asarray(layer.data, dtype=float) for layer in chosen}


def _has_pixels_of(layer: Layer, recording: Recording) -> bool:
    """Whether a layer lies on a recording pixel by pixel, or was added without any scale."""
    if tuple(layer.data.shape) != recording.field_shape:
        return False
    size = placement(recording, 2)["scale"]
    corners = np.array([[0, 0], [0, 1], [1, 0]], dtype=float)
    seen = np.array([layer.data_to_world(corner) for corner in corners])
    return any(np.allclose(seen, corners * scale, atol=1e-6) for scale in (size, (1.0, 1.0)))


def spots_of(opened: Opened) -> dict[str, str]:
    """Masks of sites and pores that there are, by name, and what people call them."""
    sites = empty("sites") if opened.sites is None else opened.sites
    found = {}
    if opened.recording.pixel_size_um is not None:
        cycles = sorted(set(sites["cycle"].dropna()))
        found |= {f"cycle{c}_sites": f"nucleation sites, cycle {c}" for c in cycles}
    if opened.pore_tracks is not None:
        windows = pore_windows(opened.experiment.stages)
        found |= {f"cycle{w.cycle}_pores": f"pores, end of cycle {w.cycle}" for w in windows}
    return found


def _spot_images(opened: Opened) -> dict[str, Float32Array]:
    recording = opened.recording
    sites = empty("sites") if opened.sites is None else opened.sites
    ends_s = {w.cycle: w.end_s for w in pore_windows(opened.experiment.stages)}
    shape, size = recording.field_shape, recording.pixel_size_um
    return spot_masks(sites, opened.pore_tracks, ends_s, shape, size)


def compared(comparison: Comparison, pair: Pair) -> Work[Compared]:
    """One pair with its maps.

    Raises
    ------
    AlloyError
        If there are no pores or sites.
    """
    yield 0, 4
    opened, parameters = comparison.opened, comparison.parameters
    maps = {k: m for k, m in opened.onset_maps.items() if _names(k, pair)}
    spots = _spot_images(opened) if set(pair) & set(spots_of(opened)) else {}
    found = pair_images(maps, spots, parameters)
    images = found.images | comparison.images
    for name in pair:
        if name not in images:
            raise AlloyError(f"There are no {name.split('_')[-1]} in this cycle; choose others.")
    a, b = (images[name] for name in pair)
    valid = _valid(comparison)
    table = yield from colocalization(
        images, [pair], parameters, uniform=found.uniform, valid=valid, region=comparison.where,
        placements=_placements(comparison, valid) if spots else None,
    )  # fmt: skip
    yield 2, 4
    agreement = local_agreement(a, b, parameters, valid=valid)
    yield 3, 4
    local, sigma_px = windowed_pearson(a, b, parameters, valid=valid)
    return Compared(table=table, agreement=agreement, local=local, sigma_px=sigma_px, images=images)


def all_compared(comparison: Comparison) -> Work[pd.DataFrame]:
    """Every pair of a recording, as the whole analysis compares them.

    Raises
    ------
    AlloyError
        If there are no two images to compare.
    """
    yield 0, 1
    opened, parameters = comparison.opened, comparison.parameters
    found = pair_images(alloying_maps(opened), _spot_images(opened), parameters)
    if not found.pairs:
        raise AlloyError(
            "There are no pairs yet; compute onset maps of two steps in the Temporal color code "
            "dock, or of one and find nucleation sites."
        )
    valid = _valid(comparison)
    return (
        yield from colocalization(
            found.images, found.pairs, parameters,
            uniform=found.uniform, valid=valid, region=comparison.where,
            placements=_placements(comparison, valid),
        )
    )  # fmt: skip


def _placements(comparison: Comparison, valid: BoolArray) -> dict[str, Placements]:
    """Random placements of the sites there are; none without a pixel size."""
    opened, size = comparison.opened, comparison.opened.recording.pixel_size_um
    if size is None or opened.sites is None:
        return {}
    return site_placements(opened.sites, valid, size, seed=comparison.parameters.seed)


def _names(key: str, pair: Pair) -> bool:
    return any(name.startswith(f"{key}_") for name in pair)


def _valid(comparison: Comparison) -> BoolArray:
    """The film within the region."""
    opened, region = comparison.opened, comparison.region
    film = opened.film(opened.reference())
    return film if region is None else film & region.mask(film.shape)


def layers_of(comparison: Comparison, pair: Pair, result: Compared) -> list[LayerTuple]:
    """Masks of regions, agreement and local r, where there is an r."""
    opened, where = comparison.opened, comparison.where
    recording, steps = opened.recording, opened.did(comparison.step(pair))
    layers = [
        mask_layer(recording, result.images[name], name, _when(comparison, name), steps)
        for name in pair
        if name not in comparison.images and not name.endswith("_onset")
    ]
    if result.table["pearson_r"].notna().all():
        layers += [
            local_r_layer(recording, result.local, result.sigma_px, pair, where, steps),
            agreement_layer(recording, result.agreement, pair, where, steps),
        ]
    return layers


def _when(comparison: Comparison, name: str) -> str:
    """The time of a step's region, for the name of its layer."""
    for key, onset in comparison.opened.onset_maps.items():
        if name.startswith(f"{key}_"):
            share = progress_at(comparison.parameters, name.split("_")[-1])
            return f" ({time_at(onset, share):.1f} s)"
    return ""


def with_rows(table: pd.DataFrame | None, rows: pd.DataFrame) -> pd.DataFrame:
    """New rows in place of those of the same pair and region, before the others."""
    if table is None or not len(table):
        return rows
    keys = ["a", "b", "region"]
    new = pd.MultiIndex.from_frame(rows[keys])
    others = table[~pd.MultiIndex.from_frame(table[keys]).isin(new)]
    return pd.concat([rows, others], ignore_index=True) if len(others) else rows
