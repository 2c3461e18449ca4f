"""Pores corrected by hand: by clicks with a tool, or by painting in the Labels layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

from napari_lithium_alloy._napari.layers import about, set_about
from napari_lithium_alloy.core.pore_edits import EditKind, PoreEdit
from napari_lithium_alloy.core.recording import IntArray

TOOLS: dict[EditKind, tuple[str, str, int]] = {
    "delete": ("Delete", "Click what is no pore; it is left out in every cycle", 1),
    "join": ("Join", "Click two pores that are one in this cycle", 2),
    "split": ("Split", "Click the two halves of a pore that is two in this cycle", 2),
}


class PoreTools(QWidget):
    """Tools that turn clicks in the Pores layer into corrections, and one that takes one back."""

    chosen = Signal()
    undo = Signal()

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.group = QButtonGroup(self)
        self.group.setExclusive(False)
        self.buttons: dict[EditKind, QPushButton] = {}
        for kind, (text, tip, _) in TOOLS.items():
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            self.group.addButton(button)
            self.buttons[kind] = button
            row.addWidget(button)
        self.group.buttonClicked.connect(self._clicked)
        self.undo_button = QPushButton("Take back")
        self.undo_button.setToolTip("Take back the last correction by hand")
        self.undo_button.clicked.connect(self.undo)
        row.addWidget(self.undo_button)

    @property
    def tool(self) -> EditKind | None:
        """The tool in hand."""
        return next((kind for kind, b in self.buttons.items() if b.isChecked()), None)

    def put_away(self) -> None:
        """No tool in hand."""
        for button in self.buttons.values():
            button.setChecked(False)

    def _clicked(self, clicked: QPushButton) -> None:
        for button in self.buttons.values():
            if button is not clicked:
                button.setChecked(False)
        self.chosen.emit()


class PoreHand(QObject):
    """What a hand does in a Pores layer, as corrections by place."""

    edited = Signal(list)
    """PoreEdits without a cycle, and the time they were made at, seconds."""
    told = Signal(str)

    def __init__(self, tools: PoreTools, pixel_size_um: Callable[[], float]) -> None:
        super().__init__()
        self.tools = tools
        self.layer: Any = None
        self._size = pixel_size_um
        self._places: list[tuple[float, float]] = []
        tools.chosen.connect(self._tool_chosen)

    def watch(self, layer: Any) -> None:
        """Follow another layer, or none."""
        if layer is self.layer:
            return
        if self.layer is not None:
            self.layer.events.paint.disconnect(self._painted)
            self.layer.mouse_drag_callbacks.remove(self._pressed)
        self.layer = layer
        self._places = []
        if layer is not None:
            if about(layer).get("edited", False) and not about(layer).get("corrected", False):
                set_about(layer, outlines_edited=True)  # painted while nobody looked
            layer.events.paint.connect(self._painted)
            layer.mouse_drag_callbacks.append(self._pressed)

    def _tool_chosen(self) -> None:
        self._places = []
        tool = self.tools.tool
        if tool is not None and self.layer is not None:
            self.layer.mode = "pan_zoom"
            self.told.emit(f"{TOOLS[tool][1]}.")

    def _pressed(self, layer: Any, event: Any) -> Iterator[None]:
        yield  # a press that is dragged moves the canvas
        moved = False
        while event.type == "mouse_move":
            moved = True
            yield
        if not moved:
            place = np.asarray(layer.world_to_data(event.position), dtype=float)
            self.click(float(place[-2]), float(place[-1]))

    def click(self, row: float, column: float) -> None:
        """Use the tool in hand at a place of the layer, pixels."""
        tool = self.tools.tool
        if tool is None:
            return
        size = self._size()
        self._places.append((row * size, column * size))
        needed = TOOLS[tool][2]
        if len(self._places) < needed:
            self.told.emit("Now the other one.")
            return
        places, self._places = tuple(self._places), []
        self.edited.emit([PoreEdit(kind=tool, places_um=places)])

    def _painted(self, event: Any) -> None:
        from napari_lithium_alloy.core.pore_edits import edit_of_painting

        found = stroke_images(self.layer, event.value)
        edits = [] if found is None else edit_of_painting(*found, self._size())
        if not edits:
            set_about(self.layer, outlines_edited=True)
            self.told.emit("Outlines drawn by hand stay in this layer; areas do not follow them.")
            return
        set_about(self.layer, corrected=True)
        self.edited.emit(edits)

    def release(self) -> None:
        """Let a new tracking replace the layer, if all that was done in it are corrections."""
        if self.layer is not None and about(self.layer).get("corrected", False):
            set_about(self.layer, edited=bool(about(self.layer).get("outlines_edited", False)))


def stroke_images(layer: Any, atoms: Sequence[Any]) -> tuple[IntArray, IntArray] | None:
    """The image of one step before and after a stroke, from napari's history of it.

    napari tells of a stroke before or after it is written, so both are made from what changed.
    """
    steps = {_step_of(atom) for atom in atoms}
    if len(steps) != 1 or None in steps:
        return None
    after = np.array(layer.data[steps.pop()])
    for atom in atoms:
        where, _, new = _change_of(atom)
        after[where] = new
    before = after.copy()
    for atom in reversed(atoms):
        where, old, _ = _change_of(atom)
        before[where] = old
    return before, after


def _step_of(atom: Any) -> int | None:
    if hasattr(atom, "slice_key"):
        first = atom.slice_key[0]
        return int(first.start) if isinstance(first, slice) else int(first)
    steps = np.unique(atom[0][0])
    return int(steps[0]) if len(steps) == 1 else None


def _change_of(atom: Any) -> tuple[tuple[Any, ...], Any, Any]:
    """Rows and columns that an atom of napari's history changed, their values before and after."""
    if not hasattr(atom, "slice_key"):
        indices, old, new = atom
        return tuple(indices[1:]), old, new
    box = atom.slice_key[1:]
    low = [s.start or 0 for s in box]
    shape = [s.stop - s.start for s in box]
    mask = np.ones(shape, bool) if atom.mask is None else np.reshape(atom.mask, shape)
    rows, columns = np.nonzero(mask)
    return (rows + low[0], columns + low[1]), np.ravel(atom.old_values), atom.new_value
