"""Where the picture of one recording lies on that of another, or on an image from elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from napari_lithium_alloy.core.change_images import (
    SEGMENT_SIGNAL,
    ChangeImages,
    change_images,
    common_times,
)
from napari_lithium_alloy.core.change_matching import Fit, Found, refine, search
from napari_lithium_alloy.core.landmarks import (
    Kind,
    check_points,
    distances,
    fitted_map,
    left_out_distances,
    middle_sd,
)
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import FloatArray, Recording

SAME_FIELD = 3.0
"""Scores over the largest far from them: at and above it the fields are the same, ..."""
OTHER_FIELD = 2.0
"""... and below it not; between them it cannot be told."""
LEAST_SIGNAL = 3.0
"""Power of change over that of noise below which nothing is told."""
ANGLE_STEP_DEG = 2.0
FLOOR_PX = 0.03
"""What a fit does not say of its error, in pixels compared: contrasts that differ in kind."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Alignment:
    """An affine map from one picture's world to another's, and how far to trust it.

    Attributes
    ----------
    kind : {"translation", "rigid", "similarity", "affine"}
    affine : numpy.ndarray
        (3, 3) in micrometres (row, column, 1): world positions of the moving picture to those of
        the fixed one, as `layer.affine` of napari takes it. The world's origin is the centre of
        a picture's first pixel.
    centre_um : numpy.ndarray
        (2,) place in the moving picture at which the standard deviations hold.
    sd_um : numpy.ndarray
        (2,) standard deviations of the shift in rows and columns; NaN where not known.
    rotation_sd_deg : float
    correlation : float
        Multiple correlation of what changes in both pictures; NaN for landmarks.
    residual_um : numpy.ndarray or None
        (N,) distance of each landmark from its partner after the map.
    left_out_um : numpy.ndarray or None
        (N,) that distance when the map is made without this landmark: the error to expect; NaN
        where the others do not tell the map.
    same_field : bool or None
        Whether both pictures show one field; None: it cannot be told, or points were given.
    note : str
        What the user should know, in one sentence.
    """

    kind: Kind
    affine: FloatArray
    centre_um: FloatArray
    sd_um: FloatArray
    rotation_sd_deg: float
    correlation: float = float("nan")
    residual_um: FloatArray | None = None
    left_out_um: FloatArray | None = None
    same_field: bool | None = None
    note: str = ""

    def apply(self, points_um: FloatArray) -> FloatArray:
        """(N, 2) positions of the moving picture's world in the fixed one's."""
        return np.asarray(points_um) @ self.affine[:2, :2].T + self.affine[:2, 2]

    @property
    def inverse(self) -> FloatArray:
        """(3, 3) the map from the fixed picture's world to the moving one's."""
        return np.linalg.inv(self.affine)

    @property
    def shift_um(self) -> FloatArray:
        """(2,) by how much the moving picture's centre moves."""
        return np.asarray(self.apply(self.centre_um[None])[0] - self.centre_um)

    @property
    def rotation_deg(self) -> float:
        """Rotation from rows towards columns, degrees."""
        linear = self.affine[:2, :2]
        return math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))

    @property
    def scale(self) -> float:
        """Square root of the factor by which areas grow."""
        return math.sqrt(abs(float(np.linalg.det(self.affine[:2, :2]))))


@dataclass(frozen=True, kw_only=True)
class AlignmentParameters:
    """How two recordings are aligned.

    Attributes
    ----------
    kind : {"translation", "rigid", "similarity", "affine"}
        What may differ between the two pictures besides their pixel size.
    most_rotation_deg : float
        Largest rotation that is searched, either way; not for a translation.
    most_times : int
        Most times at which they are compared.
    """

    kind: Kind = "translation"
    most_rotation_deg: float = 6.0
    most_times: int = 64


def align_recordings(
    fixed: Recording, moving: Recording, parameters: AlignmentParameters | None = None
) -> Work[Alignment]:
    """The map that lays one recording on another of the same field, such as epi on trans.

    What changes with time is compared, so the contrasts need not agree (alloy darkens trans and
    brightens epi, lithium darkens both), and what is fixed to the sensor plays no part. The
    recordings may be given as they were taken, as the film moves in both by the same path, or,
    better where it moves far, with the drift taken out of both.

    Parameters
    ----------
    fixed, moving : Recording
        On one clock. Frame rates, pixel sizes and sizes of the field may differ.
    parameters : AlignmentParameters, optional

    Returns
    -------
    Alignment
        Its `same_field` is False for pictures of different places or samples: the map is then
        meaningless.

    Raises
    ------
    AlloyError
        If a pixel size is not known, or they share fewer than four times.
    """
    parameters = parameters or AlignmentParameters()
    a, b, times = yield from part(
        change_images(fixed, moving, most_times=parameters.most_times), 0, 80, 100
    )
    # Slopes are of the source: in one that is mostly noise they slow the steps, hide the error.
    turned = b.signal < min(a.signal, SEGMENT_SIGNAL)
    onto, source = (b, a) if turned else (a, b)
    found = search(onto, source, _angles(parameters))
    yield 85, 100
    fit = refine(onto, source, found, parameters.kind)
    yield 100, 100
    same, note = _judged(a, b, found, fit, (fixed.name, moving.name))
    affine = _world_map(onto, source, fit)
    sd_um, rotation_sd = _deviations(onto, fit, parameters.kind)
    rows_columns = np.array(moving.field_shape)
    return Alignment(
        kind=parameters.kind,
        affine=np.linalg.inv(affine) if turned else affine,
        centre_um=(rows_columns - 1) / 2 * moving.pixel_size("Aligning recordings"),
        sd_um=sd_um,
        rotation_sd_deg=rotation_sd,
        correlation=fit.correlation,
        same_field=same,
        note=f"{note} ({len(times)} times compared.)",
    )


def corrected_alignment(
    alignment: Alignment,
    fixed: Recording,
    fixed_shift_px: FloatArray,
    moving: Recording,
    moving_shift_px: FloatArray,
) -> Alignment:
    """The map between two recordings once drift is taken out of each, from that of the raw ones.

    Each recording is shifted back to its own first frame, and these were taken at different
    times: the map changes by how far the film moved in between.

    Parameters
    ----------
    alignment : Alignment
        Of the recordings as they were taken.
    fixed, moving : Recording
    fixed_shift_px, moving_shift_px : numpy.ndarray
        (T, 2) drift that is taken out of each; zeros where none is.

    Raises
    ------
    AlloyError
        If they share too few times.
    """
    times = common_times(fixed, moving, AlignmentParameters().most_times)
    drift_um = [
        r.pixel_size("Aligning recordings")
        * np.stack([np.interp(times, r.times_s, along) for along in np.asarray(shift).T], axis=1)
        for r, shift in ((fixed, fixed_shift_px), (moving, moving_shift_px))
    ]
    affine = alignment.affine.copy()
    affine[:2, 2] += np.median(drift_um[1] @ affine[:2, :2].T - drift_um[0], axis=0)
    return replace(alignment, affine=affine)


def _angles(parameters: AlignmentParameters) -> list[float]:
    most = 0.0 if parameters.kind == "translation" else abs(parameters.most_rotation_deg)
    steps = math.ceil(most / ANGLE_STEP_DEG)
    return [ANGLE_STEP_DEG * n for n in range(-steps, steps + 1)]


def _judged(
    a: ChangeImages, b: ChangeImages, found: Found, fit: Fit, names: tuple[str, str]
) -> tuple[bool | None, str]:
    """Whether they show one field, and the sentence that says so.

    The score of the best shift is compared with the best one far from it, which is what chance
    gives in fields of this structure.
    """
    ratio = found.score / max(found.chance, 1e-12)
    said = f"the best shift fits {ratio:.1f} times as well as chance"
    both = f"{names[0]} and {names[1]}"
    if ratio >= SAME_FIELD and fit.settled:
        return True, f"{both} show the same field: {said}."
    for images, name in ((a, names[0]), (b, names[1])):
        if images.signal < LEAST_SIGNAL:
            return None, f"Too little changes in {name} over its noise to tell how they lie."
    if ratio < OTHER_FIELD:
        return False, f"{both} are not the same field: {said}."
    return None, f"Whether {both} show the same field cannot be told: {said}."


def _world_map(a: ChangeImages, b: ChangeImages, fit: Fit) -> FloatArray:
    """(3, 3) from the moving recording's world to the fixed one's, micrometres."""
    onto = np.eye(3)
    onto[:2, :2] = fit.linear * b.pixel_um / a.pixel_um
    onto[:2, 2] = b.origin_um + b.pixel_um * fit.offset_px - onto[:2, :2] @ np.full(2, a.origin_um)
    return np.linalg.inv(onto)


def _deviations(a: ChangeImages, fit: Fit, kind: Kind) -> tuple[FloatArray, float]:
    """Standard deviations of the shift at the field's centre (um) and of the rotation (deg)."""
    covariance = fit.covariance
    sd_um = a.pixel_um * np.hypot(np.sqrt(np.diag(covariance)[:2]), FLOOR_PX)
    if kind == "translation":
        return sd_um, 0.0
    turn = np.array([0, -0.5, 0.5, 0]) if kind == "affine" else np.eye(len(covariance) - 2)[0]
    variance = float(turn @ covariance[2:, 2:] @ turn)
    floor = 2 * FLOOR_PX / max(a.valid.shape)
    return sd_um, math.degrees(math.hypot(math.sqrt(max(variance, 0)), floor))


def align_landmarks(moving_um: FloatArray, fixed_um: FloatArray, kind: Kind = "rigid") -> Alignment:
    """The map that brings matched points together, by least squares.

    Rigid maps and similarities are Umeyama's (1991, DOI 10.1109/34.88573), never mirrored. With
    few points the residuals are much smaller than the error; the errors of points left out are not.

    Parameters
    ----------
    moving_um, fixed_um : numpy.ndarray
        (N, 2) rows and columns in micrometres, one below the other in the same order.
    kind : {"translation", "rigid", "similarity", "affine"}

    Returns
    -------
    Alignment

    Raises
    ------
    AlloyError
        If the points are too few, not paired, not finite, or do not tell the map.
    """
    moving, fixed = (np.asarray(p, dtype=float).reshape(-1, 2) for p in (moving_um, fixed_um))
    check_points(moving, fixed, kind)
    affine = fitted_map(moving, fixed, kind)
    residual = distances(affine, moving, fixed)
    left_out = left_out_distances(moving, fixed, kind)
    note = f"Residual {_rms(residual):.3g} um (root mean square of {len(moving)} points)"
    if np.isfinite(left_out).any():
        note += f"; {_rms(left_out):.3g} um for a point left out."
    else:
        note += "; too few points to tell the error: mark at least one more."
    return Alignment(
        kind=kind,
        affine=affine,
        centre_um=moving.mean(axis=0),
        sd_um=middle_sd(residual, kind),
        rotation_sd_deg=float("nan"),
        residual_um=residual,
        left_out_um=left_out,
        note=note,
    )


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.nanmean(values**2)))
