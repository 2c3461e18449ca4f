"""Complementarity map: where two stages complement each other, and how surely."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtWidgets import QComboBox, QWidget

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.dock import Dock, column
from napari_lithium_alloy._napari.forms import Field, Form, rows
from napari_lithium_alloy._napari.layers import kind_of
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.result_layers import agreement_layer, stage_name
from napari_lithium_alloy.core.complementarity import (
    ComplementarityParameters,
    alloyed_image,
    colocalization,
    is_uniform,
    local_agreement,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.provenance import Step

FIELDS = {
    "progress": Field(
        label="Progress (fraction of area)",
        tip="Share of the alloyed area at which alloyed and unalloyed regions are taken",
        low=0.05,
        high=0.95,
        step=0.05,
    ),
    "detrend": Field(
        label="Detrend",
        tip="Trend across the field taken out of both maps first: one they share is no relation",
    ),
}
COMPARISONS = {
    "Unalloyed in A, alloyed in B": ("unalloyed_middle", "alloyed_middle"),
    "Alloyed in A, alloyed in B": ("alloyed_middle", "alloyed_middle"),
    "Values as they are": ("", ""),
}


class ComplementarityMap(Dock):
    """Pearson's r of two maps with its null, and the map of their agreement."""

    TITLE = "Compare"
    TABLES = ("colocalization",)
    RUN = "Compare"

    def controls(self) -> QWidget:
        self.first, self.second = _map_box("Map A"), _map_box("Map B")
        self._picked: set[Any] = set()
        for box in (self.first, self.second):
            box.activated.connect(self._pick)
        self.comparison = QComboBox()
        self.comparison.addItems(list(COMPARISONS))
        self.comparison.setToolTip(
            "Regions at a progress of each step (r > 0 where they complement each other), or "
            "the maps' own values"
        )
        self.form: Form[ComplementarityParameters] = Form(ComplementarityParameters(), FIELDS)
        choice = rows(("A", self.first), ("B", self.second), ("Compare", self.comparison))
        return column(choice, self.form.native)

    def connect_events(self) -> None:
        if not self._connected:
            events = self.viewer.layers.events
            events.inserted.connect(self._layers_changed)
            events.removed.connect(self._layers_changed)
        super().connect_events()

    def disconnect_events(self) -> None:
        if self._connected:
            events = self.viewer.layers.events
            events.inserted.disconnect(self._layers_changed)
            events.removed.disconnect(self._layers_changed)
        super().disconnect_events()

    def _layers_changed(self, _event: Any = None) -> None:
        self.refresh()

    def take(self, opened: Opened) -> None:
        self.form.value = opened.config.complementarity

    def refresh(self) -> None:
        choices = self._choices()
        for place, box in enumerate((self.first, self.second)):
            chosen = box.currentData() if box in self._picked else None
            box.clear()
            for key, title in choices.items():
                box.addItem(title, key)
            index = box.findData(chosen)
            box.setCurrentIndex(index if index >= 0 else min(place, len(choices) - 1))

    def _pick(self) -> None:
        """Keep what was chosen by hand when maps come and go."""
        self._picked.add(self.sender())

    def _choices(self) -> dict[str, str]:
        """Keys of maps to choose from, and what people call them."""
        opened = self.session.current
        maps = {} if opened is None else opened.onset_maps
        found = {key: f"Onset {stage_name(opened.stages[key])}" for key in maps}
        for layer in self.viewer.layers:
            plain = type(layer).__name__ == "Image" and layer.ndim == 2 and not layer.rgb
            if plain and kind_of(layer) in (None, "map"):
                found[layer.name] = layer.name
        return found

    def run(self) -> None:
        opened, parameters = self.session.need_current(), self.form.value
        a, b = self.first.currentData(), self.second.currentData()
        if a is None or b is None or a == b:
            raise AlloyError(
                "Two different maps are needed; compute onset maps in the Temporal color code dock."
            )
        parts = COMPARISONS[self.comparison.currentText()]
        images: dict[str, np.ndarray] = {}
        pair = tuple(
            self._image(opened, key, part, parameters.progress, images)
            for key, part in zip((a, b), parts, strict=True)
        )
        opened.use(complementarity=parameters)
        uniform = [k for k in dict.fromkeys((a, b)) if _is_uniform(opened, k)]
        work = _compared(opened, images, pair, parameters, uniform)
        self.start(work, functools.partial(self._show, opened, pair, parameters))

    def _image(
        self,
        opened: Opened,
        key: str,
        part: str,
        progress: float,
        images: dict[str, np.ndarray],
    ) -> str:
        """Put the image of a choice among `images`, and give its name in the table."""
        onset: OnsetMap | None = opened.onset_maps.get(key)
        if onset is None:
            images[key] = np.asarray(self.viewer.layers[key].data, dtype=float)
            return key
        name = f"{key}_{part or 'onset'}"
        if not part:
            images[name] = onset.onset_s
        else:
            alloyed = alloyed_image(onset, progress)
            images[name] = alloyed if part == "alloyed_middle" else 1 - alloyed
        return name

    def _show(
        self,
        opened: Opened,
        pair: tuple[str, str],
        parameters: ComplementarityParameters,
        result: tuple[pd.DataFrame, np.ndarray],
    ) -> None:
        row, agreement = result
        step = Step.of("colocalization", parameters, stage=" & ".join(pair))
        layer = agreement_layer(opened.recording, agreement, pair, opened.did(step))
        add_layers(self.viewer, [layer])
        table = opened.tables.get("colocalization")
        if table is not None:
            others = table[(table["a"] != pair[0]) | (table["b"] != pair[1])]
            row = pd.concat([others, row], ignore_index=True)
        self.session.put_table(opened, "colocalization", row)
        self.status.setText(_sentence(row.iloc[-1]))


def _map_box(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(f"{tip}: an onset map, or an image layer (Y, X)")
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _is_uniform(opened: Opened, key: str) -> bool:
    return key in opened.onset_maps and is_uniform(opened.onset_maps[key])


def _compared(
    opened: Opened,
    images: Mapping[str, np.ndarray],
    pair: tuple[str, str],
    parameters: ComplementarityParameters,
    uniform: list[str],
) -> Work[tuple[pd.DataFrame, np.ndarray]]:
    yield 0, 1
    a, b = (images[name] for name in pair)
    film = opened.film(opened.reference())
    valid = film if film.shape == a.shape == b.shape else None
    table = yield from colocalization(images, [pair], parameters, uniform=uniform, valid=valid)
    agreement = local_agreement(a, b, parameters, valid=valid)
    return table, agreement


def _sentence(row: pd.Series) -> str:
    if pd.isna(row["pearson_r"]):
        return f"No r: {row['reason']}."
    if pd.isna(row["null_low"]):
        return f"r = {row['pearson_r']:.2f}; {row['reason']}."
    return (
        f"Pearson's r = {row['pearson_r']:.2f} (by chance {row['null_low']:.2f} to "
        f"{row['null_high']:.2f}, p = {row['p_value']:.2g}), {row['n_effective']:.0f} effective "
        "samples."
    )
