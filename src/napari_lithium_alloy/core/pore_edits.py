"""Corrections of pores by hand, kept by place so that a new tracking keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray, IntArray
from napari_lithium_alloy.core.tables import TABLES, conform, empty

EditKind = Literal["delete", "join", "split"]
REACH_PX = 4.0
"""How far from a region's outline its place may lie."""


@dataclass(frozen=True, kw_only=True)
class PoreEdit:
    """One correction by hand.

    Attributes
    ----------
    kind : {"delete", "join", "split"}
        delete: what is at the place is no pore; join: what is at the places is one pore; split:
        what is at the places is as many pores, each pixel the nearest place's.
    places_um : tuple of (float, float)
        Rows and columns in micrometres: one to delete, two or more else.
    cycle : int or None
        The cycle it holds for; None: all. A deleted pore is deleted in all.
    """

    kind: EditKind
    places_um: tuple[tuple[float, float], ...]
    cycle: int | None = None

    def __post_init__(self) -> None:
        least = 1 if self.kind == "delete" else 2
        if len(self.places_um) < least:
            raise AlloyError(
                "To delete a pore give its place; to join or split, give a place in each part."
            )

    def in_cycle(self, cycle: int | None) -> PoreEdit:
        """The same for one cycle; a deletion stays for all."""
        return self if self.kind == "delete" else replace(self, cycle=cycle)


def edits_table(edits: Sequence[PoreEdit]) -> pd.DataFrame:
    """The table `pore_edits`: a row a place of each correction, in their order."""
    rows = [
        {"edit": number, "kind": e.kind, "cycle": e.cycle, "y_um": y, "x_um": x}
        for number, e in enumerate(edits, start=1)
        for y, x in e.places_um
    ]
    return conform("pore_edits", pd.DataFrame(rows)) if rows else empty("pore_edits")


def edits_of(table: pd.DataFrame) -> list[PoreEdit]:
    """The corrections of a table `pore_edits`, as it was exported.

    Raises
    ------
    AlloyError
        If a column is missing or a kind is not known.
    """
    missing = [c for c in TABLES["pore_edits"] if c not in table.columns]
    if missing:
        raise AlloyError(f"The corrections of pores have no column {missing[0]}.")
    table = table.copy()
    for column in ("edit", "cycle", "y_um", "x_um"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    lost = table[["edit", "y_um", "x_um"]].isna().any(axis=1)
    if lost.any():
        raise AlloyError(
            f"Row {int(np.flatnonzero(lost)[0]) + 1} of the corrections of pores has no number or "
            "no place; mend it or leave it out."
        )
    found = []
    for _, rows in table.groupby("edit", sort=True):
        first = rows.iloc[0]
        if first["kind"] not in get_args(EditKind):
            raise AlloyError(
                f"Pores cannot be corrected by {first['kind']!r}; there are: "
                f"{', '.join(get_args(EditKind))}."
            )
        places = tuple((float(y), float(x)) for y, x in rows[["y_um", "x_um"]].to_numpy(float))
        cycle = None if pd.isna(first["cycle"]) else int(first["cycle"])
        found.append(PoreEdit(kind=first["kind"], places_um=places, cycle=cycle))
    return found


def edited(
    labels: IntArray,
    edits: Sequence[PoreEdit],
    pixel_size_um: float,
    cycle: int | None = None,
    *,
    reach_px: float = REACH_PX,
) -> IntArray:
    """(Y, X) int32 labels 1..n with the corrections of a cycle made, in their order.

    A place means the label nearest to it within `reach_px`. Places that are on or near no label
    change nothing: there the pore is not yet, or not any more.
    """
    changed = labels.astype(np.int32)
    if not edits:
        return changed
    pixels = np.nonzero(labels)
    changed[pixels] = edited_pixels(
        pixels, changed[pixels], edits, pixel_size_um, cycle, reach_px=reach_px
    )
    return changed


def edited_pixels(
    pixels: tuple[IntArray, ...],
    labels: IntArray,
    edits: Sequence[PoreEdit],
    pixel_size_um: float,
    cycle: int | None = None,
    *,
    reach_px: float = REACH_PX,
) -> IntArray:
    """The same for labelled pixels alone, given by their rows and columns; 0 for deleted ones."""
    own = [e for e in edits if e.cycle is None or cycle is None or e.cycle == cycle]
    if not own or not len(labels):
        return labels
    labels = labels.copy()
    for edit in own:
        places = np.array(edit.places_um, dtype=float) / pixel_size_um
        at = [_label_at(pixels, labels, place, reach_px) for place in places]
        if edit.kind == "delete":
            labels[labels == (at[0] or -1)] = 0
        elif edit.kind == "join":
            met = sorted({a for a in at if a})
            labels[np.isin(labels, met[1:])] = met[0] if met else 0
        else:
            _split(pixels, labels, places, at)
    return _renumbered(labels)


def _label_at(
    pixels: tuple[IntArray, ...], labels: IntArray, place: FloatArray, reach_px: float
) -> int:
    """The label at a place or, within reach, nearest to it; 0 for none."""
    rows, columns = pixels
    near = np.flatnonzero((np.abs(rows - place[0]) <= reach_px) & (labels > 0))
    if not near.size:
        return 0
    far = np.hypot(rows[near] - place[0], columns[near] - place[1])
    nearest = int(np.argmin(far))
    return int(labels[near[nearest]]) if far[nearest] <= reach_px else 0


def _split(
    pixels: tuple[IntArray, ...], labels: IntArray, places: FloatArray, at: list[int]
) -> None:
    for label in sorted({a for a in at if a}):
        own = places[[a == label for a in at]]
        if len(own) < 2:
            continue
        inside = labels == label
        rows, columns = (c[inside] for c in pixels)
        far = np.hypot(rows[:, None] - own[:, 0], columns[:, None] - own[:, 1])
        part = far.argmin(axis=1)
        labels[inside] = np.where(part == 0, label, int(labels.max()) + part)


def _renumbered(labels: IntArray) -> IntArray:
    there = np.bincount(labels) > 0
    there[0] = False
    return (np.cumsum(there) * there).astype(np.int32)[labels]


def edit_of_painting(
    before: IntArray, after: IntArray, pixel_size_um: float, cycle: int | None = None
) -> list[PoreEdit]:
    """What a stroke in a Labels layer means: pores wiped out, joined or parted.

    Parameters
    ----------
    before, after : (Y, X) int arrays
        The labels of one frame before and after the stroke.
    pixel_size_um : float
    cycle : int, optional

    Returns
    -------
    list of PoreEdit
        Empty where a stroke only moved outlines: areas are integrals and do not follow them.
    """
    changed = before != after
    found: list[PoreEdit] = []
    for old in np.unique(before[changed & (before > 0)]).tolist():
        was = before == old
        left = (after == old) & was
        now = np.unique(after[was & (after > 0)]).tolist()
        if not now:
            place = _inside(was, pixel_size_um)
            found.append(PoreEdit(kind="delete", places_um=(place,)))
        elif not left.any() and (before == now[0]).any():
            other = _inside(before == now[0], pixel_size_um)
            pair = (other, _inside(was, pixel_size_um))
            found.append(PoreEdit(kind="join", places_um=pair, cycle=cycle))
        elif len(now) > 1 and not any((before == n).any() for n in now if n != old):
            places = tuple(_inside((after == n) & was, pixel_size_um) for n in now)
            found.append(PoreEdit(kind="split", places_um=places, cycle=cycle))
    return found


def _inside(region: np.ndarray, pixel_size_um: float) -> tuple[float, float]:
    """The pixel of a region that is farthest from its outline, micrometres."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), region.shape)
    return float(row) * pixel_size_um, float(column) * pixel_size_um
