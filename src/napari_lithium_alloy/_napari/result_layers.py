"""Layers of results, the same from a dock and from the whole analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy._napari.layers import (
    LayerTuple,
    isochrones_layer,
    map_layer,
    rgb_layer,
)
from napari_lithium_alloy.core.alloyed_images import Pair
from napari_lithium_alloy.core.colorcode import (
    ColorCodeParameters,
    color_code,
    lut,
    merge_sites,
)
from napari_lithium_alloy.core.curves import FIELD
from napari_lithium_alloy.core.front_speed import FrontMap
from napari_lithium_alloy.core.isochrones import Isochrones
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.pair_names import short_image
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.time_scale import TimeScale, time_scale
from napari_lithium_alloy.io.figures.pairs import DIVERGING

DIRECTION_COLOURS = "twilight"
SPEED_COLOURS = "plasma"
FAST = 90.0
"""Percentile of the speeds that has the last colour."""


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
    scale: TimeScale | None = None,
    visible: bool = True,
) -> list[LayerTuple]:
    """Onset map, its uncertainty, its colour code and that inverted, sites in green (Fig. 2B).

    The onset map is in the unit of the scale (None: seconds), so that its colour bar is the
    legend of the colour code.
    """
    name, scale = stage_name(stage), scale or time_scale(onset, stage)
    seconds = scale.unit == "s"
    maps = [
        map_layer(
            recording,
            onset.onset_s if seconds else scale.of(onset.onset_s),
            kind="onset",
            slot=stage.key,
            title=f"Onset {name} ({scale.unit})",
            colormap=_napari_colormap(colours.colormap, scale),
            limits=(min(scale.ends), max(scale.ends)),
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
    pictures = {
        "Color code": color_code(onset, colours, scale=scale),
        "Inverted code": color_code(onset, colours, scale=scale, inverted=True),
    }
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


def _napari_colormap(name: str, scale: TimeScale) -> Any:
    """The colours of a scale: a name that napari knows, else its own colormap of them."""
    from napari.utils import Colormap

    falls = scale.ends[1] < scale.ends[0]
    if name not in ("Fire", "Spectrum") and not falls:
        return name
    colours = lut(name)[::-1] if falls else lut(name)
    return Colormap(colours / 255, name=f"{name}, falling" if falls else f"{name} (ImageJ)")


def rise_time_layer(
    recording: Recording, stage: Stage, onset: OnsetMap, steps: Sequence[Step]
) -> LayerTuple:
    """Time from 10 to 90 % of each pixel's own rise, NaN where there is no onset."""
    return map_layer(
        recording,
        onset.rise_time_s,
        kind="front",
        slot=f"{stage.key} rise",
        title=f"Rise time {stage_name(stage)} (s)",
        colormap=SPEED_COLOURS,
        steps=steps,
    )


def speed_layer(
    recording: Recording, stage: Stage, front: FrontMap, steps: Sequence[Step]
) -> LayerTuple:
    """Front speed, NaN where it is not resolved; the few fast places do not darken the rest."""
    known = front.speed_um_s[front.resolved]
    return map_layer(
        recording,
        front.speed_um_s,
        kind="front",
        slot=f"{stage.key} speed",
        title=f"Front speed {stage_name(stage)} (µm/s)",
        colormap=SPEED_COLOURS,
        limits=(0.0, float(np.percentile(known, FAST)) if known.size else 1.0),
        steps=steps,
    )


def direction_layer(
    recording: Recording, stage: Stage, front: FrontMap, steps: Sequence[Step]
) -> LayerTuple:
    """Direction of the front, in colours that go round."""
    return map_layer(
        recording,
        front.direction_rad,
        kind="front",
        slot=f"{stage.key} direction",
        title=f"Front direction {stage_name(stage)} (rad)",
        colormap=DIRECTION_COLOURS,
        limits=(-np.pi, np.pi),
        steps=steps,
    )


def isochrone_layer(
    recording: Recording,
    stage: Stage,
    lines: Isochrones,
    colours: ColorCodeParameters,
    scale: TimeScale,
    steps: Sequence[Step],
) -> LayerTuple:
    """Isochrones in the colours of the onset map."""
    share = np.clip(scale.share(lines.times_s), 0, 1)
    return isochrones_layer(
        recording,
        lines,
        lut(colours.colormap)[np.round(255 * share).astype(int)],
        slot=stage.key,
        title=f"Isochrones {stage_name(stage)}",
        steps=steps,
    )


def agreement_layer(
    recording: Recording,
    agreement: NDArray[Any],
    pair: Pair,
    region: str,
    steps: Sequence[Step],
) -> LayerTuple:
    """The product of two maps' z-scores, whose mean is r; colours diverge from 0."""
    known = np.abs(agreement[np.isfinite(agreement)])
    top = float(np.percentile(known, 99)) if known.size else 1.0
    top = top if top > 0 else 1.0
    return map_layer(
        recording,
        agreement,
        kind="map",
        slot=f"agreement {' & '.join(pair)} {region}",
        title=f"Agreement {_pair_title(pair, region)}",
        colormap=DIVERGING,
        limits=(-top, top),
        steps=steps,
    )


def local_r_layer(
    recording: Recording,
    local: NDArray[Any],
    sigma_px: float,
    pair: Pair,
    region: str,
    steps: Sequence[Step],
) -> LayerTuple:
    """Pearson's r in a window around each pixel, in the colours of agreement."""
    return map_layer(
        recording,
        local,
        kind="map",
        slot=f"local_r {' & '.join(pair)} {region}",
        title=f"Local r {_pair_title(pair, region)} (σ {sigma_px:.3g} px)",
        colormap=DIVERGING,
        limits=(-1.0, 1.0),
        steps=steps,
        visible=False,
    )


def mask_layer(
    recording: Recording, mask: NDArray[Any], name: str, when: str, steps: Sequence[Step]
) -> LayerTuple:
    """A compared region: 1 inside, 0 outside, NaN where that is not known."""
    return map_layer(
        recording,
        mask,
        kind="map",
        slot=f"mask {name}",
        title=f"Mask {short_image(name)}{when}",
        colormap="gray",
        limits=(0.0, 1.0),
        steps=steps,
        visible=False,
    )


def _pair_title(pair: Pair, region: str) -> str:
    return ", ".join(map(short_image, pair)) + ("" if region == FIELD else f" in {region}")
