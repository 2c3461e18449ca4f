"""Nucleation sites of lithium metal: detection and hand edits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, spatial

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import Float32Array, dark_level, lit
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.smoothing import robust_sd
from napari_lithium_alloy.core.tables import conform, empty

SCALE_STEP = 1.25
SITE_SPACING = 0.7
"""Smallest distance of two sites in units of the larger one's radius."""
PROFILE_SMOOTHING = 0.5
"""Of a site's profile, in units of the Gaussian that answers most to it."""
ENOUGH_PX = 2**19
"""Pixels of a field that are enough to measure noise."""
HAND_SOURCES = ("added", "moved")
SAME_SITE_UM = 0.3
"""Distance within which two detections are one site."""


@dataclass(frozen=True, kw_only=True)
class NucleationParameters:
    """How nucleation sites are found.

    Attributes
    ----------
    min_snr : float
        Smallest response of a site in units of its noise.
    min_contrast : float
        Smallest change of absorbance from a site's surroundings to its centre.
    min_radius_um, max_radius_um : float
        Range of radii looked for, micrometres.
    averaged_frames : int
        Frames averaged at each end of the stage where only the change over it is looked at.
    polarity : {"auto", "darkens", "brightens", "either"}
        Whether lithium is darker or brighter than the film, or rough and both; auto: darker.
    psf_sigma_px : float or None
        Standard deviation of the point spread, pixels; None: that of the recording's optics,
        else 0.13 um.
    """

    min_snr: float = 5.2
    min_contrast: float = 0.05
    min_radius_um: float = 0.1
    max_radius_um: float = 0.8
    averaged_frames: int = 5
    polarity: Literal["auto", "darkens", "brightens", "either"] = "auto"
    psf_sigma_px: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.min_radius_um < self.max_radius_um:
            raise AlloyError(
                f"Site radii from {self.min_radius_um:g} to {self.max_radius_um:g} um are no "
                "range; give a positive min_radius_um below max_radius_um."
            )


def log_light(
    recording: Recording, t: int, dark: float | FloatArray, *, darkens: bool
) -> Float32Array:
    """Decades of light, the change that lithium makes positive."""
    counts = recording.read(t).astype(np.float32) - np.asarray(dark, np.float32)
    log = np.log10(lit(counts, recording.frames.dtype))
    return np.asarray(-log if darkens else log, dtype=np.float32)


def change_image(
    recording: Recording,
    start_s: float,
    end_s: float,
    parameters: NucleationParameters | None = None,
    *,
    dark: float | FloatArray | None = None,
) -> Float32Array:
    """(Y, X) float32 change of absorbance over a stage, positive where lithium appeared.

    With the polarity "either" it is the size of the change less the field's median change.

    Raises
    ------
    AlloyError
        If fewer than two frames lie in the range.
    """
    parameters = parameters or NucleationParameters()
    frames = recording.frames_between(start_s, end_s)
    if len(frames) < 2:
        raise AlloyError(
            f"{recording.name}: fewer than two frames lie between {start_s:g} and {end_s:g} s; "
            "choose a longer stage."
        )
    n = max(1, min(parameters.averaged_frames, len(frames) // 2))
    level = dark_level(recording) if dark is None else dark
    darkens = parameters.polarity != "brightens"
    before, after = (
        np.mean([log_light(recording, int(t), level, darkens=darkens) for t in some], axis=0)
        for some in (frames[:n], frames[-n:])
    )
    change = np.asarray(after - before, dtype=np.float32)
    return np.abs(change - np.median(change)) if parameters.polarity == "either" else change


def detect_sites(
    change: FloatArray,
    pixel_size_um: float,
    parameters: NucleationParameters | None = None,
    *,
    valid: BoolArray | None = None,
    cycle: int = 1,
    told: BoolArray | None = None,
) -> pd.DataFrame:
    """Find lithium discs as maxima of the scale-normalized Laplacian of Gaussians.

    Parameters
    ----------
    change : numpy.ndarray
        (Y, X) change of absorbance, positive where lithium appeared.
    pixel_size_um : float
    parameters : NucleationParameters, optional
    valid : (Y, X) bool array, optional
        The film.
    cycle : int
    told : (Y, X) bool array, optional
        Where sites are of interest; None: everywhere.

    Returns
    -------
    pandas.DataFrame
        The table `sites`, onsets not yet known.

    References
    ----------
    Lindeberg, Int. J. Comput. Vis. 1998, 30, 79 (DOI 10.1023/A:1008045108935).
    """
    parameters = parameters or NucleationParameters()
    film = np.ones(change.shape, dtype=bool) if valid is None else valid
    film = film & np.isfinite(change)
    if not film.any():
        return empty("sites")
    image = np.where(film, change, np.median(change[film]))
    sigmas = _scales(parameters, pixel_size_um)
    responses, noises = _responses(image, film, sigmas)
    smooth = [_gaussian(image, PROFILE_SMOOTHING * sigma) for sigma in sigmas]
    rows: list[dict[str, Any]] = []
    for k, y, x in _spaced(_peaks(responses, film, parameters.min_snr * noises), sigmas):
        if told is not None and not told[y, x]:
            continue
        centre = _refined(responses[k], y, x)
        radius_px, contrast = _profile(smooth[k], film, centre, sigmas[k] * np.sqrt(2))
        if contrast < parameters.min_contrast:
            continue
        rows.append(
            {
                "site": len(rows) + 1,
                "cycle": cycle,
                "y_um": centre[0] * pixel_size_um,
                "x_um": centre[1] * pixel_size_um,
                "radius_um": radius_px * pixel_size_um,
                "area_um2": np.pi * (radius_px * pixel_size_um) ** 2,
                "snr": responses[k, y, x] / noises[k],
                "reason": "onset not measured yet",
                "contrast": contrast,
                "source": "detected",
                "locked": False,
            }
        )
    return conform("sites", pd.DataFrame(rows)) if rows else empty("sites")


def _scales(parameters: NucleationParameters, pixel_size_um: float) -> FloatArray:
    """Standard deviations of the Gaussians, pixels: a disc answers most at radius / sqrt 2."""
    low = max(1.0, parameters.min_radius_um / pixel_size_um / np.sqrt(2))
    high = max(low * SCALE_STEP, parameters.max_radius_um / pixel_size_um / np.sqrt(2))
    n = int(np.ceil(np.log(high / low) / np.log(SCALE_STEP))) + 1
    return np.asarray(np.geomspace(low, high, n))


def _responses(
    image: FloatArray, film: BoolArray, sigmas: FloatArray
) -> tuple[Float32Array, FloatArray]:
    """Responses (K, Y, X) and the noise of each scale: white noise or texture, the larger."""
    some = slice(None, None, max(1, image.size // ENOUGH_PX))
    white = robust_sd(ndimage.laplace(image)[some][film[some]]) / np.sqrt(20)
    responses = np.zeros((len(sigmas), *image.shape), dtype=np.float32)
    picture, noises = np.ascontiguousarray(image, dtype=np.float32), []
    for sigma, response in zip(sigmas, responses, strict=True):
        plain, bent = _gaussian_weights(sigma)
        _add_filtered(picture, -(sigma**2) * bent, plain, response)
        _add_filtered(picture, -(sigma**2) * plain, bent, response)
        of_white = white / (np.sqrt(2 * np.pi) * sigma)
        inside = response[some][film[some]]
        of_texture = _clipped_noise(inside if inside.size else response[film])
        noises.append(max(of_white, of_texture, 1e-9))
    return responses, np.array(noises)


def _gaussian_weights(sigma: float) -> tuple[FloatArray, FloatArray]:
    """A Gaussian, cut at four standard deviations, and its second derivative."""
    half = int(4 * sigma + 0.5)
    steps = np.arange(-half, half + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    weights /= weights.sum()
    return weights, weights * (steps**2 / sigma**4 - 1 / sigma**2)


def _gaussian(image: FloatArray, sigma: float) -> Float32Array:
    weights, _ = _gaussian_weights(sigma)
    out = np.zeros(image.shape, dtype=np.float32)
    _add_filtered(np.ascontiguousarray(image, dtype=np.float32), weights, weights, out)
    return out


def _add_filtered(
    image: Float32Array, down: FloatArray, across: FloatArray, out: Float32Array
) -> None:
    from napari_lithium_alloy.core.kernels.laplacians import add_separable

    weights = down.astype(np.float32), across.astype(np.float32)
    finish(by_rows(lambda rows: add_separable(image, *weights, rows, out), len(out)))


def _clipped_noise(values: FloatArray) -> float:
    """Robust standard deviation about 0 of what is left when outliers, the sites, are gone."""
    sizes = np.abs(values)
    for _ in range(5):
        noise = robust_sd(sizes)
        inside = sizes <= 4 * noise
        if inside.all():
            break
        sizes = sizes[inside]
    return noise


def _peaks(
    responses: Float32Array, film: BoolArray, least: FloatArray
) -> tuple[IntArray, Float32Array]:
    """Maxima over position and scale (N, 3), scale, row, column, strongest first, and how strong.

    `least` is the smallest response of each scale.
    """
    from napari_lithium_alloy.core.kernels.depositions import mark_peaks

    marks, lowest = np.zeros(responses.shape, dtype=bool), float(least.min())
    find = partial(mark_peaks, responses, film, 1.0, lowest)
    finish(by_rows(lambda rows: find(rows, marks), len(film)))
    at = np.argwhere(marks)
    strength = responses[tuple(at.T)]
    enough = strength >= least[at[:, 0]]
    at, strength = at[enough], strength[enough]
    order = np.lexsort((*at.T[::-1], strength))[::-1]
    return at[order], strength[order]


def _spaced(peaks: tuple[IntArray, Float32Array], sigmas: FloatArray) -> list[list[int]]:
    """Scale, row, column of peaks, strongest first, that keep their distance from stronger ones."""
    from napari_lithium_alloy.core.kernels.laplacians import spaced

    at, _ = peaks
    kept = spaced(np.ascontiguousarray(at[:, 1:]), sigmas[at[:, 0]] * np.sqrt(2), SITE_SPACING)
    found: list[list[int]] = at[kept].tolist()
    return found


def _refined(response: FloatArray, y: int, x: int) -> tuple[float, float]:
    """Sub-pixel maximum by a parabola along each axis."""
    centre = []
    for axis, at in enumerate((y, x)):
        line = np.take(response, x if axis == 0 else y, axis=1 - axis)
        if not 0 < at < len(line) - 1:
            centre.append(float(at))
            continue
        left, middle, right = (float(v) for v in line[at - 1 : at + 2])
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
        centre.append(at + float(np.clip(shift, -0.5, 0.5)))
    return centre[0], centre[1]


def _profile(
    image: FloatArray, film: BoolArray, centre: tuple[float, float], radius_px: float
) -> tuple[float, float]:
    """Radius at half height and contrast of a disc, from its profile in rings of a pixel."""
    reach = int(np.ceil(2.5 * radius_px)) + 3
    low = np.maximum(np.round(centre).astype(int) - reach, 0)
    window = tuple(slice(a, a + 2 * reach + 1) for a in low)
    part, inside = image[window], film[window]
    rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
    distance = np.hypot(rows + low[0] - centre[0], columns + low[1] - centre[1])
    ring = np.floor(distance + 0.5).astype(int)
    rings = [part[inside & (ring == k)] for k in range(reach + 1)]
    means = np.array([v.mean() if v.size else np.nan for v in rings])
    around = part[inside & (distance > 1.6 * radius_px) & (distance <= reach)]
    base = float(np.percentile(around, 30)) if around.size else float(np.nanmin(means))
    top = float(np.nanmean(means[: max(1, round(0.4 * radius_px)) + 1]))
    half = (top + base) / 2
    below = np.flatnonzero(means < half)
    if not below.size or below[0] == 0:
        return radius_px, top - base
    i = int(below[0])
    share = (means[i - 1] - half) / (means[i - 1] - means[i])
    return float(i - 1 + share), top - base


def keep_edits(
    detected: pd.DataFrame, edited: pd.DataFrame, deleted_um: NDArray[Any]
) -> pd.DataFrame:
    """A new detection that keeps what was changed by hand.

    Parameters
    ----------
    detected : pandas.DataFrame
        The table `sites` of a new detection.
    edited : pandas.DataFrame
        The sites before it, with a column `source` (detected, added or moved) and, where some
        are, `locked`.
    deleted_um : numpy.ndarray
        (M, 2) positions (y, x) of sites deleted by hand, micrometres.

    Returns
    -------
    pandas.DataFrame
        Sites added, moved or locked by hand as they were, then the new ones that are not within
        `SAME_SITE_UM` of them or of a deleted one; with the columns `source` and `locked`.
    """
    by_hand = edited[_kept_by_hand(edited)] if len(edited) else edited
    taken = np.vstack(
        [
            np.asarray(deleted_um, dtype=float).reshape(-1, 2),
            by_hand[["y_um", "x_um"]].to_numpy(float) if len(by_hand) else np.empty((0, 2)),
        ]
    )
    new = detected.copy()
    new["source"] = pd.Series("detected", index=new.index, dtype="string")
    new["locked"] = pd.Series(False, index=new.index, dtype="boolean")
    if len(taken) and len(new):
        distance, _ = spatial.KDTree(taken).query(new[["y_um", "x_um"]].to_numpy(float))
        new = new[distance > SAME_SITE_UM]
    kept = pd.concat([p for p in (by_hand, new) if len(p)]) if len(by_hand) or len(new) else new
    kept = kept.reset_index(drop=True)
    kept["site"] = pd.array(np.arange(1, len(kept) + 1), dtype="Int64")
    return kept


def _kept_by_hand(edited: pd.DataFrame) -> pd.Series:
    """Which sites stay whatever a new detection finds."""
    by_hand = edited["source"].isin(HAND_SOURCES)
    if "locked" in edited:
        by_hand |= edited["locked"].astype("boolean").fillna(False).astype(bool)
    return by_hand
