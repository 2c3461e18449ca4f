"""Lays another recording or image over the current recording of a dock."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.align_box import KINDS, AlignForm, AlignResult
from napari_lithium_alloy._napari.aligning import (
    Laid,
    affine_of_layer,
    alignment_table,
    landmarks_table,
    lay,
    mapped,
    points_um,
    regions_onto,
    sentence,
    taken_out,
    with_picture,
)
from napari_lithium_alloy._napari.counts_view import counts_layers
from napari_lithium_alloy._napari.dock import Dock
from napari_lithium_alloy._napari.landmark_layers import add_landmarks, is_landmarks
from napari_lithium_alloy._napari.layers import kind_of, regions_layer
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.whole_work import regions_in
from napari_lithium_alloy.core.alignment import (
    Alignment,
    AlignmentParameters,
    align_landmarks,
    align_recordings,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.provenance import Step

WHAT_FOR = "Aligning pictures"


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture:
    """What is laid: an image, or a recording with all its layers."""

    name: str
    layer: Any
    opened: Opened | None


class AlignPage:
    """What the controls of `AlignForm` and `AlignResult` do.

    Parameters
    ----------
    dock : Dock
        Whose session, status line and worker are used.
    """

    def __init__(self, dock: Dock) -> None:
        self.dock, self.viewer, self.session = dock, dock.viewer, dock.session
        self.form, self.result = AlignForm(), AlignResult()
        self.form.picture_chosen.connect(self._picture_chosen)
        self.form.add_button.clicked.connect(self._add_clicked)
        self.result.back.clicked.connect(self._back_clicked)
        self.result.regions.clicked.connect(self._regions_clicked)

    def connect(self, *, follow: bool) -> None:
        """Follow the viewer's layers, or let go of them."""
        events = self.viewer.layers.events
        for emitter in (events.inserted, events.removed):
            (emitter.connect if follow else emitter.disconnect)(self._layers_changed)

    def _layers_changed(self, _event: Any = None) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Offer the pictures and points there are."""
        current = self.session.current
        pictures = [] if current is None else self._pictures(current)
        self.form.picture.offer([(p.name, p) for p in pictures])
        points = [x for x in self.viewer.layers if type(x).__name__ == "Points" and _is_free(x)]
        for choice in (self.form.moving, self.form.fixed):
            choice.offer([(x.name, x) for x in points])
        self._picture_chosen()

    def _pictures(self, current: Opened) -> list[Picture]:
        """Other recordings that are open, then images that are no recordings."""
        found = []
        for opened in self.session.opened:
            layers = counts_layers(self.session, opened)
            if opened is not current and layers:
                found.append(Picture(name=opened.name, layer=layers[0], opened=opened))
        for layer in self.viewer.layers:
            image = type(layer).__name__ == "Image" and kind_of(layer) is None
            if image and self.session.opened_of(layer) is None:
                found.append(Picture(name=layer.name, layer=layer, opened=None))
        return found

    def _picture_chosen(self) -> None:
        picture = self.form.picture.chosen
        self.form.offer_ways(automatic=picture is not None and picture.opened is not None)
        self.form.add_button.setEnabled(picture is not None)
        self.result.back.setEnabled(picture is not None)
        self.result.regions.setEnabled(picture is not None and picture.opened is not None)

    def _chosen(self) -> tuple[Opened, Picture]:
        """The recording and the picture that is laid on it.

        Raises
        ------
        AlloyError
            If there is none, a pixel size is not known, or the recording lies on the picture.
        """
        current, picture = self.session.need_current(), self.form.picture.chosen
        if picture is None:
            raise AlloyError("There is nothing to align; open another recording or an image.")
        below: Opened | None = current
        while below is not None:
            below.as_read.pixel_size(WHAT_FOR)
            below = None if below.laid is None else below.laid.onto
            if below is not None and below is picture.opened:
                raise AlloyError(f"{current.name} lies on {picture.name}; put it back first.")
        if picture.opened is not None:
            picture.opened.as_read.pixel_size(WHAT_FOR)
        return current, picture

    def run(self) -> None:
        """Align the chosen picture with the current recording."""
        current, picture = self._chosen()
        kind = KINDS[self.form.kind.currentText()]
        if self.form.by_points:
            self._match(current, picture, kind)
            return
        parameters = AlignmentParameters(kind=kind)
        work = align_recordings(current.as_read, picture.opened.as_read, parameters)
        self.dock.start(work, functools.partial(self._show, current, picture))

    def _show(self, current: Opened, picture: Picture, found: Alignment) -> None:
        self._tabulate(current, picture, found)
        if found.same_field is False:
            self._say(f"{found.note} Nothing is moved.")
            return
        self.session.lay(picture.opened, Laid(alignment=found, onto=current, as_read=True))
        words = [sentence(found), found.note]
        if taken_out(current) != taken_out(picture.opened):
            still = picture.name if taken_out(current) else current.name
            words.append(f"{still} still drifts: correct it, too.")
        self._say(" ".join(words))

    def _match(self, current: Opened, picture: Picture, kind: Any) -> None:
        moving, fixed = self.form.moving.chosen, self.form.fixed.chosen
        if moving is None or fixed is None or moving is fixed:
            raise AlloyError(
                "Two Points layers are needed, one on each picture; Add points layers makes them."
            )
        to_picture = np.linalg.inv(affine_of_layer(picture.layer))
        marked = to_picture @ affine_of_layer(moving)
        moving_um = mapped(to_picture, points_um(moving))
        fixed_um = mapped(np.linalg.inv(current.affine), points_um(fixed))
        found = align_landmarks(moving_um, fixed_um, kind)
        self._tabulate(current, picture, found)
        rows = landmarks_table(picture.name, moving_um, fixed_um, found)
        self._put(current, "landmarks", rows)
        if picture.opened is not None:
            self.session.lay(picture.opened, Laid(alignment=found, onto=current, as_read=False))
        else:
            lay(picture.layer, current.affine @ found.affine)
        lay(moving, affine_of_layer(picture.layer) @ marked)  # the points stay on the picture
        self._say(f"{sentence(found)} {found.note}")

    def _tabulate(self, current: Opened, picture: Picture, found: Alignment) -> None:
        name = f"align {picture.name}"
        current.did(Step.of(name, onto=current.name, kind=found.kind, affine=found.affine))
        self._put(current, "alignment", alignment_table(picture.name, current.name, found))

    def _put(self, current: Opened, name: str, rows: pd.DataFrame) -> None:
        self.session.put_table(current, name, with_picture(current.tables.get(name), rows))
        self.dock.tables.choose(name)

    def _add_clicked(self) -> None:
        with self.dock.errors_shown():
            current, picture = self._chosen()
            moving, fixed = add_landmarks(self.viewer, current, picture.name, picture.layer)
            self.form.moving.choose(moving)
            self.form.fixed.choose(fixed)
            self._say(
                f"Mark places in {moving.name}, then the same in the same order in {fixed.name}."
            )

    def _back_clicked(self) -> None:
        picture = self.form.picture.chosen
        if picture is None:
            return
        before = affine_of_layer(picture.layer)
        if picture.opened is not None:
            self.session.lay(picture.opened, None)
        lay(picture.layer, np.eye(3))
        for layer in self.viewer.layers:
            if is_landmarks(layer, of=picture.name):
                lay(layer, np.linalg.inv(before) @ affine_of_layer(layer))
        self._say(f"{picture.name} is where it was opened.")

    def _regions_clicked(self) -> None:
        with self.dock.errors_shown():
            self.take_over_regions()

    def take_over_regions(self) -> None:
        """Give the picture's recording the regions of the current one, at the same places.

        Raises
        ------
        AlloyError
            If there are no regions, or the picture has its own.
        """
        current, picture = self._chosen()
        regions = regions_in(self.session, current)
        if not regions:
            raise AlloyError(f"{current.name} has no regions; draw them in the ROI curves dock.")
        if regions_in(self.session, picture.opened):
            raise AlloyError(f"{picture.name} has regions of its own; remove their layer first.")
        at = [(o.recording, o.affine) for o in (current, picture.opened)]
        taken = regions_onto(regions, *at)
        add_layers(self.viewer, [regions_layer(picture.opened.recording, taken)])
        self._say(f"{len(taken)} regions are now those of {picture.name}, too.")

    def _say(self, text: str) -> None:
        self.dock.status.setText(text)


def _is_free(layer: Any) -> bool:
    """Whether points are no result of ours."""
    return kind_of(layer) is None or is_landmarks(layer)
