"""What follows from an onset map in its dock: which layers are added, fronts, isochrones."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QWidget

from napari_lithium_alloy._napari.forms import Field
from napari_lithium_alloy._napari.layers import LayerTuple, kind_of
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plots import Curve, Plot
from napari_lithium_alloy._napari.result_layers import (
    direction_layer,
    isochrone_layer,
    onset_layers,
    rise_time_layer,
    speed_layer,
    stage_name,
)
from napari_lithium_alloy.core.alloyed_area import alloyed_fraction_table
from napari_lithium_alloy.core.colorcode import ColorCodeParameters
from napari_lithium_alloy.core.front_speed import FrontMap, FrontParameters, front_map, with_fronts
from napari_lithium_alloy.core.isochrones import IsochroneParameters, Isochrones, isochrones
from napari_lithium_alloy.core.onset import OnsetMap, onset_summary
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.stages import Stage

if TYPE_CHECKING:
    from napari.layers import Layer

CHOICES = {
    "code": ("Color code", "Onset times as a colour picture, and that inverted (Fig. 2B)"),
    "rise": ("Rise time (s)", "From 10 to 90 % of each pixel's own rise"),
    "speed": ("Front speed (µm/s)", "From the gradient of the onset map; NaN where not resolved"),
    "direction": ("Front direction (rad)", "0: to the right, π/2: down"),
    "isochrones": ("Isochrones", "Lines where the front is at regular times"),
}
FRONTS = frozenset({"speed", "direction"})
FRONT_FIELDS = {
    "window_px": Field(
        label="Front window (px)",
        tip="Standard deviation of the Gaussian window of the fits that tell a front's speed",
        low=0.5,
        high=100,
        unset="from the noise",
    ),
}
ISOCHRONE_FIELDS = {
    "interval_s": Field(
        label="Isochrones every (s)",
        tip="Time from line to line, on the recording's clock",
        low=1e-3,
        unset="about eight lines",
    ),
}
COLOUR_FIELDS = {
    "colormap": Field(label="Colormap", tip="Colours from the start to the end of the range"),
    "legend": Field(
        label="Legend",
        tip="Unit of the onset layer, whose colour bar is the legend: seconds, x in LiₓM at that "
        "time, % of the stage's time, or % of the field alloyed by then; seconds where not known",
    ),
    "flat": Field(label="Flat colours", tip="Off: brightness is the size of the change"),
    "background": Field(label="Background", tip="Colour where no onset is known"),
    "site_radius_um": Field(
        label="Site radius (µm)",
        tip="Radius of the green discs that mark nucleation sites",
        low=0.01,
        high=100,
        step=0.05,
    ),
}
AREA_RANGE = (0.0, 104.0)


class AddedBox(QWidget):
    """Chooses what is added beside the onset map."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.boxes: dict[str, QCheckBox] = {}
        for i, (name, (label, tip)) in enumerate(CHOICES.items()):
            box = QCheckBox(label)
            box.setToolTip(tip)
            box.toggled.connect(self.changed)
            self.boxes[name] = box
            layout.addWidget(box, i // 2, i % 2)
        self.boxes["code"].setChecked(True)

    @property
    def chosen(self) -> frozenset[str]:
        """Names of what is ticked, of `CHOICES`."""
        return frozenset(name for name, box in self.boxes.items() if box.isChecked())


@dataclass(frozen=True, eq=False, kw_only=True)
class Found:
    """An onset map and what follows from it."""

    onset: OnsetMap
    front: FrontMap | None
    lines: Isochrones | None


def found(
    work: Work[OnsetMap],
    recording: Recording,
    stage: Stage,
    chosen: frozenset[str],
    front: FrontParameters,
    lines: IsochroneParameters,
) -> Work[Found]:
    """An onset map, and isochrones where asked for.

    The fronts of a step are told where the pixel size is known, those of other stages on request.

    Raises
    ------
    AlloyError
        If speeds are asked for without a pixel size.
    """
    if chosen & FRONTS:
        recording.pixel_size("Front speeds")
    onset = yield from part(work, 0, 90, 100)
    made = None
    if recording.pixel_size_um is not None and (stage.step is not None or chosen & FRONTS):
        interval = recording.frame_interval_s
        made = front_map(onset, recording.pixel_size_um, front, frame_interval_s=interval)
    yield 95, 100
    drawn = isochrones(onset, lines) if "isochrones" in chosen else None
    return Found(onset=onset, front=made, lines=drawn)


def layers_of(
    opened: Opened,
    stage: Stage,
    result: Found,
    chosen: frozenset[str],
    colours: ColorCodeParameters,
    steps: list[Step],
) -> list[LayerTuple]:
    """The layers that were chosen, the onset map first."""
    recording, scale = opened.recording, opened.scale_of(stage, result.onset)
    sites = opened.sites_of(stage.cycle)
    layers = onset_layers(recording, stage, result.onset, colours, sites, steps, scale=scale)
    layers = layers if "code" in chosen else layers[:2]
    if "rise" in chosen:
        layers.append(rise_time_layer(recording, stage, result.onset, steps))
    if result.front is not None and "speed" in chosen:
        layers.append(speed_layer(recording, stage, result.front, steps))
    if result.front is not None and "direction" in chosen:
        layers.append(direction_layer(recording, stage, result.front, steps))
    if result.lines is not None:
        layers.append(isochrone_layer(recording, stage, result.lines, colours, scale, steps))
    return layers


def tables_of(opened: Opened) -> dict[str, pd.DataFrame]:
    """The tables of all onset maps of a recording."""
    maps = {opened.stages[key]: onset for key, onset in opened.onset_maps.items()}
    fronts = {opened.stages[key]: front for key, front in opened.front_maps.items()}
    times, content = opened.recording.times_s, opened.experiment.li_content_at
    return {
        "onset_summary": with_fronts(onset_summary(maps), fronts),
        "alloyed_fraction": alloyed_fraction_table(
            {stage: onset for stage, onset in maps.items() if stage.step is not None},
            times,
            content,
        ),
    }


OF_STEPS = ("colocalization", "boundary_shifts")
"""Tables that compare steps."""


def forget_pairs(opened: Opened, key: str, onset: OnsetMap) -> None:
    """Leave out what was compared with a step whose onset map is now another."""
    before = opened.onset_maps.get(key)
    if before is None or np.array_equal(before.onset_s, onset.onset_s, equal_nan=True):
        return
    for name in OF_STEPS:
        table = opened.tables.get(name)
        if table is not None:
            own = table["a"].str.startswith(f"{key}_") | table["b"].str.startswith(f"{key}_")
            opened.tables[name] = table[~own].reset_index(drop=True)


def uncover(layers: list[Layer]) -> None:
    """Show the last map of a front alone: it was asked for, and lies on the others."""
    fronts = [layer for layer in layers if kind_of(layer) == "front"]
    for layer in layers:
        if fronts and kind_of(layer) in ("front", "onset", "rgb"):
            layer.visible = layer is fronts[-1]


def area_plot(opened: Opened | None, stage: Stage | None) -> Plot:
    """Area that a step has reached against time."""
    word = "alloyed" if stage is None or stage.darkens else "dealloyed"
    plot = Plot(x_label="Time (s)", y_label=f"Area {word} (%)", y_range=AREA_RANGE)
    table = None if opened is None else opened.tables.get("alloyed_fraction")
    if opened is None or stage is None or table is None or stage.key not in opened.stages:
        return plot
    known = opened.stages[stage.key]
    rows = table[(table["cycle"] == known.cycle) & (table["stage"] == known.name)]
    times, share = rows["time_s"].to_numpy(float), 100 * rows["alloyed_fraction"].to_numpy(float)
    curve = Curve(name=stage_name(known), x=times, y=share)
    return dataclasses.replace(plot, curves=[curve], stages=[known])


def front_words(front: FrontMap | None) -> str:
    """The speed of a front for the status line."""
    if front is None:
        return ""
    told = front.summary()
    if not front.resolved.any():
        return "No front speed is resolved."
    low, middle, high = (told[f"front_speed_{k}_um_s"] for k in ("p25", "median", "p75"))
    return (
        f"Front {middle:.2g} µm/s (quartiles {low:.2g} to {high:.2g}), resolved in "
        f"{100 * told['front_resolved_fraction']:.0f} %; window {front.window_px:g} px."
    )


def legend_words(opened: Opened, stage: Stage, onset: OnsetMap) -> str:
    """Why the legend is not in the unit asked for, if it is not."""
    asked = opened.config.color_code.legend
    if asked == "s" or opened.scale_of(stage, onset).unit != "s":
        return ""
    return f"The legend is in s: {asked} is not known over this stage."
