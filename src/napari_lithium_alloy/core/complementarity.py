"""Where two stages agree and where they complement each other: r, its null, and maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import fft

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.tables import conform

LEAST_PIXELS = 100
LEAST_OVERLAP = 0.5
"""Smallest share of the field two maps must keep in common under a shift."""
LEAST_SHIFTS = 20
SPARSE = 0.05
"""Share of the field under which a mask is called sparse."""
UNIFORM_SPREAD = 3.0
"""Onset spread, in units of its uncertainty, under which a step is called uniform."""


@dataclass(frozen=True, kw_only=True)
class ComplementarityParameters:
    """How two maps are compared.

    Attributes
    ----------
    progress : float
        Share of the alloyed area that is the middle of a step, 0 to 1.
    start_progress : float
        Share of the alloyed area that is the start of a step, 0 to 1.
    detrend : {"none", "plane", "quadratic"}
        Trend across the field taken out of both before r and its null; a quadratic one takes
        most of a lag from centre to edge.
    """

    progress: float = 0.5
    start_progress: float = 0.2
    detrend: Literal["none", "plane", "quadratic"] = "quadratic"


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Pearson's r of two maps beside what chance gives.

    Attributes
    ----------
    pearson_r : float
        NaN where it is not defined; `reason` says why.
    null_low, null_high : float
        95 % interval of r over all toroidal shifts of one map against the other.
    p_value : float
        Two-tailed share of shifts with at least this |r|; never less than one in the number of
        independent shifts.
    n_px : int
        Pixels compared.
    n_effective : float
        Number of independent samples that would give the null's width.
    attainable_r : float
        Largest |r| that two maps with these distributions of values could reach.
    reason : str
        Why r is NaN, or what to beware of; empty where there is nothing to say.
    """

    pearson_r: float
    null_low: float = math.nan
    null_high: float = math.nan
    p_value: float = math.nan
    n_px: int = 0
    n_effective: float = math.nan
    attainable_r: float = math.nan
    reason: str = ""


def alloyed_image(onset: OnsetMap, progress: float) -> Float32Array:
    """(Y, X) float32: 1 where alloyed once a share `progress` of the area is, 0 where not yet.

    NaN where it is not known when, or whether, the pixel alloyed.
    """
    if not 0 < progress < 1:
        raise AlloyError(f"The progress is {progress:g}; give one between 0 and 1, such as 0.5.")
    reached = onset.reached
    image = np.full(onset.onset_s.shape, np.nan, dtype=np.float32)
    if reached.any():
        at = np.quantile(onset.onset_s[reached], progress)
        image[reached] = (onset.onset_s[reached] <= at).astype(np.float32)
    return image


def is_uniform(onset: OnsetMap) -> bool:
    """Whether the onset's spread is under three times its uncertainty."""
    times = onset.onset_s[onset.reached]
    sd = onset.onset_sd_s[np.isfinite(onset.onset_sd_s)]
    if times.size < LEAST_PIXELS or not sd.size:
        return True
    spread = 0.7413 * np.subtract(*np.percentile(times, [75, 25]))
    return bool(spread < UNIFORM_SPREAD * np.median(sd))


def detrended(image: FloatArray, valid: BoolArray, degree: int) -> FloatArray:
    """(Y, X) the image less its least-squares polynomial of x and y over `valid`."""
    if degree == 0:
        return image
    rows, columns = image.shape
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    terms = [y**i * x**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    basis = np.stack([term[valid] for term in terms], axis=1)
    weights, *_ = np.linalg.lstsq(basis, image[valid], rcond=None)
    trend = np.tensordot(weights, np.stack(terms), axes=1)
    return np.asarray(image - trend)


def _prepared(
    a: FloatArray, b: FloatArray, parameters: ComplementarityParameters, valid: BoolArray | None
) -> tuple[FloatArray, FloatArray, BoolArray]:
    if a.shape != b.shape:
        raise AlloyError(
            f"The maps have different shapes, {a.shape} and {b.shape}; "
            "choose two of the same recording."
        )
    common = np.isfinite(a) & np.isfinite(b)
    common = common if valid is None else common & valid
    degree = {"none": 0, "plane": 1, "quadratic": 2}[parameters.detrend]
    if common.sum() <= LEAST_PIXELS:
        return a, b, common
    first, second = (detrended(np.asarray(i, dtype=float), common, degree) for i in (a, b))
    return first, second, common


def correlate(
    a: FloatArray,
    b: FloatArray,
    parameters: ComplementarityParameters | None = None,
    *,
    valid: BoolArray | None = None,
) -> Correlation:
    """Pearson's r of two maps, with the null of all toroidal shifts of one against the other.

    Maps of a film are smooth, so r has far fewer independent samples than pixels, and a p-value
    by pixels is wrong. Every shift of one map keeps both maps' smoothness and breaks their
    relation; all shifts at once follow from six Fourier transforms (masked normalized
    cross-correlation, Padfield 2012, DOI 10.1109/TIP.2011.2181402). Shifts that are shorter than
    the maps' own correlation length, or leave under half of the field in common, do not count.

    Parameters
    ----------
    a, b : numpy.ndarray
        (Y, X); NaN where unknown.
    parameters : ComplementarityParameters, optional
    valid : (Y, X) bool array, optional

    Raises
    ------
    AlloyError
        If the shapes differ.
    """
    parameters = parameters or ComplementarityParameters()
    first, second, common = _prepared(a, b, parameters, valid)
    n = int(common.sum())
    if n <= LEAST_PIXELS:
        return Correlation(
            pearson_r=math.nan, n_px=n, reason=f"only {n} pixels are known in both maps"
        )
    r = pearson(first[common], second[common])
    if not math.isfinite(r):
        return Correlation(pearson_r=r, n_px=n, reason="one of the maps is constant")
    shifts, overlap = shifted_correlations(first, second, common)
    length = max(_correlation_length(first, common), _correlation_length(second, common))
    usable = (_shift_lengths(first.shape) > length) & (overlap >= LEAST_OVERLAP * n)
    null = shifts[usable & np.isfinite(shifts)]
    independent = usable.sum() / max(length, 1.0) ** 2
    attainable = attainable_r(first[common], second[common], r)
    if independent < LEAST_SHIFTS:
        reason = "the field is too small against the maps' correlation length for a null"
        return Correlation(pearson_r=r, n_px=n, attainable_r=attainable, reason=reason)
    low, high = np.percentile(null, [2.5, 97.5])
    spread = float(np.var(null))
    sparse = min(_minority(first[common]), _minority(second[common])) < SPARSE
    return Correlation(
        pearson_r=r,
        null_low=float(low),
        null_high=float(high),
        p_value=max(_share_beyond(null, r), 1 / (1 + float(independent))),
        n_px=n,
        n_effective=min(float(n), 1 + 1 / spread) if spread > 0 else math.nan,
        attainable_r=attainable,
        reason="sparse mask: r cannot leave a narrow range, a test of placement decides"
        if sparse
        else "",
    )


def _share_beyond(null: FloatArray, r: float) -> float:
    return float((1 + (np.abs(null) >= abs(r)).sum()) / (1 + null.size))


def _minority(values: FloatArray) -> float:
    """Share of the rarer half of a map's range: small for a sparse mask."""
    middle = (float(values.min()) + float(values.max())) / 2
    share = float((values > middle).mean())
    return min(share, 1 - share)


def pearson(a: FloatArray, b: FloatArray) -> float:
    """Pearson's r of two samples; NaN where one is constant."""
    x, y = a - a.mean(), b - b.mean()
    scale = math.sqrt(float((x**2).sum() * (y**2).sum()))
    tiny = 1e-12 * max(1.0, float(np.abs(a).max()), float(np.abs(b).max())) * a.size
    return float((x * y).sum()) / scale if scale > tiny else math.nan


def attainable_r(a: FloatArray, b: FloatArray, r: float) -> float:
    """Largest |r| of r's sign that rearranging these values could give."""
    x, y = np.sort(a), np.sort(b)
    return abs(pearson(x, y if r >= 0 else y[::-1]))


def shifted_correlations(
    a: FloatArray, b: FloatArray, valid: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Pearson correlation of a with b shifted by every whole number of pixels, wrapping round.

    Returns
    -------
    r, overlap : numpy.ndarray
        (Y, X) r, and number of pixels valid in both, for each shift; [0, 0] is none.
    """
    mask = valid.astype(float)
    x = np.where(valid, a - a[valid].mean(), 0)
    y = np.where(valid, b - b[valid].mean(), 0)
    f_mask, f_x, f_y = fft.rfft2(mask), fft.rfft2(x), fft.rfft2(y)
    f_xx, f_yy = fft.rfft2(x**2), fft.rfft2(y**2)

    def cross(p: FloatArray, q: FloatArray) -> FloatArray:
        return np.asarray(fft.irfft2(p * np.conj(q), s=mask.shape))

    n = np.maximum(np.round(cross(f_mask, f_mask)), 1)
    sum_x, sum_y = cross(f_x, f_mask), cross(f_mask, f_y)
    covariance = cross(f_x, f_y) - sum_x * sum_y / n
    variance_x = cross(f_xx, f_mask) - sum_x**2 / n
    variance_y = cross(f_mask, f_yy) - sum_y**2 / n
    least = 1e-9 * (x**2).sum() * (y**2).sum()
    product = np.maximum(variance_x, 0) * np.maximum(variance_y, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where(product > least, covariance / np.sqrt(product), np.nan)
    return np.clip(r, -1, 1), n


def _shift_lengths(shape: tuple[int, ...]) -> FloatArray:
    rows = np.minimum(np.arange(shape[0]), shape[0] - np.arange(shape[0]))
    columns = np.minimum(np.arange(shape[1]), shape[1] - np.arange(shape[1]))
    return np.hypot(rows[:, np.newaxis], columns[np.newaxis, :])


def _correlation_length(image: FloatArray, valid: BoolArray) -> float:
    """Shift at which a map's own correlation has first fallen to 1/e, pixels."""
    own, _ = shifted_correlations(image, image, valid)
    lengths = _shift_lengths(image.shape)
    ring = np.round(lengths).astype(int)
    known = np.isfinite(own)
    counts = np.bincount(ring[known])
    profile = np.bincount(ring[known], weights=own[known]) / np.maximum(counts, 1)
    below = np.flatnonzero(profile < 1 / math.e)
    return float(below[0]) if below.size else float(lengths.max())


def local_agreement(
    a: FloatArray,
    b: FloatArray,
    parameters: ComplementarityParameters | None = None,
    *,
    valid: BoolArray | None = None,
) -> Float32Array:
    """(Y, X) float32 product of both maps' z-scores; its mean over the common field is r.

    Positive where the maps agree, negative where they complement each other, NaN outside.
    """
    parameters = parameters or ComplementarityParameters()
    first, second, common = _prepared(a, b, parameters, valid)
    agreement = np.full(first.shape, np.nan, dtype=np.float32)
    if common.sum() <= LEAST_PIXELS:
        return agreement
    z = [(i[common] - i[common].mean()) / (i[common].std() or math.nan) for i in (first, second)]
    agreement[common] = z[0] * z[1]
    return agreement


def stage_images(
    maps: Mapping[str, OnsetMap], parameters: ComplementarityParameters | None = None
) -> dict[str, Float32Array]:
    """Alloyed and unalloyed regions at start and middle of each step (S1s, S1m, ... of Fig. 2C).

    Their names are those of the table: cycle1_step1_alloyed_start, ..., _unalloyed_middle.
    """
    parameters = parameters or ComplementarityParameters()
    images: dict[str, Float32Array] = {}
    for key, onset in maps.items():
        for when, progress in (
            ("start", parameters.start_progress),
            ("middle", parameters.progress),
        ):
            alloyed = alloyed_image(onset, progress)
            images[f"{key}_alloyed_{when}"] = alloyed
            images[f"{key}_unalloyed_{when}"] = 1 - alloyed
    return images


def step_pairs(maps: Mapping[str, OnsetMap]) -> list[tuple[str, str]]:
    """Each step's unalloyed regions with each later step's alloyed ones (Fig. 2C, S1m & S2m)."""
    keys = list(maps)
    return [
        (f"{first}_unalloyed_middle", f"{second}_alloyed_middle")
        for i, first in enumerate(keys)
        for second in keys[i + 1 :]
        if first.split("_")[0] == second.split("_")[0]
    ]


def site_pairs(maps: Mapping[str, OnsetMap], sites: Sequence[str]) -> list[tuple[str, str]]:
    """Each step's first and middle alloyed regions with the same cycle's sites (Fig. 2C)."""
    return [
        (f"{key}_alloyed_{when}", name)
        for name in sites
        for key in maps
        if key.split("_")[0] == name.split("_")[0]
        for when in ("start", "middle")
    ]


def colocalization(
    images: Mapping[str, FloatArray],
    pairs: Sequence[tuple[str, str]],
    parameters: ComplementarityParameters | None = None,
    *,
    uniform: Sequence[str] = (),
    valid: BoolArray | None = None,
) -> Work[pd.DataFrame]:
    """The table `colocalization`: r of each pair with its null.

    Parameters
    ----------
    images : mapping of str to (Y, X) array
    pairs : sequence of (str, str)
        Names in `images`.
    parameters : ComplementarityParameters, optional
    uniform : sequence of str
        Steps (beginnings of image names) that alloyed uniformly; r with them is NaN.
    valid : (Y, X) bool array, optional
    """
    rows = []
    for i, (a, b) in enumerate(pairs):
        flat = [key for key in uniform if a.startswith(f"{key}_") or b.startswith(f"{key}_")]
        if flat:
            result = Correlation(
                pearson_r=math.nan,
                reason=f"{flat[0]} is uniform: its onset spread is under "
                f"{UNIFORM_SPREAD:g} times its uncertainty",
            )
        else:
            result = correlate(images[a], images[b], parameters, valid=valid)
        rows.append({"a": a, "b": b, **vars(result)})
        yield i + 1, len(pairs)
    return conform("colocalization", pd.DataFrame(rows))
