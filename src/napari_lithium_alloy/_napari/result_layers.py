"""Layers of results, the same from a dock and from the whole analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy._napari.layers import LayerTuple, map_layer, rgb_layer
from napari_lithium_alloy.core.colorcode import (
    ColorCodeParameters,
    color_code,
    invert,
    merge_sites,
)
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.stages import Stage

NAPARI_COLORMAPS = {"Fire": "fire", "Spectrum": "hsv"}


def stage_name(stage: Stage) -> str:
    """A stage's name among all cycles, for people."""
    return f"{stage.label}, cycle {stage.cycle}"


def onset_layers(
    recording: Recording,
    stage: Stage,
    onset: OnsetMap,
    colours: ColorCodeParameters,
    sites: pd.DataFrame,
    steps: Sequence[Step],
    *,
    visible: bool = True,
) -> list[LayerTuple]:
    """Onset map, its uncertainty, its colour code and that inverted, sites in green (Fig. 2B)."""
    name = stage_name(stage)
    maps = [
        map_layer(
            recording,
            onset.onset_s,
            kind="onset",
            slot=stage.key,
            title=f"Onset {name} (s)",
            colormap=NAPARI_COLORMAPS.get(colours.colormap, colours.colormap),
            limits=(onset.start_s, onset.end_s),
            steps=steps,
            visible=visible,
        ),
        map_layer(
            recording,
            onset.onset_sd_s,
            kind="onset_sd",
            slot=stage.key,
            title=f"Onset SD {name} (s)",
            colormap="magma",
            steps=steps,
            visible=False,
        ),
    ]
    rgb = color_code(onset, colours)
    pictures = {"Color code": rgb, "Inverted code": invert(rgb)}
    if len(sites) and recording.pixel_size_um:
        size = recording.pixel_size_um
        places = sites[["y_um", "x_um"]].to_numpy(float) / size
        radius = colours.site_radius_um / size
        pictures = {t: merge_sites(picture, places, radius) for t, picture in pictures.items()}
    return maps + [
        rgb_layer(
            recording,
            picture,
            slot=f"{stage.key} {title}",
            title=f"{title} {name}",
            steps=steps,
            visible=visible and i == 0,
        )
        for i, (title, picture) in enumerate(pictures.items())
    ]


def short_name(key: str) -> str:
    """A map's key for people: cycle1_step2_alloyed_middle is step2, a layer's name itself."""
    parts = key.split("_")
    return parts[1] if len(parts) > 1 and parts[0].startswith("cycle") else key


def agreement_layer(
    recording: Recording,
    agreement: NDArray[Any],
    pair: tuple[str, str],
    steps: Sequence[Step],
    *,
    visible: bool = True,
) -> LayerTuple:
    """The local agreement of two maps; colours diverge from 0."""
    known = np.abs(agreement[np.isfinite(agreement)])
    top = float(np.percentile(known, 99)) if known.size else 1.0
    top = top if top > 0 else 1.0
    return map_layer(
        recording,
        agreement,
        kind="map",
        slot=" & ".join(pair),
        title=f"Agreement {short_name(pair[0])}, {short_name(pair[1])}",
        colormap="PiYG",
        limits=(-top, top),
        steps=steps,
        visible=visible,
    )
