"""Other pictures laid over a recording: maps between worlds, and layers that follow them.

All maps are in micrometres; a layer's own affine is in the layer's unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.alignment import Alignment, corrected_alignment
from napari_lithium_alloy.core.recording import FloatArray, Recording, Region

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_lithium_alloy._napari.opened import Opened
    from napari_lithium_alloy._napari.session import Session


@dataclass(frozen=True, eq=False, kw_only=True)
class Laid:
    """How a recording lies on another one.

    Attributes
    ----------
    alignment : Alignment
    onto : Opened
        The recording it lies on.
    as_read : bool
        Whether the alignment is of the frames as they were read; where drift is taken out of
        either, the map changes.
    """

    alignment: Alignment
    onto: Opened
    as_read: bool

    def affine_of(self, moving: Opened) -> FloatArray:
        """(3, 3) from the moving recording's own world to where it is shown."""
        found = self.alignment
        if self.as_read and (taken_out(moving) or taken_out(self.onto)):
            found = corrected_alignment(
                found, self.onto.as_read, _shifts(self.onto), moving.as_read, _shifts(moving)
            )
        return np.asarray(self.onto.affine @ found.affine)


def taken_out(opened: Opened) -> bool:
    """Whether drift is taken out of the frames in use."""
    return opened.correction is not None and opened.correction.moves


def _shifts(opened: Opened) -> FloatArray:
    if opened.correction is None:
        return np.zeros((opened.as_read.n_frames, 2))
    return opened.correction.shift_px


def um_per_unit(layer: Layer) -> float:
    """Micrometres in a layer's unit of length; 1 where it has none."""
    unit = layer.units[-1]
    return float((1 * unit).to("micrometer").m) if unit.is_compatible_with("micrometer") else 1.0


def affine_of_layer(layer: Layer) -> FloatArray:
    """(3, 3) where a layer is laid, in micrometres."""
    full = layer.affine.affine_matrix
    affine = np.eye(3)
    affine[:2, :2] = full[-3:-1, -3:-1]
    affine[:2, 2] = full[-3:-1, -1] * um_per_unit(layer)
    return affine


def lay(layer: Layer, affine: FloatArray) -> None:
    """Lay a layer by a map (3, 3) in micrometres; one in pixels then counts as micrometres."""
    if not layer.units[-1].is_compatible_with("micrometer"):
        layer.units = (*layer.units[:-2], "micrometer", "micrometer")
    full = np.eye(layer.ndim + 1)
    full[-3:-1, -3:-1] = affine[:2, :2]
    full[-3:-1, -1] = affine[:2, 2] / um_per_unit(layer)
    layer.affine = full


def lay_recording(session: Session, opened: Opened, *, own: bool = True) -> None:
    """Lay a recording's own layers, and those of recordings that lie on it, where they belong."""
    for layer in session.viewer.layers:
        if own and session.opened_of(layer) is opened:
            lay(layer, opened.affine)
    for other in session.opened:
        if other.laid is not None and other.laid.onto is opened:
            lay_recording(session, other)


def points_um(layer: Layer) -> FloatArray:
    """(N, 2) where the points of a layer are shown, micrometres."""
    world = np.array([layer.data_to_world(p)[-2:] for p in layer.data], dtype=float)
    return world.reshape(-1, 2) * um_per_unit(layer)


def mapped(affine: FloatArray, points: FloatArray) -> FloatArray:
    """(N, 2) points under a map (3, 3)."""
    return np.asarray(np.asarray(points) @ affine[:2, :2].T + affine[:2, 2])


def regions_onto(
    regions: list[Region], fixed: tuple[Recording, FloatArray], moving: tuple[Recording, FloatArray]
) -> list[Region]:
    """Regions of one recording in pixels of another, each given with where it is laid."""
    from_um, to_um = (r.pixel_size("Taking over regions") for r, _ in (fixed, moving))
    onto = np.linalg.inv(moving[1]) @ fixed[1]
    return [
        Region(name=r.name, kind=r.kind, vertices_px=mapped(onto, r.vertices_px * from_um) / to_um)
        for r in regions
    ]


def alignment_table(picture: str, onto: str, found: Alignment) -> pd.DataFrame:
    """One row that says how a picture lies on another."""
    same = {True: "yes", False: "no", None: "not known"}[found.same_field]
    row = {
        "picture": picture,
        "onto": onto,
        "kind": found.kind,
        "shift_y_um": found.shift_um[0],
        "shift_x_um": found.shift_um[1],
        "shift_y_sd_um": found.sd_um[0],
        "shift_x_sd_um": found.sd_um[1],
        "rotation_deg": found.rotation_deg,
        "rotation_sd_deg": found.rotation_sd_deg,
        "scale": found.scale,
        "same_field": same if found.residual_um is None else "as marked",
    }
    return pd.DataFrame([row])


def landmarks_table(
    picture: str, moving_um: FloatArray, fixed_um: FloatArray, found: Alignment
) -> pd.DataFrame:
    """A row for each pair of matched points, with its residual."""
    return pd.DataFrame(
        {
            "picture": picture,
            "point": np.arange(1, len(moving_um) + 1),
            "residual_um": found.residual_um,
            "left_out_um": found.left_out_um,
            "y_um": fixed_um[:, 0],
            "x_um": fixed_um[:, 1],
            "picture_y": moving_um[:, 0],
            "picture_x": moving_um[:, 1],
        }
    )


def with_picture(known: pd.DataFrame | None, rows: pd.DataFrame) -> pd.DataFrame:
    """A table with the rows of one picture in place of those it had."""
    if known is None:
        return rows
    others = known[~known["picture"].isin(rows["picture"])]
    return pd.concat([others, rows], ignore_index=True) if len(others) else rows


def sentence(found: Alignment) -> str:
    """How a picture was laid, with its uncertainty."""
    turn = round(found.rotation_deg, 2) + 0.0  # no -0.00
    turned = _with_sd(f"turned by {turn:.2f}", found.rotation_sd_deg, "°")
    if found.kind in ("similarity", "affine"):
        sd = float(np.max(found.sd_um))
        sure = f", right to {sd:.3f} µm at its middle" if np.isfinite(sd) else ""
        return f"Scaled by {found.scale:.4g}, {turned}{sure}."
    parts = [
        _with_sd(f"{by:.3f}", sd, "µm", digits=3)
        for by, sd in zip(found.shift_um, found.sd_um, strict=True)
    ]
    words = f"Moved by {parts[0]} in rows, {parts[1]} in columns"
    return f"{words}{'' if found.kind == 'translation' else f', {turned}'}."


def _with_sd(value: str, sd: float, unit: str, *, digits: int = 2) -> str:
    return f"{value} ± {sd:.{digits}f} {unit}" if np.isfinite(sd) else f"{value} {unit}"
