"""Maps between two pictures from matched points on both."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray

Kind = Literal["translation", "rigid", "similarity", "affine"]
"""What may differ: a shift, with it a rotation, with these a scale, or any linear map."""

LEAST_POINTS: dict[Kind, int] = {"translation": 1, "rigid": 2, "similarity": 2, "affine": 3}
FREE_NUMBERS: dict[Kind, int] = {"translation": 2, "rigid": 3, "similarity": 4, "affine": 6}
COLLINEAR = 0.02
"""Width over length of a set of points that do not tell two directions apart."""


def check_points(moving: FloatArray, fixed: FloatArray, kind: Kind) -> None:
    """Raise AlloyError unless the pairs of points tell a map of this kind."""
    if len(moving) != len(fixed):
        raise AlloyError(
            f"There are {len(moving)} points on the moving picture and {len(fixed)} on the fixed "
            "one; mark the same places in the same order on both."
        )
    if not (np.isfinite(moving).all() and np.isfinite(fixed).all()):
        raise AlloyError("A landmark has no position; remove it from both pictures.")
    least = LEAST_POINTS[kind]
    if len(moving) < least:
        raise AlloyError(
            f"A {kind} alignment needs at least {least} pairs of points, and there are "
            f"{len(moving)}; mark more."
        )
    for points, name in ((moving, "moving"), (fixed, "fixed")):
        if not _tells(points, kind):
            where = "on one line" if kind == "affine" else "in one place"
            what = "mark one off that line" if kind == "affine" else "mark them apart"
            raise AlloyError(
                f"All points on the {name} picture lie {where}, which does not tell the "
                f"{kind} alignment; {what}."
            )


def _tells(points: FloatArray, kind: Kind) -> bool:
    """Whether points of this arrangement determine a map of this kind."""
    if len(points) < LEAST_POINTS[kind]:
        return False
    if kind == "translation":
        return True
    long, wide = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[:2]
    return bool(long > 0 and (kind != "affine" or wide > COLLINEAR * long))


def fitted_map(moving: FloatArray, fixed: FloatArray, kind: Kind) -> FloatArray:
    """(3, 3) map of least squares from moving to fixed points."""
    from_middle, to_middle = moving.mean(axis=0), fixed.mean(axis=0)
    p, q = moving - from_middle, fixed - to_middle
    linear = np.eye(2)
    if kind == "affine":
        linear = np.linalg.lstsq(p, q)[0].T
    elif kind != "translation":
        u, stretch, vt = np.linalg.svd(q.T @ p)
        proper = np.array([1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
        linear = (u * proper) @ vt
        if kind == "similarity":
            linear = linear * float((stretch * proper).sum() / (p**2).sum())
    affine = np.eye(3)
    affine[:2, :2] = linear
    affine[:2, 2] = to_middle - linear @ from_middle
    return affine


def distances(affine: FloatArray, moving: FloatArray, fixed: FloatArray) -> FloatArray:
    """(N,) distance of each moving point, mapped, from its fixed one."""
    off = moving @ affine[:2, :2].T + affine[:2, 2] - fixed
    return np.hypot(off[:, 0], off[:, 1])


def left_out_distances(moving: FloatArray, fixed: FloatArray, kind: Kind) -> FloatArray:
    """(N,) distance of each point under the map of all others; NaN where they don't tell it."""
    errors = np.full(len(moving), np.nan)
    for n in range(len(moving)):
        others = np.arange(len(moving)) != n
        if _tells(moving[others], kind):
            affine = fitted_map(moving[others], fixed[others], kind)
            errors[n] = distances(affine, moving[n : n + 1], fixed[n : n + 1])[0]
    return errors


def middle_sd(residual_um: FloatArray, kind: Kind) -> FloatArray:
    """(2,) standard deviation of the shift at the points' middle; NaN without points to spare."""
    spare = 2 * len(residual_um) - FREE_NUMBERS[kind]
    if spare <= 0:
        return np.full(2, np.nan)
    squared = float((residual_um**2).sum())
    return np.full(2, math.sqrt(squared / spare / len(residual_um)))
