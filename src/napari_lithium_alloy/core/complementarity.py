"""Where two maps agree and where they complement each other: r, its null, and maps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.special import stdtr

from napari_lithium_alloy.core.block_null import block_correlations, block_side
from napari_lithium_alloy.core.colocalization import (
    ThresholdRule,
    attainable_r,
    common_field,
)
from napari_lithium_alloy.core.compared_maps import (
    LEAST_LEFT,
    LEAST_PIXELS,
    ComparedMaps,
    Field,
    InCells,
    Residual,
)
from napari_lithium_alloy.core.covariance_model import spread_factor
from napari_lithium_alloy.core.detrending import Detrend
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.placements import Placements
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.shifts import Shifts, usable_null

LEAST_EFFECTIVE = 8.0
"""Effective samples below which r has no null."""
FINEST_P = 0.01
"""The p of few independent shifts is not told finer than their number, or than this."""
LITTLE_ATTAINABLE = 0.6
"""Largest |r| in reach under which one of the maps is called a sparse mask."""
WINDOW_LENGTHS = 2.0
"""Standard deviation of the window of a local r, in correlation lengths."""
LEAST_WINDOW = 0.25
"""Share of a window that must be known."""
TOO_SMALL = "the field is too small against the maps' correlation length for a null"
TOO_SCATTERED = "the pixels compared are too scattered for shifts to leave half of them in common"
UNIFORM = "is uniform: its onset spread is under 3 times its uncertainty"
ONLY_TREND = "without the trend across the field nothing is left of one map"


@dataclass(frozen=True, kw_only=True)
class ComplementarityParameters:
    """How two maps are compared.

    Attributes
    ----------
    start_progress, progress, end_progress : float
        Shares of the alloyed area that are the start, middle and end of a step, 0 to 1.
    detrend : {"auto", "none", "plane", "quadratic"}
        Trend across the field taken out of both before r and its null; auto: a polynomial of
        degree 2 or, where the maps' structures are much finer, of up to 8.
    thresholds : {"otsu", "costes", "fixed"}
        How the thresholds of Manders' coefficients are chosen.
    threshold_a, threshold_b : float or None
        The fixed ones, in the maps' own units; a value at its threshold counts.
    window_px : float or None
        Standard deviation of the window of a local r, pixels; None: twice the maps' correlation
        length, so that a window holds some independent samples.
    n_permutations, seed : int
        Orders of blocks that the block null draws, and of its random numbers.
    boundary_shift_s : float
        Up to how many seconds the boundaries between steps are moved to see what r owes them; 0:
        they are not.
    """

    start_progress: float = 0.2
    progress: float = 0.5
    end_progress: float = 0.8
    detrend: Detrend = "auto"
    thresholds: ThresholdRule = "otsu"
    threshold_a: float | None = None
    threshold_b: float | None = None
    window_px: float | None = None
    n_permutations: int = 999
    seed: int = 0
    boundary_shift_s: float = 4.0

    @property
    def fixed_thresholds(self) -> tuple[float, float] | None:
        """The fixed thresholds, where both are given."""
        if self.threshold_a is None or self.threshold_b is None:
            return None
        return self.threshold_a, self.threshold_b


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Pearson's r of two maps beside what chance gives.

    Attributes
    ----------
    pearson_r : float
        Of the detrended maps; NaN where it is not defined, and `reason` says why.
    null_low, null_high : float
        95 % interval of r over all shifts of one map against the other, the same on both sides.
    p_value : float
        Two-tailed share of shifts with at least this |r|; not below 1 in the number of independent
        shifts or, where these are few, 0.01.
    n_px : int
        Pixels compared.
    n_effective : float
        Number of independent samples that would give the null's width.
    attainable_r : float
        Largest |r| that two maps with these distributions of values could reach.
    reason : str
        Why r is NaN, or what to beware of; empty where there is nothing to say.
    r_with_trend : float
        Pearson's r of the maps as they are.
    trend_degree : int
        Of the polynomial that was taken out; -1 where none was looked for.
    p_blocks : float
        Two-tailed share of random orders of one map's blocks with at least this |r|; NaN where
        the field holds too few.
    p_effective : float
        Of Student's t with the effective samples (Dutilleul's modified t-test).
    length_px : float
        Longer correlation length of the two maps.
    p_placement : float
        With nucleation sites: two-tailed share of random placements, as many and as far apart,
        with at least this |r|; NaN for other maps.
    """

    pearson_r: float
    null_low: float = math.nan
    null_high: float = math.nan
    p_value: float = math.nan
    n_px: int = 0
    n_effective: float = math.nan
    attainable_r: float = math.nan
    reason: str = ""
    r_with_trend: float = math.nan
    trend_degree: int = -1
    p_blocks: float = math.nan
    p_effective: float = math.nan
    length_px: float = math.nan
    p_placement: float = math.nan


@dataclass(frozen=True, eq=False, kw_only=True)
class _Prepared:
    """Two maps over the pixels they share, cropped to these, their trend taken out."""

    field: Field
    residuals: tuple[Residual, Residual]
    product: float
    degree: int
    cell: int
    cells: tuple[InCells, InCells]
    shifts: Shifts

    @property
    def first(self) -> FloatArray:
        """(Y, X) the first map, 0 outside."""
        return self.residuals[0].image

    @property
    def second(self) -> FloatArray:
        """(Y, X) the second map, 0 outside."""
        return self.residuals[1].image

    @property
    def lengths(self) -> list[float]:
        """Correlation lengths of both."""
        return [c.length_px for c in self.cells]

    @property
    def r(self) -> float:
        """Pearson's r of the residuals, whose means are 0."""
        power = math.sqrt(self.residuals[0].power * self.residuals[1].power)
        return self.product / power

    def attainable(self, r: float) -> float:
        """Largest |r| of r's sign that rearranging the values could give."""
        first, second = (residual.ordered for residual in self.residuals)
        return attainable_r(first, second, r)


def _prepared(
    field: Field, names: tuple[str, str], parameters: ComplementarityParameters
) -> _Prepared | None:
    """Without the trend of the degree asked for or, if `auto`, of that the maps allow.

    None where nothing but rounding is left of one of them.
    """
    degree, cell = field.trend_and_cell(*names, parameters.detrend)
    first, second = (field.residual(name, degree) for name in names)
    if min(first.largest, second.largest) <= LEAST_LEFT:
        return None
    one, other = (field.in_cells(name, degree, cell) for name in names)
    return _Prepared(
        field=field,
        residuals=(first, second),
        product=field.product(*names, degree),
        degree=degree,
        cell=cell,
        cells=(one, other),
        shifts=field.shifts(one, other, cell),
    )


def _pair_prepared(
    a: FloatArray, b: FloatArray, common: BoolArray, parameters: ComplementarityParameters
) -> _Prepared | None:
    """Two maps over some of their pixels."""
    return _prepared(Field({"a": a, "b": b}, common), ("a", "b"), parameters)


def correlate(
    a: FloatArray,
    b: FloatArray,
    parameters: ComplementarityParameters | None = None,
    *,
    valid: BoolArray | None = None,
    placements: Placements | None = None,
) -> Correlation:
    """Pearson's r of two maps, with the null of all shifts of one against the other.

    Maps of a film are smooth, so r has far fewer independent samples than pixels, and a p-value
    by pixels is wrong. Shifts shorter than the maps' correlation length, or which leave under
    half of the field in common, do not count; the others are widened by what detrending took of
    their spread. Two further nulls stand beside it: blocks in random order, and Student's t with
    the effective number of samples.

    Parameters
    ----------
    a, b : numpy.ndarray
        (Y, X); NaN where unknown.
    parameters : ComplementarityParameters, optional
    valid : (Y, X) bool array, optional
        The field, or a drawn region.
    placements : Placements, optional
        Of the sites that `b` is the mask of.

    Raises
    ------
    AlloyError
        If the shapes differ.

    References
    ----------
    Mrkvicka et al. 2021, DOI 10.1016/j.spasta.2020.100430 (shifts); Dutilleul 1993,
    DOI 10.2307/2532625 (effective samples).
    """
    common_field(a, b, valid)
    maps = ComparedMaps({"a": a, "b": b}, valid)
    return correlate_pair(maps, "a", "b", parameters, placements=placements)


def correlate_pair(
    maps: ComparedMaps,
    a: str,
    b: str,
    parameters: ComplementarityParameters | None = None,
    *,
    placements: Placements | None = None,
) -> Correlation:
    """The same of two of several maps, which share what each brings to all its pairs."""
    parameters = parameters or ComplementarityParameters()
    field = maps.field(a, b)
    n = 0 if field is None else field.n
    if field is None or n <= LEAST_PIXELS:
        return Correlation(
            pearson_r=math.nan, n_px=n, reason=f"only {n} pixels are known in both maps"
        )
    with_trend = field.pearson(a, b)
    if not math.isfinite(with_trend):
        return Correlation(pearson_r=math.nan, n_px=n, reason="one of the maps is constant")
    pair = _prepared(field, (a, b), parameters)
    if pair is None:
        return Correlation(pearson_r=math.nan, n_px=n, r_with_trend=with_trend, reason=ONLY_TREND)
    r, told, lengths = pair.r, pair.shifts.variance, pair.lengths
    variance = told * spread_factor(
        pair.first, pair.second, field.common, pair.degree, min(lengths), told
    )
    found = Correlation(
        pearson_r=r,
        n_px=n,
        n_effective=min(float(n), 1 + 1 / variance),
        attainable_r=pair.attainable(r),
        r_with_trend=with_trend,
        trend_degree=pair.degree,
        length_px=max(lengths),
        p_placement=math.nan if placements is None else _placed_p(pair, placements, r),
    )
    return _judged(found, pair, parameters)


def _judged(
    found: Correlation, maps: _Prepared, parameters: ComplementarityParameters
) -> Correlation:
    """The same r with its nulls."""
    from napari_lithium_alloy.core.kernels.shifted import mean_square, quantile_of

    r, length, shifts = found.pearson_r, found.length_px, maps.shifts
    if found.n_effective < LEAST_EFFECTIVE:
        return with_changes(found, reason=TOO_SMALL)
    null = usable_null(shifts, length)
    if not null.size:
        return with_changes(found, reason=TOO_SCATTERED)
    scale = math.sqrt(1 / (found.n_effective - 1) / mean_square(null))
    null *= scale
    most = quantile_of(null, 0.95)
    independent = null.size * (shifts.cell / max(length, 1.0)) ** 2
    side = max(1, round(block_side(maps.field.common.shape, length) / maps.cell))
    one, other = maps.cells
    blocks = math.sqrt(one.kept * other.kept) * block_correlations(
        one.means,
        other.means,
        maps.field.counting(maps.cell),
        side,
        n=parameters.n_permutations,
        seed=parameters.seed,
    )
    return with_changes(
        found,
        null_low=-most,
        null_high=most,
        p_value=max(share_beyond(null, r), min(1 / (1 + independent), FINEST_P)),
        p_blocks=share_beyond(blocks, r) if blocks.size else math.nan,
        p_effective=modified_t(r, found.n_effective),
        reason=_of_sparse(found.attainable_r) if found.attainable_r < LITTLE_ATTAINABLE else "",
    )


def _placed_p(maps: _Prepared, placements: Placements, r: float) -> float:
    """Share of placements whose r with the first map is at least as large."""
    corner = maps.field.box[0].start, maps.field.box[1].start
    scale = math.sqrt(maps.residuals[0].power * maps.residuals[1].power)
    # The first map is orthogonal to the trend, so that the discs need no detrending.
    null = placements.sums(maps.first, corner) / scale
    return share_beyond(null, r) if null.size else math.nan


def with_changes(found: Correlation, **more: object) -> Correlation:
    """The same but for some of it."""
    return Correlation(**{**vars(found), **more})


def share_beyond(null: FloatArray, r: float) -> float:
    """Two-tailed share of a null with at least this |r|, the observed one counted in."""
    return float((1 + (np.abs(null) >= abs(r)).sum()) / (1 + null.size))


def modified_t(r: float, n_effective: float) -> float:
    """Two-tailed p of r from Student's t with `n_effective` - 2 degrees of freedom."""
    free = n_effective - 2
    if not free > 0 or math.isnan(r):
        return math.nan
    if abs(r) >= 1:
        return 0.0
    return float(2 * stdtr(free, -abs(r) * math.sqrt(free / (1 - r * r))))


def _of_sparse(attainable: float) -> str:
    of_sites = "where sites sit is told by their ranks (site_ranks), not by r"
    return f"sparse mask: |r| cannot exceed {attainable:.2f}; {of_sites}"


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
    common = common_field(a, b, valid)
    agreement = np.full(common.shape, np.nan, dtype=np.float32)
    if common.sum() <= LEAST_PIXELS or _constant(a, b, common):
        return agreement
    maps = _pair_prepared(a, b, common, parameters)
    if maps is None:
        return agreement
    own, box = maps.field.common, maps.field.box
    z = [i[own] / i[own].std() for i in (maps.first, maps.second)]
    agreement[box][own] = z[0] * z[1]
    return agreement


def windowed_pearson(
    a: FloatArray,
    b: FloatArray,
    parameters: ComplementarityParameters | None = None,
    *,
    valid: BoolArray | None = None,
) -> tuple[Float32Array, float]:
    """Pearson's r in a Gaussian window around each pixel, and the window's standard deviation.

    Parameters
    ----------
    a, b : numpy.ndarray
        (Y, X); NaN where unknown.
    parameters : ComplementarityParameters, optional
    valid : (Y, X) bool array, optional

    Returns
    -------
    numpy.ndarray, float
        (Y, X) float32, NaN where less than a quarter of the window is known; pixels (NaN where
        the maps cannot be compared).
    """
    parameters = parameters or ComplementarityParameters()
    common = common_field(a, b, valid)
    local = np.full(common.shape, np.nan, dtype=np.float32)
    if common.sum() <= LEAST_PIXELS or _constant(a, b, common):
        return local, math.nan
    maps = _pair_prepared(a, b, common, parameters)
    if maps is None:
        return local, math.nan
    sigma_px = parameters.window_px
    if sigma_px is None:
        sigma_px = WINDOW_LENGTHS * max(maps.lengths)
    share, x, y, xx, yy, xy = (
        ndimage.gaussian_filter(image, sigma_px, mode="constant", truncate=3.0)
        for image in (
            maps.field.common.astype(float), maps.first, maps.second,
            maps.first**2, maps.second**2, maps.first * maps.second,
        )
    )  # fmt: skip
    known = maps.field.common & (share >= LEAST_WINDOW)
    share = np.where(known, share, 1.0)
    x, y = x / share, y / share
    spread = np.maximum(xx / share - x * x, 0) * np.maximum(yy / share - y * y, 0)
    known &= spread > 0
    r = (xy / share - x * y)[known] / np.sqrt(spread[known])
    local[maps.field.box][known] = np.clip(r, -1, 1)
    return local, sigma_px


def _constant(a: FloatArray, b: FloatArray, common: BoolArray) -> bool:
    return any(float(np.ptp(image[common])) == 0 for image in (a, b))
