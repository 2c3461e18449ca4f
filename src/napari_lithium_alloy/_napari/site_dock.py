"""A dock on a Points layer of nucleation sites: what is done there by hand is taken over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.dock import Dock
from napari_lithium_alloy._napari.layers import about, kind_of
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.site_edits import read_edits, with_locks
from napari_lithium_alloy._napari.site_points import (
    bind_lock,
    mark_in,
    numbers_in,
    places_um,
    selected_in,
)
from napari_lithium_alloy._napari.stage_box import StageBox
from napari_lithium_alloy.core.stages import Stage, StageKind


class SiteDock(Dock):
    """Follows the sites' layer of the chosen deposition."""

    def site_box(self) -> StageBox:
        """The choice of a deposition; to be made before anything else."""
        self._layer: Any = None
        self._quiet = False
        self.stage_box = StageBox((StageKind.DEPOSITION,))
        self.stage_box.changed.connect(self._find_layer)
        return self.stage_box

    # The Points layer

    def layers_changed(self, _event: Any = None) -> None:
        self._find_layer()

    def disconnect_events(self) -> None:
        if self._connected:
            self._watch(None)
        super().disconnect_events()

    def _find_layer(self, _event: Any = None) -> None:
        opened, slot = self.session.current, self._slot()
        ours = [
            layer
            for layer in self.viewer.layers
            if kind_of(layer) == "sites"
            and about(layer)["slot"] == slot
            and self.session.opened_of(layer) is opened
        ]
        self._watch(ours[-1] if ours and opened is not None else None)

    def _watch(self, layer: Any) -> None:
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.events.data.disconnect(self._edited)
            self._layer.events.highlight.disconnect(self._selected)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._edited)
            layer.events.highlight.connect(self._selected)
            bind_lock(layer, self.lock)
            self._edited()

    def _slot(self) -> str:
        stage = self.stage_box.chosen
        return "" if stage is None else f"cycle{stage.cycle}"

    def _edited(self, _event: Any = None) -> None:
        """Take over what was added, moved or deleted in the layer."""
        opened, stage = self.session.current, self.stage_box.chosen
        if opened is None or stage is None or self._layer is None or self.busy or self._quiet:
            return
        known = opened.sites_of(stage.cycle)
        size = opened.recording.pixel_size("Nucleation sites")
        sites, vacated = read_edits(
            known, numbers_in(self._layer), places_um(self._layer), 1e-3 * size, stage.cycle
        )
        if vacated or not sites[["site", "source"]].equals(known[["site", "source"]]) or (
            not np.array_equal(sites[["y_um", "x_um"]], known[["y_um", "x_um"]])
        ):  # fmt: skip
            opened.deleted_um.setdefault(stage.cycle, []).extend(vacated)
            self._keep(opened, stage, sites)
            mark_in(self._layer, sites)
            self.status.setText(f"{told_sites(sites)}; Measure measures them.")

    def lock(self) -> None:
        """Lock the selected sites or, if all of them are, free them."""
        opened, stage = self.session.current, self.stage_box.chosen
        numbers = selected_in(self._layer)
        if opened is None or stage is None or not numbers:
            self.status.setText("Select points of the sites' layer to lock them.")
            return
        self._edited()
        sites = with_locks(opened.sites_of(stage.cycle), numbers)
        self._keep(opened, stage, sites)
        mark_in(self._layer, sites)
        self.status.setText(f"{told_sites(sites)}.")

    def _selected(self, _event: Any = None) -> None:
        """The selection may have changed."""

    def _keep(self, opened: Opened, stage: Stage, sites: pd.DataFrame) -> None:
        opened.put_sites(stage.cycle, sites)
        self.session.put_table(opened, "sites", opened.sites)


def told_sites(sites: pd.DataFrame) -> str:
    """How many sites, and what was done to them by hand."""
    by_hand, locked = int((sites["source"] != "detected").sum()), int(sites["locked"].sum())
    more = [f"{by_hand} added or moved by hand"] * bool(by_hand)
    more += [f"{locked} locked"] * bool(locked)
    return f"{len(sites)} sites" + (f" ({', '.join(more)})" if more else "")
