"""Nucleation sites of lithium metal: detection and hand edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import spatial

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import Float32Array, dark_level, least_light
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import Rows, by_rows, in_order
from napari_lithium_alloy.core.smoothing import LARGE_SIDE_PX, MAD_TO_SD, robust_sd
from napari_lithium_alloy.core.tables import conform, empty

SCALE_STEP = 1.25
SITE_SPACING = 0.7
"""Smallest distance of two sites in units of the larger one's radius."""
PROFILE_SMOOTHING = 0.5
"""Of a site's profile, in units of the Gaussian that answers most to it."""
ENOUGH_PX = 2**19
"""Pixels of a field that are enough to measure noise."""
WIDE_SIGMA_PX, HALVING_VARIANCE = 4.0, 1.5
"""Of a Gaussian, from which on a large picture is made half as large before; what that, and going
straight between its pixels, add to the Gaussian's variance, square pixels."""
MOST_SD, CLIPPINGS = 4.0, 5
"""Of outliers, which are not noise, and how often they are looked for."""
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
    over, kind = np.asarray(level, np.float32), recording.frames.dtype
    sums = np.zeros((2, *recording.field_shape), dtype=np.float32)

    def add(before: FloatArray, counts: NDArray[Any], dark: FloatArray, least: float) -> FloatArray:
        light = np.maximum(counts - dark, np.float32(least))
        return before + np.log10(light, out=light)

    ends = [*frames[:n], *frames[-n:]]
    for i, counts in enumerate(in_order(lambda t: recording.read(int(t)), ends)):
        least = least_light(counts if kind.kind in "ui" else counts - over, kind)
        sums[i // n] = pixelwise(add, sums[i // n], counts, over, least)
    sums /= np.float32(n)
    # Where lithium is darker, less light is more of it.
    brightens = parameters.polarity == "brightens"
    change: Float32Array = sums[1] - sums[0] if brightens else sums[0] - sums[1]
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
    if film.all():
        image = np.ascontiguousarray(change, dtype=np.float32)
    else:
        image = np.where(film, change, np.median(change[film])).astype(np.float32)
    sigmas = _scales(parameters, pixel_size_um)
    responses, noises = _responses(image, film, sigmas)
    peaks = _spaced(_peaks(responses, film, parameters.min_snr * noises), sigmas)
    if told is not None:
        peaks = peaks[told[peaks[:, 1], peaks[:, 2]]]
    centres, discs = _profiles(image, film, responses, peaks, sigmas)
    high = discs[:, 1] >= parameters.min_contrast
    peaks, centres, discs = peaks[high], centres[high], discs[high]
    if not len(peaks):
        return empty("sites")
    radius_um = discs[:, 0] * pixel_size_um
    columns = {
        "site": np.arange(1, len(peaks) + 1),
        "cycle": cycle,
        "y_um": centres[:, 0] * pixel_size_um,
        "x_um": centres[:, 1] * pixel_size_um,
        "radius_um": radius_um,
        "area_um2": np.pi * radius_um**2,
        "snr": responses[tuple(peaks.T)] / noises[peaks[:, 0]],
        "reason": "onset not measured yet",
        "contrast": discs[:, 1],
        "source": "detected",
        "locked": False,
    }
    return conform("sites", pd.DataFrame(columns))


def _scales(parameters: NucleationParameters, pixel_size_um: float) -> FloatArray:
    """Standard deviations of the Gaussians, pixels: a disc answers most at radius / sqrt 2."""
    low = max(1.0, parameters.min_radius_um / pixel_size_um / np.sqrt(2))
    high = max(low * SCALE_STEP, parameters.max_radius_um / pixel_size_um / np.sqrt(2))
    n = int(np.ceil(np.log(high / low) / np.log(SCALE_STEP))) + 1
    return np.asarray(np.geomspace(low, high, n))


def _responses(
    image: Float32Array, film: BoolArray, sigmas: FloatArray
) -> tuple[Float32Array, FloatArray]:
    """Responses (K, Y, X) and the noise of each scale: white noise or texture, the larger."""
    from napari_lithium_alloy.core.kernels.disc_detection import clipped_noise

    some = slice(None, None, max(1, image.size // ENOUGH_PX))
    some_film = film[some]
    white = robust_sd(_laplace(image, some)[some_film]) / np.sqrt(20)
    responses = np.empty((len(sigmas), *image.shape), dtype=np.float32)
    half = _halved(image) if min(image.shape) >= LARGE_SIDE_PX else None
    for sigma, response in zip(sigmas, responses, strict=True):
        if half is None or sigma < WIDE_SIGMA_PX:
            _respond(image, sigma, response)
        else:
            _respond_in_halves(half, sigma, response)

    def noise(k: int) -> float:
        inside = responses[k][some][some_film]
        values = inside if inside.size else responses[k][film]
        return float(clipped_noise(values, MAD_TO_SD, MOST_SD, CLIPPINGS))

    of_texture = np.array(list(in_order(noise, range(len(sigmas)))))
    of_white = white / (np.sqrt(2 * np.pi) * sigmas)
    return responses, np.maximum(np.maximum(of_white, of_texture), 1e-9)


def _respond(image: Float32Array, sigma: float, out: Float32Array) -> None:
    from napari_lithium_alloy.core.kernels.disc_detection import laplacian

    weights = _laplacian_weights(sigma)
    finish(by_rows(lambda rows: laplacian(image, weights, rows, out), len(image)))


def _halved(image: Float32Array) -> Float32Array:
    """A picture of half the size, of means over four pixels to a side with weights of a hat."""

    def mean(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
        return np.float32(0.375) * (b + c) + np.float32(0.125) * (a + d)

    height, width = (-(-n // 2) for n in image.shape)
    padded = np.pad(image, [(1, 1 + n % 2) for n in image.shape], mode="symmetric")
    rows = pixelwise(mean, *(padded[i : i + 2 * height : 2] for i in range(4)))
    return pixelwise(mean, *(rows[:, i : i + 2 * width : 2] for i in range(4)))


def _respond_in_halves(half: Float32Array, sigma: float, out: Float32Array) -> None:
    """The same from a picture of half the size; between its pixels it goes straight."""
    from napari_lithium_alloy.core.kernels.cell_maps import between_cells
    from napari_lithium_alloy.core.kernels.disc_detection import laplacian

    own = float(np.sqrt(sigma**2 - HALVING_VARIANCE)) / 2
    weights, coarse = _laplacian_weights(own), np.empty_like(half)
    weights[1] *= (sigma / (2 * own)) ** 2
    finish(by_rows(lambda rows: laplacian(half, weights, rows, coarse), len(half)))
    finish(by_rows(lambda rows: between_cells(coarse, 2, rows, out), len(out)))


def _laplace(image: Float32Array, some: slice) -> Float32Array:
    """Second differences in some rows; beyond the edges the picture is mirrored."""
    rows = np.arange(len(image))[some]
    last = len(image) - 1
    middle = np.pad(image[rows], ((0, 0), (1, 1)), mode="edge")
    around = image[np.maximum(rows - 1, 0)] + image[np.minimum(rows + 1, last)]
    return np.asarray(around + middle[:, 2:] + middle[:, :-2] - 4 * middle[:, 1:-1])


def _gaussian_weights(sigma: float) -> tuple[FloatArray, FloatArray]:
    """Half a Gaussian, cut at four standard deviations, and its second derivative."""
    steps = np.arange(int(4 * sigma + 0.5) + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    weights /= 2 * weights.sum() - weights[0]
    return weights, weights * (steps**2 / sigma**4 - 1 / sigma**2)


def _laplacian_weights(sigma: float) -> Float32Array:
    """Both for an even number of pixels to a side, so that their product with each other is it."""
    plain, bent = _gaussian_weights(sigma)
    weights = np.zeros((2, len(plain) + (len(plain) + 1) % 2), dtype=np.float32)
    weights[:, : len(plain)] = plain, -(sigma**2) * bent
    return weights


def _peaks(
    responses: Float32Array, film: BoolArray, least: FloatArray
) -> tuple[IntArray, Float32Array]:
    """Maxima over position and scale (N, 3), scale, row, column, strongest first, and how strong.

    `least` is the smallest response of each scale.
    """
    from napari_lithium_alloy.core.kernels.disc_detection import peaks_over

    found: dict[int, IntArray] = {}

    def find(rows: Rows) -> None:
        found[rows[0]] = peaks_over(responses, film, least, rows)

    finish(by_rows(find, len(film)))
    at = np.concatenate(list(found.values()))
    strength = responses[tuple(at.T)]
    order = np.lexsort((*at.T[::-1], strength))[::-1]
    return at[order], strength[order]


def _spaced(peaks: tuple[IntArray, Float32Array], sigmas: FloatArray) -> IntArray:
    """Scale, row, column of peaks, strongest first, that keep their distance from stronger ones."""
    from napari_lithium_alloy.core.kernels.laplacians import spaced

    at, _ = peaks
    places = np.ascontiguousarray(at[:, 1:], dtype=np.int64)
    kept = spaced(places, sigmas[at[:, 0]] * np.sqrt(2), SITE_SPACING)
    return np.ascontiguousarray(at[kept])


def _profiles(
    image: Float32Array,
    film: BoolArray,
    responses: Float32Array,
    peaks: IntArray,
    sigmas: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """(N, 2) places of maxima between pixels; (N, 2) radii at half height, pixels, and contrasts.

    Around each the picture is smoothed by half of the Gaussian that answers most.
    """
    from napari_lithium_alloy.core.kernels.disc_detection import disc_profiles, refine_peaks

    centres, discs = np.empty((len(peaks), 2)), np.empty((len(peaks), 2))
    refine_peaks(responses, peaks, centres)
    halves = [_gaussian_weights(PROFILE_SMOOTHING * sigma)[0] for sigma in sigmas]
    weights = np.zeros((len(halves), max(map(len, halves))), dtype=np.float32)
    for own, half in zip(weights, halves, strict=True):
        own[: len(half)] = half
    scale = peaks[:, 0].astype(np.int64)
    radii = sigmas[scale] * np.sqrt(2)

    def fill(some: Rows) -> None:
        own = slice(*some)
        disc_profiles(image, film, centres[own], radii[own], (scale[own], weights), discs[own])

    finish(by_rows(fill, len(peaks)))
    return centres, discs


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
